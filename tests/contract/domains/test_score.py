"""Score in every domain: any user, object and context has an answer or a clear refusal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.domain import Domain
from core.engine import DomainEngine
from core.errors import InvalidRequestError
from core.log import EventLog
from core.requests import (
    RecommendRequest,
    ScoreRequest,
    UserRef,
)
from core.schema import Kind
from core.testing_logs import UNHEARD_OF
from tests.contract.domains.conftest import Variant, asked, user_of


def test_scores_are_probabilities_in_the_order_asked(
    engine: DomainEngine, log: EventLog, now_s: float
) -> None:
    request = asked(log)
    answer = engine.score(request, now_s)
    assert answer.object_ids == tuple(request.object_ids)
    assert answer.missing_ids == ()
    assert set(answer.member_probabilities) == {"jenn", "felu", "lightgbm", "symmetric"}
    for values in (answer.probabilities, *answer.member_probabilities.values()):
        assert values.shape == (10,)
        assert ((values > 0) & (values < 1)).all()
    backwards = engine.score(replace(request, object_ids=request.object_ids[::-1]), now_s)
    np.testing.assert_allclose(backwards.probabilities, answer.probabilities[::-1], atol=1e-6)


def test_the_light_profile_has_its_own_members(
    engine: DomainEngine, log: EventLog, now_s: float
) -> None:
    answer = engine.score(replace(asked(log), profile="light"), now_s)
    assert set(answer.member_probabilities) == {"symmetric"}


def test_an_object_that_only_content_tells_of_is_known(
    engine: DomainEngine, variant: Variant, now_s: float
) -> None:
    answer = engine.score(ScoreRequest(UserRef(), [UNHEARD_OF]), now_s)
    assert answer.missing_ids == (() if variant.content else (UNHEARD_OF,))
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
