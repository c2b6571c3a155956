"""The online learner's beliefs: what a label shifts and narrows, and by how much."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

from core.log import Outcome, TieRule
from core.schema import Branch
from core.state.beliefs import (
    BIAS_FLOOR,
    BIAS_VARIANCE,
)
from core.state.columns import FeatureBatch
from core.state.events import Event
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

Effect = tuple[str, ...]
FACETS = ("artist", "genres")

PRIOR = SMALL_SCHEMA.effect_variances


class Reference:
    """One belief an effect, in plain float64 and dictionaries."""

    def __init__(self) -> None:
        self.means: defaultdict[Effect, float] = defaultdict(float)
        self.variances: dict[Effect, float] = {}

    def variance(self, effect: Effect) -> float:
        """As believed now: the prior before any label."""
        priors = {"all": BIAS_VARIANCE, "match": BIAS_VARIANCE, "pair": PRIOR.user_facet}
        priors |= {"surface": PRIOR.context, "device": PRIOR.context, "usual": PRIOR.user_context}
        priors |= {"user": PRIOR.user, "object": PRIOR.object}
        return self.variances.get(effect, priors.get(effect[0], PRIOR.value))

    def believed(self, inputs: dict[Effect, float]) -> tuple[float, float]:
        """Mean and variance of the sum of effects, each times its input."""
        mean = sum(x * self.means[e] for e, x in inputs.items())
        return mean, sum(x * x * self.variance(e) for e, x in inputs.items())

    def logit(self, inputs: dict[Effect, float]) -> float:
        mean, variance = self.believed(inputs)
        return mean / math.sqrt(1.0 + math.pi / 8.0 * variance)

    def learn(self, inputs: dict[Effect, float], label: int) -> None:
        expected = 1.0 / (1.0 + math.exp(-self.logit(inputs)))
        told = expected * (1.0 - expected)
        gain = 1.0 / (1.0 + told * self.believed(inputs)[1])
        for effect, x in inputs.items():
            variance = self.variance(effect)
            self.means[effect] += variance * x * (label - expected) * gain
            left = variance - (variance * x) ** 2 * told * gain
            self.variances[effect] = max(left, BIAS_FLOOR) if effect == ("all",) else left


def column(state: State, batch: FeatureBatch, name: str) -> float:
    """One column of the batch's only row."""
    return float(batch.numbers[0, [c.name for c in state.columns.numbers].index(name)])


def test_every_belief_equals_a_kalman_step_in_plain_python() -> None:
    log = random_tables(2, n_events=200, given_labels=True, tie_rule=TieRule.ROW).log()
    state = new_state(TieRule.ROW)
    replay = Replay(state, state.log_arrays(log))
    wanted = np.ones(len(log), bool)
    first = replay.run(60, wanted)[1]
    plant_tastes(state, seed=1)
    numbers = np.concatenate([first, replay.run(len(log), wanted)[1]])
    names = [c.name for c in state.columns.numbers]
    got = {
        name: numbers[:, names.index(name)].astype(float)
        for name in (
            "user_effect",
            "object_effect",
            "user_facets_effect",
            "context_effect",
            "user_context_effect",
            "belief_logit",
            "belief_deviation",
            "belief_context_logit",
        )
    }
    match = np.nan_to_num(numbers[:, names.index("user_object_recent_dot")].astype(float))
    reference = Reference()

    def effects(row: int) -> dict[str, dict[Effect, float]]:
        user, obj = int(log.user_index[row]), int(log.object_index[row])
        user_id = log.users.ids[user]
        city = str(log.users.columns["city"][user])
        of_user: dict[Effect, float] = {("user", user_id): 1.0}
        of_user |= {("city", city): 1.0} if city else {}
        of_object: dict[Effect, float] = {("object", log.objects.ids[obj]): 1.0}
        of_pair: dict[Effect, float] = {}
        of_context: dict[Effect, float] = {i: 1.0 for i in context_of(log, row).items() if i[1]}
        for name in ("artist", "genres", "language"):
            slots = SMALL_SCHEMA.field(Branch.OBJECT, name).max_values
            parts = list(dict.fromkeys(str(log.objects.columns[name][obj]).split("|")))[:slots]
            for part in filter(None, parts):
                of_object[name, part] = 1.0
                if name in FACETS:
                    of_pair["pair", user_id, name, part] = 1.0
        return {
            "user": of_user,
            "object": of_object,
            "user_facets": of_pair,
            "context": of_context,
            "user_context": {("usual", user_id, *i): 1.0 for i in of_context},
            "shared": {("all",): 1.0, ("match",): match[row]},
        }

    waiting: list[int] = []
    opened = set()
    for row in range(len(log)):
        while waiting and log.matures_at_s[waiting[0]] < log.time_s[row]:
            due = waiting.pop(0)
            every = {e: x for part in effects(due).values() for e, x in part.items()}
            reference.learn(every, int(log.labels[due]))
        now = effects(row)
        for part in ("user", "object", "user_facets"):
            expected = reference.believed(now[part])[0]
            assert got[f"{part}_effect"][row] == pytest.approx(expected, abs=1e-5)
        for part in ("context", "user_context"):
            expected = reference.believed(now[part])[0] if now[part] else math.nan
            assert got[f"{part}_effect"][row] == pytest.approx(expected, abs=1e-5, nan_ok=True)
        every = {e: x for part in now for e, x in now[part].items()}
        expected = reference.logit(every) if now["context"] else math.nan
        assert got["belief_context_logit"][row] == pytest.approx(expected, abs=1e-5, nan_ok=True)
        known = {e: x for part in now if "context" not in part for e, x in now[part].items()}
        assert got["belief_logit"][row] == pytest.approx(reference.logit(known), abs=1e-5)
        deviation = math.sqrt(reference.believed(known)[1])
        assert got["belief_deviation"][row] == pytest.approx(deviation, abs=1e-5)
        pair = (log.user_index[row], log.object_index[row])
        if log.outcome[row] in {"play", "replay"} and pair not in opened:
            opened.add(pair)
            waiting.append(row)
    assert np.abs(match).max() > 0.1
    assert np.abs(got["belief_logit"]).max() > 0.5


