"""What was heard of objects: preview windows, moods, genres."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "object_audio",
        sa.Column("domain", sa.Text(), primary_key=True),
        sa.Column("object_id", sa.Text(), primary_key=True),
        sa.Column("preview_start_ms", sa.Integer(), nullable=False),
        sa.Column("preview_length_ms", sa.Integer(), nullable=False),
        sa.Column("moods", sa.Text(), nullable=False),
        sa.Column("genres", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    """Drop it; `encore genre previews` fills it again."""
    op.drop_table("object_audio")
