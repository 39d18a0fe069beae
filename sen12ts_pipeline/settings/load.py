"""Where settings come from: YAML files and the environment. Whatever is wrong there is said with file and key."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.settings.model import AOI_NAME, AOI_NAME_RULE, S3_SCHEME, AoiSettings, Options, Settings

CONFIG_VARIABLE = "SEN12TS_CONFIG"
AOIS_VARIABLE = "SEN12TS_AOIS"
PREFIX = "SEN12TS__"
AOI_PREFIX = "SEN12TS__AOI__"
CONFIG_FILE = Path("config/pipeline.yaml")
AOI_FOLDER = "aois"

_RULES = {
    "missing": "must be given",
    "path_type": "must be a path",
    "model_type": "must be a mapping of keys to values",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
}
"""What must hold, in our words, by pydantic's type of error."""

M = TypeVar("M", bound=Options)


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings of the pipeline: the file, then the environment over it, then the defaults.

    Parameters
    ----------
    path : Path, optional
        The file; without it the one that ``SEN12TS_CONFIG`` names, or ``config/pipeline.yaml`` in the working folder.
    environ : mapping
        ``SEN12TS__RULES__MAX_CLOUD_PERCENT=5`` sets ``rules.max_cloud_percent``.

    Raises
    ------
    ConfigurationError
        Naming the file or variable, the dotted key, what must hold and what was got.
    """
    file = path or config_path(environ)
    values, base = (_read_yaml(file), file.parent) if file else ({}, Path.cwd())
    names = {n: n.removeprefix(PREFIX) for n in environ if n.startswith(PREFIX) and not n.startswith(AOI_PREFIX)}
    return _build(Settings, values, source=str(file or "settings"), base=base, environ=environ, names=names)


def load_aoi(path: Path, environ: Mapping[str, str] = os.environ) -> AoiSettings:
    """Settings of an area: its file, then the environment over it, then the defaults.

    Parameters
    ----------
    path : Path
        YAML file; its name without the extension is the area's name.
    environ : mapping
        ``SEN12TS__AOI__IOWA__CATALOGUE__ROOT=/archive`` sets ``catalogue.root`` of the area iowa; a ``-`` in the area's
        name is written ``_``.

    Raises
    ------
    ConfigurationError
        As `load_settings`.
    """
    path = Path(path).absolute()
    prefix = f"{AOI_PREFIX}{path.stem.upper().replace('-', '_')}__"
    names = {name: name.removeprefix(prefix) for name in environ if name.startswith(prefix)}
    values = _read_yaml(path)
    aoi = _build(AoiSettings, values, source=str(path), base=path.parent, environ=environ, names=names)
    if aoi.name != path.stem:
        raise ConfigurationError(str(path), "name", f"must be the file's name, {path.stem!r}", aoi.name)
    return aoi


def config_path(environ: Mapping[str, str] = os.environ) -> Path | None:
    """File of the pipeline's settings: ``SEN12TS_CONFIG``, else ``config/pipeline.yaml`` if there is one here."""
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named).absolute()
    return CONFIG_FILE.absolute() if CONFIG_FILE.is_file() else None


