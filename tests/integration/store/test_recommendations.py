from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from core.errors import InvalidRequestError
from server.ports import RecommendationRecord, RecommendationStore, ShownItem
from server.store import Store

RECORD = RecommendationRecord(
    recommendation_id="5f" * 16,
    domain="music",
    user_id="",
    queue_id="q1",
    model_version="music-1",
    created_at_s=1_700_000_000.5,
    items=(
        ShownItem("t1", 11, 0.1 + 0.2, propensity=1e-3, choices=50, passed_over=0.7),
        ShownItem("曲", 12, 1e-300, propensity=0.9, choices=49),
    ),
    seed=12,
)


def test_an_answered_page_is_kept_with_its_places_and_how_likely_they_were(store: Store) -> None:
    recommendations: RecommendationStore = store.recommendations
    recommendations.add(RECORD)
    assert store.recommendations.get(RECORD.recommendation_id) == RECORD


def test_an_unknown_id_names_nothing(store: Store) -> None:
    assert store.recommendations.get("none") is None


def test_an_id_names_one_page_for_ever(store: Store) -> None:
    store.recommendations.add(RECORD)
    with pytest.raises(sa.exc.IntegrityError):
        store.recommendations.add(replace(RECORD, items=()))
    assert store.recommendations.get(RECORD.recommendation_id) == RECORD


def test_text_that_a_database_cannot_keep_is_refused(store: Store) -> None:
    with pytest.raises(InvalidRequestError, match="user_id"):
        store.recommendations.add(replace(RECORD, user_id="a\0b"))
    assert store.recommendations.get(RECORD.recommendation_id) is None
