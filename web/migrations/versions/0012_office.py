"""The audit, checks of the statistics, printers of kiosks and what they printed

Revision ID: 0012
Revises: 0010
Create Date: 2026-11-22 05:10:00
"""

import sqlalchemy as sa
from alembic import op

import queueing.store

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "audit",
        sa.Column("id", queueing.store.BigId, nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=24), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("happened_at", queueing.store.UtcDateTime(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_topic_time", "audit", ["topic", "happened_at"])
    op.create_index("ix_audit_actor_time", "audit", ["actor", "happened_at"])
    op.create_table(
        "statistics_check",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("checked_at", queueing.store.UtcDateTime(), nullable=False),
        sa.Column("queues", sa.Integer(), nullable=False),
        sa.Column("figures", sa.Integer(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("differences", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_statistics_check")),
    )
    op.create_table(
        "kiosk_printer",
        sa.Column("token_id", sa.Integer(), nullable=False),
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("paper_mm", sa.SmallInteger(), nullable=False),
        sa.Column("language", sa.String(length=4), nullable=False),
        sa.Column("by_itself", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("changed_at", queueing.store.UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["token_id"], ["access_token.id"], name=op.f("fk_kiosk_printer_token_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queue.id"], name=op.f("fk_kiosk_printer_queue_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_id", name=op.f("pk_kiosk_printer")),
    )
    op.create_index(op.f("ix_kiosk_printer_queue_id"), "kiosk_printer", ["queue_id"])
    op.create_table(
        "print_job",
        sa.Column("id", queueing.store.BigId, nullable=False),
        sa.Column("request_id", sa.String(length=80), nullable=False),
        sa.Column("ticket_id", queueing.store.BigId, nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=True),
        sa.Column("copy", sa.SmallInteger(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("fault", sa.String(length=24), nullable=False),
        sa.Column("bytes_sent", sa.Integer(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("made_at", queueing.store.UtcDateTime(), nullable=False),
        sa.Column("sent_at", queueing.store.UtcDateTime(), nullable=True),
        sa.Column("ended_at", queueing.store.UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'printed', 'failed', 'unsure')", name=op.f("ck_print_job_state")
        ),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_print_job_ticket_id")),
        sa.ForeignKeyConstraint(
            ["token_id"], ["access_token.id"], name=op.f("fk_print_job_token_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_print_job")),
        sa.UniqueConstraint("request_id", name=op.f("uq_print_job_request_id")),
    )
    op.create_index(op.f("ix_print_job_ticket_id"), "print_job", ["ticket_id"])
    op.create_index("ix_print_job_made", "print_job", ["made_at"])


def downgrade():
    for table in ("print_job", "kiosk_printer", "statistics_check", "audit"):
        op.drop_table(table)
