"""From a log to examples: one replay gives every example its as-of features and its label."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.content import ContentVectors, hidden_objects
from core.errors import NotEnoughDataError
from core.log import UNKNOWN_LABEL, EventLog
from core.models.base import Examples
from core.scratch import Scratch, collect_rows, copy_rows
from core.state.columns import FeatureBatch
from core.state.latent_fit import fit_latent
from core.state.replay import Replay
from core.state.snapshot_reader import FeatureSink
from core.state.state import State

REFIT_GROWTH = 1.4
"""A log so much longer than at the latest fit is factorised again: the cost stays linear."""

Stage = Callable[[str, float], None]
"""Called with the name of the stage and the fraction of it that is done."""


class Observer(Protocol):
    """Looks at the state at moments of its own while a log is replayed, and changes nothing."""

    def rows(self, log: EventLog, base: int) -> NDArray[np.intp]:
        """(m,) rising rows, none before `base`, each the first of its tie group."""
        ...

    def look(self, state: State, row: int) -> None:
        """Called at each of them: `state` holds all that came before the row, and no more."""
        ...


@dataclass(frozen=True)
class ExampleTable:
    """All examples after the base period, in log order; n rows.

    Attributes:
        features: batch of n rows.
        labels: (n,) int8, UNKNOWN_LABEL where the log ends before the label matures.
        position, matures_position: (n,) see `EventLog`.
        row: (n,) index into the log.
        user, object: (n,) index into the log's entities.
        inner_by_user: see `LabelRule`.
        lists: (n,) rising: the list of each row, where rows are candidates of lists; else None.
        scratch: where copies of its rows go that are too large for memory.
    """

    features: FeatureBatch
    labels: NDArray[np.int8]
    position: NDArray[np.float64]
    matures_position: NDArray[np.float64]
    row: NDArray[np.intp]
    user: NDArray[np.int32]
    object: NDArray[np.int32]
    inner_by_user: bool = False
    lists: NDArray[np.intp] | None = None
    scratch: Scratch | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: NDArray[np.bool_]) -> Examples:
        """The chosen rows (n,) for a fit; see `batch`."""
        lists = None if self.lists is None else self.lists[chosen]
        return Examples(self.batch(chosen), self.labels[chosen].astype(np.float32), lists)

    def batch(self, chosen: NDArray[np.bool_]) -> FeatureBatch:
        """Features of the chosen rows (n,): a view where they lie together, a copy otherwise."""
        rows = np.flatnonzero(chosen)
        if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
            return self.features.take(slice(int(rows[0]), int(rows[-1]) + 1))
        return copy_rows(self.features, rows, self.scratch)


def base_rows(log: EventLog, *, base_share: float, test_start: float) -> int:
    """How many rows of the log form the base period.

    `base_share` of the rows up to the last example whose label is known when the test block begins,
    but all rows before the first of these: of what comes later not even the length counts.

    Raises:
        NotEnoughDataError: no label is known by then.
    """
    known = np.flatnonzero(~np.isnan(log.position) & (log.matures_position <= test_start))
    if not len(known):
        raise NotEnoughDataError(
            "no label is known when the test block begins: give a longer log or a shorter label "
            "horizon"
        )
    return max(int(known[0]), int((known[-1] + 1) * base_share))


def _refits(base: int, n: int) -> list[int]:
    """Rows before which the latent vectors are fitted: the base period's end, then at growth."""
    rows = [base]
    while max(rows[-1], 1) * REFIT_GROWTH < n:
        rows.append(math.ceil(max(rows[-1], 1) * REFIT_GROWTH))
    return rows


def _first_row(log: EventLog, position: float) -> int:
    """The first example at or after a position; the log's end where there is none."""
    after = np.flatnonzero(log.position >= position)
    return int(after[0]) if len(after) else len(log)


