"""A shard in a process of its own, so that a product whose reading ends the process does not end the partition.

A library that reads a file may crash on it. Then the process is gone, and with it what it knew; tried again, it would
crash again. So the work is done in a child, which notes each product before it looks into it. When the child ends by a
signal that only a fault in a program sends, the shard is done again on one thread, which makes the notes an order; when
that crashes, too, the products are left out one at a time, the last that was noted first, until the shard ends well.
The one that had to be left out is quarantined, and refused from then on.

A child that was killed says nothing about a product: `Retryable`.
"""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import os
import pickle
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from sen12ts_pipeline.errors import BadProduct, Retryable
from sen12ts_pipeline.ports import Ledger
from sen12ts_pipeline.stages.services import Services

CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT})
"""Signals of a fault in a program: nobody who wants to end a process sends them."""
REASON = "ends the process that reads it"
_MOST_TRIALS = 40
_PR_SET_PDEATHSIG = 1

Work = Callable[[Services], str]


@dataclass(frozen=True, slots=True)
class _Crash:
    """A child that crashed.

    Attributes
    ----------
    name : str
        Of the signal.
    touched : tuple of str
        Products that it noted, the last first, each once.
    """

    name: str
    touched: tuple[str, ...]


def call(work: Work, services: Services) -> str:
    """What the work of a shard returns, done in a child process where the settings want it; errors as the work's own.

    Raises
    ------
    Retryable
        When the child was killed: by a person, or by the system for want of memory; or when it crashes whichever
        product is left out.
    """
    if not services.isolate:
        return work(services)
    outcome = _child(work, services)
    if isinstance(outcome, _Crash):
        outcome = _child(work, dataclasses.replace(services, workers=1))
    if isinstance(outcome, _Crash):
        return _without_culprit(work, services, outcome)
    return outcome


def crashing(ledger: Ledger) -> dict[str, str]:
    """Products that were found to end the process that reads them, with the reason."""
    return {product: reason for product, reason in ledger.quarantined().items() if reason.startswith(REASON)}


def _without_culprit(work: Work, services: Services, crash: _Crash) -> str:
    """Leave out one product at a time until the shard ends well, and quarantine that one."""
    trial = dataclasses.replace(services, workers=1, dry=True)
    for product in crash.touched[:_MOST_TRIALS]:
        reason = f"{REASON}, by {crash.name}; without it the work ends well"
        outcome = _child(work, trial, {product: reason})
        if not isinstance(outcome, _Crash):
            services.quarantine(BadProduct(product, "", reason))
            return outcome
    tried = ", ".join(crash.touched[:_MOST_TRIALS]) or "none was opened"
    raise Retryable(f"the process that did the work was ended by {crash.name}, whichever product is left out: {tried}")


def _child(work: Work, services: Services, refused: dict[str, str] | None = None) -> str | _Crash:
    """What a child returns; its error is raised here."""
    with tempfile.TemporaryFile(buffering=0) as notes, tempfile.TemporaryFile() as result:
        parent, child = os.getpid(), os.fork()
        if not child:
            _live(work, services, refused or {}, notes, result, parent)
        try:
            _, status = os.waitpid(child, 0)
        except BaseException:
            _end(child)
            raise
        if not os.WIFSIGNALED(status):
            return _told(result)
        number = signal.Signals(os.WTERMSIG(status))
        if number in CRASHES:
            return _Crash(number.name, _touched(notes))
    raise Retryable(f"the process that did the work was ended by {number.name}: by a person, or for want of memory")


def _live(
    work: Work, services: Services, refused: dict[str, str], notes: IO[bytes], result: IO[bytes], parent: int
) -> None:
    """The child's life; it does not return, and runs nothing that the parent left to be run at its end."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    status = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT, *CRASHES):
            signal.signal(number, signal.SIG_DFL)  # Airflow's own handlers would have a crash repeated for ever
        services.watched.refused = refused
        services.watched.touched = functools.partial(_note, notes)
        told: tuple[bool, object] = (False, None)
        try:
            told = (True, work(services)) if os.getppid() == parent else told
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent raises it
            told = (False, error)
        result.write(_packed(told))
        result.flush()
        status = 0
    finally:
        os._exit(status)


def _packed(told: tuple[bool, object]) -> bytes:
    """Result or error; an error that cannot be packed as its text."""
    with suppress(Exception):
        packed = pickle.dumps(told)
        pickle.loads(packed)  # noqa: S301 - our own bytes
        return packed
    return pickle.dumps((False, RuntimeError(f"{type(told[1]).__name__}: {told[1]}")))


def _told(result: IO[bytes]) -> str:
    result.seek(0)
    try:
        fine, value = pickle.load(result)  # noqa: S301 - our own child's
    except (EOFError, pickle.UnpicklingError):
        raise Retryable("the process that did the work ended without a word") from None
    if not fine:
        raise value
    return str(value)


def _note(notes: IO[bytes], product: str) -> None:
    notes.write(f"{product}\n".encode())


def _touched(notes: IO[bytes]) -> tuple[str, ...]:
    notes.seek(0)
    return tuple(dict.fromkeys(reversed(notes.read().decode().split())))


def _end(child: int) -> None:
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
