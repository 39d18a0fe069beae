"""SAR2VI: the index learned from radar is nearer to the truth than its mean, and nearer with every hour of training."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch; make test-applications brings it")

from typer.testing import CliRunner  # noqa: E402

from applications.sar2vi.__main__ import main  # noqa: E402
from applications.sar2vi.model import Generator, Weights, discriminator_loss, generator_loss  # noqa: E402
from applications.sar2vi.samples import EviPairs  # noqa: E402
from applications.sar2vi.train import Plan, Spread, evaluate, predict, train  # noqa: E402
from sen12ts_pipeline.dataset import Dataset  # noqa: E402
from sen12ts_pipeline.dataset.statistics import statistics_of  # noqa: E402
from tests.applications.fields import CROPS  # noqa: E402

SMALL = {"batch": 2, "width": 8, "depth": 2, "rate": 3e-3, "crops": CROPS}


@pytest.fixture(scope="module")
def statistics(data):
    return statistics_of(data)


@pytest.fixture(scope="module")
def few(data):
    """Six dates of each tile: enough to learn from, quick to read."""
    return data.select(s2dates=("2020-01-01", "2020-05-01"))


def test_a_sample_is_radar_index_and_crops(data, statistics):
    pairs = EviPairs(data, statistics, CROPS)
    sample = pairs[0]
    assert sample["radar"].shape == (16, 256, 256)
    assert abs(float(sample["radar"][2].mean())) < 0.5
    assert sample["evi"].shape == sample["known"].shape == sample["crop"].shape == (1, 256, 256)
    assert sample["known"].all()
    np.testing.assert_array_equal(sample["crop"][0], np.isin(data[0].label, sorted(CROPS)))


def test_the_error_falls_and_beats_the_mean(few, statistics, tmp_path):
    test = few.select(splits={"test"})
    errors = []
    for epochs in (1, 3):  # the second goes on from the first's checkpoint
        plan = Plan(epochs=epochs, **SMALL)
        generator = train(few, statistics, tmp_path, plan)
        errors.append(evaluate(generator, test, statistics, plan))
    first, last = (e["mean_absolute_error"] for e in errors)
    assert last < 0.7 * first
    assert last < 0.75 * errors[-1]["mean_absolute_error_of_the_mean"]
    assert errors[-1]["mean_absolute_error_crops"] < 0.8 * errors[-1]["mean_absolute_error_of_the_mean"]


def test_the_error_is_that_of_all_pixels_at_once_though_each_triplet_is_read_once(few, statistics, monkeypatch):
    read, reads = Dataset.read, []
    monkeypatch.setattr(Dataset, "read", lambda self, entry: reads.append(entry) or read(self, entry))
    plan, generator = Plan(**SMALL), Generator(width=4, depth=2)
    found = evaluate(generator, few, statistics, plan)
    assert reads == list(few.entries)
    pairs = EviPairs(few, statistics, CROPS)
    samples = [pairs[k] for k in range(len(pairs))]
    known, evi = (torch.stack([s[key][0] for s in samples]) for key in ("known", "evi"))
    made = torch.stack([predict(generator, s["radar"]) for s in samples])
    assert found["mean_absolute_error"] == pytest.approx(float((made - evi)[known].abs().mean()), rel=1e-5)
    plain = (evi[known].double() - evi[known].double().mean()).abs().mean()
    assert found["mean_absolute_error_of_the_mean"] == pytest.approx(float(plain), rel=1e-5)


@pytest.mark.parametrize("values", [[], [0.3], [-1, 1], [0.1, 0.1, 0.7, -0.9, 1.0]], ids=str)
def test_the_distance_from_the_mean_is_known_without_keeping_the_numbers(values):
    spread = Spread()
    for value in values:
        spread.add(np.array([value], np.float32))
    expected = np.abs(np.array(values) - np.mean(values)).mean() if values else 0
    assert spread.mean_absolute == pytest.approx(expected, abs=1e-6)


def test_a_run_that_was_cut_ends_where_a_whole_one_does(few, statistics, tmp_path):
    part = few.select(s2dates=("2020-01-01", "2020-02-01"))
    whole = train(part, statistics, tmp_path / "whole", Plan(epochs=2, **SMALL))
    train(part, statistics, tmp_path / "cut", Plan(epochs=1, **SMALL))
    cut = train(part, statistics, tmp_path / "cut", Plan(epochs=2, **SMALL))
    for a, b in zip(whole.state_dict().values(), cut.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_losses_count_known_pixels_and_crops_once_more():
    evi = torch.zeros(1, 1, 4, 4)
    made = torch.full((1, 1, 4, 4), 0.5)
    made[..., 0, 0] = 100.0  # not known, so it does not count
    known = torch.ones_like(evi, dtype=torch.bool)
    known[..., 0, 0] = False
    crop = torch.zeros_like(known)
    crop[..., 1, :] = True
    batch = {"evi": evi, "known": known, "crop": crop}
    scores = torch.zeros(1, 1, 2, 2)

    def only(**weights):
        none = {"adversarial": 0, "l1": 0, "l1_crop": 0}
        return float(generator_loss(scores, made, batch, Weights(**none | weights)))

    assert only(l1=100) == pytest.approx(50)
    assert only(l1_crop=10) == pytest.approx(5)
    assert only(adversarial=1) == pytest.approx(np.log(2), abs=1e-6)
    assert float(discriminator_loss(scores + 20, scores - 20)) == pytest.approx(0, abs=1e-6)
    assert float(discriminator_loss(scores - 20, scores + 20)) == pytest.approx(20, abs=1e-3)


def test_the_generator_gives_an_index_of_each_pixel():
    made = Generator(width=4, depth=2)(torch.zeros(2, 16, 64, 64))
    assert made.shape == (2, 1, 64, 64)
    assert made.abs().max() <= 1


def test_the_command_leaves_results_and_a_figure(place, tmp_path):
    import typer

    app = typer.Typer()
    app.command()(main)
    arguments = [str(place), str(tmp_path), "--epochs", "1", "--width", "4", "--depth", "2", "--crops", "1,5,24,36"]
    run = CliRunner().invoke(app, arguments)
    assert run.exit_code == 0, run.output
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["triplets"] == 16
    assert (tmp_path / "figure.png").stat().st_size > 10_000
