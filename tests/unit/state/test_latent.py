"""Latent vectors: fold-in equals the factorisation, late objects go where their listeners are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from core.log import EventLog, LabelRule, Outcome, TieRule, build_log
from core.state.arrays import LATENT
from core.state.latent_fit import fit_latent
from core.state.replay import Replay
from core.state.state import Event, State
from core.testing_logs import HORIZON_S, SMALL_SCHEMA, new_state, random_tables


def log_of(pairs: list[tuple[str, str]], artists: dict[str, str] | None = None) -> EventLog:
    """One play a second."""
    objects = pd.DataFrame({"object_id": list(artists or {}), "artist": (artists or {}).values()})
    return build_log(
        "test",
        SMALL_SCHEMA,
        pd.DataFrame(
            {
                "user_id": [u for u, _ in pairs],
                "object_id": [o for _, o in pairs],
                "time_s": np.arange(len(pairs), dtype=float),
            }
        ),
        users=pd.DataFrame({"user_id": []}, dtype=str),
        objects=objects.astype(str),
        label_rule=LabelRule(HORIZON_S),
        tie_rule=TieRule.ROW,
        where="events",
    )


def fitted(log: EventLog, seed: int = 3) -> State:
    state = new_state(TieRule.ROW)
    Replay(state, state.log_arrays(log)).run(len(log))
    fit_latent(state, seed)
    return state


def clusters(n_users: int = 12, n_objects: int = 8) -> list[tuple[str, str]]:
    """Users a* play most of the objects x*, users b* most of y*; a few cross over."""
    rng = np.random.default_rng(0)
    pairs = [
        (f"{who}{u}", f"{what}{o}")
        for who, what in (("a", "x"), ("b", "y"))
        for u in range(n_users)
        for o in range(n_objects)
        if rng.random() < 0.7
    ]
    pairs += [("a0", "y0"), ("b0", "x0")]
    return [pairs[i] for i in rng.permutation(len(pairs))]


def play(state: State, user: str, obj: str, outcome: Outcome = Outcome.PLAY) -> None:
    state.update(Event(user, obj, outcome, state.clock_s + 1.0))


def user_vector(state: State, user: str) -> NDArray[np.float32]:
    return np.array(state.arrays.users.vector[state.users.get(user)])


def object_vector(state: State, obj: str) -> NDArray[np.float32]:
    return np.array(state.arrays.objects.vector[state.objects.get(obj)])


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def test_vectors_of_base_users_are_their_rows_of_the_factorisation() -> None:
    pairs = clusters()
    state = fitted(log_of(pairs))
    users, objects = sorted({u for u, _ in pairs}), sorted({o for _, o in pairs})
    matrix = np.zeros((len(users), len(objects)))
    for u, o in pairs:
        matrix[users.index(u), objects.index(o)] = 1.0
    left, singular, right = np.linalg.svd(matrix, full_matrices=False)
    np.testing.assert_allclose(
        state.arrays.totals.singular[: len(singular)], singular, rtol=1e-4, atol=1e-4
    )
    # Axes may be mirrored and those of equal strength turned: products do not notice.
    got = np.array([user_vector(state, u) for u in users])
    np.testing.assert_allclose(got @ got.T, (left * singular**2) @ left.T, atol=1e-4)
    axes = np.array([object_vector(state, o) for o in objects])
    np.testing.assert_allclose(axes.T @ axes, np.diag([1.0] * 16 + [0.0] * 32), atol=1e-4)
    np.testing.assert_allclose(got @ axes.T, matrix, atol=1e-4)
    assert right.shape == (16, 16)


def test_a_new_user_with_the_history_of_a_base_user_gets_the_same_vectors() -> None:
    pairs = clusters()
    artists = {o: f"artist of {o[:1]}" for _, o in pairs}
    state = fitted(log_of(pairs, artists))
    for user, obj in pairs:
        if user == "a3":
            play(state, "new", obj)
    np.testing.assert_allclose(user_vector(state, "new"), user_vector(state, "a3"), atol=1e-5)
    facets = state.arrays.users.facet_vector
    assert np.abs(facets[state.users.get("a3")]).max() > 0.1
    np.testing.assert_allclose(
        facets[state.users.get("new")], facets[state.users.get("a3")], atol=1e-5
    )


def test_a_late_object_goes_where_its_listeners_are() -> None:
    state = fitted(log_of(clusters()))
    for i in range(6):
        play(state, f"a{i}", "late")
    late = object_vector(state, "late")
    to_x = cosine(late, np.mean([object_vector(state, f"x{i}") for i in range(8)], axis=0))
    to_y = cosine(late, np.mean([object_vector(state, f"y{i}") for i in range(8)], axis=0))
    assert to_x > 10 * abs(to_y)
    # Those who have not met it are, on the whole, drawn to it as those who have.
    of_a = np.mean([user_vector(state, f"a{i}") @ late for i in range(6, 12)])
    of_b = np.mean([user_vector(state, f"b{i}") @ late for i in range(6, 12)])
    assert of_a > 10 * abs(of_b)


def test_a_late_object_with_all_listeners_of_a_base_object_gets_its_vector() -> None:
    """Fold-in by M'U / sigma is the factorisation itself when nothing else has happened."""
    pairs = clusters()
    state = fitted(log_of(pairs))
    state.arrays.totals.singular[4:] = 0.0  # weak axes amplify the listeners' own fold-in
    expected = object_vector(state, "x3")
    for user, obj in pairs:
        if obj == "x3":
            play(state, user, "twin")
    np.testing.assert_allclose(object_vector(state, "twin")[:4], expected[:4], atol=1e-5)


