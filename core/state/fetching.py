"""Fetching ahead: brings what the next event touches into the cache while this one is at work.

Each event touches a hundred places all over a state that is far larger than any cache; waiting for
one after the other took a third of a replay. A hint changes no value, so no feature depends on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.base import BaseContext
from numba.core.typing.context import BaseContext as TypingContext
from numba.core.typing.templates import Signature
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

from core.state.arrays import StateArrays
from core.state.compiling import kernel
from core.state.families.sequence import previous_object
from core.state.hashing import PairTable, home, pair_key

_LINE_BYTES = 64


def _typed_hint(_: TypingContext, row: types.Array) -> tuple[Signature, Callable[..., ir.Value]]:
    """How numba makes `hint` for a type of array."""

    def generate(
        context: BaseContext,
        builder: ir.IRBuilder,
        signature: Signature,
        arguments: tuple[ir.Value, ...],
    ) -> ir.Value:
        array = make_array(signature.args[0])(  # type: ignore[no-untyped-call]
            context, builder, arguments[0]
        )
        pointer, count = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module,
            ir.FunctionType(ir.VoidType(), [pointer, count, count, count]),
            "llvm.prefetch.p0",
        )
        start = builder.bitcast(array.data, pointer)
        n_bytes = builder.mul(builder.extract_value(array.shape, 0), array.itemsize)
        step = n_bytes.type(_LINE_BYTES)
        with cgutils.for_range_slice(builder, n_bytes.type(0), n_bytes, step) as (offset, _):
            address = builder.gep(start, [offset])
            # To be read or written, kept in all caches, data: as LLVM's manual numbers them.
            builder.call(function, [address, count(0), count(3), count(1)])
        return context.get_dummy_value()  # type: ignore[no-untyped-call]

    return types.void(row), generate


hint = cast("Callable[[NDArray[np.generic]], None]", intrinsic(_typed_hint))
"""Ask for every cache line of a contiguous row."""


@kernel()
def fetch_event(
    s: StateArrays,
    user: int,
    obj: int,
    context: NDArray[np.int32] | NDArray[np.int64],
) -> None:
    """Ask for what both a meeting and a label of user and object touch."""
    hint(s.users.counts[user])
    hint(s.users.values[user])
    hint(s.users.weights[user])
    hint(s.objects.counts[obj])
    hint(s.objects.weights[obj])
    _fetch_pair(s.user_object, user, obj)
    _fetch_values(s.objects.values[obj], user, s.values.counts, s.values.weights, s.user_value)
    _fetch_values(context, user, s.values.counts, s.values.weights, s.user_value)


@kernel()
def fetch_meeting(
    s: StateArrays, user: int, obj: int, context: NDArray[np.int32] | NDArray[np.int64]
) -> None:
    """Ask for what a meeting touches beyond `fetch_event`; the user's trail should be near."""
    before = previous_object(s.users.trail[user])
    hint(s.objects.vector[before])
    hint(s.objects.values[before])
    hint(s.users.visits[user])
    hint(s.users.recent[user])
    hint(s.users.vector[user])
    hint(s.users.facet_vector[user])
    hint(s.users.anchor[user])
    hint(s.users.facet_anchor[user])
    hint(s.users.numbers[user])
    hint(s.users.distinct[user])
    hint(s.objects.vector[obj])
    hint(s.objects.numbers[obj])
    hint(s.objects.pools[obj])
    hint(s.objects.tags[obj])
    hint(s.values.vector[s.objects.values[obj, s.shape.main_slot[0]]])
    if s.content.vector.shape[1] > 0:
        hint(s.content.taste[user])
        hint(s.content.vector[obj])
    for value in context:
        if value != 0:
            _fetch_pair(s.object_context, obj, value)


@kernel()
def _fetch_values(
    values: NDArray[np.int32] | NDArray[np.int64],
    user: int,
    counts: NDArray[np.float64],
    weights: NDArray[np.float32],
    user_value: PairTable,
) -> None:
    for value in values:
        if value != 0:
            hint(counts[value])
            hint(weights[value])
            _fetch_pair(user_value, user, value)


@kernel()
def _fetch_pair(table: PairTable, a: int, b: int) -> None:
    slot = np.int64(home(table.keys, pair_key(a, b) + np.uint64(1)))
    hint(table.keys[slot : slot + 1])
    hint(table.rows[slot])
    if table.marks.shape[1] > 0:
        hint(table.marks[slot])
