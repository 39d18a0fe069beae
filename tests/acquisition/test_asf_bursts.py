"""A slice at ASF's burst service: it looks whole, and of it come just the bursts that are read."""

import pytest
from lxml import etree

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition import asf_server
from sen12ts_pipeline.acquisition.asf_bursts import HEAD_ALONE_BYTES, AsfBursts
from sen12ts_pipeline.acquisition.asf_server import BurstServer
from sen12ts_pipeline.acquisition.products import FolderProduct
from sen12ts_pipeline.acquisition.provider import Credentials, Provider
from sen12ts_pipeline.acquisition.providers import EARTHDATA_TOKEN
from sen12ts_pipeline.acquisition.small_safe import write_small
from sen12ts_pipeline.acquisition.spool import read_extent
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from tests import worlds
from tests.acquisition.burst_service import BurstService

EARLIER, LATER = 0, 1


@pytest.fixture(scope="module")
def safes(tmp_path_factory):
    """Slices of two bursts in each of IW1 and IW2."""
    return worlds.products_of(worlds.world("tiny", tmp_path_factory.getbasetemp()), "S1")[:2]


@pytest.fixture(scope="module")
def cut_out(tmp_path_factory):
    return tmp_path_factory.mktemp("bursts")


@pytest.fixture
def service(safes, cut_out, monkeypatch):
    for module in (asf_server, passing):
        monkeypatch.setattr(module, "FIRST_WAIT_S", 0.001)
    with BurstService(safes, cut_out) as running:
        yield running


@pytest.fixture
def product(service, safes, spool):
    return AsfBursts(safes[EARLIER].name, spool, BurstServer(service.address))


@pytest.fixture
def safe(safes):
    return FolderProduct(safes[EARLIER])


@pytest.fixture
def member(safe):
    """Measurement of IW1 and VV."""
    return next(m for m in safe.members() if m.startswith("measurement/") and "iw1-slc-vv" in m)


def offsets_of(safe, member):
    root = etree.fromstring(safe.read(member.replace("measurement", "annotation").replace(".tiff", ".xml")))
    return [int(o.text) for o in root.iter("byteOffset")]


def had(product, member, start, length):
    return read_extent(lambda: product.extent(member, start, length), length)


class TestMetadata:
    def test_has_the_slice_s_name_and_files(self, product, safe):
        assert product.product == safe.product
        assert product.members() == safe.members()

    def test_has_the_slice_s_contents(self, product, safe):
        for name in product.members():
            if not name.startswith("measurement/"):
                ours, theirs = (etree.tostring(etree.fromstring(f.read(name)), method="c14n") for f in (product, safe))
                assert ours == theirs, name
                body = product.read(name)
                assert had(product, name, 10, 50) == body[10:60]

    def test_is_asked_for_once_a_polarisation(self, product, service, spool):
        product.members()
        product.read("manifest.safe")
        AsfBursts(product.product, spool, BurstServer(service.address)).members()
        assert service.served("xml") == [f"/{product.product}/IW1/{p}/0.xml" for p in ("VH", "VV")]
        assert set(service.asked.values()) == {2}  # 202 and then 200
        assert service.served("tiff") == []

    @pytest.mark.parametrize("name", ["annotation/x.xml", "measurement/x.tiff", "../x"])
    def test_of_a_missing_file_is_a_bad_product(self, product, name):
        for ask in (product.read, lambda name: product.held(name).__enter__(), lambda name: product.extent(name, 0, 1)):
            with pytest.raises(BadProduct, match="it is missing"):
                ask(name)

    def test_of_a_slice_that_the_service_does_not_have_is_a_bad_product(self, product, service, spool):
        other = AsfBursts(product.product[:-4] + "0000", spool, BurstServer(service.address))
        with pytest.raises(BadProduct, match=r"metadata: cannot be had from http://127\.0\.0\.1.*answer 404"):
            other.members()


