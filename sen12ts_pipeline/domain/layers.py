"""Layers of the three files of a triplet: order, names, ranges, nodata."""

from __future__ import annotations

NODATA = -3000

FRAMES = 4
FRAME_LAYERS = ("vh", "vv", "coherence", "phase")
S1_LAYERS = (
    *(f"{name}_{when}" for when in ("t", "t-1", "t-2", "t-3") for name in FRAME_LAYERS),
    "local_incidence_angle",
    "slope",
    "shadow_layover_mask",
)
S1_UNITS = (*(("dB", "dB", "1", "rad") * FRAMES), "degree", "degree", "1")
S1_MASK = 18

S2_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
S2_NATIVE_M = {
    "B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20, "B08": 10, "B8A": 20, "B09": 60,
    "B11": 20, "B12": 20, "SCL": 20,
}  # fmt: skip
S2_LAYERS = (*S2_BANDS, "SCL", "cloud_mask")
S2_SCL, S2_MASK = 12, 13
SCL_INVALID = (0, 3, 8, 9, 10)
"""Scene classes that the default masker refuses: no data, cloud shadow, cloud medium, cloud high, thin cirrus."""

LABEL_LAYERS = ("lulc_label",)

BACKSCATTER_RANGE_DB = (-40.0, 30.0)
REFLECTANCE_RANGE = (0, 10_000)
