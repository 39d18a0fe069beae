"""What a simulated archive offers to the engine's tests."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sen12ts_pipeline.acquisition.archive import ArchiveSource
from sen12ts_pipeline.domain.passes import passes_of
from sen12ts_pipeline.ports import FrameJob
from sen12ts_pipeline.sar.native.engine import NativeEngine
from sen12ts_pipeline.sentinel1.manifest import read_slice
from sen12ts_pipeline.simulate.truth import Truth
from sen12ts_pipeline.terrain.dem import Dem
from tests import worlds


@dataclass(frozen=True)
class World:
    """An archive in a folder, its first three passes in order of time, and its truth."""

    folder: Path
    source: Any
    passes: tuple
    truth: Truth

    @classmethod
    def of(cls, folder):
        source = ArchiveSource(folder / "archive")
        slices = [read_slice(source.open(p)) for p in source.products() if p.startswith("S1")]
        return cls(folder, source, passes_of(slices)[:3], Truth.load(folder))

    @property
    def grid(self):
        return self.truth.place.tiles[0].grid

    def engine(self, dem=None):
        return NativeEngine(self.source, dem or Dem(self.folder / "dem/dem.tif", "ellipsoidal"))

    def frames(self, engine=None):
        """Frames of the tile, or the errors in their places."""
        engine = engine or self.engine()
        return list(engine.frames(FrameJob((engine.terrain(self.grid, self.passes[0]),), self.passes)))

    def copy(self, to):
        """The same archive elsewhere, in which files may be replaced or removed."""
        return World.of(worlds.copy(self.folder, to))

    def file(self, pattern, position=2):
        """The one file of a pass that matches a pattern."""
        (found,) = self.source.place(self.passes[position].products[0]).glob(pattern)
        return found
