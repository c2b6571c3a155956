"""Chronological training: one recipe, run as of any position of the log.

`fit_as_of(table, until)` uses only labels that are known at `until` and does what a nightly run at
that moment would do. Evaluation calls it at the begin of the test block, publication at the end of
the log, with the iterations that evaluation chose: the published model comes from the very function
that was measured.

    base period | train | tune | stack | (labels still open) | until
    1. members fit on train, choosing their iterations on tune, unless these are settled already;
    2. members refit with those iterations on what had matured when the stack block began, and the
       stack fits on their logits there, on rows that they have never seen;
    3. members refit on all that has matured at `until`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.ensemble import Ensemble, Profile, fit_members, fit_stacks
from core.errors import NotEnoughDataError
from core.evaluation import Figures, auc, figures
from core.examples import ExampleTable
from core.lists.visits import NEXT_SESSIONS, SESSION_S
from core.log import UNKNOWN_LABEL, ClockKind, EventLog
from core.mapped import pieces
from core.models.base import Model, Progress, Settled, Trainers
from core.state.columns import FeatureBatch

PREDICT_ROWS = 100_000
"""Rows scored at a time, so that scoring a block needs little memory."""


@dataclass(frozen=True)
class Recipe:
    """How a domain is trained; shares are of the log or of the usable examples."""

    trainers: str = "standard"
    """Name of the member settings in `core.models.RECIPES`."""
    base_share: float = 0.1
    """First part of what is known at the test block: for the state and the first latent vectors."""
    test_share: float = 0.2
    """Last part of the examples: scored once."""
    stack_share: float = 0.1
    """Latest part of the usable examples: the stack fits on it."""
    tune_share: float = 0.1
    """Part before it: choices are made on it."""
    min_rows: int = 200
    """Fewest rows of a block."""
    list_horizon_s: float | None = None
    """Lists are ranked by what users take within this time, on their own clocks; None, or a log
    whose labels mature sooner, takes the label rule's horizon."""

    def horizon_of_lists_s(self, log: EventLog) -> float:
        """Seconds within which what a user takes counts for a list of a log.

        Where clocks count sessions, users have few: no more than `NEXT_SESSIONS` are looked ahead.
        """
        horizon_s = log.label_rule.horizon_s
        if self.list_horizon_s is not None:
            horizon_s = min(horizon_s, self.list_horizon_s)
        if log.clock is ClockKind.SESSIONS:
            horizon_s = min(horizon_s, NEXT_SESSIONS * SESSION_S)
        return horizon_s

    @property
    def test_start(self) -> float:
        """Position at which the test block begins."""
        return 1.0 - self.test_share


@dataclass(frozen=True)
class Blocks:
    """Which rows (n,) of a table each fit uses."""

    train: NDArray[np.bool_]
    tune: NDArray[np.bool_]
    before_stack: NDArray[np.bool_]
    stack: NDArray[np.bool_]
    all: NDArray[np.bool_]
    until: float

    def sizes(self) -> dict[str, int]:
        """Rows of each block, for reports."""
        return {
            "train": int(self.train.sum()),
            "tune": int(self.tune.sum()),
            "refit before stack": int(self.before_stack.sum()),
            "stack": int(self.stack.sum()),
            "refit": int(self.all.sum()),
        }


@dataclass(frozen=True)
class Fitted:
    """An ensemble with how it came about."""

    ensemble: Ensemble
    blocks: Blocks
    iterations: Mapping[str, int]
    before_stack: Mapping[str, Model]
    """The members as they were when the stack block began: what is fitted on it asks these."""


def cut_blocks(table: ExampleTable, until: float, recipe: Recipe) -> Blocks:
    """Cut the examples whose labels are known at `until`; later blocks never overlap earlier fits.

    A row counts for a fit only if its label had matured when the next block began. A log can ask
    for blocks of users instead (`LabelRule.inner_by_user`), between which no label window overlaps
    either; nothing of what comes after `until` is known to any.

    Raises:
        NotEnoughDataError: a block has fewer than `min_rows` rows.
    """
    usable = (table.labels != UNKNOWN_LABEL) & (table.matures_position <= until)
    if not usable.any():
        raise NotEnoughDataError(
            "no label has matured: give a longer log or a shorter label horizon"
        )
    place = _by_user(table.user, usable) if table.inner_by_user else table.position
    matures = place if table.inner_by_user else table.matures_position
    tune_start, stack_start = np.quantile(
        place[usable],
        [1.0 - recipe.stack_share - recipe.tune_share, 1.0 - recipe.stack_share],
    )

    stack = usable & (place >= stack_start)
    if (earlier := place[usable & ~stack]).size:
        # Lists of one moment share their place: none is cut, and the stack may hold all of the
        # last one. Then those of the moment before it are the tune block.
        tune_start = min(tune_start, earlier.max())

    def before(start: float) -> NDArray[np.bool_]:
        known: NDArray[np.bool_] = usable & (place < start) & (matures <= start)
        return known

    blocks = Blocks(
        train=before(tune_start),
        tune=usable & (place >= tune_start) & ~stack,
        before_stack=before(stack_start),
        stack=stack,
        all=usable,
        until=until,
    )
    short = {name: rows for name, rows in blocks.sizes().items() if rows < recipe.min_rows}
    if short:
        found = ", ".join(f"{name} {rows}" for name, rows in short.items())
        raise NotEnoughDataError(
            f"too few matured examples for an honest fit ({found}; at least {recipe.min_rows} are "
            "needed in each block): give a longer log"
        )
    return blocks


