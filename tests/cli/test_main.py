"""Commands, their help, and how errors are shown."""

import pytest

from sen12ts_pipeline import __version__
from sen12ts_pipeline.cli import main
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Rejected, Retryable

COMMANDS = (
    *("backscatter", "interferogram", "fetch", "card", "export", "run", "plan", "why", "verify", "simulate"),
    *("fetch-aux", "doctor", "gaps", "measure", "reconcile", "gc"),
)
OPTIONS = {
    "backscatter": ("--dem", "--dem-vertical", "--grid", "--out", "--geoid", "--slice", "--spacing"),
    "interferogram": ("--dem", "--dem-vertical", "--grid", "--out", "--geoid", "--pol"),
    "run": ("--year", "--season", "--refresh"),
    "plan": ("--year", "--season"),
    "why": ("--aoi",),
    "verify": (),
    "card": ("--aoi", "--title", "--licence", "--author", "--statistics"),
    "export": ("--from", "--aoi", "--per-shard"),
    "fetch": ("--subswath", "--bursts", "--tile", "--aoi", "--polarisation", "--asf", "--asf-address"),
    "simulate": ("--place",),
    "fetch-aux": ("--labels", "--orbits"),
    "doctor": (),
    "gaps": ("--year", "--fill"),
    "measure": ("--aoi",),
    "reconcile": ("--aoi", "--dry-run", "--digests"),
    "gc": ("--aoi", "--older-than-days", "--artifacts", "--delete"),
}


def test_the_commands_are_these(sen12ts):
    code, out, _ = sen12ts("--help")
    assert code == 0
    assert all(command in out for command in COMMANDS)
    assert {command.name or command.callback.__name__ for command in main.app.registered_commands} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_has_help(command, sen12ts, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")
    code, out, _ = sen12ts(command, "--help")
    assert code == 0
    assert all(option in out for option in OPTIONS[command])
    lines = [line.strip(" │") for line in out.splitlines()]
    for option in OPTIONS[command]:
        told = next(line for line in lines if option in line.split())
        assert len(told.split()) > 3, told


def test_the_version(sen12ts):
    assert sen12ts("--version") == (0, f"{__version__}\n", "")


@pytest.mark.parametrize("arguments", [("sing",), ("run", "tiny"), ("run", "tiny", "--season", "autumn"), ("verify",)])
def test_wrong_usage_is_status_2_and_says_how(arguments, sen12ts):
    code, _, err = sen12ts(*arguments)
    assert code == 2
    assert "Usage" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "error",
    [
        BadProduct("S2A_X", "MTD_TL.xml", "must have one Size[@resolution=10]/NROWS; found 0"),
        BadProduct("S1A_X", "", "lies at [/vsizip/a.zip/x]"),
        ConfigurationError("pipeline.yaml", "store", "must be a path", ["a", "[red]b"]),
        Rejected("no_burst", "EPSG:32611", "no burst of the pass"),
        Retryable("the disk is full:\nfree some space"),
    ],
)
def test_an_error_is_one_line_without_a_stack(error, sen12ts, monkeypatch):
    def broken(*_):
        raise error

    monkeypatch.setattr("sen12ts_pipeline.settings.load.find_aoi", broken)
    code, out, err = sen12ts("run", "tiny", "--season", "fall")
    assert (code, out) == (2, "")
    assert err == f"error: {' '.join(str(error).splitlines())}\n"
    monkeypatch.setenv("SEN12TS_DEBUG", "1")
    with pytest.raises(type(error)):
        main.app(["run", "tiny", "--season", "fall"])
