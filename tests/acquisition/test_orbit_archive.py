"""Orbit files from their archives: which one serves a slice, and where else it is looked for when one fails."""

import io
import json
import urllib.parse
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sen12ts_pipeline import passing
from sen12ts_pipeline.acquisition.cache import Cache
from sen12ts_pipeline.acquisition.orbit_archive import OrbitArchive, OrbitBucket, OrbitCatalogue
from sen12ts_pipeline.acquisition.provider import Credentials, Provider
from sen12ts_pipeline.errors import BadProduct, ConfigurationError, Retryable
from sen12ts_pipeline.sentinel1.orbit_file import read_orbit_file
from tests.acquisition.buckets import Bucket

DATA = Path(__file__).parents[1] / "data/orbits"
FILES = sorted(DATA.glob("*.EOF"))
PRECISE = "S1A_OPER_AUX_POEORB_OPOD_20221019T082002_V20220928T225942_20220930T005942"
RESTITUTED = "S1A_OPER_AUX_RESORB_OPOD_20221024T205436_V20221024T170308_20221024T202038"
DURING = datetime(2022, 9, 29, 20, 11, 7, tzinfo=UTC), datetime(2022, 9, 29, 20, 11, 37, tzinfo=UTC)
LATELY = datetime(2022, 10, 24, 18, 41, 48, tzinfo=UTC), datetime(2022, 10, 24, 18, 42, 18, tzinfo=UTC)


def key_of(name):
    return f"AUX_{'POEORB' if 'POEORB' in name else 'RESORB'}/{name}.EOF"


@pytest.fixture
def bucket(monkeypatch):
    """The bucket with the real files of the tests, two keys a page."""
    monkeypatch.setattr(passing, "FIRST_WAIT_S", 0.001)
    with Bucket({key_of(path.stem): path.read_bytes() for path in FILES}, page=2) as bucket:
        yield bucket


@pytest.fixture
def archive(bucket, tmp_path):
    def connect(*others, restituted=False):
        return OrbitArchive([OrbitBucket(Cache(tmp_path / "orbits"), bucket.url), *others], restituted=restituted)

    return connect


class TestNames:
    def test_the_file_that_serves_a_slice_is_found_on_whichever_page_it_is(self, archive, bucket):
        assert archive().name("S1A", *DURING) == PRECISE
        prefix = "AUX_POEORB/S1A_OPER_AUX_POEORB_OPOD_"
        pages = [dict(urllib.parse.parse_qsl(path.removeprefix("/?"))) for path in bucket.asked]
        assert [page["prefix"] for page in pages] == [prefix] * 3
        assert [page.get("marker", "") for page in pages] == ["", *sorted(bucket.objects)[1:4:2]]

    def test_the_list_is_kept(self, archive, bucket):
        first = archive()
        first.name("S1A", *DURING)
        asked = len(bucket.asked)
        assert first.name("S1A", *DURING) == archive().name("S1A", *DURING) == PRECISE
        assert len(bucket.asked) == asked

    def test_a_list_that_is_old_is_fetched_anew(self, bucket, tmp_path):
        cache = Cache(tmp_path)
        before = OrbitArchive([OrbitBucket(cache, bucket.url)])
        assert before.name("S1A", *LATELY) == ""
        fresh = PRECISE.replace("V20220928T225942_20220930T005942", "V20221023T225942_20221025T005942")
        bucket.objects[key_of(fresh)] = b""
        assert before.name("S1A", *LATELY) == ""
        assert OrbitArchive([OrbitBucket(cache, bucket.url, list_age_s=-1.0)]).name("S1A", *LATELY) == fresh

    def test_a_slice_without_a_precise_file_takes_a_restituted_one_where_that_is_allowed(self, archive):
        assert archive().name("S1A", *LATELY) == ""
        assert archive(restituted=True).name("S1A", *LATELY) == RESTITUTED
        assert archive(restituted=True).name("S1A", *DURING) == PRECISE

    def test_a_slice_at_the_limit_of_a_file_takes_none(self, archive):
        late = datetime(2022, 9, 30, 0, 59, 0, tzinfo=UTC)
        assert archive().name("S1A", late - timedelta(seconds=28), late) == ""

    def test_another_platform_has_files_of_its_own(self, archive, bucket):
        assert archive().name("S1B", *DURING) == ""
        assert "S1B_OPER" in bucket.asked[0]

    def test_what_cannot_be_listed_is_not_taken_for_absent(self, archive, bucket):
        bucket.faults += [503] * 5
        with pytest.raises(Retryable, match="503"):
            archive().name("S1A", *DURING)

    def test_an_answer_that_is_no_list_is_an_error(self, archive, bucket):
        bucket.faults.append(lambda handler: handler.answer(body=b"<other/>"))
        with pytest.raises(BadProduct, match="must answer with a ListBucketResult"):
            archive().name("S1A", *DURING)


