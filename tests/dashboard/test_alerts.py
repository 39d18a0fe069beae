"""Alerts follow from facts alone; people are told of each once, and when it is over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sen12ts_pipeline.dashboard.alerts import Facts, alerts, news, text
from sen12ts_pipeline.dashboard.folders import Folder
from sen12ts_pipeline.dashboard.partitions import AreaView, PartitionView, State
from sen12ts_pipeline.dashboard.sources import Sources
from sen12ts_pipeline.dashboard.watch import look
from sen12ts_pipeline.domain.quotas import QUOTAS
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.settings.model import AlertSettings
from sen12ts_pipeline.state.folder import FolderStore
from sen12ts_pipeline.state.ledger import SqlLedger
from sen12ts_pipeline.state.quotas import ProviderState

NOW = datetime(2023, 9, 30, 12, tzinfo=UTC)
FALL = Partition("iowa", 2020, Season.FALL)
CALM = PartitionView("iowa", 2020, Season.FALL, State.DONE, 100, 100, 0, 0, 10, 0, NOW, "report", "report written", NOW)
CDSE = ProviderState("cdse", QUOTAS["cdse"], 0, 0, 0, 0, None, "")
STORE = Folder("store", "/data", None, None, 10, 100)


def facts(partition=CALM, *, limits=None, **changes):
    area = AreaView("iowa", 2020, True, (partition,), 10, 100, changes.pop("raw_gb", 1.0), 320.0, 0, 0)
    values = {"broken": {}, "providers": [CDSE], "folders": [STORE], **changes}
    return Facts(NOW, limits or AlertSettings(), [area], **values)


def keys(found):
    return [one.key for one in alerts(found)]


def test_where_all_is_well_nobody_is_called():
    assert alerts(facts()) == []


def stopped(hours):
    return replace(CALM, state=State.STALLED, heard=NOW - timedelta(hours=hours), stage="radar", message="shard")


@pytest.mark.parametrize(
    ("found", "key", "says"),
    [
        (
            facts(replace(CALM, state=State.FAILED, at=NOW - timedelta(hours=1))),
            "failed: iowa/2020-fall",
            "60 minutes ago",
        ),
        (facts(stopped(9)), "stalled: iowa/2020-fall", "9 hours, since radar"),
        (facts(replace(CALM, failed=6, finished=94)), "failures: iowa/2020-fall", "6 of 100 triplets failed (6%)"),
        (facts(replace(CALM, finished=0, refused=3)), "empty: iowa/2020-fall", "has no triplet"),
        (facts(folders=[replace(STORE, disk_used=91)]), "store: store", "91% of the disk"),
        (facts(providers=[replace(CDSE, volume_bytes=11 * 10**12)]), "quota: cdse", "11.00 of the 12 TB"),
        (facts(providers=[replace(CDSE, paused_until=NOW, reason="429")]), "paused: cdse", "2023-09-30 12:00 UTC: 429"),
        (facts(replace(CALM, state=State.RUNNING), raw_gb=310.0), "budget: iowa 2020", "310 of 320 GB"),
        (facts(broken={"S1A": "short", "S1B": "gone"}), "products: broken products", "S1A: short, and 1 more"),
    ],
    ids=lambda value: value.partition(":")[0] if isinstance(value, str) else "",
)
def test_what_is_wrong_is_told_with_what_to_do(found, key, says):
    [one] = alerts(found)
    assert one.key == key
    assert says in one.wrong
    assert one.todo


@pytest.mark.parametrize(
    "found",
    [
        facts(replace(CALM, failed=5, finished=95)),
        facts(folders=[replace(STORE, disk_used=90)]),
        facts(folders=[replace(STORE, name="cache of products", disk_used=99)]),
        facts(providers=[replace(CDSE, volume_bytes=10 * 10**12)]),
        facts(providers=[replace(CDSE, provider="asf", quota=QUOTAS["asf"], volume_bytes=10**15)]),
        facts(providers=[replace(CDSE, quota=None, volume_bytes=10**15)]),
        facts(raw_gb=319.0),
    ],
    ids=["failures", "store", "cache", "quota", "unlimited", "unknown", "budget-of-what-is-done"],
)
def test_nobody_is_called_at_a_limit_or_where_there_is_none(found):
    assert alerts(found) == []


def test_limits_are_settings():
    tight = AlertSettings(failed_percent=1, quota_percent=50, store_percent=5, budget_percent=10)
    one = replace(CALM, state=State.RUNNING, failed=2, finished=98)
    found = facts(one, limits=tight, raw_gb=40.0, providers=[replace(CDSE, volume_bytes=7 * 10**12)])
    assert [key.partition(":")[0] for key in keys(found)] == ["failures", "store", "quota", "budget"]


def test_failures_come_first():
    found = facts(stopped(9), broken={"S1A": "short"}, folders=[replace(STORE, disk_used=99)])
    assert [key.partition(":")[0] for key in keys(found)] == ["stalled", "store", "products"]


def test_news_are_what_was_not_told_and_what_is_over():
    found = alerts(facts(stopped(9), broken={"S1A": "short"}))
    told = {found[0].key: "nothing was heard for 8 hours", "quota: cdse": "11 TB are used"}
    one = news(found, told)
    assert [alert.key for alert in one.new] == ["products: broken products"]
    assert list(one.ended) == ["quota: cdse"]
    assert text(one).splitlines() == [
        "broken products: S1A: short. To do: fetch the products again, then run the partitions with refresh.",
        "cdse: over: 11 TB are used",
    ]
    assert text(news(found, {alert.key: "" for alert in found})) == ""


@pytest.fixture
def sources(tmp_path):
    ledger = SqlLedger.connect(f"sqlite:///{tmp_path}/ledger.sqlite")
    return Sources(lambda: ledger, lambda: FolderStore(tmp_path / "store"), dict)


def test_a_look_tells_once_and_again_what_could_not_be_sent(sources):
    sent = []

    def deaf(message):
        raise OSError("no route to the webhook")

    ledger = sources.ledger()
    ledger.record_event(FALL, "radar", "failed: BadProduct: short")
    with pytest.raises(OSError, match="no route"):
        look(deaf, sources)
    for _ in range(3):
        look(sent.append, sources)
    assert len(sent) == 1
    ledger.record_event(FALL, "radar", "trying again")
    look(sent.append, sources)
    assert sent[1].startswith("iowa/2020-fall: over: radar failed: BadProduct: short")
    ledger.record_event(FALL, "radar", "failed: BadProduct: short")
    look(sent.append, sources)
    assert len(sent) == 3, "what comes again is told again"


def test_a_partition_whose_tasks_end_is_not_stalled_however_long_no_event_was_noted(sources):
    ledger = sources.ledger()
    ledger.record_event(FALL, "select", "chosen")
    late = datetime.now(UTC) + timedelta(hours=5)

    def state(now):
        from sen12ts_pipeline.dashboard.overview import overview

        return overview(sources, now).areas[0].partitions[3].state

    assert state(late) is State.RUNNING
    assert state(late + timedelta(hours=2)) is State.STALLED
    ledger.record_timing(FALL, "radar", 900.0, 10**9)
    assert state(datetime.now(UTC)) is State.RUNNING
