"""How cloud maskers agree with a reference: a real patch, and skies over the simulated ground, whose truth is known.

    python -m benchmarks.clouds [--patch FILE.npz]

prints the tables of docs/optical.md. Maskers whose packages are not installed are left out. The patch has `reflectance`
(rows, cols, 6: blue, green, red, near infrared, 1.6 and 2.2 um, x 10,000) and `mask` (0 shadow, 4 cloud).
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import Bool, CloudMasker, Int16
from sen12ts_pipeline.sentinel2.csmask import NAMES, CsmaskMasker
from sen12ts_pipeline.sentinel2.masks import Consensus, SclMasker
from sen12ts_pipeline.simulate.clouds import Sky, Weather
from sen12ts_pipeline.simulate.landcover import REFLECTANCE, SCENE_CLASS, LandCover
from sen12ts_pipeline.simulate.place import DEMO

PATCH = Path(__file__).parents[1] / "tests" / "data" / "sentinel2" / "cloud_reference_256.npz"

PIXELS, TILE = 768, 128
SKIES = 8
COVERS = (0.004, 0.02, 0.06, 0.1)
HEIGHTS_M, ZENITHS_DEG = (800.0, 1500.0, 4000.0), (30.0, 45.0, 60.0)
LIMIT = 0.01
"""Share of invalid pixels that a tile may have."""
CLOUD_FROM, SHADOW_FROM = 0.35, 0.5
"""What the simulated scene classification sees of clouds and shadows."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Bands at 20 m, and what is true of them."""

    bands: Mapping[str, Int16]
    cloud: Bool
    shadow: Bool


def maskers(*, scl: bool) -> dict[str, CloudMasker]:
    """What is compared: with or without a scene classification."""
    found: dict[str, CloudMasker] = {}
    if scl:
        found = {"scl": SclMasker(), "scl, grown 60 m": SclMasker(dilation_m=60)}
    try:
        found["ukis-csmask, 4 bands"] = CsmaskMasker(4)
        found["ukis-csmask, 6 bands"] = CsmaskMasker(6)
        found["ukis-csmask, 6 bands, grown 60 m"] = CsmaskMasker(6, 60)
    except ConfigurationError as error:
        print(error)
    if scl and len(found) > 2:
        members = [SclMasker(), CsmaskMasker(6)]
        found["scl or ukis-csmask"] = Consensus(members, 1)
        found["scl or ukis-csmask, grown 60 m"] = Consensus([SclMasker(dilation_m=60), CsmaskMasker(6, 60)], 1)
        found["scl and ukis-csmask"] = Consensus(members, 2)
    return found


def patch(path: Path) -> Sample:
    """The real patch."""
    with np.load(path) as file:
        reflectance, mask = file["reflectance"], file["mask"]
    bands = {band: np.minimum(reflectance[..., k], 10_000).astype(np.int16) for k, band in enumerate(NAMES)}
    return Sample(bands, mask == 4, mask == 0)


def skies() -> Iterable[Sample]:
    """Simulated ground under skies of several covers, heights and suns."""
    cover = LandCover.of(DEMO)
    conditions = itertools.islice(itertools.cycle(itertools.product(HEIGHTS_M, ZENITHS_DEG)), SKIES)
    for seed, (height, zenith) in enumerate(conditions):
        weather = Weather(COVERS[seed % len(COVERS)], 1500.0 + 500.0 * (seed % 4), height, zenith, 140.0 + 5.0 * seed)
        sky, (ground, classes) = Sky.of(weather, PIXELS, 20.0, seed), _ground(cover, seed)
        scl = sky.classified(classes, cloud_from=CLOUD_FROM, shadow_from=SHADOW_FROM)
        yield Sample({**sky.over(ground), "SCL": scl.astype(np.int16)}, sky.cloud, sky.shadow)


