"""Latent vectors: what the factorisation says, how it is refitted, and folding in between fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from core.log import EventLog, LabelRule, Outcome, TieRule, build_log
from core.state.arrays import COUNT, DISTINCT, IS_BASE, LATENT, VERSION
from core.state.events import Event
from core.state.families.latent import SMOOTHING, taste
from core.state.latent_fit import fit_latent
from core.state.replay import Replay
from core.state.state import State
from core.testing_logs import HORIZON_S, SMALL_SCHEMA, new_state, random_tables

Floats = NDArray[np.float32]
Pairs = list[tuple[str, str]]
Facets = dict[str, str]
"""Object -> value, or values as `rock|pop`."""


def log_of(pairs: Pairs, artists: Facets | None = None, genres: Facets | None = None) -> EventLog:
    """One play a second."""
    artists, genres = artists or {}, genres or {}
    ids = list(dict.fromkeys([*artists, *genres]))
    objects = {
        "object_id": ids,
        "artist": [artists.get(o, "") for o in ids],
        "genres": [genres.get(o, "") for o in ids],
    }
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
        objects=pd.DataFrame(objects, dtype=str),
        label_rule=LabelRule(HORIZON_S),
        tie_rule=TieRule.ROW,
        where="events",
    )


def fitted(log: EventLog, seed: int = 3) -> State:
    state = new_state(TieRule.ROW)
    Replay(state, state.log_arrays(log)).run(len(log))
    fit_latent(state, seed)
    return state


def clusters(n_users: int = 12, n_objects: int = 8) -> Pairs:
    """Users a* play seven objects x* in ten and two y* in ten, users b* the other way round."""
    rng = np.random.default_rng(0)
    pairs = [
        (f"{who}{u}", f"{what}{o}")
        for who in "ab"
        for what in "xy"
        for u in range(n_users)
        for o in range(n_objects)
        if rng.random() < (0.7 if who + what in ("ax", "by") else 0.2)
    ]
    return [pairs[i] for i in rng.permutation(len(pairs))]


def dense(pairs: Pairs) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Users, objects and the binary matrix of who met what."""
    users, objects = sorted({u for u, _ in pairs}), sorted({o for _, o in pairs})
    matrix = np.zeros((len(users), len(objects)))
    for u, o in pairs:
        matrix[users.index(u), objects.index(o)] = 1.0
    return users, objects, matrix


