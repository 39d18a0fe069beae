"""Artifacts: results named by the digest of their recipe, and the container that holds their arrays."""

from __future__ import annotations

import io
import json
import logging
import struct
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sen12ts_pipeline.domain.recipe import Recipe, canonical_json
from sen12ts_pipeline.ports import ObjectKey, ObjectStore, Put

log = logging.getLogger(__name__)

Arrays = dict[str, npt.NDArray[Any]]
T = TypeVar("T")

_NOTES = "notes.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(ValueError, KeyError, NotImplementedError, RuntimeError),
)
"""What reading a damaged body raises, from the zip, its members or the JSON in it."""


class Artifacts:
    """Puts and gets artifacts; one that cannot be read is deleted, and from then on absent.

    Attributes
    ----------
    twins : int
        Writes that found other bytes under their recipe: a result that is not reproducible. The first one stays.
    damaged : int
        Artifacts that could not be read and were deleted.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.twins = 0
        self.damaged = 0
        self._counting = threading.Lock()

    def present(self, recipe: Recipe) -> bool:
        """Whether the result of a recipe is there."""
        return self.store.exists(_key(recipe))

    def missing(self, recipes: Iterable[Recipe]) -> list[Recipe]:
        """Recipes whose results are not there, in the order given."""
        return [recipe for recipe in recipes if not self.present(recipe)]

    def put_arrays(self, recipe: Recipe, arrays: Mapping[str, npt.NDArray[Any]], notes: Mapping[str, Any]) -> Put:
        """Store arrays, of any shape and plain dtype, with notes (JSON values)."""
        return self._put(recipe, pack(arrays, notes), unpack)

    def get_arrays(self, recipe: Recipe) -> tuple[Arrays, dict[str, Any]]:
        """Arrays and notes of a recipe; KeyError if they are not there, or damaged and therefore not there any more."""
        return self._get(recipe, unpack)

    def put_json(self, recipe: Recipe, value: Any) -> Put:  # noqa: ANN401 - any JSON value
        """Store a JSON value."""
        return self._put(recipe, canonical_json(value), json.loads)

    def get_json(self, recipe: Recipe) -> Any:  # noqa: ANN401 - any JSON value
        """JSON value of a recipe; KeyError if it is not there, or damaged and therefore not there any more."""
        return self._get(recipe, json.loads)

    def remember(self, recipe: Recipe, compute: Callable[[], Any]) -> Any:  # noqa: ANN401 - any JSON value
        """JSON value of a recipe, computed and stored if it is not there."""
        try:
            return self.get_json(recipe)
        except KeyError:
            value = compute()
            self.put_json(recipe, value)
            return value

    def _put(self, recipe: Recipe, body: bytes, read: Callable[[bytes], object]) -> Put:
        key = _key(recipe)
        put = self.store.put_if_absent(key, body)
        if put is Put.DIFFERENT and not self._readable(recipe, read):
            put = self.store.put_if_absent(key, body)
        if put is Put.DIFFERENT:
            with self._counting:
                self.twins += 1
            log.warning("a twin with other bytes was not stored", extra={"key": key, "bytes": len(body)})
        return put

    def _readable(self, recipe: Recipe, read: Callable[[bytes], object]) -> bool:
        try:
            self._get(recipe, read)
        except KeyError:
            return False
        return True

    def _get(self, recipe: Recipe, read: Callable[[bytes], T]) -> T:
        key = _key(recipe)
        body = self.store.get(key)
        try:
            return read(body)
        except DAMAGE as error:
            self.store.delete(key)
            with self._counting:
                self.damaged += 1
            log.error("a damaged artifact was deleted", extra={"key": key, "reason": str(error)})
            raise KeyError(key) from error


def pack(arrays: Mapping[str, npt.NDArray[Any]], notes: Mapping[str, Any]) -> bytes:
    """One body of arrays and notes; equal contents give equal bytes on every machine.

    The body is an uncompressed zip (compressors differ between versions) with fixed times and sorted members: an array
    is ``<name>.npy``, little-endian and in C order, the notes are canonical JSON. The zip's checksums tell damage.
    """
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_STORED) as container:
        for name in sorted(arrays):
            container.writestr(_member(f"{name}.npy"), _npy(arrays[name]))
        container.writestr(_member(_NOTES), canonical_json(dict(notes)))
    return body.getvalue()


def unpack(body: bytes) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and notes of a body; an error of the zip or array format if it is damaged."""
    arrays: Arrays = {}
    with zipfile.ZipFile(io.BytesIO(body)) as container:
        for name in container.namelist():
            if name != _NOTES:
                arrays[name.removesuffix(".npy")] = np.load(io.BytesIO(container.read(name)), allow_pickle=False)
        notes = json.loads(container.read(_NOTES))
    return arrays, notes


def _npy(array: npt.NDArray[Any]) -> bytes:
    plain = np.asarray(array, order="C")
    plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    body = io.BytesIO()
    np.lib.format.write_array(body, plain, version=(1, 0), allow_pickle=False)
    return body.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


def _key(recipe: Recipe) -> ObjectKey:
    return ObjectKey(recipe.key)
