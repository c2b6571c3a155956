"""What was heard of objects: written as a whole by an operator, read by the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from server.ports import ObjectAudio
from server.store.checks import check_text
from server.store.database import Database
from server.store.tables import object_audio

_ADD = sa.insert(object_audio)
_CLEAR = sa.delete(object_audio).where(object_audio.c.domain == sa.bindparam("of_domain"))
_GET = sa.select(object_audio).where(
    object_audio.c.domain == sa.bindparam("domain"),
    object_audio.c.object_id.in_(sa.bindparam("object_ids", expanding=True)),
)
_ROWS_AT_ONCE: Final = 2_000
MOST_IDS: Final = 500
"""Object ids of one question: databases bound how many parameters a statement may have."""


class SqlObjectAudioStore:
    """`server.ports.ObjectAudioStore` on SQLite or PostgreSQL.

    All methods raise OverloadedError when a lock was not to be had in time, and
    StoreUnavailableError when the database does not work.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, domain: str, rows: Sequence[ObjectAudio]) -> None:
        """See `server.ports.ObjectAudioStore.replace`; readers see the old rows or the new ones.

        Raises:
            InvalidRequestError: an id or a name holds NUL or a lone surrogate.
        """
        check_text([("domain", domain)])
        for row in rows:
            names = (row.object_id, row.source, *row.moods, *row.genres)
            check_text((f"object_audio[{row.object_id!r}]", name) for name in names)
        parameters = [_parameters(domain, row) for row in rows]

        def work(connection: sa.Connection) -> None:
            connection.execute(_CLEAR, {"of_domain": domain})
            for start in range(0, len(parameters), _ROWS_AT_ONCE):
                connection.execute(_ADD, parameters[start : start + _ROWS_AT_ONCE])

        self._database.transaction(work)

    def get(self, domain: str, object_ids: Sequence[str]) -> dict[str, ObjectAudio]:
        """See `server.ports.ObjectAudioStore.get`; one query for at most MOST_IDS ids."""
        found: dict[str, ObjectAudio] = {}
        check_text([("domain", domain), *(("object_ids", i) for i in object_ids)])
        for start in range(0, len(object_ids), MOST_IDS):
            parameters = {
                "domain": domain,
                "object_ids": list(object_ids[start : start + MOST_IDS]),
            }
            rows = self._database.read(
                lambda c, asked=parameters: c.execute(_GET, asked).mappings().all()  # type: ignore[misc]
            )
            found.update((row["object_id"], _record(row)) for row in rows)
        return found


def _parameters(domain: str, row: ObjectAudio) -> dict[str, Any]:
    return {
        "domain": domain,
        "object_id": row.object_id,
        "preview_start_ms": row.preview_start_ms,
        "preview_length_ms": row.preview_length_ms,
        "moods": json.dumps(row.moods, ensure_ascii=False),
        "genres": json.dumps(row.genres, ensure_ascii=False),
        "source": row.source,
    }


def _record(row: sa.RowMapping) -> ObjectAudio:
    return ObjectAudio(
        row["object_id"],
        row["preview_start_ms"],
        row["preview_length_ms"],
        tuple(json.loads(row["moods"])),
        tuple(json.loads(row["genres"])),
        row["source"],
    )
