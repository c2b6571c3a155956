"""Reads what was shown and what came of it: the log from which policies are judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from core.log import Outcome
from core.policy.rewards import Response, ShownList, ShownSlot
from server.store.blobs import decode_shown
from server.store.database import Database
from server.store.tables import feedback, recommendations

_AT_ONCE: Final = 1_000

_SHOWN = (
    sa.select(
        recommendations.c.recommendation_id,
        recommendations.c.user_id,
        recommendations.c.created_at_s,
        recommendations.c["items"],
    )
    .where(recommendations.c.domain == sa.bindparam("domain"))
    .where(recommendations.c.recommendation_id > sa.bindparam("after"))
    .order_by(recommendations.c.recommendation_id)
    .limit(_AT_ONCE)
)
_RESPONSES = (
    sa.select(
        feedback.c.sequence,
        feedback.c.recommendation_id,
        feedback.c.object_id,
        feedback.c.outcome,
        feedback.c.occurred_at_s,
        feedback.c.received_at_s,
    )
    .where(feedback.c.domain == sa.bindparam("domain"))
    .where(feedback.c.sequence > sa.bindparam("after"))
    .order_by(feedback.c.sequence)
    .limit(_AT_ONCE)
)


class SqlPolicyLog:
    """Reads in small steps, so that a server on the same database goes on undisturbed.

    All methods raise OverloadedError when no connection was free in time, and
    StoreUnavailableError when the database does not work.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def shown(self, domain: str) -> Iterator[ShownList]:
        """Every answered page of a domain, in no order of time."""
        after = ""
        while True:
            rows = self._next(_SHOWN, domain, after)
            for recommendation_id, user_id, created_at_s, blob in rows:
                items, _ = decode_shown(blob)
                slots = [
                    ShownSlot(
                        item.object_id,
                        item.rank,
                        item.probability,
                        item.propensity,
                        item.choices,
                        item.passed_over,
                    )
                    for item in items
                ]
                yield ShownList(recommendation_id, user_id, created_at_s, slots)
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1].recommendation_id

    def responses(self, domain: str) -> Iterator[Response]:
        """All feedback of a domain that names the page that led to it, in the order of the log."""
        after = 0
        while True:
            rows = self._next(_RESPONSES, domain, after)
            for row in rows:
                if row.recommendation_id:
                    at_s = row.received_at_s if row.occurred_at_s is None else row.occurred_at_s
                    outcome = Outcome(row.outcome)
                    yield Response(row.recommendation_id, row.object_id, outcome, at_s)
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1].sequence

    def _next(self, statement: sa.Select[Any], domain: str, after: str | int) -> Sequence[Any]:
        parameters = {"domain": domain, "after": after}
        return self._database.read(lambda c: c.execute(statement, parameters).all())
