"""A queue that was succeeded keeps its pages; replicas share secrets."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the queues anew, empty: each is ranked again when it is next asked for."""
    op.drop_table("queues")
    op.create_table(
        "queues",
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
    )
    op.create_index("queues_created_at_s", "queues", ["created_at_s"])
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    """Create the queues as they were, empty too."""
    op.drop_table("secrets")
    op.drop_table("queues")
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
