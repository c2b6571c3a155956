"""Cold starts on a whole bundle: what lists offer to new users, and to whom they offer new objects.

Three neighbourhoods make the log: listeners of one city play one genre, nearly always.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.content import ContentVectors, unit_vectors
from core.engine import DomainEngine, load_bundle
from core.generic_log import GenericLog
from core.log import EventLog, LabelRule, Outcome
from core.recommend.sources import STANDARD_SOURCES, Popular
from core.requests import FeedbackEvent, Novelty, RecommendRequest, Slate, UserRef
from core.testing_domain import SMALL_DOMAIN, publish_small

DAY_S = 86400.0
START_S = 1.7e9
DAYS = 60.0
CITY = {"folk": "ulm", "jazz": "oslo", "rock": "rome"}
GENRES = tuple(CITY)
ARTISTS, PER_ARTIST, LISTENERS, EVENTS = 20, 4, 20, 6000
STRAY = 0.05
"""Share of plays outside the listener's genre."""
NEW, WITH_SOUND = "folk to come", "jazz to come"
"""Nobody has met either: of one the catalogue is known, of the other also the content."""

# The small schema has two half-lives, one of which proposes.
_SOURCES = tuple(
    Popular(half_life=1, half_lives=2) if isinstance(source, Popular) else source
    for source in STANDARD_SOURCES
)
_LOG = GenericLog(
    domain=SMALL_DOMAIN.name,
    schema=replace(SMALL_DOMAIN.schema, half_lives_s=(2.0 * DAY_S, 20.0 * DAY_S)),
    outcomes=tuple(sorted(SMALL_DOMAIN.outcomes)),
    label_rule=LabelRule(horizon_s=6.0 * DAY_S),
    tie_rule=SMALL_DOMAIN.tie_rule,
)
DOMAIN = replace(
    SMALL_DOMAIN,
    schema=_LOG.schema,
    label_rule=_LOG.label_rule,
    readers={"generic": _LOG.reader()},
    stages=replace(SMALL_DOMAIN.stages, sources=_SOURCES),
)
"""All sources of the shipped domains, and labels that mature soon enough for many past lists."""


def object_ids(genre: str) -> list[str]:
    """Those of a genre, the most popular first; their artists take turns."""
    return [f"{genre} {i}" for i in range(ARTISTS * PER_ARTIST)]


def listeners(genre: str) -> list[str]:
    return [f"{genre} listener {i}" for i in range(LISTENERS)]


def genre_of(object_id: str) -> str:
    return object_id.split(maxsplit=1)[0]


def write_log(directory: Path) -> None:
    """Plays of all listeners, and a few likes: so neither likes nor new objects are unheard of.

    A quarter of the objects come out in the course of the log, at any popularity.
    """
    generator = np.random.default_rng(4)
    size = ARTISTS * PER_ARTIST
    popularity = 1.0 / np.arange(3.0, size + 3.0)
    released_s = np.where(np.arange(size) % 4 == 3, generator.uniform(0.0, DAYS, size), 0.0) * DAY_S
    rows = []
    for moment_s in np.sort(generator.uniform(0.0, DAYS * DAY_S, EVENTS)).round():
        own = GENRES[generator.integers(len(GENRES))]
        user = listeners(own)[generator.integers(LISTENERS)]
        genre = GENRES[generator.integers(len(GENRES))] if generator.random() < STRAY else own
        out = popularity * (released_s <= moment_s)
        obj = object_ids(genre)[generator.choice(size, p=out / out.sum())]
        rows.append((user, obj, int(START_S + moment_s), "play"))
        if generator.random() < 0.1:
            rows.append((user, obj, int(START_S + moment_s) + 1, "like"))
    events = pd.DataFrame(rows, columns=["user_id", "object_id", "timestamp", "outcome"])
    users = [(user, city) for genre, city in CITY.items() for user in listeners(genre)]
    objects = [
        (obj, genre, f"{genre} artist {i % ARTISTS}")
        for genre in GENRES
        for i, obj in enumerate(object_ids(genre))
    ]
    objects += [(NEW, "folk", "folk artist 0"), (WITH_SOUND, "jazz", "jazz artist 0")]
    directory.mkdir()
    events.to_csv(directory / "events.csv", index=False)
    pd.DataFrame(users, columns=["user_id", "city"]).to_csv(directory / "users.csv", index=False)
    pd.DataFrame(objects, columns=["object_id", "genres", "artist"]).to_csv(
        directory / "objects.csv", index=False
    )


def sounds() -> ContentVectors:
    """Each genre lies along an axis of its own."""
    generator = np.random.default_rng(5)
    ids = [obj for genre in GENRES for obj in object_ids(genre)] + [WITH_SOUND]
    axes = [GENRES.index(genre_of(obj)) for obj in ids]
    vectors = np.eye(len(GENRES))[axes] + generator.normal(0.0, 0.05, (len(ids), len(GENRES)))
    return unit_vectors("sound", ids, vectors)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, EventLog]:
    root = tmp_path_factory.mktemp("cold start")
    write_log(root / "log")
    log = DOMAIN.readers["generic"].read(root / "log")
    return publish_small(root / "bundles", log, content=sounds(), domain=DOMAIN)[0], log


