"""The engine: one bundle with its live state; what the server calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from core.bundle import Manifest, open_bundle
from core.domain import Domain, StoredGenre
from core.ensemble import Ensemble, EnsemblePrediction, Profile
from core.errors import CapabilityMissingError, InvalidRequestError
from core.explain import explain
from core.fates import WhyNot
from core.models import TRAINERS
from core.ranking.task import RankTask
from core.recommend.allowed import allowed_objects
from core.recommend.candidate_features import candidate_batch, rank_columns
from core.recommend.contracts import Query, Stages
from core.recommend.pipeline import Candidates
from core.recommend.shortlist import shortlist
from core.recommend.slate import rank
from core.recommend.stories import Stories
from core.recommend.trace import Trace
from core.request_checks import RequestChecks
from core.requests import (
    FeedbackEvent,
    RecommendRequest,
    ScoreAnswer,
    ScoreRequest,
    Slate,
)
from core.retrieval.index import Retrieval
from core.state.arrays import DISTINCT
from core.state.columns import FeatureBatch
from core.state.events import Event
from core.state.state import NOBODY, State

STATE, RETRIEVAL, GENRE = "state", "retrieval", "genre"
SCORE, RANK = "tasks/score", "tasks/rank"
"""Directories of a bundle."""


@dataclass(frozen=True)
class LoadedBundle:
    """The parts of a bundle in memory."""

    manifest: Manifest
    state: State
    ensemble: Ensemble
    """Of the score task."""
    rank: RankTask | None
    """None where the log was too short for lists of the past."""
    retrieval: Retrieval
    genre: StoredGenre | None


def load_bundle(directory: Path, domain: Domain) -> LoadedBundle:
    """Check and load a bundle; BundleError names what does not fit."""
    manifest = open_bundle(directory, domain=domain.name, schema=domain.schema)
    has_genre = domain.genre is not None and (directory / GENRE).is_dir()
    _compile_write_side(domain)
    columns = manifest.columns(domain.schema)
    for_rank = rank_columns(columns, domain.stages.sources)
    has_rank = (directory / RANK).is_dir()
    return LoadedBundle(
        manifest=manifest,
        state=State.load(manifest.schema_of(domain.schema), directory / STATE),
        ensemble=Ensemble.load(directory / SCORE, columns, TRAINERS),
        rank=RankTask.load(directory / RANK, for_rank, TRAINERS) if has_rank else None,
        retrieval=Retrieval.load(directory / RETRIEVAL),
        genre=domain.genre.load(directory / GENRE) if domain.genre and has_genre else None,
    )


def _compile_write_side(domain: Domain) -> None:
    """Write to a state that is thrown away.

    Kernels compile at their first call, for seconds: reading is warmed up by reading, but the
    first event to write comes from a caller, who must not wait for it.
    """
    state = State(domain.schema, domain.label_rule.horizon_s, domain.tie_rule)
    for outcome in sorted(domain.outcomes):
        state.update(Event("warm-up", "warm-up", outcome, 0.0))


@dataclass(frozen=True)
class _ListAsked:
    """A Recommend whose fields were checked, with all that is decided before the state is read."""

    request: RecommendRequest
    profile: Profile
    attributes: Mapping[str, str | float]
    stages: Stages
    stories: Stories | None
    """None when it is not for a story."""
    quotas: Mapping[str, int] | None
    """How many proposals of each source are ranked; None for the stages' limit."""


