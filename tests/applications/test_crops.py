"""Crops: both sensors tell more than optics alone, optics more than radar, radar more than chance."""

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch; make test-applications brings it")

import typer  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from applications.crops.__main__ import main  # noqa: E402
from applications.crops.model import Classifier, Inputs, balanced, loss_of  # noqa: E402
from applications.crops.samples import IGNORED, CropSeries, most_frequent  # noqa: E402
from applications.crops.train import Plan, evaluate, train  # noqa: E402
from sen12ts_pipeline.dataset import Dataset  # noqa: E402
from sen12ts_pipeline.dataset.statistics import statistics_of  # noqa: E402
from tests.applications.fields import CODES  # noqa: E402

SMALL = {"width": 8, "depth": 2}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def parts(data, cache):
    statistics = statistics_of(data)
    codes = most_frequent(data.select(splits={"train"}), 10)
    return codes, *(CropSeries(data.select(splits={p}), statistics, codes, cache) for p in ("train", "test"))


def test_classes_are_the_most_frequent_ones(data):
    assert set(most_frequent(data, 10)) == set(CODES)
    pixels = [sum(int((s[0].label == c).sum()) for s in data.tiles().values()) for c in most_frequent(data, 6)]
    assert pixels == sorted(pixels, reverse=True)
    assert most_frequent(data, 2) == most_frequent(data, 6)[:2]


def test_a_sub_image_has_all_dates_of_both_sensors_in_their_order(data, parts):
    codes, training, _ = parts
    assert len(training) == 3 * 16
    sample = training[5]  # of the first tile
    place, row, col = training.parts[5]
    assert (sample["s1"].shape, sample["s2"].shape) == ((64, 64, 64), (192, 64, 64))
    series = training.tiles[place]
    assert [e.name.s2date for e in series.entries] == sorted(e.name.s2date for e in series.entries)
    stored = np.stack([s.s2[7, row : row + 64, col : col + 64] for s in series]).astype(float)
    shown = sample["s2"].reshape(16, 12, 64, 64)[:, 7].numpy()
    assert np.corrcoef(stored.ravel(), shown.ravel())[0, 1] > 0.9999
    label = series[0].label[row : row + 64, col : col + 64]
    np.testing.assert_array_equal(np.array(codes)[sample["label"]], label)


def test_only_labels_are_read_before_a_sub_image_is_asked_for(data, cache, monkeypatch):
    bare = Dataset(data._places, [dataclasses.replace(entry, classes=None) for entry in data.entries])
    statistics = statistics_of(data)
    monkeypatch.setattr(Dataset, "read", None)
    assert most_frequent(bare, 10) == most_frequent(data, 10)
    assert len(CropSeries(bare, statistics, CODES, cache)) == 4 * 16


def test_sub_images_without_labelled_pixels_and_tiles_with_gaps_are_left_out(data, cache):
    statistics = statistics_of(data)
    rare = CropSeries(data, statistics, (CODES[0],), cache)
    assert 0 < len(rare) < 4 * 16
    assert all((s["label"] == 0).any() and set(s["label"].unique().tolist()) <= {0, IGNORED} for s in list(rare)[:8])
    assert len(CropSeries(data[:-1], statistics, CODES, cache)) == 3 * 16


def test_both_beat_optics_beat_radar_beat_chance(parts, tmp_path):
    codes, training, test = parts
    top = {}
    for inputs in Inputs:
        model = train(training, inputs, len(codes), tmp_path / inputs, Plan(epochs=4, **SMALL))
        results = evaluate(model, test, codes)
        top[inputs] = results["top"]["1"]
        assert results["pixels"] == 65_536 == np.sum(results["confusion"])
        assert np.trace(results["confusion"]) == round(top[inputs] * 65_536)
        assert results["top"]["1"] <= results["top"]["3"] <= results["top"]["5"] <= 1
    assert top["both"] > top["s2"] + 0.15 > top["s1"] + 0.2
    assert top["s1"] > 1 / 6 + 0.05
    assert top["both"] > 0.7


def test_a_run_that_was_cut_ends_where_a_whole_one_does(parts, tmp_path):
    codes, _, small = parts
    whole = train(small, Inputs.S1, len(codes), tmp_path / "whole", Plan(epochs=2, **SMALL))
    train(small, Inputs.S1, len(codes), tmp_path / "cut", Plan(epochs=1, **SMALL))
    cut = train(small, Inputs.S1, len(codes), tmp_path / "cut", Plan(epochs=2, **SMALL))
    for a, b in zip(whole.state_dict().values(), cut.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_rare_classes_weigh_more_and_other_pixels_nothing():
    weights = balanced(np.array([900, 90, 10, 0]))
    assert weights[0] * 900 == pytest.approx(float(weights[2] * 10), rel=1e-5)
    assert weights[3] == 0
    assert float(weights[:3].mean()) == pytest.approx(1)
    scores, label = torch.zeros(1, 4, 2, 2), torch.full((1, 2, 2), IGNORED)
    label[0, 0, 0] = 1
    scores[0, 1, 0, 0] = 50.0
    assert float(loss_of(scores, label, weights)) == pytest.approx(0, abs=1e-6)


def test_each_sensor_has_its_own_network():
    both = Classifier(Inputs.BOTH, 10, timesteps=2, width=4, depth=1)
    assert set(both.nets) == {"s1", "s2"}
    batch = {"s1": torch.zeros(1, 8, 64, 64), "s2": torch.zeros(1, 24, 64, 64)}
    assert both(batch).shape == (1, 10, 64, 64)
    assert Classifier(Inputs.S1, 10, timesteps=2, width=4, depth=1)(batch).shape == (1, 10, 64, 64)


def test_the_command_leaves_results_and_matrices(place, tmp_path):
    app = typer.Typer()
    app.command()(main)
    run = CliRunner().invoke(
        app, [str(place), str(tmp_path), "--epochs", "1", "--width", "4", "--depth", "1", "--table", "cdl"]
    )
    assert run.exit_code == 0, run.output
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results) == {"s1", "s2", "both"}
    assert results["both"]["top"]["5"] > 0
    assert all((tmp_path / f"confusion-{i}.png").exists() for i in results)
