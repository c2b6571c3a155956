"""The online learner: what it learns from labels, when, and that it is the formula it says."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.log import EventLog, LabelRule, TieRule, build_log
from core.schema import Branch
from core.state.arrays import FACTORS
from core.state.columns import Family
from core.state.learning import DECAY, FACTOR_STEP, START, WEIGHT_STEP
from core.state.replay import Replay
from core.state.state import NOBODY, State
from core.testing_logs import (
    HORIZON_S,
    SMALL_SCHEMA,
    context_of,
    new_state,
    plant_tastes,
    random_tables,
)

Key = tuple[str, str]
"""Field and value: what has a weight and factors."""

NAMES = ("online_linear", "online_logit", "online_context_linear", "online_context_logit")


@dataclass
class Field:
    """What is learned of one field's value."""

    weight: float = 0.0
    weight_squares: float = 0.0
    factors: NDArray[np.float64] = field(default_factory=lambda: np.zeros(FACTORS))
    factor_squares: NDArray[np.float64] = field(default_factory=lambda: np.zeros(FACTORS))
    arrival: int = 0
    """From 1 on, in the order of first labels; 0 before."""


class Reference:
    """A factorisation machine under AdaGrad, in plain float64 and dictionaries."""

    def __init__(self) -> None:
        self.fields: defaultdict[Key, Field] = defaultdict(Field)
        self.bias = self.bias_squares = self.slope = self.slope_squares = 0.0
        self.arrived = 0

    def logits(self, keys: list[Key], match: float) -> tuple[float, float]:
        """Without the pairs of fields, and with them."""
        known = [self.fields[key] for key in keys]
        linear = self.bias + self.slope * match + sum(f.weight for f in known)
        pairs = sum(
            float(one.factors @ other.factors)
            for i, one in enumerate(known)
            for other in known[i + 1 :]
        )
        return linear, linear + pairs

    def learn(self, keys: list[Key], match: float, label: int) -> None:
        """One step on all fields at once."""
        error = 1.0 / (1.0 + np.exp(-self.logits(keys, match)[1])) - label
        self.bias_squares += error**2
        self.bias -= WEIGHT_STEP * error / np.sqrt(1.0 + self.bias_squares)
        self.slope_squares += (error * match) ** 2
        self.slope -= WEIGHT_STEP * error * match / np.sqrt(1.0 + self.slope_squares)
        total = np.sum([self.fields[key].factors for key in keys], axis=0)
        for key in keys:
            f = self.fields[key]
            others = total - f.factors
            if not f.arrival:
                self.arrived += 1
                f.arrival = self.arrived
                f.factors = np.array([start(f.arrival, i) for i in range(FACTORS)])
            gradient = error + DECAY * f.weight
            f.weight_squares += gradient**2
            f.weight -= WEIGHT_STEP * gradient / np.sqrt(1.0 + f.weight_squares)
            gradients = error * others + DECAY * f.factors
            f.factor_squares = f.factor_squares + gradients**2
            f.factors = f.factors - FACTOR_STEP * gradients / np.sqrt(1.0 + f.factor_squares)


def start(arrival: int, factor: int) -> float:
    """Splitmix64 of the place in the order of arrival."""
    wide = 2**64 - 1
    x = (arrival * FACTORS + factor + 0x9E3779B97F4A7C15) & wide
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & wide
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & wide
    x ^= x >> 31
    return float(START * (2.0 * (x >> 11) / 2**53 - 1.0))


def keys_of(log: EventLog, row: int) -> tuple[list[Key], list[Key]]:
    """The fields of user and object, and those of the context."""
    user, obj = int(log.user_index[row]), int(log.object_index[row])
    keys = [("user", log.users.ids[user]), ("city", str(log.users.columns["city"][user]))]
    keys.append(("object", log.objects.ids[obj]))
    for name in ("artist", "genres", "language"):
        slots = SMALL_SCHEMA.field(Branch.OBJECT, name).max_values
        parts = list(dict.fromkeys(str(log.objects.columns[name][obj]).split("|")))[:slots]
        keys += [(name, part) for part in parts]
    context = list(context_of(log, row).items())
    return [key for key in keys if key[1]], [key for key in context if key[1]]