def scales(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What rows (n, 1) and columns (m,) are multiplied with."""
    rows, columns = matrix.sum(axis=1, keepdims=True), matrix.sum(axis=0)
    return (rows + SMOOTHING) ** -0.5, (columns + SMOOTHING) ** -0.5


def play(state: State, user: str, obj: str, outcome: Outcome = Outcome.PLAY) -> None:
    state.update(Event(user, obj, outcome, state.clock_s + 1.0))


def user_vector(state: State, user: str) -> Floats:
    return np.array(state.arrays.users.vector[state.users.get(user)])


def object_vector(state: State, obj: str) -> Floats:
    return np.array(state.arrays.objects.vector[state.objects.get(obj)])


def user_vectors(state: State, users: list[str]) -> Floats:
    return np.array([user_vector(state, u) for u in users])


def object_vectors(state: State, objects: list[str]) -> Floats:
    return np.array([object_vector(state, o) for o in objects])


def tastes(state: State, users: list[str]) -> NDArray[np.float64]:
    rows = [state.users.get(u) for u in users]
    met = state.arrays.users.counts[rows, DISTINCT]
    return np.array(
        [
            taste(user_vector(state, u), 1.0, n, state.arrays.totals)
            for u, n in zip(users, met, strict=True)
        ]
    )


def centre(state: State, cluster: str) -> Floats:
    return np.asarray(object_vectors(state, [f"{cluster}{i}" for i in range(8)]).mean(axis=0))


def cosine(a: Floats, b: Floats) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


# Axes may be mirrored, and those of equal strength turned: products do not notice, so these are
# what the following tests compare.


def test_taste_draws_to_the_objects_of_its_own_kind() -> None:
    state = fitted(log_of(clusters()))
    matches = tastes(state, ["a3", "b3"]) @ object_vectors(state, ["x0", "x5", "y0", "y5"]).T
    np.testing.assert_array_equal(np.sign(matches), [[1, 1, -1, -1], [-1, -1, 1, 1]])


def test_vectors_of_main_facet_values_are_those_of_the_meetings_weights() -> None:
    """0.3 * log1p(n) + 1 for n meetings, divided by how many values and users there are."""
    objects = [f"o{i}" for i in range(7)]
    rng = np.random.default_rng(4)
    pairs = [(f"u{u}", o) for u in range(9) for o in objects for _ in range(rng.integers(0, 4))]
    state = fitted(log_of(pairs, {o: f"artist of {o}" for o in objects}))
    users, _, met = dense(pairs)
    counts = np.array([[pairs.count((u, o)) for o in objects] for u in users])
    weights = np.where(counts > 0, 0.3 * np.log1p(counts) + 1.0, 0.0)
    by_row, by_column = scales(met)
    _, _, right = np.linalg.svd(by_row * weights * by_column, full_matrices=False)
    expected = (right[1:] * by_column).T * np.sqrt(weights.sum())
    main = state.arrays.objects.values[:, state.arrays.shape.main_slot[0]]
    got = state.arrays.values.vector[[main[state.objects.get(o)] for o in objects]]
    np.testing.assert_allclose(got @ got.T, expected @ expected.T, atol=1e-4)
    sums = np.array([state.arrays.users.facet_vector[state.users.get(u)] for u in users])
    np.testing.assert_allclose(sums, weights @ got, atol=1e-4)


def test_what_everybody_meets_says_nothing() -> None:
    state = fitted(log_of([(f"u{u}", f"o{o}") for u in range(5) for o in range(4)]))
    assert not state.arrays.objects.vector.any()
    play(state, "u1", "late")
    assert not object_vector(state, "late").any()


def test_a_new_user_with_the_history_of_another_gets_the_same_vectors() -> None:
    pairs = clusters()
    artists = {o: f"artist of {o[:1]}" for _, o in pairs}
    state = fitted(log_of(pairs, artists))
    for user, obj in pairs:
        if user == "a3":
            play(state, "new", obj)
    assert np.abs(user_vector(state, "a3")).max() > 0.1
    np.testing.assert_allclose(user_vector(state, "new"), user_vector(state, "a3"), atol=1e-5)
    facets = state.arrays.users.facet_vector
    assert np.abs(facets[state.users.get("a3")]).max() > 0.1
    np.testing.assert_allclose(
        facets[state.users.get("new")], facets[state.users.get("a3")], atol=1e-5
    )


def test_a_late_object_goes_where_its_listeners_are() -> None:
    """Those who have not met it are drawn to it, or pushed away, as those who have."""
    state = fitted(log_of(clusters(60, 40)))
    for i in range(6):
        play(state, f"a{i}", "late")
    late = object_vector(state, "late")
    of_a = user_vectors(state, [f"a{i}" for i in range(6, 60)]) @ late
    of_b = user_vectors(state, [f"b{i}" for i in range(60)]) @ late
    assert of_a.mean() > 0.0 > of_b.mean()


def test_a_late_object_with_all_listeners_of_another_goes_where_it_is() -> None:
    """Its vector is the mean of what its listeners' tastes add, and of SMOOTHING times nothing."""
    pairs = clusters(60, 40)
    state = fitted(log_of(pairs))
    listeners = [user for user, obj in pairs if obj == "x3"]
    added = np.zeros(LATENT)
    for user in listeners:
        vectors, met = user_vector(state, user), sum(u == user for u, _ in pairs) + 1
        added += state.arrays.totals.fold @ taste(vectors, 1.0, met, state.arrays.totals)
        play(state, user, "twin")
    twin, model = object_vector(state, "twin"), object_vector(state, "x3")
    np.testing.assert_allclose(twin, added / (len(listeners) + SMOOTHING), atol=1e-4)
    assert cosine(twin, model) > 0.95
    assert 0.5 < np.linalg.norm(twin) / np.linalg.norm(model) < 1.5


def test_an_object_that_nobody_met_lies_where_its_facets_let_expect_until_it_is_met() -> None:
    pairs = clusters()
    artists = {o: o[:1] for _, o in pairs}
    state = fitted(log_of(pairs, artists | {"late": "x"}))
    expected = object_vector(state, "late")
    assert cosine(expected, centre(state, "x")) > 0.9
    added = log_of([("a0", "later")], {"later": "x"})
    state.add_entities(added.users, added.objects, {})
    np.testing.assert_allclose(object_vector(state, "later"), expected, atol=1e-6)
    # A listener without taste leaves of it what SMOOTHING pseudo-listeners would.
    play(state, "stranger", "later")
    left = SMOOTHING / (SMOOTHING + 1.0)
    np.testing.assert_allclose(object_vector(state, "later"), expected * left, atol=1e-6)


def test_objects_that_nobody_has_met_yet_change_no_bit_of_the_fit() -> None:
    pairs = clusters()
    artists = {o: f"artist {o[0]}{int(o[1:]) // 3}" for _, o in pairs}
    genres = {o: "rock" if o[0] == "x" else "pop" for _, o in pairs}
    of_the_future = {f"future {i}": f"genre {i}" for i in range(30)}
    now = fitted(log_of(pairs, artists, genres))
    later = fitted(log_of(pairs, artists, genres | of_the_future))
    objects = sorted(artists)
    np.testing.assert_array_equal(object_vectors(now, objects), object_vectors(later, objects))


def test_vectors_of_what_was_met_before_a_fit_are_frozen_until_the_next() -> None:
    log = random_tables(4, n_events=300).log()
    state = new_state()
    replay = Replay(state, state.log_arrays(log))
    for stop in (100, 200):
        replay.run(stop)
        was_met = state.arrays.objects.counts[:, COUNT] > 0
        fit_latent(state, seed=1)
        objects, values = state.arrays.objects, state.arrays.values
        np.testing.assert_array_equal(objects.tags[:, IS_BASE] == 1, was_met)
        frozen = values.tags[:, IS_BASE] == 1
        before = objects.vector[was_met].copy(), values.vector[frozen].copy()
        assert np.abs(before[0]).max() > 0
        assert np.abs(before[1]).max() > 0
        replay.run(stop + 90)
        np.testing.assert_array_equal(objects.vector[was_met], before[0])
        np.testing.assert_array_equal(values.vector[frozen], before[1])


def test_a_second_fit_lays_its_axes_onto_the_first_ones_and_changes_no_product() -> None:
    pairs = clusters()
    artists = {o: o[:1] for _, o in pairs}
    log = log_of(pairs, artists)
    twice, once = new_state(TieRule.ROW), fitted(log)
    replay = Replay(twice, twice.log_arrays(log))
    replay.run(int(0.9 * len(log)))
    fit_latent(twice, seed=8)
    replay.run(len(log))
    users, objects, _ = dense(pairs)
    before = object_vectors(twice, objects)
    versions = twice.arrays.objects.tags[:, VERSION].copy()
    fit_latent(twice, seed=8)
    assert (twice.arrays.objects.tags[:, VERSION] > versions).all()  # nothing cached stays valid
    turned, unturned = object_vectors(twice, objects), object_vectors(once, objects)
    assert np.linalg.norm(turned - before) < 0.5 * np.linalg.norm(turned)
    assert np.linalg.norm(turned - before) < np.linalg.norm(unturned - before)
    for state in (twice, once):
        for user in ("a1", "a2", "b1"):
            play(state, user, "late")
    objects.append("late")
    for who, what in ((users, objects), (objects, objects)):
        left = [tastes(s, who) if who is users else object_vectors(s, who) for s in (twice, once)]
        right = [object_vectors(s, what) for s in (twice, once)]
        np.testing.assert_allclose(left[0] @ right[0].T, left[1] @ right[1].T, atol=1e-4)
    lately = [
        s.arrays.users.recent[1:, :LATENT] @ object_vectors(s, objects).T for s in (twice, once)
    ]
    np.testing.assert_allclose(lately[0][: len(users)], lately[1][: len(users)], atol=1e-4)


def test_a_second_fit_on_the_same_log_changes_nothing_and_the_same_seed_gives_the_same() -> None:
    pairs = clusters()
    log = log_of(pairs, {o: o[:1] for _, o in pairs})
    one, two = fitted(log), fitted(log)
    np.testing.assert_array_equal(one.arrays.users.vector, two.arrays.users.vector)
    fit_latent(two, seed=3)
    for name in ("vector", "anchor", "facet_vector", "facet_anchor", "recent"):
        left, right = getattr(one.arrays.users, name), getattr(two.arrays.users, name)
        np.testing.assert_allclose(left, right, atol=1e-5)
    np.testing.assert_allclose(one.arrays.objects.vector, two.arrays.objects.vector, atol=1e-5)
    np.testing.assert_allclose(
        one.arrays.values.object_mean, two.arrays.values.object_mean, atol=1e-5
    )


def test_each_object_met_counts_in_recent_taste_by_how_long_ago_it_was_met_last() -> None:
    state = fitted(log_of(clusters()))
    half_life = SMALL_SCHEMA.taste_half_life_s
    start = state.clock_s
    met = [(0.5, "x1"), (0.6, "y2"), (1.1, "x1"), (1.1, "x4"), (3.0, "y2"), (3.5, "x1")]
    last: dict[str, float] = {}
    for days, obj in met:
        last[obj] = start + round(days * half_life)
        state.update(Event("new", obj, Outcome.PLAY, last[obj]))
    now = start + 5 * half_life
    weights = {obj: 2.0 ** ((moment - now) / half_life) for obj, moment in last.items()}
    total = sum(w * object_vector(state, obj).astype(np.float64) for obj, w in weights.items())
    liked = taste(np.asarray(total), 1.0, sum(weights.values()), state.arrays.totals)
    state.advance(now)
    candidates = np.array([state.objects.get(o) for o in ("x0", "y1")], np.int32)
    batch = state.features(state.users.get("new"), candidates, {}, now, state.columns)
    names = [c.name for c in state.columns.numbers]
    dots = batch.numbers[:, names.index("user_object_recent_dot")]
    cosines = batch.numbers[:, names.index("user_object_recent_cosine")]
    for i, obj in enumerate(("x0", "y1")):
        product = liked @ object_vector(state, obj)
        lengths = np.linalg.norm(liked) * np.linalg.norm(object_vector(state, obj))
        assert dots[i] == pytest.approx(product, rel=1e-4)
        assert cosines[i] == pytest.approx(product / lengths, rel=1e-4)


def test_a_fit_sums_recent_taste_anew_as_if_its_vectors_had_always_been() -> None:
    log = random_tables(4, n_events=300).log()
    state = new_state()
    Replay(state, state.log_arrays(log)).run(len(log))
    fit_latent(state, seed=1)
    half_life, users = SMALL_SCHEMA.taste_half_life_s, state.arrays.users
    taken = np.isin(log.outcome.astype(str), ["play", "replay"])
    for user, name in enumerate(log.users.ids):
        rows = np.flatnonzero(taken & (log.user_index == user))
        if not len(rows):
            continue
        last = {log.object_index[row]: log.user_time_s[row] for row in rows}
        now = max(last.values())
        expected = np.zeros(LATENT + 1)
        for obj, moment in last.items():
            vector = object_vector(state, log.objects.ids[obj]).astype(np.float64)
            expected += 2.0 ** ((moment - now) / half_life) * np.append(vector, 1.0)
        np.testing.assert_allclose(users.recent[state.users.get(name)], expected, atol=1e-5)


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


def test_logs_of_almost_nothing_are_fitted() -> None:
    """Where there is nothing to compare there are no vectors, and no errors."""
    empty = new_state()
    fit_latent(empty, seed=0)
    single = fitted(log_of([("u", "o")]))
    only_likes = new_state()
    only_likes.update(Event("u", "o", Outcome.LIKE, 0.0))
    fit_latent(only_likes, seed=0)
    for state in (empty, single, only_likes):
        play(state, "u", "o")
        play(state, "v", "late")
        assert not state.arrays.totals.fold.any()
        assert not state.arrays.users.vector.any()
        assert state.arrays.users.counts[state.users.get("v"), DISTINCT] == 1
        fit_latent(state, seed=0)  # two pairs that share nothing
        assert np.isfinite(state.arrays.users.vector).all()
        assert np.isfinite(state.arrays.objects.vector).all()
        assert np.isfinite(state.arrays.totals.fold).all()