def _by_user(user: NDArray[np.int32], usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) a place in [0, 1) for each user, by the order of their ids' scrambled bits.

    It is the share of the usable rows of the users before: so quantiles cut between users.
    """
    scrambled = user.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    order = np.argsort(scrambled, kind="stable")
    rows: NDArray[np.int64] = np.cumsum(usable[order]) - usable[order]
    first = np.ones(len(order), bool)
    first[1:] = user[order][1:] != user[order][:-1]
    starts = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    place = np.empty(len(user))
    place[order] = rows[starts] / usable.sum()
    return place


def fit_as_of(
    table: ExampleTable,
    until: float,
    recipe: Recipe,
    trainers: Trainers,
    *,
    seed: int,
    iterations: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Train as a run at position `until` would; see the module's docstring.

    With `iterations` by member, the first step is left out: they were chosen before.
    """
    blocks = cut_blocks(table, until, recipe)
    if iterations is None:
        iterations = _choose(table, blocks, trainers, seed, progress)
    before = fit_members(
        table.take(blocks.before_stack),
        None,
        iterations=iterations,
        seed=seed,
        trainers=trainers,
        progress=_named(progress, "stack"),
    )
    stacks = fit_stacks(before, table.take(blocks.stack))
    members = fit_members(
        table.take(blocks.all),
        None,
        iterations=iterations,
        seed=seed,
        trainers=trainers,
        progress=_named(progress, "refit"),
    )
    return Fitted(Ensemble(members, stacks), blocks, iterations, before)


def _choose(
    table: ExampleTable, blocks: Blocks, trainers: Trainers, seed: int, progress: Progress | None
) -> dict[str, int]:
    """Iterations by member; only those are fitted for whom the tune block decides."""
    train = table.take(blocks.train)
    settled = {
        name: trainer.settled_iterations(train)
        for name, trainer in trainers.items()
        if isinstance(trainer, Settled)
    }
    known = {name: iterations for name, iterations in settled.items() if iterations is not None}
    fitted = fit_members(
        train,
        table.take(blocks.tune),
        seed=seed,
        trainers={name: trainer for name, trainer in trainers.items() if name not in known},
        progress=_named(progress, "choose"),
    )
    return {name: known.get(name) or fitted[name].iterations() for name in trainers}


def _named(progress: Progress | None, stage: str) -> Progress | None:
    if progress is None:
        return None
    # One bar a member: what it says after its name changes with every round.
    return lambda what, done: progress(f"{stage}: {what.partition(':')[0]}", done)


@dataclass(frozen=True)
class Evaluation:
    """The test block, scored once.

    Attributes:
        ensembles: figures by profile.
        masked: figures by profile with the request's context unknown.
        members: ROC-AUC of each member alone.
        rows: (n_test,) rows of the log, all of the block.
        probabilities: (n_test,) of the full profile.
    """

    ensembles: Mapping[Profile, Figures]
    masked: Mapping[Profile, Figures]
    members: Mapping[str, float]
    rows: NDArray[np.intp]
    probabilities: NDArray[np.float64]


def evaluate(
    log: EventLog, table: ExampleTable, ensemble: Ensemble, recipe: Recipe, *, seed: int
) -> Evaluation:
    """Score the examples from `test_start` on."""
    test = table.position >= recipe.test_start
    rows = table.row[test]
    if not len(rows):
        raise NotEnoughDataError("the test block has no examples: give a longer log")
    batch = table.batch(test)
    known = table.labels[test] != UNKNOWN_LABEL
    labels = table.labels[test][known]
    cold_user = _first_rows(log.user_index, rows)
    cold_object = _first_rows(log.object_index, rows)

    def measured(probabilities: NDArray[np.float64]) -> Figures:
        return figures(
            labels,
            probabilities[known],
            table.user[test][known],
            cold_user=cold_user[known],
            cold_object=cold_object[known],
            seed=seed,
        )

    plain = {profile: predict_all(ensemble, batch, profile) for profile in ensemble.stacks}
    masked = {
        profile: predict_all(ensemble, batch, profile, masked=True) for profile in ensemble.stacks
    }
    members: dict[str, float] = {}
    for _, logits in plain.values():
        members |= {name: auc(labels, column[known]) for name, column in logits.items()}
    best = Profile.FULL if Profile.FULL in plain else next(iter(plain))
    return Evaluation(
        ensembles={profile: measured(p) for profile, (p, _) in plain.items()},
        masked={profile: measured(p) for profile, (p, _) in masked.items()},
        members=members,
        rows=rows,
        probabilities=plain[best][0],
    )


def predict_all(
    ensemble: Ensemble, batch: FeatureBatch, profile: Profile, *, masked: bool = False
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Probabilities (n,) and member logits of a large batch, a piece at a time.

    With `masked`, the request's context is unknown.
    """
    parts = [
        ensemble.predict(piece.without_context() if masked else piece, profile)
        for _, piece in pieces(batch, PREDICT_ROWS)
    ]
    names = parts[0].member_logits
    return (
        np.concatenate([part.probabilities for part in parts]),
        {name: np.concatenate([part.member_logits[name] for part in parts]) for name in names},
    )


def _first_rows(entity: NDArray[np.int32], rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether each row's entity has no event before the first of the rows."""
    seen = np.zeros(int(entity.max()) + 1, bool)
    seen[entity[: rows.min()]] = True
    return ~seen[entity[rows]]
