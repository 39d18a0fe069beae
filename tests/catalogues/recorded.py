"""Recorded answers of real archives; see tests/data/catalogues/README.md."""

import functools
import json
import zipfile
from pathlib import Path

ZIP = Path(__file__).parents[1] / "data/catalogues/recorded.zip"


@functools.cache
def _bytes(name):
    with zipfile.ZipFile(ZIP) as held:
        return held.read(name)


def text(name):
    """Bytes of a recorded file."""
    return _bytes(name)


def answer(name):
    """A recorded JSON file; of one that holds requests and answers, the body of the only or last answer."""
    value = json.loads(_bytes(name))
    last = value[-1] if isinstance(value, list) and value and "response" in value[-1] else value
    return last["response"]["body"] if isinstance(last, dict) and "response" in last else last


def answers(name):
    """Bodies of all answers of a recorded file, in their order."""
    return [pair["response"]["body"] for pair in json.loads(_bytes(name))]
