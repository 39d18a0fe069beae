"""Live archives: everything is found, in order and once, or there is an error that says what to do."""

import json
import urllib.parse
from datetime import UTC, datetime, timedelta

import pytest
from shapely.geometry import MultiPolygon, box

from sen12ts_pipeline import passing
from sen12ts_pipeline.catalogues import questions, web
from sen12ts_pipeline.domain.seasons import Interval
from sen12ts_pipeline.errors import ConfigurationError, Retryable
from tests.catalogues.archives import GRANULES, SLICES, archive
from tests.catalogues.entries import l2a_name, odata_granule, odata_slice, slc_name, stac_item
from tests.domain.examples import utc

AREA = box(-117.2, 34.8, -117.0, 35.0)
SPRING = Interval(utc("2020-03-01"), utc("2020-06-01"))
DAY = utc("2020-04-11T13:51:17")
EVERY_SIX_DAYS = [utc("2020-03-02T01:00:00") + timedelta(days=6 * n) for n in range(15)]

each_with_slices = pytest.mark.parametrize("of", SLICES.values(), ids=SLICES)
each_with_granules = pytest.mark.parametrize("of", GRANULES.values(), ids=GRANULES)
each = pytest.mark.parametrize(
    ("of", "kind"),
    [*((of, "slices") for of in SLICES.values()), *((of, "granules") for of in GRANULES.values())],
    ids=[*(f"{name} slices" for name in SLICES), *(f"{name} granules" for name in GRANULES)],
)


def found(catalogue, kind, over=AREA, during=SPRING):
    return [one.product for one in getattr(catalogue, kind)(over, during)]


def names(kind, starts):
    return [slc_name(s) if kind == "slices" else l2a_name(s) for s in starts]


