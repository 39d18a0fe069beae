"""Names of classes: how two spellings of one name are told to be one, and the codes of the Catalan crop names."""

from __future__ import annotations

import csv
import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from importlib import resources

from sen12ts_pipeline.errors import ConfigurationError

_QUOTES = str.maketrans("", "", "'\"`´’‘“”")
_UNREADABLE = re.compile(r"\?{1,2}|\ufffd{1,2}")
"""One letter that a wrong encoding made unreadable: of its two bytes in UTF-8 either may have been replaced."""
_MISREAD = re.compile("[ÃÂ]")
"""With what nearly every accented letter of UTF-8 begins when it is read as Latin-1."""


def plain(name: str) -> str:
    """A name in the form in which names are compared: capitals without accents and quotation marks, single spaces.

    Accents that are lost because UTF-8 was read as Latin-1 are found again.
    """
    decomposed = unicodedata.normalize("NFKD", _readable(name).translate(_QUOTES))
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return re.sub(r"\s*/\s*", "/", " ".join(letters.upper().split()))


class Codes:
    """Codes by name, whatever the capitals, spaces and accents.

    Parameters
    ----------
    names : mapping of str to int, or pairs of them
        Codes by name.

    Raises
    ------
    ConfigurationError
        When two names that are one by `plain` have different codes.
    """

    def __init__(self, names: Mapping[str, int] | Iterable[tuple[str, int]]) -> None:
        self._codes: dict[str, int] = {}
        for name, code in names.items() if isinstance(names, Mapping) else names:
            if self._codes.setdefault(plain(name), code) != code:
                rule = f"must give one code to the name {name!r}, whatever its capitals and accents"
                raise ConfigurationError("labels", "labels.classes", rule, [self._codes[plain(name)], code])

    @property
    def table(self) -> Mapping[str, int]:
        """Codes by plain name."""
        return self._codes

    def find(self, name: str) -> int | None:
        """Code of a name; a letter that became ``?`` stands for any, if all names that it may be have one code."""
        wanted = plain(name)
        if wanted in self._codes or not _UNREADABLE.search(wanted):
            return self._codes.get(wanted)
        pattern = re.compile(".".join(re.escape(part) for part in _UNREADABLE.split(wanted)))
        found = {code for known, code in self._codes.items() if pattern.fullmatch(known)}
        return found.pop() if len(found) == 1 else None

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Names without a code, sorted."""
        return sorted({name for name in names if self.find(name) is None})

    def __or__(self, other: Codes) -> Codes:
        both = Codes({})
        both._codes = {**self._codes, **other._codes}
        return both


@functools.cache
def dun_codes() -> Codes:
    """Codes of the crops of Catalonia's declarations (DUN), by their Catalan names.

    0 to 170 are those of the published data set; from 1001 on names that it has no code for.
    """
    text = resources.files("sen12ts_pipeline.labels").joinpath("tables", "dun.csv").read_text("utf-8")
    return Codes({row["name"]: int(row["code"]) for row in csv.DictReader(text.splitlines())})


def _readable(name: str) -> str:
    if _MISREAD.search(name):
        for encoding in ("latin-1", "cp1252"):
            try:
                return name.encode(encoding).decode("utf-8")
            except UnicodeError:
                continue
    return name
