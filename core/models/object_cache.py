"""A bounded memory of what a net made of an object, shared by all requests."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class ObjectCache:
    """Outputs by object key, one slot a hash value: a newcomer takes the slot.

    Looking up and storing are whole-array operations, so that thousands of candidates cost
    microseconds. Keys name the object's own state (FeatureBatch.object_keys), so an answer is
    never stale.
    """

    def __init__(self, slots: int, width: int, device: torch.device) -> None:
        if slots < 2 or slots & (slots - 1):
            raise ValueError(f"slots must be a power of two of at least 2, got {slots}")
        self._shift = np.uint64(64 - (slots.bit_length() - 1))
        self._keys = np.zeros(slots, np.int64)
        self._filled = np.zeros(slots, np.bool_)
        self._outputs = torch.zeros((slots, width), device=device)
        self._lock = Lock()

    def outputs(
        self, keys: NDArray[np.int64], compute: Callable[[NDArray[np.intp]], Tensor]
    ) -> Tensor:
        """Outputs (n, width) for n keys; `compute` is asked for the rows that are not kept.

        Call within `torch.inference_mode`.
        """
        slots = (keys.astype(np.uint64) * _GOLDEN >> self._shift).astype(np.intp)
        where = torch.from_numpy(slots).to(self._outputs.device)
        with self._lock:
            is_kept = self._filled[slots] & (self._keys[slots] == keys)
            found = self._outputs[where]
        missing = np.flatnonzero(~is_kept)
        if missing.size:
            fresh = compute(missing)
            found[torch.from_numpy(missing).to(found.device)] = fresh
            self._store(keys[missing], slots[missing], fresh)
        return found

    def _store(self, keys: NDArray[np.int64], slots: NDArray[np.intp], outputs: Tensor) -> None:
        # One writer a slot: key and output must come from the same row.
        slots, first = np.unique(slots, return_index=True)
        chosen = outputs[torch.from_numpy(first).to(outputs.device)]
        with self._lock:
            self._keys[slots] = keys[first]
            self._filled[slots] = True
            self._outputs[torch.from_numpy(slots).to(outputs.device)] = chosen
