"""The dashboard as people see it: in a browser that has logged in to a running Airflow, over 250,000 triplets."""

import json
import time
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from sen12ts_pipeline.dashboard import paper
from sen12ts_pipeline.dashboard.sources import Sources
from sen12ts_pipeline.domain.seasons import Partition
from sen12ts_pipeline.errors import Retryable
from sen12ts_pipeline.state.folder import FolderStore
from sen12ts_pipeline.state.ledger import SqlLedger
from tests import launchers
from tests.dashboard import ledgers

pytestmark = [pytest.mark.e2e, pytest.mark.needs_browser]

FIRST_VIEW_S, INTERACTION_MS = 1.5, 200
TINY = 2
"""Triplets of the world `tiny`."""


TRIES = 5
"""The machine has other work: what is quick once is quick."""


def quickest(measure, limit):
    """The first of a few measurements that is below a limit, else the least of them."""
    found = []
    while len(found) < TRIES and not (found and found[-1] < limit):
        found.append(measure())
    return min(found)


def test_the_first_view_is_quick_and_says_what_the_ledger_holds(window, record_property):
    seconds = quickest(lambda: window.open("/"), FIRST_VIEW_S)
    record_property("seconds", seconds)
    assert seconds < FIRST_VIEW_S
    assert window.numbers(".cards div")[0] == ledgers.TRIPLETS + TINY
    assert len(window.driver.find_elements("css selector", ".s-stalled, .s-failed")) == 1
    assert window.text.index(ledgers.BROKEN) < window.text.index("Areas and seasons"), "failures stand first"
    iowa = window.driver.execute_script(
        "return [...document.querySelectorAll('.grid tbody tr')].find(r => r.innerText.includes('iowa')).innerText"
    )
    assert f"{paper.AREAS['iowa'].tiles:,}".replace(",", "\u202f") in iowa
    assert "running" in iowa
    window.picture("overview")
    window.open("/", dark=True)
    assert window.driver.execute_script("return document.documentElement.dataset.theme") == "dark"
    window.picture("overview-dark")
    window.open("/", width=390, height=1500)
    wide = window.driver.execute_script("return document.documentElement.scrollWidth")
    assert wide <= 390, "a phone need not be scrolled sideways"
    window.picture("overview-phone")


def test_a_map_of_seven_thousand_tiles_is_drawn_and_moves_at_once(window, record_property):
    window.open("/map?aoi=uganda")
    place = "document.getElementById('map')"
    window.until(lambda: window.driver.execute_script(f"return {place}.dataset.tiles"))
    assert int(window.driver.execute_script(f"return {place}.dataset.tiles")) >= paper.AREAS["uganda"].tiles
    moved = f"""
      const place = {place}, canvas = place.querySelector('canvas'), done = arguments[0];
      canvas.focus();
      const began = performance.now();
      canvas.dispatchEvent(new KeyboardEvent('keydown', {{key: '+'}}));
      requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));"""
    zoomed = quickest(lambda: window.driver.execute_async_script(moved), INTERACTION_MS)
    record_property("zoom_ms", zoomed)
    assert zoomed < INTERACTION_MS
    hover = f"""
      const canvas = {place}.querySelector('canvas'), box = canvas.getBoundingClientRect(), began = performance.now();
      canvas.dispatchEvent(new PointerEvent('pointermove', {{clientX: box.x + box.width / 2,
        clientY: box.y + box.height / 2}}));
      return [performance.now() - began, {place}.querySelector('.tip').textContent];"""
    milliseconds = quickest(lambda: window.driver.execute_script(hover)[0], INTERACTION_MS)
    record_property("hover_ms", milliseconds)
    assert milliseconds < INTERACTION_MS
    tip = window.driver.execute_script(hover)[1]
    assert tip.startswith("36_")
    window.driver.execute_script(f"{place}.querySelector('[data-zoom=\"0\"]').click()")
    window.picture("map")


