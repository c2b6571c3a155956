"""Lists of past moments: features of what was known then, labels of what came after."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.examples import replay_observed
from core.lists.visits import SESSION_S
from core.log import ClockKind, EventLog
from core.ranking.lists import ListCollector, ListTable
from core.ranking.recommender import fail
from core.ranking.settings import ListSettings
from core.state.layout import USER_ID
from core.state.replay import Replay
from core.state.state import NOBODY, State
from core.testing_domain import SMALL_DOMAIN
from tests.unit.lists.list_logs import DAY_S, log_of

HORIZON_DAYS = 6.0
ROW = 250
"""The moment of all lists; everything is known by then, and 30 days of the log follow."""
EVERYTHING = ListSettings(lists=100, moments=1, explore_share=0.0, stranger_share=0.0,
                          negative_share=1.0)  # fmt: skip


def events(seed: int, *, other_future: bool = False) -> list[tuple[str, str, float]]:
    """400 plays of 6 users and 12 objects, one every tenth of a day."""
    generator = np.random.default_rng(seed)
    users = generator.integers(6, size=400)
    objects = np.minimum(generator.geometric(0.2, 400) - 1, 11)
    objects[:12] = np.arange(12)
    if other_future:
        objects[ROW:] = (objects[ROW:] + 5) % 12
    return [
        (f"u{u}", f"o{o}", i / 10.0)
        for i, (u, o) in enumerate(zip(users.tolist(), objects.tolist(), strict=True))
    ]


def log(seed: int = 0, *, other_future: bool = False) -> EventLog:
    return log_of(events(seed, other_future=other_future), horizon_days=HORIZON_DAYS)


def collected(log: EventLog, settings: ListSettings, row: int) -> ListTable | None:
    state = State(SMALL_DOMAIN.schema, log.label_rule.horizon_s, SMALL_DOMAIN.tie_rule)
    replay = Replay(state, state.log_arrays(log))
    replay.run(row)
    replay.advance(row)
    collector = ListCollector(
        log,
        SMALL_DOMAIN.stages,
        settings,
        horizon_s=log.label_rule.horizon_s,
        seed=3,
        report=fail,
    )
    if row in collector.plan(np.array([row])):
        collector.look(state, row)
    return collector.table()


def lists_of(log: EventLog, settings: ListSettings = EVERYTHING, row: int = ROW) -> ListTable:
    table = collected(log, settings, row)
    assert table is not None
    return table


def pairs(table: ListTable) -> list[tuple[int, int]]:
    return list(zip(table.examples.user.tolist(), table.examples.object.tolist(), strict=True))


def test_what_happens_after_a_moment_changes_no_feature_and_no_candidate() -> None:
    one, other = lists_of(log()), lists_of(log(other_future=True))
    assert pairs(one) == pairs(other)
    np.testing.assert_array_equal(one.examples.features.numbers, other.examples.features.numbers)
    np.testing.assert_array_equal(one.examples.features.codes, other.examples.features.codes)
    assert one.examples.labels.tolist() != other.examples.labels.tolist()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_label_says_whether_the_user_took_the_object_within_the_horizon(seed: int) -> None:
    made = lists_of(log(seed))
    now = ROW / 10.0
    took = {(u, o) for u, o, day in events(seed) if now <= day <= now + HORIZON_DAYS}
    state = State(SMALL_DOMAIN.schema, DAY_S, SMALL_DOMAIN.tie_rule)
    state.log_arrays(log(seed))
    expected = [
        (log(seed).users.ids[user], state.objects.string(obj)) in took for user, obj in pairs(made)
    ]
    assert made.examples.labels.astype(bool).tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_lists_hold_every_positive_and_the_stated_share_of_the_rest() -> None:
    share = 0.4
    kept, rest = 0, 0
    for seed in range(8):
        full = lists_of(log(seed))
        some = lists_of(
            log(seed),
            ListSettings(
                lists=100, moments=1, explore_share=0.0, stranger_share=0.0, negative_share=share
            ),
        )
        labels = dict(zip(pairs(full), full.examples.labels.tolist(), strict=True))
        taken = {pair for pair, label in labels.items() if label}
        assert taken <= set(pairs(some)) <= set(labels)
        kept += len(set(pairs(some)) - taken)
        rest += len(labels) - len(taken)
        assert some.negative_share == share
    # Four standard deviations of a share of as many draws.
    assert kept / rest == pytest.approx(share, abs=4.0 * np.sqrt(share * (1.0 - share) / rest))


def test_lists_of_new_objects_hold_nothing_that_the_user_had() -> None:
    # At row 60 users have met a few of the objects only.
    made = lists_of(
        log(), ListSettings(lists=100, moments=1, explore_share=1.0, stranger_share=0.0), row=60
    )
    state = State(SMALL_DOMAIN.schema, DAY_S, SMALL_DOMAIN.tie_rule)
    state.log_arrays(log())
    had = {(u, o) for u, o, day in events(0) if day < 6.0}
    shown = {(log().users.ids[user], state.objects.string(obj)) for user, obj in pairs(made)}
    assert shown
    assert not shown & had
    assert made.new_only.shape == made.examples.labels.shape
    assert made.new_only.all()


def test_of_strangers_nothing_is_known_but_what_they_then_take() -> None:
    made = lists_of(
        log(), ListSettings(lists=100, moments=1, stranger_share=1.0, negative_share=1.0)
    )
    columns = made.examples.features.columns
    user = [column.name for column in columns.codes].index(USER_ID)
    assert set(made.examples.features.codes[:, user].tolist()) == {NOBODY}
    names = [column.name for column in columns.numbers]
    assert not made.examples.features.numbers[:, names.index("own_count")].any()
    assert np.isnan(made.examples.features.numbers[:, names.index("item_all")]).all()
    assert made.examples.labels.any()
    assert not made.new_only.any()


def in_sessions(log: EventLog) -> EventLog:
    """The same events; every fifth of a user begins a session."""
    places = np.zeros(len(log))
    for user in range(len(log.users)):
        rows = log.user_index == user
        places[rows] = np.arange(np.count_nonzero(rows)) / 5.0
    return replace(log, clock=ClockKind.SESSIONS, user_time_s=places * SESSION_S)


def test_where_clocks_count_sessions_lists_are_made_as_a_session_begins() -> None:
    sessions = in_sessions(log())
    state = State(SMALL_DOMAIN.schema, log().label_rule.horizon_s, SMALL_DOMAIN.tie_rule)
    collector = ListCollector(
        sessions,
        SMALL_DOMAIN.stages,
        ListSettings(lists=100, moments=2, explore_share=0.0, stranger_share=0.0),
        horizon_s=2 * SESSION_S,
        seed=3,
        report=fail,
    )
    replay_observed(sessions, state, collector, base_share=0.2, seed=0)
    made = collector.table()
    assert made is not None
    examples = made.examples
    assert (sessions.user_index[examples.row] == examples.user).all()
    places = sessions.user_time_s[examples.row] / SESSION_S
    np.testing.assert_array_equal(places, np.round(places))
    # Each user has at most one list a moment, and none twice.
    begun = set(zip(examples.user.tolist(), examples.row.tolist(), strict=True))
    assert 6 <= made.n_lists == len(begun) <= 12


def test_a_moment_whose_horizon_the_log_does_not_hold_makes_no_lists() -> None:
    assert collected(log(), EVERYTHING, 395) is None


def test_moments_lie_between_the_base_period_and_the_last_whose_lists_mature() -> None:
    whole = log()
    settings = ListSettings(moments=4, lists=100)
    collector = ListCollector(
        whole,
        SMALL_DOMAIN.stages,
        settings,
        horizon_s=HORIZON_DAYS * DAY_S,
        seed=0,
        report=fail,
    )
    rows = collector.rows(whole, 100)
    assert len(rows) == 4
    assert rows.min() > 100
    last_s = whole.time_s[rows.max()] + HORIZON_DAYS * DAY_S
    assert last_s <= whole.time_s[-1]
    assert last_s > whole.time_s[-2]
    assert not len(collector.rows(whole, 398))
