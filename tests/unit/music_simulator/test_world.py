from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidDataError, InvalidRequestError
from domains.music.simulator import Context, World

LIBRARY = Context("my library", "Local playlist more", "local-library")
RADIO = Context("radio", "Radio", "radio")
DAY_S = 86_400


def test_a_world_is_recreated_from_its_file_alone(small_world: World, tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    path.write_text(json.dumps(small_world.to_json()), encoding="utf-8")
    users, tracks = small_world.user_ids[:10], small_world.object_ids[:10]
    t = small_world.start_s + 7 * DAY_S
    again = World.open(path)
    np.testing.assert_array_equal(
        again.probability(users, tracks, RADIO, t), small_world.probability(users, tracks, RADIO, t)
    )
    assert again.to_json() == small_world.to_json()


def test_ids_and_indices_name_the_same_entities(small_world: World) -> None:
    t = small_world.start_s
    by_id = small_world.probability("u0000003", ["t0000001", "t0000002"], LIBRARY, t)
    by_index = small_world.probability(3, np.array([1, 2]), LIBRARY, t)
    np.testing.assert_array_equal(by_id, by_index)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_row_has_the_same_probability_alone_and_in_a_batch(
    small_world: World, data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, 9))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    users = rng.integers(0, len(small_world.population), size)
    tracks = rng.integers(0, len(small_world.catalogue), size)
    times = small_world.start_s + rng.integers(0, 400 * DAY_S, size)
    tabs = rng.choice(["my library", "radio", "", "no such tab"], size)
    types = rng.choice(["radio", "album", ""], size)
    batch = small_world.probability(users, tracks, Context(tabs, None, types), times)
    assert ((batch > 0) & (batch < 1)).all()
    alone = [
        small_world.probability(
            int(users[i]), int(tracks[i]), Context(str(tabs[i]), None, str(types[i])), int(times[i])
        )[0]
        for i in range(size)
    ]
    np.testing.assert_array_equal(batch, alone)


def test_probabilities_are_sigmoids_to_eight_decimals(small_world: World) -> None:
    tracks = np.arange(len(small_world.catalogue))
    answers = small_world.probability(2, tracks, RADIO, small_world.start_s)
    logits = small_world.logit_parts(2, tracks, RADIO, small_world.start_s).total
    np.testing.assert_allclose(answers, 1 / (1 + np.exp(-logits)), atol=0.5001e-8)
    np.testing.assert_array_equal(answers, np.round(answers, 8))


def test_an_empty_batch_has_no_probabilities(small_world: World) -> None:
    assert small_world.probability([], [], Context(), []).shape == (0,)


def test_the_parts_add_up_to_the_logit(small_world: World) -> None:
    parts = small_world.logit_parts(0, np.arange(50), RADIO, small_world.start_s)
    together = parts.taste + parts.user + parts.object + parts.context + parts.content
    np.testing.assert_allclose(parts.total, together + small_world.intercept)


def test_a_missing_context_has_the_mean_effect_of_the_log(small_world: World) -> None:
    unknown = small_world.logit_parts(0, 0, Context(), small_world.start_s)
    assert unknown.context[0] == 0.0
    for words in (Context(None, None, None), Context("moon", "", "cheese")):
        again = small_world.logit_parts(0, 0, words, small_world.start_s)
        assert again.context[0] == 0.0


def test_words_missing_in_the_ways_of_tables_are_missing(small_world: World) -> None:
    tabs = np.array(["radio", None, float("nan")], dtype=object)
    effects = small_world.logit_parts(0, 0, Context(tabs), np.full(3, small_world.start_s)).context
    assert effects[0] < 0
    assert effects[1] == effects[2] == 0.0


def test_the_screen_says_nothing_beyond_tab_and_type(small_world: World) -> None:
    one = small_world.probability(0, 0, Context("discover", "Unknown", "album"), 0)
    other = small_world.probability(0, 0, Context("discover", None, "album"), 0)
    assert one == other


def test_taste_drifts_smoothly_and_comes_far_in_months(small_world: World) -> None:
    users = np.arange(len(small_world.population))
    tracks = users % len(small_world.catalogue)

    def taste(day: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        t = small_world.start_s + day * DAY_S
        return small_world.logit_parts(users, tracks, Context(), t).taste

    def rms(days: float) -> float:
        return float(np.sqrt(np.mean((taste(days) - taste(0)) ** 2)))

    assert rms(0.1) < 0.01
    assert rms(1) < rms(15) < rms(75)
    assert rms(75) > 0.2 * taste(0).std()


def test_tracks_of_an_artist_are_alike_in_taste(world: World) -> None:
    tracks = world.catalogue
    order = np.argsort(tracks.artists, kind="stable")
    first, second = order[:-1], order[1:]
    same = tracks.artists[first] == tracks.artists[second]
    cosines = (tracks.taste[first] * tracks.taste[second]).sum(axis=1)
    assert cosines[same].mean() > 0.3
    assert abs(cosines[~same].mean()) < 0.1


def test_entities_of_no_such_world_are_refused_by_name(small_world: World) -> None:
    with pytest.raises(InvalidRequestError, match=r"users\[1\].*u9999999"):
        small_world.probability(["u0000000", "u9999999"], ["t0000000"], Context(), 0)
    with pytest.raises(InvalidRequestError, match=r"objects\[0\].*nonsense"):
        small_world.probability(["u0000000"], ["nonsense"], Context(), 0)
    with pytest.raises(InvalidRequestError, match=r"users\[0\].*-1"):
        small_world.probability(np.array([-1]), ["t0000000"], Context(), 0)


def test_lengths_that_do_not_fit_are_refused(small_world: World) -> None:
    with pytest.raises(InvalidRequestError, match="3 users, 2 objects"):
        small_world.probability(np.arange(3), np.arange(2), Context(), 0)
    with pytest.raises(InvalidRequestError, match="context"):
        small_world.probability(np.arange(3), np.arange(3), Context(["radio", "radio"]), 0)
    with pytest.raises(InvalidRequestError, match="times"):
        small_world.probability(0, 0, Context(), float("nan"))


@pytest.mark.parametrize(("events", "seed"), [(999, 1), (5_000, -1)])
def test_worlds_too_small_or_without_a_seed_are_refused(events: int, seed: int) -> None:
    with pytest.raises(InvalidRequestError, match=r"events|seed"):
        World(events, seed)


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "{}",
        '{"format": "something else"}',
    ],
)
def test_a_file_that_is_no_world_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "world.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidDataError, match="not a world"):
        World.open(path)


def test_a_world_file_with_edited_parameters_is_refused(small_world: World, tmp_path: Path) -> None:
    plain = json.loads(json.dumps(small_world.to_json()))
    plain["parameters"]["taste_sd"] = 2.0
    path = tmp_path / "world.json"
    path.write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(InvalidDataError, match="checksum"):
        World.open(path)


def test_a_missing_world_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="not a world"):
        World.open(tmp_path / "world.json")
