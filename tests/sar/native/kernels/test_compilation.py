"""Kernels are compiled once a machine and signature: a further process takes them from the cache."""

import json
import subprocess
import sys

import pytest

from sen12ts_pipeline.ports import FrameJob

WORK = """
import importlib, json, pkgutil, sys
from numba.core.dispatcher import Dispatcher
from sen12ts_pipeline.sar.native import kernels
from tests.sar.world import World

world = World.of(__import__("pathlib").Path(sys.argv[1]))
assert len(world.frames()) == 2
names = [m.name for m in pkgutil.iter_modules(kernels.__path__)]
found = {}
for name in names:
    for key, value in vars(importlib.import_module(f"{kernels.__name__}.{name}")).items():
        if isinstance(value, Dispatcher) and value.signatures:
            hits, misses = (sum(x.values()) for x in (value.stats.cache_hits, value.stats.cache_misses))
            found[f"{name}.{key}"] = len(value.signatures), hits, misses
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def second(tiny):
    """By kernel: signatures, those taken from the cache, those compiled, in a process that makes the same frames."""
    engine = tiny.engine()
    list(engine.frames(FrameJob((engine.terrain(tiny.grid, tiny.passes[0]),), tiny.passes)))
    command = [sys.executable, "-c", WORK, str(tiny.folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_second_process_compiles_nothing(second):
    assert len(second) >= 8
    assert {name: misses for name, (_, _, misses) in second.items() if misses} == {}
    assert all(hits >= 1 for _, hits, _ in second.values())


def test_a_kernel_has_one_signature(second):
    assert {name: count for name, (count, _, _) in second.items() if count != 1} == {}
