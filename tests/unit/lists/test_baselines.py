"""Baselines on logs whose right answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from core.lists.baselines import BASELINES, tune_baselines
from core.lists.baselines.history import History, history_of
from core.lists.baselines.items import TF_IDF, neighbours_of, tf_idf
from core.lists.baselines.personal import (
    FADED_FREQUENCY,
    FREQUENCY,
    LAST_ITEMS,
    NEVER,
    POPULARITY,
)
from core.lists.baselines.scored import Baseline, Settings, lists_of
from core.lists.baselines.tifu import NeighbourMix, mean_over, nearest_users, user_vectors
from core.lists.protocol import ListTask, Mode, TargetKind, cut_lists
from tests.unit.lists.list_logs import DAY_S, log_of


def names_of(
    task: ListTask, baseline: Baseline, settings: Settings, user: str, mode: Mode, k: int = 10
) -> list[str]:
    log = task.log
    history = history_of(task)
    scorer = baseline.prepare(history)(settings)
    users = np.array([log.users.ids.index(user)])
    listed = lists_of(scorer, history, users, k, [mode])[mode][0]
    return [log.objects.ids[index] for index in listed if index >= 0]


@pytest.fixture
def shop() -> ListTask:
    """Ann: milk often long ago, tea lately; salt is new to her and popular, rice less so."""
    return cut_lists(
        log_of(
            [
                *(("ann", name, day) for day in (0.0, 1.0, 2.0) for name in ("milk", "jam")),
                *(("bob", name, 3.0) for name in ("salt", "milk")),
                *(("cat", name, 4.0) for name in ("salt", "rice")),
                *(("ann", name, 40.0) for name in ("tea", "jam")),
                ("ann", "milk", 50.0),
                ("bob", "milk", 50.0),
            ]
        ),
        45.0 * DAY_S,
    )


def test_popularity_counts_visits_of_all(shop: ListTask) -> None:
    listed = names_of(shop, POPULARITY, {"half_life_days": NEVER}, "cat", Mode.ALL)

    assert listed[:3] == ["milk", "jam", "salt"] or listed[:3] == ["jam", "milk", "salt"]


def test_popularity_fades(shop: ListTask) -> None:
    listed = names_of(shop, POPULARITY, {"half_life_days": 1.0}, "cat", Mode.ALL)

    assert set(listed[:2]) == {"tea", "jam"}


def test_frequency_ranks_the_own_past_and_goes_on_with_what_is_popular(shop: ListTask) -> None:
    listed = names_of(shop, FREQUENCY, {"count": "visits"}, "ann", Mode.ALL)

    assert listed == ["jam", "milk", "tea", "salt", "rice"]


def test_modes_restrict_candidates_before_the_best_are_taken(shop: ListTask) -> None:
    repeat = names_of(shop, FREQUENCY, {"count": "visits"}, "ann", Mode.REPEAT, k=2)
    explore = names_of(shop, FREQUENCY, {"count": "visits"}, "ann", Mode.EXPLORE, k=2)

    assert repeat == ["jam", "milk"]
    assert explore == ["salt", "rice"]


def test_lists_end_where_a_mode_has_no_more(shop: ListTask) -> None:
    assert len(names_of(shop, FREQUENCY, {"count": "visits"}, "ann", Mode.REPEAT)) == 3


@pytest.mark.parametrize("clock", ["days", "visits"])
def test_what_fades_gives_way_to_what_is_recent(shop: ListTask, clock: str) -> None:
    quick = names_of(shop, FADED_FREQUENCY, {"clock": clock, "half_life": 0.5}, "ann", Mode.REPEAT)
    slow = names_of(shop, FADED_FREQUENCY, {"clock": clock, "half_life": 320.0}, "ann", Mode.REPEAT)

    assert quick == ["jam", "tea", "milk"]
    assert slow == ["jam", "milk", "tea"]


def test_last_items_are_those_of_the_latest_visit(shop: ListTask) -> None:
    latest = names_of(shop, LAST_ITEMS, {"within_visit": "latest first"}, "ann", Mode.REPEAT)
    often = names_of(shop, LAST_ITEMS, {"within_visit": "often first"}, "ann", Mode.REPEAT)

    assert latest == ["jam", "tea", "milk"]
    assert often == ["jam", "tea", "milk"]


def test_item_item_proposes_what_goes_with_what_the_user_had() -> None:
    """Who takes pasta takes sauce; soap is more popular but goes with nothing."""
    events = [
        *((f"p{i}", name, 1.0) for i in range(4) for name in ("pasta", "sauce")),
        *((f"s{i}", "soap", 1.0) for i in range(9)),
        *((f"s{i}", "towel", 1.0) for i in range(9)),
        ("ann", "pasta", 1.0),
        ("ann", "bread", 1.0),
        ("ann", "sauce", 9.0),
    ]
    task = cut_lists(log_of(events), 5.0 * DAY_S)
    settings: Settings = {"similar_by": "binary", "neighbours": 20.0, "taken": "binary"}

    assert names_of(task, TF_IDF, settings, "ann", Mode.EXPLORE)[0] == "sauce"


def test_similarities_are_cosines_and_an_object_is_its_own_neighbour() -> None:
    counts = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float32)

    found = neighbours_of(csr_matrix(counts), tf_idf, 3).toarray()

    assert found[:2, :2] == pytest.approx(np.ones((2, 2)))
    assert found[2:, 2:] == pytest.approx(np.eye(2))
    assert not found[:2, 2:].any()


def history_of_visits(*visits: list[int], users: list[int] | None = None) -> History:
    """User 0 with these visits, or one user a visit as told."""
    who = users or [0] * len(visits)
    number = [who[:place].count(user) for place, user in enumerate(who)]
    flat = [
        (user, n, column)
        for user, n, own in zip(who, number, visits, strict=True)
        for column in own
    ]
    user, visit, column = (np.array(values, np.int64) for values in zip(*flat, strict=True))
    n_users = max(who) + 1
    return History(
        n_users=n_users,
        objects=np.arange(column.max() + 1, dtype=np.int32),
        user=user,
        visit=visit,
        column=column,
        repeats=np.ones(len(flat), np.float32),
        age_days=np.zeros(len(flat)),
        log_age_days=np.zeros(len(flat)),
        visits=np.bincount(who, minlength=n_users),
    )


def row(matrix: csr_matrix) -> NDArray[np.float32]:
    dense: NDArray[np.float32] = matrix.toarray()[0]
    return dense


def test_tifu_vectors_fade_within_groups_and_by_group() -> None:
    """Three visits in two groups: one alone, then two; decays 0.5 within and 0.1 by group."""
    history = history_of_visits([0], [1], [0, 2])

    vector = row(user_vectors(history, groups=2, within_decay=0.5, group_decay=0.1))

    first_group = 0.1 * 1.0
    assert vector[0] == pytest.approx((first_group + 1.0 / 2) / 2)
    assert vector[1] == pytest.approx((0.5 / 2) / 2)
    assert vector[2] == pytest.approx((1.0 / 2) / 2)


def test_tifu_without_decays_is_the_frequency() -> None:
    history = history_of_visits([0], [0, 1], [2], [0])

    vector = row(user_vectors(history, groups=2, within_decay=1.0, group_decay=1.0))

    assert vector == pytest.approx([3 / 4, 1 / 4, 1 / 4])


def test_fewer_visits_than_groups_are_a_group_each() -> None:
    history = history_of_visits([0], [1])

    vector = row(user_vectors(history, groups=7, within_decay=0.5, group_decay=0.5))

    assert vector == pytest.approx([0.5 / 2, 1 / 2])


def test_tifu_mixes_in_what_the_nearest_users_take() -> None:
    """Users 0 and 1 are alike, 2 is not: what only 1 has reaches 0."""
    history = history_of_visits([0, 1], [0, 1, 2], [3], users=[0, 1, 2])
    vectors = user_vectors(history, groups=3, within_decay=1.0, group_decay=1.0)

    near = mean_over(nearest_users(vectors, 1))
    scores = NeighbourMix(vectors, near, alpha=0.7).scores(np.array([0]))

    assert near.toarray()[0].tolist() == [0.0, 1.0, 0.0]
    assert scores[0] == pytest.approx([1.0, 1.0, 0.3, 0.0])


@pytest.fixture(scope="module")
def weekly() -> ListTask:
    """Eight users buy one of two sets every week, in full, and something once now and then."""
    sets = {0: ("milk", "bread", "eggs"), 1: ("rice", "beans", "corn")}
    events = [
        (f"u{user}", name, 7.0 * week + user / 10)
        for week in range(12)
        for user in range(8)
        for name in (*sets[user % 2], f"once{week * 8 + user}")
    ]
    return cut_lists(log_of(events, horizon_days=14.0), 7.0 * 10 * DAY_S - 1.0)


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: str(baseline.name))
def test_a_strict_weekly_buyer_is_foreseen(weekly: ListTask, baseline: Baseline) -> None:
    (tuned,) = tune_baselines(weekly, [baseline], seed=0, modes=[Mode.ALL, Mode.REPEAT])

    lists = tuned.lists.recommend(weekly.users, 3, Mode.REPEAT)

    had_before = weekly.targets[TargetKind.NEXT].within(Mode.REPEAT)
    if baseline.name == "last items":
        return  # what was bought once stands in the latest basket too
    for position in range(len(weekly.users)):
        assert set(lists[position]) == set(had_before.of(position)), baseline.name


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: str(baseline.name))
def test_the_same_seed_gives_the_same_lists(shop: ListTask, baseline: Baseline) -> None:
    history = history_of(shop)
    settings = {name: values[len(values) // 2] for name, values in baseline.grid.items()}

    first, second = (
        lists_of(baseline.prepare(history)(settings), history, shop.users, 5, list(Mode))
        for _ in range(2)
    )

    for mode in Mode:
        assert (first[mode] == second[mode]).all()


def test_settings_are_chosen_on_what_precedes_the_cut(weekly: ListTask) -> None:
    (tuned,) = tune_baselines(weekly, [FADED_FREQUENCY], seed=0, modes=[Mode.REPEAT])

    choice = tuned.choices[Mode.REPEAT]
    assert choice.ndcg == pytest.approx(1.0)
    assert choice.tried <= sum(len(values) for values in FADED_FREQUENCY.grid.values())