def taught(meetings: int, label: bool) -> State:
    """A state in which `meetings` users met an object each, all of one artist, and came back."""
    state = new_state(TieRule.ROW)
    for i in range(meetings):
        state.update(Event(f"u{i}", "song", Outcome.PLAY, float(i)))
        if label:
            state.update(Event(f"u{i}", "song", Outcome.PLAY, i + 0.5))
    state.advance(meetings + 2 * HORIZON_S)
    return state


def read(state: State, user: str, obj: str) -> FeatureBatch:
    objects = np.array([state.objects.get(obj, NOBODY)], np.int32)
    return state.features(state.users.get(user, NOBODY), objects, {}, state.clock_s, state.columns)


def test_before_any_label_nothing_is_believed_and_all_is_in_doubt() -> None:
    state = new_state()
    batch = read(state, "nobody", "nothing")
    assert column(state, batch, "belief_logit") == 0.0
    expected = math.sqrt(BIAS_VARIANCE + PRIOR.user + PRIOR.object)
    assert column(state, batch, "belief_deviation") == pytest.approx(expected)


def test_one_label_is_shared_among_effects_by_their_doubt() -> None:
    """A user without a city and an object without values: three effects, the match is unknown."""
    state = taught(1, label=True)
    batch = read(state, "u0", "song")
    variance = BIAS_VARIANCE + PRIOR.user + PRIOR.object
    shift = PRIOR.user * 0.5 / (1.0 + 0.25 * variance)
    assert column(state, batch, "user_effect") == pytest.approx(shift)
    assert column(state, batch, "object_effect") == pytest.approx(shift)
    left = PRIOR.user - PRIOR.user**2 * 0.25 / (1.0 + 0.25 * variance)
    bias = BIAS_VARIANCE - BIAS_VARIANCE**2 * 0.25 / (1.0 + 0.25 * variance)
    deviation = math.sqrt(bias + 2 * left)
    assert column(state, batch, "belief_deviation") == pytest.approx(deviation)


def test_labels_pull_the_logit_their_way_and_leave_less_doubt() -> None:
    logits, deviations = [], []
    for meetings in (1, 10, 100):
        state = taught(meetings, label=True)
        batch = read(state, "newcomer", "song")
        logits.append(column(state, batch, "belief_logit"))
        deviations.append(column(state, batch, "belief_deviation"))
    assert 0.0 < logits[0] < logits[1] < logits[2]
    assert deviations[0] > deviations[1] > deviations[2]
    state = taught(100, label=False)
    assert column(state, read(state, "newcomer", "song"), "belief_logit") == pytest.approx(
        -logits[2], rel=1e-3
    )


def test_an_object_without_labels_is_judged_by_everything_and_keeps_its_own_doubt() -> None:
    state = taught(100, label=True)
    batch = read(state, "newcomer", "never met")
    assert column(state, batch, "object_effect") == 0.0
    assert column(state, batch, "belief_logit") > 1.0
    assert column(state, batch, "belief_deviation") >= math.sqrt(PRIOR.user + PRIOR.object)
