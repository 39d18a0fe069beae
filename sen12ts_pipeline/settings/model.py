"""What may be configured: every value with its meaning, default and bounds."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from sen12ts_pipeline.domain.quotas import QUOTAS, Quota
from sen12ts_pipeline.domain.rules import Rules

BYTES_PER_GB = 1_000_000_000
AOI_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
AOI_NAME_RULE = "must begin with a letter (a to z) or a digit and go on with these, '_' or '-'"


def _no_truth_value(value: Any) -> Any:  # noqa: ANN401 - whatever the YAML file holds
    if isinstance(value, bool):
        raise ValueError("must be a number, not a truth value")
    return value


def _absolute(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base") or Path.cwd()
    return Path(os.path.normpath(base / os.path.expanduser(path)))  # noqa: PTH111 - leaves an unknown ~user alone


Whole = Annotated[int, BeforeValidator(_no_truth_value)]
Number = Annotated[float, BeforeValidator(_no_truth_value)]
FilePath = Annotated[Path, AfterValidator(_absolute)]
"""Relative paths count from the folder of the file that holds them, in the environment from the working folder."""


Masker = Literal["scl", "ukis-csmask", "omnicloudmask"]
AnyMasker = Literal["scl", "ukis-csmask", "omnicloudmask", "consensus"]

S3_SCHEME = "s3://"


def _store_place(place: object, info: ValidationInfo) -> str | Path:
    if not isinstance(place, str | Path):
        raise PydanticCustomError("path_type", "must be a path")
    return str(place) if str(place).startswith(S3_SCHEME) else _absolute(Path(place), info)


StorePlace = Annotated[str | Path, BeforeValidator(_store_place)]
"""A folder, as `FilePath`, or ``s3://bucket/prefix``."""


ORBITS = ("archive", "annotated")
GEOIDS = ("fetch",)


def _path_or(words: tuple[str, ...]) -> BeforeValidator:
    """A path, as `FilePath`, or one of some words; a file of such a name is written ``./word``."""

    def place(value: object, info: ValidationInfo) -> str | Path | None:
        if value is None or (isinstance(value, str) and value in words):
            return value
        if not isinstance(value, str | Path):
            raise PydanticCustomError("path_type", "must be a path")
        return _absolute(Path(value), info)

    return BeforeValidator(place)


class Options(BaseModel):
    """Base of all options: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class RuleSettings(Options):
    """Thresholds of the data set contract; the defaults are the paper's."""

    max_cloud_percent: Number = Field(
        default=10.0, gt=0, le=100, description="Sentinel-2 granules must stay below this cloud cover, percent."
    )
    max_gap_days: Whole = Field(
        default=3,
        ge=0,
        le=12,
        description="Largest distance between the Sentinel-2 date and the newest radar date, days.",
    )
    repeat_days: Whole = Field(
        default=12,
        ge=6,
        le=24,
        multiple_of=6,
        description="Days between the passes of a series and of an interferogram.",
    )
    repeat_tolerance_minutes: Number = Field(
        default=30.0, gt=0, le=60, description="Allowed deviation of a burst's time from the repeat, minutes."
    )
    series_length: Whole = Field(
        default=4, ge=4, le=4, description="Radar dates of a triplet; the 19 layers of the stack hold four."
    )
    mix_platforms: bool = Field(default=False, description="Whether one series may mix Sentinel-1A to D.")
    max_invalid_percent: Number = Field(
        default=1.0,
        gt=0,
        le=100,
        description="The radar and the optical mask must each have less invalid pixels, percent.",
    )
    cap_per_season: Whole = Field(default=4, ge=1, le=20, description="Most triplets of one tile in one season.")
    search_days_before: Whole = Field(
        default=51, ge=0, le=200, description="How far before a season radar passes are searched, days."
    )
    search_days_after: Whole = Field(
        default=3, ge=0, le=60, description="How far after a season radar passes are searched, days."
    )

    @field_validator("search_days_before")
    @classmethod
    def _holds_a_series(cls, days: int, info: ValidationInfo) -> int:
        if {"repeat_days", "series_length", "max_gap_days"} <= info.data.keys():
            series, gap = info.data["repeat_days"] * info.data["series_length"], info.data["max_gap_days"]
            if days < series + gap:
                raise ValueError(f"must be at least {series + gap}: a series of {series} days and a gap of {gap}")
        return days

    @field_validator("search_days_after")
    @classmethod
    def _holds_the_gap(cls, days: int, info: ValidationInfo) -> int:
        if days < info.data.get("max_gap_days", 0):
            raise ValueError(f"must be at least max_gap_days, {info.data['max_gap_days']}")
        return days

    def to_rules(self, budget_gb: float = 320.0) -> Rules:
        """Thresholds as the domain takes them, with the size budget of an area."""
        return Rules(**self.model_dump(), budget_bytes=round(budget_gb * BYTES_PER_GB))