class DomainEngine:
    """Implements `core.requests.Engine` over a loaded bundle.

    One lock guards the state. The members, which take most of a call, run outside it; sources that
    look at the whole catalogue run inside, so Recommend on a very large one delays other calls.
    """

    def __init__(
        self,
        domain: Domain,
        bundle: LoadedBundle,
        report: Callable[[str, Exception], None] | None = None,
    ) -> None:
        self._domain = domain
        self._bundle = bundle
        self._state = bundle.state
        self._columns = bundle.manifest.columns(domain.schema)
        self._watermark = bundle.manifest.watermark
        self._offset_s = bundle.manifest.clock_offset_s
        self._report = report or (lambda *_: None)
        self._checks = RequestChecks(
            domain.name, domain.schema, frozenset(bundle.ensemble.stacks), self._on_log_clock
        )
        self._lock = RLock()
        self._holders = 0
        self._ceiling_s = math.inf
        """Reads advance the state no further than this; infinite while nobody holds the clock."""
        self._stories: Stories | None = None
        if domain.stories is not None:
            by_sound = bundle.genre.tagged if bundle.genre else None
            self._stories = Stories(domain.stories, domain.stages, bundle.state, by_sound)

    @property
    def domain(self) -> str:
        """Name of the domain."""
        return self._domain.name

    @property
    def model_version(self) -> str:
        """Version of the bundle that answers."""
        return self._bundle.manifest.version

    @property
    def watermark(self) -> int:
        """Sequence of the last feedback row in the state."""
        return self._watermark

    @property
    def clock_s(self) -> float:
        """The latest moment the state has seen, on the server's clock; the epoch before any."""
        return max(self._state.clock_s + self._offset_s, 0.0)

    @property
    def best_known_user(self) -> str:
        """Id of the user who has met most objects, empty before anybody has met any."""
        with self._lock:
            users = self._state.users
            met = self._state.arrays.users.counts[: users.end, DISTINCT]
            best = int(np.argmax(met))
            return users.string(best) if met[best] > 0.0 else ""

    @contextmanager
    def holding_clock(self) -> Iterator[None]:
        """Inside, reads let no further label mature; events still do as they are applied."""
        with self._lock:
            self._holders += 1
            self._ceiling_s = min(self._ceiling_s, self._state.clock_s)
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if not self._holders:
                    self._ceiling_s = math.inf

    def check_feedback(self, event: FeedbackEvent) -> str | None:
        """Why this event can never be applied, or None."""
        if event.outcome not in self._domain.outcomes:
            allowed = ", ".join(sorted(self._domain.outcomes))
            return f"outcome {event.outcome.value!r} means nothing in {self.domain}: use {allowed}"
        violations = self._checks.of_context(event.context)
        return "; ".join(f"{v.field}: {v.description}" for v in violations) or None

    def apply(self, event: FeedbackEvent) -> None:
        """Put one feedback row into the live state; rows at or below the watermark are ignored."""
        with self._lock:
            if event.sequence <= self._watermark:
                return
            self._state.update(
                Event(
                    event.user_id,
                    event.object_id,
                    event.outcome,
                    self._on_log_clock(event.log_time_s),
                    event.context,
                )
            )
            self._watermark = event.sequence

    def score(self, request: ScoreRequest, now_s: float) -> ScoreAnswer:
        """Score; InvalidRequestError names a field the schema does not have."""
        profile = self._checks.profile(request.profile)
        with self._lock:
            batch = self.features(request, now_s)
            unknown = (i for i in request.object_ids if i not in self._state.objects)
            missing = tuple(dict.fromkeys(unknown))
        prediction = self._predict(self._bundle.ensemble, batch, profile)
        return ScoreAnswer(
            object_ids=tuple(request.object_ids),
            probabilities=prediction.probabilities,
            member_probabilities={
                name: expit(logits) for name, logits in prediction.member_logits.items()
            },
            missing_ids=missing,
            explanations=()
            if request.top_features is None
            else explain(self._bundle.ensemble, profile, batch, prediction, request.top_features),
        )

    def features(self, request: ScoreRequest, now_s: float) -> FeatureBatch:
        """The features a Score of the same request would use."""
        attributes = self._checks.attributes(request.user, request.context)
        with self._lock:
            user = self._state.users.get(request.user.id)
            known = [self._state.objects.get(i) for i in request.object_ids]
            return self._read(user, np.array(known, np.int32), request.context, now_s, attributes)

    def recommend(self, request: RecommendRequest, now_s: float) -> Slate:
        """Sources, filters, scores, rerankers; InvalidRequestError names the field.

        For size 0 the fields are checked and nothing is ranked.
        """
        asked = self._asked(request)
        if request.size == 0:
            return Slate((), (), {})
        with self._lock:
            query, candidates = self._shortlisted(asked, now_s)
            batch = self._ranking_batch(query, candidates.objects, now_s, asked.attributes)
        probabilities = self._predict(
            self._ranker(asked.request), batch, asked.profile
        ).probabilities
        with self._lock:
            return rank(query, asked.stages.rerankers, candidates, probabilities)

    def why_not(self, request: RecommendRequest, object_ids: Sequence[str], now_s: float) -> WhyNot:
        """Where each of these objects leaves the list that `recommend` would answer, and why."""
        asked = self._asked(request)
        stages = asked.stages
        with self._lock:
            query, candidates = self._shortlisted(asked, now_s)
            trace = Trace.of(query, stages, candidates, object_ids)
            objects = np.concatenate([trace.scored, trace.others])
            batch = self._ranking_batch(query, objects, now_s, asked.attributes)
        probabilities = self._predict(
            self._ranker(asked.request), batch, asked.profile
        ).probabilities
        with self._lock:
            slate = rank(query, stages.rerankers, candidates, probabilities[: len(trace.scored)])
            return trace.told(slate, probabilities)

    def _asked(self, request: RecommendRequest) -> _ListAsked:
        profile = self._checks.profile(request.profile)
        unknown = [*self._checks.of_pool(request.pool), *self._checks.of_facets(request)]
        attributes = self._checks.attributes(request.user, request.context, unknown)
        stages, stories, rank_task = self._domain.stages, None, self._bundle.rank
        if request.story is not None:
            stories = self._stories_or_refuse()
            request, stages = stories.with_pool(request), stories.stages
        quotas = None if rank_task is None else rank_task.quotas_of(request)
        return _ListAsked(request, profile, attributes, stages, stories, quotas)

    def _shortlisted(self, asked: _ListAsked, now_s: float) -> tuple[Query, Candidates]:
        """What is to be scored, as of now; the lock is held."""
        self._state.advance(min(self._on_log_clock(now_s), self._ceiling_s))
        query = self._query(asked, now_s)
        candidates = shortlist(query, asked.stages, self._report, asked.quotas)
        if asked.stories is not None:
            candidates.fallbacks += asked.stories.fallbacks(query, candidates)
        if self._bundle.rank is None:
            candidates.fallbacks.append("no rank task in this bundle: ranked as Score does")
        return query, candidates

    def _stories_or_refuse(self) -> Stories:
        if self._stories is None:
            raise CapabilityMissingError(
                f"domain {self.domain!r} picks no soundtracks: its objects have no sound"
            )
        return self._stories

    def still_allowed(
        self, user_id: str, object_ids: Sequence[str], since_s: float
    ) -> NDArray[np.bool_]:
        """Which of a queue's items (n,) the user has not met since it was ranked, nor dislikes."""
        with self._lock:
            user = self._state.users.get(user_id)
            objects = np.array([self._state.objects.get(i) for i in object_ids], np.int32)
            # A moment is kept as the whole second that it lies in: rather drop an item that was
            # met just before the ranking than offer one again that was met just after.
            met_before = self._state.last_met_s(user, objects) <= self._on_log_clock(since_s) - 1.0
            return np.asarray(met_before & (self._state.opinions(user, objects) >= 0))

    def lengths_s(self, object_ids: Sequence[str]) -> NDArray[np.float64]:
        """How long each object sounds (n,), in seconds; NaN where the catalogue does not say."""
        if self._stories is None:
            return np.full(len(object_ids), np.nan)
        with self._lock:
            objects = np.array([self._state.objects.get(i) for i in object_ids], np.int32)
            return self._stories.lengths_s(objects)

    def pool_ids(self, pool: str) -> frozenset[str]:
        """The members of a pool; InvalidRequestError when the schema has no such pool."""
        violations = self._checks.of_pool(pool)
        if violations:
            raise InvalidRequestError(violations)
        with self._lock:
            place = self._domain.schema.pools.index(pool)
            members = np.flatnonzero(self._state.arrays.objects.pools[:, place])
            return frozenset(self._state.objects.string(int(i)) for i in members if i != NOBODY)

    def _predict(
        self, ensemble: Ensemble, batch: FeatureBatch, profile: Profile
    ) -> EnsemblePrediction:
        """Score outside the lock; what a member could not score is reported, not hidden."""
        prediction = ensemble.predict(batch, profile)
        for member, rows in prediction.non_finite.items():
            self._report(member, ArithmeticError(f"{rows} of {len(batch)} logits are not finite"))
        return prediction

    def _ranker(self, request: RecommendRequest) -> Ensemble:
        """What ranks candidates: the rank task, or Score's ensemble in bundles without one."""
        rank_task = self._bundle.rank
        return self._bundle.ensemble if rank_task is None else rank_task.ensemble_of(request)

    def _ranking_batch(
        self,
        query: Query,
        objects: NDArray[np.int32],
        now_s: float,
        attributes: Mapping[str, str | float],
    ) -> FeatureBatch:
        """What the ranker sees of candidates (n,)."""
        if self._bundle.rank is None:
            return self._read(query.user, objects, query.request.context, now_s, attributes)
        sources = self._domain.stages.sources
        return candidate_batch(query, sources, self._columns, objects, self._report, attributes)

    def _read(
        self,
        user: int,
        objects: NDArray[np.int32],
        context: Mapping[str, str],
        now_s: float,
        attributes: Mapping[str, str | float],
    ) -> FeatureBatch:
        time_s = self._on_log_clock(now_s)
        self._state.advance(min(time_s, self._ceiling_s))
        return self._state.features(user, objects, context, time_s, self._columns, attributes)

    def _on_log_clock(self, epoch_s: float) -> float:
        """A moment of the server's clock as the state counts time.

        Exact both ways: the offset is whole, and logs keep their times near those of epochs.
        """
        return epoch_s - self._offset_s

    def _query(self, asked: _ListAsked, now_s: float) -> Query:
        request, stories, time_s = asked.request, asked.stories, self._on_log_clock(now_s)
        user = self._state.users.get(request.user.id)
        return Query(
            request=request,
            state=self._state,
            retrieval=self._bundle.retrieval,
            user=user,
            now_s=time_s,
            user_now_s=time_s,
            pool=allowed_objects(self._state, request, user, facets=True),
            preference=None if stories is None else stories.preference(request, user),
        )
