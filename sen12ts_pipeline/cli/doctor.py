"""`doctor`: what a run would find on this machine, and what to do about what is missing."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sen12ts_pipeline import __version__
from sen12ts_pipeline.errors import ConfigurationError, Sen12tsError

if TYPE_CHECKING:
    from sen12ts_pipeline.settings.model import AoiSettings, Settings
    from sen12ts_pipeline.state.quotas import ProviderState

FINE, NOTE, FAULT = "ok", "note", "fault"

PACKAGES = ("numpy", "numba", "rasterio", "pyproj", "lxml")
LEAST_MEMORY_GB = 4.0
HEAP_SHARE = 0.7
"""Java's heap in what the container may use: what lies beside the heap needs the rest."""
LEAST_FREE_GB = 20.0
GEOID_FILE = "dem/egm96/ww15mgh_b.zip"
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_GB = 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    state : str
        ``ok``; ``note`` where something is missing that may never be needed; ``fault`` where a run would fail.
    subject, found : str
        What was looked at, and what it is.
    remedy : str
        What to do; empty if nothing.
    """

    state: str
    subject: str
    found: str
    remedy: str = ""

    def lines(self) -> Iterator[str]:
        """As the command prints it."""
        yield f"{self.state:5s} {self.subject:18s} {self.found}"
        if self.remedy:
            yield f"{'':24s} {self.remedy}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    aoi: str = typer.Argument("", help="Look at this area's files alone; at all configured areas by default."),
) -> None:
    """Engine, versions, memory, quotas, SNAP, geoid grids, DEMs, disk, and what to do; status 1 if a run would fail."""
    findings = list(examine(aoi))
    for finding in findings:
        for line in finding.lines():
            typer.echo(line)
    faults = sum(f.state == FAULT for f in findings)
    typer.echo(f"\n{len(findings)} findings, {faults} faults")
    raise typer.Exit(1 if faults else 0)


def examine(aoi: str = "") -> Iterator[Finding]:
    """All findings, in the order in which they are read: the program, the machine, SNAP, the areas."""
    yield from _program()
    yield from _machine()
    settings: dict[str, Any] = {}
    yield from _attempt("settings", lambda: _settings(settings))
    snap, wanted = settings.get("snap") or {}, settings.get("engine") == "snap"
    yield from _snap(snap, wanted=wanted)
    yield from _attempt("geoid EGM96", _egm96)
    yield from _attempt("areas", lambda: _areas(aoi))


def _attempt(subject: str, look: Callable[[], Iterator[Finding]], state: str = FAULT) -> Iterator[Finding]:
    """Findings, the last of which is the error that ended the looking."""
    try:
        yield from look()
    except Sen12tsError as error:
        yield Finding(state, subject, " ".join(str(error).split()))


def _program() -> Iterator[Finding]:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    yield Finding(FINE, "program", f"sen12ts {__version__}, Python {platform.python_version()}, {versions}")


def _machine() -> Iterator[Finding]:
    limit, bound = memory_gb()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = f"{limit:.1f} GiB {bound}, {cores} processors"
    if limit < LEAST_MEMORY_GB:
        yield Finding(FAULT, "memory", found, f"give it {LEAST_MEMORY_GB:g} GiB, or set workers: 1")
    else:
        yield Finding(FINE, "memory", found)


def memory_gb() -> tuple[float, str]:
    """What this process may use, GiB, and what bounds it: the machine, or the container."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GB
    for file in CGROUP_LIMITS:
        try:
            text = Path(file).read_text("ascii").strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) / _GB < total:
            return int(text) / _GB, "by the container's limit"
    return total, "in the machine"


def _settings(into: dict[str, Any]) -> Iterator[Finding]:
    from sen12ts_pipeline.settings.load import CONFIG_VARIABLE, config_path, load_settings

    settings = load_settings()
    into.update(settings.model_dump())
    file = config_path()
    where = str(file) if file else f"the defaults: no config/pipeline.yaml here, and {CONFIG_VARIABLE} is not set"
    yield Finding(FINE, "settings", where)
    yield Finding(FINE, "engine", f"{settings.engine}, {settings.workers} workers")
    if isinstance(settings.store, Path):
        yield _room("store", settings.store)
    else:
        yield from _attempt("store", lambda: _bucket(settings))
    yield from _attempt("quotas", lambda: _quotas(settings))


def _bucket(settings: Settings) -> Iterator[Finding]:
    from sen12ts_pipeline import wiring

    wiring.store_of(settings)
    yield Finding(FINE, "store", f"{settings.store} can be listed")