def replayed(log: EventLog, fit_before: int | None = None) -> tuple[State, NDArray[np.float32]]:
    """The state at the end, and all features (n, number columns) of its rows."""
    state = new_state(TieRule.ROW)
    replay = Replay(state, state.log_arrays(log))
    wanted = np.ones(len(log), bool)
    parts = []
    if fit_before is not None:
        parts.append(replay.run(fit_before, wanted)[1])
        plant_tastes(state, seed=1)
    parts.append(replay.run(len(log), wanted)[1])
    replay.finish(float(log.time_s[-1]) + 2 * HORIZON_S)
    return state, np.concatenate(parts)


def column(state: State, numbers: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """(n,) one column by name."""
    return numbers[:, [c.name for c in state.columns.numbers].index(name)]


def online(state: State, numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 4) the family's columns."""
    return np.stack([column(state, numbers, name) for name in NAMES], axis=1)


def small_log(seed: int = 2) -> EventLog:
    """200 events without ties, whose labels come with them."""
    return random_tables(seed, n_events=200, given_labels=True, tie_rule=TieRule.ROW).log()


def test_the_family_holds_these_columns() -> None:
    columns = [c for c in new_state().columns.numbers if c.family is Family.ONLINE]
    held = {c.name: c.needs_context for c in columns}
    assert [held[name] for name in NAMES] == [False, False, True, True]
    beliefs = {name: held[name] for name in held.keys() - set(NAMES)}
    assert beliefs == {
        "user_effect": False,
        "object_effect": False,
        "user_facets_effect": False,
        "context_effect": True,
        "user_context_effect": True,
        "belief_logit": False,
        "belief_deviation": False,
        "belief_context_logit": True,
    }


def test_every_forecast_equals_a_factorisation_machine_in_plain_python() -> None:
    log = small_log()
    state, numbers = replayed(log, fit_before=60)
    match = np.nan_to_num(column(state, numbers, "user_object_recent_dot").astype(np.float64))
    got = online(state, numbers)
    reference = Reference()
    waiting: list[int] = []
    opened = set()
    for row in range(len(log)):
        while waiting and log.matures_at_s[waiting[0]] < log.time_s[row]:
            first = waiting.pop(0)
            keys, context = keys_of(log, first)
            reference.learn(keys + context, match[first], int(log.labels[first]))
        keys, context = keys_of(log, row)
        np.testing.assert_allclose(got[row, :2], reference.logits(keys, match[row]), atol=1e-5)
        if context:
            expected = reference.logits(keys + context, match[row])
            np.testing.assert_allclose(got[row, 2:], expected, atol=1e-5)
        pair = (log.user_index[row], log.object_index[row])
        if log.outcome[row] in {"play", "replay"} and pair not in opened:
            opened.add(pair)
            waiting.append(row)
    assert np.abs(match).max() > 0.1
    assert reference.slope != 0.0
    assert np.abs(got[-1]).min() > 0.01


def test_context_columns_are_unknown_without_any_context_and_nothing_else_ever_is() -> None:
    log = small_log()
    state, numbers = replayed(log)
    got = online(state, numbers)
    is_unknown = np.array([not any(context_of(log, row).values()) for row in range(len(log))])
    assert 0 < is_unknown.sum() < len(log)
    assert np.isfinite(got[:, :2]).all()
    np.testing.assert_array_equal(np.isnan(got[:, 2]), is_unknown)
    np.testing.assert_array_equal(np.isnan(got[:, 3]), is_unknown)
    strangers = state.features(
        NOBODY, np.array([NOBODY], np.int32), {}, state.clock_s, state.columns
    )
    assert np.isfinite(online(state, strangers.numbers)[:, :2]).all()


def test_a_label_changes_nothing_before_it_has_matured() -> None:
    log = small_log()
    row = int(np.flatnonzero(log.is_example)[10])
    labels = log.labels.copy()
    labels[row] = 1 - labels[row]
    state, numbers = replayed(log)
    _, other = replayed(replace(log, labels=labels))
    is_early = log.time_s <= log.matures_at_s[row]
    assert is_early.sum() > row
    assert numbers[is_early].tobytes() == other[is_early].tobytes()
    later = online(state, numbers)[~is_early, :2], online(state, other)[~is_early, :2]
    assert (later[0] != later[1]).all()


def test_start_values_depend_on_the_order_of_arrival_alone() -> None:
    """Not on which row of the state an entity or a value has got."""
    tables = random_tables(2, n_events=200, given_labels=True, tie_rule=TieRule.ROW)
    more = pd.DataFrame(
        {"object_id": ["new 1", "new 2"], "artist": ["dio", "eno"], "genres": ["soul", "funk|rap"]}
    ).assign(language="fr", length=1.0, released_at=0.0)
    other = replace(
        tables,
        users=tables.users[::-1].reset_index(drop=True),
        objects=pd.concat([more, tables.objects[::-1]], ignore_index=True),
    )
    one, two = tables.log(), other.log()
    assert one.objects.ids[one.object_index[0]] == two.objects.ids[two.object_index[0]]
    assert one.object_index.tolist() != two.object_index.tolist()
    first, second = replayed(one), replayed(two)
    assert online(*first).tobytes() == online(*second).tobytes()


CITIES, ARTISTS = ("ulm", "rome"), ("abba", "bach")


def world(returns: dict[tuple[str, str], bool], n: int, seed: int = 0) -> EventLog:
    """n first meetings: new users of two cities meet new objects of two artists, with labels.

    Args:
        returns: city, artist -> label.
        n: events, a second each; labels mature HORIZON_S later.
        seed: of who meets what.
    """
    rng = np.random.default_rng(seed)
    cities, artists = rng.choice(CITIES, n), rng.choice(ARTISTS, n)
    ids = np.arange(n).astype(str)
    return build_log(
        "test",
        SMALL_SCHEMA,
        pd.DataFrame(
            {
                "user_id": ids,
                "object_id": ids,
                "time_s": np.arange(n, dtype=float),
                "label": [int(returns[pair]) for pair in zip(cities, artists, strict=True)],
            }
        ),
        users=pd.DataFrame({"user_id": ids, "city": cities}),
        objects=pd.DataFrame({"object_id": ids, "artist": artists}),
        label_rule=LabelRule(HORIZON_S),
        tie_rule=TieRule.ROW,
        where="events",
    )


def forecasts(log: EventLog) -> dict[tuple[str, str], tuple[float, float]]:
    """City, artist -> both logits of the log's last meeting of the two, all labels matured."""
    state, _ = replayed(log)
    told = {}
    for row in range(len(log)):
        user, obj = log.user_index[row], log.object_index[row]
        pair = str(log.users.columns["city"][user]), str(log.objects.columns["artist"][obj])
        told[pair] = row
    out = {}
    for pair, row in told.items():
        user = state.users.get(log.users.ids[log.user_index[row]])
        obj = np.array([state.objects.get(log.objects.ids[log.object_index[row]])], np.int32)
        batch = state.features(user, obj, {}, state.clock_s, state.columns)
        out[pair] = tuple(online(state, batch.numbers)[0, :2].tolist())
    return out


def test_it_learns_which_artist_brings_back() -> None:
    told = forecasts(world({(c, a): a == "abba" for c in CITIES for a in ARTISTS}, 300))
    for city in CITIES:
        assert told[city, "abba"][0] > 1.0
        assert told[city, "bach"][0] < -1.0


def test_it_learns_that_each_city_has_its_own_artist() -> None:
    """XOR: neither city nor artist says anything alone, only the pair of both."""
    own = {("ulm", "abba"), ("rome", "bach")}
    told = forecasts(world({(c, a): (c, a) in own for c in CITIES for a in ARTISTS}, 3000))
    for pair, (linear, logit) in told.items():
        assert abs(linear) < 0.7 < 2.0 < abs(logit)
        assert (logit > 0) == (pair in own)
