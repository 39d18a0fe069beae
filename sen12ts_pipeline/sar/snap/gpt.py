"""Runs graphs by SNAP's ``gpt``, a program that hangs, dies of memory, and ends well without having done its work.

So nothing is believed that was not looked at: exit status, log and the bands written, in this order. What is written
lies in a folder beside its place and is moved there only when it was found whole.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sen12ts_pipeline.errors import ConfigurationError, EngineFailure, Retryable
from sen12ts_pipeline.sar.snap import dimap
from sen12ts_pipeline.sar.snap.graph import Graph

log = logging.getLogger(__name__)

POLL_S = 0.2
GRACE_S = 3.0
"""Between asking a process to end and ending it; Airflow gives a task that is to end 5 s."""

_PERCENT = re.compile(rb"(\d{1,3})%")
_FAULT = re.compile(
    r"Exception|^SEVERE|OutOfMemoryError|no valid output was produced|Unable to get elevation model|ignoring error",
    re.M,
)
"""What SNAP says when it goes on without having done its work, and ends with status 0."""
_TOLD = re.compile(r"^Error: .*|^.*OutOfMemoryError.*|^SEVERE: .*|^.*Exception.*", re.M)
_FULL_DISK = re.compile(r"No space left on device|Disk quota exceeded")
_OUT_OF_MEMORY = re.compile(r"OutOfMemoryError|insufficient memory for the Java Runtime Environment")
_KILLED = {-signal.SIGKILL, 128 + signal.SIGKILL}
"""Exit status of what the kernel ended for its memory: of the process itself, or as a shell or a container tells it."""

_NOT_STARTED = {126, 127}
"""Exit status of a shell whose program, or its Java, is not there or no program."""

_PART = ".part"

_GUARDED = """
exec 3<&0
"$@" 3<&- &
gpt=$!
(read -r _ <&3; kill -KILL 0) &
guard=$!
wait $gpt; status=$?
kill $guard; wait $guard 2>/dev/null
exit $status
"""
"""Runs a program, and kills the whole group when its standard input ends: when this process dies without a word."""


class Starved(Retryable):
    """A run that a second one with less cache and fewer threads may survive."""


@dataclass(frozen=True)
class Gpt:
    """SNAP's graph processor and what one run of it may use.

    Attributes
    ----------
    program : Path
        ``gpt`` of a SNAP installation.
    memory_gb, cache_gb : float
        Java's heap and the part of it that caches tiles, at most a third; 2**30 bytes.
    threads : int
        Of one run.
    time_limit_s : float
        After which a run is ended.
    userdir : Path or None
        Its folders ``auxdata`` (orbits, DEM, geoid) and ``etc`` are offered to every run, each of which has a user
        folder of its own: runs that share one overwrite each other's files.
    start_limit_s, end_limit_s : float
        How long gpt may be silent at first, and how long it may go on after it has said 100 %.
    """

    program: Path
    memory_gb: float
    cache_gb: float
    threads: int
    time_limit_s: float
    userdir: Path | None = None
    start_limit_s: float = 300.0
    end_limit_s: float = 300.0

    def run(self, graph: Graph, work: Path, cancelled: Callable[[], bool]) -> None:
        """Run a graph; its outputs are there and whole afterwards, or none of them is.

        Memory that gives out and a start or an end that hangs cost a second try, with half of the cache and of the
        threads; nothing else does.

        Parameters
        ----------
        graph : Graph
            What to do.
        work : Path
            Folder of this run alone: graph, logs ``NAME-1.log`` and ``NAME-2.log``, user folder, temporary files.
        cancelled : callable
            Asked several times a second; True ends the run.

        Raises
        ------
        Retryable
            When memory, disk or time did not suffice, or the run was cancelled.
        EngineFailure
            When gpt refuses the graph, fails in an operator, or leaves less than the bands of the outputs.
        ConfigurationError
            When the program cannot be started.
        """
        try:
            self._attempt(graph, work, cancelled, 1)
        except Starved as error:
            log.warning("gpt starved, once more with less", extra={"graph": graph.name, "reason": str(error)})
            self._with_less()._attempt(graph, work, cancelled, 2)

    def command(self, graph: Path, userdir: Path, temporary: Path) -> list[str]:
        """Arguments of one run: ``-e`` shows stacks, ``-c`` is the tile cache, ``-q`` the threads."""
        java = (
            f"-Xmx{round(self.memory_gb * 1024)}M",
            # Here and not as gpt's own -D: gpt reads its configuration before that.
            f"-Dsnap.userdir={userdir}",
            f"-Djava.io.tmpdir={temporary}",
        )
        limits = ["-e", "-c", f"{round(self.cache_gb * 1024)}M", "-q", str(self.threads)]
        return [str(self.program), str(graph), *limits, *(f"-J{option}" for option in java)]

    def _with_less(self) -> Gpt:
        return dataclasses.replace(self, cache_gb=self.cache_gb / 2, threads=max(1, self.threads // 2))

    def _attempt(self, graph: Graph, work: Path, cancelled: Callable[[], bool], number: int) -> None:
        part = work / f"{graph.name}{_PART}"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            written = graph.writing_to(part)
            (work / f"{graph.name}.xml").write_bytes(written.xml())
            said = work / f"{graph.name}-{number}.log"
            status = self._call(graph.name, work, said, cancelled)
            _judge(graph.name, status, said)
            for output in written.outputs:
                dimap.check_whole(output.path, output.bands)
            for source, target in zip(written.outputs, graph.outputs, strict=True):
                _publish(source.path, target.path)
        except OSError as error:
            raise _of_disk(error) from error
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _call(self, name: str, work: Path, said: Path, cancelled: Callable[[], bool]) -> int:
        """Exit status of gpt."""
        command = self.command(work / f"{name}.xml", self._own_userdir(work), _made(work / "tmp"))
        log.info("gpt starts", extra={"graph": name, "log": str(said), "threads": self.threads})
        started = time.monotonic()
        with said.open("wb") as target, _process(command, target.fileno(), work) as process:
            watch = _Watch(self, name, said, started, cancelled)
            while (status := process.poll()) is None:
                watch.look()
                time.sleep(POLL_S)
        log.info("gpt ended", extra={"graph": name, "status": status, "seconds": time.monotonic() - started})
        return status

    def _own_userdir(self, work: Path) -> Path:
        own = work / "userdir"
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir(parents=True)
        for name in ("auxdata", "etc"):
            if self.userdir and (self.userdir / name).is_dir():
                (own / name).symlink_to((self.userdir / name).absolute(), target_is_directory=True)
        return own


@dataclass
class _Watch:
    """What is asked of a running gpt, again and again; raises what ends it."""

    limits: Gpt
    name: str
    said: Path
    started: float
    cancelled: Callable[[], bool]
    read: int = 0
    percent: int = 0
    done_at: float | None = None

    def look(self) -> None:
        now = time.monotonic()
        self._follow(now)
        if self.cancelled():
            raise Retryable(f"gpt was cancelled on {self.name} at {self.percent} %")
        if now - self.started > self.limits.time_limit_s:
            limit = f"{self.limits.time_limit_s:g} s at {self.percent} %"
            raise Retryable(f"gpt took longer on {self.name} than its limit of {limit}; its log is {self.said}")
        if not self.read and now - self.started > self.limits.start_limit_s:
            raise Starved(f"gpt said nothing on {self.name} within {self.limits.start_limit_s:g} s")
        if self.done_at is not None and now - self.done_at > self.limits.end_limit_s:
            raise Starved(f"gpt hangs on {self.name} after 100 %; its log is {self.said}")

    def _follow(self, now: float) -> None:
        """Read what was added to the log, and say how far the run is."""
        with self.said.open("rb") as source:
            source.seek(self.read)
            new = source.read()
        self.read += len(new)
        percents = [int(p) for p in _PERCENT.findall(new) if int(p) <= 100]
        if percents and percents[-1] > self.percent:
            self.percent = percents[-1]
            log.info("gpt %d %%", self.percent, extra={"graph": self.name, "percent": self.percent})
        if self.percent == 100 and self.done_at is None:
            self.done_at = now


@contextmanager
def _process(command: list[str], output: int, work: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, of which nothing is left afterwards, however that comes about."""
    process = subprocess.Popen(  # noqa: S603 - the configured program
        ["/bin/sh", "-c", _GUARDED, "gpt", *command],
        cwd=work,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a group: first ask, then kill. Java is the child of gpt's launcher, a shell, and goes on without it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + GRACE_S
        _signal(process.pid, number)
        while _signal(process.pid, 0) and time.monotonic() < until:
            process.poll()
            time.sleep(0.02)
    process.wait()
    if process.stdin:
        process.stdin.close()


def _signal(group: int, number: int) -> bool:
    """Send a signal to all of a group, 0 to ask whether there are any; False if there is none left."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def _judge(name: str, status: int, said: Path) -> None:
    """Raise what a run's exit status and log say."""
    text = said.read_text("utf-8", errors="replace")
    told = _telling(text)
    where = f"its log is {said}"
    if status in _NOT_STARTED:
        raise ConfigurationError("SNAP", "gpt", "must be a program that starts", told)
    if status in _KILLED:
        raise Starved(f"gpt was killed on {name}, for its memory most likely (status {status}); {where}")
    if _OUT_OF_MEMORY.search(text):
        raise Starved(f"gpt ran out of memory on {name}: {told}; {where}")
    if _FULL_DISK.search(text):
        raise Retryable(f"the disk is full: gpt failed on {name}; {where}")
    if status:
        raise EngineFailure("gpt", name, f"status {status}: {told}; {where}")
    if fault := _FAULT.search(text):
        raise EngineFailure("gpt", name, f"status 0, but its log has {fault[0]!r}: {told}; {where}")


def _telling(text: str) -> str:
    """The line of a log that says most about a failure: the first that names one, else the last."""
    found = _TOLD.search(text)
    lines = [line for line in text.splitlines() if line.strip()]
    line = found[0] if found else (lines[-1] if lines else "it said nothing")
    return line.strip()[:300]


def _publish(source: Path, target: Path) -> None:
    """Move a product, its ``.dim`` last: where that lies, the product is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    folder = target.with_suffix(".data")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.move(source.with_suffix(".data"), folder)
    shutil.move(source, target)


def _of_disk(error: OSError) -> Retryable:
    return Retryable(f"files of gpt cannot be written: {error}")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