def test_thirty_thousand_tiles_stay_fluid(window, record_property):
    window.open("/map?aoi=uganda")
    window.until(lambda: window.driver.execute_script("return document.getElementById('map').dataset.tiles"))
    copies = """
      const done = arguments[0], root = document.body.dataset.root;
      fetch(root + '/api/map/uganda').then((a) => a.json()).then((atlas) => {
        const many = {...atlas, tiles: [], triplets: [], corners: []};
        for (let k = 0; k < 5; k += 1) {
          many.tiles.push(...atlas.tiles); many.triplets.push(...atlas.triplets);
          atlas.corners.forEach((c, i) => many.corners.push(i % 8 === 0 ? c + 250000 * k : c));
        }
        window.fetch = async () => new Response(JSON.stringify(many));
        const place = document.getElementById('map');
        place.dataset.tiles = '';
        drawMap(place).then(() => setTimeout(() => done([place.dataset.tiles, place.dataset.frameMs]), 1000));
      });"""
    window.driver.set_script_timeout(30)

    def drawn():
        tiles, frame = window.driver.execute_async_script(copies)
        assert int(tiles) > 30_000
        return float(frame)

    record_property("frame_ms", frame := drawn())
    if frame >= INTERACTION_MS:
        again = "return parseFloat(document.getElementById('map').dataset.frameMs)"
        press = "document.querySelector('#map canvas').dispatchEvent(new KeyboardEvent('keydown', {key: '+'}))"

        def redrawn():
            window.driver.execute_script(press)
            time.sleep(0.5)
            return window.driver.execute_script(again)

        frame = quickest(redrawn, INTERACTION_MS)
    assert frame < INTERACTION_MS


def test_layers_of_a_searched_season_are_drawn(window):
    window.open("/map?aoi=tiny")
    window.until(lambda: window.driver.execute_script("return document.getElementById('map').dataset.tiles"))
    window.driver.execute_script(
        "document.getElementById('layer-season').value = 'fall'; document.getElementById('layer-tracks').click();"
        "document.getElementById('layer-granules').click()"
    )
    window.until(
        lambda: (
            "layers/2023/fall"
            in window.driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name).join()")
        )
    )
    assert window.driver.execute_script("return document.querySelector('.tip').hidden")


@pytest.mark.parametrize(
    ("path", "says", "name"),
    [
        ("/availability", "Tiles by number of triplets", "availability"),
        ("/funnel?aoi=iowa&year=2020&season=fall", "below the cloud limit", "funnel"),
        ("/candidates?aoi=iowa&state=refused&rule=cap", "pairs", "pairs"),
        ("/triplets?aoi=tiny", "slot 1", "triplets"),
        ("/why?tile=00_0_0", "This page cannot be shown", "error"),
        ("/withheld", "Withheld triplets", "withheld"),
    ],
)
def test_a_page_opens_and_says_what_it_is(window, path, says, name):
    assert quickest(lambda: window.open(path), FIRST_VIEW_S) < FIRST_VIEW_S
    assert says in window.text
    window.picture(name)


NEW = {"/quality": "Checks", "/outliers": "numbers that were not to be expected", "/resources": "Quotas of providers"}


@pytest.mark.parametrize("path", NEW)
def test_pages_of_numbers_are_quick_and_readable_everywhere(window, record_property, path):
    name = path.strip("/")
    assert quickest(lambda: window.open(path), FIRST_VIEW_S) < FIRST_VIEW_S
    assert NEW[path] in window.text
    window.picture(name)
    again = quickest(lambda: window.open(path) and window.server_ms(), INTERACTION_MS)
    record_property("again_ms", again)
    assert again < INTERACTION_MS
    if path == "/quality":
        window.open(path, dark=True)
        window.picture(f"{name}-dark")
    window.open(path, width=390, height=1500)
    assert window.driver.execute_script("return document.documentElement.scrollWidth") <= 390
    if path != "/outliers":
        window.picture(f"{name}-phone")


