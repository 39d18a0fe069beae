"""Providers by their names: where they are, how one is let in, and at which gate one queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from sen12ts_pipeline.acquisition.homes import user_cache
from sen12ts_pipeline.acquisition.provider import Access, Anyone, Bearer, Provider, S3Access
from sen12ts_pipeline.acquisition.tokens import FOLDER_VARIABLE, SignedAddresses, TokenAccess
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import OPEN_GATE, Gate

CDSE_TOKENS = "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token"
SIGNATURES = "https://planetarycomputer.microsoft.com/api/sas/v1/token/sentinel-2-l2a"
"""Gives signatures of addresses to anyone."""
CDSE_TOKENS_URL, CDSE_S3_URL, SIGNATURES_URL = "cdse_tokens", "cdse_s3", "planetary_computer_tokens"
"""Names of addresses in `catalogue.urls`."""
CDSE_CLIENT = "cdse-public"
CDSE_S3 = "https://eodata.dataspace.copernicus.eu"
CDSE_USER, CDSE_PASSWORD = "SEN12TS_CDSE_USER", "SEN12TS_CDSE_PASSWORD"
CDSE_KEY, CDSE_SECRET = "SEN12TS_CDSE_S3_KEY", "SEN12TS_CDSE_S3_SECRET"
EARTHDATA_TOKEN = "SEN12TS_EARTHDATA_TOKEN"  # noqa: S105 - its name

Make = Callable[[Mapping[str, str], Gate, Path, Mapping[str, str]], Provider]


def connect(
    name: str,
    environ: Mapping[str, str],
    gate: Gate = OPEN_GATE,
    folder: Path | None = None,
    urls: Mapping[str, str] | None = None,
) -> Provider:
    """A provider; nothing is asked yet.

    Parameters
    ----------
    name : str
        One of `PROVIDERS`.
    environ : mapping
        Variables with credentials: the environment, or what stands for it.
    gate : Gate
        At which its requests queue.
    folder : Path, optional
        Where tokens are kept for all processes of the machine; by default the one that ``SEN12TS_TOKENS`` names, else
        one in the user's cache.
    urls : mapping, optional
        Addresses that differ from the usual ones: `CDSE_S3_URL`, `CDSE_TOKENS_URL` and `SIGNATURES_URL`.

    Raises
    ------
    ConfigurationError
        When there is no such provider, or one of two credentials that belong together is missing.
    """
    if name not in PROVIDERS:
        rule = f"must be one of {', '.join(sorted(PROVIDERS))}"
        raise ConfigurationError("provider", "name", rule, name)
    return PROVIDERS[name](environ, gate, folder or _cache(environ), urls or {})


def _cdse(environ: Mapping[str, str], gate: Gate, folder: Path, urls: Mapping[str, str]) -> Provider:
    variables, keys = f"{CDSE_USER} and {CDSE_PASSWORD}", f"{CDSE_KEY} and {CDSE_SECRET}"
    user, password = _both(environ, CDSE_USER, CDSE_PASSWORD)
    key, secret = _both(environ, CDSE_KEY, CDSE_SECRET)
    tokens, server = urls.get(CDSE_TOKENS_URL, CDSE_TOKENS), urls.get(CDSE_S3_URL, CDSE_S3)
    access: Access = Anyone()
    if user:
        access = TokenAccess(tokens, CDSE_CLIENT, user, password, folder, gate=gate, variables=variables)
    s3 = S3Access(server, "default", "path", key, secret, variables=keys if key else f"{keys}, or AWS_*")
    return Provider("cdse", access, s3, gate, variables)


def _asf(environ: Mapping[str, str], gate: Gate, folder: Path, urls: Mapping[str, str]) -> Provider:  # noqa: ARG001 - of the table
    token = environ.get(EARTHDATA_TOKEN, "").strip()
    access: Access = Bearer(token) if token else Anyone()
    return Provider("asf", access, S3Access(region="us-west-2"), gate, EARTHDATA_TOKEN)


def _planetary_computer(
    environ: Mapping[str, str],  # noqa: ARG001 - of the table
    gate: Gate,
    folder: Path,
    urls: Mapping[str, str],
) -> Provider:
    access = SignedAddresses(urls.get(SIGNATURES_URL, SIGNATURES), folder, gate=gate)
    return Provider("planetary_computer", access, S3Access(), gate, "nothing (it is open to all)")


def _open_to_all(name: str, region: str) -> Make:
    """A provider of what is open to all; `region` is that of its buckets."""

    def make(environ: Mapping[str, str], gate: Gate, folder: Path, urls: Mapping[str, str]) -> Provider:  # noqa: ARG001
        s3 = S3Access(region=region, unsigned=True, variables="nothing (the bucket is open to all)")
        return Provider(name, Anyone(), s3, gate, "nothing (it is open to all)")

    return make


PROVIDERS: Mapping[str, Make] = {
    "cdse": _cdse,
    "asf": _asf,
    "aws": _open_to_all("aws", "us-west-2"),
    "earth_search": _open_to_all("earth_search", "us-west-2"),
    "planetary_computer": _planetary_computer,
}
"""How each provider is connected."""


def _both(environ: Mapping[str, str], one: str, other: str) -> tuple[str, str]:
    """Two values that belong together, or two empty texts."""
    values = environ.get(one, "").strip(), environ.get(other, "")
    if bool(values[0]) != bool(values[1]):
        missing, there = (one, other) if values[1] else (other, one)
        raise ConfigurationError("environment", missing, f"must be set where {there} is", None)
    return values


def _cache(environ: Mapping[str, str]) -> Path:
    return Path(environ.get(FOLDER_VARIABLE) or user_cache(environ) / "tokens")