def aoi_folders(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Folders of areas: ``aois`` beside the pipeline's settings, then those that ``SEN12TS_AOIS`` names."""
    beside = (config_path(environ) or CONFIG_FILE.absolute()).parent / AOI_FOLDER
    more = [Path(text).absolute() for text in environ.get(AOIS_VARIABLE, "").split(os.pathsep) if text]
    return tuple(dict.fromkeys([beside, *more]))


def list_aois(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Settings files of the areas in some folders, sorted by name; a folder that is not there has none.

    Raises
    ------
    ConfigurationError
        When two folders have an area of one name.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        for file in sorted(file for file in Path(folder).glob("*.y*ml") if file.suffix in {".yaml", ".yml"}):
            first = found.setdefault(file.stem, file)
            if first != file:
                rule = f"must be the only area of this name; there is {first} too"
                raise ConfigurationError(str(file), "name", rule, file.stem)
    return tuple(found[name] for name in sorted(found))


def find_aoi(name: str, environ: Mapping[str, str] = os.environ) -> AoiSettings:
    """Settings of the area of a name, from the folders of areas; ConfigurationError if there is none."""
    files = {file.stem: file for file in list_aois(aoi_folders(environ))}
    if name not in files:
        folders = ", ".join(str(folder) for folder in aoi_folders(environ))
        raise ConfigurationError(folders, "area", f"must be one of {', '.join(files)}{_hint(name, files)}", name)
    return load_aoi(files[name], environ)


def adhoc_aoi(boundary: Path, **values: Any) -> AoiSettings:  # noqa: ANN401 - checked by the model
    """Settings of an area that is nothing but a GeoJSON file: the file's name without extension is the area's name.

    Parameters
    ----------
    boundary : Path
        The file.
    **values
        ``year``, ``labels`` and whatever else is not left at its default.

    Raises
    ------
    ConfigurationError
        When the file is not there, its name cannot name an area, or a value is wrong.
    """
    boundary = Path(boundary).absolute()
    if not re.match(AOI_NAME, boundary.stem):
        raise ConfigurationError(str(boundary), "name", f"the file's name {AOI_NAME_RULE}", boundary.stem)
    if not boundary.is_file():
        raise ConfigurationError(str(boundary), "boundary", "must be a GeoJSON file; there is none", str(boundary))
    whole = {"name": boundary.stem, "boundary": str(boundary), **values}
    return _build(AoiSettings, whole, source=f"area {boundary.stem}", base=Path.cwd(), environ={}, names={})


def write_aoi(aoi: AoiSettings, folder: Path) -> Path:
    """Write an area's settings as a YAML file that `load_aoi` reads, with absolute paths; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{aoi.name}.yaml"
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(yaml.safe_dump(aoi.model_dump(mode="json"), sort_keys=False, allow_unicode=True), "utf-8")
    temporary.replace(file)
    return file


class _Loader(yaml.SafeLoader):
    """YAML without objects of Python, and without keys that are given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(str(path), "the file", f"must be readable: {reason}", str(path)) from error
    try:
        values = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise ConfigurationError(
            str(path), "the file", f"must be YAML: {_one_line(error)}", _line(text, error)
        ) from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigurationError(str(path), "the file", "must be a mapping of keys to values", values)
    return values


def _build(
    model: type[M],
    values: dict[str, Any],
    *,
    source: str,
    base: Path,
    environ: Mapping[str, str],
    names: Mapping[str, str],
) -> M:
    """Validate values with those of the environment over them; `names` maps a variable to the key it sets."""
    origins: dict[str, str] = {}
    for variable, name in sorted(names.items()):
        keys = [key.lower() for key in name.split("__")]
        value = _environment_value(model, keys, environ[variable])
        values = _with(values, keys, value)
        origins[".".join(keys)] = variable
    try:
        return model.model_validate(values, context={"base": base})
    except ValidationError as error:
        raise _explained(model, error, source, origins) from None


def _environment_value(model: type[BaseModel], keys: list[str], text: str) -> object:
    """Text of a variable: empty or ``null`` is nothing; a path counts from the working folder, not from the file's."""
    if text in {"", "null"}:
        return None
    field = _field_annotation(model, keys)
    if "Path" in str(field) and not text.startswith(S3_SCHEME):
        return str(Path(text).expanduser().absolute())
    return text


def _field_annotation(model: type[BaseModel], keys: list[str]) -> object:
    annotation: object = model
    for key in keys:
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return None
        field = annotation.model_fields.get(key)
        annotation = field.annotation if field else None
    return annotation


def _with(values: Mapping[str, Any], keys: list[str], value: object) -> dict[str, Any]:
    """Copy of nested mappings with one value set."""
    first, *rest = keys
    inner = values.get(first)
    new = _with(inner if isinstance(inner, dict) else {}, rest, value) if rest else value
    return {**values, first: new}


def _explained(
    model: type[BaseModel], error: ValidationError, source: str, origins: Mapping[str, str]
) -> ConfigurationError:
    details = error.errors(include_url=False)
    first = details[0]
    key = ".".join(str(part) for part in first["loc"])
    rule = _rule(model, first)
    if len(details) > 1:
        rule += f" (and {len(details) - 1} more: {', '.join(_dotted(d) for d in details[1:])})"
    variables = [variable for name, variable in origins.items() if f"{name}.".startswith(f"{key}." if key else "")]
    return ConfigurationError(variables[0] if variables else source, key or "the file", rule, _got(first))


def _dotted(detail: ErrorDetails) -> str:
    return ".".join(str(part) for part in detail["loc"])


def _rule(model: type[BaseModel], detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        *parents, key = (str(part) for part in detail["loc"])
        known = _fields(model, parents)
        return f"is not a setting{_hint(key, known) or '; there are ' + ', '.join(known)}"
    if detail["type"] == "string_pattern_mismatch" and detail["ctx"]["pattern"] == AOI_NAME:
        return AOI_NAME_RULE
    if detail["type"] in _RULES:
        return _RULES[detail["type"]]
    text = detail["msg"].removeprefix("Value error, ")
    return re.sub(r"^Input should be", "must be", re.sub(r"^(String|Input) should", "must", text))


def _got(detail: ErrorDetails) -> object:
    if detail["type"] == "missing":
        return "nothing"
    value = detail["input"]
    return value.model_dump() if isinstance(value, BaseModel) else value


def _fields(model: type[BaseModel], keys: list[str]) -> list[str]:
    annotation = _field_annotation(model, keys)
    return list(annotation.model_fields) if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _one_line(error: yaml.YAMLError) -> str:
    return " ".join(str(error).split())


def _line(text: str, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    lines = text.splitlines()
    return lines[mark.line].strip() if mark and mark.line < len(lines) else text[:80]