def truncated(handler):
    body = json.dumps(handler.web.archive.reply(*question(handler))[1]).encode()
    handler.send(200, body, cut=len(body) // 2)


def reset_in_the_body(handler):
    handler.send(200, b"[" * 10_000, cut=9_000)
    handler.connection.close()


def ended_early(handler):
    body = json.dumps(handler.web.archive.reply(*question(handler))[1]).encode()
    handler.send(200, body[: len(body) // 2])


def a_web_page(handler):
    handler.send(200, b"<html>maintenance</html>", {"Content-Type": "text/html"})


def hang_up(handler):
    handler.close_connection = True


def wait_for_nothing(handler):
    handler.send(429, b"{}", {"Retry-After": "0"})


def broken_packing(handler):
    handler.send(200, b"\x1f\x8b and nothing more", {"Content-Encoding": "gzip"})


def question(handler):
    parts = urllib.parse.urlsplit(handler.path)
    return parts.path, dict(urllib.parse.parse_qsl(parts.query)), handler.body


def with_entries(change):
    """A fault that sends the archive's answer with other entries."""

    def fault(handler):
        def changed(reply):
            key = next(key for key in ("value", "features", "items") if key in reply)
            told = {"numberReturned": len(change(reply[key]))} if "numberReturned" in reply else {}
            return reply | {key: change(reply[key])} | told

        handler.answer(changed)

    return fault


class TestWhatIsFound:
    @each
    def test_all_products_in_order_of_time(self, of, kind):
        with archive(of, reversed(EVERY_SIX_DAYS)) as (_, catalogue):
            assert found(catalogue, kind) == names(kind, EVERY_SIX_DAYS)

    @each
    def test_the_interval_is_half_open(self, of, kind):
        during = Interval(DAY, DAY + timedelta(days=12))
        with archive(of, [DAY + timedelta(days=d) for d in (-12, 0, 12)]) as (_, catalogue):
            assert found(catalogue, kind, during=during) == names(kind, [DAY])

    @each
    def test_products_elsewhere_are_not_found(self, of, kind):
        with archive(of, [DAY]) as (_, catalogue):
            assert found(catalogue, kind, over=box(10, 10, 11, 11)) == []

    @each
    def test_nothing_is_an_answer(self, of, kind):
        with archive(of) as (_, catalogue):
            assert found(catalogue, kind) == []

    @each_with_slices
    def test_a_slice_whose_outline_ends_just_before_the_area_is_found_for_its_bursts_may_reach_over_it(self, of):
        with archive(of, [DAY]) as (_, catalogue):  # its outline ends at 36 degrees north
            assert found(catalogue, "slices", over=box(-117.2, 36.1, -117, 36.2)) == names("slices", [DAY])
            assert found(catalogue, "slices", over=box(-117.2, 36.3, -117, 36.4)) == []

    @pytest.mark.parametrize("name", ["cdse_stac", "earth_search"])
    def test_a_granule_counts_by_its_datatake_and_not_by_its_own_sensing(self, name):
        during = Interval(DAY, DAY + timedelta(minutes=1))
        late = [stac_item(DAY, sensed=timedelta(minutes=25))]
        with archive(GRANULES[name], entries=late) as (_, catalogue):
            assert found(catalogue, "granules", during=during) == [l2a_name(DAY)]

    def test_nothing_is_held_back_for_its_clouds_and_unknown_cover_stays_unknown(self):
        covers = {"11SLT": 99.5, "11SLU": None, "11SMT": "x", "11SMU": 0.0, "11SLV": 101.0}
        entries = [
            odata_granule(DAY, name=l2a_name(DAY, mgrs=tile), attributes={"cloudCover": cover})
            for tile, cover in covers.items()
        ]
        with archive(GRANULES["cdse_odata"], entries=entries) as (_, catalogue):
            told = {g.mgrs: g.cloud_percent for g in catalogue.granules(box(-120, 33, -114, 38), SPRING)}
        assert told == {"11SLT": 99.5, "11SLU": None, "11SMT": None, "11SMU": 0.0, "11SLV": None}

    def test_all_processings_are_given_for_the_domain_chooses(self):
        made = [
            l2a_name(DAY, baseline=b, made=m) for b, m in (("0214", "20200705T141000"), ("0500", "20230530T175912"))
        ]
        entries = [odata_granule(DAY, name=name) for name in made]
        with archive(GRANULES["cdse_odata"], entries=entries) as (_, catalogue):
            assert found(catalogue, "granules") == made

    def test_a_product_that_is_listed_twice_is_found_once_in_the_entry_that_says_more(self):
        entries = [
            odata_granule(DAY, Id="1", attributes={"cloudCover": None}),
            odata_granule(DAY, Id="2", attributes={"cloudCover": 7.0}),
        ]
        with archive(GRANULES["cdse_odata"], entries=entries) as (_, catalogue):
            assert [g.cloud_percent for g in catalogue.granules(AREA, SPRING)] == [7.0]

    def test_an_area_on_both_sides_of_the_antimeridian_is_asked_for_on_both(self):
        west = [[179.5, 50], [180, 50], [180, 52], [179.5, 52], [179.5, 50]]
        east = [[-180, 50], [-179, 50], [-179, 52], [-180, 52], [-180, 50]]
        both = {"type": "MultiPolygon", "coordinates": [[west], [east]]}
        entries = [odata_slice(DAY, GeoFootprint=both), odata_slice(DAY + timedelta(days=1), ring=east)]
        over = MultiPolygon([box(179.6, 50.5, 180, 51), box(-180, 50.5, -179.6, 51)])
        with archive(SLICES["cdse_odata"], entries=entries) as (server, catalogue):
            assert found(catalogue, "slices", over=over) == [slc_name(DAY), slc_name(DAY + timedelta(days=1))]
            assert len(server.asked) == 2

    def test_a_product_without_polygon_is_told_in_the_text_of_its_footprint(self):
        text = "geography'SRID=4326;POLYGON ((-118 34, -116 34, -116 36, -118 36, -118 34))'"
        with archive(SLICES["cdse_odata"], entries=[odata_slice(DAY, GeoFootprint=None, Footprint=text)]) as (_, c):
            assert found(c, "slices") == [slc_name(DAY)]


class TestWhatCannotBeUsed:
    def test_products_that_are_not_online_are_noted(self):
        entries = [odata_slice(DAY), odata_slice(DAY + timedelta(days=12), Online=False)]
        with archive(SLICES["cdse_odata"], entries=entries) as (_, catalogue):
            assert found(catalogue, "slices") == [slc_name(DAY)]
        assert catalogue.notes == [
            f"cdse_odata lists {slc_name(DAY + timedelta(days=12))} and cannot deliver it now; it is left out"
        ]
        assert catalogue.broken == {}

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"attributes": {"relativeOrbitNumber": None}}, "must tell a relative orbit of 1 to 175; got None"),
            ({"attributes": {"relativeOrbitNumber": 176}}, "must tell a relative orbit of 1 to 175; got 176"),
            ({"attributes": {"orbitDirection": "UP"}}, "must tell a direction"),
            ({"GeoFootprint": None, "Footprint": None}, "must tell its outline"),
            ({"GeoFootprint": {"type": "Polygon", "coordinates": []}}, "must tell its outline"),
        ],
    )
    def test_an_entry_that_lacks_what_a_search_needs_is_noted_and_the_others_are_found(self, changes, reason):
        entries = [odata_slice(DAY, **changes), odata_slice(DAY + timedelta(days=12))]
        entries[0].setdefault("GeoFootprint", None)
        server_sees = [e | {"GeoFootprint": e["GeoFootprint"] if k else None} for k, e in enumerate(entries)]
        with archive(SLICES["cdse_odata"], entries=server_sees) as (server, catalogue):
            server.archive.products = server_sees
            server.faults.append(with_entries(lambda _: entries))
            assert found(catalogue, "slices") == [slc_name(DAY + timedelta(days=12))]
        assert list(catalogue.broken) == [slc_name(DAY)]
        assert reason in catalogue.broken[slc_name(DAY)]

    def test_missing_fields_are_filled_from_the_name(self):
        entry = odata_slice(DAY, ContentDate={"Start": f"{DAY:%Y-%m-%dT%H:%M:%S}Z", "End": None}, OriginDate=None)
        absent = dict.fromkeys(("processorVersion", "processingDate", "polarisationChannels"))
        entry["Attributes"] = [a for a in entry["Attributes"] if a["Name"] not in absent]
        with archive(SLICES["cdse_odata"], entries=[entry]) as (_, catalogue):
            (one,) = catalogue.slices(AREA, SPRING)
        assert one.stop == one.processed == DAY + timedelta(seconds=27)
        assert (one.ipf, one.polarisations) == ((0, 0), ("VH", "VV"))

    def test_a_polarisation_that_is_named_and_not_told_is_not_there(self):
        entries = [odata_slice(DAY, attributes={"polarisationChannels": "VV"})]
        with archive(SLICES["cdse_odata"], entries=entries) as (_, catalogue):
            assert [one.polarisations for one in catalogue.slices(AREA, SPRING)] == [("VV",)]

    def test_images_elsewhere_than_the_tile_make_an_entry_unusable(self):
        item = stac_item(DAY)
        item["assets"] = {"B02_10m": {"proj:transform": [10.0, 0.0, 300000.0, 0.0, -10.0, 9000000.0]}}
        with archive(GRANULES["cdse_stac"], entries=[item]) as (_, catalogue):
            assert found(catalogue, "granules") == []
        assert "must begin at the corner of tile 11SMU" in catalogue.broken[l2a_name(DAY)]


