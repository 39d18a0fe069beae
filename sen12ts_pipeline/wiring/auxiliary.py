"""What is needed besides products: orbit files and elevations."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sen12ts_pipeline.acquisition.archive import ArchiveSource
from sen12ts_pipeline.acquisition.auxiliary import Auxiliary
from sen12ts_pipeline.acquisition.cache import Cache, cache_folder
from sen12ts_pipeline.acquisition.orbits import OrbitFolder
from sen12ts_pipeline.catalogues.orbits import WithOrbits
from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.domain.seasons import Season, pass_search
from sen12ts_pipeline.ports import NO_ORBIT_FILES, OrbitFiles
from sen12ts_pipeline.settings.boundary import read_boundary
from sen12ts_pipeline.settings.model import AoiSettings, Settings
from sen12ts_pipeline.terrain.dem import Dem
from sen12ts_pipeline.wiring.archives import catalogue_of, provider
from sen12ts_pipeline.wiring.needed import needed


def auxiliary(settings: Settings, environ: Mapping[str, str] = os.environ) -> Auxiliary:
    """What is fetched besides products."""
    folder = settings.auxiliary.folder or cache_folder(environ)
    urls = {str(name): url for name, url in settings.auxiliary.urls.items()}
    logins = {"cdse": "cdse", "earthdata": "asf"}
    return Auxiliary(
        Cache(folder, provider("aws", settings, environ)), urls, lambda name: provider(logins[name], settings, environ)
    )


def orbits_of(aoi: AoiSettings, fetching: Auxiliary) -> OrbitFiles:
    """Orbit files of an area; nothing is asked for yet."""
    place = aoi.catalogue.orbit_files
    if place == "annotated":
        return NO_ORBIT_FILES
    if place == "archive":
        return fetching.orbits(restituted=aoi.catalogue.restituted)
    return OrbitFolder(Path(place))


def dem_of(aoi: AoiSettings, fetching: Auxiliary) -> Dem:
    """Elevation model of an area; what is to be fetched of it is fetched."""
    chosen = aoi.dem
    geoid = fetching.egm2008() if chosen.fetches_geoid else None
    if chosen.geoid not in (None, "fetch"):
        geoid = Path(str(chosen.geoid))
    if chosen.source == "file":
        path = needed(f"area {aoi.name}", "dem.path", chosen.path)
        return Dem(path, chosen.vertical, geoid, chosen.allow_egm96)
    model = fetching.elevation(chosen.source, read_boundary(aoi))
    return Dem(model.path, model.vertical, geoid, chosen.allow_egm96, model.sha256)


def slices_of_year(aoi: AoiSettings, fetching: Auxiliary, settings: Settings, environ: Mapping[str, str]) -> set[Slice]:
    """Slices of all seasons of an area, with the orbit files that serve them: as the searches will find them."""
    root = aoi.catalogue.root
    if aoi.catalogue.kind == "archive":
        root = needed(f"area {aoi.name}", "catalogue.root", root)
    found = catalogue_of(aoi.catalogue, ArchiveSource(root or Path()), settings, environ)
    catalogue = WithOrbits(found, orbits_of(aoi, fetching))
    rules, area = settings.rules, read_boundary(aoi)
    reach = {"days_before": rules.search_days_before, "days_after": rules.search_days_after}
    windows = {w for season in Season for w in pass_search(aoi.year, season, **reach)}
    return {one for during in sorted(windows) for one in catalogue.slices(area, during)}