class TestSamples:
    def test_of_a_burst_are_the_slice_s(self, product, safe, member, service):
        first, second = offsets_of(safe, member)
        size = second - first
        assert had(product, member, second, size) == had(safe, member, second, size)
        assert service.served("tiff") == [f"/{product.product}/IW1/VV/1.tiff"]

    def test_of_a_part_of_a_burst_come_with_the_burst(self, product, safe, member, service):
        _, second = offsets_of(safe, member)
        for start in (second + 1000, second + 123_456):
            assert had(product, member, start, 5000) == had(safe, member, start, 5000)
        assert service.asked[f"/{product.product}/IW1/VV/1.tiff"] == 2

    def test_across_bursts_are_put_together(self, product, safe, member, service):
        _, second = offsets_of(safe, member)
        assert had(product, member, second - 777, 5000) == had(safe, member, second - 777, 5000)
        assert len(service.served("tiff")) == 2

    def test_of_the_whole_file_are_there_though_its_header_is_our_own(self, product, safe, member):
        first, _ = offsets_of(safe, member)
        size = first + 2 * (offsets_of(safe, member)[1] - first)
        ours, theirs = had(product, member, 0, 2 * size), had(safe, member, 0, 2 * size)
        assert len(ours) == len(theirs) == size
        assert ours[first:] == theirs[first:]

    def test_are_not_needed_to_read_the_header(self, product, safe, member, service):
        first, _ = offsets_of(safe, member)
        assert len(had(product, member, 0, HEAD_ALONE_BYTES)) == first
        assert service.served("tiff") == []

    def test_past_the_end_are_none(self, product, safe, member):
        first, second = offsets_of(safe, member)
        end = 2 * second - first
        assert had(product, member, end - 4, 100) == had(safe, member, end - 4, 100)
        assert had(product, member, end + 4, 100) == b""


class TestASmallProduct:
    def test_is_that_of_the_whole_slice(self, product, safe, service, tmp_path):
        bursts = {"IW1": range(1, 2)}
        ours, theirs = (write_small(f, bursts, ("VH", "VV"), tmp_path / str(k)) for k, f in enumerate((product, safe)))
        assert service.served("tiff") == [f"/{safe.product}/IW1/{p}/1.tiff" for p in ("VH", "VV")]
        for file in theirs.rglob("*.tiff"):
            assert (ours / file.relative_to(theirs)).read_bytes() == file.read_bytes()
        for file in theirs.rglob("*.xml"):
            bodies = ((path / file.relative_to(theirs)).read_bytes() for path in (ours, theirs))
            one, other = (etree.tostring(etree.fromstring(b), method="c14n") for b in bodies)
            assert one == other


class TestWrongAnswers:
    def burst(self, product, safe, member):
        first, second = offsets_of(safe, member)
        return had(product, member, first, second - first) == had(safe, member, first, second - first)

    @pytest.mark.parametrize("other", ["IW1/VV/1", "IW2/VV/0", "IW1/VH/0"])
    def test_another_burst_is_asked_for_again(self, product, safe, member, service, other):
        product.members()
        service.faults.append(lambda handler: handler.another(f"/{safe.product}/{other}.tiff"))
        assert self.burst(product, safe, member)
        assert service.asked[f"/{safe.product}/IW1/VV/0.tiff"] == 3

    def test_a_burst_of_another_slice_is_asked_for_again(self, product, safe, safes, member, service):
        product.members()
        service.faults.append(lambda handler: handler.another(f"/{safes[LATER].stem}/IW1/VV/0.tiff"))
        assert self.burst(product, safe, member)

    @pytest.mark.parametrize(
        "answer",
        [
            lambda h: h.answer(*h.service.content(h.path), cut=1000),
            lambda h: h.answer(h.service.content(h.path)[0][:-1000], h.service.content(h.path)[1]),
            lambda h: h.answer(b"II*\0" + bytes(100), h.service.content(h.path)[1]),
            lambda h: h.answer(h.service.content(h.path)[0]),
            lambda h: h.send_error(503),
            lambda h: h.answer(b"", h.service.content(h.path)[1]),
        ],
        ids=["broken off", "cut", "no tiff", "no name", "503", "empty"],
    )
    def test_half_a_burst_is_asked_for_again(self, product, safe, member, service, answer):
        product.members()
        service.faults.append(answer)
        assert self.burst(product, safe, member)

    def test_another_burst_again_and_again_is_left_to_a_later_task(self, product, safe, member, service):
        product.members()
        service.faults.extend([lambda handler: handler.another(f"/{safe.product}/IW1/VV/1.tiff")] * 9)
        with pytest.raises(Retryable, match=r"IW1/VV/0\.tiff: sent another burst, S1_100001_IW1.*, 5 times"):
            self.burst(product, safe, member)

    def test_metadata_of_another_slice_are_asked_for_again(self, product, safe, safes, service):
        service.faults.append(lambda handler: handler.another(f"/{safes[LATER].stem}/IW1/VV/0.xml"))
        assert product.members() == safe.members()

    @pytest.mark.parametrize("body", [b"<burst/>", b"<burst><metadata>", b"{}"])
    def test_metadata_of_another_form_are_left_to_a_later_task(self, product, service, body):
        service.faults.extend([lambda handler: handler.answer(body)] * 9)
        with pytest.raises(Retryable, match="5 times"):
            product.members()

    def test_bursts_that_do_not_follow_one_another_are_a_bad_product(self, product, safe, member, monkeypatch):
        name = member.replace("measurement", "annotation").replace(".tiff", ".xml")
        first, second = offsets_of(safe, member)
        body = product.read(name).replace(f">{second}<".encode(), f">{second + 4}<".encode())
        monkeypatch.setitem(product._documents, name, body)
        with pytest.raises(BadProduct, match="bursts must follow one another in the file"):
            product.extent(member, first, 10)


