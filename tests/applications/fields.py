"""A simulated data set of fields whose classes leave traces in radar and optics, in the files of the contract.

Six classes. How green a field is on a date follows from half its class (0, 1, 2) and shows in reflectance and, behind
more noise, in cross-polarised backscatter; the class's parity shows in radar alone. So optics can tell about half of
the pixels, against a sixth by chance, and both sensors all.
"""

from datetime import date, timedelta

import numpy as np

from sen12ts_pipeline.dataset.geotiff import Profile, encode_label, encode_s1, encode_s2
from sen12ts_pipeline.dataset.triplet import paths_of
from sen12ts_pipeline.domain.lattice import TileId
from sen12ts_pipeline.domain.names import TripletName
from sen12ts_pipeline.domain.splits import Split, split_of

CODES = (1, 5, 24, 36, 61, 176)
FIELD = 32
"""Pixels on a side of a field."""
CROPS = frozenset({1, 5, 24, 36})


def tiles_of_part(part, count):
    """Some tiles of a part, far from each other."""
    found = (TileId(10, 60 + 13 * k, 1600 + 7 * k) for k in range(200))
    return [t for t in found if split_of(t) is part][:count]


def greenness(classes, day):
    """Share of green cover of each field's class on a day of the year, 0 to 1; half of the classes are early."""
    phase = np.array([0.9, 2.0, 3.1])[classes // 2]
    return 0.5 + 0.45 * np.sin(2 * np.pi * day / 365.25 - phase)


def write_fields(root, *, train=3, test=1, dates=16, seed=5):
    """Write a data set of `dates` triplets a tile below a folder of an area; returns the folder."""
    random = np.random.default_rng(seed)
    tiles = tiles_of_part(Split.TRAIN, train) + tiles_of_part(Split.TEST, test)
    for folder in ("s1", "s2", "labels"):
        (root / folder).mkdir(parents=True)
    for tile in tiles:
        classes = np.kron(random.integers(0, 6, (8, 8)), np.ones((FIELD, FIELD), int))
        for k in range(dates):
            s2date = date(2020, 1, 5) + timedelta(days=22 * k)
            write_triplet(root, tile, classes, s2date, random)
    return root


def write_triplet(root, tile, classes, s2date, random):
    name = TripletName.of(tile, s1date=s2date - timedelta(days=1), s2date=s2date, track=35, direction="A")
    green = greenness(classes, s2date.timetuple().tm_yday)
    bodies = {
        "s1": encode_s1(radar(classes, green, random), tile.grid, profile=Profile.COMPAT),
        "s2": encode_s2(optics(classes, green, random), tile.grid, profile=Profile.COMPAT),
        "label": encode_label(np.array(CODES, np.int16)[classes], tile.grid, profile=Profile.COMPAT),
    }
    for kind, body in bodies.items():
        (root / paths_of(name, 2020)[kind]).write_bytes(body)


def radar(classes, green, random):
    stack = np.zeros((19, 256, 256), np.float32)
    parity = classes % 2
    for when in range(4):
        vh, vv, coherence, phase = range(4 * when, 4 * when + 4)
        stack[vh] = -22 + 7 * green + random.normal(0, 1.5, classes.shape)
        stack[vv] = -11 + 2.5 * parity + random.normal(0, 1.5, classes.shape)
        stack[coherence] = np.clip(0.35 + 0.25 * parity + random.normal(0, 0.12, classes.shape), 0, 1)
        stack[phase] = random.uniform(-np.pi, np.pi, classes.shape)
    stack[16], stack[17], stack[18] = 38, 1, 1
    return stack


def optics(classes, green, random):
    stack = np.zeros((14, 256, 256), np.int16)
    soil, leaf = (
        np.linspace(900, 3000, 12),
        np.array([300, 300, 600, 350, 900, 2600, 3300, 3600, 3700, 3800, 1700, 800]),
    )
    for band in range(12):
        mean = soil[band] + green * (leaf[band] - soil[band])
        stack[band] = np.clip(mean + random.normal(0, 150, classes.shape), 1, 10_000)
    stack[12], stack[13] = 4, 1
    return stack
