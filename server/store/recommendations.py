"""The log of answered recommendations, to which feedback refers by id."""

from __future__ import annotations

import sqlalchemy as sa

from server.ports import RecommendationRecord
from server.store.blobs import decode_shown, encode_shown
from server.store.checks import check_finite, check_text
from server.store.database import Database
from server.store.tables import recommendations

_ADD = sa.insert(recommendations)
_GET = sa.select(recommendations).where(
    recommendations.c.recommendation_id == sa.bindparam("recommendation_id")
)


class SqlRecommendationStore:
    """`server.ports.RecommendationStore` on SQLite or PostgreSQL.

    All methods raise OverloadedError when a lock was not to be had in time, and
    StoreUnavailableError when the database does not work.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: RecommendationRecord) -> None:
        """See `server.ports.RecommendationStore.add`.

        Raises:
            InvalidRequestError: an id holds NUL or a lone surrogate.
        """
        values = {
            "recommendation_id": record.recommendation_id,
            "domain": record.domain,
            "user_id": record.user_id,
            "queue_id": record.queue_id,
            "model_version": record.model_version,
        }
        check_text(values.items())
        check_finite([("created_at_s", record.created_at_s)])
        parameters = {
            **values,
            "created_at_s": record.created_at_s,
            "items": encode_shown(record.items, record.seed),
        }
        self._database.write(lambda c: c.execute(_ADD, parameters).close())

    def get(self, recommendation_id: str) -> RecommendationRecord | None:
        """The recommendation of this id, or None."""
        check_text([("recommendation_id", recommendation_id)])
        parameters = {"recommendation_id": recommendation_id}
        row = self._database.read(lambda c: c.execute(_GET, parameters).mappings().first())
        if row is None:
            return None
        items, seed = decode_shown(row["items"])
        return RecommendationRecord(**{**row, "items": items, "seed": seed})
