"""Stories: tags first, close probabilities by story and user, and nothing outside of the pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from core.log import Entities
from core.recommend.allowed import allowed_objects
from core.recommend.contracts import Query, Ranking, Stages
from core.recommend.filters import InPool, OfFacets
from core.recommend.pipeline import asked_of
from core.recommend.rerankers import CapPerFacet, Exploration, MarginalRelevance
from core.recommend.shortlist import shortlist
from core.recommend.slate import rank
from core.recommend.sources import Popular
from core.recommend.stories import (
    SPREAD,
    STORY_SOURCE_LIMIT,
    DrawnForStory,
    Stories,
    StoryOrder,
    StoryRules,
    draw,
    spelling,
)
from core.requests import FacetFilter, Novelty, RecommendRequest, Slate, Story, UserRef
from core.retrieval.index import fit_retrieval
from core.state.state import NOBODY, State
from core.testing_logs import new_state

GENRES = {"a": "Hip-Hop|rock", "b": "rock", "c": "jazz", "d": "", "e": "rock", "f": "jazz"}
ARTISTS = {"a": "x", "b": "y", "c": "x", "d": "z", "e": "y", "f": ""}
FREE = frozenset("abcd")
HAPPY = ("c", "d", "f", "never in the catalogue")
RULES = StoryRules(
    pool="free",
    facets=("genres",),
    length_field="length",
    sources=(Popular(half_life=0),),
    rerankers=(CapPerFacet(cap=1), MarginalRelevance(), Exploration()),
)
DOMAIN = Stages(sources=(), filters=(InPool(), OfFacets()), rerankers=())
IDS = tuple(GENRES)


@pytest.fixture
def state() -> State:
    """Six objects that nobody has met."""
    state = new_state()
    n = len(IDS)
    columns: dict[str, np.ndarray] = {
        "language": np.full(n, "", dtype=object),
        "genres": np.array(list(GENRES.values()), dtype=object),
        "artist": np.array(list(ARTISTS.values()), dtype=object),
        "length": np.array([100.0, np.nan, 0.0, 50.0, 10.0, 20.0]),
        "released_at": np.full(n, np.nan),
    }
    nobody = {
        name: np.zeros(0, dtype=object if name == "city" else float)
        for name in ("city", "age", "joined_at")
    }
    state.add_entities(Entities((), nobody), Entities(IDS, columns), {"free": FREE})
    return state


@pytest.fixture
def stories(state: State) -> Stories:
    return Stories(RULES, DOMAIN, state, lambda tag: HAPPY if tag == "happy" else ())


Asked = Callable[..., Query]


@pytest.fixture
def asked(state: State, stories: Stories) -> Asked:
    """Makes the query of a story: `asked("s1", "happy", user="ann", exclude_ids=("a",))`."""
    retrieval = fit_retrieval(state, seed=1)

    def ask(story_id: str, *tags: str, user: str = "ann", **fields: object) -> Query:
        story = Story(story_id, tags)
        bare = RecommendRequest(UserRef(user), story=story, **fields)  # type: ignore[arg-type]
        request = stories.with_pool(bare)
        known = state.users.get(user)
        return Query(
            request=request,
            state=state,
            retrieval=retrieval,
            user=known,
            now_s=0.0,
            user_now_s=0.0,
            pool=allowed_objects(state, request, known, facets=True),
            preference=stories.preference(request, known),
        )

    return ask


def slate(stories: Stories, query: Query, probability: float | Mapping[str, float] = 0.5) -> Slate:
    def fail(source: str, error: Exception) -> None:
        raise AssertionError(source) from error

    candidates = shortlist(query, stories.stages, fail)
    candidates.fallbacks += stories.fallbacks(query, candidates)
    names = map(query.state.objects.string, candidates.objects.tolist())
    scores = np.array([p if isinstance(p := probability, float) else p[name] for name in names])
    return rank(query, stories.stages.rerankers, candidates, scores)


def ids(slate: Slate) -> list[str]:
    return [item.object_id for item in slate.items]


def ordered(query: Query, objects: np.ndarray, scores: np.ndarray) -> list[int]:
    """What the order of the story makes of one tier."""
    ranking = Ranking(objects, scores, np.zeros(len(objects), np.int8))
    picked = StoryOrder().pick(query, ranking)
    assert picked.draws is None
    assert picked.utilities is not None
    assert (np.diff(picked.utilities) <= 0).all()
    return list(objects[picked.positions].tolist())


@pytest.mark.parametrize(
    "tag", ["Hip-Hop", "hip hop", " HIP_HOP ", "hip  -  hop", "ｈｉｐ－ｈｏｐ"]
)
def test_a_tag_has_one_spelling(tag: str) -> None:
    assert spelling(tag) == "hip hop"


def test_a_tag_of_signs_alone_stays_what_it_is() -> None:
    assert spelling(" !!! ") == "!!!"


def test_a_story_draws_from_its_pool_unless_the_request_says_from_what(stories: Stories) -> None:
    bare = RecommendRequest(UserRef("ann"), story=Story("s"))
    assert stories.with_pool(bare).pool == "free"
    for own in (replace(bare, pool="other"), replace(bare, candidate_ids=("a",))):
        assert stories.with_pool(own) == own


def test_objects_count_the_tags_they_carry_by_facet_and_by_sound(asked: Asked) -> None:
    preference = asked("s", "Happy", "JAZZ", "hip hop", "hip-hop", "").preference
    assert preference is not None
    assert dict(zip(IDS, preference[1:7].tolist(), strict=True)) == {
        "a": 1,  # one tag, however often and in whatever spelling
        "b": 0,
        "c": 2,
        "d": 1,
        "e": 0,
        "f": 0,  # not in the pool
    }


def test_beside_explicit_candidates_nothing_is_preferred(asked: Asked) -> None:
    preference = asked("s", "rock", candidate_ids=("b", "c", "unknown")).preference
    assert preference is not None
    assert np.flatnonzero(preference).tolist() == [2]


def test_a_story_without_tags_prefers_nothing(asked: Asked) -> None:
    assert asked("s").preference is None
    assert asked("s", "  ").preference is None


@pytest.mark.parametrize("wishes", [{}, {"diversity": 1.0}, {"exploration": 1.0, "seed": 3}])
def test_what_carries_more_tags_comes_first_whatever_the_scores_and_wishes(
    stories: Stories, asked: Asked, wishes: dict[str, float]
) -> None:
    query = asked("s", "happy", "jazz", max_per_facet=0, **wishes)
    found = ids(slate(stories, query, {"a": 0.9, "b": 0.8, "c": 0.1, "d": 0.2}))
    assert found[:2] == ["c", "d"]  # c carries both, d one
    assert sorted(found[2:]) == ["a", "b"]


def test_what_only_falls_back_comes_after_all_that_matches_by_tags_in_each(
    stories: Stories, asked: Asked
) -> None:
    rock = (FacetFilter("genres", ("rock",)),)
    query = asked("s", "happy", "hip hop", facet_filters=rock, fall_back=True, max_per_facet=0)
    scores = {"a": 0.1, "b": 0.9, "c": 0.1, "d": 0.9}
    found = slate(stories, query, scores)
    assert ids(found) == ["a", "b", "d", "c"]  # of a and b only a carries a tag, c and d both do
    strict = asked("s", "happy", facet_filters=rock, max_per_facet=0)
    assert sorted(ids(slate(stories, strict))) == ["a", "b"]


def test_learned_quotas_never_lie_above_the_limit_of_stories(
    stories: Stories, asked: Asked
) -> None:
    query = asked("s", "rock")
    most = STORY_SOURCE_LIMIT  # ann has met nothing that could rest
    assert asked_of(query, "popular", stories.stages, {"popular": 200}) == most
    assert asked_of(query, "popular", stories.stages, {"popular": 7}) == 7
    assert asked_of(query, "story", stories.stages, {"popular": 7}) == most


def test_the_pick_and_its_runners_up_are_of_the_pool_and_of_different_artists(
    stories: Stories, asked: Asked
) -> None:
    for n in range(20):
        found = ids(slate(stories, asked(f"s{n}", "rock")))
        assert set(found) <= FREE
        artists = [ARTISTS[i] for i in found]
        assert len(set(artists)) == len(artists) == 3
        assert found[0] in {"a", "b"}


def test_objects_that_nobody_has_met_are_found(stories: Stories, asked: Asked) -> None:
    (first, *_) = slate(stories, asked("s", "happy", "jazz")).items
    assert (first.object_id, first.sources) == ("c", ("story",))
    assert first.reasons == ("carries 2 of 2 tags of the story",)


def test_when_nothing_carries_the_tags_the_list_says_so_and_is_filled(
    stories: Stories, asked: Asked
) -> None:
    found = slate(stories, asked("s", "polka"))
    assert len(ids(found)) == 3
    assert "nothing carries the story's tags: ranked without them" in found.fallbacks


def test_an_unknown_tag_beside_known_ones_is_named(stories: Stories, asked: Asked) -> None:
    assert (
        "unknown tag of the story: polka" in slate(stories, asked("s", "rock", "polka")).fallbacks
    )
    known = slate(stories, asked("s", "rock", "happy")).fallbacks
    assert not [told for told in known if "tag" in told]


def test_an_empty_pool_gives_nothing_and_says_so(
    stories: Stories, asked: Asked, state: State
) -> None:
    state.arrays.objects.pools[:] = False
    found = slate(stories, asked("s", "rock"))
    assert not found.items
    assert "the pool free is empty" in found.fallbacks


def test_a_pool_of_which_nothing_is_allowed_is_not_empty(stories: Stories, asked: Asked) -> None:
    found = slate(stories, asked("s", "rock", novelty=Novelty.KNOWN_ONLY))
    assert not found.items
    assert not [told for told in found.fallbacks if "empty" in told]


def test_the_same_story_and_user_get_the_same_list_every_time(
    stories: Stories, asked: Asked
) -> None:
    for story in ("s1", "s2"):
        assert len({tuple(ids(slate(stories, asked(story, "rock")))) for _ in range(3)}) == 1


def test_stories_and_users_get_different_picks_where_probabilities_are_equal(
    stories: Stories, asked: Asked
) -> None:
    assert {ids(slate(stories, asked(f"s{n}")))[0] for n in range(40)} == set(FREE)
    assert {ids(slate(stories, asked("s", user=f"u{n}")))[0] for n in range(40)} == set(FREE)


def test_a_clearly_better_object_is_picked_by_every_story(asked: Asked, state: State) -> None:
    objects = np.array([state.objects.get(i) for i in "abcd"], np.int32)
    # Gumbel noise of 30 spreads does not happen: exp(-30) a draw.
    odds = np.array([0.0, 30 * SPREAD, 0.0, 0.0])
    scores = 1 / (1 + np.exp(-odds))
    for n in range(100):
        assert ordered(asked(f"s{n}"), objects, scores)[0] == objects[1]


def test_the_order_of_candidates_changes_nothing(asked: Asked, state: State) -> None:
    query = asked("s", "rock")
    objects = np.array([state.objects.get(i) for i in "abcd"], np.int32)
    scores = np.array([0.5, 0.52, 0.5, np.nan])
    orders = set()
    for permutation in permutations(range(4)):
        places = list(permutation)
        shuffled = objects[places]
        finite = np.nan_to_num(scores[places], nan=-1.0)
        orders.add(tuple(ordered(query, shuffled, finite)))
    assert len(orders) == 1
    assert next(iter(orders))[-1] == state.objects.get("d")


def test_draws_are_uniform_and_of_the_object_alone(asked: Asked) -> None:
    query = asked("s")
    many = draw(query, np.arange(1, 50_001, dtype=np.int32))
    assert 0.0 < many.min() < many.max() < 1.0
    histogram = np.histogram(many, bins=10, range=(0, 1))[0]
    assert np.all(np.abs(histogram - 5_000) < 300)  # above four standard deviations
    assert draw(query, np.array([777], np.int32))[0] == many[776]


def test_the_draw_proposes_nothing_outside_of_the_pool_and_at_most_the_limit(asked: Asked) -> None:
    proposals = DrawnForStory().propose(asked("s"), 3)
    assert len(proposals.objects) == len(set(proposals.objects.tolist())) == 3
    assert set(proposals.objects.tolist()) <= {1, 2, 3, 4}
    everything = DrawnForStory().propose(asked("s", candidate_ids=("a",)), 100)
    assert sorted(everything.objects.tolist()) == [1, 2, 3, 4, 5, 6]


def test_lengths_are_those_of_the_catalogue(stories: Stories) -> None:
    found = stories.lengths_s(np.array([1, 2, 3, 4, 0], np.int32))
    np.testing.assert_array_equal(found, [100.0, np.nan, np.nan, 50.0, np.nan])


def test_a_track_of_the_library_that_comes_later_is_matched_from_then_on(
    stories: Stories, state: State, asked: Asked
) -> None:
    everything = RecommendRequest(UserRef("ann"), story=Story("s", ("happy",)))
    before = stories.preference(everything, NOBODY)
    assert before is not None
    assert before.sum() == 3
    state.objects.add("never in the catalogue")
    state._grow()
    after = stories.preference(everything, NOBODY)
    assert after is not None
    assert after.sum() == 4


def test_explicit_candidates_are_ordered_by_the_story_too(stories: Stories, asked: Asked) -> None:
    query = asked("s", "happy", candidate_ids=("a", "b", "e", "f"))
    assert ids(slate(stories, query))[0] == "f"
