"""The variables of `make run` and what they ask for; whatever is wrong with them is said before anything starts."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.environment import DEFAULT_STORE, DEMO, State, pipeline_environment
from sen12ts_pipeline.domain.seasons import Partition, Season
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.settings.load import adhoc_aoi, aoi_folders, find_aoi, list_aois, load_settings, write_aoi
from sen12ts_pipeline.settings.model import AoiSettings

VARIABLES = {
    "ARCHIVE": "folder of Sentinel-1 IW SLC and Sentinel-2 L2A products, as SAFE folders or zips",
    "AOI": "GeoJSON file whose name names the area, or the name of an area of config/aois",
    "YEAR": "year of the season and of the labels",
    "SEASON": "winter, spring, summer or fall",
    "DEM": "elevation model, a GeoTIFF or VRT, metres",
    "DEM_VERTICAL": "what its heights count from: ellipsoidal, egm96 or egm2008",
    "GEOID": "undulation grid of that geoid, metres; needed for egm2008",
    "LABELS": "land-cover map: a GeoTIFF, a folder of them, or a file of polygons (GeoPackage, Shapefile, ...)",
    "LABEL_SOURCE": "worldcover, cdl, parcels, raster or vector (default: raster or vector, by the file)",
    "LABEL_COLUMN": "column of the class in a file of polygons",
    "LABEL_CLASSES": "class table of LABELS, a CSV file with the columns code,name,color",
    "LABEL_OTHER_YEAR": "yes: the map may describe another year than YEAR; it is recorded",
    "STORE": "folder of the data set (default: data/store)",
    "MASK": "cloud masker (default: the area's, else scl)",
}
DEMO_AOI, DEMO_SEASON = "demo", Season.FALL
_FILES = ("ARCHIVE", "DEM", "LABELS", "GEOID", "LABEL_CLASSES")
_OF_A_FILE = ("ARCHIVE", "YEAR", "SEASON", "DEM", "DEM_VERTICAL", "LABELS")
_OF_LABELS = ("LABEL_SOURCE", "LABEL_COLUMN", "LABEL_CLASSES", "LABEL_OTHER_YEAR")
_ONLY_OF_A_FILE = ("ARCHIVE", "DEM", "DEM_VERTICAL", "GEOID", "LABELS", *_OF_LABELS)
_OF_THE_MAKEFILE = ("PYTHON",)
_POLYGONS = (".gpkg", ".shp", ".geojson", ".json", ".fgb", ".parquet", ".geoparquet")
_SOURCES = ("worldcover", "cdl", "parcels", "raster", "vector")
_VERTICALS = ("ellipsoidal", "egm96", "egm2008")


class WrongVariables(Exception):
    """Says what is wrong, a line for each variable."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to run.

    Attributes
    ----------
    partition : Partition
        What to make.
    state : State
        Store, and where the embedded Airflow keeps its things.
    environment : mapping
        Variables through which the pipeline finds its settings.
    demo : bool
        Whether the simulated archive is needed.
    """

    partition: Partition
    state: State
    environment: Mapping[str, str]
    demo: bool


def read_variables(environ: Mapping[str, str], given: str = "") -> dict[str, str]:
    """Variables that have a value.

    Parameters
    ----------
    environ : mapping
        The environment, to which make exports them.
    given : str
        Names of all variables on make's command line, to find those that are misspelt.
    """
    errors = []
    for name in given.split():
        if name not in VARIABLES and name not in _OF_THE_MAKEFILE:
            near = difflib.get_close_matches(name, VARIABLES, n=1)
            errors.append(f"{name}: is no variable of make run" + (f"; did you mean {near[0]}?" if near else ""))
    if errors:
        raise WrongVariables("\n".join([*errors, f"the variables are {', '.join(VARIABLES)}"]))
    return {name: environ[name].strip() for name in VARIABLES if environ.get(name, "").strip()}


def plan(variables: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> Job:
    """What the variables ask for; settings of an area that was given as a file are written for its DAG.

    Raises
    ------
    WrongVariables
        When one is missing, wrong, or names a file that is not there.
    """
    state = State.of(Path(variables.get("STORE") or DEFAULT_STORE))
    errors = list(_errors(variables))
    if errors:
        raise WrongVariables("\n".join(errors))
    environment = pipeline_environment(state, environ)
    if "MASK" in variables:
        environment["SEN12TS__MASKER"] = variables["MASK"]
        if not _is_file(variables):
            area = variables.get("AOI", DEMO_AOI).upper().replace("-", "_")
            environment[f"SEN12TS__AOI__{area}__MASKER"] = variables["MASK"]
    try:
        load_settings(environ={**environ, **environment})
        if _is_file(variables):
            aoi, environment = _area_of_file(variables, state, environment)
        else:
            aoi = find_aoi(variables.get("AOI", DEMO_AOI), {**environ, **environment})
    except ConfigurationError as error:
        raise WrongVariables(str(error).replace("SEN12TS__MASKER: masker", "MASK")) from error
    season = Season(variables.get("SEASON", DEMO_SEASON))
    partition = Partition(aoi.name, int(variables.get("YEAR", aoi.year)), season)
    demo = aoi.catalogue.root == DEMO / "archive"
    return Job(partition, state, environment, demo)


def _is_file(variables: Mapping[str, str]) -> bool:
    """Whether the area is given as a file, with all that belongs to it, not by the name of its settings."""
    return any(name in variables for name in _ONLY_OF_A_FILE) or not _is_name(variables.get("AOI", DEMO_AOI))


def _is_name(aoi: str) -> bool:
    return os.sep not in aoi and not aoi.lower().endswith(("json", ".yaml", ".yml")) and not Path(aoi).is_file()


def _errors(variables: Mapping[str, str]) -> list[str]:
    """What is wrong with the variables, a line each."""
    errors = []
    if _is_file(variables):
        if missing := [name for name in ("AOI", *_OF_A_FILE) if name not in variables]:
            errors += [f"{name}: must be given too: {VARIABLES[name]}" for name in missing]
        if variables.get("DEM_VERTICAL") == "egm2008" and "GEOID" not in variables:
            errors.append(f"GEOID: must be given when DEM_VERTICAL is egm2008: {VARIABLES['GEOID']}")
        is_vector = _label_source(variables) == "vector" and Path(variables.get("LABELS", "")).is_file()
        if is_vector and "LABEL_COLUMN" not in variables:
            errors.append(f"LABEL_COLUMN: must be given when LABELS are polygons: {VARIABLES['LABEL_COLUMN']}")
        if "AOI" in variables and not Path(variables["AOI"]).is_file():
            errors.append(f"AOI: must be an existing GeoJSON file; got {variables['AOI']!r}")
    elif "AOI" in variables and "SEASON" not in variables and variables["AOI"] != DEMO_AOI:
        errors.append(f"SEASON: must be given too: {VARIABLES['SEASON']}")
    for name in _FILES:
        if name in variables and not _is_there(name, Path(variables[name])):
            kind = {"ARCHIVE": "folder", "LABELS": "file or folder"}.get(name, "file")
            errors.append(f"{name}: must be an existing, readable {kind}; got {variables[name]!r}")
    errors += _wrong_words(variables)
    if "STORE" in variables and Path(variables["STORE"]).exists() and not Path(variables["STORE"]).is_dir():
        errors.append(f"STORE: must be a folder; got {variables['STORE']!r}, which is a file")
    return errors


def _wrong_words(variables: Mapping[str, str]) -> list[str]:
    errors = []
    words_of = {
        "SEASON": tuple(Season),
        "DEM_VERTICAL": _VERTICALS,
        "LABEL_SOURCE": _SOURCES,
        "LABEL_OTHER_YEAR": ("yes", "no"),
    }
    for name, words in words_of.items():
        if name in variables and variables[name] not in words:
            errors.append(f"{name}: must be one of {', '.join(words)}; got {variables[name]!r}")
    year = variables.get("YEAR", "2023")
    if not re.fullmatch(r"\d{4}", year, re.ASCII) or not 2015 <= int(year) <= 2100:
        errors.append(f"YEAR: must be a year from 2015 to 2100; got {year!r}")
    return errors


def _is_there(name: str, path: Path) -> bool:
    is_there = {"ARCHIVE": path.is_dir, "LABELS": path.exists}.get(name, path.is_file)
    return is_there() and os.access(path, os.R_OK)


def _area_of_file(
    variables: Mapping[str, str], state: State, environment: Mapping[str, str]
) -> tuple[AoiSettings, dict[str, str]]:
    """Settings of an area that is given as a file, written where its DAG is made from.

    They lie alone beside a link to the pipeline's settings, so that a configured area of the same name is not in the
    way.
    """
    from sen12ts_pipeline.settings.boundary import read_boundary

    labels = Path(variables["LABELS"]).absolute()
    dem = {"path": str(Path(variables["DEM"]).absolute()), "vertical": variables["DEM_VERTICAL"]}
    if "GEOID" in variables:
        dem["geoid"] = str(Path(variables["GEOID"]).absolute())
    aoi = adhoc_aoi(
        Path(variables["AOI"]),
        description=f"Area of {Path(variables['AOI']).absolute()}",
        year=int(variables["YEAR"]),
        catalogue={"kind": "archive", "root": str(Path(variables["ARCHIVE"]).absolute())},
        dem=dem,
        labels=_labels(variables, labels),
    )
    read_boundary(aoi)
    folder = state.adhoc / aoi.name
    write_aoi(aoi, folder / "aois")
    link = folder / "pipeline.yaml"
    link.unlink(missing_ok=True)
    link.symlink_to(environment["SEN12TS_CONFIG"])
    return aoi, {**environment, "SEN12TS_CONFIG": str(link), "SEN12TS_AOIS": ""}


def _labels(variables: Mapping[str, str], path: Path) -> dict[str, object]:
    """Settings of the labels."""
    settings: dict[str, object] = {
        "name": _label_name(path),
        "source": _label_source(variables),
        "path": str(path),
        "column": variables.get("LABEL_COLUMN", ""),
        "allow_other_year": variables.get("LABEL_OTHER_YEAR") == "yes",
    }
    if "LABEL_CLASSES" in variables:
        settings["classes"] = str(Path(variables["LABEL_CLASSES"]).absolute())
    return settings


def _label_source(variables: Mapping[str, str]) -> str:
    """What kind of map the labels are: as told, else by the file's name."""
    guess = "vector" if Path(variables.get("LABELS", "")).suffix.lower() in _POLYGONS else "raster"
    return variables.get("LABEL_SOURCE", guess)


def _label_name(labels: Path) -> str:
    """Name of a label source, from its file's name."""
    return re.sub(r"[^a-z0-9_]+", "_", labels.stem.lower()).strip("_")[:60] or "labels"


def adhoc_folder(state: State, environ: Mapping[str, str]) -> Path:
    """Folder of those areas given as files whose names no configured area has; made anew at each call."""
    configured = {path.stem for path in list_aois(aoi_folders(environ))}
    folder = state.folder / "aois"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.yaml"):
        old.unlink()
    for file in sorted(state.adhoc.glob("*/aois/*.yaml")):
        if file.stem not in configured:
            (folder / file.name).symlink_to(file)
    return folder
