"""Queues out of use

Revision ID: 0022
Revises: 0021
Create Date: 2026-11-22 10:50:00
"""

import sqlalchemy as sa
from alembic import op

from queueing.store import UtcDateTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "retired_queue",
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("services", sa.JSON(), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=False),
        sa.Column("retired_by", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queue.id"], name=op.f("fk_retired_queue_queue_id_queue"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_retired_queue_site_id_site")),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_retired_queue")),
    )
    op.create_index("ix_retired_queue_site_id", "retired_queue", ["site_id"])


def downgrade():
    op.drop_table("retired_queue")
