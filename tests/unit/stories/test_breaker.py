"""The breaker leaves alone whoever fails in a row, and tries with one call."""

from __future__ import annotations

import pytest

from encore_stories.breaker import Circuit, CircuitBreaker


class Clock:
    """Seconds that stand still until moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    """Opens at the third failure, for ten seconds."""
    return CircuitBreaker(3, 10.0, clock)


def circuit(breaker: CircuitBreaker) -> Circuit:
    return breaker.circuit


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        assert breaker.allows()
        breaker.failed()


def test_it_opens_only_after_enough_failures_in_a_row(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    assert circuit(breaker) is Circuit.CLOSED
    fail(breaker, 1)
    assert circuit(breaker) is Circuit.OPEN
    assert not breaker.allows()


def test_after_a_while_one_call_tries_and_its_success_closes(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.now_s = 10.0
    assert circuit(breaker) is Circuit.HALF_OPEN
    assert breaker.allows()
    assert not breaker.allows()
    breaker.succeeded()
    assert circuit(breaker) is Circuit.CLOSED
    assert breaker.allows()


def test_a_failed_try_opens_it_again_at_once(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now_s = 10.0
    fail(breaker, 1)
    assert circuit(breaker) is Circuit.OPEN
    clock.now_s = 19.9
    assert not breaker.allows()
    clock.now_s = 20.0
    assert breaker.allows()


def test_a_try_that_never_tells_does_not_lock_the_others_out(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.now_s = 10.0
    assert breaker.allows()
    clock.now_s = 19.0
    assert not breaker.allows()
    clock.now_s = 20.0
    assert breaker.allows()
