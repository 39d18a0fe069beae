"""Where a data set lies: a folder of this machine, or a prefix of an S3 bucket."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pyarrow import fs

from sen12ts_pipeline.errors import ConfigurationError, Retryable

S3_SCHEME = "s3://"
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a data set; may be handed to other processes, each of which then connects for itself.

    Attributes
    ----------
    text : str
        A path, or ``s3://bucket/prefix``; without ``/`` at the end. Buckets are opened with boto3's usual variables
        (``AWS_*``), and without credentials where there are none.
    """

    text: str

    @classmethod
    def of(cls, place: str | Path) -> Place:
        """The place that a path or address names."""
        text = str(place).rstrip("/") or "/"
        if "://" in text and not text.startswith(S3_SCHEME):
            raise ConfigurationError("dataset", "place", "must be a folder or s3://bucket/prefix", text)
        return cls(text)

    def __truediv__(self, name: str) -> Place:
        return Place(f"{self.text}/{name}")

    def read(self, path: str) -> bytes:
        """Content of a file below the place; FileNotFoundError if it is not there, Retryable if it cannot be had."""
        files, root = self._files()
        try:
            with files.open_input_file(f"{root}/{path}") as file:
                body: bytes = file.read()
            return body
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Retryable(f"{self.text}/{path} cannot be read now: {error}") from error

    def stems(self, folder: str, ending: str) -> list[str]:
        """Names, without their ending, of the files of a folder, sorted; empty if there is no such folder."""
        return sorted(
            one.base_name.removesuffix(ending)
            for one in self._list(folder)
            if one.type == fs.FileType.File and one.base_name.endswith(ending)
        )

    def folders(self) -> list[str]:
        """Names of the folders right below the place, sorted."""
        return sorted(one.base_name for one in self._list("") if one.type == fs.FileType.Directory)

    def _list(self, folder: str) -> list[Any]:
        files, root = self._files()
        try:
            selector = fs.FileSelector(f"{root}/{folder}".rstrip("/"), allow_not_found=True)
            found: list[Any] = files.get_file_info(selector)
        except NotADirectoryError:
            return []
        except OSError as error:
            raise Retryable(f"{self.text}/{folder} cannot be listed now: {error}") from error
        return found

    def _files(self) -> tuple[Any, str]:
        if not self.text.startswith(S3_SCHEME):
            return fs.LocalFileSystem(), self.text
        endpoint = next((os.environ[v] for v in ENDPOINT_VARIABLES if os.environ.get(v)), "")
        return _bucket(os.getpid(), endpoint), self.text.removeprefix(S3_SCHEME)


@functools.lru_cache(maxsize=4)
def _bucket(process: int, endpoint: str) -> Any:  # noqa: ANN401, ARG001 - a connection is not shared with a fork
    parts = urlsplit(endpoint)
    options = {"scheme": parts.scheme, "endpoint_override": parts.netloc} if endpoint else {}
    signed = any(
        os.environ.get(v) for v in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
    )
    return fs.S3FileSystem(anonymous=not signed, region=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"), **options)
