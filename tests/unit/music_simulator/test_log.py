from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from domains.music.simulator import Context, FirstPlays, World, draw_first_plays
from domains.music.simulator.events import draw_all_plays

DAY_S = 86_400


def test_the_log_has_the_plays_asked_for_in_order_of_time(
    small_world: World, small_log: FirstPlays
) -> None:
    assert len(small_log) == small_world.events
    assert (np.diff(small_log.times_s) >= 0).all()
    assert small_log.times_s[0] >= small_world.start_s
    assert small_log.times_s[-1] < small_world.end_s


@pytest.mark.parametrize("events", [1_000, 1_001, 2_500, 20_000])
def test_worlds_of_any_size_have_exactly_their_events(events: int) -> None:
    assert len(draw_first_plays(World(events, seed=2))) == events


def test_a_first_play_is_the_first_of_its_pair(small_log: FirstPlays) -> None:
    pairs = set(zip(small_log.users.tolist(), small_log.objects.tolist(), strict=True))
    assert len(pairs) == len(small_log)


def test_nobody_listens_before_they_come_or_a_track_is_out(
    small_world: World, small_log: FirstPlays
) -> None:
    people, tracks = small_world.population, small_world.catalogue
    assert (small_log.times_s >= people.starts_s[small_log.users]).all()
    assert (small_log.times_s >= people.registered_s[small_log.users]).all()
    assert (small_log.times_s < people.ends_s[small_log.users]).all()
    assert (small_log.times_s >= tracks.released_s[small_log.objects]).all()


def test_the_oracle_is_what_the_world_answers(small_world: World, small_log: FirstPlays) -> None:
    rows = [small_world.parameters.contexts[row] for row in small_log.contexts]
    context = Context(
        [row.tab for row in rows], [row.screen for row in rows], [row.type for row in rows]
    )
    answers = small_world.probability(
        small_world.user_ids[small_log.users],
        small_world.object_ids[small_log.objects],
        context,
        small_log.times_s,
    )
    np.testing.assert_array_equal(answers, small_log.probabilities)


def test_labels_are_drawn_from_the_oracle(log: FirstPlays) -> None:
    for low in np.arange(0.0, 1.0, 0.1):
        rows = (log.probabilities >= low) & (log.probabilities < low + 0.1)
        error = np.sqrt(0.25 / rows.sum())
        assert abs(log.labels[rows].mean() - log.probabilities[rows].mean()) < 4 * error


def test_the_same_world_has_the_same_log_and_another_seed_another(
    small_world: World, small_log: FirstPlays
) -> None:
    again = draw_first_plays(World(small_world.events, small_world.seed))
    np.testing.assert_array_equal(again.objects, small_log.objects)
    np.testing.assert_array_equal(again.labels, small_log.labels)
    other = draw_first_plays(World(small_world.events, small_world.seed + 1))
    assert (other.objects != small_log.objects).any()


def test_a_later_start_moves_the_whole_log(small_world: World, small_log: FirstPlays) -> None:
    later = World(small_world.events, small_world.seed, start_s=small_world.start_s + 900 * DAY_S)
    moved = draw_first_plays(later)
    np.testing.assert_array_equal(moved.times_s - 900 * DAY_S, small_log.times_s)
    np.testing.assert_array_equal(moved.objects, small_log.objects)


def test_users_and_tracks_arrive_over_time(world: World, log: FirstPlays) -> None:
    late = log.times_s > world.start_s + 100 * DAY_S
    early_users, early_tracks = np.unique(log.users[~late]), np.unique(log.objects[~late])
    new_users = ~np.isin(log.users[late], early_users)
    new_tracks = ~np.isin(log.objects[late], early_tracks)
    assert 0.005 < new_users.mean() < 0.2
    assert 0.03 < new_tracks.mean() < 0.3


def test_who_listens_to_what_reveals_taste(world: World, log: FirstPlays) -> None:
    """What collaborative filtering learns from the first 70 % of the log holds in the rest."""
    cut = int(0.7 * len(log))
    shape = (len(world.population), len(world.catalogue))
    plays = csr_matrix((np.ones(cut), (log.users[:cut], log.objects[:cut])), shape=shape)
    by_user, by_track = (np.asarray(plays.sum(axis=axis)).ravel() for axis in (1, 0))
    scaled = plays.multiply(1 / np.sqrt(by_user[:, None] + 10)).multiply(
        1 / np.sqrt(by_track[None, :] + 10)
    )
    left, strengths, right = svds(csr_matrix(scaled), k=17, random_state=0)
    tastes = left[:, :-1] * np.sqrt(strengths[:-1])  # the strongest axis is popularity
    tracks = right.T[:, :-1] * np.sqrt(strengths[:-1])
    rows = np.arange(cut, len(log))
    rows = rows[(by_user[log.users[rows]] >= 20) & (by_track[log.objects[rows]] >= 10)]
    u, o = log.users[rows], log.objects[rows]
    learned = (tastes[u] * tracks[o]).sum(axis=1)
    learned /= np.linalg.norm(tastes[u], axis=1) * np.linalg.norm(tracks[o], axis=1)
    truth = world.logit_parts(u, o, Context(), log.times_s[rows]).taste
    assert 0.3 < np.corrcoef(learned, truth)[0, 1] < 0.9


def test_positive_pairs_return_within_the_horizon_and_negative_ones_do_not(
    small_world: World, small_log: FirstPlays
) -> None:
    plays = draw_all_plays(small_world, small_log)
    assert (np.diff(plays.times_s) >= 0).all()
    first_times: dict[tuple[int, int], int] = {}
    returned: set[tuple[int, int]] = set()
    came_late = 0
    for user, track, t, first in zip(
        plays.users.tolist(),
        plays.objects.tolist(),
        plays.times_s.tolist(),
        plays.first_play.tolist(),
        strict=True,
    ):
        pair = (user, track)
        assert (pair not in first_times) == (first >= 0)
        if pair not in first_times:
            first_times[pair] = t
        elif t - first_times[pair] <= small_world.parameters.horizon_s:
            returned.add(pair)
        else:
            came_late += 1
    assert came_late > 0
    assert len(first_times) == len(small_log)
    closed = small_world.end_s - small_world.parameters.horizon_s
    for row in range(len(small_log)):
        pair = (int(small_log.users[row]), int(small_log.objects[row]))
        if small_log.times_s[row] < closed:
            assert (pair in returned) == small_log.labels[row]
        elif pair in returned:
            assert small_log.labels[row]


def test_every_first_play_is_named_once_among_all_plays(
    small_world: World, small_log: FirstPlays
) -> None:
    plays = draw_all_plays(small_world, small_log)
    rows = np.flatnonzero(plays.first_play >= 0)
    named = plays.first_play[rows]
    np.testing.assert_array_equal(np.sort(named), np.arange(len(small_log)))
    np.testing.assert_array_equal(plays.objects[rows], small_log.objects[named])
    np.testing.assert_array_equal(plays.contexts[rows], small_log.contexts[named])
