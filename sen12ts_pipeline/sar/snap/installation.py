"""SNAP as it is installed: where its gpt lies, which version it is, and what it may use of the machine.

The version is not asked of SNAP's desktop program, which would start and look for updates, but read from the radar
toolbox's own module, a jar of the NetBeans platform, whose manifest tells it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.sar.snap.operators import Release

GPT_VARIABLE = "SEN12TS_GPT"
USUAL_PLACES = ("/opt/esa-snap", "/opt/snap", "/usr/local/esa-snap", "/usr/local/snap", "~/esa-snap", "~/snap")
"""Where the installers of SNAP 13 (``esa-snap``) and before put it."""
TIME_LIMIT_S = 120.0

_JAR = "*/modules/*op-sentinel1*.jar"
_MODULE_VERSION = re.compile(rb"^OpenIDE-Module-Specification-Version: *([\d.]+)", re.M)
_SAID = {
    "release": re.compile(r"^SNAP Release version (\S+)", re.M),
    "java": re.compile(r"^Java version: *(.+)", re.M),
    "memory": re.compile(r"^Max memory: *(.+)", re.M),
    "cache": re.compile(r"^Cache size: *(.+)", re.M),
    "threads": re.compile(r"^Tile parallelism: *(.+)", re.M),
}
"""Lines of ``gpt --diag`` (CommandLineTool.printDiagnostics)."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What a gpt is.

    Attributes
    ----------
    gpt : Path
        The program.
    release : str
        What SNAP calls itself, for example ``13.0``.
    toolbox : str
        Version of its radar toolbox, for example ``13.0.4``; empty where its module was not found.
    java, memory, cache, threads : str
        What ``gpt --diag`` says of them: what it uses when it is not told.
    """

    gpt: Path
    release: str
    toolbox: str
    java: str
    memory: str
    cache: str
    threads: str

    @property
    def version(self) -> str:
        """The toolbox's version, else what SNAP calls itself."""
        return self.toolbox or self.release

    def check(self, release: Release) -> None:
        """Refuse another release than the one that graphs are made for; ConfigurationError.

        Where the toolbox's module was not found, the line of releases is all that can be compared.
        """
        told = self.version.split(".")
        wanted = str(release).split(".")
        if told[: len(wanted)] != wanted[: len(told)] or len(told) < 2:
            where = "the radar toolbox" if self.toolbox else "SNAP"
            rule = f"{where} must be {release}, as snap.release says; install it or change the setting"
            raise ConfigurationError(str(self.gpt), "version", rule, self.version)


def find_gpt(named: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The gpt to use: the one that settings name, else that of ``SEN12TS_GPT``, of ``PATH``, of the usual places.

    Raises
    ------
    ConfigurationError
        When there is none, saying where it was looked for and how to install it.
    """
    for place in _places(named, environ):
        if place.is_file() and os.access(place, os.X_OK):
            return place
    looked = ", ".join(str(place) for place in _places(named, environ))
    rule = "must be SNAP's gpt; install SNAP as docs/snap.md says, or name its gpt by snap.gpt or SEN12TS_GPT"
    raise ConfigurationError("SNAP", "gpt", rule, f"nothing at {looked}")


def examine(gpt: Path) -> Installation:
    """What a gpt says of itself, and the version of its radar toolbox.

    Raises
    ------
    ConfigurationError
        When it does not start, or does not say what SNAP's says.
    """
    rule = "must be SNAP's, which answers to --diag"
    try:
        done = subprocess.run(  # noqa: S603 - the configured program
            [str(gpt), "--diag"], capture_output=True, text=True, timeout=TIME_LIMIT_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(str(gpt), "gpt", rule, str(error)) from None
    found = {name: match[1].strip() for name, line in _SAID.items() if (match := line.search(done.stdout))}
    if "release" not in found:
        raise ConfigurationError(str(gpt), "gpt", rule, (done.stdout + done.stderr)[:200])
    texts = {name: found.get(name, "") for name in _SAID}
    return Installation(gpt=gpt, toolbox=_toolbox_version(gpt.resolve().parent.parent), **texts)


def _places(named: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    if named is not None:
        yield named
        return
    if text := environ.get(GPT_VARIABLE):
        yield Path(text)
        return
    if on_path := shutil.which("gpt", path=environ.get("PATH", "")):
        yield Path(on_path)
    for folder in USUAL_PLACES:
        yield Path(folder).expanduser() / "bin" / "gpt"


def _toolbox_version(home: Path) -> str:
    """The newest of the toolbox's modules below an installation; updates may lie beside what they replace."""
    found = [version for jar in home.glob(_JAR) if (version := _module_version(jar))]
    return max(found, key=lambda text: tuple(int(n) for n in text.split(".")), default="")


def _module_version(jar: Path) -> str:
    try:
        with zipfile.ZipFile(jar) as archive:
            match = _MODULE_VERSION.search(archive.read("META-INF/MANIFEST.MF"))
    except (OSError, KeyError, zipfile.BadZipFile):
        return ""
    return match[1].decode().strip(".") if match else ""
