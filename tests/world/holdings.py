"""What the archives of a world hold: the products of a simulated archive, and what each of them says of itself."""

import functools
import hashlib
import uuid
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import shapely
from lxml import etree
from shapely.geometry import MultiPoint, mapping

from sen12ts_pipeline.acquisition.folders import FolderProduct
from sen12ts_pipeline.catalogues.archive import square
from sen12ts_pipeline.domain.bursts import BurstId
from sen12ts_pipeline.sentinel1.manifest import read_slice
from sen12ts_pipeline.sentinel2.product import read_granule

PACKED_AT = (2023, 11, 1, 0, 0, 0)


def text(moment):
    """A moment as archives write it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


@dataclass(frozen=True)
class Held:
    """A product: its folder, and what it is."""

    folder: Path

    @property
    def safe(self):
        return self.folder.name

    @property
    def name(self):
        return self.folder.stem

    @functools.cached_property
    def id(self):
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.safe))

    @functools.cached_property
    def files(self):
        """Paths inside the product, sorted."""
        return sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())

    @functools.cached_property
    def size(self):
        return sum((self.folder / name).stat().st_size for name in self.files)

    @functools.cached_property
    def md5(self):
        """Digest of the manifest: a version of the product, as the archives' own checksum of a folder is one."""
        return hashlib.md5((self.folder / "manifest.safe").read_bytes()).hexdigest()

    @property
    def s3_path(self):
        """Place in the bucket ``eodata``, with the bucket."""
        day = "/".join(self.folder.parts[-4:-1])
        series = "Sentinel-1/SAR/IW_SLC__1S" if self.name.startswith("S1") else "Sentinel-2/MSI/L2A"
        return f"/eodata/{series}/{day}/{self.safe}"

    @functools.cached_property
    def slice(self):
        return read_slice(FolderProduct(self.folder))

    @functools.cached_property
    def granule(self):
        return read_granule(FolderProduct(self.folder))

    @property
    def is_slice(self):
        return self.name.startswith("S1")

    @property
    def start(self):
        """Of a slice, or of the datatake of a granule, which archives date some milliseconds later."""
        return self.slice.start if self.is_slice else self.granule.datatake_start + timedelta(milliseconds=24)

    @property
    def stop(self):
        return self.slice.stop if self.is_slice else self.start

    @functools.cached_property
    def area(self):
        """Outline in degrees."""
        area = shapely.from_wkt(self.slice.footprint) if self.is_slice else square(self.granule)
        return shapely.set_precision(area, 1e-6)

    @property
    def geometry(self):
        """Outline as GeoJSON."""
        return plain(mapping(self.area))

    @property
    def orbit(self):
        """Absolute orbit, as the name tells it; of a granule, as the name of its folder tells it."""
        if self.is_slice:
            return int(self.name.split("_")[-3])
        return int(next(f for f in self.files if f.startswith("GRANULE/")).split("/")[1].split("_A")[1][:6])

    def zipped(self, work, method):
        """The product as a zip, packed the first time."""
        path = work / f"{self.name}-{method}.zip"
        if not path.exists():
            partial = path.with_suffix(".part")
            with zipfile.ZipFile(partial, "w", method, compresslevel=1) as out:
                for name in self.files:
                    info = zipfile.ZipInfo(f"{self.safe}/{name}", PACKED_AT)
                    info.compress_type = method
                    out.writestr(info, (self.folder / name).read_bytes())
            partial.rename(path)
        return path

    @functools.cached_property
    def bursts(self):
        """Bursts of all subswaths and polarisations."""
        return tuple(burst for path in sorted(self.folder.glob("annotation/s1*.xml")) for burst in _bursts(self, path))


@dataclass(frozen=True)
class Burst:
    """One burst of one polarisation, as the annotation of its slice has it."""

    of: Held
    id: BurstId
    polarisation: str
    measurement: str
    index: int
    lines: int
    samples: int
    offset: int
    azimuth_time: datetime
    sensing_time: datetime
    anx_time_s: float
    area: object

    @property
    def duration(self):
        """Rounded from the raster of a TOPS burst."""
        return timedelta(seconds=3.1)

    @property
    def full(self):
        return f"{self.of.slice.relative_orbit:03d}_{self.id.number:06d}_{self.id.subswath.upper()}"

    @property
    def size(self):
        return self.lines * self.samples * 4


def _bursts(held, path):
    root = etree.parse(path).getroot()
    timing = root.find("swathTiming")
    lines, samples = int(timing.findtext("linesPerBurst")), int(timing.findtext("samplesPerBurst"))
    points = [
        (int(p.findtext("line")), float(p.findtext("longitude")), float(p.findtext("latitude")))
        for p in root.iterfind("geolocationGrid/geolocationGridPointList/geolocationGridPoint")
    ]
    for index, burst in enumerate(timing.iterfind("burstList/burst")):
        within = [p[1:] for p in points if index * lines - lines <= p[0] <= (index + 2) * lines]
        yield Burst(
            held,
            BurstId(int(burst.findtext("burstId")), root.findtext("adsHeader/swath").upper()),
            root.findtext("adsHeader/polarisation"),
            f"measurement/{path.stem}.tiff",
            index,
            lines,
            samples,
            int(burst.findtext("byteOffset")),
            _moment(burst.findtext("azimuthTime")),
            _moment(burst.findtext("sensingTime")),
            float(burst.findtext("azimuthAnxTime")),
            shapely.set_precision(MultiPoint(within).convex_hull, 1e-6),
        )


def _moment(said):
    return datetime.fromisoformat(said).replace(tzinfo=UTC)


def plain(value):
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, tuple | list) else value


def held_in(archive):
    """Products of a simulated archive, in the order of their starts."""
    return sorted((Held(p) for p in archive.rglob("*.SAFE")), key=lambda held: (held.start, held.name))