def _ground(cover: LandCover, seed: int) -> tuple[dict[str, Int16], npt.NDArray[np.uint8]]:
    east = 350_000.0 + 20.0 * np.arange(PIXELS) + 20_000.0 * seed
    north = 4_200_000.0 - 20.0 * np.arange(PIXELS)
    kinds = cover.kinds(east[None, :], north[:, None])
    random = np.random.default_rng([seed, 92])
    shade = 1 + 0.04 * random.standard_normal(kinds.shape)
    ground = {band: (np.asarray(REFLECTANCE[band])[kinds] * shade).astype(np.int16) for band in NAMES}
    return ground, np.asarray(SCENE_CLASS, np.uint8)[kinds]


@dataclass(slots=True)
class Score:
    """Counts of pixels, and of tiles that pass the screen."""

    cloud: int = 0
    cloud_missed: int = 0
    shadow: int = 0
    shadow_missed: int = 0
    clear: int = 0
    clear_refused: int = 0
    tiles: int = 0
    passed: int = 0
    with_some: int = 0
    with_much: int = 0

    def add(self, sample: Sample, valid: Bool) -> None:
        """Count a sample's pixels and tiles."""
        unclear = sample.cloud | sample.shadow
        self.cloud += int(sample.cloud.sum())
        self.cloud_missed += int((sample.cloud & valid).sum())
        self.shadow += int(sample.shadow.sum())
        self.shadow_missed += int((sample.shadow & valid).sum())
        self.clear += int((~unclear).sum())
        self.clear_refused += int((~unclear & ~valid).sum())
        for top, left in itertools.product(range(0, valid.shape[0], TILE), range(0, valid.shape[1], TILE)):
            tile = np.s_[top : top + TILE, left : left + TILE]
            self.tiles += 1
            if (~valid[tile]).mean() < LIMIT:
                left_in = float((unclear[tile] & valid[tile]).mean())
                self.passed += 1
                self.with_some += left_in > 0.001
                self.with_much += left_in > 0.01

    @property
    def kappa(self) -> float:
        """Cohen's kappa of clear against cloud or shadow."""
        missed, seen = self.cloud_missed + self.shadow_missed, self.cloud + self.shadow
        total, refused = seen + self.clear, seen - missed + self.clear_refused
        agreed = (seen - missed + self.clear - self.clear_refused) / total
        chance = (seen * refused + self.clear * (total - refused)) / total**2
        return (agreed - chance) / (1 - chance)


def scored(samples: Iterable[Sample], compared: Mapping[str, CloudMasker]) -> dict[str, Score]:
    """Scores of maskers over samples."""
    scores = {name: Score() for name in compared}
    for sample in samples:
        for name, masker in compared.items():
            scores[name].add(sample, masker.valid(sample.bands))
    return scores


def pixels_table(scores: Mapping[str, Score]) -> str:
    """Agreement by pixel, Markdown."""
    lines = ["| masker | kappa | cloud missed | shadow missed | clear refused |", "| --- | --- | --- | --- | --- |"]
    for name, s in scores.items():
        shares = (s.cloud_missed / s.cloud, s.shadow_missed / s.shadow, s.clear_refused / s.clear)
        lines.append(f"| {name} | {s.kappa:.2f} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |")
    return "\n".join(lines)


def stacks_table(scores: Mapping[str, Score]) -> str:
    """What is left in the stacks that pass the screen, Markdown."""
    head = "| masker | tiles that pass | of these with more than 0.1 % left | with more than 1 % left |"
    lines = [head, "| --- | --- | --- | --- |"]
    for name, s in scores.items():
        shares = (s.with_some / max(s.passed, 1), s.with_much / max(s.passed, 1))
        row = " | ".join(f"{100 * share:.0f} %" for share in shares)
        lines.append(f"| {name} | {s.passed} of {s.tiles} | {row} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patch", type=Path, default=PATCH)
    arguments = parser.parse_args()
    print(pixels_table(scored([patch(arguments.patch)], maskers(scl=False))))
    simulated = scored(skies(), maskers(scl=True))
    print(pixels_table(simulated))
    print(stacks_table(simulated))


if __name__ == "__main__":
    main()
