"""An engine that keeps the contract, and a clock that is moved by hand."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Condition, Event

import numpy as np
from numpy.typing import NDArray

from core.errors import FieldViolation, InvalidRequestError
from core.fates import Fate, SourcePlace, Stage, WhyNot
from core.log import Outcome
from core.requests import (
    FeedbackEvent,
    GenreAnswer,
    GenreStatus,
    RankedItem,
    RecommendRequest,
    ScoreAnswer,
    ScoreRequest,
    Slate,
    UserRef,
)
from core.schema import Branch
from core.state.columns import CodeColumn, Columns, Family, FeatureBatch, NumberColumn
from server.testing.explanations import explanations_of

PATIENCE_S = 60.0
"""After so long a wait in a test is a failure, never a result."""
NEW_OBJECT = 0.05
"""Probability of an object that the catalogue does not hold."""
TAKEN_BEFORE = 0.9
"""Probability of an object that the user has taken: they come back."""
OUTCOMES = frozenset(Outcome) - {Outcome.PURCHASE, Outcome.BOOKING}
CONTEXT_FIELDS = frozenset({"source_tab", "source_type"})
USER_FIELDS = frozenset({"city", "age"})
POOLS = frozenset({"royalty_free"})
COLUMNS = Columns(
    numbers=(
        NumberColumn("times_taken", Family.ACTIVITY, Branch.CONTEXT),
        NumberColumn("age", Family.STATIC, Branch.USER),
    ),
    codes=(CodeColumn("source_tab", Family.CONTEXT, Branch.CONTEXT, 2, "tab", needs_context=True),),
)
CATALOGUE: Mapping[str, float] = {f"t{n:02}": round(0.8 - 0.02 * n, 2) for n in range(25)}
"""t00 is the likeliest (0.80), t24 the least (0.32)."""


class ManualClock:
    """Epoch seconds that stand still until moved."""

    def __init__(self, now_s: float = 1_700_000_000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        """The moment set last."""
        return self.now_s


class Gate:
    """Holds the threads that come to it, so that a test knows where they are."""

    def __init__(self) -> None:
        self._entered = Event()
        self._opened = Event()

    def enter(self) -> None:
        """Called by the one that is held."""
        self._entered.set()
        if not self._opened.wait(PATIENCE_S):
            raise TimeoutError("the gate was never opened")

    def wait_until_entered(self) -> None:
        """Return once somebody stands at the gate."""
        if not self._entered.wait(PATIENCE_S):
            raise TimeoutError("nobody came to the gate")

    def open(self) -> None:
        """Let everybody through from now on."""
        self._opened.set()


class FakeEngine:
    """Scores by a fixed catalogue; what a user has taken, they come back to."""

    def __init__(
        self,
        domain: str = "music",
        model_version: str = "v1",
        catalogue: Mapping[str, float] = CATALOGUE,
        clock_s: float = 0.0,
        repeats: bool = False,
    ) -> None:
        """With `repeats` lists offer what was taken, too."""
        self._domain = domain
        self._model_version = model_version
        self._catalogue = dict(catalogue)
        self._clock_s = clock_s
        self._repeats = repeats
        self._watermark = 0
        self._taken: defaultdict[str, list[str]] = defaultdict(list)
        self._last_taken_s: dict[tuple[str, str], float] = {}
        self._disliked: defaultdict[str, set[str]] = defaultdict(set)
        self._moved = Condition()
        self.applied: list[FeedbackEvent] = []
        self.moments: list[float] = []
        """Every `now_s` that a call came with."""
        self.calls: list[str] = []
        """Names of the reading methods that were called, at their start."""
        self.finished: list[str] = []
        """The same, at their end."""
        self.asked: list[RecommendRequest] = []
        """Every request that was ranked or followed."""
        self.gate: Gate | None = None
        """Holds reading calls when set."""
        self.failure: Exception | None = None
        """Raised by reading calls when set."""

    @property
    def domain(self) -> str:
        """Name of the domain."""
        return self._domain

    @property
    def model_version(self) -> str:
        """Version that answers."""
        return self._model_version

    @property
    def watermark(self) -> int:
        """Sequence of the last row applied."""
        return self._watermark

    @property
    def clock_s(self) -> float:
        """Latest log time applied."""
        return self._clock_s

    @property
    def best_known_user(self) -> str:
        """Whoever took most."""
        return max(self._taken, key=lambda user: len(self._taken[user]), default="")

    def holding_clock(self) -> AbstractContextManager[None]:
        """Reads never move this clock."""
        return nullcontext()

    def check_feedback(self, event: FeedbackEvent) -> str | None:
        """Refuses purchases, bookings and unknown context fields."""
        if event.outcome not in OUTCOMES:
            return f"outcome: {self._domain} does not know {event.outcome}"
        unknown = sorted(event.context.keys() - CONTEXT_FIELDS)
        return f'context["{unknown[0]}"]: unknown field' if unknown else None

    def apply(self, event: FeedbackEvent) -> None:
        """Remember what was taken and disliked."""
        with self._moved:
            if event.sequence <= self._watermark:
                return
            if event.log_time_s < self._clock_s:
                raise ValueError(f"log time went back at row {event.sequence}")
            if event.outcome in (Outcome.PLAY, Outcome.REPLAY):
                self._taken[event.user_id].append(event.object_id)
                self._last_taken_s[event.user_id, event.object_id] = event.log_time_s
            elif event.outcome is Outcome.DISLIKE:
                self._disliked[event.user_id].add(event.object_id)
            elif event.outcome is Outcome.UNLIKE:
                self._disliked[event.user_id].discard(event.object_id)
            self.applied.append(event)
            self._watermark = event.sequence
            self._clock_s = event.log_time_s
            self._moved.notify_all()

    def wait_for_watermark(self, sequence: int) -> None:
        """Return once the state has come so far."""
        with self._moved:
            if not self._moved.wait_for(lambda: self._watermark >= sequence, PATIENCE_S):
                raise TimeoutError(f"row {sequence} was never applied")

    def score(self, request: ScoreRequest, now_s: float) -> ScoreAnswer:
        """The catalogue's probability, or TAKEN_BEFORE."""
        self._begin("score", request.user, request.context, now_s)
        taken = set(self._taken[request.user.id])
        probabilities = np.array(
            [
                TAKEN_BEFORE if i in taken else self._catalogue.get(i, NEW_OBJECT)
                for i in request.object_ids
            ]
        )
        self.finished.append("score")
        return ScoreAnswer(
            tuple(request.object_ids),
            probabilities,
            {"lightgbm": probabilities / 2, "felu": probabilities},
            tuple(i for i in request.object_ids if i not in self._catalogue),
            explanations_of(probabilities.tolist(), request.top_features),
        )

    def recommend(self, request: RecommendRequest, now_s: float) -> Slate:
        """The likeliest objects that are still allowed."""
        if request.pool and request.pool not in POOLS:
            raise InvalidRequestError([FieldViolation("pool", f"unknown pool {request.pool!r}")])
        self._begin("recommend", request.user, request.context, now_s)
        self.asked.append(request)
        offered = request.candidate_ids or tuple(self._catalogue)
        wanted = [i for i in offered if i not in set(request.exclude_ids)]
        taken_since_s = math.inf if self._repeats else -math.inf
        allowed = self._allowed(request.user.id, wanted, taken_since_s)
        kept = [i for i, fine in zip(wanted, allowed, strict=True) if fine]
        ranked = sorted(kept, key=lambda i: (-self._catalogue.get(i, NEW_OBJECT), i))
        self.finished.append("recommend")
        return Slate(
            tuple(
                RankedItem(i, self._catalogue.get(i, NEW_OBJECT), ("popular",), ("many like it",))
                for i in ranked[: request.size]
            ),
            () if request.user.id or not request.size else ("cold user: popular only",),
            {i: "taken" for i, fine in zip(wanted, allowed, strict=True) if not fine},
        )

    def features(self, request: ScoreRequest, now_s: float) -> FeatureBatch:
        """How often the user took the object, their age, whether the tab is known."""
        self._begin("features", request.user, request.context, now_s)
        age = float(request.user.attributes.get("age", "nan"))
        taken = self._taken[request.user.id]
        return FeatureBatch(
            COLUMNS,
            np.array([[taken.count(i), age] for i in request.object_ids], dtype=np.float32),
            np.array(
                [[int("source_tab" in request.context)] for _ in request.object_ids],
                dtype=np.int32,
            ),
        )

    def still_allowed(
        self, user_id: str, object_ids: Sequence[str], since_s: float
    ) -> NDArray[np.bool_]:
        """Neither taken since nor disliked."""
        self.calls.append("still_allowed")
        return self._allowed(user_id, object_ids, since_s)

    def why_not(self, request: RecommendRequest, object_ids: Sequence[str], now_s: float) -> WhyNot:
        """In the list, removed by the filter `taken`, or unknown to the catalogue."""
        slate = self.recommend(request, now_s)
        ranks = {item.object_id: rank for rank, item in enumerate(slate.items, 1)}
        return WhyNot(
            tuple(self._fate(i, ranks, slate) for i in object_ids),
            len(ranks),
            len(ranks),
            slate.fallbacks,
        )

    def _fate(self, object_id: str, ranks: Mapping[str, int], slate: Slate) -> Fate:
        score, rank = self._catalogue.get(object_id), ranks.get(object_id)
        popular = (SourcePlace("popular", rank, 200, rank is not None),)
        if rank is not None:
            listed = f"in the list at rank {rank}"
            return Fate(object_id, Stage.LISTED, listed, "", (), popular, score, rank, rank)
        if object_id in slate.removed:
            by = slate.removed[object_id]
            removed = f"the filter {by!r} removed it"
            return Fate(object_id, Stage.FILTERED, removed, by, (by,), popular, score, 1)
        return Fate(object_id, Stage.UNKNOWN, "the catalogue lacks it")

    def lengths_s(self, object_ids: Sequence[str]) -> NDArray[np.float64]:
        """Nothing is said of any."""
        return np.full(len(object_ids), np.nan)

    def _allowed(
        self, user_id: str, object_ids: Sequence[str], since_s: float
    ) -> NDArray[np.bool_]:
        with self._moved:
            taken = {i for i in self._taken[user_id] if self._last_taken_s[user_id, i] >= since_s}
            gone = self._disliked[user_id] | taken
        return np.array([i not in gone for i in object_ids], dtype=np.bool_)

    def _begin(self, name: str, user: UserRef, context: Mapping[str, str], now_s: float) -> None:
        violations = [
            FieldViolation(f'user.attributes["{name}"]', "unknown field: see the schema")
            for name in sorted(user.attributes.keys() - USER_FIELDS)
        ] + [
            FieldViolation(f'context["{name}"]', "unknown field: see the schema")
            for name in sorted(context.keys() - CONTEXT_FIELDS)
        ]
        age = user.attributes.get("age", "0")
        if not _is_finite(age):
            violations.append(FieldViolation('user.attributes["age"]', f"no number: {age!r}"))
        if violations:
            raise InvalidRequestError(violations)
        self.calls.append(name)
        self.moments.append(now_s)
        if self.gate is not None:
            self.gate.enter()
        if self.failure is not None:
            raise self.failure


