"""`sen12ts`: the commands, and how errors are shown."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from sen12ts_pipeline import __version__
from sen12ts_pipeline.cli import auxiliary, dataset, doctor, fetch, science, simulation, state, users
from sen12ts_pipeline.errors import Sen12tsError

EPILOG = "Every command has its own help: sen12ts COMMAND --help."

console = Console(stderr=True, highlight=False)


class _Application(typer.Typer):
    """Shows what went wrong in one line; a stack only with SEN12TS_DEBUG."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - typer's own signature
        try:
            return super().__call__(*args, **kwargs)
        except Sen12tsError as error:
            if os.environ.get("SEN12TS_DEBUG"):
                raise
            console.print("[red]error:[/red]", Text(" ".join(str(error).splitlines())), soft_wrap=True)
            sys.exit(2)


app = _Application(
    name="sen12ts",
    help="Sentinel-1, Sentinel-2 and land-cover triplets for any area and year; one grid of radar layers from raw SLC.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Log what is done, with identities."),
    version: bool = typer.Option(  # noqa: ARG001 - handled by its callback
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, format="%(levelname)s %(name)s: %(message)s")


for _group in (science, fetch, dataset, users, simulation, auxiliary, doctor, state):
    _group.register(app)

if __name__ == "__main__":
    app()
