"""All that is fetched besides products: what there is, from which address, into which folder of the cache."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.acquisition import elevation, geoids, maps, orbit_archive
from sen12ts_pipeline.acquisition.cache import Cache
from sen12ts_pipeline.acquisition.elevation import Elevation
from sen12ts_pipeline.acquisition.orbit_archive import OrbitArchive, OrbitBucket, OrbitCatalogue
from sen12ts_pipeline.acquisition.provider import Provider
from sen12ts_pipeline.errors import ConfigurationError

URLS: Mapping[str, str] = {
    "orbits": orbit_archive.BUCKET_URL,
    "cdse_catalogue": orbit_archive.CATALOGUE_URL,
    "cdse_download": orbit_archive.DOWNLOAD_URL,
    "glo30": elevation.GLO30_URL,
    "srtmgl1": elevation.SRTMGL1_URL,
    "egm2008": geoids.EGM2008_URL,
    "worldcover": maps.WORLDCOVER_URL,
    "cdl": maps.CDL_URL,
    "parcels": maps.PARCELS_URL,
}
"""The usual addresses."""

_MAP = re.compile(r"(?P<map>worldcover|cdl|dun)_(?P<year>\d{4})(?:_(?P<edition>v\d+))?")


@dataclass(frozen=True, slots=True)
class Auxiliary:
    """Fetches what it is asked for, unless it is here.

    Attributes
    ----------
    cache : Cache
        Its folder holds one for each kind.
    urls : mapping
        Addresses that differ from `URLS`.
    provider_of : callable
        Who lets one in, by name, asked when needed: ``cdse`` for orbit files that the open bucket lacks, ``earthdata``
        for SRTMGL1.
    """

    cache: Cache
    urls: Mapping[str, str] = field(default_factory=dict)
    provider_of: Callable[[str], Provider] = Provider

    def orbits(self, *, restituted: bool) -> OrbitArchive:
        """Orbit files; nothing is asked for yet."""
        bucket = OrbitBucket(self.cache.within("orbits"), self._url("orbits"))
        cdse = self.cache.within("orbits", self.provider_of("cdse"))
        catalogue = OrbitCatalogue(cdse, self._url("cdse_catalogue"), self._url("cdse_download"))
        return OrbitArchive([bucket, catalogue], restituted=restituted)

    def elevation(self, source: str, area: BaseGeometry) -> Elevation:
        """The elevation model of an area: ``glo30`` or ``srtmgl1``."""
        if source == "glo30":
            return elevation.glo30(area, self.cache.within("glo30"), self._url("glo30"))
        cache = self.cache.within("srtmgl1", self.provider_of("earthdata"))
        return elevation.srtmgl1(area, cache, self._url("srtmgl1"))

    def egm2008(self) -> Path:
        """The grid of the geoid."""
        return geoids.fetch_egm2008(self.cache.within("geoids"), self._url("egm2008"))

    def labels(self, name: str, area: BaseGeometry) -> list[Path]:
        """Files of the map of a name, such as ``worldcover_2020_v100``, ``cdl_2020`` or ``dun_2020``.

        Raises
        ------
        ConfigurationError
            When the name is of no map that can be fetched.
        """
        found = _MAP.fullmatch(name)
        if found and found["map"] == "worldcover":
            years = {str(year): edition for edition, year in maps.EDITIONS.items()}
            edition = found["edition"] or years.get(found["year"], "")
            if str(maps.EDITIONS.get(edition)) == found["year"]:
                return maps.fetch_worldcover(area, edition, self.cache.within("worldcover"), self._url("worldcover"))
        elif found and not found["edition"]:
            year = int(found["year"])
            if found["map"] == "cdl":
                return [maps.fetch_cdl(year, self.cache.within("cdl"), self._url("cdl"))]
            return [maps.fetch_parcels(year, self.cache.within("parcels"), self._url("parcels"))]
        rule = "must be worldcover_2020_v100, worldcover_2021_v200, cdl_<year> or dun_<year> to be fetched"
        raise ConfigurationError("labels", "labels.name", rule, name)

    def label_place(self, name: str, aoi: str, area: BaseGeometry) -> Path:
        """The map of a name as one file, or as a folder of an area's own with links to the tiles that meet it."""
        files = self.labels(name, area)
        if not files:
            rule = "must be a map of land; there is none of the whole area"
            raise ConfigurationError(f"area {aoi}", "labels.name", rule, name)
        if name.startswith("worldcover"):
            return self.cache.linked(f"maps/{aoi}-{name}", files)
        return maps.unpacked(files[0]) if files[0].suffix == ".zip" else files[0]

    def _url(self, name: str) -> str:
        return self.urls.get(name) or URLS[name]
