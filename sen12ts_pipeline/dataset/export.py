"""Shards for training at scale: tar archives as WebDataset reads them, of the files as they are.

A triplet is four members that follow one another: ``KEY.s1.tif``, ``KEY.s2.tif``, ``KEY.label.tif`` and ``KEY.json``,
which tells area, name and part. The key is area and name with ``p`` for the decimal point, because readers of shards
take all behind the first point as the kind of a member. Triplets come in an order without pattern, the same on every
machine, so that shards may be read one after the other. The same data set gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

from sen12ts_pipeline.dataset.reader import Dataset, Entry
from sen12ts_pipeline.errors import ConfigurationError

KINDS = ("s1", "s2", "label")
LIST = "shards.json"
MEMBERS_PER_SHARD = 256
"""Triplets of a shard: some gigabytes."""


def export(
    data: Dataset, folder: Path, *, per_shard: int = MEMBERS_PER_SHARD, progress: Callable[[], object] = lambda: None
) -> list[Path]:
    """Write the triplets of each part, and of each area in it, into shards ``<part>-<number>.tar``.

    Shards that are there already are kept, so that an interrupted export goes on; a shard appears when it is whole.

    Parameters
    ----------
    data : Dataset
        Triplets.
    folder : Path
        Empty, or that of an earlier export of the same triplets.
    per_shard : int
        Triplets of a shard.
    progress : callable
        Called after each triplet.

    Returns
    -------
    list of Path
        The shards; ``shards.json`` lists them with their triplets.

    Raises
    ------
    ConfigurationError
        When the folder holds an export of other triplets.
    """
    folder.mkdir(parents=True, exist_ok=True)
    planned = plan(data.entries, per_shard)
    listing = json.dumps({name: [f"{e.aoi}/{e.name}" for e in entries] for name, entries in planned.items()}, indent=1)
    listed = folder / LIST
    if listed.exists() and listed.read_text() != listing:
        raise ConfigurationError(
            "export", "folder", "must be empty or hold an export of the same triplets", str(folder)
        )
    listed.write_text(listing)
    for name, entries in planned.items():
        _write(data, folder / name, entries, progress)
    return [folder / name for name in planned]


def plan(entries: Sequence[Entry], per_shard: int) -> dict[str, list[Entry]]:
    """Triplets of each shard, in an order without pattern that their names decide."""
    parts: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda e: hashlib.sha256(f"{e.aoi}/{e.name}".encode()).digest()):
        parts.setdefault(str(entry.part), []).append(entry)
    return {
        f"{part}-{k // per_shard:06d}.tar": members[k : k + per_shard]
        for part, members in sorted(parts.items())
        for k in range(0, len(members), per_shard)
    }


def key_of(entry: Entry) -> str:
    """Key of a triplet's members."""
    return f"{entry.aoi}/{entry.name}".replace(".", "p")


def _write(data: Dataset, shard: Path, entries: Sequence[Entry], progress: Callable[[], object]) -> None:
    if not shard.exists():
        unfinished = shard.with_suffix(".part")
        with tarfile.open(unfinished, "w", format=tarfile.USTAR_FORMAT) as tar:
            for entry in entries:
                told = json.dumps({"aoi": entry.aoi, "name": str(entry.name), "split": str(entry.part)})
                members = {f"{kind}.tif": data.body(entry, kind) for kind in KINDS} | {"json": told.encode()}
                for ending, body in members.items():
                    member = tarfile.TarInfo(f"{key_of(entry)}.{ending}")
                    member.size = len(body)
                    tar.addfile(member, io.BytesIO(body))
                progress()
        unfinished.rename(shard)
