"""Early warnings and what came of them

Revision ID: 0017
Revises: 0016
Create Date: 2026-11-22 08:55:00
"""

import sqlalchemy as sa
from alembic import op

from queueing.store import UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "site_warning",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("chance", sa.Float(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("desks", sa.SmallInteger(), nullable=False),
        sa.Column("pace_s", sa.Float(), nullable=False),
        sa.Column("wait_min", sa.Float(), nullable=False),
        sa.Column("came_hour", sa.Integer(), nullable=False),
        sa.Column("usual_hour", sa.Float(), nullable=True),
        sa.Column("relief_hours", sa.Float(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.Column("seen_by", sa.String(length=80), nullable=True),
        sa.Column("judged_at", UtcDateTime(), nullable=True),
        sa.Column("came", sa.Integer(), nullable=True),
        sa.Column("came_wait_min", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queue.id"], name=op.f("fk_site_warning_queue_id_queue"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["site.id"], name=op.f("fk_site_warning_site_id_site"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_warning")),
        sa.UniqueConstraint("queue_id", "raised_at", name=op.f("uq_site_warning_queue_id_raised_at")),
    )
    op.create_index("ix_site_warning_raised_at", "site_warning", ["raised_at"])
    op.create_index("ix_site_warning_site_id", "site_warning", ["site_id"])


def downgrade():
    op.drop_table("site_warning")
