"""Scenarios: copies of a week under changes, in the table of plans

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-22 01:05:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OLD = "status IN ('solving', 'draft', 'published', 'superseded', 'failed', 'discarded')"
NEW = (
    "kind = 'plan' AND status IN ('solving', 'draft', 'published', 'superseded', 'failed', 'discarded')"
    " OR kind = 'scenario' AND status IN ('editing', 'solving', 'solved', 'failed', 'discarded')"
)


def upgrade():
    with op.batch_alter_table("plan") as table:
        table.add_column(sa.Column("kind", sa.String(8), server_default="plan", nullable=False))
        table.add_column(sa.Column("name", sa.String(120), server_default="", nullable=False))
        table.add_column(sa.Column("source_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("changes", sa.JSON(), server_default="[]", nullable=False))
        table.create_foreign_key(
            op.f("fk_plan_source_id_plan"), "plan", ["source_id"], ["id"], ondelete="SET NULL"
        )
        table.create_index(op.f("ix_plan_source_id"), ["source_id"])
        table.drop_constraint(op.f("ck_plan_status"), type_="check")
        table.create_check_constraint(op.f("ck_plan_status"), NEW)


def downgrade():
    op.execute("DELETE FROM plan WHERE kind = 'scenario'")
    with op.batch_alter_table("plan") as table:
        table.drop_constraint(op.f("ck_plan_status"), type_="check")
        table.create_check_constraint(op.f("ck_plan_status"), OLD)
        table.drop_constraint(op.f("fk_plan_source_id_plan"), type_="foreignkey")
        table.drop_index(op.f("ix_plan_source_id"))
        for column in ("changes", "source_id", "name", "kind"):
            table.drop_column(column)
