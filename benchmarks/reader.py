"""How fast a finished data set is read, beside reading its bytes alone: `python -m benchmarks.reader STORE`."""

from __future__ import annotations

import argparse
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sen12ts_pipeline.dataset import Dataset, open_dataset
from sen12ts_pipeline.dataset.export import KINDS, export
from sen12ts_pipeline.dataset.geotiff import decode


def main() -> None:
    """Print milliseconds a triplet, the best of three passes, files in the page cache."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    data = open_dataset(parser.parse_args().store)
    stored = sum(len(data.body(e, kind)) for e in data.entries for kind in KINDS)
    print(f"{len(data)} triplets, {stored / len(data) / 1e6:.2f} MB each")
    with tempfile.TemporaryDirectory() as folder:
        shards = export(data, Path(folder))
        for name, read in {
            "bytes of the files": lambda: _bytes(data),
            "reader, in order": lambda: [None for _ in data],
            "reader, at random": lambda: [data[(7919 * k) % len(data)] for k in range(len(data))],
            "shards, decoded": lambda: _shards(shards),
        }.items():
            print(f"{name:20s} {1e3 * _best(read) / len(data):7.2f} ms a triplet")


def _bytes(data: Dataset) -> None:
    for entry in data.entries:
        for kind in KINDS:
            data.body(entry, kind)


def _shards(shards: list[Path]) -> None:
    for shard in shards:
        with tarfile.open(shard, "r|") as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file and member.name.endswith(".tif"):
                    decode(file.read())


def _best(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


if __name__ == "__main__":
    main()
