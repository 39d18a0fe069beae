"""The ledger in PostgreSQL: many writers, a restart, who may do what, and what is said when it cannot be reached."""

import multiprocessing

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import make_url

from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.errors import ConfigurationError, Retryable
from sen12ts_pipeline.state import migrations
from sen12ts_pipeline.state.ledger import SlotTaken, SqlLedger
from sen12ts_pipeline.state.tables import metadata
from tests.contracts.examples import FALL, a_candidate, a_triplet
from tests.state.test_ledger import LATER_INDEXES

SPAWN = multiprocessing.get_context("spawn")
WRITERS = 16
TILES = 10


@pytest.fixture
def url(postgresql_server):
    return postgresql_server.new_database()


def database_of(url):
    return make_url(url).database


def fill_slots(url, me, start, answers):
    start.wait(120)
    ledger = SqlLedger.connect(url)
    won = []
    for column in range(TILES):
        tile = TileId(11, (column + me) % TILES, 5)
        for slot in (0, 1, 2, 3, 4, 5):
            try:
                ledger.record_triplets([a_triplet(slot, f"{me}-{tile}-{slot}", tile=tile)])
                won.append((tile, slot))
            except SlotTaken:
                pass
        ledger.record_candidates([a_candidate(tile=TileId(11, n, 5), s2date=FIRST_DAY) for n in reversed(range(TILES))])
    answers.put(won)


FIRST_DAY = a_candidate().s2date


def test_sixteen_processes_that_make_the_schema_and_want_every_slot_share_the_cap(url):
    start, answers = SPAWN.Barrier(WRITERS), SPAWN.Queue()
    writers = [SPAWN.Process(target=fill_slots, args=(url, me, start, answers)) for me in range(WRITERS)]
    for writer in writers:
        writer.start()
    won = [slot for _ in writers for slot in answers.get(timeout=300)]
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert sorted(won) == [(TileId(11, column, 5), slot) for column in range(TILES) for slot in (1, 2, 3, 4)]
    ledger = SqlLedger.connect(url)
    assert [(one.tile, one.slot) for one in ledger.triplets(FALL)] == sorted(won)
    assert len(ledger.candidates()) == TILES


def test_the_database_itself_keeps_the_cap(postgresql_server, url):
    SqlLedger.connect(url).record_triplets([a_triplet(1)])
    copy = "INSERT INTO triplets SELECT aoi, 'other', year, season, tile, {}, cap, sizes, digests FROM triplets"
    for slot, constraint in ((1, "uq_triplets"), (0, "ck_triplets"), (5, "ck_triplets")):
        with pytest.raises(Exception, match="non-zero exit") as caught:
            postgresql_server.sql(copy.format(slot), database_of(url))
        assert constraint in caught.value.stderr


def test_revisions_and_tables_agree(url):
    SqlLedger.connect(url)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == migrations.HEAD


def test_no_connection_is_held_between_transactions(postgresql_server, url):
    ledgers = [SqlLedger.connect(url) for _ in range(3)]
    for ledger in ledgers:
        ledger.record_triplets([a_triplet()])
        ledger.partitions()
    held = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database_of(url)}'"
    assert postgresql_server.sql(held) == "0\n"


def test_a_server_that_is_down_is_left_to_a_later_try_and_nothing_recorded_is_lost(postgresql_server, url):
    ledger = SqlLedger.connect(url)
    ledger.record_triplets([a_triplet()])
    postgresql_server.kill()
    for act in (lambda: ledger.record_triplets([a_triplet(2, "second")]), lambda: ledger.triplets(FALL)):
        with pytest.raises(Retryable, match="does not answer"):
            act()
    postgresql_server.start()
    ledger.record_triplets([a_triplet(2, "second")])
    assert [one.slot for one in ledger.triplets(FALL)] == [1, 2]


def test_a_server_that_dies_within_a_transaction_leaves_none_of_it(postgresql_server, url, monkeypatch):
    ledger = SqlLedger.connect(url)
    record_one = ledger._record_one

    def record_and_die(connection, record):
        record_one(connection, record)
        postgresql_server.kill()

    monkeypatch.setattr(ledger, "_record_one", record_and_die)
    with pytest.raises(Retryable, match="does not answer"):
        ledger.record_triplets([a_triplet()])
    postgresql_server.start()
    assert ledger.triplets(FALL) == []


@pytest.fixture
def worker(postgresql_server, url):
    """URL of a user who may read and write the ledger's rows and change nothing else."""
    SqlLedger.connect(url)
    database = database_of(url)
    postgresql_server.sql(f"CREATE ROLE w{database} LOGIN")
    postgresql_server.sql(
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO w{database}", database
    )
    postgresql_server.sql(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO w{database}", database)
    return postgresql_server.url(database, f"w{database}")


def test_a_user_of_the_rows_alone_can_do_all_that_workers_do(worker):
    ledger = SqlLedger.connect(worker)
    ledger.record_triplets([a_triplet()])
    ledger.record_candidates([a_candidate()])
    ledger.quarantine("S1A_X", "no manifest")
    ledger.record_event(FALL, "search", "found")
    ledger.exchange_triplets([a_triplet()], [a_triplet(2)])
    ledger.replace_candidates(FALL, [])
    assert (len(ledger.triplets(FALL)), len(ledger.events(FALL)), ledger.candidates()) == (1, 1, [])


def test_a_user_who_may_not_change_an_old_schema_is_told(postgresql_server, worker, url):
    postgresql_server.sql("UPDATE alembic_version SET version_num = '0001'", database_of(url))
    for name in LATER_INDEXES:
        postgresql_server.sql(f"DROP INDEX {name}", database_of(url))
    with pytest.raises(ConfigurationError, match="brought up to date by a user who may change it"):
        SqlLedger.connect(worker)


@pytest.mark.parametrize(
    ("database", "user", "rule"),
    [
        ("nowhere", "owner", "must name a database that is there"),
        ("postgres", "nobody", "must name a user who is there"),
    ],
)
def test_what_is_not_there_is_a_wrong_setting(postgresql_server, database, user, rule):
    with pytest.raises(ConfigurationError, match=rule):
        SqlLedger.connect(postgresql_server.url(database, user))


def test_a_server_that_is_not_there_is_left_to_a_later_try_and_its_password_not_told(postgresql_server):
    with pytest.raises(Retryable, match="does not answer") as caught:
        SqlLedger.connect("postgresql+psycopg://me:secret@127.0.0.1:9/ledger")
    assert "secret" not in str(caught.value)
