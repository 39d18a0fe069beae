"""The first ledger: candidates, triplets, quarantine, events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _partition(*, key: bool) -> list[sa.Column[object]]:
    return [
        sa.Column("aoi", sa.String(100), primary_key=key, nullable=False),
        sa.Column("year", sa.Integer, primary_key=key, nullable=False),
        sa.Column("season", sa.String(6), primary_key=key, nullable=False),
    ]


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "candidates",
        *_partition(key=True),
        sa.Column("tile", sa.String(20), primary_key=True),
        sa.Column("scene_id", sa.String(60), primary_key=True),
        sa.Column("track", sa.Integer, primary_key=True),
        sa.Column("pass_id", sa.String(20), primary_key=True),
        sa.Column("s2date", sa.Date, nullable=False),
        sa.Column("direction", sa.String(1), nullable=False),
        sa.Column("s1date", sa.Date, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("rule", sa.String(40), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("invalid_s1", sa.Integer),
        sa.Column("invalid_s2", sa.Integer),
        sa.Column("slot", sa.Integer),
    )
    op.create_index("ix_candidates_tile", "candidates", ["tile"])
    op.create_table(
        "triplets",
        sa.Column("aoi", sa.String(100), primary_key=True),
        sa.Column("name", sa.String(160), primary_key=True),
        sa.Column("year", sa.Integer, nullable=False),
        sa.Column("season", sa.String(6), nullable=False),
        sa.Column("tile", sa.String(20), nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("cap", sa.Integer, nullable=False),
        sa.Column("sizes", sa.JSON, nullable=False),
        sa.Column("digests", sa.JSON, nullable=False),
        sa.UniqueConstraint("aoi", "tile", "year", "season", "slot"),
        sa.CheckConstraint("slot BETWEEN 1 AND cap", name="slot_within_cap"),
    )
    op.create_table(
        "quarantine",
        sa.Column("product", sa.String(200), primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *_partition(key=False),
        sa.Column("stage", sa.String(40), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("figures", sa.JSON, nullable=False),
    )
    op.create_index("ix_events_partition", "events", ["aoi", "year", "season"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("events", "quarantine", "triplets", "candidates"):
        op.drop_table(table)
