"""The tables, as this version of the code knows them; the migrations lead there."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

feedback = sa.Table(
    "feedback",
    metadata,
    # AUTOINCREMENT: a number is never given out again, even if the newest rows were deleted;
    # replicas that have passed it would not see the new row.
    sa.Column(
        "sequence",
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("domain", sa.Text(), nullable=False),
    sa.Column("event_id", sa.Text(), nullable=False),
    sa.Column("user_id", sa.Text(), nullable=False),
    sa.Column("object_id", sa.Text(), nullable=False),
    sa.Column("outcome", sa.Text(), nullable=False),
    sa.Column("log_time_s", sa.Double(), nullable=False),
    sa.Column("occurred_at_s", sa.Double(), nullable=True),
    sa.Column("received_at_s", sa.Double(), nullable=False),
    sa.Column("recommendation_id", sa.Text(), nullable=False),
    sa.Column("organic", sa.Boolean(), nullable=False),
    sa.Column("value", sa.Double(), nullable=False),
    sa.Column("context", sa.Text(), nullable=False),
    # Across domains: the contract says that an event_id is unique for ever.
    sa.UniqueConstraint("event_id", name="feedback_event_id"),
    sa.Index("feedback_domain_sequence", "domain", "sequence"),
    sqlite_autoincrement=True,
)
"""What users did, append-only. `context` is a JSON object; times are epoch seconds."""

queues = sa.Table(
    "queues",
    metadata,
    sa.Column("domain", sa.Text(), primary_key=True),
    sa.Column("user_key", sa.Text(), primary_key=True),
    sa.Column("fingerprint", sa.Text(), primary_key=True),
    sa.Column("is_current", sa.Boolean(), primary_key=True),
    sa.Column("queue_id", sa.Text(), nullable=False),
    sa.Column("model_version", sa.Text(), nullable=False),
    sa.Column("created_at_s", sa.Double(), nullable=False),
    sa.Column("ranked_at_s", sa.Double(), nullable=False),
    sa.Column("items", sa.LargeBinary(), nullable=False),
    sa.UniqueConstraint("queue_id", name="queues_queue_id"),
    sa.Index("queues_created_at_s", "created_at_s"),
)
"""The current ranked list for each user and kind of request, and the one that it succeeded, whose
pages may still be asked for; `items` is a blob (blobs.py)."""

secrets = sa.Table(
    "secrets",
    metadata,
    sa.Column("name", sa.Text(), primary_key=True),
    sa.Column("secret", sa.LargeBinary(), nullable=False),
)
"""Random keys that all replicas share."""

object_audio = sa.Table(
    "object_audio",
    metadata,
    sa.Column("domain", sa.Text(), primary_key=True),
    sa.Column("object_id", sa.Text(), primary_key=True),
    sa.Column("preview_start_ms", sa.Integer(), nullable=False),
    sa.Column("preview_length_ms", sa.Integer(), nullable=False),
    sa.Column("moods", sa.Text(), nullable=False),
    sa.Column("genres", sa.Text(), nullable=False),
    sa.Column("source", sa.Text(), nullable=False),
)
"""What was heard of objects; `moods` and `genres` are JSON lists of names."""

recommendations = sa.Table(
    "recommendations",
    metadata,
    sa.Column("recommendation_id", sa.Text(), primary_key=True),
    sa.Column("domain", sa.Text(), nullable=False),
    sa.Column("user_id", sa.Text(), nullable=False),
    sa.Column("queue_id", sa.Text(), nullable=False),
    sa.Column("model_version", sa.Text(), nullable=False),
    sa.Column("created_at_s", sa.Double(), nullable=False),
    sa.Column("items", sa.LargeBinary(), nullable=False),
)
"""Answered pages, append-only; `items` is a blob (blobs.py)."""
