"""What the layers of the three files are."""

from sen12ts_pipeline.domain import layers


def test_the_radar_stack_has_four_frames_newest_first_and_three_terrain_layers():
    assert len(layers.S1_LAYERS) == len(layers.S1_UNITS) == 19
    assert layers.S1_LAYERS[:4] == ("vh_t", "vv_t", "coherence_t", "phase_t")
    assert layers.S1_LAYERS[4:8] == ("vh_t-1", "vv_t-1", "coherence_t-1", "phase_t-1")
    assert layers.S1_LAYERS[12:16] == ("vh_t-3", "vv_t-3", "coherence_t-3", "phase_t-3")
    assert layers.S1_LAYERS[16:] == ("local_incidence_angle", "slope", "shadow_layover_mask")
    assert layers.S1_UNITS[:4] == ("dB", "dB", "1", "rad")
    assert layers.S1_UNITS[16:] == ("degree", "degree", "1")
    assert layers.S1_LAYERS[layers.S1_MASK] == "shadow_layover_mask"


def test_the_optical_stack_has_twelve_bands_the_classification_and_the_mask():
    assert layers.S2_LAYERS == (
        "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12", "SCL", "cloud_mask",
    )  # fmt: skip
    assert layers.S2_LAYERS[layers.S2_SCL] == "SCL"
    assert layers.S2_LAYERS[layers.S2_MASK] == "cloud_mask"


def test_every_band_is_read_at_its_native_resolution():
    assert set(layers.S2_NATIVE_M) == {*layers.S2_BANDS, "SCL"}
    by_resolution = {m: {b for b, n in layers.S2_NATIVE_M.items() if n == m} for m in (10, 20, 60)}
    assert by_resolution == {
        10: {"B02", "B03", "B04", "B08"},
        20: {"B05", "B06", "B07", "B8A", "B11", "B12", "SCL"},
        60: {"B01", "B09"},
    }


def test_values():
    assert layers.NODATA == -3000
    assert layers.BACKSCATTER_RANGE_DB == (-40, 30)
    assert layers.REFLECTANCE_RANGE == (0, 10_000)
    assert set(layers.SCL_INVALID) == {0, 3, 8, 9, 10}
    assert layers.LABEL_LAYERS == ("lulc_label",)


def test_names_are_distinct():
    assert len(set(layers.S1_LAYERS)) == 19
    assert len(set(layers.S2_LAYERS)) == 14
