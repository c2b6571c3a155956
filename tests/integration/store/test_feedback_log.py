from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InvalidRequestError
from core.log import Outcome
from core.requests import FeedbackEvent
from server.ports import AppendResult, FeedbackLog, NewFeedback
from server.store import Store
from server.store.tables import feedback

NOW_S = 1_700_000_000.25


def event(
    event_id: str,
    occurred_at_s: float | None = None,
    user_id: str = "u1",
    object_id: str = "t1",
    recommendation_id: str = "",
) -> NewFeedback:
    return NewFeedback(event_id, user_id, object_id, Outcome.PLAY, occurred_at_s, recommendation_id)


def stored_ids(store: Store) -> list[str]:
    statement = sa.select(feedback.c.event_id).order_by(feedback.c.sequence)
    return store.database.read(lambda c: list(c.execute(statement).scalars()))


def log_times(store: Store, domain: str = "music") -> list[float]:
    return [row.log_time_s for row in store.feedback.read_after(domain, 0, 10_000)]


def test_the_log_is_what_the_server_asks_for(store: Store) -> None:
    log: FeedbackLog = store.feedback
    assert log.read_after("music", 0, 10) == []


def test_an_appended_row_is_read_back_with_all_that_state_needs(store: Store) -> None:
    row = NewFeedback(
        event_id="e1",
        user_id="пользователь",
        object_id="曲 ♥",
        outcome=Outcome.LIKE,
        occurred_at_s=NOW_S - 5,
        context={"source_tab": "my library", "город": 'a "quoted" \\ one'},
    )

    result = store.feedback.append("music", [row], clock_floor_s=0.0, now_s=NOW_S)

    assert result == AppendResult(accepted=(0,), duplicates=())
    assert store.feedback.read_after("music", 0, 10) == [
        FeedbackEvent(1, row.user_id, row.object_id, Outcome.LIKE, NOW_S - 5, row.context)
    ]


def test_every_field_of_a_row_is_kept(store: Store) -> None:
    row = NewFeedback(
        event_id="e1",
        user_id="u1",
        object_id="t1",
        outcome=Outcome.REPLAY,
        occurred_at_s=NOW_S - 5.125,
        recommendation_id="r1",
        organic=True,
        value=12.75,
    )
    store.feedback.append("music", [row], clock_floor_s=NOW_S - 3, now_s=NOW_S)

    found = store.database.read(lambda c: c.execute(sa.select(feedback)).mappings().one())

    assert dict(found) == {
        "sequence": 1,
        "domain": "music",
        "event_id": "e1",
        "user_id": "u1",
        "object_id": "t1",
        "outcome": "replay",
        "log_time_s": NOW_S - 3,
        "occurred_at_s": NOW_S - 5.125,
        "received_at_s": NOW_S,
        "recommendation_id": "r1",
        "organic": True,
        "value": 12.75,
        "context": "{}",
    }


def test_rows_are_logged_in_the_order_given(store: Store) -> None:
    ids = [f"e{i}" for i in (3, 1, 2, 9, 0)]
    store.feedback.append("music", [event(i) for i in ids], 0.0, NOW_S)
    assert stored_ids(store) == ids
    sequences = [row.sequence for row in store.feedback.read_after("music", 0, 10)]
    assert sequences == sorted(set(sequences))


def test_a_call_without_rows_stores_nothing(store: Store) -> None:
    assert store.feedback.append("music", [], 0.0, NOW_S) == AppendResult((), ())
    assert stored_ids(store) == []


def test_a_retried_call_counts_as_duplicates_and_changes_nothing(store: Store) -> None:
    rows = [event("e1"), event("e2")]
    store.feedback.append("music", rows, 0.0, NOW_S)
    before = store.feedback.read_after("music", 0, 10)

    again = store.feedback.append("music", rows, 0.0, NOW_S + 60)

    assert again == AppendResult(accepted=(), duplicates=(0, 1))
    assert store.feedback.read_after("music", 0, 10) == before


def test_of_equal_ids_in_one_call_the_first_counts(store: Store) -> None:
    rows = [event("e1", user_id="first"), event("e2"), event("e1", user_id="second")]
    result = store.feedback.append("music", rows, 0.0, NOW_S)
    assert result == AppendResult(accepted=(0, 1), duplicates=(2,))
    assert [row.user_id for row in store.feedback.read_after("music", 0, 10)] == ["first", "u1"]


