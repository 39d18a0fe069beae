"""A running Airflow over a ledger of the paper's size and one real triplet, and a browser that has logged in."""

import contextlib
import os
import re
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest
import yaml

from sen12ts_pipeline.dashboard.access import Access
from sen12ts_pipeline.dashboard.sources import Sources
from sen12ts_pipeline.settings.load import find_aoi, write_aoi
from sen12ts_pipeline.state.folder import FolderStore
from sen12ts_pipeline.state.ledger import SqlLedger
from tests import launchers, servers, worlds
from tests.dashboard import ledgers
from tests.dashboard.conftest import served

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
IMAGES = Path(__file__).parents[2] / "docs" / "images"


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """Store with the world `tiny`, made by the stages, and a ledger that holds the paper's areas besides."""
    store = tmp_path_factory.mktemp("dashboard") / "store"
    worlds.run(worlds.services_of(worlds.world("tiny", tmp_path_factory.getbasetemp()), store))
    ledgers.fill(f"sqlite:///{store}/_work/ledger.sqlite", ledgers.now())
    return store


@pytest.fixture(scope="session")
def airflow(store, tmp_path_factory):
    """Address, user and password of Airflow's user interface."""
    config, state = tmp_path_factory.mktemp("config"), tmp_path_factory.mktemp("state")
    (config / "pipeline.yaml").write_text(yaml.safe_dump({"workers": 1}))
    areas = [*ledgers.areas(config).values(), worlds.area_of(worlds.world("tiny", tmp_path_factory.getbasetemp()))]
    for area in areas:
        write_aoi(area, config / "aois")
    (port,) = servers.free_ports(1)
    known = {"STORE": str(store), "PORT": str(port), "SEN12TS_CONFIG": str(config / "pipeline.yaml")}
    process = launchers.start("ui", {**launchers.environment(state), **known})
    try:
        found = launchers.read_until(process, r"^  user      (\S+)\n  password  (\S+)$")
        yield f"http://127.0.0.1:{port}", found[1], found[2]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@pytest.fixture(scope="session")
def browser(airflow):
    """Chromium, logged in."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    address, user, password = airflow
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or shutil.which("chromium-browser") or ""
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options, Service(os.environ["SEN12TS_CHROMEDRIVER"]))
        try:
            driver.set_window_size(1366, 900)
            driver.get(f"{address}/")
            wait = WebDriverWait(driver, 60)
            wait.until(lambda d: d.find_elements(By.NAME, "username"))
            driver.find_element(By.NAME, "username").send_keys(user)
            driver.find_element(By.NAME, "password").send_keys(password)
            driver.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
            wait.until(lambda d: any(cookie["name"] == "_token" for cookie in d.get_cookies()))
            yield driver
        finally:
            driver.quit()


class Window:
    """What tests do with the browser."""

    def __init__(self, driver, address):
        self.driver, self.address = driver, address

    def open(self, path, *, width=1366, height=900, dark=False):
        """Open a page of the dashboard; seconds from the request to its load event."""
        self.driver.set_window_size(width, height)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", _metrics(width, height))
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        self.driver.execute_script("try { localStorage.removeItem('theme') } catch (e) {}")
        self.driver.get(f"{self.address}/sen12ts{path}")
        timing = "const t = performance.getEntriesByType('navigation')[0]; return t.loadEventEnd - t.startTime"
        self.until(lambda: self.driver.execute_script(timing) > 0)
        return self.driver.execute_script(timing) / 1000

    def until(self, condition, seconds=30):
        """Wait for a condition; what it gave."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, f"not within {seconds} s: {self.driver.current_url}\n{self.text[:2000]}"
            time.sleep(0.02)
        return found

    @property
    def text(self):
        """What a person reads."""
        return self.driver.execute_script("return document.body.innerText")

    def numbers(self, selector):
        """Whole numbers in the text of an element."""
        text = self.driver.execute_script("return document.querySelector(arguments[0]).innerText", selector)
        return [int(found.replace("\u202f", "")) for found in re.findall(r"\d[\d\u202f]*", text)]

    def server_ms(self):
        """How long the page's request took until its last byte, milliseconds."""
        timing = "const t = performance.getEntriesByType('navigation')[0]; return t.responseEnd - t.requestStart"
        return self.driver.execute_script(timing)

    def picture(self, name):
        """Keep what is seen, when pictures are wanted; without the places of this machine."""
        self.driver.execute_script(
            "document.querySelectorAll('td code').forEach("
            "(place) => { place.textContent = place.textContent.replace(/^.*[/]/, '/data/') })"
        )
        if os.environ.get("SEN12TS_SCREENSHOTS"):
            IMAGES.mkdir(exist_ok=True)
            self.driver.save_screenshot(str(IMAGES / f"dashboard-{name}.png"))


def _metrics(width, height):
    return {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}


@pytest.fixture(scope="session")
def window(browser, airflow):
    found = Window(browser, airflow[0])
    found.open("/withheld")  # the app is made at the first request of the process
    return found


@pytest.fixture(scope="session")
def bare(browser):
    """Opens the dashboard over any sources, without Airflow around it: who looks may do everything."""

    @contextlib.contextmanager
    def over(sources):
        with served(sources, Access(lambda: None, lambda: "Olga")) as site:
            yield Window(browser, f"{site.address}/base")

    return over


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """What `make run` makes without any variable: its ledger, store and area, as the pages see them."""
    store = tmp_path_factory.mktemp("demo") / "store"
    process = launchers.start("run", {**launchers.environment(store.parent / "state"), "STORE": str(store)})
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    ledger, area = SqlLedger.connect(f"sqlite:///{store}/_work/ledger.sqlite"), find_aoi("demo", {})
    return Sources(lambda: ledger, lambda: FolderStore(store), lambda: {area.name: area})
