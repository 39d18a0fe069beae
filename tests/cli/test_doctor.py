"""`doctor`: what it finds, and what it says is to be done."""

import re
from dataclasses import asdict

import pytest

from sen12ts_pipeline import wiring
from sen12ts_pipeline.acquisition.tokens import Token
from sen12ts_pipeline.cli import doctor
from sen12ts_pipeline.passing import Passing
from sen12ts_pipeline.settings.load import load_settings
from tests.sar.snap import standin_gpt


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine without SNAP and pyroSAR, whatever this one has."""
    for name in ("SEN12TS_GPT", "SEN12TS_PYROSAR", "SEN12TS_CONFIG", "SEN12TS_AOIS", "SEN12TS__STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("sen12ts_pipeline.sar.snap.installation.USUAL_PLACES", ("~/snap",))
    monkeypatch.setattr("sen12ts_pipeline.sar.snap.bridge.USUAL_PLACES", ("snap-env/bin/python",))


def lines_about(subject, out):
    """What is said of a subject, the remedy with it."""
    said = out.splitlines()
    found = []
    for number, line in enumerate(said):
        if line[6:].startswith(subject):
            found.append(line)
            if number + 1 < len(said) and said[number + 1].startswith(" " * 24):
                found.append(said[number + 1])
    return found


class TestWithoutAnything:
    def test_it_tells_of_program_memory_engine_disk_and_geoid(self, sen12ts):
        code, out, err = sen12ts("doctor")
        assert (code, err) == (0, "")
        for subject, words in (
            ("program", "sen12ts 0.1.0, Python 3."),
            ("memory", "GiB"),
            ("settings", "the defaults: no config/pipeline.yaml here"),
            ("engine", "native, "),
            ("store", "GiB free"),
            ("geoid EGM96", "comes with the program"),
        ):
            (line, *_) = lines_about(subject, out)
            assert line.startswith("ok "), line
            assert words in line

    def test_it_notes_what_another_engine_would_need_and_how_to_get_it(self, sen12ts):
        _, out, _ = sen12ts("doctor")
        (gpt,), (pyrosar,) = lines_about("SNAP", out), lines_about("pyroSAR", out)
        assert gpt.startswith("note")
        assert "install SNAP as docs/snap.md says, or name its gpt by snap.gpt or SEN12TS_GPT" in gpt
        assert pyrosar.startswith("note")
        assert "make test-snap makes one" in pyrosar

    def test_it_says_how_an_area_is_made(self, sen12ts):
        _, out, _ = sen12ts("doctor")
        assert "make run AOI=<area.geojson>" in lines_about("areas", out)[1]
        assert out.endswith("findings, 0 faults\n")


class TestSnap:
    def test_is_told_with_its_version_and_its_geoid(self, sen12ts, tmp_path, monkeypatch):
        monkeypatch.setenv("SEN12TS_GPT", str(standin_gpt.install(tmp_path / "there")))
        monkeypatch.setenv("SEN12TS__SNAP__MEMORY_GB", "1")
        monkeypatch.setenv("SEN12TS__SNAP__CACHE_GB", "0.3")
        _, out, _ = sen12ts("doctor")
        gpt, memory, geoid, remedy = lines_about("SNAP", out)
        assert gpt.startswith("ok ")
        assert "a heap of 1 of" in memory
        assert f"13.0.4 at {tmp_path}/there/bin/gpt, Java 21" in gpt
        assert "no " in geoid
        assert "without a network put it there" in remedy
        grid = tmp_path / "home/.snap/auxdata/dem/egm96/ww15mgh_b.zip"
        grid.parent.mkdir(parents=True)
        grid.write_bytes(b"")
        _, out, _ = sen12ts("doctor")
        assert lines_about("SNAP geoid", out) == [f"ok    SNAP geoid         {grid}"]

    def test_of_another_release_is_noted(self, sen12ts, tmp_path, monkeypatch):
        monkeypatch.setenv("SEN12TS_GPT", str(standin_gpt.install(tmp_path / "old", "12.0.1")))
        _, out, _ = sen12ts("doctor")
        line, remedy = lines_about("SNAP   ", out)
        assert line.startswith("note")
        assert "12.0.1" in line
        assert "13.0.4" in remedy

    def test_that_is_wanted_and_not_there_is_a_fault(self):
        (finding, _) = doctor._snap({}, wanted=True)
        assert finding.state == doctor.FAULT

    def test_with_more_heap_than_the_machine_can_give_is_a_fault(self, tmp_path, monkeypatch):
        monkeypatch.setattr(doctor, "memory_gb", lambda: (16.0, "by the container's limit"))
        gpt = standin_gpt.install(tmp_path / "there")
        for heap, state in ((11.0, doctor.FINE), (12.0, doctor.FAULT)):
            found = list(doctor._snap({"gpt": str(gpt), "memory_gb": heap}, wanted=True))
            (memory,) = (f for f in found if f.subject == "SNAP memory")
            assert memory.state == state
        assert "set snap.memory_gb to 11 at most: of 16.0 GiB by the container's limit" in memory.remedy


class TestQuotas:
    @pytest.fixture
    def quotas(self, store, tmp_path, monkeypatch):
        """Quotas of the store that is configured; the Copernicus Data Space grants ten requests a minute."""
        monkeypatch.setenv("SEN12TS_CONFIG", str(tmp_path / "pipeline.yaml"))
        (tmp_path / "pipeline.yaml").write_text("quotas: {cdse: {requests_per_minute: 10, gb_per_30_days: 10}}")
        settings = load_settings()
        quotas = wiring.quotas_of(settings)
        yield quotas
        quotas.close()

    def take(self, quotas, turns, size=0, provider="cdse"):
        for _ in range(turns):
            with quotas.gate(provider).turn() as turn:
                turn.received(size)

    def test_of_whom_nothing_was_asked_are_not_looked_up(self, sen12ts, tmp_path, monkeypatch):
        monkeypatch.setenv("SEN12TS__LEDGER", f"sqlite:///{tmp_path}/none.sqlite")
        _, out, _ = sen12ts("doctor")
        assert lines_about("quotas", out) == ["ok    quotas             nothing was asked of any provider yet"]
        assert not (tmp_path / "none.sqlite").exists()

    def test_are_told_with_what_is_in_use(self, quotas, sen12ts):
        self.take(quotas, 2, 700_000_000)
        with quotas.gate("cdse").turn():
            _, out, _ = sen12ts("doctor")
        (line,) = lines_about("quota cdse", out)
        assert line.startswith("ok ")
        assert "1 of 4 connections, 3 of 10 requests in a minute, 1.4 of 10 GB in 30 days" in line
        assert "nothing in use of asf, aws, earth_search, planetary_computer" in lines_about("quotas", out)[0]

    def test_that_are_nearly_used_up_are_a_note(self, quotas, sen12ts):
        self.take(quotas, 8, 1_100_000_000)
        code, out, _ = sen12ts("doctor")
        line, remedy = lines_about("quota cdse", out)
        assert (code, line.split()[0]) == (0, "note")
        assert "near its limit: requests in a minute and GB in 30 days" in remedy

    def test_whose_requests_are_paused_say_until_when_and_why(self, quotas, sen12ts):
        with pytest.raises(Passing), quotas.gate("asf").turn():
            raise Passing("answered 503", 3000.0)
        _, out, _ = sen12ts("doctor")
        line, remedy = lines_about("quota asf", out)
        assert line.startswith("note")
        assert re.search(r"all workers pause until \S+ \S+ UTC: the server answered 503", remedy)

    def test_tell_of_the_machine_s_token(self, quotas, sen12ts, tmp_path, monkeypatch):
        self.take(quotas, 1)
        monkeypatch.setenv("SEN12TS_TOKENS", str(tmp_path / "tokens"))
        access = wiring.provider("planetary_computer", load_settings()).access
        access._path.parent.mkdir()
        access._write({"token": asdict(Token("sig=secret", "", 0.0, 32503680000.0, 0.0))})
        _, out, _ = sen12ts("doctor")
        (line,) = lines_about("quota planetary_computer", out)
        assert "this machine's token ends 3000-01-01 00:00 UTC" in line
        assert "secret" not in out


class TestAreas:
    def test_are_all_looked_at(self, store, sen12ts, tiny):
        code, out, _ = sen12ts("doctor")
        assert code == 0
        assert lines_about("area tiny", out) == [
            f"ok    area tiny          catalogue.root: {tiny}/archive",
            f"ok    area tiny          labels.path: {tiny}/labels/labels.tif",
            f"ok    area tiny          dem.path: {tiny}/dem/dem.tif, heights ellipsoidal",
        ]

    @pytest.mark.parametrize(
        ("variable", "text", "words"),
        [
            ("DEM__PATH", "gone.tif", "must be a readable raster"),
            ("DEM__VERTICAL", "egm2008", "heights above EGM2008 need a geoid grid"),
            ("CATALOGUE__ROOT", "gone", "catalogue.root: there is no"),
            ("LABELS__PATH", "", "not set: labels.path"),
        ],
    )
    def test_that_lack_a_file_are_a_note_among_all_and_a_fault_alone(
        self, store, sen12ts, monkeypatch, variable, text, words
    ):
        monkeypatch.setenv(f"SEN12TS__AOI__TINY__{variable}", text)
        for arguments, state, status in (((), "note", 0), (("tiny",), "fault", 1)):
            code, out, _ = sen12ts("doctor", *arguments)
            (line,) = (line for line in lines_about("area tiny", out) if words in line)
            assert line.startswith(state)
            assert code == status

    def test_that_are_not_configured_are_a_fault(self, store, sen12ts):
        code, out, _ = sen12ts("doctor", "atlantis")
        assert code == 1
        assert "must be one of tiny" in lines_about("areas", out)[0]


def test_settings_that_are_wrong_are_a_finding_and_the_rest_is_told(sen12ts, monkeypatch):
    monkeypatch.setenv("SEN12TS__WORKERS", "none")
    code, out, _ = sen12ts("doctor")
    assert code == 1
    assert "SEN12TS__WORKERS: workers: must be a whole number" in lines_about("settings", out)[0]
    assert lines_about("geoid EGM96", out)


def test_a_store_that_cannot_be_written_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    finding = doctor._room("store", tmp_path / "store")
    assert (finding.state, finding.remedy) == (doctor.FAULT, f"make {tmp_path} writable, or name another folder")


@pytest.mark.parametrize(("text", "expected"), [("1073741824\n", 1.0), ("max\n", None)])
def test_a_containers_limit_counts_where_it_is_less_than_the_machine_has(tmp_path, monkeypatch, text, expected):
    (tmp_path / "memory.max").write_text(text)
    monkeypatch.setattr(doctor, "CGROUP_LIMITS", (str(tmp_path / "memory.max"),))
    found, bound = doctor.memory_gb()
    assert bound == ("by the container's limit" if expected else "in the machine")
    assert found == expected or expected is None
