"""What is measured of triplets and of tasks, of which alerts people were told, and bytes of a triplet's files."""

from __future__ import annotations

from itertools import islice

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

BATCH = 5_000


def upgrade() -> None:
    """Create tables and indexes, and sum up the sizes that are there."""
    op.add_column("triplets", sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0"))
    _sum_up(op.get_bind())
    op.create_index("ix_triplets_bytes", "triplets", ["aoi", "bytes"])
    op.create_table(
        "qualities",
        sa.Column("aoi", sa.String(100), primary_key=True),
        sa.Column("name", sa.String(160), primary_key=True),
        *_place(),
        sa.Column("numbers", sa.JSON, nullable=False),
    )
    op.create_table(
        "quality_bins",
        sa.Column("aoi", sa.String(100), primary_key=True),
        sa.Column("year", sa.Integer, primary_key=True),
        sa.Column("season", sa.String(6), primary_key=True),
        sa.Column("measure", sa.String(40), primary_key=True),
        sa.Column("bin", sa.Integer, primary_key=True),
        sa.Column("triplets", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "outliers",
        sa.Column("aoi", sa.String(100), primary_key=True),
        sa.Column("name", sa.String(160), primary_key=True),
        sa.Column("measure", sa.String(40), primary_key=True),
        *_place(),
        sa.Column("value", sa.Double, nullable=False),
    )
    op.create_index("ix_outliers_measure", "outliers", ["measure", "aoi", "name"])
    op.create_table(
        "timings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("aoi", sa.String(100), nullable=False),
        sa.Column("year", sa.Integer, nullable=False),
        sa.Column("season", sa.String(6), nullable=False),
        sa.Column("stage", sa.String(40), nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("peak_bytes", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_timings_stage", "timings", ["stage", "seconds", "peak_bytes"])
    op.create_index("ix_timings_partition", "timings", ["aoi", "year", "season", "at"])
    op.create_table(
        "told",
        sa.Column("key", sa.String(300), primary_key=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wrong", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop what was made."""
    for table in ("told", "timings", "outliers", "quality_bins", "qualities"):
        op.drop_table(table)
    op.drop_index("ix_triplets_bytes", "triplets")
    op.drop_column("triplets", "bytes")


def _place() -> tuple[sa.Column[int], sa.Column[str], sa.Column[str]]:
    return (
        sa.Column("year", sa.Integer, nullable=False),
        sa.Column("season", sa.String(6), nullable=False),
        sa.Column("tile", sa.String(20), nullable=False),
    )


def _sum_up(connection: sa.Connection) -> None:
    """The bytes of each triplet, from the sizes of its files."""
    table = sa.table("triplets", sa.column("aoi"), sa.column("name"), sa.column("sizes", sa.JSON), sa.column("bytes"))
    rows = iter(connection.execute(sa.select(table.c.aoi, table.c.name, table.c.sizes)).all())
    statement = table.update().where(table.c.aoi == sa.bindparam("one"), table.c.name == sa.bindparam("two"))
    while batch := list(islice(rows, BATCH)):
        values = [{"one": aoi, "two": name, "bytes": sum(sizes.values())} for aoi, name, sizes in batch]
        connection.execute(statement, values)
