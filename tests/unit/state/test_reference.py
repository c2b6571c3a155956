"""Every counted feature equals a slow reference that recounts the whole past for each row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from core.log import EventLog, TieRule
from core.schema import Branch
from core.state.columns import Family
from core.state.replay import Replay
from core.testing_logs import (
    SMALL_SCHEMA,
    LogTables,
    context_of,
    new_state,
    random_tables,
)

Row = dict[str, float]

INTERACTIONS = {"play", "replay", "purchase", "booking"}
FACETS = ("artist", "genres")
CONTEXTS = ("surface", "device")
HALF_LIVES = {"1h": 3600.0, "24h": 86400.0}
LEARNED = {Family.LATENT, Family.ONLINE}
"""Families that are no counts: `test_latent` and `test_learning` have references of their own."""


@dataclass(frozen=True)
class Past:
    """One event of the past."""

    user: str
    object: str
    outcome: str
    time: float
    user_time: float
    group: int
    context: dict[str, str]
    is_first: bool
    """The first interaction of its pair."""
    label: int
    matures_at: float

    @property
    def taken(self) -> bool:
        return self.outcome in INTERACTIONS


class Reference:
    """DESIGN.md section 5 by the letter: loops over the past, nothing kept between two rows."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        taken = np.isin(log.outcome.astype(str), list(INTERACTIONS))
        pairs = list(zip(log.user_index.tolist(), log.object_index.tolist(), strict=True))
        first = {pair: i for i, pair in reversed(list(enumerate(pairs))) if taken[i]}
        self.events = [
            Past(
                log.users.ids[log.user_index[i]],
                log.objects.ids[log.object_index[i]],
                str(log.outcome[i]),
                log.time_s[i],
                log.user_time_s[i],
                int(log.tie_group[i]),
                context_of(log, i),
                first.get(pairs[i]) == i,
                int(log.labels[i]),
                log.matures_at_s[i],
            )
            for i in range(len(log))
        ]
        self.users = {id_: i for i, id_ in enumerate(log.users.ids)}
        self.objects = {id_: i for i, id_ in enumerate(log.objects.ids)}

    def values(self, obj: str, facet: str) -> list[str]:
        """The distinct values of one object field, the first ones kept."""
        text = str(self.log.objects.columns[facet][self.objects[obj]])
        kept = SMALL_SCHEMA.field(Branch.OBJECT, facet).max_values
        return [v for v in list(dict.fromkeys(text.split("|")))[:kept] if v]

    def label(self, event: Past) -> int:
        """The given label, or whether the pair met again in another moment in time."""
        if event.label != -1:
            return event.label
        return int(
            any(
                other.taken
                and (other.user, other.object) == (event.user, event.object)
                and other.group > event.group
                and other.time <= event.matures_at
                for other in self.events
            )
        )

    def opinions(self, past: Iterable[Past]) -> dict[tuple[str, str], int]:
        said = {"like": 1, "dislike": -1, "unlike": 0}
        return {(e.user, e.object): said[e.outcome] for e in past if e.outcome in said}

    def row(self, i: int) -> Row:
        """The features of row i by name, without the families in `LEARNED`."""
        now = self.events[i]
        before = [e for e in self.events if e.group < now.group]
        past = [e for e in before if e.taken]
        matured = [(e, self.label(e)) for e in past if e.is_first and e.matures_at < now.time]
        out: Row = {}
        self.static(now, out)
        self.activity(now, before, past, out)
        self.affinity(now, past, out)
        self.outcome(now, before, matured, out)
        self.sequence(now, before, past, out)
        for facet in FACETS:
            out[f"{facet}_objects"] = _mean(
                math.log1p(len({e.object for e in past if v in self.values(e.object, facet)}))
                for v in self.values(now.object, facet)
            )
        out["in_free"] = float(now.object in self.log.pools["free"])
        return out

    def static(self, now: Past, out: Row) -> None:
        for prefix, table, index, names in (
            ("user", self.log.users, self.users[now.user], ("age", "joined_at")),
            ("object", self.log.objects, self.objects[now.object], ("length", "released_at")),
        ):
            for name in names:
                value = float(table.columns[name][index])
                out[f"{prefix}_{name}_missing"] = float(math.isnan(value))
                if name.endswith("_at"):
                    age = math.nan if math.isnan(value) else max(now.time - value, 0.0)
                    out[f"{prefix}_{name}_age"] = math.log1p(age)
                else:
                    out[f"{prefix}_{name}"] = value

    def activity(self, now: Past, before: list[Past], past: list[Past], out: Row) -> None:
        opinions = self.opinions(before).items()
        longest = max(HALF_LIVES.values())
        of_user = [e for e in past if e.user == now.user]
        of_object = [e for e in past if e.object == now.object]
        skips = [e for e in before if e.outcome == "skip"]
        out["user_count"] = math.log1p(len(of_user))
        out["object_count"] = math.log1p(len(of_object))
        for name, half_life in HALF_LIVES.items():
            faded = _faded((e.user_time for e in of_user), now.user_time, half_life)
            out[f"user_decayed_{name}"] = math.log1p(faded)
            faded = _faded((e.time for e in of_object), now.time, half_life)
            out[f"object_decayed_{name}"] = math.log1p(faded)
        out["user_since_last"] = _since((e.user_time for e in of_user), now.user_time)
        out["object_since_last"] = _since((e.time for e in of_object), now.time)
        out["user_distinct_objects"] = math.log1p(len({e.object for e in of_user}))
        out["object_distinct_users"] = math.log1p(len({e.user for e in of_object}))
        for name, opinion in (("likes", 1), ("dislikes", -1)):
            held = [pair for pair, said in opinions if said == opinion]
            out[f"user_{name}"] = math.log1p(sum(u == now.user for u, _ in held))
            out[f"object_{name}"] = math.log1p(sum(o == now.object for _, o in held))
        out["user_repeat_share"] = user_repeats = _repeat_share(of_user, 0.0)
        out["object_repeat_share"] = _repeat_share(of_object, 0.0)
        starts = _visits([e.user_time for e in of_user])
        for name, half_life in HALF_LIVES.items():
            faded = _faded(starts, now.user_time, half_life)
            out[f"user_visits_decayed_{name}"] = math.log1p(faded)
        meetings = _faded((e.user_time for e in of_user), now.user_time, longest)
        visits = _faded(starts, now.user_time, longest)
        out["user_visit_size"] = math.log(meetings / visits) if of_user else math.nan
        out["user_skips"] = math.log1p(sum(e.user == now.user for e in skips))
        out["object_skips"] = math.log1p(sum(e.object == now.object for e in skips))
        for facet in FACETS:
            met = {v for e in of_user for v in self.values(e.object, facet)}
            out[f"user_distinct_{facet}"] = math.log1p(len(met))
            values = self.values(now.object, facet)
            with_value = {v: [e for e in past if v in self.values(e.object, facet)] for v in values}
            own = {v: [e for e in with_value[v] if e.user == now.user] for v in values}
            out[f"{facet}_count"] = _mean(math.log1p(len(with_value[v])) for v in values)
            for name, half_life in HALF_LIVES.items():
                out[f"{facet}_decayed_{name}"] = _mean(
                    math.log1p(_faded((e.time for e in with_value[v]), now.time, half_life))
                    for v in values
                )
            out[f"{facet}_repeat_share"] = _mean(_repeat_share(with_value[v], 0.0) for v in values)
            out[f"user_{facet}_count"] = _mean(math.log1p(len(own[v])) for v in values)
            out[f"user_{facet}_decayed"] = _mean(
                math.log1p(_faded((e.user_time for e in own[v]), now.user_time, longest))
                for v in values
            )
            out[f"user_{facet}_repeat_share"] = _mean(
                _repeat_share(own[v], user_repeats) for v in values
            )
            rhythms = [
                _rhythm([e.user_time for e in own[v]], now.user_time)
                for v in values
                if len(own[v]) > 1
            ]
            out[f"user_{facet}_gap"] = _mean(math.log1p(gap) for gap, _ in rhythms)
            out[f"user_{facet}_overdue"] = _mean(
                math.log1p(since) - math.log1p(gap) for gap, since in rhythms
            )
            moments = [e.user_time for v in values for e in own[v]]
            out[f"user_{facet}_since_last"] = _since(moments, now.user_time)

    def affinity(self, now: Past, past: list[Past], out: Row) -> None:
        of_user = [e for e in past if e.user == now.user]
        of_object = [e for e in past if e.object == now.object]

        def share(has: Callable[[Past], bool], of: list[Past]) -> float:
            prior = sum(map(has, past)) / max(len(past), 1)
            return (sum(map(has, of)) + 5.0 * prior) / (len(of) + 5.0)

        for facet in FACETS:
            out[f"user_{facet}_share"] = _mean(
                share(lambda e, f=facet, v=v: v in self.values(e.object, f), of_user)  # type: ignore[misc]
                for v in self.values(now.object, facet)
            )
        for name in CONTEXTS:
            value = now.context[name]

            def has(e: Past, name: str = name, value: str = value) -> bool:
                return e.context[name] == value

            out[f"user_{name}_share"] = share(has, of_user) if value else math.nan
            out[f"object_{name}_share"] = share(has, of_object) if value else math.nan

    def outcome(
        self, now: Past, before: list[Past], matured: list[tuple[Past, int]], out: Row
    ) -> None:
        of_log = (sum(label for _, label in matured) + 0.5) / (len(matured) + 1.0)
        half_life = SMALL_SCHEMA.outcome_half_life_s

        def rate(has: Callable[[Past], bool], prior: float) -> tuple[float, float]:
            weights = [
                (2.0 ** (-(now.time - e.matures_at) / half_life), label)
                for e, label in matured
                if has(e)
            ]
            n = sum(w for w, _ in weights)
            positive = sum(w * label for w, label in weights)
            return (positive + 8.0 * prior) / (n + 8.0), math.log1p(n)

        user_rate, _ = rate(lambda e: e.user == now.user, of_log)
        out["user_rate"], out["user_evidence"] = rate(lambda e: e.user == now.user, of_log)
        out["object_rate"], out["object_evidence"] = rate(lambda e: e.object == now.object, of_log)
        opinions = self.opinions(before)
        for facet in FACETS:
            rates, liking = [], []
            for v in self.values(now.object, facet):

                def carries(e: Past, facet: str = facet, v: str = v) -> bool:
                    return v in self.values(e.object, facet)

                single = rate(carries, of_log)
                own = rate(lambda e, c=carries: e.user == now.user and c(e), user_rate)  # type: ignore[misc]
                rates.append((*single, *own))
                liking.append(
                    sum(
                        said
                        for (user, obj), said in opinions.items()
                        if user == now.user and v in self.values(obj, facet)
                    )
                )
            names = ("rate", "evidence")
            for k, name in enumerate([f"{facet}_{n}" for n in names]):
                out[name] = _mean(r[k] for r in rates)
            for k, name in enumerate([f"user_{facet}_{n}" for n in names]):
                out[name] = _mean(r[2 + k] for r in rates)
            out[f"user_{facet}_liking"] = _mean(liking)
        for name in CONTEXTS:
            value = now.context[name]

            def within(e: Past, name: str = name, value: str = value) -> bool:
                return e.context[name] == value

            single = rate(within, of_log)
            own = rate(lambda e, w=within: e.user == now.user and w(e), user_rate)  # type: ignore[misc]
            unknown = (math.nan, math.nan)
            out[f"{name}_rate"], out[f"{name}_evidence"] = single if value else unknown
            out[f"user_{name}_rate"], out[f"user_{name}_evidence"] = own if value else unknown
        out["user_object_opinion"] = float(opinions.get((now.user, now.object), 0))
        pair_skips = [
            e
            for e in before
            if e.outcome == "skip" and (e.user, e.object) == (now.user, now.object)
        ]
        out["user_object_skips"] = math.log1p(len(pair_skips))

    def sequence(self, now: Past, before: list[Past], past: list[Past], out: Row) -> None:
        met = [e for e in past if (e.user, e.object) == (now.user, now.object)]
        out["user_object_count"] = math.log1p(len(met))
        out["user_object_since_last"] = _since((e.user_time for e in met), now.user_time)
        previous = self.previous_object(now, before)
        for facet in FACETS:
            left = set(self.values(previous, facet)) if previous else set()
            right = set(self.values(now.object, facet))
            out[f"same_{facet}"] = float(bool(left & right)) if left and right else math.nan
        for name in CONTEXTS:
            last = self.previous_context(now, past, name)
            both = last and now.context[name]
            out[f"same_{name}"] = float(last == now.context[name]) if both else math.nan

    def previous_object(self, now: Past, before: list[Past]) -> str | None:
        """The latest object met or liked; liking what is liked already says nothing new."""
        latest, liked = None, set()
        for e in before:
            if e.user != now.user:
                continue
            if e.taken or (e.outcome == "like" and e.object not in liked):
                latest = e.object
            if e.outcome == "like":
                liked.add(e.object)
            if e.outcome in {"dislike", "unlike"}:
                liked.discard(e.object)
        return latest

    def previous_context(self, now: Past, past: list[Past], name: str) -> str:
        of_user = [e for e in past if e.user == now.user]
        return of_user[-1].context[name] if of_user else ""

    def codes(self, i: int) -> dict[str, int]:
        """The codes of row i by name: order of arrival, 0 until an interaction has shown them."""
        now = self.events[i]
        before = [e for e in self.events if e.group < now.group]
        past = [e for e in before if e.taken]
        users, objects = {e.user for e in past}, {e.object for e in past}
        cities = self.log.users.columns["city"]
        out = {"user": self.users[now.user] + 1 if now.user in users else 0}
        shown = {str(cities[self.users[u]]) for u in users}
        out["user_city"] = _code(str(cities[self.users[now.user]]), map(str, cities), shown)
        previous = self.previous_object(now, before)
        out["previous_object"] = self.objects[previous] + 1 if previous in objects else 0
        for name in CONTEXTS:
            arrival = [e.context[name] for e in self.events]
            shown = {e.context[name] for e in past}
            last = self.previous_context(now, past, name)
            out[f"previous_{name}"] = _code(last, arrival, shown)
            out[name] = _code(now.context[name], arrival, shown)
        out["object"] = self.objects[now.object] + 1 if now.object in objects else 0
        for field, slots in (("language", 1), ("artist", 1), ("genres", 2)):
            arrival = [v for o in self.log.objects.ids for v in self.slots(o, field)]
            shown = {v for o in objects for v in self.slots(o, field)}
            for k, value in enumerate(self.slots(now.object, field)):
                name = f"object_{field}" + (f"_{k + 1}" if slots > 1 else "")
                out[name] = _code(value, arrival, shown)
        return out

    def slots(self, obj: str, field: str) -> list[str]:
        text = str(self.log.objects.columns[field][self.objects[obj]])
        slots = SMALL_SCHEMA.field(Branch.OBJECT, field).max_values
        parts = list(dict.fromkeys(text.split("|")))[:slots]
        return parts + [""] * (slots - len(parts))


