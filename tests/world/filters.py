"""The ``$filter`` of OData as the Copernicus Data Space understands it: a predicate of entries.

Comparisons with eq, ne, lt, le, gt, ge; and, or, not, parentheses; contains, startswith, endswith;
``OData.CSC.Intersects(area=geography'SRID=4326;<WKT>')``; ``Attributes/OData.CSC.<T>Attribute/any(att:...)``. What is
not of this grammar is a ValueError, not a shorter list.
"""

import operator
import re
from datetime import UTC, datetime

import shapely
from shapely.geometry import shape

_TOKEN = re.compile(r"\s*(geography'[^']*'|'[^']*'|[(),=]|[^\s(),=']+)")
_COMPARE = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
}  # fmt: skip
_TEXT = {
    "contains": lambda whole, part: part in whole,
    "startswith": lambda whole, part: whole.startswith(part),
    "endswith": lambda whole, part: whole.endswith(part),
}


def parsed(said):
    """Predicate of a filter; ValueError where it is not understood."""
    return _Parser(_tokens(said)).whole()


def _tokens(said):
    found, at = [], 0
    while said[at:].strip():
        match = _TOKEN.match(said, at)
        if not match:
            raise ValueError(said[at : at + 40])
        found.append(match[1])
        at = match.end()
    return found


class _Parser:
    def __init__(self, tokens):
        self._tokens, self._at = tokens, 0

    def whole(self):
        holds = self._or()
        if self._at != len(self._tokens):
            raise ValueError(f"{self._tokens[self._at]!r} was not expected")
        return holds

    def _next(self, expected=None):
        if self._at == len(self._tokens) or expected not in (None, self._tokens[self._at]):
            raise ValueError(f"{expected or 'more'!r} was expected")
        self._at += 1
        return self._tokens[self._at - 1]

    def _peek(self):
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _or(self):
        parts = [self._and()]
        while self._peek() == "or":
            self._next()
            parts.append(self._and())
        return lambda entry: any(part(entry) for part in parts)

    def _and(self):
        parts = [self._one()]
        while self._peek() == "and":
            self._next()
            parts.append(self._one())
        return lambda entry: all(part(entry) for part in parts)

    def _one(self):
        word = self._next()
        if word == "not":
            inner = self._one()
            return lambda entry: not inner(entry)
        if word == "(":
            inner = self._or()
            self._next(")")
            return inner
        if word in _TEXT:
            return self._text(word)
        if word == "OData.CSC.Intersects":
            return self._intersects()
        if re.fullmatch(r"Attributes/OData\.CSC\.\w+Attribute/any", word):
            return self._any()
        return self._compare(word)

    def _text(self, word):
        self._next("(")
        field = self._next()
        self._next(",")
        part = _value(self._next())
        self._next(")")
        return lambda entry: _TEXT[word](str(entry[field]), part)

    def _intersects(self):
        self._next("(")
        self._next("area")
        self._next("=")
        area = shapely.from_wkt(re.fullmatch(r"geography'SRID=4326;(.*)'", self._next())[1])
        self._next(")")
        if area is None or not area.is_valid:
            raise ValueError("the geometry is not valid")
        return lambda entry: entry["GeoFootprint"] is not None and shape(entry["GeoFootprint"]).intersects(area)

    def _any(self):
        self._next("(")
        name = self._next()
        if not name.startswith("att:"):
            raise ValueError(name)
        self._tokens[self._at - 1] = name.removeprefix("att:")
        self._at -= 1
        inner = self._or()
        self._next(")")
        return lambda entry: any(inner({"Name": a["Name"], "Value": a["Value"]}) for a in entry["Attributes"])

    def _compare(self, field):
        word = self._next()
        if word not in _COMPARE:
            raise ValueError(f"{word!r} is no comparison")
        value = _value(self._next())
        return lambda entry: _holds(word, _field(entry, field), value)


def _holds(word, has, value):
    if isinstance(value, datetime) and isinstance(has, str):
        has = datetime.fromisoformat(has)
    if isinstance(has, bool) != isinstance(value, bool) or isinstance(has, str) != isinstance(value, str):
        return False  # attributes of one name have one type, others are passed over
    return _COMPARE[word](has, value)


def _field(entry, path):
    """Value of ``ContentDate/Start``, or ``Value`` of an attribute of any type."""
    path = re.sub(r"^att/(OData\.CSC\.\w+Attribute/)?", "", path)
    value = entry
    for key in path.split("/"):
        if key not in value:
            raise ValueError(f"there is no property {path!r}")
        value = value[key]
    return value


def _value(said):
    quoted = re.fullmatch(r"'(.*)'", said)
    text = quoted[1] if quoted else said
    if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z?", text):
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    if quoted:
        return text
    if said in ("true", "false"):
        return said == "true"
    return float(said)
