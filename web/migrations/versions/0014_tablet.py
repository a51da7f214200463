"""Hands of tablets that may lose the line, numbers given out on paper

Revision ID: 0014
Revises: 0012
Create Date: 2026-11-22 05:15:00
"""

import sqlalchemy as sa
from alembic import op

import queueing.store

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade():
    instant = queueing.store.UtcDateTime()
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "desk_device",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("desk_id", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=80), nullable=False),
        sa.Column("heard_at", instant, nullable=False),
        sa.Column("until", instant, nullable=False),
        sa.Column("unsent", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["desk_id"], ["desk.id"], name=op.f("fk_desk_device_desk_id_desk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_device")),
        sa.UniqueConstraint("desk_id", "device", name=op.f("uq_desk_device_desk_id_device")),
    )
    op.create_table(
        "hand",
        sa.Column("ticket_id", big, autoincrement=False, nullable=False),
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("wanted_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_hand_ticket_id_ticket"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queue.id"], name=op.f("fk_hand_queue_id_queue"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["desk_device.id"], name=op.f("fk_hand_holder_id_desk_device"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["wanted_by"], ["desk_device.id"], name=op.f("fk_hand_wanted_by_desk_device"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_hand")),
    )
    op.create_index(op.f("ix_hand_queue_id"), "hand", ["queue_id"])
    op.create_index(op.f("ix_hand_holder_id"), "hand", ["holder_id"])
    op.create_table(
        "paper_strip",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(length=80), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("made_at", instant, nullable=False),
        sa.CheckConstraint("last >= first", name=op.f("ck_paper_strip_span")),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queue.id"], name=op.f("fk_paper_strip_queue_id_queue"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paper_strip")),
        sa.UniqueConstraint("queue_id", "day", "first", name=op.f("uq_paper_strip_queue_id_day_first")),
        sa.UniqueConstraint("request_id", name=op.f("uq_paper_strip_request_id")),
    )


def downgrade():
    op.drop_table("paper_strip")
    op.drop_index(op.f("ix_hand_holder_id"), "hand")
    op.drop_index(op.f("ix_hand_queue_id"), "hand")
    op.drop_table("hand")
    op.drop_table("desk_device")
