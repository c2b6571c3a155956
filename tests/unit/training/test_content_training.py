"""A world whose tastes are by content: what a training run with its vectors knows of cold objects.

Users love one corner of a space and come back to what lies there, to nothing else. No field of the
catalogue says where an object lies; its vector does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from core.content import ContentVectors, hidden_objects, unit_vectors
from core.engine import DomainEngine, load_bundle
from core.examples import replay_examples
from core.log import EventLog, LabelRule, TieRule, build_log
from core.requests import RecommendRequest, ScoreRequest, UserRef
from core.sampling import DAY_S
from core.state.state import State
from core.testing_domain import SMALL_DOMAIN, publish_small
from core.testing_logs import SMALL_SCHEMA

CORNERS, USERS, OBJECTS, COLD, TRIES = 4, 40, 80, 40, 40
COLD_IDS = tuple(f"cold {i}" for i in range(COLD))
"""In no log: only their vectors are known. The corner of each is its number modulo CORNERS."""
IS_NEAR = np.arange(USERS)[:, None] % CORNERS == np.arange(COLD)[None, :] % CORNERS
"""(USERS, COLD): whether the object lies in the user's corner."""


def vectors() -> ContentVectors:
    rng = np.random.default_rng(0)
    corner = np.concatenate([np.arange(OBJECTS), np.arange(COLD)]) % CORNERS
    points = np.eye(CORNERS)[corner] + 0.2 * rng.standard_normal((len(corner), CORNERS))
    return unit_vectors("sound", [*(f"o{i}" for i in range(OBJECTS)), *COLD_IDS], points)


def world() -> EventLog:
    """Each user tries half of the objects within 60 days; those of their corner thrice more."""
    rng = np.random.default_rng(1)
    rows = []
    for user in range(USERS):
        for obj in rng.choice(OBJECTS, TRIES, replace=False).tolist():
            moment = rng.uniform(0.0, 60 * DAY_S)
            returns = 3 if obj % CORNERS == user % CORNERS else 0
            rows += [(f"u{user}", f"o{obj}", moment + i * DAY_S) for i in range(1 + returns)]
    return build_log(
        "small",
        SMALL_SCHEMA,
        pd.DataFrame(rows, columns=["user_id", "object_id", "time_s"]),
        users=pd.DataFrame({"user_id": []}),
        objects=pd.DataFrame({"object_id": []}),
        label_rule=LabelRule(10 * DAY_S),
        tie_rule=TieRule.TIMESTAMP,
        where="events",
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory, _ = publish_small(tmp_path_factory.mktemp("content"), world(), content=vectors())
    return directory


@pytest.fixture(scope="module")
def engine(bundle: Path) -> DomainEngine:
    return DomainEngine(SMALL_DOMAIN, load_bundle(bundle, SMALL_DOMAIN))


def scores_of(engine: DomainEngine, ids: tuple[str, ...]) -> NDArray[np.float64]:
    """(USERS, len(ids)) probabilities."""
    requests = [ScoreRequest(UserRef(f"u{user}"), ids) for user in range(USERS)]
    return np.stack([engine.score(asked, engine.clock_s).probabilities for asked in requests])


def test_cold_objects_near_to_the_taste_are_scored_above_those_far_from_it(
    engine: DomainEngine,
) -> None:
    assert roc_auc_score(IS_NEAR.ravel(), scores_of(engine, COLD_IDS).ravel()) > 0.9


def test_without_content_all_cold_objects_are_alike(tmp_path: Path) -> None:
    directory, _ = publish_small(tmp_path, world())
    scores = scores_of(DomainEngine(SMALL_DOMAIN, load_bundle(directory, SMALL_DOMAIN)), COLD_IDS)
    # Equal scores say nothing: a ROC-AUC of 0.5 for each user.
    assert np.ptp(scores, axis=1) == pytest.approx(0.0, abs=1e-6)


def test_an_object_without_a_vector_is_scored_between_the_near_and_the_far(
    engine: DomainEngine,
) -> None:
    scores, absent = scores_of(engine, COLD_IDS), scores_of(engine, ("silent",))
    assert scores[~IS_NEAR].mean() < absent.mean() < scores[IS_NEAR].mean()


def test_cold_objects_near_to_the_taste_are_proposed(engine: DomainEngine) -> None:
    slate = engine.recommend(RecommendRequest(UserRef("u1"), size=300), engine.clock_s)
    cold = [item for item in slate.items if item.object_id in COLD_IDS]
    near = {COLD_IDS[i] for i in np.flatnonzero(IS_NEAR[1])}
    assert near <= {item.object_id for item in cold}
    assert all(item.sources == ("content_nearest",) for item in cold)


def test_the_bundle_brings_the_vectors_and_says_so(bundle: Path) -> None:
    loaded, content = load_bundle(bundle, SMALL_DOMAIN), vectors()
    assert loaded.manifest.content_space == content.space
    said = {"name": "sound", "size": CORNERS, "objects": OBJECTS + COLD}
    assert loaded.manifest.content["data"]["content"] == said
    rows = [loaded.state.objects.get(object_id) for object_id in content.object_ids]
    served = loaded.state.arrays.content
    np.testing.assert_array_equal(served.vector[rows], content.vectors)
    assert served.shown[rows].all()


def test_training_hides_some_vectors_up_to_the_test_block_and_none_in_it() -> None:
    log, content = world(), vectors()
    state = State(SMALL_SCHEMA.with_content(content.space), 10 * DAY_S, TieRule.TIMESTAMP)
    table = replay_examples(log, state, base_share=0.1, test_start=0.8, seed=0, content=content)
    names = [c.name for c in table.features.columns.numbers]
    is_known = table.features.numbers[:, names.index("content_known")] == 1.0
    ids = np.array(content.object_ids)[hidden_objects(content, seed=0)]
    is_hidden = np.isin(np.array(log.objects.ids)[table.object], ids)
    in_test = table.position >= 0.8
    assert is_hidden[~in_test].any()
    assert is_known[in_test].all()
    np.testing.assert_array_equal(is_known[~in_test], ~is_hidden[~in_test])