class TestPatience:
    def test_has_an_end(self, product, service, monkeypatch):
        service.waits = 1000
        monkeypatch.setattr(asf_server, "PATIENCE_S", 0.05)
        with pytest.raises(Retryable, match="is still being cut out after"):
            product.members()
        assert sum(service.asked.values()) > 1

    def test_lasts_while_a_burst_is_cut_out(self, product, safe, member, service):
        service.waits = 5
        product.extent(member, *offsets_of(safe, member)[:1], 100)
        assert service.asked[f"/{safe.product}/IW1/VV/0.tiff"] == 6


class Badge:
    """An `Access` that shows a token and gets another one when it is refused."""

    def __init__(self, *tokens):
        self.tokens = list(tokens)

    def credentials(self):
        return Credentials({"Authorization": f"Bearer {self.tokens[0]}"})

    def refused(self, credentials):
        assert credentials == self.credentials()
        return len(self.tokens) > 1 and bool(self.tokens.pop(0))


class TestAccess:
    def test_is_by_a_token_of_the_environment(self, product, safe, service, monkeypatch):
        service.token = "secret"
        with pytest.raises(ConfigurationError, match=rf"{EARTHDATA_TOKEN}: must be a bearer token of Earthdata Login"):
            product.members()
        monkeypatch.setenv(EARTHDATA_TOKEN, "secret")
        assert product.members() == safe.members()

    def test_is_by_what_the_provider_shows(self, service, safe, spool):
        service.token = "new"
        server = BurstServer(service.address, provider=Provider("asf", access=Badge("old", "new")))
        assert AsfBursts(safe.product, spool, server).members() == safe.members()

    def test_a_login_page_is_no_burst(self, product, service):
        service.faults.append(lambda handler: handler.answer(b"\n<!DOCTYPE html><html>log in</html>"))
        with pytest.raises(ConfigurationError, match=r"Earthdata Login.*got 'a web page'"):
            product.members()

    def test_begins_at_a_doorstep_whose_cookie_is_kept(self, service, safe, spool):
        def door(handler):
            handler.send_response(200)
            handler.send_header("Set-Cookie", "asf-urs=in; Path=/")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        service.faults.append(door)
        service.waits = 0
        step = f"{service.address}/{safe.product}/IW2/VV/0.tiff"
        AsfBursts(safe.product, spool, BurstServer(service.address, step)).members()
        assert service.cookies[0] is None
        assert service.cookies[1:] == ["asf-urs=in", "asf-urs=in"]

    @pytest.mark.parametrize(
        ("name", "address"), [("S2A_MSIL2A_1_2_3_4", "https://h"), ("S1A_IW_SLC__1SDV_1_2_3_4", "h")]
    )
    def test_needs_the_name_of_a_slice_and_an_address(self, spool, name, address):
        with pytest.raises(ConfigurationError, match="must be the name of an IW SLC product"):
            AsfBursts(name, spool, BurstServer(address))
