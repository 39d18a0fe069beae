"""Training and evaluation of the crop classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader

from applications import runs
from applications.crops.model import Classifier, Inputs, balanced, loss_of
from applications.crops.samples import IGNORED, CropSeries

LEARNING_RATE, LARGEST_NORM, LARGEST_VALUE = 1e-3, 3.0, 0.5
"""Section 4.2: Adam's rate, and the limits of the gradient's norm and values."""
TOP = (1, 3, 5)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train: passes, sub-images of a step, size of the U-Nets, what is drawn by lot, processes that read."""

    epochs: int = 50
    batch: int = 4
    width: int = 64
    depth: int = 4
    seed: int = 7
    workers: int = 0
    timesteps: int = 16


def train(series: CropSeries, inputs: Inputs, classes: int, folder: Path, plan: Plan) -> Classifier:
    """Train a classifier, going on from the checkpoint in `folder` if there is one."""
    order, device = runs.seeded(plan.seed), runs.device()
    model = Classifier(inputs, classes, timesteps=plan.timesteps, width=plan.width, depth=plan.depth).to(device)
    adam = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    weights = balanced(series.pixels()).to(device)
    parts = {"model": model, "adam": adam}
    for epoch in runs.epochs(runs.load(folder, parts), plan.epochs, f"crops from {inputs}"):
        order.manual_seed(plan.seed + epoch)
        model.train()
        for batch in DataLoader(series, plan.batch, shuffle=True, generator=order, num_workers=plan.workers):
            batch = {k: v.to(device) for k, v in batch.items()}
            adam.zero_grad()
            loss_of(model(batch), batch["label"], weights).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), LARGEST_NORM)
            torch.nn.utils.clip_grad_value_(model.parameters(), LARGEST_VALUE)
            adam.step()
        runs.save(folder, epoch + 1, parts)
    return model


@torch.no_grad()
def evaluate(model: Classifier, series: CropSeries, classes: Sequence[int], batch: int = 4) -> dict[str, Any]:
    """Share of pixels whose class is among the 1, 3 and 5 most likely ones, and the confusion matrix.

    Returns
    -------
    dict
        ``top`` by 1, 3, 5; ``pixels``; ``classes``: codes; ``confusion``: rows are true classes, columns predicted.
    """
    model.eval()
    device = next(model.parameters()).device
    hits, pixels = dict.fromkeys(TOP, 0), 0
    confusion: npt.NDArray[np.int64] = np.zeros((len(classes), len(classes)), np.int64)
    for one in DataLoader(series, batch):
        scores = model({k: v.to(device) for k, v in one.items()}).cpu().movedim(1, -1)[one["label"] != IGNORED]
        label = one["label"][one["label"] != IGNORED]
        ranked = scores.argsort(dim=-1, descending=True, stable=True)
        pixels += len(label)
        for k in TOP:
            hits[k] += int((ranked[:, :k] == label[:, None]).any(dim=-1).sum())
        np.add.at(confusion, (label.numpy(), ranked[:, 0].numpy()), 1)
    return {
        "top": {str(k): n / max(1, pixels) for k, n in hits.items()},
        "pixels": pixels,
        "classes": list(classes),
        "confusion": confusion.tolist(),
    }
