"""Appointments, journeys over several desks, queues handed over, notices

Revision ID: 0011
Revises: 0004
Create Date: 2026-11-22 04:20:00
"""

import sqlalchemy as sa
from alembic import op

import queueing.store

revision = "0011"
down_revision = "0004"
branch_labels = None
depends_on = None

GUEST = "journey_id IS NOT NULL AND state IN ('booked', 'waiting', 'called', 'serving', 'parked', 'missed')"
BOOKED = "appointment_at IS NOT NULL"
UNSENT = "sent_at IS NULL AND phone IS NOT NULL"
STANDING = "undone_at IS NULL"


def upgrade():
    instant = queueing.store.UtcDateTime()
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "slot_rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=True),
        sa.Column("weekday", sa.SmallInteger(), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("begin_minute", sa.SmallInteger(), nullable=False),
        sa.Column("end_minute", sa.SmallInteger(), nullable=False),
        sa.Column("slot_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("capacity", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("(weekday IS NULL) <> (day IS NULL)", name=op.f("ck_slot_rule_when")),
        sa.CheckConstraint(
            "capacity >= 0 AND slot_minutes >= 5 AND end_minute > begin_minute",
            name=op.f("ck_slot_rule_span"),
        ),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queue.id"], name=op.f("fk_slot_rule_queue_id_queue"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["service_id"], ["service.id"], name=op.f("fk_slot_rule_service_id_service")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slot_rule")),
    )
    op.create_index(op.f("ix_slot_rule_queue_id"), "slot_rule", ["queue_id"])
    op.create_table(
        "booking",
        sa.Column("ticket_id", big, nullable=False),
        sa.Column("slot_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("confirm_by", instant, nullable=True),
        sa.Column("confirmed_at", instant, nullable=True),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_booking_ticket_id_ticket")),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_booking")),
    )
    op.create_table(
        "journey",
        sa.Column("id", big, nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("label", sa.String(length=16), nullable=False),
        sa.Column("queues", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journey")),
        sa.UniqueConstraint("code", name=op.f("uq_journey_code")),
    )
    op.create_table(
        "journey_step",
        sa.Column("id", big, nullable=False),
        sa.Column("journey_id", big, nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("ticket_id", big, nullable=True),
        sa.Column("queue_id", sa.Integer(), nullable=True),
        sa.Column("done_at", instant, nullable=True),
        sa.ForeignKeyConstraint(
            ["journey_id"], ["journey.id"], name=op.f("fk_journey_step_journey_id_journey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["service_id"], ["service.id"], name=op.f("fk_journey_step_service_id_service")
        ),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_journey_step_ticket_id_ticket")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_journey_step_queue_id_queue")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journey_step")),
        sa.UniqueConstraint("journey_id", "position", name=op.f("uq_journey_step_journey_id_position")),
    )
    op.create_index(op.f("ix_journey_step_ticket_id"), "journey_step", ["ticket_id"])
    op.create_table(
        "hand_over",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(length=80), nullable=False),
        sa.Column("from_queue_id", sa.Integer(), nullable=False),
        sa.Column("to_queue_id", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("happened_at", instant, nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("state_before", sa.String(length=12), nullable=False),
        sa.Column("tickets", sa.Integer(), nullable=False),
        sa.Column("undone_at", instant, nullable=True),
        sa.ForeignKeyConstraint(["from_queue_id"], ["queue.id"], name=op.f("fk_hand_over_from_queue_id_queue")),
        sa.ForeignKeyConstraint(["to_queue_id"], ["queue.id"], name=op.f("fk_hand_over_to_queue_id_queue")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hand_over")),
        sa.UniqueConstraint("request_id", name=op.f("uq_hand_over_request_id")),
    )
    op.create_index(op.f("ix_hand_over_from_queue_id"), "hand_over", ["from_queue_id"])
    op.create_index(op.f("ix_hand_over_to_queue_id"), "hand_over", ["to_queue_id"])
    op.create_index(
        "uq_hand_over_standing",
        "hand_over",
        ["from_queue_id"],
        unique=True,
        sqlite_where=sa.text(STANDING),
        postgresql_where=sa.text(STANDING),
    )
    op.create_table(
        "notice",
        sa.Column("id", big, nullable=False),
        sa.Column("ticket_id", big, nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("sent_at", instant, nullable=True),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_notice_ticket_id_ticket")),
        sa.ForeignKeyConstraint(["queue_id"], ["queue.id"], name=op.f("fk_notice_queue_id_queue")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("ticket_id", "key", name=op.f("uq_notice_ticket_id_key")),
    )
    op.create_index(op.f("ix_notice_queue_id"), "notice", ["queue_id"])
    op.create_index(
        "ix_notice_unsent",
        "notice",
        ["id"],
        sqlite_where=sa.text(UNSENT),
        postgresql_where=sa.text(UNSENT),
    )
    with op.batch_alter_table("queue") as table:
        table.add_column(sa.Column("closing", sa.Boolean(), server_default=sa.false(), nullable=False))
        table.add_column(sa.Column("resumes_at", instant, nullable=True))
        table.add_column(sa.Column("moved_to_id", sa.Integer(), nullable=True))
        table.create_foreign_key(op.f("fk_queue_moved_to_id_queue"), "queue", ["moved_to_id"], ["id"])
    if op.get_bind().dialect.name == "sqlite":
        # Not by copying: the history may hold millions of tickets.
        op.execute(
            "ALTER TABLE ticket ADD COLUMN journey_id INTEGER"
            " CONSTRAINT fk_ticket_journey_id_journey REFERENCES journey (id)"
        )
    else:
        op.add_column("ticket", sa.Column("journey_id", big, nullable=True))
        op.create_foreign_key(op.f("fk_ticket_journey_id_journey"), "ticket", "journey", ["journey_id"], ["id"])
    op.create_index(
        "uq_ticket_guest_label",
        "ticket",
        ["queue_id", "day", "label"],
        unique=True,
        sqlite_where=sa.text(GUEST),
        postgresql_where=sa.text(GUEST),
    )
    op.create_index(
        "ix_ticket_appointment",
        "ticket",
        ["queue_id", "appointment_at"],
        sqlite_where=sa.text(BOOKED),
        postgresql_where=sa.text(BOOKED),
    )


def downgrade():
    op.drop_index("ix_ticket_appointment", "ticket")
    op.drop_index("uq_ticket_guest_label", "ticket")
    with op.batch_alter_table("ticket") as table:
        table.drop_constraint(op.f("fk_ticket_journey_id_journey"), type_="foreignkey")
        table.drop_column("journey_id")
    with op.batch_alter_table("queue") as table:
        table.drop_constraint(op.f("fk_queue_moved_to_id_queue"), type_="foreignkey")
        for column in ("moved_to_id", "resumes_at", "closing"):
            table.drop_column(column)
    for name in ("notice", "hand_over", "journey_step", "journey", "booking", "slot_rule"):
        op.drop_table(name)
