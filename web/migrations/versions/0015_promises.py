"""Promised visits of districts, in the place of weights

Revision ID: 0015
Revises: 0013
Create Date: 2026-11-22 04:25:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("local_unit") as table:
        table.add_column(sa.Column("promised_from", sa.Date(), nullable=True))
        table.add_column(sa.Column("promised_until", sa.Date(), nullable=True))
        table.drop_column("coverage_weight")


def downgrade():
    with op.batch_alter_table("local_unit") as table:
        table.add_column(sa.Column("coverage_weight", sa.SmallInteger(), server_default="1", nullable=False))
        table.drop_column("promised_until")
        table.drop_column("promised_from")