class TestFiles:
    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem[41:])
    def test_are_fetched_once(self, archive, bucket, path):
        assert archive().read(path.stem) == archive().read(path.stem) == path.read_bytes()
        assert bucket.keys_asked() == [key_of(path.stem)]

    def test_have_the_vectors_of_the_slice_that_they_were_named_for(self, archive):
        found = archive()
        start, stop = DURING
        epoch = start.replace(hour=0, minute=0, second=0)
        during = ((start - epoch).total_seconds(), (stop - epoch).total_seconds())
        name = found.name("S1A", start, stop)
        orbit = read_orbit_file(found.read(name), name=name, epoch=epoch, during=during)
        assert orbit.kind == "POEORB"

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (lambda good: good[: len(good) // 2], "not the file"),
            (lambda good: good.replace(b"AUX_POEORB", b"AUX_RESORB"), "its header must say AUX_POEORB"),
            (lambda good: FILES[0].read_bytes(), "its header must say"),
            (lambda good: good[: good.index(b"<OSV>")] + good[good.rindex(b"</OSV>") + 6 :], "holds 0"),
            (lambda good: b"", "not the file"),
        ],
        ids=["half", "kind", "other", "empty list", "nothing"],
    )
    def test_that_are_broken_are_named_and_not_kept(self, archive, bucket, tmp_path, body, words):
        good = bucket.objects[key_of(PRECISE)]
        bucket.objects[key_of(PRECISE)] = body(good)
        with pytest.raises(BadProduct, match=words) as caught:
            archive().read(PRECISE)
        assert PRECISE in caught.value.product
        assert not list((tmp_path / "orbits").glob("*.EOF"))
        bucket.objects[key_of(PRECISE)] = good
        assert archive().read(PRECISE) == good

    def test_that_are_named_wrongly_are_bad(self, archive):
        with pytest.raises(BadProduct, match="an orbit file is named"):
            archive().read("orbit")

    def test_that_no_server_has_are_bad(self, archive, bucket):
        bucket.missing = 404
        with pytest.raises(BadProduct, match="there is none"):
            archive().read(PRECISE.replace("20221019", "20221020"))


class _Tokens:
    def credentials(self):
        return Credentials({"Authorization": "Bearer token"})

    def refused(self, credentials):
        return False


@pytest.fixture
def catalogue(tmp_path):
    """A catalogue that answers OData questions for the restituted file, and gives it for a token."""
    entry = {"Id": "6f57", "Name": f"{RESTITUTED}.EOF"}

    def products(handler):
        handler.answer(body=json.dumps({"value": [entry]}).encode())

    def content(handler):
        assert handler.headers["Authorization"] == "Bearer token"
        assert handler.path == "/Products(6f57)/$value"
        handler.answer(body=server.body)

    with Bucket() as server:
        server.products, server.content = products, content
        server.body = (DATA / f"{RESTITUTED}.EOF").read_bytes()
        cache = Cache(tmp_path / "second", Provider("cdse", _Tokens()))
        server.orbits = OrbitCatalogue(cache, server.url, server.url)
        yield server


class TestASecondServer:
    def test_names_a_file_when_the_first_does_not_answer(self, archive, bucket, catalogue):
        bucket.faults += [503] * 10
        catalogue.faults += [catalogue.products] * 2
        assert archive(catalogue.orbits, restituted=True).name("S1A", *LATELY) == RESTITUTED
        question, _ = (dict(urllib.parse.parse_qsl(path.partition("?")[2])) for path in catalogue.asked)
        assert question["$filter"] == (
            "startswith(Name,'S1A') and contains(Name,'AUX_POEORB')"
            " and ContentDate/Start lt 2022-10-24T18:40:48.000Z and ContentDate/End gt 2022-10-24T18:43:18.000Z"
        )

    def test_is_asked_for_a_list_only_then(self, archive, catalogue):
        assert archive(catalogue.orbits).name("S1A", *LATELY) == ""
        assert catalogue.asked == []

    @pytest.mark.parametrize("packed", [False, True])
    def test_gives_a_file_that_the_first_has_no_more(self, archive, bucket, catalogue, packed):
        content = catalogue.body
        if packed:
            into = io.BytesIO()
            with zipfile.ZipFile(into, "w") as container:
                container.writestr(f"{RESTITUTED}.EOF", content)
            catalogue.body = into.getvalue()
        del bucket.objects[key_of(RESTITUTED)]
        catalogue.faults += [catalogue.products, catalogue.content]
        found = archive(catalogue.orbits)
        assert found.read(RESTITUTED) == content
        assert catalogue.shown == [None, "Bearer token"]

    def test_that_must_be_let_in_does_not_hide_that_the_first_is_busy(self, archive, bucket, catalogue):
        bucket.faults += [503] * 5
        catalogue.faults += [catalogue.products, 401]
        with pytest.raises(Retryable, match="503"):
            archive(catalogue.orbits).read(RESTITUTED)

    def test_says_who_does_not_let_one_in(self, archive, bucket, catalogue):
        bucket.missing = 404
        del bucket.objects[key_of(RESTITUTED)]
        catalogue.faults += [catalogue.products, 401]
        with pytest.raises(ConfigurationError, match="cdse refuses it"):
            archive(catalogue.orbits).read(RESTITUTED)
