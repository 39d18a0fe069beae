"""Tables of the ledger, for SQLite and PostgreSQL alike. Their history lies in `migrations/versions`."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

candidates = Table(
    "candidates",
    metadata,
    Column("aoi", String(100), primary_key=True),
    Column("year", Integer, primary_key=True),
    Column("season", String(6), primary_key=True),
    Column("tile", String(20), primary_key=True),
    Column("scene_id", String(60), primary_key=True),
    Column("track", Integer, primary_key=True),
    Column("pass_id", String(20), primary_key=True),
    Column("s2date", Date, nullable=False),
    Column("direction", String(1), nullable=False),
    Column("s1date", Date, nullable=False),
    Column("state", String(10), nullable=False),
    Column("rule", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Column("invalid_s1", Integer),
    Column("invalid_s2", Integer),
    Column("slot", Integer),
    Index("ix_candidates_tile", "tile"),
    Index("ix_candidates_state", "aoi", "year", "season", "state", "rule"),
    Index("ix_candidates_failures", "state", "aoi", "rule"),
)

triplets = Table(
    "triplets",
    metadata,
    Column("aoi", String(100), primary_key=True),
    Column("name", String(160), primary_key=True),
    Column("year", Integer, nullable=False),
    Column("season", String(6), nullable=False),
    Column("tile", String(20), nullable=False),
    Column("slot", Integer, nullable=False),
    Column("cap", Integer, nullable=False),
    Column("sizes", JSON, nullable=False),
    Column("digests", JSON, nullable=False),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("aoi", "tile", "year", "season", "slot"),
    Index("ix_triplets_partition", "aoi", "year", "season"),
    Index("ix_triplets_season", "year", "season", "aoi"),
    Index("ix_triplets_tile", "tile"),
    Index("ix_triplets_bytes", "aoi", "bytes"),
    CheckConstraint("slot BETWEEN 1 AND cap", name="slot_within_cap"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("product", String(200), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("aoi", String(100), nullable=False),
    Column("year", Integer, nullable=False),
    Column("season", String(6), nullable=False),
    Column("stage", String(40), nullable=False),
    Column("message", Text, nullable=False),
    Column("figures", JSON, nullable=False),
    Index("ix_events_partition", "aoi", "year", "season"),
)

quota_providers = Table(
    "quota_providers",
    metadata,
    Column("provider", String(60), primary_key=True),
    Column("requests", JSON, nullable=False),
    Column("faults", Integer, nullable=False),
    Column("paused_until", Double, nullable=False),
    Column("reason", Text, nullable=False),
)
"""Requests of the last minute as pairs (number of the span of time, requests); times in seconds since 1970, UTC."""

quota_leases = Table(
    "quota_leases",
    metadata,
    Column("holder", String(32), primary_key=True),
    Column("provider", String(60), nullable=False),
    Column("until", Double, nullable=False),
    Index("ix_quota_leases_provider", "provider"),
)
"""Connections in use; one whose time is over is free."""

quota_volume = Table(
    "quota_volume",
    metadata,
    Column("provider", String(60), primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
)
"""Bytes received, by hours since 1970."""

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("aoi", String(100), nullable=False),
    Column("name", String(160), nullable=False),
    Column("withheld", Boolean(create_constraint=False), nullable=False),
    Column("person", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_verdicts_triplet", "aoi", "name"),
)

qualities = Table(
    "qualities",
    metadata,
    Column("aoi", String(100), primary_key=True),
    Column("name", String(160), primary_key=True),
    Column("year", Integer, nullable=False),
    Column("season", String(6), nullable=False),
    Column("tile", String(20), nullable=False),
    Column("numbers", JSON, nullable=False),
)
"""What was measured of a triplet, by the names of `domain.quality`."""

quality_bins = Table(
    "quality_bins",
    metadata,
    Column("aoi", String(100), primary_key=True),
    Column("year", Integer, primary_key=True),
    Column("season", String(6), primary_key=True),
    Column("measure", String(40), primary_key=True),
    Column("bin", Integer, primary_key=True),
    Column("triplets", BigInteger, nullable=False),
)
"""How many rows of `qualities` have a number in a bin: kept with them, since counting them takes seconds."""

outliers = Table(
    "outliers",
    metadata,
    Column("aoi", String(100), primary_key=True),
    Column("name", String(160), primary_key=True),
    Column("measure", String(40), primary_key=True),
    Column("year", Integer, nullable=False),
    Column("season", String(6), nullable=False),
    Column("tile", String(20), nullable=False),
    Column("value", Double, nullable=False),
    Index("ix_outliers_measure", "measure", "aoi", "name"),
)
"""Numbers of `qualities` that were not to be expected."""

timings = Table(
    "timings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("aoi", String(100), nullable=False),
    Column("year", Integer, nullable=False),
    Column("season", String(6), nullable=False),
    Column("stage", String(40), nullable=False),
    Column("seconds", Double, nullable=False),
    Column("peak_bytes", BigInteger, nullable=False),
    Index("ix_timings_stage", "stage", "seconds", "peak_bytes"),
    Index("ix_timings_partition", "aoi", "year", "season", "at"),
)
"""What a task that ended well took: time, and at most how much memory its process or a child of it."""

told = Table(
    "told",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("wrong", Text, nullable=False),
)
"""Alerts of which people were told and that still hold."""