def test_an_event_id_is_unique_across_domains(store: Store) -> None:
    store.feedback.append("music", [event("e1")], 0.0, NOW_S)
    result = store.feedback.append("travel", [event("e1"), event("e2")], 0.0, NOW_S)
    assert result == AppendResult(accepted=(1,), duplicates=(0,))
    assert len(store.feedback.read_after("travel", 0, 10)) == 1


def test_a_call_may_hold_more_rows_than_one_look_up(store: Store) -> None:
    store.feedback.append("music", [event(f"e{i}") for i in range(0, 1300, 2)], 0.0, NOW_S)
    result = store.feedback.append("music", [event(f"e{i}") for i in range(1300)], 0.0, NOW_S)
    assert result.duplicates == tuple(range(0, 1300, 2))
    assert result.accepted == tuple(range(1, 1300, 2))


def test_reading_goes_on_after_a_sequence_and_stops_at_the_limit(store: Store) -> None:
    store.feedback.append("music", [event(f"m{i}", user_id=f"u{i}") for i in range(3)], 0.0, NOW_S)
    store.feedback.append("travel", [event("t0", user_id="traveller")], 0.0, NOW_S)
    store.feedback.append("music", [event("m3", user_id="u3")], 0.0, NOW_S)

    first = store.feedback.read_after("music", 0, 2)
    rest = store.feedback.read_after("music", first[-1].sequence, 10)

    assert [row.user_id for row in first] == ["u0", "u1"]
    assert [row.user_id for row in rest] == ["u2", "u3"]
    assert store.feedback.read_after("music", rest[-1].sequence, 10) == []


def test_an_event_without_a_time_happened_now(store: Store) -> None:
    store.feedback.append("music", [event("e1")], 0.0, NOW_S)
    assert log_times(store) == [NOW_S]


def test_an_event_of_the_future_happened_now(store: Store) -> None:
    store.feedback.append("music", [event("e1", NOW_S + 3600)], 0.0, NOW_S)
    assert log_times(store) == [NOW_S]


def test_a_late_event_is_taken_as_of_the_last_one(store: Store) -> None:
    store.feedback.append("music", [event("e1", 500.0), event("e2", 100.0)], 0.0, NOW_S)
    store.feedback.append("music", [event("e3", 200.0), event("e4", 600.0)], 0.0, NOW_S)
    assert log_times(store) == [500.0, 500.0, 500.0, 600.0]


def test_no_event_lies_before_the_clock_of_the_state(store: Store) -> None:
    store.feedback.append("music", [event("e1", 100.0)], 300.0, NOW_S)
    assert log_times(store) == [300.0]


def test_a_state_that_has_seen_nothing_sets_no_floor(store: Store) -> None:
    store.feedback.append("music", [event("e1", 100.0)], -math.inf, NOW_S)
    assert log_times(store) == [100.0]


def test_domains_have_clocks_of_their_own(store: Store) -> None:
    store.feedback.append("music", [event("m1", 900.0)], 0.0, NOW_S)
    store.feedback.append("travel", [event("t1", 100.0)], 0.0, NOW_S)
    assert log_times(store, "travel") == [100.0]


def test_a_duplicate_does_not_move_the_clock(store: Store) -> None:
    store.feedback.append("music", [event("e1", 100.0)], 0.0, NOW_S)
    store.feedback.append("music", [event("e1", 900.0), event("e2", 200.0)], 0.0, NOW_S)
    assert log_times(store) == [100.0, 200.0]


def test_the_callers_clock_may_run_backwards_and_the_log_does_not(store: Store) -> None:
    store.feedback.append("music", [event("e1")], 0.0, NOW_S)
    store.feedback.append("music", [event("e2")], 0.0, NOW_S - 100)
    assert log_times(store) == [NOW_S, NOW_S]


