"""Candidate lists of the past: what the pipeline would have ranked then, and what was taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.examples import ExampleTable
from core.log import EventLog
from core.models.base import drawn
from core.ranking.futures import Futures
from core.ranking.quotas import FoundPlaces, places_of
from core.ranking.settings import ListSettings
from core.recommend.allowed import query_at
from core.recommend.candidate_features import Report, candidate_batch, rank_columns
from core.recommend.contracts import Stages
from core.recommend.shortlist import shortlist
from core.requests import Novelty, RecommendRequest, UserRef
from core.retrieval.index import Retrieval, fit_retrieval
from core.state.columns import Columns, FeatureBatch
from core.state.state import State


@dataclass(frozen=True)
class ListTable:
    """Candidate examples of many lists.

    Attributes:
        examples: what was taken and a share of the rest, list after list.
        n_lists: how many lists they are of.
        negative_share: which share of the candidates not taken was kept, at random: a model of
            these examples is too sure by the logarithm of it.
        new_only: (n,) of examples: whether their list holds only what the user never had.
        found: where the sources had what was taken, in lists of all and in those of new objects.
    """

    examples: ExampleTable
    n_lists: int
    negative_share: float
    new_only: NDArray[np.bool_]
    found: Mapping[Novelty, FoundPlaces]


class ListCollector:
    """An observer of a replay that makes lists at past moments, as a server would have then.

    The label of a candidate is whether the user took it within the horizon, on their own clock,
    which has passed when the log ends.
    """

    def __init__(
        self,
        log: EventLog,
        stages: Stages,
        settings: ListSettings,
        *,
        horizon_s: float,
        seed: int,
        report: Report,
    ) -> None:
        self._log = log
        self._stages = stages
        self._settings = settings
        self._seed = seed
        self._report = report
        self._futures = Futures.of(log)
        self._horizon_s = horizon_s
        self._sources = tuple(source.name for source in stages.sources)
        self._of_log: NDArray[np.int32] | None = None
        self._state_columns: Columns | None = None
        self._retrieval: Retrieval | None = None
        self._planned: dict[int, set[int]] = {}
        self._moments: frozenset[int] = frozenset()
        self._heard: set[str] = set()
        self._parts: list[_Part] = []
        self._places: dict[Novelty, list[NDArray[np.int32]]] = {
            Novelty.ANY: [],
            Novelty.NEW_ONLY: [],
        }

    def rows(self, log: EventLog, base: int) -> NDArray[np.intp]:
        """Moments at equal distances from the base period's end to the last whose lists mature."""
        last_s = log.time_s[-1] - (0.0 if self._futures.counts_sessions else self._horizon_s)
        last = int(np.searchsorted(log.time_s, last_s, side="right")) - 1
        if last <= base:
            return np.zeros(0, np.intp)
        rows = np.linspace(base, last, self._settings.moments + 1)[1:].astype(np.intp)
        return self.plan(np.unique(np.searchsorted(log.tie_group, log.tie_group[rows])))

    def plan(self, moments: NDArray[np.intp]) -> NDArray[np.intp]:
        """Draw the users of moments, rising; the rows at which to look at the state.

        Where clocks count sessions, a moment's lists are made as their users' next session begins.
        """
        chosen = {row: self._chosen(row) for row in moments.tolist()}
        self._moments = frozenset(row for row, users in chosen.items() if len(users))
        self._planned = {row: set() for row in self._moments}
        for row, users in chosen.items():
            for user, begin in zip(users.tolist(), self._begins(users, row), strict=True):
                self._planned.setdefault(begin, set()).add(user)
        return np.array(sorted(self._planned), np.intp)

    def look(self, state: State, row: int) -> None:
        """Make the lists of a planned row; what sources look up is fitted anew at a moment."""
        if self._of_log is None:
            ids = self._log.objects.ids
            self._of_log = np.array([state.objects.get(i) for i in ids], np.int32)
            self._state_columns = state.columns
        if row in self._moments:
            self._retrieval = fit_retrieval(state, self._seed)
        assert self._retrieval is not None
        for user in sorted(self._planned[row]):
            self._make(state, self._retrieval, user, row)

    def _chosen(self, row: int) -> NDArray[np.int64]:
        """Users whose list of this moment matures within the log, at most a moment's share."""
        users = self._futures.active(row)
        now_s = np.array([self._futures.now_s(user, row) for user in users.tolist()])
        users = users[now_s + self._horizon_s <= self._futures.end_s[users]]
        share = self._settings.lists // self._settings.moments
        if len(users) > share:
            generator = drawn(self._seed, "lists", row)
            users = np.sort(generator.choice(users, share, replace=False))
        return users

    def _begins(self, users: NDArray[np.int64], row: int) -> list[int]:
        """The rows at which the lists of a moment's users are made."""
        if not self._futures.counts_sessions:
            return [row] * len(users)
        return [self._futures.next_session(user, row) for user in users.tolist()]

    def _make(self, state: State, retrieval: Retrieval, user: int, row: int) -> None:
        assert self._of_log is not None
        assert self._state_columns is not None
        generator = drawn(self._seed, "list", row, user)
        stranger = bool(generator.random() < self._settings.stranger_share)
        # To a stranger all is new, and what they had before is as good as any.
        explores = not stranger and bool(generator.random() < self._settings.explore_share)
        who = UserRef(self._log.users.ids[user])
        if stranger:
            described = bool(generator.random() < self._settings.described_share)
            who = UserRef("", self._attributes(user) if described else {})
        user_now_s = self._futures.now_s(user, row)
        query = query_at(
            state,
            retrieval,
            RecommendRequest(who, novelty=Novelty.NEW_ONLY if explores else Novelty.ANY),
            now_s=float(self._log.time_s[row]),
            user_now_s=user_now_s,
        )
        taken_rows = self._futures.taken(user, row, user_now_s + self._horizon_s)
        taken = np.sort(self._of_log[taken_rows])
        if explores:
            taken = taken[~state.met(query.user, taken)]
        candidates = shortlist(query, self._stages, self._report)
        self._places[query.request.novelty].append(
            places_of(candidates.proposed, self._sources, taken)
        )
        self._heard |= {name for name, objects in candidates.proposed.items() if len(objects)}
        labels = np.isin(candidates.objects, taken)
        lucky = generator.random(len(labels)) < self._settings.negative_share
        kept = labels | lucky
        objects = candidates.objects[kept]
        batch = candidate_batch(
            query,
            self._stages.sources,
            self._state_columns,
            objects,
            self._report,
            who.attributes,
        )
        self._parts.append(_Part(batch, labels[kept].astype(np.int8), user, row, explores, objects))

    def _attributes(self, user: int) -> dict[str, str | float]:
        """What the log's table knows of a user."""
        known: dict[str, str | float] = {}
        for name, values in self._log.users.columns.items():
            value = values[user]
            if isinstance(value, str):
                if value:
                    known[name] = value
            elif not np.isnan(value):
                known[name] = float(value)
        return known

    def table(self) -> ListTable | None:
        """All lists; None where no list of the past has matured."""
        if not self._parts or self._state_columns is None:
            return None
        sizes = [len(part.labels) for part in self._parts]
        columns = rank_columns(self._state_columns, self._stages.sources)
        features = FeatureBatch(
            columns,
            np.concatenate([part.batch.numbers for part in self._parts]),
            np.concatenate([part.batch.codes for part in self._parts]),
        )
        rows = np.repeat([part.row for part in self._parts], sizes)
        users = np.repeat([part.user for part in self._parts], sizes)
        time_s = self._log.time_s[rows]
        span_s = float(self._log.time_s[-1] - self._log.time_s[0])
        begin_s = float(self._log.time_s[0])
        examples = ExampleTable(
            features=features,
            labels=np.concatenate([part.labels for part in self._parts]),
            position=np.minimum((time_s - begin_s) / span_s, np.nextafter(1.0, 0.0)),
            # Only lists that have matured are made; those of session clocks are split by user.
            matures_position=np.minimum((time_s + self._horizon_s - begin_s) / span_s, 1.0),
            row=rows,
            user=users.astype(np.int32),
            object=np.concatenate([part.objects for part in self._parts]),
            inner_by_user=self._log.label_rule.inner_by_user,
            lists=np.repeat(np.arange(len(sizes)), sizes),
        )
        return ListTable(
            examples,
            len(sizes),
            self._settings.negative_share,
            np.repeat([part.new_only for part in self._parts], sizes),
            {
                novelty: FoundPlaces(
                    self._sources,
                    np.concatenate([*places, np.zeros((0, len(self._sources)), np.int32)]),
                    frozenset(self._heard),
                )
                for novelty, places in self._places.items()
            },
        )


@dataclass(frozen=True)
class _Part:
    """The kept candidates of one list."""

    batch: FeatureBatch
    labels: NDArray[np.int8]
    user: int
    row: int
    new_only: bool
    objects: NDArray[np.int32]
