"""Feedback of any length: cut into requests that the server takes, and joined to one receipt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from encore_client.errors import EncoreClientError
from encore_client.types import FeedbackEvent, FeedbackReceipt

MAX_EVENTS = 1_000
"""Most events of one request."""

_EVENT_PATH = re.compile(r"^events\[(\d+)\]")


@dataclass(frozen=True)
class Batch:
    """Some of the caller's events, in their order."""

    offset: int
    """Place of the first one among all of the caller's events."""
    events: tuple[FeedbackEvent, ...]

    def join(
        self, receipt: FeedbackReceipt, answer: FeedbackReceipt, request_id: str
    ) -> FeedbackReceipt:
        """Returns the receipt of the batches before, and of this one.

        Args:
            receipt: Of the batches before.
            answer: Of this batch; its rejected indices count from the batch's first event.
            request_id: The id under which the batch was sent; the next batches go under it too.
        """
        moved = (replace(each, index=each.index + self.offset) for each in answer.rejected)
        return FeedbackReceipt(
            accepted=receipt.accepted + answer.accepted,
            duplicates=receipt.duplicates + answer.duplicates,
            rejected=(*receipt.rejected, *moved),
            model_version=answer.model_version,
            request_id=request_id,
        )

    def relate(self, error: EncoreClientError, stored: FeedbackReceipt) -> EncoreClientError:
        """Returns the error in the caller's terms.

        Args:
            error: Of this batch; its field paths count from the batch's first event.
            stored: Receipt of the batches before.
        """
        violations = tuple(
            replace(each, field=_EVENT_PATH.sub(self._moved_path, each.field))
            for each in error.violations
        )
        return type(error)(replace(error.failure, violations=violations, stored=stored))

    def _moved_path(self, match: re.Match[str]) -> str:
        return f"events[{int(match[1]) + self.offset}]"


def cut(events: Iterable[FeedbackEvent]) -> Iterator[Batch]:
    """Cuts events into batches of at most `MAX_EVENTS`, reading no further than it has to."""
    remaining = iter(events)
    offset = 0
    while batch := tuple(islice(remaining, MAX_EVENTS)):
        yield Batch(offset, batch)
        offset += len(batch)
