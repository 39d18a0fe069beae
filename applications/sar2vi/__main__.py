"""`python -m applications.sar2vi STORE FOLDER`: train, evaluate on the part ``test``, draw the figure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from applications import runs
from applications.sar2vi.figure import figure
from applications.sar2vi.samples import EviPairs
from applications.sar2vi.train import Plan, evaluate, predict, train
from sen12ts_pipeline.dataset import open_dataset
from sen12ts_pipeline.dataset.statistics import statistics_of

SHOWN = 4


def main(
    store: Annotated[str, typer.Argument(help="STORE or STORE/<aoi>, a folder or s3://bucket/prefix.")],
    folder: Annotated[Path, typer.Argument(help="Checkpoint, results and figure; a run there goes on.")],
    epochs: int = Plan().epochs,
    batch: int = Plan().batch,
    width: int = Plan().width,
    depth: int = Plan().depth,
    rate: float = Plan().rate,
    seed: int = Plan().seed,
    workers: int = 0,
    crops: Annotated[str, typer.Option(help="Codes of cropland, comma separated; those of the CDL by default.")] = "",
) -> None:
    """Predict the vegetation index from radar."""
    codes = frozenset(int(c) for c in crops.split(",")) if crops else Plan().crops
    plan = Plan(epochs, batch, width, depth, rate, seed, workers, codes)
    data = open_dataset(store)
    statistics = statistics_of(data)
    generator = train(data, statistics, folder, plan)
    test = data.select(splits={"test"})
    runs.write_results(folder, evaluate(generator, test, statistics, plan))
    pairs = EviPairs(test[:SHOWN], statistics, codes)
    made = [predict(generator, pairs[k]["radar"]).numpy() for k in range(len(pairs))]
    figure(list(test[:SHOWN]), made).save(folder / "figure.png")


if __name__ == "__main__":
    typer.run(main)
