"""How indices are stored: named tensors in one safetensors file an index, nothing executable."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from core.errors import BundleError


def save_tensors(file: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write the tensors of one index."""
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, file)


def load_tensors(file: Path, *names: str) -> list[NDArray[Any]]:
    """Read these tensors of one index, in this order; BundleError when that cannot be done."""
    try:
        tensors = load_file(file)
        return [tensors[name] for name in names]
    except Exception as error:  # safetensors raises its own, undocumented kinds
        raise BundleError(f"{file} cannot be read: {error}") from error