def test_a_late_object_begins_at_the_mean_of_its_artist_which_fades_with_listeners() -> None:
    pairs = clusters()
    artists = {o: o[:1] for _, o in pairs}
    log = log_of(pairs, artists | {"late": "x"})
    state = fitted(log)
    mean = np.mean([object_vector(state, f"x{i}") for i in range(8)], axis=0)
    np.testing.assert_allclose(object_vector(state, "late"), mean, atol=1e-6)
    added = log_of([("a0", "later")], {"later": "x"})
    state.add_entities(added.users, added.objects, {})
    np.testing.assert_allclose(object_vector(state, "later"), mean, atol=1e-6)
    # A listener without taste moves nothing but the mean's share: 3 / (3 + 1) after the first.
    play(state, "stranger", "later")
    np.testing.assert_allclose(object_vector(state, "later"), mean * 0.75, atol=1e-6)


def test_vectors_of_the_base_period_never_change_after_the_fit() -> None:
    log = random_tables(4, n_events=300).log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    replay.run(100)
    base = state.arrays.objects.counts[:, 0] > 0
    fit_latent(state, seed=1)
    values = state.arrays.values
    frozen = values.tags[:, 0] == 1
    before = state.arrays.objects.vector[base].copy(), values.vector[frozen].copy()
    replay.run(len(log))
    assert np.abs(before[0]).max() > 0
    assert np.abs(before[1]).max() > 0
    np.testing.assert_array_equal(state.arrays.objects.vector[base], before[0])
    np.testing.assert_array_equal(state.arrays.values.vector[frozen], before[1])


@pytest.mark.parametrize("history", [[], [Outcome.DISLIKE], [Outcome.LIKE, Outcome.UNLIKE]])
def test_a_like_pulls_the_user_and_an_unlike_lets_go(history: list[Outcome]) -> None:
    state = fitted(log_of(clusters()))
    for outcome in history:
        play(state, "a1", "y3", outcome)
    before = user_vector(state, "a1")
    play(state, "a1", "y3", Outcome.LIKE)
    liked = user_vector(state, "a1")
    np.testing.assert_allclose(liked - before, object_vector(state, "y3"), atol=1e-6)
    play(state, "a1", "y3", Outcome.LIKE)
    np.testing.assert_array_equal(user_vector(state, "a1"), liked)
    play(state, "a1", "y3", Outcome.UNLIKE)
    np.testing.assert_allclose(user_vector(state, "a1"), before, atol=1e-6)


def test_a_like_of_the_base_period_counts_once() -> None:
    """Whether it was said before the fit or after, and whether the object is met later or not."""
    early, late = new_state(TieRule.ROW), new_state(TieRule.ROW)
    log = log_of(clusters())
    for state in (early, late):
        Replay(state, state.log_arrays(log)).run(len(log))
    play(early, "a1", "y3", Outcome.LIKE)
    for state in (early, late):
        fit_latent(state, seed=3)
    unliked = user_vector(late, "a1")
    play(late, "a1", "y3", Outcome.LIKE)
    np.testing.assert_allclose(user_vector(early, "a1"), user_vector(late, "a1"), atol=1e-6)
    play(early, "a1", "y3")
    np.testing.assert_allclose(user_vector(early, "a1"), user_vector(late, "a1"), atol=1e-6)
    play(late, "a1", "y3", Outcome.UNLIKE)
    np.testing.assert_allclose(user_vector(late, "a1"), unliked, atol=1e-6)


def test_same_seed_same_vectors_and_a_second_fit_starts_afresh() -> None:
    pairs = clusters()
    log = log_of(pairs, {o: o[:1] for _, o in pairs})
    one, two = fitted(log), fitted(log)
    fit_latent(two, seed=3)
    for left, right in zip(one.arrays.objects[-1:], two.arrays.objects[-1:], strict=True):
        np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(one.arrays.users.vector, two.arrays.users.vector)
    np.testing.assert_array_equal(one.arrays.values.object_mean, two.arrays.values.object_mean)


def test_logs_of_almost_nothing_are_fitted() -> None:
    empty = new_state()
    fit_latent(empty, seed=0)
    assert not empty.arrays.totals.singular.any()
    single = fitted(log_of([("u", "o")]))
    assert single.arrays.totals.singular[0] == pytest.approx(1.0)
    assert np.abs(user_vector(single, "u")).sum() == pytest.approx(1.0)
    only_likes = new_state()
    only_likes.update(Event("u", "o", Outcome.LIKE, 0.0))
    fit_latent(only_likes, seed=0)
    play(only_likes, "u", "o")
    assert np.isfinite(user_vector(only_likes, "u")).all()
    assert user_vector(only_likes, "u").shape == (LATENT,)