def replay_examples(
    log: EventLog,
    state: State,
    *,
    base_share: float,
    test_start: float,
    seed: int,
    progress: Stage | None = None,
    scratch: Scratch | None = None,
    content: ContentVectors | None = None,
    observer: Observer | None = None,
) -> ExampleTable:
    """Roll an empty state over the whole log and collect the examples.

    The log begins with the base period (`base_rows`): it fills counters and is what latent vectors
    are fitted on first, and none of its rows is an example. The vectors are fitted anew each time
    the log has grown by `REFIT_GROWTH`, on what has passed by then. Afterwards the state stands at
    the end of the log.

    With `scratch`, features that are too large for memory go there: the same table, bit for bit,
    that reads from disk.

    With `content`, which must be of the state's schema, some objects' vectors are hidden from the
    examples before `test_start`: what is absent there is absent as in service, a trained value.

    The `observer`, where there is one, sees the state of this very replay.

    Raises:
        NotEnoughDataError: no example lies after the base period.
        ScratchError: the scratch directory cannot hold the features.
    """
    replay = Replay(state, state.log_arrays(log))
    if content is not None:
        state.add_content(content, hidden_objects(content, seed))
    base = base_rows(log, base_share=base_share, test_start=test_start)
    wanted = log.is_example & ~np.isnan(log.position)
    # Now, for a lack of room should be told before an hour of replay.
    collected = collect_rows(state.columns, int(np.count_nonzero(wanted[base:])), scratch)
    report = progress or (lambda *_: None)
    replay.run(base, progress=lambda done: report("replay base period", done))
    shown_from = len(log) if content is None else max(_first_row(log, test_start), base)
    rows = _roll(replay, log, base, collected, wanted, shown_from, observer, seed, report)
    state.show_content()
    report("replay events", 1.0)
    replay.finish(float(log.time_s[-1]))
    if not len(rows):
        raise NotEnoughDataError(
            f"no example lies after the base period ({base} of {len(log)} events): "
            "give a longer log"
        )
    known = log.labels[rows]
    return ExampleTable(
        features=collected.batch(),
        labels=np.where(known == UNKNOWN_LABEL, replay.labels[rows], known),
        position=log.position[rows],
        matures_position=log.matures_position[rows],
        row=rows,
        user=log.user_index[rows],
        object=log.object_index[rows],
        inner_by_user=log.label_rule.inner_by_user,
        scratch=scratch,
    )


def replay_observed(
    log: EventLog,
    state: State,
    observer: Observer,
    *,
    base_share: float,
    seed: int,
    progress: Stage | None = None,
) -> None:
    """Roll an empty state over the whole log as `replay_examples` does, for an observer alone.

    Raises:
        NotEnoughDataError: no label of the log is known at its end.
    """
    replay = Replay(state, state.log_arrays(log))
    base = base_rows(log, base_share=base_share, test_start=1.0)
    report = progress or (lambda *_: None)
    replay.run(base, progress=lambda done: report("replay base period", done))
    none = np.zeros(len(log), bool)
    nothing = collect_rows(state.columns, 0, None)
    _roll(replay, log, base, nothing, none, len(log), observer, seed, report)
    report("replay events", 1.0)
    replay.finish(float(log.time_s[-1]))


def _roll(
    replay: Replay,
    log: EventLog,
    base: int,
    sink: FeatureSink,
    wanted: NDArray[np.bool_],
    shown_from: int,
    observer: Observer | None,
    seed: int,
    report: Stage,
) -> NDArray[np.intp]:
    """From the base period's end to the log's, with fits and looks on the way; the wanted rows."""
    state, length = replay.state, len(log)
    refits = _refits(base, length)
    looks = np.zeros(0, np.intp) if observer is None else observer.rows(log, base)
    bounds = np.unique([*refits, *looks, shown_from, length])
    stretches = [np.zeros(0, np.intp)]
    for start, stop in pairwise(bounds.tolist()):
        if start in refits:
            fit_latent(state, seed)
            report("replay events", start / length)
        if start == shown_from:
            state.show_content()
        if observer is not None and start in looks:
            replay.advance(start)
            observer.look(state, start)
            report("replay events", start / length)
        stretches.append(replay.run_into(sink, stop, wanted))
    return np.concatenate(stretches)
