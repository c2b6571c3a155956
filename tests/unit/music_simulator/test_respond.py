from __future__ import annotations

import numpy as np
import pytest

from core.errors import InvalidRequestError
from domains.music.simulator import Context, World


def test_a_list_is_read_from_the_top_and_only_what_is_read_is_taken(small_world: World) -> None:
    rng = np.random.default_rng(5)
    lengths = []
    for user in range(15):
        tracks = rng.permutation(len(small_world.catalogue))[:30]
        answer = small_world.respond(user, tracks, Context(), small_world.end_s, rng)
        assert answer.examined[0]
        assert not (np.diff(answer.examined.astype(int)) > 0).any()
        assert not (answer.taken & ~answer.examined).any()
        assert not (answer.returned & ~answer.taken).any()
        lengths.append(answer.examined.sum())
    assert 1 <= min(lengths) < max(lengths) <= 30


def test_the_same_generator_gives_the_same_answer(small_world: World) -> None:
    first, again = (
        small_world.respond(
            "u0000004", np.arange(20), Context(), small_world.end_s, np.random.default_rng(9)
        )
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.taken, again.taken)
    np.testing.assert_array_equal(first.returned, again.returned)


def test_an_empty_list_gets_an_empty_answer(small_world: World) -> None:
    answer = small_world.respond(0, [], Context(), small_world.end_s, np.random.default_rng(1))
    assert answer.examined.shape == answer.taken.shape == answer.returned.shape == (0,)


def test_lists_to_a_users_taste_are_taken_more_often_than_popular_ones(world: World) -> None:
    t = world.end_s
    rng = np.random.default_rng(3)
    every_track = np.arange(len(world.catalogue))
    by_popularity = np.argsort(-world.catalogue.popularity, kind="stable")[:10]
    taken = {"taste": 0, "popular": 0, "random": 0}
    for user in range(200):
        by_taste = np.argsort(-world.attraction(user, every_track, t), kind="stable")[:10]
        for name, tracks in (
            ("taste", by_taste),
            ("popular", by_popularity),
            ("random", rng.permutation(every_track)[:10]),
        ):
            taken[name] += int(world.respond(user, tracks, Context(), t, rng).taken.sum())
    assert taken["taste"] > taken["popular"] > taken["random"] > 0


def test_returns_to_taken_tracks_follow_the_true_probability(world: World) -> None:
    rng = np.random.default_rng(7)
    t = world.end_s
    returned, expected, taken = 0.0, 0.0, 0
    for user in range(300):
        tracks = rng.integers(0, len(world.catalogue), 20)
        answer = world.respond(user, tracks, Context(), t, rng)
        truth = world.probability(user, tracks, Context(), t)
        returned += answer.returned.sum()
        expected += truth[answer.taken].sum()
        taken += int(answer.taken.sum())
    assert taken > 400
    assert abs(returned - expected) < 3 * np.sqrt(0.25 * taken)


def test_a_list_with_an_unknown_track_is_refused(small_world: World) -> None:
    with pytest.raises(InvalidRequestError, match=r"objects\[1\]"):
        small_world.respond(
            0, ["t0000000", "t9999999"], Context(), small_world.end_s, np.random.default_rng(1)
        )
