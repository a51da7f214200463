"""The log of vans: entries, leases, wishes, choices; who runs a queue; tokens of vans

Revision ID: 0013
Revises: 0011
Create Date: 2026-11-22 04:30:00
"""

import sqlalchemy as sa
from alembic import op

import queueing.store

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None
KINDS = "kind IN ('kiosk', 'board', 'desk', 'device'{})"


def upgrade():
    with op.batch_alter_table("queue") as table:
        table.add_column(sa.Column("held_by", sa.String(length=32), nullable=True))
    _token_kinds(KINDS.format(", 'van'"))
    op.create_table('chain',
    sa.Column('device', sa.String(length=32), nullable=False),
    sa.Column('epoch', sa.String(length=16), nullable=False),
    sa.Column('high', sa.Integer(), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('segment', sa.String(length=16), nullable=False),
    sa.Column('cause', sa.String(length=20), nullable=False),
    sa.Column('began_at', queueing.store.UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('device', 'epoch', name=op.f('pk_chain'))
    )
    op.create_table('choice',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('subject', sa.String(length=120), nullable=False),
    sa.Column('device', sa.String(length=32), nullable=False),
    sa.Column('center_id', sa.Integer(), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('made_at', queueing.store.UtcDateTime(), nullable=False),
    sa.Column('decided_at', queueing.store.UtcDateTime(), nullable=True),
    sa.Column('decided_by', sa.String(length=80), nullable=True),
    sa.Column('decision', sa.String(length=24), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_choice')),
    sa.UniqueConstraint('subject', name=op.f('uq_choice_subject'))
    )
    with op.batch_alter_table('choice', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_choice_device'), ['device'], unique=False)

    op.create_table('clock_segment',
    sa.Column('device', sa.String(length=32), nullable=False),
    sa.Column('segment', sa.String(length=16), nullable=False),
    sa.Column('began_said', queueing.store.UtcDateTime(), nullable=False),
    sa.Column('last_said', queueing.store.UtcDateTime(), nullable=False),
    sa.Column('offset_us', sa.BigInteger(), nullable=True),
    sa.Column('measured_at', queueing.store.UtcDateTime(), nullable=True),
    sa.PrimaryKeyConstraint('device', 'segment', name=op.f('pk_clock_segment'))
    )
    op.create_table('device',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('center_id', sa.Integer(), nullable=False),
    sa.Column('epoch', sa.String(length=16), nullable=False),
    sa.Column('first_heard_at', queueing.store.UtcDateTime(), nullable=False),
    sa.Column('heard_at', queueing.store.UtcDateTime(), nullable=False),
    sa.Column('pulled_at', queueing.store.UtcDateTime(), nullable=True),
    sa.Column('offset_us', sa.BigInteger(), nullable=False),
    sa.Column('unsent', sa.Integer(), nullable=False),
    sa.Column('cursor', sa.Integer(), nullable=False),
    sa.Column('change_no', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_device'))
    )
    with op.batch_alter_table('device', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_device_center_id'), ['center_id'], unique=False)

    op.create_table('feed',
    sa.Column('device', sa.String(length=32), nullable=False),
    sa.Column('name', sa.String(length=24), nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('digest', sa.String(length=16), nullable=False),
    sa.Column('change_no', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('device', 'name', 'key', name=op.f('pk_feed'))
    )
    with op.batch_alter_table('feed', schema=None) as batch_op:
        batch_op.create_index('ix_feed_device_change', ['device', 'change_no'], unique=False)

    op.create_table('journal_entry',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('device', sa.String(length=32), nullable=False),
    sa.Column('epoch', sa.String(length=16), nullable=False),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('ticket_code', sa.String(length=32), nullable=True),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('said_at', queueing.store.UtcDateTime(), nullable=False),
    sa.Column('offset_us', sa.BigInteger(), nullable=False),
    sa.Column('segment', sa.String(length=16), nullable=False),
    sa.Column('received_at', queueing.store.UtcDateTime(), nullable=True),
    sa.Column('status', sa.String(length=8), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_journal_entry')),
    sa.UniqueConstraint('device', 'epoch', 'sequence', name=op.f('uq_journal_entry_device_epoch_sequence'))
    )
    with op.batch_alter_table('journal_entry', schema=None) as batch_op:
        batch_op.create_index('ix_journal_entry_segment', ['device', 'segment'], unique=False)
        batch_op.create_index(batch_op.f('ix_journal_entry_ticket_code'), ['ticket_code'], unique=False)

    op.create_table('journal_mark',
    sa.Column('key', sa.String(length=40), nullable=False),
    sa.Column('value', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_journal_mark'))
    )
    op.create_table('journal_ticket',
    sa.Column('code', sa.String(length=32), nullable=False),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.Column('corrections', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_journal_ticket'))
    )
    op.create_table('lease',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('queue_id', sa.Integer(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('device', sa.String(length=32), nullable=False),
    sa.Column('granted_at', queueing.store.UtcDateTime(), nullable=False),
    sa.Column('ended_at', queueing.store.UtcDateTime(), nullable=True),
    sa.Column('ended_why', sa.String(length=12), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lease')),
    sa.UniqueConstraint('queue_id', 'day', 'device', name=op.f('uq_lease_queue_id_day_device'))
    )
    with op.batch_alter_table('lease', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_lease_device'), ['device'], unique=False)
        batch_op.create_index(batch_op.f('ix_lease_queue_id'), ['queue_id'], unique=False)

    op.create_table('number_band',
    sa.Column('queue_id', sa.Integer(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('first', sa.Integer(), nullable=False),
    sa.Column('device', sa.String(length=32), nullable=False),
    sa.Column('epoch', sa.String(length=16), nullable=False),
    sa.Column('made_at', queueing.store.UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('queue_id', 'day', 'first', name=op.f('pk_number_band'))
    )
    op.create_table('wish',
    sa.Column('request_id', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('queue_id', sa.Integer(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('code', sa.String(length=32), nullable=False),
    sa.Column('service_code', sa.String(length=24), nullable=False),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('phone', sa.String(length=20), nullable=True),
    sa.Column('made_at', queueing.store.UtcDateTime(), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('reason', sa.String(length=40), nullable=False),
    sa.PrimaryKeyConstraint('request_id', name=op.f('pk_wish'))
    )
    with op.batch_alter_table('wish', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_wish_code'), ['code'], unique=False)
        batch_op.create_index(batch_op.f('ix_wish_queue_id'), ['queue_id'], unique=False)


def downgrade():
    for name in ('wish', 'number_band', 'lease', 'journal_ticket', 'journal_mark', 'journal_entry', 'feed', 'device', 'clock_segment', 'choice', 'chain'):
        op.drop_table(name)
    op.execute("DELETE FROM access_token WHERE kind = 'van'")
    _token_kinds(KINDS.format(""))
    with op.batch_alter_table("queue") as table:
        table.drop_column("held_by")


def _token_kinds(condition):
    with op.batch_alter_table("access_token") as table:
        table.drop_constraint(op.f("ck_access_token_kind"), type_="check")
        table.create_check_constraint(op.f("ck_access_token_kind"), condition)
