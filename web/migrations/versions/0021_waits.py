"""What was learned of waits, how bands are steered, how good what was told has been

Revision ID: 0021
Revises: 0020
Create Date: 2026-11-22 10:50:00
"""

import sqlalchemy as sa
from alembic import op

from queueing.store import UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "wait_model",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("tickets", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(length=12), nullable=False),
        sa.Column("special_method", sa.String(length=12), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("refused", sa.String(length=40), nullable=True),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("model", sa.JSON(), nullable=True),
        sa.Column("most_ahead", sa.Float(), nullable=False),
        sa.Column("steering", sa.JSON(), nullable=False),
        sa.Column("leaving", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wait_model")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "wait_steering",
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(length=12), nullable=False),
        sa.Column("judged_to", UtcDateTime(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queue.id"], name=op.f("fk_wait_steering_queue_id_queue"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("queue_id", name=op.f("pk_wait_steering")),
    )
    op.create_table(
        "wait_score",
        sa.Column("queue_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("method", sa.String(length=12), nullable=False),
        sa.Column("judged", sa.Integer(), nullable=False),
        sa.Column("error_s", sa.Float(), nullable=False),
        sa.Column("bias_s", sa.Float(), nullable=False),
        sa.Column("formula_error_s", sa.Float(), nullable=False),
        sa.Column("in_half", sa.Integer(), nullable=False),
        sa.Column("in_most", sa.Integer(), nullable=False),
        sa.Column("half_width_s", sa.Float(), nullable=False),
        sa.Column("most_width_s", sa.Float(), nullable=False),
        sa.Column("middle_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["queue.id"], name=op.f("fk_wait_score_queue_id_queue"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("queue_id", "day", "method", name=op.f("pk_wait_score")),
    )
    op.create_index("ix_wait_score_day", "wait_score", ["day"])


def downgrade():
    op.drop_index("ix_wait_score_day", table_name="wait_score")
    op.drop_table("wait_score")
    op.drop_table("wait_steering")
    op.drop_table("wait_model")
