"""Feedback in every domain: what is told is learnt at once, once, and by every replica alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.domain import Domain
from core.engine import DomainEngine, load_bundle
from core.log import EventLog, Outcome
from core.requests import (
    Novelty,
    RecommendRequest,
    ScoreRequest,
    UserRef,
)
from tests.contract.domains.conftest import asked, feedback, user_of


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