def test_quality_counts_what_the_ledger_holds_and_leads_to_the_outliers(window, record_property):
    window.open("/quality")
    assert window.numbers(".cards div")[:2] == [ledgers.TRIPLETS + TINY] * 2
    each = [ledgers.numbers_of(n := sum(ledgers.counts_of(aoi)), n)["alignment"] for aoi in ledgers.CORNERS]
    odd = sum(int((values > 15.0).sum()) for values in each)
    find = "return [...document.querySelectorAll('.cards a')].find((a) => a.href.includes('alignment'))"
    assert int(window.driver.execute_script(f"{find}.innerText")) == odd
    window.driver.execute_script(f"({find.removeprefix('return ')}).click()")
    window.until(lambda: "/outliers" in window.driver.current_url and "Expected" in window.text)
    again = window.driver.current_url.partition("/sen12ts")[2]
    clicked = quickest(lambda: window.open(again) and window.server_ms(), INTERACTION_MS)
    record_property("click_ms", clicked)
    assert clicked < INTERACTION_MS
    assert window.numbers(".pager")[0] == odd
    assert len(window.driver.find_elements("css selector", "tbody tr")) == odd
    assert "0 to 15 m" in window.text


def test_resources_are_those_of_the_ledger(window):
    window.open("/resources")
    assert "7.2 TB of 12 TB" in window.text
    rows = "return [...document.querySelectorAll('tbody tr')].map((r) => r.innerText.replace(/\\u202f/g, ''))"
    texts = window.driver.execute_script(rows)
    [radar] = [text for text in texts if text.startswith("radar\t")]
    assert radar.split("\t")[-1] == str(6 * 900)
    [iowa] = [text for text in texts if text.startswith("iowa fall 2020")]
    assert iowa.split("\t")[1] == str(ledgers.WAITING)


ALL = ["/", "/map", "/availability", "/funnel", "/candidates", "/triplets", "/quality", "/outliers", "/resources"]
ALL += ["/why?tile=30_-63_1640", "/withheld"]


def test_every_page_opens_on_the_demo_and_says_what_its_ledger_holds(bare, demo):
    fall = Partition.parse("demo/2023-fall")
    made, pairs = demo.ledger().triplets(fall), demo.ledger().candidates(partition=fall)
    tiles = {one.tile for one in made}
    with bare(demo) as page:
        for path in ALL:
            assert quickest(lambda path=path: page.open(path), FIRST_VIEW_S) < FIRST_VIEW_S
            assert "cannot be shown" not in page.text
        page.open("/")
        assert page.numbers(".cards div:nth-child(1)")[0] == len(made)
        assert page.numbers(".cards div:nth-child(2)")[0] == len(tiles)
        page.open("/map")
        drawn = "return document.getElementById('map').dataset.tiles"
        assert int(page.until(lambda: page.driver.execute_script(drawn))) >= len(tiles)
        page.open("/availability")
        assert f"{len(tiles)} tiles, {len(made)} triplets" in page.text
        page.open("/funnel")
        assert f"make {len(pairs)} pairs" in page.text
        page.open("/triplets")
        assert page.numbers(".pager")[0] == len(made) == len(page.driver.find_elements("css selector", ".tiles a"))
        page.open("/quality")
        assert page.numbers(".cards")[:3] == [len(made), len(made), 0], "all are measured, none is odd"
        page.open("/resources")
        assert f"demo\t{len(made)}\t" in page.text
        page.open(f"/triplets/demo/{made[0].name}")
        sizes = "return [...document.images].map(image => image.naturalWidth)"
        page.until(lambda: all(page.driver.execute_script(sizes)))
        assert "outside" not in page.text.partition("Layers")[2].partition("Provenance")[0]


def test_pages_over_nothing_say_what_to_do(bare, tmp_path):
    ledger = SqlLedger.connect(f"sqlite:///{tmp_path}/ledger.sqlite")
    with bare(Sources(lambda: ledger, lambda: FolderStore(tmp_path / "store"), dict)) as page:
        for path in ALL:
            page.open(path)
            said = ("What to do:", "Nothing is known", "can be withheld", "There is none", "Triplets are measured")
            assert any(one in page.text for one in said), path
        page.open("/")
        page.picture("empty")


