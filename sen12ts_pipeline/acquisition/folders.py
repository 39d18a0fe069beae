"""Files of a product that is unpacked in a folder of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sen12ts_pipeline.acquisition.names import is_litter, missing, product_name, refuse_large, safe_parts
from sen12ts_pipeline.errors import BadProduct, Retryable

_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)


class FolderProduct:
    """A product unpacked in a folder.

    Parameters
    ----------
    path : Path
        The folder, with or without ``.SAFE`` at the end of its name.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path).absolute()

    def __repr__(self) -> str:
        return f"FolderProduct({str(self.path)!r})"

    @property
    def product(self) -> str:
        """Name without ``.SAFE``."""
        return product_name(self.path)

    def members(self) -> tuple[str, ...]:
        """Paths of the files inside the product, with ``/``, sorted."""
        if not self.path.is_dir():
            raise BadProduct(self.product, "", f"is not there any more: no folder {self.path}")
        return tuple(sorted(file.relative_to(self.path).as_posix() for file in self._files()))

    def read(self, member: str) -> bytes:
        """Whole content of a small file; BadProduct if it is missing or unreadable."""
        path = self._path(member)
        try:
            refuse_large(self.product, member, path.stat().st_size)
            return path.read_bytes()
        except _ABSENT as error:
            raise BadProduct(self.product, member, f"must be a readable file: {error.strerror}") from error
        except OSError as error:
            raise Retryable(f"{path} cannot be read now: {error.strerror}") from error

    @contextmanager
    def held(self, member: str) -> Iterator[str]:
        """Path of the file; BadProduct if it is missing."""
        yield str(self._present(member))

    def extent(self, member: str, start: int, length: int) -> tuple[Path, int]:  # noqa: ARG002 - all of it is here
        """The file itself and the place asked for; BadProduct if it is missing."""
        return self._present(member), start

    def _present(self, member: str) -> Path:
        path = self._path(member)
        if not path.is_file():
            raise missing(self.product, member)
        return path

    def _path(self, member: str) -> Path:
        return self.path.joinpath(*safe_parts(self.product, member))

    def _files(self) -> Iterator[Path]:
        for parent, folders, files in os.walk(self.path, followlinks=True):
            folders[:] = [name for name in folders if not is_litter(name)]
            yield from (Path(parent, name) for name in files if not is_litter(name))