class RadarSettings(Options):
    """Choices of the native engine; the defaults make the data set of the contract."""

    esd: bool = Field(
        default=False,
        description="Whether a pair's azimuth misregistration is estimated in the overlaps of its bursts (enhanced "
        "spectral diversity) and corrected where it is significant.",
    )
    doppler_range_shift: bool = Field(
        default=False,
        description="Whether samples are looked for where a chirp with Doppler is focused, up to 0.5 m off in range; "
        "the sign is not settled on real data.",
    )
    fm_mismatch: bool = Field(
        default=False,
        description="Whether samples are looked for where focusing at another height than the target's puts them, up "
        "to 2 m off in azimuth; the sign is not settled on real data.",
    )
    mask_margin_pixels: Whole = Field(
        default=0, ge=0, le=10, description="Pixels of 10 m by which layover and shadow are grown in the radar mask."
    )


class SnapSettings(Options):
    """Choices of the SNAP engine, and what it may use; `docs/snap.md` says how to install SNAP."""

    gpt: FilePath | None = Field(
        default=None,
        description="SNAP's program `gpt`; without it the one of `SEN12TS_GPT`, of `PATH`, or of the usual places.",
    )
    release: str = Field(
        default="13.0.4",
        pattern=r"^1[34]\.\d+\.\d+$",
        description="Release of SNAP's radar toolbox that must be there: 13.0.4 or later 13.0, or 14.0; part of the "
        "engine's identity.",
    )
    userdir: FilePath | None = Field(
        default=None, description="Folder with SNAP's auxiliary data; `~/.snap` where none is given."
    )
    scratch: FilePath | None = Field(
        default=None, description="Folder of intermediate products; without one, `<store>/_work/snap`."
    )
    keep_gb: Number = Field(
        default=40.0, gt=0, le=100_000, description="Most that intermediate products may take, 10^9 bytes."
    )
    memory_gb: Number = Field(default=16.0, ge=1, le=4096, description="Memory that one gpt may use, GiB.")
    cache_gb: Number = Field(default=5.0, gt=0, le=1024, description="Of it, the cache of tiles, GiB; a third at most.")
    threads: Whole = Field(default=8, ge=1, le=1024, description="Threads of one gpt.")
    time_limit_minutes: Number = Field(default=240.0, gt=0, le=10_000, description="Longest run of one graph, minutes.")
    quantity: Literal["gamma0", "sigma0"] = Field(
        default="gamma0", description="What backscatter is normalised to: the data set's gamma nought, or sigma nought."
    )
    esd: bool = Field(
        default=False, description="Whether a pair's azimuth misregistration is estimated by SNAP and corrected."
    )

    @field_validator("cache_gb")
    @classmethod
    def _leaves_room(cls, cache: float, info: ValidationInfo) -> float:
        if "memory_gb" in info.data and cache > info.data["memory_gb"] / 3:
            raise ValueError(f"must be at most {info.data['memory_gb'] / 3:.3g}, a third of memory_gb")
        return cache


class CloudSettings(Options):
    """Parameters of the cloud maskers; `docs/optical.md` compares them."""

    invalid_classes: tuple[Annotated[Whole, Field(ge=0, le=11)], ...] = Field(
        default=(0, 3, 8, 9, 10),
        min_length=1,
        description="`scl`: scene classes that are invalid (0 no data, 1 saturated, 2 dark, 3 cloud shadow, "
        "7 unclassified, 8 and 9 cloud, 10 thin cirrus, 11 snow).",
        json_schema_extra={"default_text": "0, 3, 8, 9, 10"},
    )
    dilation_m: Whole = Field(
        default=0, ge=0, le=2000, description="Distance by which cloud and shadow grow, whatever the masker, metres."
    )
    csmask_bands: Literal[4, 6] = Field(
        default=6, description="`ukis-csmask`: 4 (blue, green, red, near infrared), or 6 with short-wave infrared."
    )
    weights: dict[FilePath, str] = Field(
        default_factory=dict,
        description="`omnicloudmask`: files of weights, each with its SHA-256; none are fetched.",
        json_schema_extra={"default_text": "none"},
    )
    members: tuple[Masker, ...] = Field(
        default=("scl", "ukis-csmask"),
        min_length=2,
        description="`consensus`: the maskers that vote.",
        json_schema_extra={"default_text": "`scl` and `ukis-csmask`"},
    )
    votes: Whole = Field(
        default=1, ge=1, description="`consensus`: how many of them must call a pixel cloud or shadow to make it so."
    )

    @field_validator("votes")
    @classmethod
    def _can_be_had(cls, votes: int, info: ValidationInfo) -> int:
        if votes > len(info.data.get("members", ())):
            raise ValueError("must be at most the number of members")
        return votes


