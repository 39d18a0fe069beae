"""Skies: as much cloud as was asked for, and shadows where the sun throws them."""

import math

import numpy as np
import pytest

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.simulate.clouds import CLOUD_REFLECTANCE, Sky, Weather

PIXELS, RESOLUTION_M = 400, 20.0


@pytest.mark.parametrize("cover", [0.02, 0.1, 0.4])
def test_the_cover_is_reached(cover):
    sky = Sky.of(Weather(cover=cover), PIXELS, RESOLUTION_M, seed=1)
    assert sky.cloud.mean() == pytest.approx(cover, abs=0.002)


@pytest.mark.parametrize("azimuth", [0.0, 90.0, 150.0, 250.0])
def test_a_shadow_lies_away_from_the_sun_at_the_height_times_the_tangent_of_its_zenith_angle(azimuth):
    weather = Weather(height_m=1000.0, sun_zenith_deg=45.0, sun_azimuth_deg=azimuth)
    assert math.hypot(*weather.shadow_m) == pytest.approx(1000.0)
    sky = Sky.of(weather, PIXELS, RESOLUTION_M, seed=2)
    right = round(-50 * math.sin(math.radians(azimuth)))
    down = round(50 * math.cos(math.radians(azimuth)))
    inside = slice(60, PIXELS - 60)
    moved = np.roll(sky.opacity, (down, right), axis=(0, 1))
    np.testing.assert_array_equal(sky.darkness[inside, inside], moved[inside, inside])
    assert sky.darkness[inside, inside].max() > 0.5


def test_ground_is_dark_in_shadow_and_hidden_under_cloud():
    ground = {"B02": np.full((PIXELS, PIXELS), 800, np.int16), "B12": np.full((PIXELS, PIXELS), 2000, np.int16)}
    sky = Sky.of(Weather(cover=0.1), PIXELS, RESOLUTION_M, seed=3)
    seen = sky.over(ground)
    thick, deep = sky.opacity == 1, (sky.darkness == 1) & (sky.opacity == 0)
    clear = (sky.opacity == 0) & (sky.darkness == 0)
    assert min(thick.sum(), deep.sum(), clear.sum()) > 100
    for band, values in seen.items():
        assert set(values[thick].tolist()) == {CLOUD_REFLECTANCE[band]}
        assert set(values[clear].tolist()) == set(ground[band].ravel().tolist())
    assert set(seen["B02"][deep].tolist()) == {320}, "blue keeps most in shadow"
    assert set(seen["B12"][deep].tolist()) == {240}


def test_a_classification_misses_what_is_thin():
    sky = Sky.of(Weather(cover=0.1), PIXELS, RESOLUTION_M, seed=4)
    ground = np.full((PIXELS, PIXELS), 4, np.uint8)
    classes = sky.classified(ground, cloud_from=0.3, shadow_from=0.5)
    np.testing.assert_array_equal(np.isin(classes, (8, 9)), sky.opacity >= 0.3)
    np.testing.assert_array_equal(classes == 3, (sky.darkness >= 0.5) & (sky.opacity < 0.3))
    assert (classes[sky.cloud] == 4).any()


def test_the_seed_decides_the_sky():
    skies = [Sky.of(Weather(), 64, RESOLUTION_M, seed).opacity for seed in (1, 1, 2)]
    np.testing.assert_array_equal(skies[0], skies[1])
    assert not np.array_equal(skies[0], skies[2])


@pytest.mark.parametrize("values", [{"cover": 0.0}, {"cover": 1.0}, {"sun_zenith_deg": 85.0}])
def test_impossible_weather_is_refused(values):
    with pytest.raises(ConfigurationError, match="weather"):
        Weather(**values)
