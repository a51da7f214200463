"""How many wait, beside each queue's sequence number

Revision ID: 0010
Revises: 0015
Create Date: 2026-11-22 04:50:00
"""

import sqlalchemy as sa
from alembic import op

import queueing.store

revision = "0010"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("queue", sa.Column("line_waiting", sa.Integer(), server_default="0", nullable=False))
    op.add_column("queue", sa.Column("line_seq", sa.BigInteger(), nullable=True))
    op.add_column("queue", sa.Column("line_since", queueing.store.UtcDateTime(), nullable=True))


def downgrade():
    with op.batch_alter_table("queue") as batch:
        batch.drop_column("line_since")
        batch.drop_column("line_seq")
        batch.drop_column("line_waiting")