@pytest.fixture
def engine(bundle: tuple[Path, EventLog]) -> DomainEngine:
    return DomainEngine(DOMAIN, load_bundle(bundle[0], DOMAIN))


def top(slate: Slate, size: int = 10) -> list[str]:
    return [item.object_id for item in slate.items[:size]]


def counts(slate: Slate) -> dict[str, int]:
    """Genre -> how many of the first ten are of it."""
    genres = [genre_of(object_id) for object_id in top(slate)]
    return {genre: genres.count(genre) for genre in GENRES}


def ask(engine: DomainEngine, user: UserRef, *, size: int = 100, new_only: bool = False) -> Slate:
    novelty = Novelty.NEW_ONLY if new_only else Novelty.ANY
    return engine.recommend(
        RecommendRequest(user, size=size, novelty=novelty), engine.clock_s + 7200.0
    )


@pytest.mark.parametrize("genre", GENRES)
def test_a_new_user_with_attributes_alone_gets_what_people_like_them_choose(
    engine: DomainEngine, genre: str
) -> None:
    slate = ask(engine, UserRef("", {"city": CITY[genre]}))
    assert counts(slate)[genre] >= 8
    assert "popular among people like you" in slate.items[0].reasons
    assert slate.fallbacks == ("new user: nothing of the past is known",)


def test_a_new_user_of_whom_nothing_is_known_gets_what_is_popular_and_is_told(
    engine: DomainEngine, bundle: tuple[Path, EventLog]
) -> None:
    log = bundle[1]
    slate = ask(engine, UserRef())
    assert slate.fallbacks == ("new user: nothing of the past is known",)
    assert {source for item in slate.items for source in item.sources} == {"popular"}
    plays = np.bincount(log.object_index[log.outcome == "play"], minlength=len(log.objects))
    of = dict(zip(log.objects.ids, plays.tolist(), strict=True))
    shown, all_met = [of[i] for i in top(slate)], plays[plays > 0]
    assert np.mean(shown) > np.quantile(all_met, 0.75)
    assert min(shown) > np.median(all_met)
    # No neighbourhood is theirs: each has a place.
    assert all(counts(slate).values())


@pytest.mark.parametrize("genre", GENRES)
def test_three_likes_of_one_genre_give_mostly_its_neighbourhood(
    engine: DomainEngine, genre: str
) -> None:
    liked = [object_ids(genre)[i] for i in (2, 6, 9)]
    for sequence, object_id in enumerate(liked, 1):
        at_s = engine.clock_s + 60.0
        engine.apply(FeedbackEvent(sequence, "newcomer", object_id, Outcome.LIKE, at_s))
    slate = ask(engine, UserRef("newcomer"))
    assert counts(slate)[genre] >= 7
    assert not slate.fallbacks
    proposed_by = {source for item in slate.items for source in item.sources}
    assert {"item_to_item", "weighted_item_to_item", "similar_users", "als", "bpr"} <= proposed_by


def test_a_dislike_of_all_three_takes_them_away(engine: DomainEngine) -> None:
    disliked = object_ids("folk")[:3]
    for sequence, object_id in enumerate(disliked, 1):
        at_s = engine.clock_s + 60.0
        engine.apply(FeedbackEvent(sequence, "newcomer", object_id, Outcome.DISLIKE, at_s))
    assert not set(disliked) & set(top(ask(engine, UserRef("newcomer")), 100))


def places(engine: DomainEngine, genre: str, object_id: str, freshness: float = 0.0) -> list[int]:
    """For each listener of a genre: the place of an object among what they never had, or 100."""
    found = []
    for user in listeners(genre)[:8]:
        request = RecommendRequest(
            UserRef(user),
            size=100,
            novelty=Novelty.NEW_ONLY,
            freshness=freshness,
            # Artists have four objects and more: none is in the way of another here.
            max_per_facet=PER_ARTIST + 1,
        )
        list_ = top(engine.recommend(request, engine.clock_s + 7200.0), 100)
        found.append(list_.index(object_id) if object_id in list_ else 100)
    return found


@pytest.mark.parametrize(("object_id", "home"), [(NEW, "folk"), (WITH_SOUND, "jazz")])
def test_a_new_object_reaches_the_listeners_of_its_like_before_all_others(
    engine: DomainEngine, object_id: str, home: str
) -> None:
    of_others = [p for g in GENRES if g != home for p in places(engine, g, object_id)]
    assert max(places(engine, home, object_id)) < min(of_others)


@pytest.mark.parametrize(("object_id", "home"), [(NEW, "folk"), (WITH_SOUND, "jazz")])
def test_a_request_that_wants_freshness_brings_new_objects_further_up(
    engine: DomainEngine, object_id: str, home: str
) -> None:
    assert np.median(places(engine, home, object_id, 0.3)) < 30
    assert np.median(places(engine, home, object_id)) > 30
