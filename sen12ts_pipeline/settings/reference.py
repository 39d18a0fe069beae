"""The page `docs/configuration.md`, made from the model: ``python -m sen12ts_pipeline.settings.reference > PAGE``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sen12ts_pipeline.settings.load import AOIS_VARIABLE, CONFIG_VARIABLE
from sen12ts_pipeline.settings.model import AoiSettings, Settings

_HEAD = f"""# Configuration

Made from `sen12ts_pipeline/settings/model.py` by `python -m sen12ts_pipeline.settings.reference`; do not edit.

Settings of the pipeline are read from the file that `{CONFIG_VARIABLE}` names, else from `config/pipeline.yaml` in the
working folder. Areas are the YAML files of the folder `aois` beside it and of the folders that `{AOIS_VARIABLE}` names
(several are separated as in `PATH`). A relative path in a file counts from that file's folder, in the environment from
the working folder. An unknown key, a wrong type or a value out of bounds stops the program before work begins, with a
message that names the file, the key, what must hold and what was got.

What is unpacked from deflated zips or fetched from a server is kept in a folder of its own until its room is needed:
`SEN12TS_SPOOL` names it (else `acquisition.cache`, else `sen12ts/spool` in the user's cache), `SEN12TS_SPOOL_GB` limits
it (else `acquisition.cache_gb`). Products behind HTTP are asked for with the bearer token in `SEN12TS_HTTP_TOKEN`, if
it is set.
"""


def page() -> str:
    """The whole page, Markdown."""
    parts = [
        _HEAD,
        _section("Pipeline", "config/pipeline.yaml", Settings, "SEN12TS__"),
        _section("Area of interest", "config/aois/NAME.yaml", AoiSettings, "SEN12TS__AOI__NAME__"),
    ]
    return "\n".join(parts)


def _section(title: str, file: str, model: type[BaseModel], prefix: str) -> str:
    rows = "\n".join(_rows(model, ""))
    example = prefix + next(key for key, _ in _leaves(model, "") if "." in key).upper().replace(".", "__")
    head = f"{model.__doc__} File: `{file}`. Environment: `{prefix}` and the key in upper case with `__` for each dot"
    columns = "| key | value | default | meaning |\n| --- | --- | --- | --- |"
    return f"## {title}\n\n{head}, for example `{example}`.\n\n{columns}\n{rows}\n"


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for key, field in _leaves(model, prefix):
        yield f"| `{key}` | {_kind(field)} | {_default(field)} | {field.description} |"


def _leaves(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _leaves(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def _kind(field: FieldInfo) -> str:
    names: dict[type, str] = {dict: "mapping", int: "whole number", float: "number", bool: "true or false"}
    names |= {str: "text", Path: "path"}
    annotation: Any = field.annotation
    parts = [inner for part in get_args(annotation) for inner in (get_args(part) or (part,))]
    choices = [choice for choice in parts if isinstance(choice, str | int)]
    if choices:
        return " or ".join(f"`{choice}`" for choice in choices)
    plain = next((kind for kind in names if kind is annotation or kind.__name__ in str(annotation)), str)
    return ", ".join([names[plain], *_bounds(field)])


def _bounds(field: FieldInfo) -> Iterator[str]:
    words = {
        "gt": "above",
        "ge": "from",
        "lt": "below",
        "le": "to",
        "multiple_of": "multiple of",
        "pattern": "matching",
    }
    for rule in field.metadata:
        for attribute, word in words.items():
            bound = getattr(rule, attribute, None)
            if bound is not None:
                yield f"{word} `{bound}`" if attribute == "pattern" else f"{word} {bound}"


def _default(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "default_text" in extra:
        return str(extra["default_text"])
    if field.default is PydanticUndefined:
        return "must be given"
    if field.default is None:
        return "none"
    if field.default == "":
        return "empty"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


if __name__ == "__main__":
    sys.stdout.write(page())
