"""Recommend in every domain: lists keep what the request asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.domain import Domain
from core.engine import DomainEngine, load_bundle
from core.ensemble import Profile
from core.errors import InvalidRequestError
from core.log import EventLog
from core.recommend.allowed import query_at
from core.recommend.candidate_features import candidate_batch
from core.requests import (
    FacetFilter,
    Novelty,
    RecommendRequest,
    UserRef,
)
from tests.contract.domains.conftest import user_of


def test_a_list_has_distinct_objects_by_falling_probability(
    engine: DomainEngine, log: EventLog, now_s: float
) -> None:
    user = user_of(log)
    slate = engine.recommend(RecommendRequest(user, size=20), now_s)
    ids = [item.object_id for item in slate.items]
    assert 0 < len(ids) <= 20
    assert len(set(ids)) == len(ids)
    probabilities = [item.probability for item in slate.items]
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(0 < p < 1 for p in probabilities)
    assert all(item.sources for item in slate.items)
    assert slate.fallbacks == ()


def test_a_list_is_of_what_the_user_never_had_or_had_where_that_is_asked(
    engine: DomainEngine, log: EventLog, now_s: float
) -> None:
    user = user_of(log)
    rows = log.user_index == log.users.ids.index(user.id)
    met = {log.objects.ids[i] for i in log.object_index[rows].tolist()}

    def offered(novelty: Novelty) -> set[str]:
        slate = engine.recommend(RecommendRequest(user, size=20, novelty=novelty), now_s)
        return {item.object_id for item in slate.items}

    assert offered(Novelty.NEW_ONLY)
    assert not offered(Novelty.NEW_ONLY) & met
    assert offered(Novelty.KNOWN_ONLY)
    assert offered(Novelty.KNOWN_ONLY) <= met


def test_facet_filters_hold_or_say_that_they_fall_back(
    engine: DomainEngine, domain: Domain, log: EventLog, now_s: float
) -> None:
    facet = domain.schema.main_facet
    value = next(str(value) for value in log.objects.columns[facet][log.object_index] if value)
    wanted = (FacetFilter(facet, (value,)),)
    matching = {
        name
        for name, of in zip(log.objects.ids, log.objects.columns[facet].tolist(), strict=True)
        if of == value
    }
    strict = RecommendRequest(user_of(log), facet_filters=wanted, max_per_facet=0)
    found = [item.object_id for item in engine.recommend(strict, now_s).items]
    assert found
    assert set(found) <= matching
    slate = engine.recommend(replace(strict, fall_back=True), now_s)
    listed = [item.object_id for item in slate.items]
    # Asked without the filters, sources may come upon further matches: these come first as well.
    matches = [name for name in listed if name in matching]
    assert listed[: len(matches)] == matches
    assert [name for name in matches if name in found] == found
    assert len(slate.items) > len(found)
    assert any("facet filters" in told for told in slate.fallbacks)
    nowhere = (*wanted, FacetFilter("weather", ("rain",)))
    with pytest.raises(InvalidRequestError) as refused:
        engine.recommend(replace(strict, facet_filters=nowhere, size=0), now_s)
    assert [v.field for v in refused.value.violations] == ["facet_filters[1].field"]


def test_the_probability_of_an_item_is_what_the_rank_task_says_of_it(
    engine: DomainEngine, domain: Domain, bundle: Path, log: EventLog, now_s: float
) -> None:
    def fail(source: str, error: Exception) -> None:
        raise AssertionError(f"source {source} failed") from error

    request = RecommendRequest(user_of(log))
    slate = engine.recommend(request, now_s)
    told = {item.object_id: item.probability for item in slate.items}
    loaded = load_bundle(bundle, domain)
    assert loaded.rank is not None
    loaded.state.advance(now_s)
    query = query_at(loaded.state, loaded.retrieval, request, now_s=now_s, user_now_s=now_s)
    objects = np.array([loaded.state.objects.get(name) for name in told], np.int32)
    columns = loaded.manifest.columns(domain.schema)
    batch = candidate_batch(query, domain.stages.sources, columns, objects, fail)
    expected = loaded.rank.ensembles[Novelty.ANY].predict(batch, Profile.FULL).probabilities
    np.testing.assert_allclose(list(told.values()), expected, atol=1e-6)
    # Whatever else is ranked, and however the object came into the list.
    few = tuple(told)[1::2]
    named = engine.recommend(replace(request, candidate_ids=few, max_per_facet=0), now_s)
    assert {item.object_id for item in named.items} == set(few)
    for item in named.items:
        assert item.probability == pytest.approx(told[item.object_id], abs=1e-6)


def unseen(log: EventLog, user: UserRef, n: int) -> tuple[str, ...]:
    rows = log.user_index == log.users.ids.index(user.id)
    met = set(log.object_index[rows].tolist())
    return tuple(name for i, name in enumerate(log.objects.ids) if i not in met)[:n]


def test_the_order_of_the_candidates_changes_nothing(
    engine: DomainEngine, log: EventLog, now_s: float
) -> None:
    user = user_of(log)
    ids = unseen(log, user, 25)
    plain = engine.recommend(RecommendRequest(user, candidate_ids=ids), now_s)
    permuted = engine.recommend(RecommendRequest(user, candidate_ids=ids[::-1]), now_s)
    assert [i.object_id for i in permuted.items] == [i.object_id for i in plain.items]
    assert permuted.removed == plain.removed


def test_taking_a_candidate_away_changes_no_other_score(
    engine: DomainEngine, log: EventLog, now_s: float
) -> None:
    user = user_of(log)
    ids = unseen(log, user, 12)
    request = RecommendRequest(user, candidate_ids=ids, max_per_facet=0)
    whole = {i.object_id: i.probability for i in engine.recommend(request, now_s).items}
    assert set(whole) == set(ids)
    for gone in ids[:4]:
        less = replace(request, candidate_ids=tuple(i for i in ids if i != gone))
        items = engine.recommend(less, now_s).items
        assert {i.object_id for i in items} == set(ids) - {gone}
        for item in items:
            assert item.probability == pytest.approx(whole[item.object_id], abs=1e-6)


def test_pool_size_and_exclusions_are_kept(
    engine: DomainEngine, domain: Domain, log: EventLog, now_s: float
) -> None:
    pool = domain.schema.pools[0]
    request = RecommendRequest(user_of(log), pool=pool, max_per_facet=0)
    slate = engine.recommend(request, now_s)
    members = engine.pool_ids(pool)
    assert members == log.pools.get(pool, frozenset())
    assert {item.object_id for item in slate.items} <= members
    plain = engine.recommend(RecommendRequest(user_of(log), max_per_facet=0, size=4), now_s)
    best = plain.items[0].object_id
    less = RecommendRequest(user_of(log), exclude_ids=(best,), max_per_facet=0, size=3)
    shown = engine.recommend(less, now_s)
    assert len(shown.items) == min(3, len(plain.items) - 1)
    assert best not in {item.object_id for item in shown.items}
    assert shown.removed[best] == "excluded"


def test_a_new_user_gets_a_list_and_is_told_why_it_is_general(
    engine: DomainEngine, now_s: float
) -> None:
    slate = engine.recommend(RecommendRequest(UserRef("nobody")), now_s)
    assert slate.items
    assert {source for item in slate.items for source in item.sources} == {"popular"}
    assert slate.fallbacks == ("new user: nothing of the past is known",)


def test_a_source_that_fails_is_reported_and_the_list_goes_on(
    domain: Domain, bundle: Path, log: EventLog
) -> None:
    class Broken:
        name = "broken"

        def propose(self, query: object, limit: int) -> None:
            del limit
            raise RuntimeError(f"no candidates for a {type(query).__name__}")

    stages = replace(domain.stages, sources=(Broken(), *domain.stages.sources))  # type: ignore[arg-type]
    reported: list[str] = []
    engine = DomainEngine(
        replace(domain, stages=stages),
        load_bundle(bundle, domain),
        lambda name, error: reported.append(f"{name}: {error}"),
    )
    slate = engine.recommend(RecommendRequest(user_of(log)), engine.clock_s)
    assert slate.items
    assert slate.fallbacks == ("source broken failed",)
    assert reported == ["broken: no candidates for a Query"]
