"""The ledger over SQL: its schema, several processes, a killed writer, a lost or newer database."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.errors import ConfigurationError, Retryable
from sen12ts_pipeline.ports import CandidateState
from sen12ts_pipeline.state import databases, migrations
from sen12ts_pipeline.state.ledger import SlotTaken, SqlLedger
from sen12ts_pipeline.state.tables import metadata
from tests.contracts.examples import FALL, a_candidate, a_triplet

SPAWN = multiprocessing.get_context("spawn")


def url_of(folder):
    return f"sqlite:///{folder}/_work/ledger.sqlite"


@pytest.fixture
def ledger(tmp_path):
    return SqlLedger.connect(url_of(tmp_path))


def test_the_folder_is_made_and_the_journal_written_ahead(tmp_path, ledger):
    with sqlite3.connect(tmp_path / "_work/ledger.sqlite") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_opening_again_keeps_everything_and_needs_no_alembic(tmp_path, ledger):
    ledger.record_triplets([a_triplet()])
    program = (
        "import sys; from sen12ts_pipeline.state.ledger import SqlLedger\n"
        f"SqlLedger.connect({url_of(tmp_path)!r}); assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert SqlLedger.connect(url_of(tmp_path)).triplets(FALL) == [a_triplet()]


def test_revisions_and_tables_agree(tmp_path, ledger):
    engine = sa.create_engine(url_of(tmp_path), poolclass=sa.NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == migrations.HEAD


def test_the_head_is_the_newest_revision():
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_the_schema_suits_postgresql_too():
    text = "".join(str(CreateTable(t).compile(dialect=postgresql.dialect())) for t in metadata.sorted_tables)
    assert "UNIQUE (aoi, tile, year, season, slot)" in text
    assert "CHECK (slot BETWEEN 1 AND cap)" in text
    assert "TIMESTAMP WITH TIME ZONE" in text


def connection_to(folder):
    return sqlite3.connect(folder / "_work/ledger.sqlite", isolation_level=None)


LATER_INDEXES = ("ix_triplets_partition", "ix_candidates_state", "ix_triplets_season", "ix_candidates_failures")
"""What the first revision did not have."""


def test_a_ledger_that_has_no_note_of_its_revision_is_adopted_and_keeps_what_it_holds(tmp_path, ledger):
    ledger.record_triplets([a_triplet()])
    ledger.record_candidates([a_candidate()])
    old = connection_to(tmp_path)
    later = (
        "TABLE quota_providers",
        "TABLE quota_leases",
        "TABLE quota_volume",
        "TABLE verdicts",
        "INDEX ix_triplets_tile",
        "INDEX ix_triplets_bytes",
        *(f"TABLE {name}" for name in ("qualities", "quality_bins", "outliers", "timings", "told")),
    )
    for part in ("TABLE alembic_version", *(f"INDEX {name}" for name in LATER_INDEXES), *later):
        old.execute(f"DROP {part}")
    old.execute("ALTER TABLE triplets DROP COLUMN bytes")
    old.close()
    adopted = SqlLedger.connect(url_of(tmp_path))
    assert (adopted.triplets(FALL), adopted.candidates()) == ([a_triplet()], [a_candidate()])
    test_revisions_and_tables_agree(tmp_path, adopted)


def test_an_older_ledger_is_brought_up_to_date_and_keeps_what_it_holds(tmp_path, ledger):
    ledger.record_triplets([a_triplet()])
    engine = sa.create_engine(url_of(tmp_path), poolclass=sa.NullPool)
    with engine.begin() as connection:
        command.downgrade(config_of(connection), "0001")
        assert migrations.revision_of(connection) == "0001"
    assert SqlLedger.connect(url_of(tmp_path)).triplets(FALL) == [a_triplet()]
    test_revisions_and_tables_agree(tmp_path, ledger)


def config_of(connection):
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    return config


def test_the_database_of_another_program_is_left_alone(tmp_path):
    (tmp_path / "_work").mkdir()
    other = connection_to(tmp_path)
    other.execute("CREATE TABLE alembic_version (version_num TEXT)")
    other.execute("INSERT INTO alembic_version VALUES ('1d6611b6ab7c')")
    with pytest.raises(ConfigurationError, match="another program keeps its schema 1d6611b6ab7c"):
        SqlLedger.connect(url_of(tmp_path))
    assert other.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("alembic_version",)]
    other.close()


def test_the_database_itself_keeps_the_cap(tmp_path, ledger):
    ledger.record_triplets([a_triplet(1)])
    connection = sqlite3.connect(tmp_path / "_work/ledger.sqlite")
    copy = "INSERT INTO triplets SELECT aoi, ?, year, season, tile, ?, cap, sizes, digests, bytes FROM triplets"
    for name, slot in (("other", 1), ("other", 0), ("other", 5)):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(copy, (name, slot))
    connection.close()


def test_the_cap_is_the_one_of_the_rules(tmp_path):
    two = SqlLedger.connect(url_of(tmp_path), cap=2)
    two.record_triplets([a_triplet(2)])
    with pytest.raises(SlotTaken, match="cap, 2"):
        two.record_triplets([a_triplet(3, "third")])


def test_sizes_and_digests_follow_the_last_record(ledger):
    ledger.record_triplets([a_triplet(sizes={"s1": 1})])
    ledger.record_triplets([a_triplet(sizes={"s1": 2})])
    assert ledger.triplets(FALL)[0].sizes == {"s1": 2}


def test_events_carry_the_time_and_their_figures(ledger):
    ledger.record_event(FALL, "screen", "screened", candidates=12)
    ledger.record_event(FALL, "select", "selected")
    first, second = ledger.events(FALL)
    assert (first.stage, first.figures, second.message) == ("screen", {"candidates": 12}, "selected")
    assert abs(datetime.now(UTC) - first.at) < timedelta(minutes=1)


def test_candidates_are_counted_by_state_and_rule(ledger):
    refused = {"state": CandidateState.REFUSED, "rule": "s1_invalid"}
    ledger.record_candidates([a_candidate(track=1), a_candidate(track=2, **refused), a_candidate(track=3, **refused)])
    assert ledger.counts(FALL) == {(CandidateState.SPARE, ""): 1, (CandidateState.REFUSED, "s1_invalid"): 2}
    assert ledger.partitions() == (FALL,)


def test_partitions_are_those_of_any_table_in_order(ledger):
    partitions = [
        Partition(aoi, year, season) for aoi in ("a", "b-c", "b") for year in (2020, 2021) for season in Season
    ]
    for n, partition in enumerate(partitions):
        if n % 3 == 0:
            ledger.record_candidates([a_candidate(partition=partition)])
        elif n % 3 == 1:
            ledger.record_triplets([a_triplet(partition=partition, name=f"name-{n}")])
        else:
            ledger.record_event(partition, "search", "found")
    assert ledger.partitions() == tuple(sorted(partitions))


def test_the_candidates_of_a_partition_are_replaced_and_no_others(ledger):
    spring = Partition("nevada", 2023, Season.SPRING)
    ledger.record_candidates([a_candidate(track=1), a_candidate(track=2), a_candidate(partition=spring)])
    ledger.replace_candidates(FALL, [a_candidate(track=2, slot=1), a_candidate(track=3)])
    assert ledger.candidates(partition=FALL) == [a_candidate(track=2, slot=1), a_candidate(track=3)]
    assert ledger.candidates(partition=spring) == [a_candidate(partition=spring)]
    ledger.replace_candidates(FALL, [])
    assert ledger.candidates(partition=FALL) == []


def test_triplets_that_change_places_are_exchanged_at_once(ledger):
    first, second = a_triplet(1, "first"), a_triplet(2, "second")
    for one in (first, second):
        ledger.record_triplets([one])
    ledger.exchange_triplets([first, second], [a_triplet(2, "first"), a_triplet(1, "second")])
    assert [one.name for one in ledger.triplets_of("nevada")] == ["second", "first"]
    with pytest.raises(SlotTaken):
        ledger.exchange_triplets([a_triplet(2, "first")], [a_triplet(1, "third")])
    assert [one.name for one in ledger.triplets_of("nevada")] == ["second", "first"], "all or nothing"


def test_records_that_fail_on_the_way_leave_nothing_and_hold_no_lock(tmp_path, ledger):
    def broken():
        yield a_candidate()
        SqlLedger.connect(url_of(tmp_path)).record_event(FALL, "screen", "another writer goes on")
        raise RuntimeError("the screen failed")

    with pytest.raises(RuntimeError, match="screen failed"):
        ledger.record_candidates(broken())
    assert ledger.candidates() == []
    assert len(ledger.events(FALL)) == 1


def test_of_triplets_with_one_wrong_none_is_recorded(ledger):
    with pytest.raises(SlotTaken):
        ledger.exchange_triplets([], [a_triplet(1, "a"), a_triplet(1, "b")])
    assert ledger.triplets(FALL) == []


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("nonsense", "must be a database URL"),
        ("mysql://host/name", "SQLite or PostgreSQL"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("postgresql+psycopg2cffi://me:secret@host/name", "driver must be installed"),
        ("postgresql+nosuch://me:secret@host/name", r"must be a database URL.*got '\*\*\*@host/name'"),
        ("postgresql://me:secret@host:port/name", "must be a database URL"),
        ("me:secret@host/name", "must be a database URL"),
        ("mysql://me:secret@host/name", "SQLite or PostgreSQL"),
        ("sqlite:////proc/nowhere/ledger.sqlite", "must be writable"),
    ],
)
def test_a_wrong_url_is_a_wrong_setting(url, rule):
    with pytest.raises(ConfigurationError, match=rule) as caught:
        SqlLedger.connect(url)
    assert "secret" not in str(caught.value)


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path, ledger):
    connection = sqlite3.connect(tmp_path / "_work/ledger.sqlite")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(ConfigurationError, match="newer version"):
        SqlLedger.connect(url_of(tmp_path))


def test_a_locked_database_may_be_free_later(tmp_path, monkeypatch):
    monkeypatch.setattr(databases, "BUSY_TIMEOUT_S", 0.1)
    ledger = SqlLedger.connect(url_of(tmp_path))
    other = sqlite3.connect(tmp_path / "_work/ledger.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Retryable, match="does not answer: database is locked"):
        ledger.record_triplets([a_triplet()])
    assert ledger.triplets(FALL) == []  # readers go on
    other.execute("COMMIT")
    other.close()
    ledger.record_triplets([a_triplet()])


def fill_slots(folder, me, start, answers):
    start.wait(30)
    ledger = SqlLedger.connect(url_of(folder))
    won = 0
    for column in range(10):
        for slot in (1, 2, 3, 4):
            try:
                ledger.record_triplets([a_triplet(slot, f"{me}-{column}-{slot}", tile=TileId(11, column, 5))])
                won += 1
            except SlotTaken:
                pass
        ledger.record_candidates([a_candidate(tile=TileId(11, column, 5), track=me)])
    answers.put(won)


def test_processes_that_open_and_fill_one_ledger_share_its_slots(tmp_path):
    start, answers = SPAWN.Barrier(3), SPAWN.Queue()
    workers = [SPAWN.Process(target=fill_slots, args=(tmp_path, me, start, answers)) for me in (1, 2, 3)]
    for worker in workers:
        worker.start()
    won = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    ledger = SqlLedger.connect(url_of(tmp_path))
    assert sum(won) == 40
    assert [one.slot for one in ledger.triplets(FALL)] == [1, 2, 3, 4] * 10
    assert len(ledger.candidates()) == 30


BATCH = 700


def record_for_ever(folder, started):
    ledger = SqlLedger.connect(url_of(folder))
    for number in range(10**6):
        columns = range(number * BATCH, (number + 1) * BATCH)
        ledger.record_candidates([a_candidate(tile=TileId(11, column, 5)) for column in columns])
        if number == 3:
            started.set()


def test_a_killed_writer_leaves_whole_transactions(tmp_path):
    started = SPAWN.Event()
    writer = SPAWN.Process(target=record_for_ever, args=(tmp_path, started))
    writer.start()
    assert started.wait(30)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    ledger = SqlLedger.connect(url_of(tmp_path))
    found = len(ledger.candidates())
    assert found >= 4 * BATCH
    assert found % BATCH == 0
    ledger.record_candidates([a_candidate(track=1)])
    assert len(ledger.candidates()) == found + 1


def test_a_file_that_is_no_database_is_a_wrong_setting(tmp_path):
    (tmp_path / "_work").mkdir()
    (tmp_path / "_work/ledger.sqlite").write_text("not a database, but long enough to be looked at" * 100)
    with pytest.raises(ConfigurationError, match="move the file away"):
        SqlLedger.connect(url_of(tmp_path))


def test_a_folder_is_no_database(tmp_path):
    (tmp_path / "_work/ledger.sqlite").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="must be a file in a folder"):
        SqlLedger.connect(url_of(tmp_path))
