"""Engines and maskers by their names."""

import pytest

from sen12ts_pipeline import wiring
from sen12ts_pipeline.acquisition.products import open_product
from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.settings.model import Settings
from tests import worlds


def test_snap_can_lay_parts_of_products_that_are_not_here(environ, tiny, tmp_path):
    (tmp_path / "gpt").write_text("")
    (tmp_path / "gpt").chmod(0o700)
    snap = {"SEN12TS__ENGINE": "snap", "SEN12TS__SNAP__GPT": str(tmp_path / "gpt")}
    engine = wiring.connect("tiny", environ | snap).engine
    files = open_product(worlds.products_of(tiny, "S1")[0])
    laid = engine.lay(files, {"IW1": range(1)}, ("VV",), tmp_path / "bursts")
    assert [file.name[:14] for file in laid.glob("annotation/*.xml")] == ["s1a-iw1-slc-vv"]


def test_an_area_may_have_a_masker_of_its_own(tiny, tmp_path):
    area, settings = worlds.area_of(tiny), {"store": tmp_path, "clouds": {"dilation_m": 40, "members": ["scl", "scl"]}}
    assert wiring.assemble(Settings(**settings), area).masker.identity.parameters["dilation_m"] == 40
    own = area.model_copy(update={"masker": "consensus"})
    identity = wiring.assemble(Settings(**settings), own).masker.identity
    assert (identity.name, len(identity.parameters["members"])) == ("consensus", 2)


def test_a_masker_without_what_it_needs_is_refused_before_anything_is_made(tiny, tmp_path):
    area = worlds.area_of(tiny)
    with pytest.raises(ConfigurationError, match=r"clouds\.weights: must name files of weights"):
        wiring.assemble(Settings(store=tmp_path, masker="omnicloudmask"), area)
