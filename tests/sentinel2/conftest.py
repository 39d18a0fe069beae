"""Granules that the tests of this folder share: each pixel of each image can be told from its neighbours."""

import numpy as np
import pytest

from tests.sentinel2.products import NAME, write_safe

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12", "SCL")


def numbers(band, resolution, rows, cols):
    """Stored numbers: a ramp in which neighbours differ, with 0 here and there; SCL 0 to 11."""
    ramp = 7 * rows + 13 * cols + 101 * BANDS.index(band) if band in BANDS else 7 * rows
    if band == "SCL":
        return ramp % 12
    return np.where(ramp % 97 == 0, 0, 1 + ramp * 31 % 12_000)


@pytest.fixture(scope="session")
def northern(tmp_path_factory):
    """Granule north of the equator, before baseline 04.00: no offset."""
    return write_safe(tmp_path_factory.mktemp("north"), numbers)


@pytest.fixture(scope="session")
def southern(tmp_path_factory):
    """Granule of EPSG:327zz with an offset of its own in every band; its ULY is 40 modulo 60, as real ones are."""
    offsets = {k: -1000 - 10 * k for k in range(13)}
    folder = tmp_path_factory.mktemp("south")
    name = NAME.replace("T31TDG", "T31LDG")
    return write_safe(folder, numbers, epsg=32731, ulx=499980, uly=9_000_040 - 60, offsets=offsets, name=name)
