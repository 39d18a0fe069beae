"""Real annotations, noise and calibration by the last four characters of their product."""

import re
import zipfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from sen12ts_pipeline.sentinel1.annotation import pass_epoch, read_swath
from sen12ts_pipeline.sentinel1.calibration import read_calibration, read_noise

DATA = Path(__file__).parents[1] / "data/sentinel1"
TRACKS = {"07B5": 152, "13F8": 154, "7768": 71, "6814": 52, "26ED": 174, "6E2D": 175, "D6E2": 15}
TRACKS |= {"6681": 64, "BA76": 71, "C158": 64}


@cache
def files():
    """Bytes of every annotation file at hand, by its path in the product's folder."""
    found = {}
    for path in [DATA / "annotations.zip", *DATA.glob("*.SAFE.zip")]:
        with zipfile.ZipFile(path) as container:
            names = [n for n in container.namelist() if n.endswith(".xml") and "/rfi/" not in n]
            found |= {name: container.read(name) for name in names}
    return found


def body_of(ending, subswath, kind="annotation"):
    """Bytes of a product's ``annotation``, ``noise`` or ``calibration`` file of a subswath."""
    start = "s1" if kind == "annotation" else f"{kind}-s1"
    for name, body in files().items():
        file = name.rsplit("/", 1)[-1]
        if f"{ending}.SAFE" in name and file.startswith(start) and f"-{subswath.lower()}-" in file:
            return body
    raise AssertionError((ending, subswath, kind))


def epoch_of(body):
    text = re.search(rb"<startTime>(.{19})", body)[1].decode()
    return pass_epoch(datetime.fromisoformat(text).replace(tzinfo=UTC))


def swath_of(ending, subswath, *changes):
    """The annotation of a subswath, read; with pairs of text replaced before."""
    body = edited(body_of(ending, subswath), *changes)
    return read_swath(body, product="P", member="M", track=TRACKS[ending], epoch=epoch_of(body))


def noise_of(ending, subswath, *changes):
    body = edited(body_of(ending, subswath, "noise"), *changes)
    return read_noise(body, product="P", member="M", epoch=epoch_of(body))


def calibration_of(ending, subswath, *changes):
    body = edited(body_of(ending, subswath, "calibration"), *changes)
    return read_calibration(body, product="P", member="M", epoch=epoch_of(body))


def edited(body, *changes):
    """Text with regular expressions replaced; each must be there."""
    for pattern, replacement in changes:
        body, count = re.subn(pattern, replacement, body, flags=re.DOTALL)
        assert count, pattern
    return body
