"""Every domain keeps the contract: simulated, read, trained, published, it answers and learns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.content import ContentVectors
from core.domain import Domain
from core.engine import DomainEngine, load_bundle
from core.ensemble import Profile
from core.errors import (
    EncoreError,
    InvalidDataError,
    InvalidRequestError,
    UnknownDomainError,
)
from core.log import INTERACTIONS, EventLog, Outcome
from core.models import Compute
from core.publish import evaluate_log, publish
from core.readers import detect, read_log
from core.recommend.allowed import query_at
from core.recommend.candidate_features import candidate_batch
from core.requests import (
    FacetFilter,
    FeedbackEvent,
    Novelty,
    RecommendRequest,
    ScoreRequest,
    UserRef,
)
from core.sampling import DAY_S
from core.schema import Kind
from core.testing_logs import UNHEARD_OF, random_content
from domains import DOMAINS, domain_named

EVENTS: Mapping[str, int] = {"music": 2500, "shopping": 4000, "travel": 8000}
"""So few that a domain takes seconds."""
NOW_S = 3600.0
WITH_CONTENT = " with content"


@pytest.fixture(scope="module", params=[*sorted(DOMAINS), "music with content"])
def variant(request: pytest.FixtureRequest) -> str:
    """The name of a domain, and whether its training run is given content vectors."""
    return str(request.param)


@pytest.fixture(scope="module")
def domain(variant: str) -> Domain:
    """The domain with the smallest members and without listening to audio."""
    chosen = DOMAINS[variant.removesuffix(WITH_CONTENT)]
    recipe = replace(chosen.recipe, trainers="tiny", min_rows=15)
    return replace(chosen, recipe=recipe, genre=None)


@pytest.fixture(scope="module")
def files(domain: Domain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp(domain.name) / "log"
    simulator = next(iter(domain.simulators.values()))
    simulator(out, events=EVENTS[domain.name], seed=1)
    return out


@pytest.fixture(scope="module")
def log(domain: Domain, files: Path) -> EventLog:
    return read_log(domain.readers, files)


@pytest.fixture(scope="module")
def content(variant: str, domain: Domain, log: EventLog) -> ContentVectors | None:
    """Vectors of most objects, or none at all."""
    if not variant.endswith(WITH_CONTENT):
        return None
    return random_content(0, log.objects.ids, domain.content_name, size=5)


@pytest.fixture(scope="module")
def bundle(
    domain: Domain,
    log: EventLog,
    content: ContentVectors | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    compute = Compute(threads=1)
    evaluated = evaluate_log(
        domain, log, domain.recipe, compute, seed=0, content=content, with_lists=True
    )
    return publish(
        domain,
        log,
        evaluated,
        domain.recipe,
        compute,
        root=tmp_path_factory.mktemp("bundles"),
        version="v1",
        published_at_s=float(log.time_s[-1]),
        commit="",
        seed=0,
    )


@pytest.fixture
def engine(domain: Domain, bundle: Path) -> DomainEngine:
    """Fresh for each test: live events stay in it."""
    return DomainEngine(domain, load_bundle(bundle, domain))


@pytest.fixture
def now_s(engine: DomainEngine) -> float:
    return engine.clock_s + NOW_S


@pytest.fixture
def taken(domain: Domain) -> Outcome:
    """An outcome by which users of this domain take an object."""
    return next(outcome for outcome in INTERACTIONS if outcome in domain.outcomes)


def feedback(
    sequence: int, user: str, obj: str, outcome: Outcome, time_s: float, **context: str
) -> FeedbackEvent:
    return FeedbackEvent(sequence, user, obj, outcome, time_s, context)


def user_of(log: EventLog) -> UserRef:
    """The busiest user."""
    return UserRef(log.users.ids[int(np.bincount(log.user_index).argmax())])


def asked(log: EventLog, size: int = 10) -> ScoreRequest:
    return ScoreRequest(user_of(log), log.objects.ids[:size])


# The declaration


def test_a_domain_is_found_by_its_name(domain: Domain) -> None:
    assert domain_named(domain.name) is DOMAINS[domain.name]
    assert domain.schema is DOMAINS[domain.name].schema


def test_another_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownDomainError, match=r"'films'.*music, shopping, travel"):
        domain_named("films")


def test_only_music_has_a_sound() -> None:
    assert [name for name, domain in DOMAINS.items() if domain.genre is not None] == ["music"]


def test_users_can_take_like_and_dislike(domain: Domain, taken: Outcome) -> None:
    assert {taken, Outcome.LIKE, Outcome.DISLIKE, Outcome.UNLIKE} <= domain.outcomes


def test_every_domain_reads_the_generic_log_and_what_it_simulates(domain: Domain) -> None:
    assert "generic" in domain.readers
    assert set(domain.simulators) <= set(domain.readers)


def test_stages_have_names_of_their_own_and_half_lives_that_exist(domain: Domain) -> None:
    stages = domain.stages
    for group in (stages.sources, stages.filters, stages.rerankers):
        names = [stage.name for stage in group]
        assert names
        assert len(set(names)) == len(names)
    for source in stages.sources:
        assert getattr(source, "half_life", 0) < len(domain.schema.half_lives_s)


# Simulated and read


def test_the_reader_recognises_the_files_and_fills_the_schema(
    domain: Domain, files: Path, log: EventLog
) -> None:
    assert detect(domain.readers, files) == next(iter(domain.simulators))
    assert log.domain == domain.name
    assert list(log.context) == [field.name for field in domain.schema.context]
    for fields, entities in (
        (domain.schema.user, log.users),
        (domain.schema.object, log.objects),
    ):
        assert list(entities.columns) == [field.name for field in fields]
        for field in fields:
            column = entities.columns[field.name]
            assert len(column) == len(entities)
            is_number = field.kind in (Kind.NUMBER, Kind.TIMESTAMP)
            assert column.dtype == (np.float64 if is_number else object)
    assert log.is_example.any()
    assert {str(outcome) for outcome in log.outcome} <= {o.value for o in domain.outcomes}


@pytest.fixture(scope="module", params=[(d, f) for d in DOMAINS for f in DOMAINS[d].simulators])
def simulated(request: pytest.FixtureRequest) -> tuple[Domain, str]:
    name, file_format = request.param
    return DOMAINS[name], file_format


def contents(directory: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()
    }


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(
    simulated: tuple[Domain, str], tmp_path: Path
) -> None:
    domain, file_format = simulated
    simulator = domain.simulators[file_format]
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        simulator(tmp_path / name, events=1000, seed=seed)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "one") != contents(tmp_path / "three")
    assert len(read_log(domain.readers, tmp_path / "one", file_format)) >= 1000


def test_a_simulated_log_may_begin_at_another_moment(
    simulated: tuple[Domain, str], tmp_path: Path
) -> None:
    domain, file_format = simulated
    simulator = domain.simulators[file_format]
    simulator(tmp_path / "plain", events=1000, seed=3)
    simulator(tmp_path / "moved", events=1000, seed=3, start_s=1.6e9)
    plain = read_log(domain.readers, tmp_path / "plain")
    moved = read_log(domain.readers, tmp_path / "moved")
    assert 1.6e9 <= moved.time_s[0] < 1.6e9 + 30 * DAY_S
    span = plain.time_s[-1] - plain.time_s[0]
    assert moved.time_s[-1] - moved.time_s[0] == pytest.approx(span, rel=0.1)


def test_progress_rises_to_the_end(simulated: tuple[Domain, str], tmp_path: Path) -> None:
    domain, file_format = simulated
    seen: list[float] = []
    domain.simulators[file_format](tmp_path / "log", events=1500, seed=0, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[0] < 1.0
    assert seen[-1] == 1.0


def test_simulators_write_into_new_or_empty_directories_alone(
    simulated: tuple[Domain, str], tmp_path: Path
) -> None:
    domain, file_format = simulated
    simulator = domain.simulators[file_format]
    (tmp_path / "mine.txt").write_text("keep me", encoding="utf-8")
    with pytest.raises(InvalidDataError, match=r"(?i)empty"):
        simulator(tmp_path, events=1000, seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    simulator(tmp_path / "empty", events=1000, seed=0)
    assert any((tmp_path / "empty").iterdir())


def test_simulators_write_into_the_directory_one_stands_in(
    simulated: tuple[Domain, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain, file_format = simulated
    monkeypatch.chdir(tmp_path)
    domain.simulators[file_format](Path(), events=1000, seed=0)
    assert len(read_log(domain.readers, Path())) >= 1000
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(("events", "seed"), [(0, 0), (1000, -1)])
def test_simulators_refuse_what_makes_no_log(
    simulated: tuple[Domain, str], tmp_path: Path, events: int, seed: int
) -> None:
    domain, file_format = simulated
    with pytest.raises(EncoreError):
        domain.simulators[file_format](tmp_path / "log", events=events, seed=seed)
    assert list(tmp_path.iterdir()) == []


# Score


def test_scores_are_probabilities_in_the_order_asked(
    engine: DomainEngine, log: EventLog, now_s: float
) -> None:
    request = asked(log)
    answer = engine.score(request, now_s)
    assert answer.object_ids == tuple(request.object_ids)
    assert answer.missing_ids == ()
    assert set(answer.member_probabilities) == {"jenn", "felu", "lightgbm"}
    for values in (answer.probabilities, *answer.member_probabilities.values()):
        assert values.shape == (10,)
        assert ((values > 0) & (values < 1)).all()
    backwards = engine.score(replace(request, object_ids=request.object_ids[::-1]), now_s)
    np.testing.assert_allclose(backwards.probabilities, answer.probabilities[::-1], atol=1e-6)


def test_the_light_profile_has_its_own_members(
    engine: DomainEngine, log: EventLog, now_s: float
) -> None:
    answer = engine.score(replace(asked(log), profile="light"), now_s)
    assert set(answer.member_probabilities) == {"felu", "lightgbm"}


def test_an_object_that_only_content_tells_of_is_known(
    engine: DomainEngine, content: ContentVectors | None, now_s: float
) -> None:
    answer = engine.score(ScoreRequest(UserRef(), [UNHEARD_OF]), now_s)
    assert answer.missing_ids == (() if content else (UNHEARD_OF,))
    assert np.isfinite(answer.probabilities).all()


def test_unknown_users_and_objects_are_scored_and_the_objects_named(
    engine: DomainEngine, log: EventLog, now_s: float
) -> None:
    known = log.objects.ids[0]
    ids = ["never heard of", known, "nor of this", "never heard of"]
    answer = engine.score(ScoreRequest(UserRef("nobody"), ids), now_s)
    assert answer.missing_ids == ("never heard of", "nor of this")
    assert np.isfinite(answer.probabilities).all()
    # All new objects are alike, and asking makes nothing known.
    assert answer.probabilities[[2, 3]] == pytest.approx(answer.probabilities[0], abs=1e-6)
    again = engine.score(ScoreRequest(UserRef("nobody"), ids), now_s)
    assert again.missing_ids == answer.missing_ids
    assert again.probabilities == pytest.approx(answer.probabilities, abs=1e-6)


def test_a_user_without_an_id_is_a_new_user(
    engine: DomainEngine, log: EventLog, now_s: float
) -> None:
    ids = log.objects.ids[:3]
    nameless = engine.features(ScoreRequest(UserRef(), ids), now_s)
    unheard = engine.features(ScoreRequest(UserRef("nobody"), ids), now_s)
    assert nameless.numbers.tobytes() == unheard.numbers.tobytes()
    assert nameless.codes.tobytes() == unheard.codes.tobytes()


def test_context_said_to_be_unknown_is_context_left_out(
    engine: DomainEngine, domain: Domain, log: EventLog, now_s: float
) -> None:
    plain = engine.features(asked(log), now_s)
    empty = {field.name: "" for field in domain.schema.context}
    said = engine.features(replace(asked(log), context=empty), now_s)
    masked = plain.without_context()
    for other in (said, masked):
        assert plain.numbers.tobytes() == other.numbers.tobytes()
        assert plain.codes.tobytes() == other.codes.tobytes()


def test_known_context_changes_the_features(
    engine: DomainEngine, domain: Domain, log: EventLog, now_s: float
) -> None:
    name = domain.schema.context[0].name
    value = next(str(v) for v in log.context[name] if v)
    plain = engine.features(asked(log), now_s)
    known = engine.features(replace(asked(log), context={name: value}), now_s)
    assert plain.codes.tobytes() != known.codes.tobytes()
    # A value never seen is a named bucket, not an error.
    assert len(engine.features(replace(asked(log), context={name: "new"}), now_s)) == 10


def test_attributes_of_the_request_override_what_is_known(
    engine: DomainEngine, domain: Domain, log: EventLog, now_s: float
) -> None:
    field = next(f for f in domain.schema.user if f.kind is Kind.TIMESTAMP)
    user = user_of(log)
    plain = engine.features(asked(log), now_s)
    for text in ("1500000000", 1.5e9, "2017-07-14T02:40:00+00:00"):
        other = replace(user, attributes={field.name: text})
        changed = engine.features(replace(asked(log), user=other), now_s)
        assert changed.numbers.tobytes() != plain.numbers.tobytes()
    again = engine.features(asked(log), now_s)
    assert again.numbers.tobytes() == plain.numbers.tobytes()


def test_no_objects_have_no_scores(engine: DomainEngine, log: EventLog, now_s: float) -> None:
    answer = engine.score(ScoreRequest(user_of(log), ()), now_s)
    assert answer.probabilities.shape == (0,)
    assert answer.missing_ids == ()


def violations(error: pytest.ExceptionInfo[InvalidRequestError]) -> list[str]:
    return [violation.field for violation in error.value.violations]


def test_unknown_fields_are_refused_by_name_all_at_once(
    engine: DomainEngine, log: EventLog, now_s: float
) -> None:
    user = UserRef("u", {"shoe_size": "43", "registered_at": "yesterday"})
    request = ScoreRequest(user, log.objects.ids[:2], {"weather": "rain"})
    with pytest.raises(InvalidRequestError) as caught:
        engine.score(request, now_s)
    assert violations(caught) == [
        'context["weather"]',
        'user.attributes["shoe_size"]',
        'user.attributes["registered_at"]',
    ]
    with pytest.raises(InvalidRequestError) as caught:
        engine.recommend(RecommendRequest(user, {"weather": "rain"}), now_s)
    assert len(violations(caught)) == 3


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "2017-07-14T02:40:00", ""])
def test_moments_that_are_none_are_refused(
    engine: DomainEngine, log: EventLog, now_s: float, text: str
) -> None:
    user = UserRef("u", {"registered_at": text})
    with pytest.raises(InvalidRequestError, match="registered_at"):
        engine.score(ScoreRequest(user, log.objects.ids[:2]), now_s)


@pytest.mark.parametrize("profile", ["", "best", "FULL"])
def test_an_unknown_profile_is_refused_with_those_served(
    engine: DomainEngine, log: EventLog, now_s: float, profile: str
) -> None:
    with pytest.raises(InvalidRequestError, match="full, light"):
        engine.score(replace(asked(log), profile=profile), now_s)
    with pytest.raises(InvalidRequestError, match="full, light"):
        engine.recommend(RecommendRequest(user_of(log), profile=profile), now_s)


def test_an_unknown_pool_is_refused_with_those_there_are(
    engine: DomainEngine, domain: Domain, log: EventLog, now_s: float
) -> None:
    with pytest.raises(InvalidRequestError, match=domain.schema.pools[0]):
        engine.recommend(RecommendRequest(user_of(log), pool="secret"), now_s)
    with pytest.raises(InvalidRequestError, match="unknown pool 'secret'"):
        engine.pool_ids("secret")


# Recommend


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


# Feedback


def test_feedback_is_learnt_at_once(
    engine: DomainEngine, log: EventLog, now_s: float, taken: Outcome
) -> None:
    user = user_of(log)
    first, second, *_ = engine.recommend(RecommendRequest(user), now_s).items
    before = engine.features(asked(log), now_s)
    engine.apply(feedback(1, user.id, first.object_id, taken, now_s))
    engine.apply(feedback(2, user.id, second.object_id, Outcome.DISLIKE, now_s))
    assert engine.watermark == 2
    assert engine.clock_s == now_s
    after = engine.features(asked(log), now_s + 1)
    assert before.numbers.tobytes() != after.numbers.tobytes()
    ids = [first.object_id, second.object_id, log.objects.ids[0]]
    assert engine.still_allowed(user.id, ids, now_s)[:2].tolist() == [False, False]
    # What was met before a queue was ranked may come again; what is disliked may not.
    assert engine.still_allowed(user.id, ids, now_s + 1.0)[:2].tolist() == [True, False]
    assert engine.still_allowed("nobody", ids, 0.0).all()
    again = engine.recommend(RecommendRequest(user), now_s + 1)
    assert second.object_id not in {item.object_id for item in again.items}
    new = engine.recommend(RecommendRequest(user, novelty=Novelty.NEW_ONLY), now_s + 1)
    assert not {first.object_id, second.object_id} & {item.object_id for item in new.items}


def test_feedback_makes_users_and_objects_known(
    engine: DomainEngine, now_s: float, taken: Outcome
) -> None:
    assert engine.score(ScoreRequest(UserRef("u!"), ["o!"]), now_s).missing_ids == ("o!",)
    engine.apply(feedback(1, "u!", "o!", taken, now_s))
    assert engine.score(ScoreRequest(UserRef("u!"), ["o!"]), now_s).missing_ids == ()
    new = RecommendRequest(UserRef("u!"), novelty=Novelty.NEW_ONLY)
    slate = engine.recommend(new, now_s + 1)
    assert slate.items
    assert "o!" not in {item.object_id for item in slate.items}


def test_rows_at_or_below_the_watermark_are_ignored(
    engine: DomainEngine, log: EventLog, now_s: float, taken: Outcome
) -> None:
    event = feedback(5, user_of(log).id, log.objects.ids[0], taken, now_s)
    engine.apply(event)
    once = engine.features(asked(log), now_s + 1)
    engine.apply(event)
    engine.apply(replace(event, sequence=3))
    twice = engine.features(asked(log), now_s + 1)
    assert engine.watermark == 5
    assert once.numbers.tobytes() == twice.numbers.tobytes()


def test_two_engines_that_apply_the_same_rows_answer_alike(
    domain: Domain, bundle: Path, log: EventLog, taken: Outcome
) -> None:
    engines = [DomainEngine(domain, load_bundle(bundle, domain)) for _ in range(2)]
    start = engines[0].clock_s
    for engine in engines:
        for i in range(30):
            obj = log.objects.ids[(7 * i) % len(log.objects)] if i % 4 else f"new{i}"
            outcome = Outcome.LIKE if i % 3 == 0 else taken
            engine.apply(feedback(i + 1, f"u{i % 3}", obj, outcome, start + 60 * i))
    request = RecommendRequest(UserRef("u1"))
    one, other = (engine.recommend(request, start + 7200) for engine in engines)
    assert one == other


def test_feedback_that_can_never_be_applied_is_refused_with_a_reason(
    engine: DomainEngine, domain: Domain, now_s: float, taken: Outcome
) -> None:
    assert engine.check_feedback(feedback(1, "u", "o", taken, now_s)) is None
    foreign = next(outcome for outcome in Outcome if outcome not in domain.outcomes)
    reason = engine.check_feedback(feedback(1, "u", "o", foreign, now_s))
    assert reason is not None
    assert f"{foreign.value!r} means nothing in {domain.name}" in reason
    assert taken.value in reason
    reason = engine.check_feedback(feedback(1, "u", "o", taken, now_s, weather="rain"))
    assert reason is not None
    assert 'context["weather"]' in reason
    name = domain.schema.context[0].name
    assert engine.check_feedback(feedback(1, "u", "o", taken, now_s, **{name: "any"})) is None


def test_labels_mature_as_time_goes_by_without_any_event(
    engine: DomainEngine, domain: Domain, log: EventLog
) -> None:
    now = engine.clock_s
    later = now + 2 * domain.label_rule.horizon_s
    plain = engine.features(asked(log), now)
    matured = engine.features(asked(log), later)
    rates = [
        i for i, column in enumerate(plain.columns.numbers) if column.family.value == "outcome"
    ]
    assert plain.numbers[:, rates].tobytes() != matured.numbers[:, rates].tobytes()
    assert engine.clock_s == later
