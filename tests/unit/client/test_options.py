from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encore_client import ConnectionOptions, Deadlines, RetryPolicy

FRACTIONS = st.floats(0.0, 1.0, exclude_max=True)


def test_waits_double_until_the_longest() -> None:
    policy = RetryPolicy(first_wait_s=0.1, longest_wait_s=0.5, jitter=0.0)
    assert [policy.wait_s(attempts, 0.7) for attempts in (1, 2, 3, 4, 5)] == [
        0.1,
        0.2,
        0.4,
        0.5,
        0.5,
    ]


def test_jitter_takes_off_its_share_of_the_wait() -> None:
    policy = RetryPolicy(first_wait_s=1.0, jitter=0.5)
    assert policy.wait_s(1, 0.0) == 1.0
    assert policy.wait_s(1, 0.5) == 0.75


@given(attempts=st.integers(1, 10_000), luck=FRACTIONS, jitter=st.floats(0.0, 1.0))
def test_a_wait_is_never_negative_nor_longer_than_the_longest(
    attempts: int, luck: float, jitter: float
) -> None:
    policy = RetryPolicy(jitter=jitter)
    assert 0.0 <= policy.wait_s(attempts, luck) <= policy.longest_wait_s


@given(told_s=st.floats(0.0, 1e6), attempts=st.integers(1, 20), luck=FRACTIONS)
def test_a_wait_is_never_shorter_than_the_server_says(
    told_s: float, attempts: int, luck: float
) -> None:
    assert RetryPolicy().wait_when_told_s(told_s, attempts, luck) >= told_s


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"attempts": 0}, "attempts"),
        ({"first_wait_s": -1.0}, "first_wait_s"),
        ({"jitter": 1.5}, "jitter"),
    ],
)
def test_a_retry_policy_without_sense_is_refused(wrong: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        RetryPolicy(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan")])
def test_a_deadline_lies_in_the_future(timeout_s: float) -> None:
    with pytest.raises(ValueError, match="score_s must be above 0"):
        Deadlines(score_s=timeout_s)


def test_the_callers_channel_arguments_win() -> None:
    arguments = dict(ConnectionOptions(more=(("grpc.enable_retries", 1),)).arguments())
    assert arguments["grpc.enable_retries"] == 1
    assert str(arguments["grpc.primary_user_agent"]).startswith("encore-client-python/")