def _quotas(settings: Settings) -> Iterator[Finding]:
    """What is in use of each provider's quota, by the ledger, which is not made for this; and this machine's tokens."""
    from sen12ts_pipeline import wiring

    file = settings.ledger_url.removeprefix("sqlite:///")
    if file != settings.ledger_url and not Path(file).exists():
        yield Finding(FINE, "quotas", "nothing was asked of any provider yet")
        return
    quotas, idle = wiring.quotas_of(settings), []
    try:
        states = quotas.states()
    finally:
        quotas.close()
    for state in states:
        token = _token(state.provider, settings)
        if state.is_idle and not token:
            idle.append(state.provider)
        else:
            yield _quota(state, token)
    if idle:
        yield Finding(FINE, "quotas", f"nothing in use of {', '.join(idle)}")


def _quota(state: ProviderState, token: str) -> Finding:
    found, near = f"{', '.join(use.text for use in state.uses)}{token}", [u.what for u in state.uses if u.is_near]
    if state.paused_until is not None:
        until = f"{state.paused_until:%Y-%m-%d %H:%M:%S} UTC"
        remedy = f"all workers pause until {until}: {state.reason}"
    elif near:
        remedy = f"near its limit: {' and '.join(near)}; who asks will wait, or be tried again later"
    else:
        return Finding(FINE, f"quota {state.provider}", found)
    return Finding(NOTE, f"quota {state.provider}", found, remedy)


def _token(provider: str, settings: Settings) -> str:
    """What there is to say of a token that all processes of this machine share."""
    from sen12ts_pipeline import wiring
    from sen12ts_pipeline.acquisition.tokens import SharedToken
    from sen12ts_pipeline.domain.quotas import QUOTAS

    if provider not in QUOTAS:
        return ""
    access = wiring.provider(provider, settings).access
    until = access.kept_until() if isinstance(access, SharedToken) else None
    return f", this machine's token ends {until:%Y-%m-%d %H:%M} UTC" if until else ""


def _room(subject: str, folder: Path) -> Finding:
    """Free space of the disk on which a folder lies or would be made."""
    there = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(there).free / _GB
    found = f"{folder}: {free:.0f} GiB free"
    if not os.access(there, os.W_OK):
        return Finding(FAULT, subject, f"{found}, not writable", f"make {there} writable, or name another folder")
    if free < LEAST_FREE_GB:
        return Finding(NOTE, subject, found, "a partition may need more: sen12ts plan AOI tells how much is read")
    return Finding(FINE, subject, found)


def _snap(snap: dict[str, Any], *, wanted: bool) -> Iterator[Finding]:
    """SNAP and what belongs to it; only notes where another engine is set."""
    state = FAULT if wanted else NOTE
    yield from _attempt("SNAP", lambda: _gpt(snap, state), state)
    yield from _attempt("pyroSAR", _pyrosar, NOTE)


def _gpt(snap: dict[str, Any], state: str) -> Iterator[Finding]:
    from sen12ts_pipeline.sar.snap.installation import examine as examine_gpt
    from sen12ts_pipeline.sar.snap.installation import find_gpt
    from sen12ts_pipeline.sar.snap.operators import Release

    found = examine_gpt(find_gpt(Path(snap["gpt"]) if snap.get("gpt") else None))
    text = f"{found.version} at {found.gpt}, Java {found.java}, heap {found.memory} unless it is told"
    try:
        found.check(Release.parse(str(snap.get("release") or found.version)))
    except ConfigurationError as error:
        yield Finding(state, "SNAP", text, f"{error.key} {error.rule}")
    else:
        yield Finding(FINE, "SNAP", text)
    if not found.toolbox:
        remedy = "see that its radar toolbox is installed and up to date: 13.0.4 at least"
        yield Finding(NOTE, "SNAP toolbox", "its module was not found, so its version is not known", remedy)
    yield from _heap(snap, state)
    yield _auxiliary(snap)


def _heap(snap: dict[str, Any], state: str) -> Iterator[Finding]:
    if "memory_gb" not in snap:
        return
    limit, bound = memory_gb()
    heap, most = float(snap["memory_gb"]), HEAP_SHARE * limit
    if heap > most:
        remedy = f"set snap.memory_gb to {most:.0f} at most: of {limit:.1f} GiB {bound}, Java needs a part beside it"
        yield Finding(state, "SNAP memory", f"a heap of {heap:g} GiB", remedy)
    else:
        yield Finding(FINE, "SNAP memory", f"a heap of {heap:g} of {limit:.1f} GiB {bound}")


def _auxiliary(snap: dict[str, Any]) -> Finding:
    folder = Path(snap.get("userdir") or "~/.snap").expanduser() / "auxdata"
    if (folder / GEOID_FILE).is_file():
        return Finding(FINE, "SNAP geoid", str(folder / GEOID_FILE))
    remedy = "SNAP fetches it when it is first needed; without a network put it there (docs/snap.md)"
    return Finding(NOTE, "SNAP geoid", f"no {folder / GEOID_FILE}", remedy)


