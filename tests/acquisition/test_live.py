"""Products of live archives: by parts or whole, from the first archive that has them, and nothing wrong is kept."""

import dataclasses
import hashlib
import json
import multiprocessing
import threading
import zipfile
from pathlib import Path

import pytest

from sen12ts_pipeline.acquisition.live import ITEM, ChainSource, LiveSource
from sen12ts_pipeline.acquisition.products import open_product
from sen12ts_pipeline.acquisition.provider import Credentials, Provider, S3Access
from sen12ts_pipeline.acquisition.spool import Spool
from sen12ts_pipeline.errors import BadProduct, Retryable
from sen12ts_pipeline.ports import Place
from tests.acquisition.test_products import NAME, held
from tests.acquisition.test_remote import FILES, LARGE, MEMBERS, manifest_of, served

MEASUREMENT = "measurement/m.tiff"
GRANULE = "S2A_MSIL2A_20200511T105031_N0214_R051_T31TDG_20200511T134023"


@dataclasses.dataclass
class Told:
    """Places that are known from the start; the questions are counted."""

    archive: str = "here"
    places: list = dataclasses.field(default_factory=list)
    missions: tuple = ("S1", "S2")
    asked: int = 0

    def serves(self, product):
        return product.startswith(self.missions)

    def place(self, product, *, anew=False):
        self.asked += 1
        found = [p for p in self.places if p.product == product]
        if not found:
            raise BadProduct(product, "", f"must be at {self.archive}; it is not listed")
        return found[-1] if anew else found[0]


@pytest.fixture
def fetching(spool, tmp_path):
    """What makes a source of some places."""

    def make(*places, whole=False, archive="here"):
        downloads = Spool(tmp_path / "spool/products")
        return LiveSource(Told(archive, list(places)), Provider(archive), spool, downloads, whole=whole)

    return make


def folder_at(web, content=FILES):
    return Place(NAME, "here", url=served(web, "folder", content))


def zip_at(web, content=FILES, kind="stored", **more):
    url = served(web, kind, content)
    return Place(NAME, "here", zip_url=url, zip_bytes=(web.folder / f"a/{NAME}.zip").stat().st_size, **more)


class TestByParts:
    @pytest.mark.parametrize("kind", ["folder", "stored", "deflated"])
    def test_a_product_is_read_as_it_lies(self, web, fetching, kind):
        product = fetching(Place(NAME, "here", url=served(web, kind))).open(NAME)
        assert {m: product.read(m) for m in product.members()} == FILES
        path, at = product.extent(MEASUREMENT, 1000, 50)
        assert path.read_bytes()[at : at + 50] == LARGE[1000:1050]

    def test_opening_asks_for_the_place_alone(self, web, fetching):
        source = fetching(folder_at(web))
        product = source.open(NAME)
        assert (source.places.asked, web.asked) == (1, [])
        product.extent(MEASUREMENT, 1000, 50)
        assert sum(stop - start for start, stop in web.fetched("")) < 50 + len(FILES["manifest.safe"]) + 1

    def test_a_product_that_has_moved_is_asked_for_once_more(self, web, fetching):
        old = Place(NAME, "here", url=f"{web.url}/gone/{NAME}.SAFE")
        source = fetching(old, folder_at(web))
        product = source.open(NAME)
        assert product.members() == tuple(sorted(FILES))
        with pytest.raises(BadProduct):
            product.read("annotation/none.xml")
        assert source.places.asked == 2

    def test_a_product_that_went_away_is_bad(self, web, fetching):
        source = fetching(Place(NAME, "here", url=f"{web.url}/gone/{NAME}.SAFE"))
        product = source.open(NAME)
        for ask in (product.members, lambda: product.read(MEASUREMENT), lambda: held(product)(MEASUREMENT)):
            with pytest.raises(BadProduct, match=r"manifest\.safe: cannot be had from .* answer 404"):
                ask()
        assert source.places.asked == 2

    def test_a_product_that_the_archive_does_not_list_any_more_is_bad(self, web, fetching):
        source = fetching(Place(NAME, "here", url=f"{web.url}/gone/{NAME}.SAFE"))
        product = source.open(NAME)
        source.places.places.clear()
        with pytest.raises(BadProduct, match="must be at here; it is not listed"):
            product.members()


