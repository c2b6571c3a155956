"""What the server needs from a store, as Protocols: synchronous, safe across threads.

The server calls every method from its database executor, never from the event loop. Strings are
already checked: ids of users and objects hold 1 to 256 bytes of UTF-8 (a feedback user id too),
event and recommendation ids at most 128, and none holds NUL or another control character.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.log import Outcome
from core.requests import FeedbackEvent, RankedItem


@dataclass(frozen=True)
class NewFeedback:
    """One feedback event before it has a place in the log."""

    event_id: str
    """Chosen by the caller, unique for ever and across domains: a repeat counts once."""
    user_id: str
    object_id: str
    outcome: Outcome
    occurred_at_s: float | None = None
    """Epoch seconds as the caller says; None means now."""
    recommendation_id: str = ""
    """The answered Recommend that led to it; empty when there was none."""
    organic: bool = False
    value: float = 0.0
    """Strength in the domain's unit; always finite."""
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AppendResult:
    """What became of each row, by its index in the call; every index is in exactly one tuple."""

    accepted: tuple[int, ...]
    """Rows that are in the log now, ascending."""
    duplicates: tuple[int, ...]
    """Rows whose event_id was in the log before or came earlier in the same call, ascending."""


class FeedbackLog(Protocol):
    """The append-only log of feedback: its sequence *is* the order in which state changes."""

    def append(
        self, domain: str, rows: Sequence[NewFeedback], clock_floor_s: float, now_s: float
    ) -> AppendResult:
        """Store rows in the order given; durable before it returns, all or nothing.

        Appends are serialised across threads and processes: a row becomes visible to `read_after`
        only when no row with a lower sequence can appear any more. Sequences start at 1, strictly
        increase and may have gaps; one numbering may serve all domains.

        A row's log time is max(min(occurred_at_s or now_s, now_s), last log time of the domain,
        clock_floor_s): late events are taken as of now, and log time never decreases along the
        sequence of a domain.

        Args:
            domain: name of the domain.
            rows: what to store; may be empty.
            clock_floor_s: latest moment the domain's state has seen, in seconds.
            now_s: the caller's clock, epoch seconds.
        """
        ...

    def read_after(self, domain: str, sequence: int, limit: int) -> list[FeedbackEvent]:
        """The domain's next rows: sequence strictly greater, ascending, at most `limit`."""
        ...


@dataclass(frozen=True)
class QueueKey:
    """Names the one queue version that is valid at a time."""

    domain: str
    user_key: str
    """`u:` + user id, or `a:` + a random hex for an anonymous request. At most 258 bytes."""
    fingerprint: str
    """Hex digest of the request fields that shape a queue; at most 64 characters."""


@dataclass(frozen=True)
class QueueRecord:
    """One immutable version of a ranked list."""

    key: QueueKey
    queue_id: str
    """uuid4 hex; page tokens are bound to it."""
    model_version: str
    created_at_s: float
    """Epoch seconds of the server's clock: what a queue's age is counted from."""
    ranked_at_s: float
    """The moment that it was ranked for, on the server's clock but never before what the state had
    seen: what was met since is no longer part of it."""
    items: tuple[RankedItem, ...]
    """Best first; probabilities and propensities survive storage bit for bit."""
    fallbacks: tuple[str, ...] = ()
    seed: int = 0
    """Of the draws behind the list."""


class QueueStore(Protocol):
    """The current queue version of each key, and at most one that it succeeded (one blob each)."""

    def put(self, record: QueueRecord) -> None:
        """Make a version the current one; the one that was, if any, is gone."""
        ...

    def succeed(self, record: QueueRecord, predecessor_id: str) -> bool:
        """Make a version the current one after `predecessor_id`, which can still be read by its id.

        The version that the predecessor itself had succeeded is gone. Returns False, with nothing
        changed, when the predecessor is not the current version any more.
        """
        ...

    def get(self, key: QueueKey) -> QueueRecord | None:
        """The current version under this key, or None."""
        ...

    def version(self, key: QueueKey, queue_id: str) -> QueueRecord | None:
        """This version under this key, current or succeeded; None when it is gone."""
        ...

    def drop_before(self, created_at_s: float) -> int:
        """Delete queues created strictly before a moment (epoch seconds); how many."""
        ...


class SecretStore(Protocol):
    """Secrets that all replicas on one database share."""

    def agreed(self, name: str, proposal: bytes) -> bytes:
        """The secret of a name: the proposal of whoever came first."""
        ...


@dataclass(frozen=True)
class ObjectAudio:
    """What was heard of one object, as far as answers need it."""

    object_id: str
    preview_start_ms: int
    preview_length_ms: int
    """0 where no preview was chosen."""
    moods: tuple[str, ...] = ()
    """The likeliest first."""
    genres: tuple[str, ...] = ()
    source: str = ""
    """Where it was heard, such as the name of a sound library."""


class ObjectAudioStore(Protocol):
    """What was heard of objects, by domain and object id."""

    def replace(self, domain: str, rows: Sequence[ObjectAudio]) -> None:
        """Make these the domain's rows, all or nothing: others are gone; ids are distinct."""
        ...

    def get(self, domain: str, object_ids: Sequence[str]) -> dict[str, ObjectAudio]:
        """Object id -> what is known of it; ids that nothing is known of are left out."""
        ...


@dataclass(frozen=True)
class ShownItem:
    """One item of an answered page."""

    object_id: str
    rank: int
    """Place in the whole queue, from 1."""
    probability: float
    propensity: float = 1.0
    """Probability that this object came to stand here, given those before it in the queue."""
    choices: int = 1
    """How many candidates could have come to stand here, given those before it."""
    passed_over: float | None = None
    """Probability of the object that exploration kept from standing here; None when it did not."""


@dataclass(frozen=True)
class RecommendationRecord:
    """One answered Recommend call (one page): feedback refers to its id."""

    recommendation_id: str
    """uuid4 hex."""
    domain: str
    user_id: str
    """Empty for an anonymous request."""
    queue_id: str
    model_version: str
    created_at_s: float
    """Epoch seconds."""
    items: tuple[ShownItem, ...]
    seed: int = 0
    """Of the draws behind the queue: with the state of that moment it gives the list again."""


class RecommendationStore(Protocol):
    """The log of answered recommendations."""

    def add(self, record: RecommendationRecord) -> None:
        """Store one; the id is new."""
        ...