def _pyrosar() -> Iterator[Finding]:
    from sen12ts_pipeline.sar.snap.bridge import Bridge, find_python

    python = find_python()
    versions = ", ".join(f"{name} {version}" for name, version in Bridge(python).versions().items())
    yield Finding(FINE, "pyroSAR", f"{python}: {versions}")


def _egm96() -> Iterator[Finding]:
    from sen12ts_pipeline.terrain.geoid import load_geoid

    geoid = load_geoid("egm96", None)
    assert geoid is not None  # noqa: S101 - a geoid has a grid
    yield Finding(FINE, "geoid EGM96", f"comes with the program, {geoid.sha256[:12]}")


def _areas(aoi: str) -> Iterator[Finding]:
    from sen12ts_pipeline.settings.load import aoi_folders, find_aoi, list_aois, load_aoi

    if aoi:
        yield from _area(find_aoi(aoi), FAULT)
        return
    files = list_aois(aoi_folders())
    if not files:
        folders = ", ".join(str(folder) for folder in aoi_folders())
        yield Finding(NOTE, "areas", f"none in {folders}", "make run AOI=<area.geojson> makes one; see README.md")
    for file in files:
        # Others' areas may lie on disks that are not here.
        yield from _attempt(f"area {file.stem}", lambda file=file: _area(load_aoi(file), NOTE), NOTE)  # type: ignore[misc]


def _area(aoi: AoiSettings, state: str) -> Iterator[Finding]:
    """Archive, orbit files, DEM, geoid and labels of an area."""
    name = f"area {aoi.name}"
    files = {"labels.path": aoi.labels.path}
    if aoi.dem.source == "file":
        files = {"dem.path": aoi.dem.path, **files}
    if str(aoi.catalogue.kind) == "archive":
        files = {"catalogue.root": aoi.catalogue.root, **files}
    if unset := [key for key, path in files.items() if path is None]:
        yield Finding(state, name, f"not set: {', '.join(unset)}", "give them in the area's file or the environment")
    if isinstance(aoi.catalogue.orbit_files, Path):
        files["catalogue.orbits"] = aoi.catalogue.orbit_files
    for key, path in files.items():
        if path is not None and key != "dem.path":
            there = path.exists()
            yield Finding(FINE if there else state, name, f"{key}: {'' if there else 'there is no '}{path}")
    if aoi.dem.source == "file" and aoi.dem.path is not None:
        yield from _attempt(name, lambda: _dem(aoi, name), state)
    if wanted := list(_fetched(aoi)):
        remedy = f"sen12ts fetch-aux {aoi.name} fetches it before a run, which else does when it needs it"
        yield Finding(FINE, name, f"fetched: {'; '.join(wanted)}", remedy)


def _fetched(aoi: AoiSettings) -> Iterator[str]:
    """What of an area is fetched, and how much of it is here."""
    from sen12ts_pipeline.acquisition.cache import cache_folder
    from sen12ts_pipeline.settings.load import load_settings

    folder = load_settings().auxiliary.folder or cache_folder()
    kinds: list[tuple[str, str, tuple[str, ...]]]
    kinds = [(aoi.dem.source, "tiles", ("*.tif", "*.hgt"))] if aoi.dem.source != "file" else []
    kinds += [("geoids", "EGM2008", ("*.tif",))] if aoi.dem.fetches_geoid else []
    kinds += [("orbits", "orbit files", ("*.EOF",))] if aoi.catalogue.orbit_files == "archive" else []
    for kind, what, patterns in kinds:
        here = sum(path.name != "sea.tif" for pattern in patterns for path in (folder / kind).glob(pattern))
        yield f"{what} of {kind} into {folder / kind}, {here} files are there"


def _dem(aoi: AoiSettings, name: str) -> Iterator[Finding]:
    from sen12ts_pipeline.terrain.dem import Dem

    path, fetched = aoi.dem.path or Path(), aoi.dem.fetches_geoid
    given = Path(aoi.dem.geoid) if aoi.dem.geoid and aoi.dem.geoid != "fetch" else None
    Dem(path, aoi.dem.vertical, given, aoi.dem.allow_egm96 or fetched).check()
    geoid = f", geoid {aoi.dem.geoid}" if aoi.dem.geoid else ""
    if aoi.dem.vertical == "egm2008" and aoi.dem.allow_egm96 and not aoi.dem.geoid:
        geoid = ", EGM96 in the place of its geoid"
    yield Finding(FINE, name, f"dem.path: {path}, heights {aoi.dem.vertical}{geoid}")