def _mean(values: Iterable[float]) -> float:
    kept = list(values)
    return sum(kept) / len(kept) if kept else math.nan


def _faded(moments: Iterable[float], now: float, half_life: float) -> float:
    return math.fsum(math.exp2(-(now - moment) / half_life) for moment in moments)


def _visits(moments: list[float]) -> list[float]:
    """The moments that come half an hour or more after the one before, and the first."""
    return moments[:1] + [later for earlier, later in pairwise(moments) if later - earlier >= 1800]


def _since(moments: Iterable[float], now: float) -> float:
    kept = list(moments)
    return math.log1p(now - max(kept)) if kept else math.nan


def _repeat_share(meetings: list[Past], prior: float) -> float:
    """The share of meetings that were not the first of their pair, drawn to a prior."""
    repeats = sum(not e.is_first for e in meetings)
    return (repeats + 5.0 * prior) / (len(meetings) + 5.0)


def _rhythm(moments: list[float], now: float) -> tuple[float, float]:
    """Mean time between two meetings and the time since the last one."""
    between = [later - earlier for earlier, later in pairwise(moments)]
    return sum(between) / len(between), now - moments[-1]


def _code(value: str, arrival: Iterable[str], shown: set[str]) -> int:
    order = [v for v in dict.fromkeys(arrival) if v]
    return order.index(value) + 1 if value and value in shown else 0


