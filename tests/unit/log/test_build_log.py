"""The canonical log: order, ties, examples, positions and what is refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidDataError
from core.log import UNKNOWN_LABEL, EventLog, LabelRule, Outcome, TieRule, build_log
from core.schema import Field, Kind, Schema

SCHEMA = Schema(
    user=(Field("city", Kind.CATEGORY, "city"), Field("age", Kind.NUMBER, "years")),
    object=(Field("brand", Kind.CATEGORY, "brand", facet=True),),
    context=(Field("channel", Kind.CATEGORY, "channel"),),
    main_facet="brand",
)


def log_of(
    events: dict[str, Sequence[object]] | pd.DataFrame,
    *,
    users: pd.DataFrame | None = None,
    objects: pd.DataFrame | None = None,
    label_rule: LabelRule | None = None,
    tie_rule: TieRule = TieRule.TIMESTAMP,
) -> EventLog:
    return build_log(
        "test",
        SCHEMA,
        pd.DataFrame(events),
        users=pd.DataFrame({"user_id": []}) if users is None else users,
        objects=pd.DataFrame({"object_id": []}) if objects is None else objects,
        label_rule=label_rule or LabelRule(horizon_s=10),
        tie_rule=tie_rule,
        where="events.csv",
    )


def plays(*triples: tuple[str, str, float]) -> dict[str, Sequence[object]]:
    users, objects, times = zip(*triples, strict=True)
    return {"user_id": users, "object_id": objects, "time_s": times}


def test_events_are_sorted_by_time_and_remember_their_row() -> None:
    log = log_of(plays(("a", "x", 30), ("b", "y", 10), ("a", "z", 20)))
    assert log.time_s.tolist() == [10, 20, 30]
    assert log.row_id.tolist() == [1, 2, 0]
    assert [log.users.ids[i] for i in log.user_index] == ["b", "a", "a"]
    assert [log.objects.ids[i] for i in log.object_index] == ["y", "z", "x"]


def test_entities_are_the_tables_rows_then_strangers_by_first_event() -> None:
    users = pd.DataFrame({"user_id": ["c", "a"], "city": ["Rome", None], "age": [30.0, np.nan]})
    log = log_of(plays(("d", "x", 2), ("a", "x", 1), ("b", "x", 0)), users=users)
    assert log.users.ids == ("c", "a", "b", "d")
    assert log.users.columns["city"].tolist() == ["Rome", "", "", ""]
    assert np.isnan(log.users.columns["age"][1:].astype(float)).all()
    assert log.objects.columns["brand"].tolist() == [""]


def test_equal_timestamps_share_a_tie_group_unless_rows_are_the_order() -> None:
    events = plays(("a", "x", 1), ("a", "y", 1), ("a", "z", 2))
    assert log_of(events).tie_group.tolist() == [0, 0, 1]
    assert log_of(events, tie_rule=TieRule.ROW).tie_group.tolist() == [0, 1, 2]


def test_the_first_interaction_of_a_pair_is_its_example() -> None:
    events = plays(("a", "x", 0), ("a", "x", 1), ("a", "x", 2), ("b", "x", 3), ("a", "y", 99))
    log = log_of({**events, "outcome": ["like", "", "play", "skip", "play"]})
    assert log.is_example.tolist() == [False, True, False, False, True]
    assert log.outcome.tolist() == ["like", "play", "play", "skip", "play"]
    assert (log.labels == UNKNOWN_LABEL).all()


def test_pairs_first_met_while_warming_up_never_become_examples() -> None:
    events = plays(("a", "x", 0), ("a", "x", 50), ("a", "y", 50), ("a", "z", 90))
    log = log_of(events, label_rule=LabelRule(horizon_s=10, warm_up_s=20))
    assert log.is_example.tolist() == [False, False, True, True]


def test_positions_rank_the_examples_whose_label_the_log_can_know() -> None:
    log = log_of(plays(("a", "w", 0), ("a", "x", 5), ("a", "y", 10), ("a", "z", 15)))
    assert log.position[:2].tolist() == [0, 0.5]
    assert np.isnan(log.position[2:]).all()
    assert log.matures_position.tolist() == [1, 1, 2, 2]
    assert log.is_example.all()


def test_a_label_is_known_after_its_last_moment_because_a_return_may_come_in_it() -> None:
    moments = (0, 5, 10, 10, 15, 16)
    events = plays(*[("a", name, at) for name, at in zip("uvwxyz", moments, strict=True)])
    assert log_of({**events, "label": [1] * 6}).matures_position.tolist() == [
        4 / 6,
        5 / 6,
        2,
        2,
        2,
        2,
    ]


def test_at_the_end_of_the_log_no_return_is_yet_to_come() -> None:
    log = log_of(plays(("a", "w", 0), ("a", "x", 5), ("a", "y", 15)))
    assert log.position[:2].tolist() == [0, 0.5]
    assert np.isnan(log.position[2])
    assert log.matures_position.tolist() == [1, 1, 2]


def test_a_label_in_the_file_gives_every_example_a_position() -> None:
    events = plays(*[("a", name, 6 * i) for i, name in enumerate("vwxyz")])
    log = log_of({**events, "label": [1, 0, 1, 0, 1]})
    assert log.position.tolist() == [0, 0.2, 0.4, 0.6, 0.8]
    assert log.matures_position.tolist() == [0.4, 0.6, 0.8, 2, 2]


def test_the_positions_a_reader_sets_are_kept() -> None:
    events = plays(("a", "y", 2), ("a", "x", 1))
    log = log_of({**events, "position": [0.5, 0.0], "matures_position": [0.9, 0.4]})
    assert log.position.tolist() == [0, 0.5]
    assert log.matures_position.tolist() == [0.4, 0.9]


def test_an_event_without_outcome_says_what_the_domain_takes_for_granted() -> None:
    log = build_log(
        "shop",
        SCHEMA,
        pd.DataFrame(plays(("a", "x", 0))),
        users=pd.DataFrame({"user_id": []}),
        objects=pd.DataFrame({"object_id": []}),
        label_rule=LabelRule(horizon_s=1),
        tie_rule=TieRule.ROW,
        where="events.csv",
        default_outcome=Outcome.PURCHASE,
    )
    assert log.outcome.tolist() == ["purchase"]
    assert log.is_example.all()


@pytest.mark.parametrize(
    ("column", "values", "where", "problem"),
    [
        ("user_id", ["b", None, "a"], "events.csv:3", "user_id is empty"),
        ("object_id", ["x", "y", ""], "events.csv:4", "object_id is empty"),
        ("time_s", [9, 8, np.nan], "events.csv:4", "time_s is not a finite number"),
        ("time_s", [9, np.inf, 7], "events.csv:3", "time_s is not a finite number"),
        ("matures_at_s", [9, 8, np.nan], "events.csv:4", "matures_at_s is not"),
        ("label", [1, 0, 2], "events.csv:4", "neither 0 nor 1"),
    ],
)
def test_a_bad_value_is_named_by_the_line_it_had_before_sorting(
    column: str, values: list[object], where: str, problem: str
) -> None:
    events = {**plays(("b", "x", 9), ("b", "y", 8), ("a", "z", 7)), column: values}
    with pytest.raises(InvalidDataError) as caught:
        log_of(events)
    assert caught.value.where == where
    assert problem in caught.value.problem


def test_missing_columns_and_empty_logs_are_refused() -> None:
    with pytest.raises(InvalidDataError, match=r"column 'time_s' is missing, found \['user_id'"):
        log_of({"user_id": ["a"], "object_id": ["x"]})
    with pytest.raises(InvalidDataError, match="there are no events"):
        log_of({"user_id": [], "object_id": [], "time_s": []})


def test_an_entity_that_stands_twice_is_refused_with_its_line() -> None:
    with pytest.raises(InvalidDataError, match=r"users:4: user_id 'a' stands twice"):
        log_of(plays(("a", "x", 0)), users=pd.DataFrame({"user_id": ["a", "b", "a"]}))
    with pytest.raises(InvalidDataError, match=r"objects:3: object_id is empty"):
        log_of(plays(("a", "x", 0)), objects=pd.DataFrame({"object_id": ["x", ""]}))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
    st.sampled_from(["object", "str", "category"]),
)
def test_the_order_of_rows_says_nothing_where_times_are_distinct(
    pairs: list[tuple[str, str]], random: object, dtype: str
) -> None:
    events = pd.DataFrame(pairs, columns=["user_id", "object_id"])
    events["time_s"] = np.arange(len(events), dtype=float)
    rows = list(range(len(events)))
    random.shuffle(rows)  # type: ignore[attr-defined]
    shuffled = events.iloc[rows].astype({"user_id": dtype, "object_id": dtype})
    one, other = log_of(events), log_of(shuffled)
    assert one.users.ids == other.users.ids
    assert one.objects.ids == other.objects.ids
    for name in ("user_index", "object_index", "time_s", "is_example", "tie_group"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    assert np.array_equal(one.position, other.position, equal_nan=True)
    assert other.row_id.tolist() == np.argsort(rows).tolist()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_tie_groups_never_decrease_and_are_equal_exactly_where_times_are(times: list[int]) -> None:
    log = log_of(plays(*[("a", "x", float(t)) for t in times]))
    steps, moved = np.diff(log.tie_group), np.diff(log.time_s)
    assert (steps >= 0).all()
    assert ((steps > 0) == (moved > 0)).all()