class S3Settings(Options):
    """How the server of a store in a bucket is spoken to; credentials are boto3's own (`AWS_*`, profile, role)."""

    endpoint: str = Field(
        default="", description="URL of the server; empty: `AWS_ENDPOINT_URL` of boto3, else Amazon's."
    )
    region: str = Field(default="", description="Region; empty: `AWS_DEFAULT_REGION` of boto3.")
    addressing: Literal["auto", "path", "virtual"] = Field(
        default="auto",
        description="`path` puts the bucket into the path of a URL, as most servers but Amazon's want it, `virtual` "
        "into the host.",
    )
    checksums: Literal["when_supported", "when_required"] = Field(
        default="when_supported",
        description="`when_required` for servers that do not know the checksum headers of newer clients.",
    )
    conditional_writes: bool | None = Field(
        default=None,
        description="Whether the server keeps `If-None-Match`; without a value it is found out. All writers of a store "
        "must go by the same.",
    )
    encryption: Literal["bucket", "AES256", "aws:kms", "aws:kms:dsse"] = Field(
        default="bucket",
        description="Encryption at rest that each write asks for; `bucket` leaves it to the bucket's own setting.",
    )
    kms_key: str = Field(default="", description="Key of `aws:kms`; empty: the account's default key.")


class AcquisitionSettings(Options):
    """How products of live archives are fetched (docs/acquisition.md); not used where `catalogue.root` is set."""

    mode: Literal["bursts", "product"] = Field(
        default="bursts",
        description="What is fetched: of a radar product the bursts that are needed and of an optical one the images "
        "that are needed, or whole products, where an archive has them as zips.",
    )
    providers: tuple[str, ...] = Field(
        default=(),
        description="Archives that products are fetched from, in the order in which they are asked; without any, those "
        "that the area's catalogue searches.",
    )
    cache: FilePath | None = Field(
        default=None,
        description="Folder of what is fetched or unpacked; `SEN12TS_SPOOL` goes over it. Without one, `sen12ts/spool` "
        "in the user's cache.",
    )
    cache_gb: Number = Field(
        default=20.0,
        gt=0,
        le=1_000_000,
        description="Most that parts of products and single files may take in it, 10^9 bytes; `SEN12TS_SPOOL_GB` goes "
        "over it.",
    )
    products_gb: Number = Field(
        default=100.0, gt=0, le=1_000_000, description="Most that whole products may take in it besides, 10^9 bytes."
    )


class AuxiliarySettings(Options):
    """What a run needs besides products and is fetched: orbit files, elevations, the geoid, maps."""

    folder: FilePath | None = Field(
        default=None,
        description="Folder in which it is kept, for all areas and runs; nothing is ever removed from it.",
        json_schema_extra={"default_text": "that of `SEN12TS_CACHE`, else `sen12ts/auxiliary` in the user's cache"},
    )
    urls: dict[
        Literal[
            "orbits",
            "cdse_catalogue",
            "cdse_download",
            "glo30",
            "srtmgl1",
            "egm2008",
            "worldcover",
            "cdl",
            "parcels",
        ],
        str,
    ] = Field(
        default_factory=dict,
        description="Addresses of mirrors, by what they serve: `orbits`, `cdse_catalogue`, `cdse_download`, `glo30`, "
        "`srtmgl1`, `egm2008`, `worldcover`, `cdl`, `parcels`.",
        json_schema_extra={"default_text": "the usual ones (docs/auxiliary.md)"},
    )


