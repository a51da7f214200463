"""Bands of the forecast, forecasts kept for comparison, dated events

Revision ID: 0016
Revises: 0014
Create Date: 2026-11-22 08:10:00
"""

import sqlalchemy as sa
from alembic import op

from queueing.store import UtcDateTime

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("forecast_hour") as table:
        table.add_column(sa.Column("low", sa.Float(), nullable=True))
        table.add_column(sa.Column("high", sa.Float(), nullable=True))
    op.create_table(
        "forecast_day",
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("lead", sa.SmallInteger(), nullable=False),
        sa.Column("arrivals", sa.Float(), nullable=False),
        sa.Column("low", sa.Float(), nullable=False),
        sa.Column("high", sa.Float(), nullable=False),
        sa.Column("known_until", sa.Date(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queue.id"], name=op.f("fk_forecast_day_queue_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("queue_id", "day", "lead", name=op.f("pk_forecast_day")),
    )
    op.create_index("ix_forecast_day_day", "forecast_day", ["day", "lead"], unique=False)
    op.create_table(
        "dated_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("governorate_id", sa.Integer(), nullable=True),
        sa.Column("site_id", sa.Integer(), nullable=True),
        sa.Column("factor", sa.Float(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(80), nullable=False),
        sa.Column("withdrawn_at", UtcDateTime(), nullable=True),
        sa.Column("withdrawn_by", sa.String(80), nullable=True),
        sa.CheckConstraint("last_day >= first_day", name=op.f("ck_dated_event_days")),
        sa.CheckConstraint("factor >= 0 AND factor <= 5", name=op.f("ck_dated_event_factor")),
        sa.CheckConstraint("governorate_id IS NULL OR site_id IS NULL", name=op.f("ck_dated_event_place")),
        sa.ForeignKeyConstraint(
            ["governorate_id"],
            ["governorate.id"],
            name=op.f("fk_dated_event_governorate_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["site.id"], name=op.f("fk_dated_event_site_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dated_event")),
        sa.UniqueConstraint("request_id", name=op.f("uq_dated_event_request_id")),
    )
    op.create_index("ix_dated_event_days", "dated_event", ["first_day", "last_day"], unique=False)


def downgrade():
    op.drop_table("dated_event")
    op.drop_table("forecast_day")
    with op.batch_alter_table("forecast_hour") as table:
        table.drop_column("high")
        table.drop_column("low")
