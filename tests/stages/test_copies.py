"""An archive of cloud-optimised copies makes the same optical files as one of SAFE products."""

import shutil

from sen12ts_pipeline.acquisition.products import FolderProduct
from tests import worlds
from tests.sentinel2.copies import copy_of


def test_an_archive_of_copies_makes_the_same_stacks(tiny, tmp_path):
    mirrored = worlds.copy(tiny, tmp_path / "mirrored")
    for taken_off, path in enumerate(worlds.products_of(mirrored, "S2")):
        copied = copy_of(FolderProduct(path), tmp_path / "copies", taken_off=bool(taken_off))
        shutil.rmtree(path)
        shutil.move(copied.path, path)
    files = {}
    for name, folder in (("safe", tiny), ("copies", mirrored)):
        services = worlds.services_of(folder, tmp_path / name, area=worlds.area_of(tiny))
        worlds.run(services)
        made = worlds.files_of(tmp_path / name, services.aoi)
        files[name] = {path: body for path, body in made.items() if path.startswith("s2/")}
    assert len(files["safe"]) == 2
    assert files["copies"] == files["safe"]
