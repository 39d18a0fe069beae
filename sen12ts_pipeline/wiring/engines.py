"""SNAP's engine and cloud maskers, whose packages are read only where they are used."""

from __future__ import annotations

import functools
from pathlib import Path

from sen12ts_pipeline.acquisition.small_safe import write_small
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.ports import CloudMasker, SarEngine
from sen12ts_pipeline.sar.native.engine import NativeEngine
from sen12ts_pipeline.sentinel2.masks import Consensus, SclMasker
from sen12ts_pipeline.settings.model import CloudSettings, Settings


def snap(settings: Settings, native: NativeEngine) -> SarEngine:
    """SNAP's operators behind the native geometry; its modules are read only where they are used."""
    from sen12ts_pipeline.sar.snap.engine import SnapEngine, SnapOptions
    from sen12ts_pipeline.sar.snap.gpt import Gpt
    from sen12ts_pipeline.sar.snap.installation import find_gpt
    from sen12ts_pipeline.sar.snap.operators import Release

    s = settings.snap
    program = Gpt(find_gpt(s.gpt), s.memory_gb, s.cache_gb, s.threads, 60 * s.time_limit_minutes, s.userdir)
    options = SnapOptions(Release.parse(s.release), s.quantity, s.esd)
    lay = functools.partial(write_small, context=False)
    return SnapEngine(native, program, s.scratch or _scratch(settings), options, keep_gb=s.keep_gb, lay=lay)


def _scratch(settings: Settings) -> Path:
    if isinstance(settings.store, str):
        raise ConfigurationError("settings", "snap.scratch", "must be set for a store in a bucket", None)
    return settings.store / "_work" / "snap"


def masker(name: str, clouds: CloudSettings) -> CloudMasker:
    """A cloud masker by its name; the packages of networks are read only where they are used."""
    if name == "consensus":
        return Consensus([masker(member, clouds) for member in clouds.members], clouds.votes)
    if name == "ukis-csmask":
        from sen12ts_pipeline.sentinel2.csmask import CsmaskMasker

        return CsmaskMasker(clouds.csmask_bands, clouds.dilation_m)
    if name == "omnicloudmask":
        from sen12ts_pipeline.sentinel2.omnicloud import OmniCloudMasker

        return OmniCloudMasker(clouds.weights, clouds.dilation_m)
    return SclMasker(clouds.invalid_classes, clouds.dilation_m)