class QuotaSettings(Options):
    """What all workers together may ask of a provider, where it is not what its general users may."""

    connections: Whole | None = Field(
        default=None, ge=1, le=1000, description="Requests at one time; without a value, the provider's usual number."
    )
    requests_per_minute: Whole | None = Field(
        default=None, ge=1, le=1_000_000, description="Requests that begin in any minute; likewise."
    )
    gb_per_30_days: Number | None = Field(
        default=None, ge=1, le=10_000_000, description="Volume of any 30 days, 10^9 bytes; likewise."
    )

    def over(self, usual: Quota) -> Quota:
        """The usual quota with what is set here instead."""
        volume = None if self.gb_per_30_days is None else round(self.gb_per_30_days * BYTES_PER_GB)
        return replace(
            usual,
            connections=self.connections or usual.connections,
            requests_per_minute=self.requests_per_minute or usual.requests_per_minute,
            bytes_per_30_days=volume or usual.bytes_per_30_days,
        )


class AlertSettings(Options):
    """When somebody should look (docs/dashboard.md)."""

    silent_hours: Number = Field(
        default=6.0, gt=0, le=1000, description="A partition in work of which nothing was heard for this long is stuck."
    )
    failed_percent: Number = Field(
        default=5.0, gt=0, le=100, description="Share of failed triplets, of those of a partition that were tried."
    )
    quota_percent: Number = Field(
        default=90.0, gt=0, le=100, description="Share of a provider's volume of 30 days that is used."
    )
    store_percent: Number = Field(
        default=90.0, gt=0, le=100, description="Share of the disk of a store in a folder that is used."
    )
    budget_percent: Number = Field(
        default=95.0, gt=0, le=100, description="Share of the size budget that is used of an area which is in work."
    )


