"""Folding in for ever: vectors of what came after a fit cannot grow without end."""

from __future__ import annotations

import numpy as np

from core.state.arrays import COUNT, IS_BASE
from core.state.events import Event
from core.state.latent_fit import fit_latent
from core.state.replay import Replay
from core.testing_logs import event_of, new_state, random_tables


def test_late_vectors_stay_within_the_length_of_the_longest_frozen_one() -> None:
    """Users pull late objects, which pull users: a hundred rounds of it must not explode."""
    tables = random_tables(7, n_events=6000, n_users=12, n_objects=400, reactions=0.1)
    log = tables.log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    replay.run(60)
    fit_latent(state, seed=3)
    replay.run(len(log))
    rng = np.random.default_rng(1)
    for row in rng.integers(0, len(log), 500):
        event = event_of(log, int(row))
        state.update(Event(f"late {row % 5}", f"late {row % 90}", event.outcome, 2e9))
    arrays = state.arrays
    for vectors, is_base, met in (
        (arrays.objects.vector, arrays.objects.tags[:, IS_BASE], arrays.objects.counts[:, COUNT]),
        (arrays.values.vector, arrays.values.tags[:, IS_BASE], arrays.values.counts[:, COUNT]),
    ):
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
        longest = lengths[is_base == 1].max()
        late = (is_base == 0) & (met > 0)
        assert late.sum() > 0
        assert lengths[late].max() <= longest * (1 + 1e-6)
    assert np.linalg.norm(arrays.objects.vector[arrays.objects.tags[:, IS_BASE] == 0]).any()
    taken = arrays.users.counts[:, COUNT] + 60.0  # liked objects count too
    assert (np.linalg.norm(arrays.users.vector, axis=1) <= taken).all()
