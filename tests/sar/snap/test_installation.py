"""Finding SNAP and telling its version, on installations that the stand-in lays out."""

import zipfile
from pathlib import Path

import pytest

from sen12ts_pipeline.errors import ConfigurationError
from sen12ts_pipeline.sar.snap import installation
from sen12ts_pipeline.sar.snap.installation import examine, find_gpt
from sen12ts_pipeline.sar.snap.operators import Release
from tests.sar.snap import standin_gpt


@pytest.fixture(autouse=True)
def nothing_usual(monkeypatch, tmp_path):
    monkeypatch.setattr(installation, "USUAL_PLACES", (str(tmp_path / "usual"),))


class TestFinding:
    def test_takes_what_is_named_before_what_is_found(self, tmp_path):
        named, variable, path, usual = (
            standin_gpt.install(tmp_path / name) for name in ("named", "variable", "path", "usual")
        )
        environ = {"SEN12TS_GPT": str(variable), "PATH": str(path.parent)}
        assert find_gpt(named, environ) == named
        assert find_gpt(None, environ) == variable
        assert find_gpt(None, {"PATH": str(path.parent)}) == path
        assert find_gpt(None, {"PATH": ""}) == usual

    def test_falls_back_on_nothing_where_one_is_named_that_is_not_there(self, tmp_path):
        standin_gpt.install(tmp_path / "usual")
        with pytest.raises(ConfigurationError, match=r"nothing at /nowhere/gpt"):
            find_gpt(None, {"SEN12TS_GPT": "/nowhere/gpt"})

    def test_of_none_says_where_it_looked_and_what_to_install(self, tmp_path):
        with pytest.raises(ConfigurationError, match=r"install SNAP as docs/snap\.md says") as caught:
            find_gpt(None, {"PATH": ""})
        assert f"{tmp_path}/usual/bin/gpt" in str(caught.value)

    def test_passes_over_a_file_that_is_no_program(self, tmp_path):
        standin_gpt.install(tmp_path / "usual").chmod(0o644)
        with pytest.raises(ConfigurationError, match="nothing at"):
            find_gpt(None, {"PATH": ""})


class TestExamining:
    def test_tells_release_toolbox_and_what_it_uses(self, tmp_path):
        found = examine(standin_gpt.install(tmp_path, "13.0.5"))
        assert (found.release, found.toolbox, found.version) == ("13.0", "13.0.5", "13.0.5")
        assert found.java == "21.0.4"
        assert found.memory
        assert found.cache
        assert found.threads

    def test_finds_the_toolbox_from_a_link_to_gpt(self, tmp_path):
        link = tmp_path / "gpt"
        link.symlink_to(standin_gpt.install(tmp_path / "snap"))
        assert examine(link).toolbox == "13.0.4"

    def test_takes_the_newest_of_modules_that_lie_side_by_side(self, tmp_path):
        gpt = standin_gpt.install(tmp_path, "13.0.4")
        for version in ("13.0.10", "13.0.9"):
            folder = tmp_path / version / "modules"
            folder.mkdir(parents=True)
            with zipfile.ZipFile(folder / "eu-esa-microwavetbx-sar-op-sentinel1.jar", "w") as jar:
                jar.writestr("META-INF/MANIFEST.MF", f"OpenIDE-Module-Specification-Version: {version}\r\n")
        assert examine(gpt).toolbox == "13.0.10"

    def test_without_a_module_knows_what_snap_calls_itself(self, tmp_path):
        gpt = standin_gpt.install(tmp_path)
        (jar,) = tmp_path.glob("*/modules/*.jar")
        jar.write_bytes(b"no jar")
        assert (examine(gpt).toolbox, examine(gpt).version) == ("", "13.0")

    @pytest.mark.parametrize("script", ["echo hello", "exit 3", "sleep 30"])
    def test_refuses_a_program_that_is_not_snaps(self, tmp_path, monkeypatch, script):
        monkeypatch.setattr(installation, "TIME_LIMIT_S", 0.5)
        gpt = tmp_path / "gpt"
        gpt.write_text(f"#!/bin/sh\n{script.replace('sleep', 'exec sleep')}\n")
        gpt.chmod(0o755)
        with pytest.raises(ConfigurationError, match="must be SNAP's, which answers to --diag"):
            examine(gpt)


class TestTheReleaseThatIsWanted:
    @pytest.mark.parametrize(
        ("installed", "wanted"), [("13.0.4", "13.0.4"), ("14.0.0", "14.0.0"), ("13.0.5", "13.0.5")]
    )
    def test_is_accepted(self, tmp_path, installed, wanted):
        examine(standin_gpt.install(tmp_path, installed)).check(Release.parse(wanted))

    @pytest.mark.parametrize(
        ("installed", "wanted"),
        [("12.0.1", "13.0.4"), ("13.0.3", "13.0.4"), ("13.0.5", "13.0.4"), ("14.0.0", "13.0.4")],
    )
    def test_is_the_only_one(self, tmp_path, installed, wanted):
        found = examine(standin_gpt.install(tmp_path, installed))
        with pytest.raises(ConfigurationError, match=rf"the radar toolbox must be {wanted}.*got '{installed}'"):
            found.check(Release.parse(wanted))

    def test_is_compared_by_its_line_where_the_toolbox_is_not_known(self, tmp_path):
        gpt = standin_gpt.install(tmp_path)
        (jar,) = tmp_path.glob("*/modules/*.jar")
        jar.unlink()
        found = examine(gpt)
        found.check(Release.parse("13.0.4"))
        with pytest.raises(ConfigurationError, match=r"SNAP must be 14\.0\.0"):
            found.check(Release.parse("14.0.0"))


@pytest.mark.needs_snap
def test_a_real_snap_tells_its_version():
    found = examine(find_gpt())
    assert found.toolbox, "the radar toolbox's module was not found where it is looked for"
    found.check(Release.parse(found.toolbox))
    assert Path(found.gpt).is_file()
