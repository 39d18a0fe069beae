"""Indexes for what is asked by partition: triplets, and candidates by state and rule."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_triplets_partition", "triplets", ["aoi", "year", "season"])
    op.create_index("ix_candidates_state", "candidates", ["aoi", "year", "season", "state", "rule"])


def downgrade() -> None:
    """Drop the indexes."""
    op.drop_index("ix_candidates_state", "candidates")
    op.drop_index("ix_triplets_partition", "triplets")
