"""Slices with the orbit file that serves each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shapely.geometry.base import BaseGeometry

from sen12ts_pipeline.domain.granules import Granule
from sen12ts_pipeline.domain.passes import Slice
from sen12ts_pipeline.domain.seasons import Interval
from sen12ts_pipeline.ports import Catalogue, OrbitFiles


@dataclass(frozen=True, slots=True)
class WithOrbits:
    """A catalogue whose slices name their orbit files; implements `ports.Catalogue`.

    Attributes
    ----------
    catalogue : Catalogue
        Finds the products.
    orbits : OrbitFiles
        Finds the orbit file of each slice; a slice without one keeps its annotated orbit.
    """

    catalogue: Catalogue
    orbits: OrbitFiles

    def granules(self, over: BaseGeometry, during: Interval) -> Iterator[Granule]:
        """Sentinel-2 L2A granules that meet an area (degrees) and whose datatake starts in the interval."""
        return self.catalogue.granules(over, during)

    def slices(self, over: BaseGeometry, during: Interval) -> Iterator[Slice]:
        """Sentinel-1 IW SLC products that meet an area (degrees) and start in the interval."""
        for one in self.catalogue.slices(over, during):
            yield replace(one, orbit=self.orbits.name(one.platform, one.start, one.stop))
