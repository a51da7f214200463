"""How far a day may stray from its forecast, and the range of every second hour

Revision ID: 0018
Revises: 0017
Create Date: 2026-11-22 10:30:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("forecast_hour") as table:
        table.add_column(sa.Column("inner_low", sa.Float(), nullable=True))
        table.add_column(sa.Column("inner_high", sa.Float(), nullable=True))
        table.add_column(sa.Column("spread", sa.Float(), nullable=True))


def downgrade():
    with op.batch_alter_table("forecast_hour") as table:
        table.drop_column("spread")
        table.drop_column("inner_high")
        table.drop_column("inner_low")