class TestWhole:
    def test_a_product_is_fetched_once_and_read_from_its_zip(self, web, fetching, tmp_path):
        source = fetching(zip_at(web), whole=True)
        product = source.open(NAME)
        assert not web.asked
        assert {m: product.read(m) for m in product.members()} == FILES
        kept = tmp_path / f"spool/products/{NAME}.zip"
        assert kept.read_bytes() == (web.folder / f"a/{NAME}.zip").read_bytes()
        path, at = product.extent(MEASUREMENT, 1000, 50)
        assert path == kept
        assert path.read_bytes()[at : at + 50] == LARGE[1000:1050]
        with product.held(MEASUREMENT) as place:
            assert place == f"/vsizip/{{{kept}}}/{NAME}.SAFE/{MEASUREMENT}"
        source.open(NAME).read("manifest.safe")
        assert len(web.asked) == 1

    def test_it_is_what_is_taken_where_there_is_nothing_else(self, web, fetching):
        assert fetching(zip_at(web)).open(NAME).members() == tuple(sorted(FILES))

    @pytest.mark.parametrize("ranges", [True, False], ids=["with ranges", "without"])
    def test_what_broke_off_is_gone_on_with_where_the_server_can(self, web, fetching, ranges):
        web.ranges = ranges
        at = zip_at(web)
        web.faults.append(lambda handler: handler.answer(cut=at.zip_bytes // 3))
        assert fetching(at, whole=True).open(NAME).members() == tuple(sorted(FILES))
        first, second = web.asked
        assert (first.start, second.start > 0) == (0, ranges)

    def test_what_another_process_began_is_gone_on_with(self, web, fetching, tmp_path):
        at = zip_at(web)
        part = tmp_path / f"spool/products/{NAME}.zip.{at.zip_bytes}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes((web.folder / f"a/{NAME}.zip").read_bytes()[:1_000_000])
        assert fetching(at, whole=True).open(NAME).read(MEASUREMENT) == LARGE
        assert [(a.start, a.start + a.length) for a in web.asked] == [(1_000_000, at.zip_bytes)]
        assert not part.exists()

    @pytest.mark.parametrize("begun", [b"of another file" * 1000, None], ids=["other bytes", "too much"])
    def test_what_another_process_began_wrong_is_fetched_from_the_beginning(self, web, fetching, tmp_path, begun):
        at = zip_at(web)
        part = tmp_path / f"spool/products/{NAME}.zip.{at.zip_bytes}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(begun or bytes(at.zip_bytes + 10))
        assert fetching(at, whole=True).open(NAME).read(MEASUREMENT) == LARGE

    def test_a_complete_part_is_only_looked_at(self, web, fetching, tmp_path):
        at = zip_at(web)
        part = tmp_path / f"spool/products/{NAME}.zip.{at.zip_bytes}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes((web.folder / f"a/{NAME}.zip").read_bytes())
        assert fetching(at, whole=True).open(NAME).read(MEASUREMENT) == LARGE
        assert not web.asked

    def test_a_server_that_is_busy_leaves_the_part_to_a_later_try(self, web, fetching, tmp_path):
        at = zip_at(web)
        web.faults.extend([lambda handler: handler.answer(cut=at.zip_bytes // 3), *[503] * 10])
        source = fetching(at, whole=True)
        with pytest.raises(Retryable, match="answered 503"):
            source.open(NAME).members()
        (part,) = (tmp_path / "spool/products").iterdir()
        assert part.stat().st_size == at.zip_bytes - at.zip_bytes // 3
        web.faults.clear()
        assert source.open(NAME).members() == tuple(sorted(FILES))
        assert [a.start for a in web.asked] == [0, at.zip_bytes - at.zip_bytes // 3]


def damaged(body):
    """A zip with a byte of its image changed: its directory is sound."""
    k = body.index(LARGE[100_000:100_050])
    return body[:k] + b"?" + body[k + 1 :]


WRONG = {
    "a byte": lambda web: web.put(f"a/{NAME}.zip", damaged((web.folder / f"a/{NAME}.zip").read_bytes())),
    "cut off": lambda web: web.put(f"a/{NAME}.zip", (web.folder / f"a/{NAME}.zip").read_bytes()[:-30]),
    "another image": lambda web: served(web, "stored", {**FILES, MEASUREMENT: LARGE[::-1]}),
    "a shorter image": lambda web: served(web, "stored", {**FILES, MEASUREMENT: LARGE[:-1]}),
    "no image": lambda web: served(web, "stored", {k: v for k, v in FILES.items() if k != MEASUREMENT}),
    "no manifest": lambda web: served(web, "stored", MEMBERS),
}
FOUND = {
    "a byte": "Bad CRC-32",
    "cut off": "a zip that cannot be read",
    "another image": r"a zip whose measurement/m\.tiff has another checksum than manifest\.safe says",
    "a shorter image": r"has 8999999 bytes, where manifest\.safe says 9000000",
    "no image": r"a zip that lacks measurement/m\.tiff",
    "no manifest": r"a zip without manifest\.safe",
}


class TestAWrongProduct:
    """Every byte of a whole product is looked at before it is kept."""

    @pytest.mark.parametrize("what", WRONG)
    def test_is_fetched_once_more_and_then_bad(self, web, fetching, tmp_path, what):
        at = zip_at(web)
        WRONG[what](web)
        with pytest.raises(BadProduct, match=rf"{FOUND[what]}.*, 2 times"):
            fetching(at, whole=True).open(NAME).members()
        assert list((tmp_path / "spool/products").iterdir()) == []

    def test_once_is_not_noticed(self, web, fetching):
        at = zip_at(web)
        wrong = damaged((web.folder / f"a/{NAME}.zip").read_bytes())

        def first(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(wrong)))
            handler.end_headers()
            handler.wfile.write(wrong)

        web.faults.append(first)
        assert fetching(at, whole=True).open(NAME).read(MEASUREMENT) == LARGE

    def test_that_is_a_message_may_be_right_later(self, web, fetching):
        at = zip_at(web)
        web.put(f"a/{NAME}.zip", b"<!DOCTYPE html><title>Log in</title>")
        with pytest.raises(Retryable, match="sent a web page in the place of the file"):
            fetching(at, whole=True).open(NAME).members()

    def test_by_the_checksum_of_the_archive_is_bad(self, web, fetching):
        at = zip_at(web)
        body = (web.folder / f"a/{NAME}.zip").read_bytes()
        right = dataclasses.replace(at, zip_md5=hashlib.md5(body).hexdigest())
        wrong = dataclasses.replace(at, zip_md5=hashlib.md5(b"").hexdigest())
        with pytest.raises(BadProduct, match="where here says d41d8cd98f00b204e9800998ecf8427e, 2 times"):
            fetching(wrong, whole=True).open(NAME).members()
        assert fetching(right, whole=True).open(NAME).members() == tuple(sorted(FILES))

    def test_with_a_name_that_leads_out_of_it_is_bad(self, web, fetching):
        at = zip_at(web)
        with zipfile.ZipFile(web.folder / f"a/{NAME}.zip", "a") as container:
            container.writestr("../outside.xml", b"")
        with pytest.raises(BadProduct, match="leads out of it"):
            fetching(at, whole=True).open(NAME).members()

    def test_that_is_not_there_is_bad(self, web, fetching):
        at = dataclasses.replace(zip_at(web), zip_url=f"{web.url}/none.zip")
        with pytest.raises(BadProduct, match=r"there is none at .*: answer 404"):
            fetching(at, whole=True).open(NAME).members()


class Counted:
    """A gate, and an access that lets in with a header."""

    def __init__(self):
        self.turns, self.bytes, self.refusals = 0, 0, 0

    def turn(self):
        self.turns += 1
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def received(self, size):
        self.bytes += size

    def credentials(self):
        return Credentials({"Authorization": "Bearer of the test"})

    def refused(self, credentials):
        self.refusals += 1
        return self.refusals == 1


def test_a_download_queues_at_the_gate_and_shows_its_token(web, spool, tmp_path):
    at, door = zip_at(web), Counted()
    provider = Provider("here", door, S3Access(), door)
    source = LiveSource(Told("here", [at]), provider, spool, Spool(tmp_path / "d"), whole=True)
    web.faults.append(401)
    source.open(NAME).members()
    assert (door.turns, door.bytes, door.refusals) == (2, at.zip_bytes, 1)
    assert {a.token for a in web.asked} == {"Bearer of the test"}


BODIES = {f"{band}.tif": b"II*\0" + band.encode() * 1000 for band in ("B02", "B8A", "SCL")}


class TestImages:
    """A granule that is there as GeoTIFFs, each at an address of its own."""

    @pytest.fixture
    def at(self, web):
        hrefs = {name: web.put(f"cogs/{name}", body) for name, body in BODIES.items()}
        digest = hashlib.sha256(BODIES["B8A.tif"]).hexdigest()
        assets = {
            "nir08": {"href": hrefs["B8A.tif"], "file:checksum": f"1220{digest}"},
            "scl": {"href": hrefs["SCL.tif"]},
        }
        item = {"type": "Feature", "id": "X", "assets": assets}
        return Place(GRANULE, "here", item=json.dumps(item), hrefs=hrefs)

    def test_has_them_and_its_item_as_members(self, fetching, at):
        product = fetching(at).open(GRANULE)
        assert product.product == GRANULE
        assert product.members() == ("B02.tif", "B8A.tif", "SCL.tif", ITEM)
        assert product.read(ITEM) == at.item.encode()

    def test_just_the_image_that_is_held_is_fetched(self, web, fetching, at):
        with fetching(at).open(GRANULE).held("SCL.tif") as path:
            assert Path(path).read_bytes() == BODIES["SCL.tif"]
        assert {a.path for a in web.asked} == {"cogs/SCL.tif"}

    def test_an_image_that_is_not_what_the_item_says_is_bad(self, web, fetching, at):
        web.put("cogs/B8A.tif", b"II*\0" + b"b8a" * 1000)
        with pytest.raises(BadProduct, match=r"B8A\.tif: must be whole .* SHA256 .* where here's item says"):
            held(fetching(at).open(GRANULE))("B8A.tif")


class TestAChain:
    def test_takes_a_product_from_the_first_archive_that_has_it_and_says_so(self, web, fetching):
        first, second = fetching(archive="first"), fetching(folder_at(web), archive="second")
        chain = ChainSource([first, second])
        for _ in range(2):
            assert chain.open(NAME).read("manifest.safe") == FILES["manifest.safe"]
        assert chain.notes == [f"{NAME} comes from second: must be at first; it is not listed"]

    def test_does_not_ask_archives_of_another_mission(self, web, fetching):
        optical = fetching(archive="optical")
        optical.places.missions = ("S2",)
        chain = ChainSource([optical, fetching(folder_at(web))])
        chain.open(NAME)
        assert (optical.places.asked, chain.notes) == (0, [])
        with pytest.raises(BadProduct, match="is of a kind that no archive of optical has"):
            ChainSource([optical]).open(NAME)

    def test_without_the_product_tells_what_each_one_said(self, fetching):
        with pytest.raises(BadProduct, match="must be at first; it is not listed; must be at second; it is not listed"):
            ChainSource([fetching(archive="first"), fetching(archive="second")]).open(NAME)

    def test_does_not_pass_over_an_archive_that_does_not_answer(self, web, fetching):
        first = fetching(archive="first")

        def silent(product, **_):
            raise Retryable("first does not answer")

        first.places.place = silent
        with pytest.raises(Retryable):
            ChainSource([first, fetching(folder_at(web))]).open(NAME)


def _read_burst(url, folder, start):
    start.wait(30)
    product = open_product(url, Spool(folder))
    path, at = product.extent(MEASUREMENT, 1_000_000, 4_000_000)
    assert path.read_bytes()[at : at + 4_000_000] == LARGE[1_000_000:5_000_000]


def test_processes_that_want_the_same_burst_fetch_it_once(web, spool):
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    url = served(web, "folder")
    workers = [context.Process(target=_read_burst, args=(url, spool.folder, start)) for _ in range(2)]
    for worker in workers:
        worker.start()
    start.set()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert web.fetched("m.tiff") == [(1_000_000, 5_000_000)]


def test_a_process_killed_while_it_fetches_leaves_nothing_wrong(web, spool):
    url, reached, go_on = served(web, "folder"), threading.Event(), threading.Event()

    def hang(handler):
        reached.set()
        go_on.wait(30)
        handler.answer()

    context = multiprocessing.get_context("spawn")
    start = context.Event()
    start.set()
    product = open_product(url)
    product.members()
    worker = context.Process(target=_read_burst, args=(url, spool.folder, start))
    web.faults.extend([None, None, hang])  # versions of manifest and measurement, and the burst itself
    worker.start()
    assert reached.wait(60)
    worker.kill()
    worker.join()
    go_on.set()
    path, at = product.extent(MEASUREMENT, 1_000_000, 4_000_000)
    assert path.read_bytes()[at:] == LARGE[1_000_000:5_000_000]
    assert manifest_of(MEMBERS) == product.read("manifest.safe")
