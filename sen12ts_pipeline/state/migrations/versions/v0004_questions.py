"""Indexes for what people ask of a large ledger: by season over all areas, by state and rule."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_candidates_failures", "candidates", ["state", "aoi", "rule"])
    op.create_index("ix_triplets_season", "triplets", ["year", "season", "aoi"])


def downgrade() -> None:
    """Drop the indexes."""
    op.drop_index("ix_triplets_season", "triplets")
    op.drop_index("ix_candidates_failures", "candidates")
