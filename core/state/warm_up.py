"""Compiles the kernels of the live path before the first caller waits for them."""

from __future__ import annotations

import numpy as np

from core.log import Outcome
from core.state.state import Event, State


def warm_up(state: State) -> None:
    """Write and read once on a scratch state of the same schema; the given one is not touched.

    Compiling takes some twenty seconds on a machine that has never done it, and about one where
    the compiled kernels lie in the cache.
    """
    scratch = State(state.schema, state.horizon_s, state.tie_rule)
    context = {f.name: "known" for f in state.schema.context}
    scratch.update(Event("user", "object", Outcome.PLAY, 0.0, context))
    scratch.update(Event("user", "object", Outcome.LIKE, 1.0, {}))
    scratch.update(Event("user", "other", Outcome.PLAY, 2.0, context))  # a second slot and pair
    scratch.advance(3.0 + state.horizon_s)
    objects = np.array([1, 2], np.int32)
    scratch.features(1, objects, context, 4.0 + state.horizon_s, scratch.columns)
    scratch.met(1, objects)
    scratch.opinions(1, objects)
    scratch.recent_objects(1)
