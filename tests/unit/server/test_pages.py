"""A page token names one page of one queue, for one user, domain and request."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidRequestError
from core.requests import FacetFilter, Novelty, RecommendRequest, Story, UserRef
from server.pages import (
    MAX_TOKEN_BYTES,
    Page,
    PageTokens,
    fingerprint,
    model_digest,
    user_key,
)
from server.ports import QueueKey

QUEUE_ID = "0123456789abcdef" * 2
REQUEST = RecommendRequest(UserRef("ann"), {"source_tab": "home"}, exclude_ids=("t1",))
TOKENS = PageTokens(b"secret")


def page_for(request: RecommendRequest, domain: str = "music", offset: int = 10) -> Page:
    key = QueueKey(domain, user_key(request.user.id, anonymous="a" * 32), fingerprint(request))
    return Page(QUEUE_ID, offset, key, model_digest("v1"))


def refusal(token: str, domain: str = "music", request: RecommendRequest = REQUEST) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        TOKENS.read(token, domain, request)
    (violation,) = caught.value.violations
    assert violation.field == "page_token"
    return violation.description


@given(user=st.text(max_size=20), offset=st.integers(0, 2**32 - 1))
def test_what_is_written_is_read_again(user: str, offset: int) -> None:
    request = replace(REQUEST, user=UserRef(user))
    page = page_for(request, offset=offset)
    token = TOKENS.write(page)
    assert TOKENS.read(token, "music", request) == page
    assert len(token) <= MAX_TOKEN_BYTES


def test_an_anonymous_user_is_found_again_by_the_key_in_the_token() -> None:
    request = replace(REQUEST, user=UserRef(""))
    read = TOKENS.read(TOKENS.write(page_for(request)), "music", request)
    assert read.key.user_key == "a:" + "a" * 32


@given(place=st.integers(min_value=0), letter=st.sampled_from("ABCxyz019-_=+ \0é"))
def test_a_token_with_any_letter_changed_is_refused(place: int, letter: str) -> None:
    token = TOKENS.write(page_for(REQUEST))
    place %= len(token)
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        assert "unchanged" in refusal(changed)


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    assert "unchanged" in refusal(text)


def test_the_token_of_another_user_is_refused() -> None:
    stranger = replace(REQUEST, user=UserRef("bob"))
    assert "another domain or user" in refusal(TOKENS.write(page_for(stranger)))


def test_the_token_of_another_domain_is_refused() -> None:
    assert "another domain or user" in refusal(TOKENS.write(page_for(REQUEST, "travel")))


@pytest.mark.parametrize(
    "changed",
    [
        replace(REQUEST, context={}),
        replace(REQUEST, pool="royalty_free"),
        replace(REQUEST, candidate_ids=("t2",)),
        replace(REQUEST, exclude_ids=()),
        replace(REQUEST, max_per_facet=1),
        replace(REQUEST, profile="light"),
        replace(REQUEST, novelty=Novelty.NEW_ONLY),
        replace(REQUEST, facet_filters=(FacetFilter("genres", ("rock",)),)),
        replace(REQUEST, fall_back=True),
        replace(REQUEST, diversity=0.0),
        replace(REQUEST, freshness=0.1),
        replace(REQUEST, exploration=0.1),
        replace(REQUEST, user=UserRef("ann", {"city": "1"})),
        replace(REQUEST, story=Story("s1")),
    ],
)
def test_the_token_of_another_request_is_refused(changed: RecommendRequest) -> None:
    assert "another request" in refusal(TOKENS.write(page_for(REQUEST)), request=changed)


@pytest.mark.parametrize(
    "other", [Story("s2", ("rock",), 9), Story("s1", (), 9), Story("s1", ("rock",)), None]
)
def test_the_token_of_another_story_is_refused(other: Story | None) -> None:
    of_story = replace(REQUEST, story=Story("s1", ("rock",), 9))
    token = TOKENS.write(page_for(of_story))
    assert TOKENS.read(token, "music", of_story)
    assert "another request" in refusal(token, request=replace(REQUEST, story=other))


def test_a_token_sealed_with_another_key_is_refused() -> None:
    assert "unchanged" in refusal(PageTokens(b"other").write(page_for(REQUEST)))


def test_the_order_in_which_fields_are_written_does_not_matter() -> None:
    one = replace(REQUEST, context={"a": "1", "b": "2"})
    other = replace(REQUEST, context={"b": "2", "a": "1"})
    assert fingerprint(one) == fingerprint(other)


def test_what_the_last_queue_held_does_not_make_another_request() -> None:
    assert fingerprint(replace(REQUEST, queued_ids=("t1", "t2"))) == fingerprint(REQUEST)


def test_neither_the_seed_nor_the_order_of_values_makes_another_request() -> None:
    one = replace(REQUEST, facet_filters=(FacetFilter("genres", ("rock", "jazz")),), seed=1)
    other = replace(REQUEST, facet_filters=(FacetFilter("genres", ("jazz", "rock")),), seed=2)
    assert fingerprint(one) == fingerprint(other)
