"""`python -m applications.crops STORE FOLDER`: classifiers from S1, S2 and both, compared on the part ``test``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from applications import runs
from applications.crops.figure import figure
from applications.crops.model import Inputs
from applications.crops.samples import CropSeries, most_frequent
from applications.crops.train import Plan, evaluate, train
from sen12ts_pipeline.dataset import open_dataset
from sen12ts_pipeline.dataset.classes import classes_of
from sen12ts_pipeline.dataset.statistics import statistics_of


def main(
    store: Annotated[str, typer.Argument(help="STORE or STORE/<aoi>, a folder or s3://bucket/prefix.")],
    folder: Annotated[Path, typer.Argument(help="Checkpoints, results and figures; a run there goes on.")],
    table: Annotated[str, typer.Option(help="Class table of the labels: cdl, worldcover or sigpac.")] = "",
    classes: Annotated[int, typer.Option(help="How many of the most frequent classes.")] = 10,
    epochs: int = Plan().epochs,
    batch: int = Plan().batch,
    width: int = Plan().width,
    depth: int = Plan().depth,
    seed: int = Plan().seed,
    timesteps: int = Plan().timesteps,
    workers: int = 0,
) -> None:
    """Classify crops from a year's series."""
    plan = Plan(epochs, batch, width, depth, seed, workers, timesteps)
    data = open_dataset(store).select(per_tile=(timesteps, timesteps))
    statistics, codes = statistics_of(data), most_frequent(data.select(splits={"train"}), classes)
    training, test = (
        CropSeries(data.select(splits={part}), statistics, codes, folder / "cache", timesteps)
        for part in ("train", "test")
    )
    names = [classes_of(codes, table)[code].name for code in codes]
    results = {}
    for inputs in Inputs:
        model = train(training, inputs, len(codes), folder / inputs, plan)
        results[str(inputs)] = evaluate(model, test, codes, batch)
        picture = figure(results[str(inputs)]["confusion"], names, f"Crops from {inputs}, percent of each class")
        picture.save(folder / f"confusion-{inputs}.png")
    runs.write_results(folder, results)


if __name__ == "__main__":
    typer.run(main)
