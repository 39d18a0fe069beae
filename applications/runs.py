"""What the training of both applications has in common: seeds, checkpoints, progress, results."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

CHECKPOINT, RESULTS = "checkpoint.pt", "results.json"


def seeded(seed: int) -> torch.Generator:
    """Let all that is drawn by lot follow from a number; returns a generator for the order of samples."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - what libraries draw from
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    return torch.Generator().manual_seed(seed)


def device() -> torch.device:
    """The accelerator if there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def save(folder: Path, epoch: int, parts: Mapping[str, Any]) -> None:
    """Keep the state of models and optimisers after an epoch; the file is whole or the one before it."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{CHECKPOINT}.part"
    state = {name: part.state_dict() for name, part in parts.items()}
    torch.save({"epoch": epoch, "state": state, "lot": torch.get_rng_state()}, unfinished)
    unfinished.replace(folder / CHECKPOINT)


def load(folder: Path, parts: Mapping[str, Any]) -> int:
    """Take up the state of the last whole epoch; returns how many are done, 0 without a checkpoint."""
    if not (folder / CHECKPOINT).exists():
        return 0
    kept = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(kept["state"][name])
    torch.set_rng_state(kept["lot"])
    return int(kept["epoch"])


def epochs(first: int, count: int, name: str) -> Iterator[int]:
    """Numbers of the epochs that are left, with a bar where a person looks on."""
    console = Console(stderr=True)
    return iter(
        track(range(first, count), name, console=console, transient=True, disable=not console.is_terminal)  # type: ignore[arg-type]
    )


def write_results(folder: Path, results: Mapping[str, Any]) -> None:
    """Keep results as JSON and print them."""
    text = json.dumps(results, indent=1)
    (folder / RESULTS).write_text(text + "\n")
    sys.stdout.write(text + "\n")
