"""Each source proposes what its name says, best first, and nothing it must not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.content import unit_vectors
from core.log import Outcome
from core.recommend.contracts import Query, Source
from core.recommend.sources import ContentNearest, ItemToItem, LatentNearest, Popular, best
from core.requests import RecommendRequest, UserRef
from core.retrieval.index import fit_retrieval
from core.state.events import Event
from core.state.latent_fit import fit_latent
from core.state.state import State
from core.testing_logs import new_state

Asked = Callable[..., Query]
POPULAR = Popular(half_life=1, half_lives=2)
SOURCES = (POPULAR, ItemToItem(), LatentNearest(), ContentNearest())
HOUR_S = 3600.0


def named(query: Query, source: Source, limit: int = 100) -> list[str]:
    objects = source.propose(query, limit).objects
    assert objects.dtype == np.int32
    return [query.state.objects.string(obj) for obj in objects.tolist()]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(1, 40), st.data())
@settings(max_examples=80, deadline=None)
def test_the_best_are_the_highest_allowed_scores_with_ties_by_index_and_never_nobody(
    scores: list[int], limit: int, data: st.DataObject
) -> None:
    allowed = data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    candidates = [i for i in range(1, len(scores)) if allowed[i]]
    expected = sorted(candidates, key=lambda i: (-scores[i], i))[:limit]
    assert best(np.array(scores, float), np.array(allowed), limit).tolist() == expected


def test_popular_ranks_by_users_of_late(asked: Asked) -> None:
    # a2 and b2 have two users each, those of b2 came later.
    assert named(asked("ann"), POPULAR) == ["a1", "b1", "b2", "a2", "a3"]


def test_popular_forgets_what_was_popular_long_ago(state: State, asked: Asked) -> None:
    moment = 20 * HOUR_S
    for second in range(2):
        state.update(Event(f"late{second}", "a3", Outcome.PLAY, moment + second))
    query = asked("ann", now_s=moment + 5)
    assert named(query, Popular(half_life=0))[0] == "a3"  # fades within an hour
    # Within a day: four events of 20 hours ago still weigh more than half each.
    assert named(query, POPULAR)[:2] == ["a3", "a1"]


def test_item_to_item_adds_up_the_faded_cosines_of_the_latest_objects(asked: Asked) -> None:
    # Ann's latest is a2 (weight 1), before it a1 (weight 0.9): a1 gets 2/√8, b1 gets
    # 1/√6 + 0.9/√12 and a2 gets 0.9 · 2/√8.
    proposals = ItemToItem().propose(asked("ann"), 100)
    assert named(asked("ann"), ItemToItem()) == ["a1", "b1", "a2"]
    assert proposals.reasons == ("similar to a2", "similar to a2", "similar to a1")


def test_a_listen_changes_the_next_list_at_once(state: State, asked: Asked) -> None:
    assert named(asked("eva"), ItemToItem()) == ["a2", "b1"]
    state.update(Event("eva", "b1", Outcome.PLAY, 30.0))
    assert named(asked("eva"), ItemToItem()) == ["a2", "b2", "a1", "b1"]


def test_item_to_item_looks_at_so_many_objects_and_no_more(asked: Asked) -> None:
    assert named(asked("ann"), ItemToItem(recent=1)) == ["a1", "b1"]


def test_latent_nearest_finds_the_other_half_of_an_inseparable_pair() -> None:
    state = new_state()
    for second in range(4):
        for obj in ("x1", "x2") if second < 2 else ("y1", "y2"):
            state.update(Event(f"u{second}", obj, Outcome.PLAY, float(second)))
    fit_latent(state, seed=0)
    state.update(Event("new", "y2", Outcome.PLAY, 9.0))
    query = Query(
        RecommendRequest(UserRef("new")),
        state,
        fit_retrieval(state, seed=0),
        state.users.get("new"),
        10.0,
        10.0,
        None,
    )
    objects = LatentNearest(popularity=0.0).propose(query, 2).objects
    assert {state.objects.string(obj) for obj in objects.tolist()} == {"y1", "y2"}


def test_latent_nearest_is_the_order_of_the_dot_products(state: State, asked: Asked) -> None:
    arrays = state.arrays
    for user in ("ann", "bob", "eva"):
        scores = arrays.objects.vector @ arrays.users.vector[state.users.get(user)]
        objects = LatentNearest(popularity=0.0).propose(asked(user), 100).objects
        assert (np.diff(scores[objects]) <= 0).all()
        assert sorted(objects.tolist()) == [1, 2, 3, 4, 5]  # n1 has no vector


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_what_nobody_has_met_is_not_proposed(source: Source, asked: Asked) -> None:
    assert "n1" not in named(asked("ann"), source)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_pool_is_searched_and_not_only_filtered(source: Source, asked: Asked) -> None:
    for limit in (1, 100):
        found = named(asked("ann", pool="free"), source, limit)
        assert found
        assert set(found) <= {"a2", "b1"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_shorter_list_is_the_beginning_of_a_longer_one(source: Source, asked: Asked) -> None:
    longest = named(asked("bob"), source)
    assert len(set(longest)) == len(longest)
    for limit in range(1, 7):
        assert named(asked("bob"), source, limit) == longest[:limit]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_proposal_has_its_reason(source: Source, asked: Asked) -> None:
    proposals = source.propose(asked("ann"), 100)
    assert len(proposals.reasons) == len(proposals.objects)
    assert all(proposals.reasons)


def test_a_new_user_gets_what_is_popular_and_nothing_else(asked: Asked) -> None:
    query = asked("nobody has heard of me")
    assert named(query, POPULAR)[0] == "a1"
    assert named(query, ItemToItem()) == []
    assert named(query, LatentNearest()) == []


def test_an_object_that_came_after_the_index_does_no_harm(state: State, asked: Asked) -> None:
    query = asked("ann")
    for i in range(100):
        user = "ann" if i >= 80 else f"someone{i}"
        state.update(Event(user, f"later{i}", Outcome.PLAY, 40.0 + i))
    for source in SOURCES:
        assert all(name in state.objects for name in named(query, source))
    assert named(query, ItemToItem()) == []  # the latest 20 are all unknown to the index
    assert "later99" in named(query, POPULAR, limit=200)


DEGREES = {"0": 0.0, "10": 10.0, "30": 30.0, "90": 90.0, "180": 180.0, "-100": -100.0}
"""Objects by where they lie on a circle; nobody has met them unless a test says so."""


@pytest.fixture
def circle() -> State:
    angles = np.radians(list(DEGREES.values()))
    points = np.column_stack([np.cos(angles), np.sin(angles)])
    content = unit_vectors("sound", tuple(DEGREES), points)
    state = new_state(content=content)
    state.add_content(content)
    return state


def circle_query(state: State, user: str, *, pool: tuple[str, ...] | None = None) -> Query:
    members = None
    if pool is not None:
        members = np.zeros(len(state.arrays.objects.counts), bool)
        members[[state.objects.get(obj) for obj in pool]] = True
    retrieval = fit_retrieval(state, seed=0)
    request = RecommendRequest(UserRef(user))
    return Query(request, state, retrieval, state.users.get(user), 10.0, 10.0, members)


def test_content_nearest_finds_what_nobody_has_met(circle: State) -> None:
    circle.update(Event("ann", "0", Outcome.PLAY, 0.0))
    query = circle_query(circle, "ann")
    assert named(query, ContentNearest(), 4) == ["0", "10", "30", "90"]
    proposals = ContentNearest().propose(query, 2)
    assert proposals.reasons == ("content near to your taste",) * 2


def test_content_nearest_looks_at_each_of_the_latest_objects_not_only_at_their_mean(
    circle: State,
) -> None:
    for second, obj in enumerate(("0", "90")):
        circle.update(Event("ann", obj, Outcome.PLAY, float(second)))
    # 30 lies 15 degrees off the taste, 10 lies 10 degrees off what was heard.
    query = circle_query(circle, "ann")
    assert named(query, ContentNearest())[:4] == ["0", "90", "10", "30"]
    reasons = ContentNearest().propose(query, 4).reasons
    assert reasons[2:] == ("content near to 0", "content near to your taste")


def test_content_nearest_without_a_latest_object_that_has_a_vector_goes_by_taste(
    circle: State,
) -> None:
    circle.update(Event("ann", "180", Outcome.PLAY, 0.0))
    circle.update(Event("ann", "silent", Outcome.PLAY, 1.0))
    assert named(circle_query(circle, "ann"), ContentNearest(recent=1), 2) == ["180", "-100"]


def test_content_nearest_keeps_to_the_pool(circle: State) -> None:
    circle.update(Event("ann", "0", Outcome.PLAY, 0.0))
    pool = ("90", "180", "30")
    assert named(circle_query(circle, "ann", pool=pool), ContentNearest()) == ["30", "90", "180"]


def test_content_nearest_proposes_nothing_without_content_or_taste(
    circle: State,
) -> None:
    plain = new_state()
    plain.update(Event("ann", "0", Outcome.PLAY, 0.0))
    assert named(circle_query(plain, "ann"), ContentNearest()) == []
    circle.update(Event("dumb", "silent", Outcome.PLAY, 0.0))
    for user in ("dumb", "nobody"):
        assert named(circle_query(circle, user), ContentNearest()) == []
