"""Followers of places, vans and tickets; messages that are tried again until they are taken

Revision ID: 0020
Revises: 0019
Create Date: 2026-11-22 10:45:00
"""

import sqlalchemy as sa
from alembic import op

from queueing.store import UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UNSENT = "sent_at IS NULL AND phone IS NOT NULL"
DUE = "due_at IS NOT NULL"


def upgrade():
    op.create_table(
        "follower",
        sa.Column("id", BIG, nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("ticket_id", BIG, nullable=True),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("address", sa.String(length=1000), nullable=False),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("since", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("channel IN ('sms', 'push')", name=op.f("ck_follower_channel")),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["ticket.id"], name=op.f("fk_follower_ticket_id_ticket"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follower")),
        sa.UniqueConstraint("code", name=op.f("uq_follower_code")),
        sa.UniqueConstraint("topic", "channel", "address", name=op.f("uq_follower_topic_channel_address")),
    )
    op.create_index(op.f("ix_follower_topic"), "follower", ["topic"])
    op.create_index(op.f("ix_follower_ticket_id"), "follower", ["ticket_id"])
    op.drop_index("ix_notice_unsent", table_name="notice")
    with op.batch_alter_table("notice") as table:
        table.alter_column("ticket_id", existing_type=BIG, nullable=True)
        table.alter_column("queue_id", existing_type=sa.Integer(), nullable=True)
        table.add_column(sa.Column("follower_id", BIG, nullable=True))
        table.add_column(sa.Column("due_at", UtcDateTime(), nullable=True))
        table.add_column(sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False))
        table.add_column(sa.Column("expires_at", UtcDateTime(), nullable=True))
        table.create_foreign_key(
            op.f("fk_notice_follower_id_follower"), "follower", ["follower_id"], ["id"], ondelete="CASCADE"
        )
        table.create_unique_constraint(op.f("uq_notice_follower_id_key"), ["follower_id", "key"])
        table.create_check_constraint(
            op.f("ck_notice_to_whom"), "(ticket_id IS NULL) <> (follower_id IS NULL)"
        )
    op.execute(sa.text(f"UPDATE notice SET due_at = created_at WHERE {UNSENT}"))
    op.create_index(
        "ix_notice_due", "notice", ["due_at"], sqlite_where=sa.text(DUE), postgresql_where=sa.text(DUE)
    )


def downgrade():
    op.drop_index("ix_notice_due", table_name="notice")
    op.execute(sa.text("DELETE FROM notice WHERE ticket_id IS NULL"))
    with op.batch_alter_table("notice") as table:
        table.drop_constraint(op.f("ck_notice_to_whom"), type_="check")
        table.drop_constraint(op.f("uq_notice_follower_id_key"), type_="unique")
        table.drop_constraint(op.f("fk_notice_follower_id_follower"), type_="foreignkey")
        for name in ("follower_id", "due_at", "attempts", "expires_at"):
            table.drop_column(name)
        table.alter_column("ticket_id", existing_type=BIG, nullable=False)
        table.alter_column("queue_id", existing_type=sa.Integer(), nullable=False)
    op.create_index(
        "ix_notice_unsent",
        "notice",
        ["id"],
        sqlite_where=sa.text(UNSENT),
        postgresql_where=sa.text(UNSENT),
    )
    op.drop_table("follower")