CASES: dict[str, Callable[[], LogTables]] = {
    "derived labels": lambda: random_tables(1),
    "given labels": lambda: random_tables(2, given_labels=True),
    "no ties": lambda: random_tables(3, tie_rule=TieRule.ROW),
    "own clocks": lambda: random_tables(4, own_clock=True, tie_rule=TieRule.ROW),
    "many reactions": lambda: random_tables(5, reactions=0.7),
    "all in few moments": lambda: random_tables(6, span_s=1000),
    "two users and much time": lambda: random_tables(7, n_users=2, span_s=300_000),
}


@pytest.mark.parametrize("case", CASES)
def test_every_counted_column_equals_a_recount_of_the_past(case: str) -> None:
    log = CASES[case]().log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    _, numbers, codes = replay.run(len(log), np.ones(len(log), bool))
    reference = Reference(log)
    counted = [
        (k, column.name)
        for k, column in enumerate(state.columns.numbers)
        if column.family not in LEARNED and column.name != "previous_object_cosine"
    ]
    for i in range(len(log)):
        expected = reference.row(i)
        assert expected.keys() == {name for _, name in counted}
        for k, name in counted:
            np.testing.assert_allclose(
                numbers[i, k], expected[name], rtol=1e-5, atol=1e-5, err_msg=f"row {i}: {name}"
            )
        shown = dict(zip([c.name for c in state.columns.codes], codes[i].tolist(), strict=True))
        assert shown == reference.codes(i), f"row {i}"


@pytest.mark.parametrize("case", CASES)
def test_derived_labels_equal_a_search_of_the_whole_log(case: str) -> None:
    log = CASES[case]().log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    replay.run(len(log))
    end = log.time_s[-1]
    replay.finish(end)
    reference = Reference(log)
    expected = [
        reference.label(e) if e.is_first and e.matures_at <= end else -1 for e in reference.events
    ]
    assert replay.labels.tolist() == expected
