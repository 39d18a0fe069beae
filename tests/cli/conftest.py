import pytest

from sen12ts_pipeline.cli.main import app
from sen12ts_pipeline.settings.load import write_aoi
from tests import worlds


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Archive of one tile and two candidates."""
    return worlds.world("tiny", tmp_path_factory.getbasetemp())


@pytest.fixture
def sen12ts(capsys, monkeypatch, tmp_path):
    """The command line, in an empty folder: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return call


@pytest.fixture
def store(tiny, tmp_path, monkeypatch):
    """A store that is not there yet; the area tiny is configured."""
    write_aoi(worlds.area_of(tiny), tmp_path / "aois")
    monkeypatch.setenv("SEN12TS_AOIS", str(tmp_path / "aois"))
    monkeypatch.setenv("SEN12TS__STORE", str(tmp_path / "store"))
    monkeypatch.setenv("SEN12TS__WORKERS", "2")
    return tmp_path / "store"
