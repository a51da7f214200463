"""Drafts of several weeks, nights away, weights of coverage

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-22 00:55:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("local_unit") as table:
        table.add_column(sa.Column("coverage_weight", sa.SmallInteger(), server_default="1", nullable=False))
    with op.batch_alter_table("center") as table:
        table.add_column(sa.Column("nights", sa.SmallInteger(), server_default="0", nullable=False))
        table.add_column(sa.Column("night_cost", sa.Float(), server_default="0", nullable=False))
    with op.batch_alter_table("plan") as table:
        table.add_column(sa.Column("weeks", sa.SmallInteger(), server_default="1", nullable=False))
    with op.batch_alter_table("plan_visit") as table:
        table.add_column(sa.Column("overnight", sa.Boolean(), server_default=sa.false(), nullable=False))
    with op.batch_alter_table("visit") as table:
        table.add_column(sa.Column("overnight", sa.Boolean(), server_default=sa.false(), nullable=False))
        table.add_column(sa.Column("origin_site_id", sa.Integer(), nullable=True))
        table.create_foreign_key(op.f("fk_visit_origin_site_id_site"), "site", ["origin_site_id"], ["id"])


def downgrade():
    with op.batch_alter_table("visit") as table:
        table.drop_constraint(op.f("fk_visit_origin_site_id_site"), type_="foreignkey")
        table.drop_column("origin_site_id")
        table.drop_column("overnight")
    with op.batch_alter_table("plan_visit") as table:
        table.drop_column("overnight")
    with op.batch_alter_table("plan") as table:
        table.drop_column("weeks")
    with op.batch_alter_table("center") as table:
        table.drop_column("night_cost")
        table.drop_column("nights")
    with op.batch_alter_table("local_unit") as table:
        table.drop_column("coverage_weight")
