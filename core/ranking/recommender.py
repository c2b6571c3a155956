"""The whole pipeline as recommenders of lists, as they are judged beside the baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.ensemble import Profile
from core.lists.protocol import Mode
from core.log import EventLog
from core.ranking.futures import Futures
from core.ranking.task import FittedRank
from core.recommend.allowed import query_at
from core.recommend.candidate_features import candidate_batch
from core.recommend.contracts import Query, Reranker, Stages
from core.recommend.pipeline import Candidates
from core.recommend.shortlist import shortlist
from core.recommend.slate import rank
from core.requests import Novelty, RecommendRequest, UserRef
from core.retrieval.index import Retrieval
from core.state.columns import Columns, FeatureBatch
from core.state.state import State

NOVELTY = {
    Mode.ALL: Novelty.ANY,
    Mode.REPEAT: Novelty.KNOWN_ONLY,
    Mode.EXPLORE: Novelty.NEW_ONLY,
}

Told = Callable[[float], None]
"""Called with the fraction done."""


def fail(source: str, error: Exception) -> None:
    """What a judge does with a source that fails: it does not go on without."""
    raise RuntimeError(f"source {source} failed: {error}") from error


@dataclass(frozen=True)
class ScoredList:
    """One user's candidates with what the members make of them."""

    query: Query
    candidates: Candidates
    probabilities: Mapping[Profile, NDArray[np.float64]]
    """(candidates,) by profile."""


@dataclass(frozen=True)
class Pipeline:
    """What would have served at a cut, fitted on what precedes it alone."""

    stages: Stages
    history: EventLog
    """The log as it stood at the cut."""
    cut_s: float
    state: State
    """At the cut."""
    columns: Columns
    """Of the state's features."""
    retrieval: Retrieval
    rank: FittedRank

    def scored(
        self, users: NDArray[np.int64], mode: Mode, progress: Told | None = None
    ) -> list[ScoredList]:
        """Each user's candidates (users are indices of the log), before any reranker."""
        lists = []
        for query, candidates, batch in self.unscored(users, mode):
            ensemble = self.rank.task.ensemble_of(query.request)
            probabilities = {
                profile: ensemble.predict(batch, profile).probabilities
                for profile in ensemble.stacks
            }
            # A copy: what the sources have read of this user fills memory, list by list.
            lists.append(ScoredList(replace(query), candidates, probabilities))
            if progress is not None:
                progress(len(lists) / len(users))
        return lists

    def unscored(
        self, users: NDArray[np.int64], mode: Mode
    ) -> Iterator[tuple[Query, Candidates, FeatureBatch]]:
        """Each user's candidates with what the members see of them."""
        for user in users.tolist():
            query = self.query(user, mode)
            quotas = self.rank.task.quotas_of(query.request)
            candidates = shortlist(query, self.stages, fail, quotas)
            yield (
                query,
                candidates,
                candidate_batch(query, self.stages.sources, self.columns, candidates.objects, fail),
            )

    def proposals(
        self, users: NDArray[np.int64], depth: int, mode: Mode
    ) -> dict[str, list[NDArray[np.int32]]]:
        """Source -> for each user what it proposes: object indices of the log, best first."""
        found: dict[str, list[NDArray[np.int32]]] = {s.name: [] for s in self.stages.sources}
        for user in users.tolist():
            query = self.query(user, mode)
            for source in self.stages.sources:
                found[source.name].append(self.of_log[source.propose(query, depth).objects])
        return {name: lists for name, lists in found.items() if any(map(len, lists))}

    @cached_property
    def of_log(self) -> NDArray[np.int32]:
        """(objects of the state,) their indices in the log, -1 for others."""
        of_log = np.full(self.state.objects.end, -1, np.int32)
        for index, object_id in enumerate(self.history.objects.ids):
            of_log[self.state.objects.get(object_id)] = index
        return of_log

    @cached_property
    def _futures(self) -> Futures:
        return Futures.of(self.history)

    def query(self, user: int, mode: Mode) -> Query:
        """What a user (an index of the log) asks at the cut."""
        counts_sessions = self._futures.counts_sessions
        row = len(self.history)
        return query_at(
            self.state,
            self.retrieval,
            RecommendRequest(UserRef(self.history.users.ids[user]), novelty=NOVELTY[mode]),
            now_s=self.cut_s,
            user_now_s=self._futures.now_s(user, row) if counts_sessions else self.cut_s,
        )


@dataclass
class ScoredLists:
    """The scored lists of a pipeline by mode, made once for all that rank them anew."""

    pipeline: Pipeline
    progress: Callable[[str, float], None] | None = None
    _by_mode: dict[Mode, list[ScoredList]] = field(default_factory=dict)

    def of(self, users: NDArray[np.int64], mode: Mode) -> list[ScoredList]:
        """Those of a mode, always of the same users."""
        if mode not in self._by_mode:
            report = self.progress
            told: Told | None = None
            if report is not None:
                told = lambda done: report(f"rank lists, {mode}", done)  # noqa: E731
            self._by_mode[mode] = self.pipeline.scored(users, mode, told)
        return self._by_mode[mode]


@dataclass(frozen=True)
class PipelineLists:
    """One way to make lists of what a pipeline has scored; implements `ListRecommender`."""

    name: str
    scored: ScoredLists
    rerankers: tuple[Reranker, ...] = ()
    wishes: Mapping[str, float | int] = field(default_factory=dict)
    """Fields of the request that the rerankers heed."""
    profile: Profile = Profile.FULL

    def recommend(self, users: NDArray[np.int64], k: int, mode: Mode) -> NDArray[np.int32]:
        """(n_users, k) object indices of the log, best first, -1 where a list ends."""
        pipeline = self.scored.pipeline
        lists = np.full((len(users), k), -1, np.int32)
        names = pipeline.state.objects
        for row, made in enumerate(self.scored.of(users, mode)):
            request = replace(made.query.request, size=k, **self.wishes)  # type: ignore[arg-type]
            query = replace(made.query, request=request)
            slate = rank(query, self.rerankers, made.candidates, made.probabilities[self.profile])
            found = [names.get(item.object_id) for item in slate.items]
            lists[row, : len(found)] = pipeline.of_log[found]
        return lists
