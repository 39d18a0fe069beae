"""Places: everything that decides the bytes of a simulated archive, as one value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

from sen12ts_pipeline.domain.lattice import TILE_M, TILE_PIXELS, Grid, TileId
from sen12ts_pipeline.errors import ConfigurationError

REPEAT_DAYS = 12


@dataclass(frozen=True, slots=True)
class Patch:
    """Bad pixels in one tile of a granule: a block that starts near the tile's north-western corner.

    Attributes
    ----------
    kind : str
        ``cloud``, ``medium``, ``cirrus``, ``shadow``: a scene class in 20 m pixels; ``nodata``: 60 m pixels without
        data in any band; ``dark``, ``bright``: 60 m pixels whose reflectance lies below 0 and above 1.
    column, row : int
        Tile inside the place, from the west and from the north.
    pixels : int
        How many native pixels.
    offset : int
        Start of the block, in native pixels from the tile's first whole pixel.
    """

    kind: str
    column: int
    row: int
    pixels: int
    offset: int = 12


@dataclass(frozen=True, slots=True)
class OpticalScene:
    """One Sentinel-2 granule.

    Attributes
    ----------
    day : date
        UTC date of the datatake.
    baseline : str
        Processing baseline as in names, ``0509``; from ``0400`` on numbers carry the offset of 1000.
    cloud_percent : float
        Cloud cover in the metadata, reached by clouds outside the tiles; less than the patches make is an error.
    mission : str
        ``S2A`` or ``S2B``.
    patches : tuple of Patch
        Bad pixels in tiles.
    """

    day: date
    baseline: str = "0509"
    cloud_percent: float = 2.0
    mission: str = "S2A"
    patches: tuple[Patch, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A simulated place.

    Attributes
    ----------
    name : str
        File name of the AOI.
    longitude, latitude : float
        Degrees; the tile that holds this point is the north-western one.
    direction : str
        ``A`` ascending or ``D`` descending.
    first_pass : date
        UTC date of the first Sentinel-1 pass.
    passes : int
        Passes, 12 days apart.
    swath : int
        The subswath that images the place, 1 to 3.
    range_fraction : float
        Where in the swath the place lies, 0 near to 1 far.
    tiles_across, tiles_down : int
        Tiles.
    bursts : int
        Bursts of the product.
    seam_offset_s : float
        Time from the nearest burst seam to the place's centre; 0 puts the seam into the place.
    burst_ids : bool
        Whether bursts carry their number, as products since IPF 3.40 do.
    bistatic : bool
        Whether the annotation keeps the residual of the processor's bulk bistatic correction.
    base_height_m : float
        Mean height above the ellipsoid.
    relief : float
        Scale of the slopes; 0 is flat.
    rough : float
        Further slope scale in the south-eastern corner, where shadow and layover are wanted.
    margin_m : float
        Scatterers reach this far beyond the tiles.
    granule_pixels : int
        Edge of the optical granules, 10 m pixels, a multiple of 6.
    scenes : tuple of OpticalScene
        Sentinel-2 granules.
    seed : int
        Of everything random.
    noise_scale : float
        Thermal noise power as a multiple of the usual one.
    """

    name: str
    longitude: float
    latitude: float
    direction: str
    first_pass: date
    passes: int = 5
    swath: int = 1
    range_fraction: float = 0.5
    tiles_across: int = 1
    tiles_down: int = 1
    bursts: int = 2
    seam_offset_s: float = 0.0
    burst_ids: bool = True
    bistatic: bool = True
    base_height_m: float = 400.0
    relief: float = 1.0
    rough: float = 1.0
    margin_m: float = 1200.0
    granule_pixels: int = 600
    scenes: tuple[OpticalScene, ...] = ()
    seed: int = 1
    noise_scale: float = 1.0

    def __post_init__(self) -> None:
        def check(key: str, rule: str, fine: bool) -> None:
            if not fine:
                raise ConfigurationError(f"place {self.name}", key, rule, getattr(self, key))

        check("direction", "must be A or D", self.direction in ("A", "D"))
        check("swath", "must be 1, 2 or 3", self.swath in (1, 2, 3))
        check("latitude", "must lie within the orbit's reach", abs(self.latitude) < 75.0)
        check("passes", "must be at least 1", self.passes >= 1)
        check("bursts", "must be 1 to 9", 1 <= self.bursts <= 9)
        check("granule_pixels", "must be a multiple of 6", self.granule_pixels % 6 == 0)
        check("margin_m", "must be a multiple of 5", self.margin_m % 5.0 == 0)
        room = self.granule_pixels - TILE_PIXELS * max(self.tiles_across, self.tiles_down)
        check("granule_pixels", "must leave 12 pixels around the tiles", not self.scenes or room >= 12)

    @property
    def dates(self) -> tuple[date, ...]:
        """UTC dates of the Sentinel-1 passes, in order."""
        return tuple(self.first_pass + timedelta(days=REPEAT_DAYS * k) for k in range(self.passes))

    @property
    def tiles(self) -> tuple[TileId, ...]:
        """Tiles by row from the north, each row from the west."""
        first = TileId.at(self.longitude, self.latitude)
        return tuple(
            TileId(first.zone, first.column + c, first.row - r)
            for r in range(self.tiles_down)
            for c in range(self.tiles_across)
        )

    @property
    def grid(self) -> Grid:
        """All tiles as one 10 m grid."""
        first = self.tiles[0].grid
        return Grid(first.epsg, first.west, first.north, TILE_PIXELS * self.tiles_down, TILE_PIXELS * self.tiles_across)

    def tile(self, column: int, row: int) -> TileId:
        """Tile by its place from the west and from the north."""
        return self.tiles[row * self.tiles_across + column]

    @property
    def extent_m(self) -> float:
        """Half of the longer edge of the tiles, metres."""
        return TILE_M * max(self.tiles_across, self.tiles_down) / 2

    def as_json(self) -> dict[str, Any]:
        """The place as JSON values."""

        def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a field holds
            if isinstance(value, date):
                return value.isoformat()
            if isinstance(value, dict):
                return {k: plain(v) for k, v in value.items()}
            if isinstance(value, (list, tuple)):
                return [plain(v) for v in value]
            return value

        return {k: plain(v) for k, v in dataclasses.asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Place:
        """Read what `as_json` gave."""
        scenes = tuple(
            OpticalScene(
                **{
                    **scene,
                    "day": date.fromisoformat(scene["day"]),
                    "patches": tuple(Patch(**patch) for patch in scene["patches"]),
                }
            )
            for scene in values["scenes"]
        )
        return cls(**{**values, "first_pass": date.fromisoformat(values["first_pass"]), "scenes": scenes})


DEMO = Place(
    name="demo",
    longitude=-4.82,
    latitude=37.93,
    direction="D",
    first_pass=date(2023, 8, 1),
    passes=7,
    swath=2,
    tiles_across=3,
    tiles_down=2,
    base_height_m=700.0,
    relief=1.2,
    rough=1.0,
    granule_pixels=1080,
    seed=2023,
    scenes=(
        OpticalScene(date(2023, 9, 7), cloud_percent=0.5),
        OpticalScene(date(2023, 9, 17), cloud_percent=1.0, mission="S2B"),
        OpticalScene(
            date(2023, 9, 20),
            cloud_percent=6.25,
            patches=(Patch("cloud", 0, 0, 163), Patch("cloud", 1, 0, 164), Patch("shadow", 2, 0, 900)),
        ),
        OpticalScene(date(2023, 9, 23), cloud_percent=1.0),
        OpticalScene(date(2023, 9, 29), cloud_percent=10.0, mission="S2B"),
        OpticalScene(date(2023, 10, 1), baseline="0301", cloud_percent=3.0, patches=(Patch("cirrus", 1, 1, 120),)),
        OpticalScene(date(2023, 10, 11), cloud_percent=2.0, patches=(Patch("nodata", 0, 1, 64),)),
        OpticalScene(
            date(2023, 10, 13),
            cloud_percent=4.0,
            mission="S2B",
            patches=(Patch("dark", 0, 0, 9), Patch("bright", 0, 0, 9, offset=22), Patch("medium", 2, 1, 300)),
        ),
    ),
)

TINY = Place(
    name="tiny",
    longitude=-4.82,
    latitude=37.93,
    direction="D",
    first_pass=date(2023, 8, 1),
    swath=1,
    base_height_m=480.0,
    rough=0.0,
    seed=7,
    granule_pixels=360,
    scenes=(
        OpticalScene(date(2023, 9, 17), cloud_percent=1.0, patches=(Patch("cloud", 0, 0, 40),)),
        OpticalScene(date(2023, 9, 20), baseline="0301", cloud_percent=5.0, mission="S2B"),
    ),
)

SOUTHERN = Place(
    name="southern",
    longitude=148.6,
    latitude=-35.2,
    direction="A",
    first_pass=date(2021, 2, 3),
    swath=3,
    range_fraction=0.4,
    base_height_m=900.0,
    rough=0.0,
    burst_ids=False,
    seed=11,
    granule_pixels=360,
    scenes=(OpticalScene(date(2021, 3, 22), baseline="0301", cloud_percent=1.0),),
)

ASCENDING = Place(
    name="ascending",
    longitude=8.3,
    latitude=46.4,
    direction="A",
    first_pass=date(2023, 8, 2),
    swath=2,
    range_fraction=0.5,
    tiles_across=2,
    base_height_m=1200.0,
    seed=5,
    granule_pixels=600,
    scenes=(OpticalScene(date(2023, 9, 18), cloud_percent=1.0),),
)


def places() -> Mapping[str, Place]:
    """Places by name."""
    return MappingProxyType({p.name: p for p in (DEMO, TINY, SOUTHERN, ASCENDING)})