class TestCompleteness:
    @each
    def test_what_does_not_fit_into_one_answer_is_asked_for_in_parts(self, of, kind):
        with archive(of, EVERY_SIX_DAYS, limit=4) as (server, catalogue):
            assert found(catalogue, kind) == names(kind, EVERY_SIX_DAYS)
            assert len(server.asked) > 4

    def test_ten_thousand_products_and_more_are_all_found_without_a_second_page(self, monkeypatch):
        monkeypatch.setattr(questions, "LONGEST_QUESTION", timedelta(days=400))
        starts = [utc("2020-01-01T00:00:00") + timedelta(minutes=40 * n) for n in range(10_200)]
        template = odata_slice(starts[0])
        needed = {"productType", "relativeOrbitNumber", "orbitDirection"}
        template["Attributes"] = [a for a in template["Attributes"] if a["Name"] in needed]
        entries = []
        for start in starts:
            dates = {
                "Start": f"{start:%Y-%m-%dT%H:%M:%S}Z",
                "End": f"{start + timedelta(seconds=27):%Y-%m-%dT%H:%M:%S}Z",
            }
            entries.append(template | {"Id": str(start), "Name": f"{slc_name(start)}.SAFE", "ContentDate": dates})
        with archive(SLICES["cdse_odata"], entries=entries, limit=1000) as (server, catalogue):
            during = Interval(utc("2020-01-01"), utc("2020-12-31"))
            assert found(catalogue, "slices", during=during) == [slc_name(s) for s in starts]
            assert not any("skip" in dict(values) for _, values, _ in server.asked)

    def test_long_times_are_asked_for_part_by_part_and_only_while_satellites_fly(self):
        with archive(SLICES["cdse_odata"], [DAY]) as (server, catalogue):
            always = Interval(datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
            assert found(catalogue, "slices", during=always) == [slc_name(DAY)]
            asked = [dict(values)["$filter"] for _, values, _ in server.asked]
        parts = (datetime.now(UTC) - datetime(2014, 4, 3, tzinfo=UTC)) / timedelta(days=150)
        assert parts <= len(asked) <= parts + 2
        assert "Start ge 2014-04-03" in asked[0]

    def test_whoever_wants_but_the_first_product_does_not_wait_for_all(self):
        with archive(SLICES["cdse_odata"], [utc("2014-05-01"), DAY]) as (server, catalogue):
            always = Interval(datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
            assert next(catalogue.slices(AREA, always)).product == slc_name(utc("2014-05-01"))
            assert len(server.asked) == 1

    @each
    @pytest.mark.parametrize("lost", [1, 7])
    def test_entries_that_an_answer_lost_are_missed_and_asked_for_again(self, of, kind, lost):
        with archive(of, EVERY_SIX_DAYS) as (server, catalogue):
            server.faults.append(with_entries(lambda all_of_them: all_of_them[lost:]))
            assert found(catalogue, kind) == names(kind, EVERY_SIX_DAYS)

    @each
    def test_an_archive_that_keeps_losing_entries_gives_an_error_and_no_list(self, of, kind):
        with archive(of, EVERY_SIX_DAYS) as (server, catalogue):
            server.faults.extend([with_entries(lambda all_of_them: all_of_them[1:])] * 100)
            with pytest.raises(Retryable, match=r"gave 14.*, 5 times; try again later"):
                found(catalogue, kind)

    @each
    def test_repeated_entries_are_no_substitute_for_missing_ones(self, of, kind):
        with archive(of, EVERY_SIX_DAYS) as (server, catalogue):
            server.faults.extend([with_entries(lambda x: [x[0], *x[:-1]])] * 100)
            with pytest.raises(Retryable, match="repeated"):
                found(catalogue, kind)

    @pytest.mark.parametrize("count", [14, 16, 0])
    def test_a_wrong_count_is_noticed(self, count):
        with archive(SLICES["cdse_odata"], EVERY_SIX_DAYS) as (server, catalogue):
            server.faults.extend([lambda handler: handler.answer(lambda r: r | {"@odata.count": count})] * 5)
            with pytest.raises(Retryable, match=f"announced {count} products and gave 15, 5 times") as caught:
                found(catalogue, "slices")
        told = str(caught.value)
        assert told.startswith("cdse_odata: Sentinel-1 IW SLC from 2020-02-29T23:59:00Z to 2020-06-01T00:01:00Z")
        assert "(degrees W, S, E, N)" in told

    def test_items_that_were_announced_and_not_given_are_missed_where_no_total_is_told(self):
        with archive(GRANULES["cdse_stac"], [DAY]) as (server, catalogue):
            server.faults.extend([lambda handler: handler.answer(lambda r: r | {"features": []})] * 5)
            with pytest.raises(Retryable, match="announced 1 items and gave 0, 5 times"):
                found(catalogue, "granules")

    def test_a_missing_count_is_noticed(self):
        with archive(SLICES["cdse_odata"], [DAY]) as (server, catalogue):
            server.faults.extend([lambda handler: handler.answer(lambda r: {"value": r["value"]})] * 5)
            with pytest.raises(Retryable, match="without a count"):
                found(catalogue, "slices")

    def test_more_at_one_time_than_an_answer_holds_is_an_area_too_large(self):
        entries = [odata_slice(DAY, Id=str(n), Name=f"{slc_name(DAY, datatake=n)}.SAFE") for n in range(9)]
        with (
            archive(SLICES["cdse_odata"], entries=entries, limit=8) as (_, catalogue),
            pytest.raises(ConfigurationError, match="must be so small that one answer holds what starts in a second"),
        ):
            found(catalogue, "slices")

    def test_a_server_that_gives_less_at_once_than_it_is_asked_for_is_followed(self):
        with archive(GRANULES["planetary_computer"], EVERY_SIX_DAYS) as (server, catalogue):
            server.archive.most = 3
            assert found(catalogue, "granules") == names("granules", EVERY_SIX_DAYS)


class TestFaults:
    @each
    @pytest.mark.parametrize(
        "fault",
        [
            503,
            500,
            429,
            truncated,
            ended_early,
            reset_in_the_body,
            a_web_page,
            hang_up,
            wait_for_nothing,
            broken_packing,
        ],
        ids=lambda f: str(getattr(f, "__name__", f)),
    )
    def test_one_that_passes_is_not_noticed(self, of, kind, fault):
        with archive(of, EVERY_SIX_DAYS) as (server, catalogue):
            server.faults.extend([fault] * (passing.TRIES - 1))
            assert found(catalogue, kind) == names(kind, EVERY_SIX_DAYS)
            assert not server.faults

    @each
    @pytest.mark.parametrize("fault", [502, truncated, hang_up], ids=lambda f: str(getattr(f, "__name__", f)))
    def test_one_that_stays_is_left_to_a_later_try(self, of, kind, fault):
        with archive(of, EVERY_SIX_DAYS) as (server, catalogue):
            server.faults.extend([fault] * passing.TRIES)
            with pytest.raises(Retryable, match=f"{catalogue.archive}: Sentinel-. .*, 5 times; try again later"):
                found(catalogue, kind)
            assert found(catalogue, kind) == names(kind, EVERY_SIX_DAYS)

    def test_a_wait_that_the_server_asks_for_is_kept_to(self, monkeypatch):
        slept = []
        monkeypatch.setattr(passing.time, "sleep", slept.append)
        with archive(SLICES["asf"], [DAY]) as (server, catalogue):
            server.faults.append(lambda handler: handler.send(429, b"{}", {"Retry-After": "17"}))
            assert found(catalogue, "slices") == [slc_name(DAY)]
        assert slept == [17.0]

    def test_a_long_wait_is_left_to_the_scheduler(self):
        with archive(SLICES["asf"], [DAY]) as (server, catalogue):
            server.faults.append(lambda handler: handler.send(429, b"{}", {"Retry-After": "3600"}))
            with pytest.raises(Retryable, match=r"answered 429 .*, once; try again in 3600 s"):
                found(catalogue, "slices")
            assert len(server.asked) == 0

    def test_a_server_that_is_not_there_is_left_to_a_later_try(self):
        with archive(SLICES["asf"], [DAY]) as (_, catalogue):
            pass
        with pytest.raises(Retryable, match="broke off"):
            found(catalogue, "slices")

    @each
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
    def test_a_refusal_names_the_setting_and_what_the_server_said(self, of, kind, status):
        with archive(of, [DAY]) as (server, catalogue):
            server.faults.append(lambda handler: handler.send(status, b'{"detail": "Malformed OData request path"}'))
            with pytest.raises(ConfigurationError, match=f"catalogue.urls.{catalogue.archive}: must be") as caught:
                found(catalogue, kind)
        assert f"answered {status}" in str(caught.value)
        assert "Malformed OData request path" in str(caught.value)

    def test_an_endless_answer_is_not_read_to_its_end(self, monkeypatch):
        monkeypatch.setattr(web, "LIMIT_BYTES", 1000)
        with (
            archive(SLICES["asf"], [DAY]) as (_, catalogue),
            pytest.raises(Retryable, match="sent more than 1000 bytes"),
        ):
            found(catalogue, "slices")

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a/b", "https://u:not-to-be-shown@host/odata", "x"])
    def test_addresses_of_other_kinds_are_refused_and_a_password_is_not_shown(self, url):
        with pytest.raises(ConfigurationError, match=r"catalogue\.urls\.asf: must be the https:// address") as caught:
            web.JsonService("asf", url)
        assert "not-to-be-shown" not in str(caught.value)


def test_an_archive_that_has_no_such_products_says_what_it_has():
    with (
        archive(SLICES["asf"], [DAY]) as (_, catalogue),
        pytest.raises(ConfigurationError, match="must be an archive of Sentinel-2 L2A; asf has Sentinel-1 IW SLC and"),
    ):
        found(catalogue, "granules")
