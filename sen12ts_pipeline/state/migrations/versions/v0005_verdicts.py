"""Verdicts of people on triplets: who withheld or released one, when and why; and triplets are found by tile."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create table and index."""
    op.create_index("ix_triplets_tile", "triplets", ["tile"])
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("aoi", sa.String(100), nullable=False),
        sa.Column("name", sa.String(160), nullable=False),
        sa.Column("withheld", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("ix_verdicts_triplet", "verdicts", ["aoi", "name"])


def downgrade() -> None:
    """Drop table and index."""
    op.drop_table("verdicts")
    op.drop_index("ix_triplets_tile", "triplets")
