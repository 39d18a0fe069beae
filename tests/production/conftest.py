"""One production stack for all tests of this folder, and its areas; everything is skipped where a part is missing."""

import os
import shutil

import pytest

from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.settings.load import write_aoi
from sen12ts_pipeline.state.ledger import SqlLedger
from sen12ts_pipeline.state.s3 import S3Store
from sen12ts_pipeline.state.s3_server import S3Options
from tests import servers, worlds
from tests.production import stack as production

FALL = "2023-fall"
POISONED = "20230928"
"""Date of the product that crashes its reader."""
AREAS = ("tall", "outages", "weather", "killed", "short", "crashed", "twice", "skewed")
"""Every area is the same place, with a store of its own: their data sets must be equal, file by file."""


@pytest.fixture(scope="session")
def tall(tmp_path_factory):
    """Archive of two tiles whose four slots are all taken in one and three in the other."""
    return worlds.world("tall", tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def expected(tall, tmp_path_factory):
    """What the embedded default makes of the place: a folder with its ledger in SQLite."""
    store = tmp_path_factory.mktemp("embedded")
    services = worlds.services_of(tall, store)
    worlds.run(services)
    return store


@pytest.fixture(scope="session")
def stack(tall, tmp_path_factory):
    """The running services, with an area for each drill."""
    for name in ("redis-server", "redis-cli"):
        if not shutil.which(name):
            pytest.skip(f"needs {name} (apt-get install redis-server)")
    if not servers.postgresql() or not servers.seaweed():
        pytest.skip("needs PostgreSQL's server and SeaweedFS")
    base = production.new_folder()
    area = worlds.area_of(tall)
    for name in AREAS:
        one = area
        if name == "crashed":
            one = worlds.area_of(poisoned(tall, base / "poisoned"))
        if name == "short":
            one = worlds.area_of(zipped(tall, base / "zipped"))
        write_aoi(one.model_copy(update={"name": name}), base / "config" / "aois")
    (base / "config" / "pipeline.yaml").write_text("")
    try:
        with production.Stack(os.environ["SEN12TS_PRODUCTION"], base / "config" / "pipeline.yaml", base / "run") as one:
            production.wait(lambda: len(one.api("dags")["dags"]) == len(AREAS), 120, one.tail("dag-processor"))
            yield one
    finally:
        if not os.environ.get("SEN12TS_KEEP"):
            production.remove(base)


def poisoned(world, folder):
    """The place with one optical product that ends the process which reads it."""
    copied = worlds.copy(world, folder)
    (product,) = [path for path in worlds.products_of(copied, "S2") if POISONED in path.name]
    (product / "POISON").touch()
    return copied


def zipped(world, folder):
    """The place with its radar products in zips, which are unpacked on the way."""
    copied = worlds.copy(world, folder)
    for product in worlds.products_of(copied, "S1"):
        shutil.make_archive(str(product.with_suffix("")), "zip", product.parent, product.name)
        shutil.rmtree(product)
    return copied


@pytest.fixture(scope="session")
def made(stack, expected, tmp_path_factory):
    """What an area's run left: its files, its ledger, and how it stands beside the undisturbed data set."""

    def look(aoi):
        return Made(stack, expected, aoi, tmp_path_factory.mktemp(aoi))

    return look


class Made:
    """A partition as the store and the ledger hold it."""

    def __init__(self, stack, expected, aoi, folder):
        self.partition = Partition.parse(f"{aoi}/{FALL}")
        os.environ.update(stack.s3)
        self.store = S3Store(stack.store_of(aoi), S3Options(addressing="path"))
        self.ledger = SqlLedger.connect(stack.ledger)
        self.files = {key.removeprefix(f"{aoi}/"): self.store.get(key) for key in self.store.keys(f"{aoi}/")}
        self.folder = folder / aoi
        for name, body in self.files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(body)
        self.expected = worlds.files_of(expected, "tall")

    def pixels(self, files):
        """Those files in which an area's name does not stand."""
        return {name: body for name, body in files.items() if name.split("/")[0] in {"s1", "s2", "labels"}}

    def triplets(self, files):
        """Names of the triplets."""
        return sorted(name for name in files if name.startswith("metadata/"))
