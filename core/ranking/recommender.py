"""The whole pipeline as a recommender of lists, as it is judged beside the baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.lists.protocol import Mode
from core.log import EventLog
from core.ranking.futures import Futures
from core.ranking.task import RankTask
from core.recommend.allowed import query_at
from core.recommend.candidate_features import candidate_batch
from core.recommend.contracts import Query, Reranker, Stages
from core.recommend.pipeline import Candidates
from core.recommend.shortlist import shortlist
from core.recommend.slate import rank
from core.requests import Novelty, RecommendRequest, UserRef
from core.retrieval.index import Retrieval
from core.state.columns import Columns
from core.state.state import State

NOVELTY = {
    Mode.ALL: Novelty.ANY,
    Mode.REPEAT: Novelty.KNOWN_ONLY,
    Mode.EXPLORE: Novelty.NEW_ONLY,
}


@dataclass(frozen=True)
class Pipeline:
    """What would have served at a task's cut; implements `ListRecommender`."""

    stages: Stages
    history: EventLog
    """The log as it stood then."""
    state: State
    """At its end, with the labels of the moment."""
    retrieval: Retrieval
    task: RankTask
    columns: Columns
    """Of the state's features."""
    cut_s: float
    rerankers: tuple[Reranker, ...] = ()
    name: str = "encore"
    report: Callable[[str, Exception], None] | None = None
    progress: Callable[[float], None] | None = None

    def recommend(self, users: NDArray[np.int64], k: int, mode: Mode) -> NDArray[np.int32]:
        """(n_users, k) object indices of the log, best first, -1 where a list ends."""
        futures = Futures.of(self.history)
        of_log = {object_id: i for i, object_id in enumerate(self.history.objects.ids)}
        lists = np.full((len(users), k), -1, np.int32)
        for i, user in enumerate(users.tolist()):
            query = self.query(futures, user, k, mode)
            candidates = self.candidates(query)
            batch = candidate_batch(
                query, self.stages.sources, self.columns, candidates.objects, self._fail
            )
            probabilities = self.task.ensemble.predict(batch).probabilities
            slate = rank(query, self.rerankers, candidates, probabilities)
            found = [of_log[item.object_id] for item in slate.items]
            lists[i, : len(found)] = found
            if self.progress is not None:
                self.progress((i + 1) / len(users))
        return lists

    def query(self, futures: Futures, user: int, k: int, mode: Mode) -> Query:
        """The request for a user's list at the cut."""
        request = RecommendRequest(
            UserRef(self.history.users.ids[user]), size=k, novelty=NOVELTY[mode]
        )
        row = len(self.history)
        user_now_s = futures.now_s(user, row) if futures.counts_sessions else self.cut_s
        return query_at(
            self.state, self.retrieval, request, now_s=self.cut_s, user_now_s=user_now_s
        )

    def candidates(self, query: Query) -> Candidates:
        """What is ranked for a request."""
        quotas = self.task.quotas_of(query.request)
        return shortlist(query, self.stages, self._fail, quotas)

    @staticmethod
    def _fail(source: str, error: Exception) -> None:
        raise RuntimeError(f"source {source} failed: {error}") from error