calls = st.lists(
    st.tuples(
        st.lists(
            st.tuples(
                st.integers(0, 12), st.one_of(st.none(), st.floats(-1e12, 1e12, allow_nan=False))
            ),
            max_size=6,
        ),
        st.floats(-1e12, 1e12),
        st.floats(-1e12, 1e12),
    ),
    max_size=6,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(calls=calls)
def test_whatever_is_sent_the_log_keeps_its_rule_of_time(
    store: Store, calls: list[tuple[list[tuple[int, float | None]], float, float]]
) -> None:
    """A model in ten lines of Python says what must stand in the log."""
    store.database.transaction(lambda c: c.execute(sa.delete(feedback)).close())
    expected: dict[str, float] = {}
    last_s = -math.inf
    for rows, floor_s, now_s in calls:
        events = [event(f"e{number}", occurred_s) for number, occurred_s in rows]
        accepted: list[int] = []
        for index, row in enumerate(events):
            if row.event_id in expected:
                continue
            accepted.append(index)
            occurred_s = now_s if row.occurred_at_s is None else row.occurred_at_s
            last_s = max(last_s, floor_s, min(occurred_s, now_s))
            expected[row.event_id] = last_s

        result = store.feedback.append("music", events, floor_s, now_s)

        assert result.accepted == tuple(accepted)
        assert sorted(result.accepted + result.duplicates) == list(range(len(events)))
    assert stored_ids(store) == list(expected)
    assert log_times(store) == list(expected.values())


@pytest.mark.parametrize(
    ("field", "spoil"),
    [
        ("events[1].event_id", event),
        ("events[1].user_id", lambda text: event("e2", user_id=text)),
        ("events[1].object_id", lambda text: event("e2", object_id=text)),
        ("events[1].recommendation_id", lambda text: event("e2", recommendation_id=text)),
    ],
)
@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_text_that_a_database_cannot_keep_is_refused_and_nothing_is_stored(
    store: Store, field: str, spoil: Callable[[str], NewFeedback], text: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        store.feedback.append("music", [event("e1"), spoil(text)], 0.0, NOW_S)
    assert [violation.field for violation in caught.value.violations] == [field]
    assert stored_ids(store) == []


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused_and_nothing_is_stored(
    store: Store, number: float
) -> None:
    with pytest.raises(InvalidRequestError, match="finite"):
        store.feedback.append("music", [event("e1"), event("e2", number)], 0.0, NOW_S)
    with pytest.raises(InvalidRequestError, match="now_s"):
        store.feedback.append("music", [event("e1")], 0.0, number)
    assert stored_ids(store) == []


def test_ids_of_256_bytes_are_kept_whole(store: Store) -> None:
    long_id = "é" * 128
    row = event("e" * 128, user_id=long_id, object_id=long_id, recommendation_id="r" * 128)
    store.feedback.append("music", [row], 0.0, NOW_S)
    (found,) = store.feedback.read_after("music", 0, 10)
    assert (found.user_id, found.object_id) == (long_id, long_id)


def test_a_number_in_the_log_is_never_given_out_again(store: Store) -> None:
    """A replica that has passed it would never see the second row."""
    store.feedback.append("music", [event("e1"), event("e2")], 0.0, NOW_S)
    passed = store.feedback.read_after("music", 0, 10)[-1].sequence
    store.database.transaction(lambda c: c.execute(sa.delete(feedback)).close())

    store.feedback.append("music", [event("e3")], 0.0, NOW_S)

    assert len(store.feedback.read_after("music", passed, 10)) == 1


def test_a_failure_on_the_way_leaves_nothing_behind(store: Store) -> None:
    """All or nothing: the rows before the one that fails are rolled back."""

    def refuse_the_second(connection: sa.Connection) -> None:
        if store.database.dialect == "sqlite":
            connection.exec_driver_sql(
                "CREATE TRIGGER t BEFORE INSERT ON feedback WHEN NEW.event_id = 'bad'"
                " BEGIN SELECT RAISE(ABORT, 'bad'); END"
            )
        else:
            connection.exec_driver_sql(
                "ALTER TABLE feedback ADD CONSTRAINT t CHECK (event_id <> 'bad')"
            )

    store.database.transaction(refuse_the_second)

    with pytest.raises(sa.exc.IntegrityError):
        store.feedback.append("music", [event("good"), event("bad"), event("more")], 0.0, NOW_S)

    assert stored_ids(store) == []
    store.feedback.append("music", [event("good")], 0.0, NOW_S)
    assert stored_ids(store) == ["good"]
