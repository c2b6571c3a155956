"""The log of feedback, the queues and the answered recommendations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first three tables."""
    op.create_table(
        "feedback",
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
        sa.UniqueConstraint("event_id", name="feedback_event_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("feedback_domain_sequence", "feedback", ["domain", "sequence"])
    op.create_table(
        "queues",
        sa.Column("domain", sa.Text(), primary_key=True),
        sa.Column("user_key", sa.Text(), primary_key=True),
        sa.Column("fingerprint", sa.Text(), primary_key=True),
        sa.Column("queue_id", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("created_at_s", sa.Double(), nullable=False),
        sa.Column("items", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("queue_id", name="queues_queue_id"),
    )
    op.create_index("queues_created_at_s", "queues", ["created_at_s"])
    op.create_table(
        "recommendations",
        sa.Column("recommendation_id", sa.Text(), primary_key=True),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("created_at_s", sa.Double(), nullable=False),
        sa.Column("items", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    """Drop them, with all that they hold."""
    op.drop_table("recommendations")
    op.drop_table("queues")
    op.drop_table("feedback")
