"""How calls behave unless told otherwise: deadlines, retries, and the connection beneath them."""

from __future__ import annotations

from dataclasses import dataclass, field

from encore_client.version import __version__


@dataclass(frozen=True)
class Deadlines:
    """Longest time of a call in seconds, all its attempts and the waits between them included."""

    score_s: float = 2.0
    recommend_s: float = 3.0
    """A first page may be computed live."""
    genre_neighbor_s: float = 20.0
    """A sound file is decoded and analysed on the way."""
    feedback_s: float = 5.0
    """For each batch of 1,000 events: stored durably before the answer."""
    health_s: float = 1.0
    admin_s: float = 10.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} must be above 0 seconds, got {value}")


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and how far apart, a request is sent again."""

    attempts: int = 4
    """Most times that a request is sent, the first included; 1 is no retries."""
    first_wait_s: float = 0.1
    """Wait before the second attempt; it doubles from attempt to attempt."""
    longest_wait_s: float = 2.0
    """No wait of the client's own grows beyond this."""
    jitter: float = 0.5
    """Share of each wait that is random, 0 to 1, so that callers do not return in step."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, got {self.attempts}")
        if self.first_wait_s < 0 or self.longest_wait_s < 0:
            raise ValueError(
                f"waits cannot be negative, got first_wait_s={self.first_wait_s} and "
                f"longest_wait_s={self.longest_wait_s}"
            )
        if not 0.0 <= self.jitter <= 1.0:
            raise ValueError(f"jitter must be between 0 and 1, got {self.jitter}")

    def wait_s(self, attempts: int, luck: float) -> float:
        """Returns the wait after so many failed attempts, in seconds.

        Args:
            attempts: How often the request has failed, from 1.
            luck: A random number in [0, 1).
        """
        # The exponent is bounded: a float overflows long after the longest wait is reached.
        whole = min(self.first_wait_s * 2.0 ** min(attempts - 1, 60), self.longest_wait_s)
        return whole * (1.0 - self.jitter * luck)

    def wait_when_told_s(self, told_s: float, attempts: int, luck: float) -> float:
        """Returns the wait when the server has said how long, in seconds: never shorter.

        Args:
            told_s: The server's delay.
            attempts: How often the request has failed, from 1.
            luck: A random number in [0, 1).
        """
        # Added to, not shortened: whoever was told the same delay must not return in step.
        spread_s = self.jitter * luck * self.first_wait_s
        return max(told_s + spread_s, self.wait_s(attempts, luck))


NO_RETRIES = RetryPolicy(attempts=1)
"""Sends every request once."""


@dataclass(frozen=True)
class ConnectionOptions:
    """The channel beneath the calls."""

    keepalive_s: float = 30.0
    """Pings a silent server this often while calls wait for it."""
    keepalive_timeout_s: float = 10.0
    """Gives the connection up when a ping stays unanswered so long."""
    longest_reconnect_wait_s: float = 5.0
    """Longest wait between attempts to connect."""
    max_answer_bytes: int = 16 * 1024 * 1024
    """Refuses longer answers; 10,000 scored objects with the longest ids need half of it."""
    more: tuple[tuple[str, str | int], ...] = ()
    """Further channel arguments of gRPC, such as `grpc.ssl_target_name_override`; they win."""

    def arguments(self) -> tuple[tuple[str, str | int], ...]:
        """Returns the channel arguments of gRPC."""
        arguments: dict[str, str | int] = {
            "grpc.primary_user_agent": f"encore-client-python/{__version__}",
            "grpc.keepalive_time_ms": round(self.keepalive_s * 1000),
            "grpc.keepalive_timeout_ms": round(self.keepalive_timeout_s * 1000),
            # Servers close connections that ping without a call; ours need not do so.
            "grpc.keepalive_permit_without_calls": 0,
            # Calls fail at once while the channel waits to reconnect: its first wait (1 s by
            # default) must not outlast our retries.
            "grpc.initial_reconnect_backoff_ms": 100,
            "grpc.max_reconnect_backoff_ms": round(self.longest_reconnect_wait_s * 1000),
            "grpc.max_receive_message_length": self.max_answer_bytes,
            # Retries are ours alone: gRPC's would hide attempts from the count in the errors.
            "grpc.enable_retries": 0,
            "grpc.service_config_disable_resolution": 1,
        }
        arguments.update(self.more)
        return tuple(arguments.items())


@dataclass(frozen=True)
class ClientOptions:
    """Everything that a client can be told besides where the server is."""

    deadlines: Deadlines = field(default_factory=Deadlines)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    connection: ConnectionOptions = field(default_factory=ConnectionOptions)
