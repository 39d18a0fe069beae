"""Quotas of providers: requests and pauses, connections in use, bytes by the hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "quota_providers",
        sa.Column("provider", sa.String(60), primary_key=True),
        sa.Column("requests", sa.JSON, nullable=False),
        sa.Column("faults", sa.Integer, nullable=False),
        sa.Column("paused_until", sa.Double, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "quota_leases",
        sa.Column("holder", sa.String(32), primary_key=True),
        sa.Column("provider", sa.String(60), nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )
    op.create_index("ix_quota_leases_provider", "quota_leases", ["provider"])
    op.create_table(
        "quota_volume",
        sa.Column("provider", sa.String(60), primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("quota_volume", "quota_leases", "quota_providers"):
        op.drop_table(table)
