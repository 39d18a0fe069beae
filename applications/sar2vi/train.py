"""Training and evaluation of SAR2VI."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader

from applications import runs
from applications.sar2vi.model import Discriminator, Generator, Weights, discriminator_loss, generator_loss
from applications.sar2vi.samples import CROPS, EviPairs
from sen12ts_pipeline.dataset import Dataset
from sen12ts_pipeline.dataset.statistics import Statistics

BETAS = (0.5, 0.999)
"""Of Adam, as Isola et al. (2017), section 3.3."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train.

    Attributes
    ----------
    epochs, batch : int
        Passes over the training part; triplets of a step.
    width, depth : int
        Size of the generator; the judge has the same width.
    rate : float
        Learning rate, by default that of Isola et al. (2017).
    seed : int
        Decides all that is drawn by lot.
    workers : int
        Processes that read.
    crops : frozenset of int
        Label codes of cropland.
    """

    epochs: int = 50
    batch: int = 4
    width: int = 64
    depth: int = 5
    rate: float = 2e-4
    seed: int = 7
    workers: int = 0
    crops: frozenset[int] = CROPS
    weights: Weights = field(default_factory=Weights)


def train(data: Dataset, statistics: Statistics, folder: Path, plan: Plan) -> Generator:
    """Train on the part ``train``, going on from the checkpoint in `folder` if there is one."""
    order, device = runs.seeded(plan.seed), runs.device()
    pairs = EviPairs(data.select(splits={"train"}), statistics, plan.crops)
    generator = Generator(plan.width, plan.depth).to(device)
    judge = Discriminator(plan.width).to(device)
    makes, judges = (torch.optim.Adam(net.parameters(), plan.rate, BETAS) for net in (generator, judge))
    parts = {"generator": generator, "judge": judge, "makes": makes, "judges": judges}
    done = runs.load(folder, parts)
    for epoch in runs.epochs(done, plan.epochs, "SAR2VI"):
        order.manual_seed(plan.seed + epoch)
        generator.train()
        for batch in DataLoader(pairs, plan.batch, shuffle=True, generator=order, num_workers=plan.workers):
            batch = {k: v.to(device) for k, v in batch.items()}
            made = generator(batch["radar"])
            judges.zero_grad()
            discriminator_loss(judge(batch["radar"], batch["evi"]), judge(batch["radar"], made.detach())).backward()
            judges.step()
            makes.zero_grad()
            generator_loss(judge(batch["radar"], made), made, batch, plan.weights).backward()
            makes.step()
        runs.save(folder, epoch + 1, parts)
    return generator


@torch.no_grad()
def predict(generator: Generator, radar: torch.Tensor) -> torch.Tensor:
    """Vegetation index of the radar layers of one triplet, (rows, cols)."""
    generator.eval()
    found: torch.Tensor = generator(radar[None].to(next(generator.parameters()).device))[0, 0].cpu()
    return found


class Spread:
    """Mean absolute distance of numbers from their mean, which is known at the end only, without keeping them.

    The numbers, -1 to 1, are counted and summed in narrow classes: only those in the class of the mean are taken for
    the mean of their class.
    """

    CLASSES = 4096

    def __init__(self) -> None:
        self._counts, self._sums = np.zeros(self.CLASSES), np.zeros(self.CLASSES)

    def add(self, values: npt.NDArray[np.float32]) -> None:
        """Count numbers of any shape."""
        places = np.clip((values.ravel() + 1) * (self.CLASSES / 2), 0, self.CLASSES - 1).astype(np.int64)
        self._counts += np.bincount(places, minlength=self.CLASSES)
        self._sums += np.bincount(places, values.ravel(), self.CLASSES)

    @property
    def mean_absolute(self) -> float:
        """Mean absolute distance from the mean; 0 without numbers."""
        total, filled = max(1.0, self._counts.sum()), self._counts > 0
        counts, sums = self._counts[filled], self._sums[filled]
        return float((counts * np.abs(sums / counts - sums.sum() / total)).sum() / total)


def evaluate(generator: Generator, data: Dataset, statistics: Statistics, plan: Plan) -> dict[str, Any]:
    """Mean absolute error of the index over known pixels and over cropland, beside that of the mean index.

    Each triplet is read once, and none is kept.
    """
    pairs, spread = EviPairs(data, statistics, plan.crops), Spread()
    sums = dict.fromkeys(("error", "known", "crop_error", "crop"), 0.0)
    for sample in (pairs[k] for k in range(len(pairs))):
        error, known = (predict(generator, sample["radar"]) - sample["evi"][0]).abs(), sample["known"][0]
        crop = sample["crop"][0]
        sums["error"] += float(error[known].sum())
        sums["known"] += int(known.sum())
        sums["crop_error"] += float(error[crop].sum())
        sums["crop"] += int(crop.sum())
        spread.add(sample["evi"][0][known].numpy())
    return {
        "triplets": len(pairs),
        "mean_absolute_error": sums["error"] / max(1, sums["known"]),
        "mean_absolute_error_crops": sums["crop_error"] / sums["crop"] if sums["crop"] else None,
        "mean_absolute_error_of_the_mean": spread.mean_absolute,
        "plan": {k: sorted(v) if isinstance(v, frozenset) else v for k, v in asdict(plan).items()},
    }
