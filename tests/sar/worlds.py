"""What a simulated archive offers to the engine's tests."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sen12ts_pipeline.acquisition.archive import ArchiveSource
from sen12ts_pipeline.domain.passes import passes_of
from sen12ts_pipeline.ports import FrameJob
from sen12ts_pipeline.sar.native.engine import NativeEngine
from sen12ts_pipeline.sentinel1.manifest import read_slice
from sen12ts_pipeline.terrain.dem import Dem


@dataclass(frozen=True)
class World:
    """An archive in a folder, its passes in order of time, and its truth."""

    folder: Path
    source: Any
    passes: tuple
    truth: Any

    @property
    def grid(self):
        return self.truth.place.tiles[0].grid

    def engine(self, dem=None):
        return NativeEngine(self.source, dem or Dem(self.folder / "dem/dem.tif", "ellipsoidal"))

    def frame(self, engine=None, grid=None):
        """The frame of the pair, or the error in its place."""
        engine = engine or self.engine()
        terrain = engine.terrain(grid or self.grid, self.passes[0])
        (frame,) = engine.frames(FrameJob((terrain,), self.passes))
        return frame

    def copy(self, to):
        """The same archive elsewhere, made of links, in which files may be replaced or removed."""
        shutil.copytree(self.folder, to, copy_function=os.link)
        source = ArchiveSource(to / "archive")
        passes = passes_of(read_slice(source.open(p)) for p in source.products())
        return replace(self, folder=to, source=source, passes=passes)

    def file(self, pattern, position=1):
        """The one file of a pass that matches a pattern."""
        (found,) = self.source.place(self.passes[position].products[0]).glob(pattern)
        return found
