"""Day repair: disruptions, their proposals, and who must be told

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-22 01:10:00
"""

import sqlalchemy as sa
from alembic import op

import queueing.store

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade():
    instant = queueing.store.UtcDateTime()
    op.create_table(
        "repair",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("disruption", sa.JSON(), nullable=False),
        sa.Column("moment", instant, nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("choice", sa.String(length=12), nullable=False),
        sa.Column("accepted_at", instant, nullable=True),
        sa.Column("accepted_by", sa.String(length=80), nullable=True),
        sa.Column("result_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "status IN ('solving', 'proposed', 'accepted', 'dismissed', 'failed')",
            name=op.f("ck_repair_status"),
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.id"], name=op.f("fk_repair_plan_id_plan"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["result_id"], ["plan.id"], name=op.f("fk_repair_result_id_plan"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repair")),
    )
    op.create_index(op.f("ix_repair_plan_id"), "repair", ["plan_id"])
    op.create_table(
        "repair_call",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("repair_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("center_id", sa.Integer(), nullable=True),
        sa.Column("site_id", sa.Integer(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("tickets", sa.Integer(), nullable=False),
        sa.Column("phones", sa.Integer(), nullable=False),
        sa.Column("told_at", instant, nullable=True),
        sa.Column("told_by", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(
            ["center_id"], ["center.id"], name=op.f("fk_repair_call_center_id_center")
        ),
        sa.ForeignKeyConstraint(
            ["repair_id"], ["repair.id"], name=op.f("fk_repair_call_repair_id_repair"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_repair_call_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repair_call")),
    )
    op.create_index(op.f("ix_repair_call_repair_id"), "repair_call", ["repair_id"])


def downgrade():
    op.drop_table("repair_call")
    op.drop_table("repair")
