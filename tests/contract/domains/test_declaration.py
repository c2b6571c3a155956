"""What every domain declares, and that its reader fills it in."""

from __future__ import annotations

import numpy as np
import pytest

from core.domain import Domain
from core.errors import UnknownDomainError
from core.log import EventLog, Outcome
from core.readers import detect
from core.schema import Kind
from domains import DOMAINS, domain_named
from tests.contract.domains.conftest import Variant


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


def test_the_reader_recognises_the_files_and_fills_the_schema(
    domain: Domain, variant: Variant, log: EventLog
) -> None:
    assert detect(domain.readers, variant.files) == next(iter(domain.simulators))
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
