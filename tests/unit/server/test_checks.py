"""What callers write is checked once, and everything that is wrong is said at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidRequestError
from server.checks import CONTROL_CHARACTER, MAX_ID_BYTES, Checks


def problems(checks: Checks) -> dict[str, str]:
    try:
        checks.finish()
    except InvalidRequestError as error:
        return {violation.field: violation.description for violation in error.violations}
    return {}


def ids(*values: str) -> dict[str, str]:
    checks = Checks()
    checks.ids("object_ids", values, at_least=1, at_most=10_000)
    return problems(checks)


@given(st.lists(st.text(max_size=300), min_size=1, max_size=5))
def test_a_list_is_sound_exactly_if_each_id_is(values: list[str]) -> None:
    bad = {
        f"object_ids[{place}]"
        for place, value in enumerate(values)
        if not 0 < len(value.encode()) <= MAX_ID_BYTES or CONTROL_CHARACTER.search(value)
    }
    assert ids(*values).keys() == bad


def test_256_bytes_are_an_id_and_257_are_not() -> None:
    assert ids("é" * 128) == {}
    assert ids("é" * 128 + "x") == {"object_ids[0]": "has 257 bytes: at most 256 are allowed"}


@pytest.mark.parametrize("control", ["\0", "\n", "\x7f", "\x9f"])
def test_control_characters_are_refused_wherever_they_stand(control: str) -> None:
    assert list(ids("fine", f"a{control}b")) == ["object_ids[1]"]


def test_the_ten_thousand_and_first_id_is_one_too_many() -> None:
    assert ids(*["a"] * 10_000) == {}
    assert ids(*["a"] * 10_001) == {
        "object_ids": "must hold 1 to 10000 ids, got 10001: split the call"
    }


def test_a_field_is_named_as_the_caller_wrote_it() -> None:
    checks = Checks()
    checks.mapping("user.attributes", {"age": "4\0", "city": "x" * 1025, "": "y"})
    assert list(problems(checks)) == [
        'user.attributes["age"]',
        'user.attributes["city"]',
        "user.attributes",
    ]


def test_nothing_wrong_raises_nothing() -> None:
    Checks().finish()