class Settings(Options):
    """Settings of the pipeline, the same for all areas."""

    store: StorePlace = Field(
        default_factory=lambda: Path("data/store").absolute(),
        description="Folder of the data set, its artifacts and reports, or `s3://bucket/prefix`.",
        json_schema_extra={"default_text": "`data/store` in the working folder"},
    )
    ledger: str | None = Field(
        default=None,
        min_length=1,
        description="Database URL of the ledger; without one, SQLite in `<store>/_work/ledger.sqlite`. "
        "PostgreSQL: `postgresql+psycopg://user:password@host/name`.",
    )
    engine: Literal["native", "snap"] = Field(
        default="native", description="What makes the radar layers: this program alone, or SNAP's operators."
    )
    radar: RadarSettings = Field(
        default_factory=RadarSettings,
        description="Choices of the native engine; the defaults make the data set of the contract.",
    )
    snap: SnapSettings = Field(
        default_factory=SnapSettings,
        description="Choices of the SNAP engine, and what it may use; `docs/snap.md` says how to install SNAP.",
    )
    masker: AnyMasker = Field(
        default="scl",
        description="What tells cloud and cloud shadow: the product's own scene classification; the networks of "
        "ukis-csmask (extra `cloudmask`) or OmniCloudMask (extra `omnicloudmask`); or the votes of several.",
    )
    clouds: CloudSettings = Field(
        default_factory=CloudSettings, description="Parameters of the cloud maskers; `docs/optical.md` compares them."
    )
    profile: Literal["cog", "compat"] = Field(
        default="cog",
        description="Layout of the files: `cog` is tiled with ZSTD and predictor, `compat` has uncompressed strips as "
        "the published data set.",
    )
    tile_order: Literal["random", "burst"] = Field(
        default="random",
        description="Order in which tiles use up the size budget: seeded `random` order, as the paper's, or `burst` by "
        "burst, for which far fewer bytes are read.",
    )
    seed: Whole = Field(default=7, ge=0, le=2**32 - 1, description="Seed of the tiles' random order.")
    workers: Whole = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=1024,
        description="Threads or processes of one task; the results do not depend on it.",
        json_schema_extra={"default_text": "the number of processors"},
    )
    acquisition: AcquisitionSettings = Field(
        default_factory=AcquisitionSettings, description="How products of live archives are fetched."
    )
    isolate: bool = Field(
        default=False,
        description="Whether the DAG's shards are done in child processes, so that a product whose reading ends the "
        "process is quarantined. For workers that run a task in a process of its own, as Celery's do.",
    )
    rules: RuleSettings = Field(default_factory=RuleSettings, description="Thresholds of the data set contract.")
    s3: S3Settings = Field(default_factory=S3Settings, description="How a store in a bucket is spoken to.")
    auxiliary: AuxiliarySettings = Field(
        default_factory=AuxiliarySettings, description="What is fetched besides products, and where it is kept."
    )
    quotas: dict[Literal["asf", "aws", "cdse", "earth_search", "planetary_computer"], QuotaSettings] = Field(
        default_factory=dict,
        description="Quotas that differ from those of a provider's general users, by provider: "
        "`cdse: {connections: 20}` (docs/acquisition-quotas.md).",
        json_schema_extra={"default_text": "none"},
    )

    alerts: AlertSettings = Field(
        default_factory=AlertSettings, description="Above which numbers the dashboard and its alerts call for a person."
    )

    @field_validator("ledger")
    @classmethod
    def _set_for_a_bucket(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None and isinstance(info.data.get("store"), str):
            raise ValueError("must be set for a store in a bucket, which cannot hold the ledger's file")
        return url

    def quota_of(self, provider: str) -> Quota:
        """Quota of a provider, with what is set; KeyError if there is none of that name."""
        changed = {str(name): chosen for name, chosen in self.quotas.items()}
        return changed.get(provider, QuotaSettings()).over(QUOTAS[provider])

    @property
    def ledger_url(self) -> str:
        """Database URL of the ledger, derived from the store where none is set."""
        return self.ledger or f"sqlite:///{Path(self.store) / '_work' / 'ledger.sqlite'}"


class CatalogueSettings(Options):
    """Where an area's products come from."""

    kind: Literal[
        "archive",
        "cdse",
        "cdse_odata",
        "cdse_stac",
        "asf",
        "earth_search",
        "planetary_computer",
        "dhus",
        "chain",
    ] = Field(
        default="archive",
        description="Where products are looked for: in the folder `root` itself, or in a live archive "
        "(docs/catalogues.md), from which they are fetched unless `root` is set (docs/acquisition.md).",
    )
    chain: tuple[str, ...] = Field(
        default=(), description="For kind `chain`: archives in the order in which they are asked."
    )
    urls: dict[str, str] = Field(
        default_factory=dict,
        description="Addresses of archives that differ from the usual ones, by archive; `dhus` needs one.",
        json_schema_extra={"default_text": "none"},
    )
    root: FilePath | None = Field(
        default=None,
        description="Folder of Sentinel products, as SAFE folders or zips; needed for kind `archive`. Where it is set "
        "beside a live archive, what that finds must lie here by the time it is read, and nothing is fetched.",
    )
    orbits: Annotated[str | Path | None, _path_or(ORBITS)] = Field(
        default=None,
        description="Folder of orbit files (`.EOF`, `.EOF.zip`), precise or restituted; or `archive`: they are fetched "
        "when they are needed (docs/auxiliary.md); or `annotated`: none are used. A slice that no file serves keeps "
        "the orbit of its own annotation.",
        json_schema_extra={"default_text": "`annotated` for kind `archive`, else `archive`"},
    )
    restituted: bool = Field(
        default=False,
        description="Whether slices that are too young for a precise orbit take a restituted one that can be fetched.",
    )

    @property
    def orbit_files(self) -> str | Path:
        """Where orbit files come from: a folder, ``archive`` or ``annotated``."""
        return self.orbits or ("annotated" if self.kind == "archive" else "archive")


class DemSettings(Options):
    """The elevation model."""

    source: Literal["file", "glo30", "srtmgl1"] = Field(
        default="file",
        description="Where it comes from: the file `path`, or fetched by tiles: Copernicus GLO-30, or SRTMGL1, which "
        "needs an Earthdata login (docs/auxiliary.md).",
    )
    path: FilePath | None = Field(
        default=None,
        description="Raster of elevations, metres (a GeoTIFF or a GDAL VRT); for source `file`, needed before anything "
        "can be made.",
    )
    vertical: Literal["ellipsoidal", "egm96", "egm2008"] = Field(
        default="egm2008",
        description="What the heights of `path` count from: the ellipsoid, or a geoid (Copernicus GLO-30: `egm2008`, "
        "SRTM: `egm96`). Of what is fetched it is known.",
    )
    geoid: Annotated[str | Path | None, _path_or(GEOIDS)] = Field(
        default=None,
        description="Raster of that geoid's undulation, metres, needed for `egm2008`; `fetch`: it is fetched (80 MB). "
        "EGM96 comes with the program.",
        json_schema_extra={"default_text": "`fetch` for source `glo30`, else none"},
    )
    allow_egm96: bool = Field(
        default=False,
        description="Whether EGM96 stands in for EGM2008 where no grid of it is given or fetched: mostly decimetres, "
        "in places metres off. Recipes and provenance say so.",
    )

    @property
    def datum(self) -> str:
        """What heights count from: of what is fetched, whatever `vertical` says."""
        return {"glo30": "egm2008", "srtmgl1": "egm96"}.get(self.source, self.vertical)

    @property
    def is_fetched(self) -> bool:
        """Whether anything of it comes from elsewhere."""
        return self.source != "file" or self.fetches_geoid

    @property
    def fetches_geoid(self) -> bool:
        """Whether the grid of EGM2008 is fetched."""
        wanted = self.geoid == "fetch" or (self.geoid is None and self.source == "glo30" and not self.allow_egm96)
        return wanted and self.datum == "egm2008"


class OpticalSettings(Options):
    """Which granules serve a tile."""

    other_zones: bool = Field(
        default=False,
        description="Whether, on a date on which no granule of a tile's own UTM zone contains it, one of a "
        "neighbouring zone is warped (docs/optical.md).",
    )


class LabelSettings(Options):
    """The land-cover map."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_]*$",
        max_length=60,
        description="Name of the source: `cdl_2020`, `worldcover_2020_v100`, `dun_2020`. Of a `raster` without "
        "`classes` its beginning tells the class table: `cdl`, `worldcover`, `sigpac`.",
    )
    source: Literal["raster", "worldcover", "cdl", "parcels", "vector"] = Field(
        default="raster",
        description="What kind of map it is: ESA `worldcover`, the USDA's `cdl`, Catalonia's declared `parcels` (DUN), "
        "or a `raster` or polygons (`vector`) of your own (docs/labels.md).",
    )
    path: FilePath | None = Field(
        default=None,
        description="A raster, a folder of rasters, or a file of polygons; without one, `worldcover`, `cdl` and "
        "`parcels` are fetched by their `name`, and the others are refused.",
    )
    layer: str = Field(default="", description="Layer of a file of polygons that has several.")
    column: str = Field(
        default="",
        description="Column of the class in a file of polygons; of `parcels` `cultiu`, if none is given.",
    )
    classes: FilePath | None = Field(
        default=None,
        description="CSV file `code,name,color` of your own classes: names of a `vector` need it; for `parcels` it "
        "adds names to the delivered ones.",
    )
    year: Whole | None = Field(
        default=None,
        ge=1900,
        le=2100,
        description="Year that the map describes, where its files do not tell it.",
    )
    allow_other_year: bool = Field(
        default=False, description="Whether the map may be of another year than the imagery; it is recorded then."
    )

    @property
    def is_fetched(self) -> bool:
        """Whether it is a published map of which no file is given."""
        return self.path is None and self.source in ("worldcover", "cdl", "parcels")

    @field_validator("column")
    @classmethod
    def _given_for_a_vector(cls, column: str, info: ValidationInfo) -> str:
        if not column and info.data.get("source") == "vector":
            raise ValueError("must be given for a vector: the column of the class")
        return column


class AoiSettings(Options):
    """Settings of one area of interest."""

    name: str = Field(
        pattern=AOI_NAME,
        max_length=60,
        description="Name of the area: of its settings file, its folder in the store and its DAG.",
    )
    description: str = Field(default="", description="What the area is, in a sentence.")
    boundary: FilePath = Field(description="GeoJSON file of the area, longitude and latitude in degrees.")
    year: Whole = Field(ge=2015, le=2100, description="Year of the data set; four partitions, one a season.")
    budget_gb: Number = Field(
        default=320.0,
        gt=0,
        le=1_000_000,
        description="Raw size of the year's triplets, 10^9 bytes; a quarter is spent per season.",
    )
    masker: AnyMasker | None = Field(
        default=None, description="What tells cloud and cloud shadow here, where it is not the pipeline's `masker`."
    )
    catalogue: CatalogueSettings = Field(default_factory=CatalogueSettings, description="Where the products come from.")
    optical: OpticalSettings = Field(default_factory=OpticalSettings, description="Which granules serve a tile.")
    dem: DemSettings = Field(default_factory=DemSettings, description="The elevation model.")
    labels: LabelSettings = Field(description="The land-cover map.")


__all__ = [
    "AOI_NAME",
    "AOI_NAME_RULE",
    "AcquisitionSettings",
    "AoiSettings",
    "AuxiliarySettings",
    "CatalogueSettings",
    "CloudSettings",
    "DemSettings",
    "LabelSettings",
    "OpticalSettings",
    "QuotaSettings",
    "RadarSettings",
    "RuleSettings",
    "Settings",
    "SnapSettings",
]
