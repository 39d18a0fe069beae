"""Means and deviations of every layer, for those who train models: computed once, kept beside the index."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.dataset.reader import Dataset, Entry, Sample
from sen12ts_pipeline.domain.layers import NODATA, S1_LAYERS, S1_MASK, S2_LAYERS, S2_MASK
from sen12ts_pipeline.domain.splits import Split
from sen12ts_pipeline.ports import Float32

FILE = "statistics.json"
KINDS = {"s1": S1_LAYERS[:S1_MASK], "s2": S2_LAYERS[: S2_MASK - 1]}
"""Layers with numbers; the scene classification and the masks have none to be averaged."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Numbers of one layer.

    Attributes
    ----------
    count : int
        Pixels.
    mean : float
        Their mean.
    squares : float
        Sum of their squared distances from the mean.
    least, most : float
        Smallest and largest; 0 without pixels.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    least: float = 0.0
    most: float = 0.0

    @property
    def deviation(self) -> float:
        """Standard deviation; 0 without pixels."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    @classmethod
    def of(cls, values: npt.NDArray[np.generic]) -> Moments:
        """Moments of numbers, in double precision."""
        if not values.size:
            return cls()
        numbers = values.astype(np.float64).ravel()
        mean = float(numbers.mean())
        squares = float(((numbers - mean) ** 2).sum())
        return cls(numbers.size, mean, squares, float(numbers.min()), float(numbers.max()))

    def __add__(self, other: Moments) -> Moments:
        """Moments of both together (Chan, Golub and LeVeque 1983, equations 2.1)."""
        count = self.count + other.count
        if not other.count or not self.count:
            return self if self.count else other
        step = other.mean - self.mean
        return Moments(
            count,
            self.mean + step * other.count / count,
            self.squares + other.squares + step * step * self.count * other.count / count,
            min(self.least, other.least),
            max(self.most, other.most),
        )


@dataclass(frozen=True, slots=True)
class Statistics:
    """Moments of the layers of a data set.

    Attributes
    ----------
    triplets : int
        Triplets that were read.
    split : str
        Part to which they belong; empty for all.
    s1, s2 : mapping of str to Moments
        By the names of the layers; pixels that both masks hold valid.
    """

    triplets: int
    split: str
    s1: Mapping[str, Moments]
    s2: Mapping[str, Moments]

    def to_json(self) -> str:
        """As it is kept."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def parse(cls, text: str) -> Statistics:
        """What `to_json` wrote; ValueError if it is something else."""
        try:
            document = json.loads(text)
            layers = {kind: {k: Moments(**v) for k, v in document[kind].items()} for kind in KINDS}
            return cls(document["triplets"], document["split"], **layers)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"must be statistics of a data set: {error!r}") from error


def statistics_of(
    data: Dataset, *, split: str = Split.TRAIN, workers: int = 1, progress: Callable[[], object] = lambda: None
) -> Statistics:
    """Statistics of the triplets of a part; the same numbers for any number of workers.

    Parameters
    ----------
    data : Dataset
        Triplets; each is read once.
    split : str
        Only those of this part, so that nothing of the others enters a model; empty for all.
    workers : int
        Threads that read.
    progress : callable
        Called after each triplet.
    """
    chosen = data.select(splits={split}) if split else data

    def one(entry: Entry) -> list[Moments]:
        moments = _moments(data.read(entry))
        progress()
        return moments

    with ThreadPoolExecutor(workers) as pool:
        total = _sum(pool.map(one, chosen.entries))
    s1 = len(KINDS["s1"])
    layers = dict(zip(KINDS["s1"], total[:s1], strict=True)), dict(zip(KINDS["s2"], total[s1:], strict=True))
    return Statistics(len(chosen), str(split), *layers)


def standardised(stack: npt.NDArray[np.generic], moments: Sequence[Moments]) -> Float32:
    """Layers with mean 0 and deviation 1, and 0, their mean, where there is no data.

    Parameters
    ----------
    stack : number (layers, rows, cols)
        Layers as stored, -3000 without data.
    moments : sequence of Moments
        One a layer; a layer whose deviation is 0 is only shifted.

    Returns
    -------
    float32 (layers, rows, cols)
    """
    mean = np.array([m.mean for m in moments], np.float32)[:, None, None]
    deviation = np.array([m.deviation or 1.0 for m in moments], np.float32)[:, None, None]
    scaled: Float32 = np.where(stack == NODATA, np.float32(0), (stack.astype(np.float32) - mean) / deviation)
    return scaled


def _moments(sample: Sample) -> list[Moments]:
    valid = sample.valid
    stacks = sample.s1[: len(KINDS["s1"])], sample.s2[: len(KINDS["s2"])]
    return [Moments.of(layer[valid & (layer != NODATA)]) for stack in stacks for layer in stack]


def _sum(each: Iterable[list[Moments]]) -> list[Moments]:
    total = [Moments()] * sum(map(len, KINDS.values()))
    for moments in each:
        total = [a + b for a, b in zip(total, moments, strict=True)]
    return total
