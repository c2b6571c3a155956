"""A writer to be killed: appends for ever and prints each id once it is acknowledged."""

from __future__ import annotations

import sys
import time

from core.log import Outcome
from server.ports import NewFeedback
from server.store import open_store


def main(url: str, name: str, calls: int) -> None:
    with open_store(url, lock_timeout_s=30.0) as store:
        for call in range(calls):
            ids = [f"{name}-{call}-{row}" for row in range(1 + call % 3)]
            rows = [NewFeedback(event_id, name, "t1", Outcome.PLAY) for event_id in ids]
            store.feedback.append("music", rows, 0.0, time.time())
            sys.stdout.write("".join(f"{event_id}\n" for event_id in ids))
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