def test_one_failed_partition_stands_first_and_all_else_is_shown(bare, demo):
    winter = Partition.parse("demo/2023-winter")
    demo.ledger().record_event(winter, "radar", ledgers.BROKEN)
    with bare(demo) as page:
        page.open("/")
        assert page.text.index(ledgers.BROKEN) < page.text.index("Areas and seasons")
        assert "clear the task" in page.text
        assert len(page.driver.find_elements("css selector", ".s-failed")) == 1
        assert len(page.driver.find_elements("css selector", ".s-done")) == 1
        page.open("/funnel?aoi=demo&season=winter")
        assert "What to do:" in page.text
    demo.ledger().record_event(winter, "report", "report written")


def test_without_its_ledger_every_page_says_what_is_wrong_and_what_to_do(bare, demo):
    def down():
        raise Retryable("the ledger postgresql://host/name does not answer: connection refused")

    with bare(replace(demo, ledger=down)) as page:
        for path in ALL:
            page.open(path)
            assert "the ledger postgresql://host/name does not answer" in page.text
            assert "See that its server runs" in page.text
        page.picture("down")


def test_a_triplet_shows_its_pictures_and_is_withheld_and_released(window):
    window.open("/triplets?aoi=tiny")
    link = "return document.querySelector('.tiles a').getAttribute('href')"
    path = window.driver.execute_script(link).removeprefix("/sen12ts")
    window.open(path)
    sizes = "return [...document.images].map(image => image.naturalWidth)"
    window.until(lambda: all(window.driver.execute_script(sizes)))
    window.picture("triplet")
    window.driver.execute_script("document.querySelector('.strip').scrollIntoView()")
    window.picture("dates")
    for button, after in (("Withhold", "Withheld from the index"), ("Release", "In the index")):
        window.driver.execute_script(
            "document.querySelector('#verdict input').value = 'a look at it';"
            "document.querySelector('#verdict button').click()"
        )
        window.until(lambda after=after: after in window.text)
        assert "a look at it" in window.text, button
    window.open("/why?tile=" + window.driver.execute_script("return document.querySelector('h1').innerText").split()[1])
    assert "2 triplets of" in window.text
    window.picture("why")


def test_it_stands_in_the_menu_and_links_lead_out_of_its_frame(window, airflow):
    window.driver.get(f"{airflow[0]}/plugin/sen12ts")
    frame = window.until(lambda: window.driver.find_elements("css selector", "iframe"))[0]
    window.driver.switch_to.frame(frame)
    window.until(lambda: "Areas and seasons" in window.text)
    window.driver.switch_to.default_content()
    window.until(lambda: "Areas and seasons" not in window.driver.execute_script("return document.body.innerText"))
    window.picture("in-airflow")
    window.driver.switch_to.frame(frame)
    window.driver.execute_script("document.querySelector('a[data-airflow]').click()")
    window.driver.switch_to.default_content()
    window.until(lambda: window.driver.current_url.endswith("/dags"))


def test_nothing_is_asked_of_other_hosts(window, airflow):
    for path in ("/", "/map?aoi=tiny", "/triplets?aoi=tiny"):
        window.open(path)
        names = "return performance.getEntriesByType('resource').map(entry => entry.name)"
        assert all(name.startswith(airflow[0]) for name in window.driver.execute_script(names))


def test_the_anonymous_get_nothing_and_a_foreign_page_neither(airflow):
    address, user, password = airflow
    port = int(address.rpartition(":")[2])
    token = launchers.ask(port, "/auth/token", body={"username": user, "password": password})["access_token"]
    for headers, status in (({}, 401), ({"Cookie": f"_token={token}", "Origin": "http://evil.example"}, 403)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(f"{address}/sen12ts/api/overview", headers=headers))
        assert refused.value.code == status
        refused.value.close()
    seen = launchers.ask(port, "/sen12ts/api/overview", token)
    assert seen["triplets"] == ledgers.TRIPLETS + TINY
    assert json.dumps(seen)
