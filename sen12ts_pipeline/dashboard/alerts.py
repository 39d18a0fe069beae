"""What needs a person: a list that follows from facts alone, and what of it people were not told yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sen12ts_pipeline.dashboard.folders import Folder
from sen12ts_pipeline.dashboard.partitions import AreaView, PartitionView, State
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.settings.model import AlertSettings
from sen12ts_pipeline.state.quotas import ProviderState


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that needs a person.

    Attributes
    ----------
    key : str
        What it is and where, the same as long as it holds.
    where, wrong, todo : str
        For people; `wrong` changes with time.
    aoi : str
        The area; empty for what concerns all.
    """

    key: str
    where: str
    aoi: str
    wrong: str
    todo: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All that alerts follow from.

    Attributes
    ----------
    broken : mapping of str to str
        Quarantined products, with the reasons.
    providers : sequence of ProviderState
        Use of quotas.
    folders : sequence of Folder
        Of this machine.
    """

    now: datetime
    limits: AlertSettings
    areas: Sequence[AreaView]
    broken: Mapping[str, str]
    providers: Sequence[ProviderState]
    folders: Sequence[Folder]


@dataclass(frozen=True, slots=True)
class News:
    """What people are to be told: alerts that are new, and keys of those that are over."""

    new: tuple[Attention, ...]
    ended: Mapping[str, str]


def alerts(facts: Facts) -> list[Attention]:
    """What needs a person, the worst first."""
    return [*_of_partitions(facts), *_of_resources(facts), *_of_areas(facts), *_of_products(facts)]


def news(found: Sequence[Attention], told: Mapping[str, str]) -> News:
    """Which alerts people were not told of yet, and which of those that they were told of are over."""
    keys = {one.key for one in found}
    new = tuple(one for one in found if one.key not in told)
    return News(new, {key: wrong for key, wrong in told.items() if key not in keys})


def text(one: News) -> str:
    """The news as a message, a line each; empty if there are none."""
    begun = [f"{alert.where}: {alert.wrong}. To do: {alert.todo}." for alert in one.new]
    over = [f"{key.partition(':')[2].strip()}: over: {wrong}" for key, wrong in one.ended.items()]
    return "\n".join(begun + over)


def _of_partitions(facts: Facts) -> Iterator[Attention]:
    partitions = [p for area in facts.areas for p in area.partitions]
    rules = {"failed": _failed, "stalled": _stalled, "failures": _many_failures, "empty": _nothing_made}
    for kind, rule in rules.items():
        for one in partitions:
            if found := rule(one, facts):
                where = str(Partition(one.aoi, one.year, one.season))
                yield Attention(f"{kind}: {where}", where, one.aoi, *found)


def _of_resources(facts: Facts) -> Iterator[Attention]:
    for folder in facts.folders:
        if folder.name == "store" and 100 * folder.disk_used > facts.limits.store_percent * folder.disk_bytes:
            wrong = (
                f"{folder.disk_used / folder.disk_bytes:.0%} of the disk are used, {folder.free_gb:,.0f} GB are left"
            )
            todo = "make room: sen12ts gc lists what may go; or move the store to a larger disk"
            yield Attention("store: store", f"store {folder.path}", "", wrong, todo)
    for one in facts.providers:
        limit = one.quota.bytes_per_30_days if one.quota else None
        if limit and 100 * one.volume_bytes > facts.limits.quota_percent * limit:
            wrong = f"{one.volume_bytes / 1e12:.2f} of the {limit / 1e12:g} TB of 30 days are used"
            todo = "what is fetched waits when it is used up: run fewer areas at once, or fetch from another archive"
            yield Attention(f"quota: {one.provider}", one.provider, "", wrong, todo)
        if one.paused_until:
            wrong = f"no request is made until {one.paused_until:%Y-%m-%d %H:%M} UTC: {one.reason}"
            todo = "wait, or see whether the archive is down and the login is right"
            yield Attention(f"paused: {one.provider}", one.provider, "", wrong, todo)


def _of_areas(facts: Facts) -> Iterator[Attention]:
    for area in facts.areas:
        at_work = any(p.state is not State.EMPTY and p.state is not State.DONE for p in area.partitions)
        if at_work and area.budget_gb and 100 * area.raw_gb > facts.limits.budget_percent * area.budget_gb:
            wrong = f"{area.raw_gb:.0f} of {area.budget_gb:g} GB of the size budget are used"
            todo = "the rest of the year gets few triplets or none; if more are wanted, raise budget_gb of the area"
            where = f"{area.aoi} {area.year}"
            yield Attention(f"budget: {where}", where, area.aoi, wrong, todo)


def _of_products(facts: Facts) -> Iterator[Attention]:
    if facts.broken:
        product, reason = next(iter(facts.broken.items()))
        more = f", and {len(facts.broken) - 1} more" if len(facts.broken) > 1 else ""
        todo = "fetch the products again, then run the partitions with refresh"
        yield Attention("products: broken products", "broken products", "", f"{product}: {reason}{more}", todo)


def _failed(one: PartitionView, facts: Facts) -> tuple[str, str] | None:
    if one.state is not State.FAILED:
        return None
    return (
        f"{one.stage} {one.message}, {_ago(one.at, facts.now)}",
        "see the log of the task in the DAG run, mend it, clear the task",
    )


def _stalled(one: PartitionView, facts: Facts) -> tuple[str, str] | None:
    if one.state is not State.STALLED:
        return None
    wrong = f"nothing was heard for {_ago(one.heard, facts.now).removesuffix(' ago')}, since {one.stage}: {one.message}"
    return wrong, "see whether its DAG run is still at work; if it ended or was stopped, clear its failed tasks"


def _many_failures(one: PartitionView, facts: Facts) -> tuple[str, str] | None:
    tried = one.failed + one.finished
    if not tried or 100 * one.failed <= facts.limits.failed_percent * tried:
        return None
    return f"{one.failed} of {tried} triplets failed ({one.failed / tried:.0%})", "see the reasons of the failed ones"


def _nothing_made(one: PartitionView, _: Facts) -> tuple[str, str] | None:
    if one.state is not State.DONE or one.finished:
        return None
    wrong = "it is done and has no triplet" if one.refused else "it is done, and no pair of scene and pass was found"
    return wrong, "see the reasons; if products are missing, fetch them and run it with refresh"


def _ago(at: datetime | None, now: datetime) -> str:
    hours = (now - at) / timedelta(hours=1) if at else 0.0
    return f"{hours:.0f} hours ago" if hours >= 1.5 else f"{hours * 60:.0f} minutes ago"
