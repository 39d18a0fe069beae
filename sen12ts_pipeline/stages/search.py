"""search: what products there are for a partition; the first answer is frozen."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.passes import Slice, same_slice
from sen12ts_pipeline.domain.seasons import Interval, Partition, intervals, pass_search
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.stages import generation
from sen12ts_pipeline.stages.documents import INVENTORY, Inventory
from sen12ts_pipeline.stages.services import Services

ALWAYS = Interval(datetime(2014, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def run(partition: str, services: Services, *, refresh: bool = False) -> str:
    """Freeze the identities of the products found, and quarantine those that cannot be read.

    Parameters
    ----------
    partition : str
        ``<aoi>/<year>-<season>``.
    services : Services
        Connected ports.
    refresh : bool
        Search again and take what is new, instead of keeping what the first run found.

    Returns
    -------
    str
        Key of the inventory.

    Raises
    ------
    ConfigurationError
        When the archive has nothing over the area at any time, or the store holds results of other settings.
    """
    parsed = Partition.parse(partition)
    generation.check(parsed, services)
    before = INVENTORY.find(services.store, parsed)
    if refresh or before is None:
        granules, slices = _search(parsed, services)
        found = _usable(granules, slices)
        for one in sorted(s for s in slices if not s.dual_polarised):
            message = f"slice left out, it must have VV and VH: {one.product} has {', '.join(one.polarisations)}"
            services.ledger.record_event(parsed, "search", message)
        for note in services.notes():
            services.ledger.record_event(parsed, "search", note)
        for product, reason in sorted(services.broken().items()):
            services.ledger.quarantine(product, reason)
        if found.granules and found.slices:  # an empty answer is not frozen: the archive may still be filling
            generation.record(parsed, services)
            if before is None:
                INVENTORY.freeze(services.store, parsed, found)
            else:
                INVENTORY.replace(services.store, parsed, keeping(before, found, services.ledger.quarantined()))
        figures = {"granules": float(len(found.granules)), "slices": float(len(found.slices))}
        services.ledger.record_event(parsed, "search", "products found", **figures)
    return str(INVENTORY.key(parsed))


def find(partition: Partition, services: Services) -> Inventory:
    """Search without freezing anything."""
    return _usable(*_search(partition, services))


def _search(partition: Partition, services: Services) -> tuple[set[Granule], set[Slice]]:
    rules, season = services.rules, partition.season
    before, after = rules.search_days_before, rules.search_days_after
    windows = pass_search(partition.year, season, days_before=before, days_after=after)
    granules = {g for i in intervals(partition.year, season) for g in services.catalogue.granules(services.area, i)}
    slices = {s for i in windows for s in services.catalogue.slices(services.area, i)}
    if not granules and not slices:
        _require_something(services)
    return granules, slices


def _usable(granules: Iterable[Granule], slices: Iterable[Slice]) -> Inventory:
    return Inventory(tuple(sorted(granules)), tuple(sorted(s for s in slices if s.dual_polarised)))


def keeping(before: Inventory, found: Inventory, broken: Collection[str]) -> Inventory:
    """What was found, without new processings of sound products that an earlier search found and that are still there.

    So what a tile has already and what is made for it later come of the same products and orbits.
    """
    here, names = products(found) - set(broken), products(before)
    scenes = {_scene(g) for g in before.granules if g.product in here}
    known = [s for s in before.slices if s.product in here]
    as_before = {s.product: s for s in before.slices}
    return Inventory(
        tuple(g for g in found.granules if g.product in names or _scene(g) not in scenes),
        tuple(
            as_before.get(s.product, s)
            for s in found.slices
            if s.product in names or not any(same_slice(s, k) for k in known)
        ),
    )


def products(found: Inventory) -> set[str]:
    """Names of all products of an inventory."""
    return {g.product for g in found.granules} | {s.product for s in found.slices}


def _scene(one: Granule) -> tuple[str, datetime, str]:
    return one.mission, one.datatake_start, one.mgrs


def inventory(partition: Partition, services: Services) -> Inventory:
    """The frozen inventory; an empty one when the search found nothing to freeze."""
    return INVENTORY.find(services.store, partition) or Inventory((), ())


def _require_something(services: Services) -> None:
    catalogue, area = services.catalogue, services.area
    if any(True for _ in catalogue.slices(area, ALWAYS)) or any(True for _ in catalogue.granules(area, ALWAYS)):
        return
    bounds = ", ".join(f"{x:.4f}" for x in area.bounds)
    broken = f"; {len(services.broken())} products there could not be read" if services.broken() else ""
    rule = f"must hold Sentinel-1 IW SLC and Sentinel-2 L2A products that meet the area {services.aoi}{broken}"
    raise ConfigurationError(services.origin, services.searched, rule, f"none within {bounds} (degrees W, S, E, N)")
