"""Cloud masks in the stages: of a tile by its scene classes, of a whole granule once for the screen and the stacks."""

import dataclasses
import json
from importlib.util import find_spec

import numpy as np
import pytest

from sen12ts_pipeline.dataset.verify import verify
from sen12ts_pipeline.domain.layers import NODATA, S2_MASK, S2_SCL
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.sentinel2.masks import SclMasker, dilated
from sen12ts_pipeline.stages import optical, screen
from sen12ts_pipeline.stages.match import plan_of
from sen12ts_pipeline.stages.recipes import optical_recipe
from tests import worlds
from tests.stages.watching import Watched


class Blue(SclMasker):
    """Scene classes with one pixel of context, by a masker that also reads blue."""

    bands = ("SCL", "B02")


def screened(folder, store, masker):
    """Services of a world and the first scene, screened with a masker, and what was opened."""
    services = worlds.services_of(folder, store, changes={"masker": masker})
    watch = Watched(services.source)
    services = dataclasses.replace(services, source=watch)
    partition = Partition.parse(worlds.run(services, until="match"))
    plan = plan_of(partition, services)
    scene = plan.scenes[0]
    tiles = screen.work_of(plan, services).scenes[scene.id]
    watch.step = "screen"
    return services, scene, tiles, screen.clouds_of(scene, tiles, services), watch


def stack_of(services, scene, tile):
    optical.make(scene, [tile], services)
    return services.artifacts.get_arrays(optical_recipe(tile, scene, services))


def masks_in(store):
    return [path for path in (store / "_work" / "mask").rglob("*") if path.is_file()]


def test_by_class_alone_no_mask_of_the_granule_is_made(tiny, tmp_path):
    services, scene, (tile,), counts, watch = screened(tiny, tmp_path, SclMasker())
    assert [m.rpartition("_")[0][-3:] for _, m in watch.opened["screen"]] == ["SCL"]
    stack = stack_of(services, scene, tile)[0]["stack"]
    assert counts["invalid"] == {str(tile): int((stack[S2_MASK] == 0).sum())} == {str(tile): 160}
    assert masks_in(tmp_path) == []


@pytest.mark.parametrize("masker", [SclMasker(dilation_m=60), Blue(dilation_m=60)], ids=["classes", "with blue"])
def test_a_granule_is_masked_once_with_just_the_masker_s_bands(tiny, tmp_path, masker, monkeypatch):
    services, scene, (tile,), counts, watch = screened(tiny, tmp_path, masker)
    opened = {m.rpartition("_")[0][-3:] for _, m in watch.opened["screen"]}
    assert opened == set(masker.bands)
    (kept,) = masks_in(tmp_path)
    monkeypatch.setattr(SclMasker, "valid", None)  # the stacks take the mask that is there
    stack = stack_of(services, scene, tile)[0]["stack"]
    assert masks_in(tmp_path) == [kept]
    cloud = np.isin(stack[S2_SCL, ::2, ::2], (3, 8, 9, 10))
    expected = ~np.kron(dilated(cloud, 60), np.ones((2, 2), bool))
    inner = np.s_[6:-6, 6:-6]
    np.testing.assert_array_equal(stack[S2_MASK][inner], expected[inner])
    assert counts["invalid"][str(tile)] == int((stack[S2_MASK] == 0).sum()) > 160


def test_a_mask_that_is_lost_is_made_again(tiny, tmp_path):
    services, scene, (tile,), _, _ = screened(tiny, tmp_path, SclMasker(dilation_m=60))
    (kept,) = masks_in(tmp_path)
    body = kept.read_bytes()
    kept.write_bytes(body[:-100])
    stack_of(services, scene, tile)
    assert kept.read_bytes() == body


def test_a_broken_band_of_the_masker_breaks_the_scene_at_the_screen(tiny, tmp_path):
    world = worlds.copy(tiny, tmp_path / "world")
    for path in worlds.products_of(world, "S2"):
        (image,) = path.rglob("*_B02_10m.jp2")
        worlds.rewrite(image, image.read_bytes()[:-300])
    services, _, _, counts, _ = screened(world, tmp_path / "store", Blue(dilation_m=60))
    assert "_B02_10m.jp2: must be complete" in counts["bad_product"]
    assert len(services.ledger.quarantined()) == 1


@pytest.mark.skipif(find_spec("ukis_csmask") is None, reason="needs the extra cloudmask (make test-applications)")
def test_a_network_masks_a_partition_from_the_screen_to_the_files(tiny, tmp_path):
    from sen12ts_pipeline.sentinel2.csmask import CsmaskMasker

    masker = CsmaskMasker(6, dilation_m=60)
    services, scene, (tile,), counts, watch = screened(tiny, tmp_path, masker)
    assert {m.rpartition("_")[0][-3:] for _, m in watch.opened["screen"]} == set(masker.bands)
    (kept,) = masks_in(tmp_path)
    stack = stack_of(services, scene, tile)[0]["stack"]
    assert masks_in(tmp_path) == [kept]
    assert counts["invalid"][str(tile)] == int((stack[S2_MASK] == 0).sum())
    worlds.run(services)
    items = list((tmp_path / services.aoi / "metadata").glob("*.json"))
    said = [json.loads(p.read_bytes())["properties"]["sen12ts:provenance"]["masker"] for p in items]
    assert said == [masker.identity.as_json()] * 2
    assert verify(tmp_path / services.aoi) == []


def test_clipped_and_saturated_numbers_are_told_in_the_metadata(tiny, tmp_path):
    services, scene, (tile,), _, _ = screened(tiny, tmp_path, SclMasker())
    arrays, notes = stack_of(services, scene, tile)
    assert notes == {"negative": {}, "saturated": {}}
    assert (arrays["stack"][:12] != NODATA).all()
    worlds.run(services)
    items = [p.read_text() for p in (tmp_path / services.aoi / "metadata").glob("*.json")]
    assert items
    assert all('"negative":{},"products":' in text.replace(" ", "").replace("\n", "") for text in items)
