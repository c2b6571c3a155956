"""Soundtracks of stories from a real bundle with a real sound library."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.log import Outcome as LogOutcome
from core.recommend.stories import spelling
from domains.music.audio.clips import CLIPS_DIRECTORY
from domains.music.audio.library import SoundLibrary
from domains.music.track_audio import tracks_of_library
from encore_client import (
    NO_RETRIES,
    AdminClient,
    ClientOptions,
    EncoreClient,
    FateStage,
    InvalidRequestError,
    Recommendation,
    Story,
    UnsupportedError,
)
from server.cli import app
from server.testing import ManualClock, RunningServer
from server.testing.bundles import TinyBundle, serving_bundles, train_tiny_bundle

DAY_S = 86_400.0
CLIPS = ("jazz_trumpet_0", "jazz_vibeace_0", "classical_brahms_0", "km_hustle", "km_sneaky_snitch")


def free_tracks(bundle: TinyBundle) -> tuple[str, ...]:
    return tuple(sorted(bundle.log.pools["royalty_free"]))


def column(bundle: TinyBundle, name: str) -> Mapping[str, str]:
    values = bundle.log.objects.columns[name]
    return dict(zip(bundle.log.objects.ids, map(str, values), strict=True))


@pytest.fixture(scope="module")
def library(tiny_music: TinyBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips under the ids of royalty-free tracks."""
    audio = tmp_path_factory.mktemp("audio")
    rows = ["file,track_id"]
    for clip, track_id in zip(CLIPS, free_tracks(tiny_music), strict=False):
        shutil.copy(CLIPS_DIRECTORY / f"{clip}.ogg", audio)
        rows.append(f"{clip}.ogg,{track_id}")
    (audio / "ids.csv").write_text("\n".join(rows), encoding="utf-8")
    out = tmp_path_factory.mktemp("library") / "sounds"
    options = ["--audio", str(audio), "--ids", str(audio / "ids.csv"), "--out", str(out)]
    result = CliRunner().invoke(app, ["genre", "index", *options, "--workers", "1"])
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def bundle(library: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyBundle:
    """The same log as `tiny_music`, with the library."""
    return train_tiny_bundle(tmp_path_factory.mktemp("bundles"), "music", sounds=library)


@pytest.fixture(scope="module")
def database_url(library: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A new database, filled by the command twice."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/encore.sqlite3"
    for _ in range(2):
        options = ["--sounds", str(library), "--database-url", url, "--json"]
        result = CliRunner().invoke(app, ["genre", "previews", *options])
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        assert (told["tracks"], told["previews"]) == (len(CLIPS), len(CLIPS))
    return url


@pytest.fixture(scope="module")
def encore(bundle: TinyBundle, database_url: str) -> Iterator[RunningServer]:
    clock = ManualClock(bundle.end_s + DAY_S)
    with serving_bundles(bundle.root, database_url, clock) as running:
        yield running
        assert not running.parts.log.lines("a part failed")


@pytest.fixture(scope="module")
def client(encore: RunningServer) -> Iterator[EncoreClient]:
    api, options = f"127.0.0.1:{encore.ports.api}", ClientOptions(retry=NO_RETRIES)
    with EncoreClient(api, domain="music", options=options) as connected:
        yield connected


def ids(page: Recommendation) -> list[str]:
    return [item.object_id for item in page.items]


def test_the_pick_is_royalty_free_and_its_runners_up_are_of_other_artists(
    client: EncoreClient, bundle: TinyBundle
) -> None:
    artists = column(bundle, "artist")
    for user in (*bundle.users[:5], "a newcomer", ""):
        page = client.recommend(user, page_size=5, story=Story("s1"))
        assert len(page.items) == 5
        assert set(ids(page)) <= set(free_tracks(bundle))
        named = [artists[i] for i in ids(page) if artists[i]]
        assert len(set(named)) == len(named)


def test_tracks_of_the_asked_genre_come_first(client: EncoreClient, bundle: TinyBundle) -> None:
    genres = column(bundle, "genres")
    free = free_tracks(bundle)
    genre = next(g for i in free for g in genres[i].split("|") if g)
    page = client.recommend("a newcomer", page_size=50, story=Story("s1", [genre]))
    carries = [genre in genres[i].split("|") for i in ids(page)]
    assert carries[0]
    assert carries == sorted(carries, reverse=True)
    assert not any("tag" in told for told in page.fallbacks)


def test_tracks_that_sound_like_the_asked_mood_come_first(
    client: EncoreClient, bundle: TinyBundle, library: Path
) -> None:
    sound = {track.track_id: track for track in tracks_of_library(library)}
    for mood in ("happy", "sad", "Mellow"):
        loudest = {i for i, track in sound.items() if mood in track.moods}
        assert len(loudest) == 1  # a tenth of five
        page = client.recommend("a newcomer", page_size=3, story=Story("s1", [mood.upper()]))
        assert ids(page)[0] in loudest
        assert page.items[0].reasons[0] == "carries 1 of 1 tags of the story"


def test_what_a_library_says_of_a_track_is_what_stories_match(
    bundle: TinyBundle, library: Path
) -> None:
    assert bundle.domain.genre is not None
    genre = bundle.domain.genre.load(bundle.directory / "genre")
    for track in tracks_of_library(library):
        for tag in (*track.moods, *track.genres):
            assert track.track_id in genre.tagged(spelling(tag))
    assert genre.tagged("no such tag") == ()


def test_unknown_tags_are_no_obstacle_and_are_named(client: EncoreClient) -> None:
    page = client.recommend("a newcomer", page_size=5, story=Story("s1", ["gregorian techno"]))
    assert len(page.items) == 5
    assert "nothing carries the story's tags: ranked without them" in page.fallbacks


def test_the_window_is_the_one_that_was_chosen_by_ear(
    client: EncoreClient, library: Path, bundle: TinyBundle
) -> None:
    sounds = SoundLibrary.open(library)
    windows = dict(zip(sounds.track_ids, sounds.previews.tolist(), strict=True))
    story = Story("s1", max_seconds=600)
    page = client.recommend("", candidate_ids=sounds.track_ids, story=story, max_per_facet=0)
    assert len(page.items) == len(CLIPS)
    for item in page.items:
        assert item.preview is not None
        assert [item.preview.start_ms, item.preview.length_ms] == windows[item.object_id]
        assert not item.preview.is_default


def test_what_nobody_listened_to_gets_a_guess_within_its_length(
    client: EncoreClient, library: Path, bundle: TinyBundle
) -> None:
    heard = set(SoundLibrary.open(library).track_ids)
    lengths = bundle.log.objects.columns["length_s"]
    unheard = [i for i in free_tracks(bundle) if i not in heard]
    places = {name: place for place, name in enumerate(bundle.log.objects.ids)}
    story = Story("s1", max_seconds=7)
    page = client.recommend("", candidate_ids=unheard[:50], story=story, max_per_facet=0)
    assert page.items
    for item in page.items:
        assert item.preview is not None
        assert item.preview.is_default
        assert item.preview.length_ms <= 7_000
        length_s = float(lengths[places[item.object_id]])
        if length_s > 0:
            assert item.preview.start_ms == min(30_000, int(1_000 * length_s) // 3)
            assert item.preview.start_ms + item.preview.length_ms <= 1_000 * length_s


def test_a_story_has_one_pick_for_a_user_and_stories_have_several(
    client: EncoreClient, bundle: TinyBundle
) -> None:
    picks = {ids(client.recommend("a newcomer", story=Story(f"s{n}")))[0] for n in range(30)}
    assert len(picks) > 1
    first = client.recommend(bundle.users[0], story=Story("s1"))
    assert ids(client.recommend(bundle.users[0], story=Story("s1"))) == ids(first)


def test_another_pool_may_be_asked_and_an_unknown_one_is_refused(client: EncoreClient) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        client.recommend("ann", pool="nowhere", story=Story("s1"))
    assert [violation.field for violation in caught.value.violations] == ["pool"]


def test_why_not_follows_tracks_through_the_stages_of_stories(
    client: EncoreClient, encore: RunningServer, bundle: TinyBundle
) -> None:
    story = Story("s1", ["jazz"])
    listed = ids(client.recommend("a newcomer", page_size=5, story=story))
    free = set(free_tracks(bundle))
    paid = next(i for i in bundle.objects if i not in free)
    with AdminClient(f"127.0.0.1:{encore.ports.admin}") as admin:
        told = admin.why_not("music", "a newcomer", [*listed, paid], story=story)
    *of_list, outside = told.fates
    assert [fate.rank for fate in of_list] == [1, 2, 3, 4, 5]
    assert outside.stage is FateStage.NOT_PROPOSED
    assert outside.refused_by == ("not in the pool",)
    assert "story" in {place.source for place in outside.sources}


def test_excluded_tracks_stay_out(client: EncoreClient) -> None:
    pick, *_ = ids(client.recommend("a newcomer", story=Story("s1")))
    others = client.recommend("a newcomer", story=Story("s1"), exclude_ids=[pick])
    assert pick not in ids(others)


def test_a_domain_without_sound_says_why_it_picks_none(
    tiny_shopping: TinyBundle, tmp_path: Path
) -> None:
    assert LogOutcome.PURCHASE in tiny_shopping.domain.outcomes
    clock = ManualClock(tiny_shopping.end_s + DAY_S)
    url = f"sqlite:///{tmp_path}/encore.sqlite3"
    with (
        serving_bundles(tiny_shopping.root, url, clock, domains=("shopping",)) as encore,
        EncoreClient(f"127.0.0.1:{encore.ports.api}", domain="shopping") as shop,
        pytest.raises(UnsupportedError, match="its objects have no sound"),
    ):
        shop.recommend("ann", story=Story("s1"))