def _is_finite(text: str | float) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


class FakeGenre:
    """Knows the sound of one track, and of every wav file."""

    KNOWN = "t00"

    def __init__(self) -> None:
        self.gate: Gate | None = None

    def warm_up(self) -> None:
        """Nothing to wait for."""

    def tagged(self, tag: str) -> tuple[str, ...]:
        """t01 rocks."""
        return ("t01",) if tag == "rock" else ()

    def by_track(
        self, track_id: str, k: int, same_genre: bool, pool_ids: frozenset[str] | None
    ) -> GenreAnswer:
        """Answers for t00 only."""
        if track_id != self.KNOWN:
            return GenreAnswer(GenreStatus.TRACK_WITHOUT_AUDIO, note="no sound of it")
        near = [("t01", 0.9, "rock"), ("t02", 0.5, "jazz")]
        kept = [
            n
            for n in near
            if (pool_ids is None or n[0] in pool_ids) and not (same_genre and n[2] != "rock")
        ]
        genres = (("rock", 0.75), ("jazz", 0.25))
        return GenreAnswer(
            GenreStatus.OK,
            genres,
            moods=(("happy", 0.5), ("sad", 0.1)),
            instruments=(("guitar", 0.9),),
            neighbours=tuple(kept[:k]),
            same_recording=("t-copy",),
            note="two clips",
        )

    def by_audio(
        self, audio: bytes, k: int, same_genre: bool, pool_ids: frozenset[str] | None
    ) -> GenreAnswer:
        """Hears t00 in every wav file."""
        if self.gate is not None:
            self.gate.enter()
        if not audio.startswith(b"RIFF"):
            raise InvalidRequestError([FieldViolation("audio", "not a sound file: send wav")])
        return self.by_track(self.KNOWN, k, same_genre, pool_ids)
