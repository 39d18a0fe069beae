"""The lists of requirements, and the file that uses them."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from deploy.local import setup_venv

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
LISTS = sorted(FOLDER.glob("*.txt"))
ENTRY = re.compile(
    r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)(?: ; .*?)? \\$((?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?$)+)", re.M
)


def pins(path):
    return {m[1]: m[2] for m in ENTRY.finditer(path.read_text())}


def test_every_list_was_compiled():
    assert {path.stem for path in LISTS} == {path.stem for path in FOLDER.glob("*.in")}


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_everything_is_pinned_with_hashes_and_no_address_is_written(path):
    text = path.read_text()
    left = ENTRY.sub("", text)
    assert [line for line in left.splitlines() if line and not line.startswith("#")] == []
    assert pins(path)
    assert not re.search(r"://|index|find-links|file:|@ |^-e|trusted", text, re.M)


def test_lists_that_go_together_agree():
    together = {}
    for name in ("run", "dev", "production", "dhus"):
        for package, version in pins(FOLDER / f"{name}.txt").items():
            assert together.setdefault(package, version) == version, f"{name}: {package}"


def test_airflow_is_pinned_and_what_breaks_it_is_not_there():
    run, production = pins(FOLDER / "run.txt"), pins(FOLDER / "production.txt")
    assert run["apache-airflow"].startswith("3.3.")
    assert "celery" not in run
    assert production["celery"].startswith("5.6.")


def test_what_is_optional_is_not_on_the_default_path():
    default = {**pins(FOLDER / "run.txt"), **pins(FOLDER / "dev.txt")}
    assert not {"sentinelsat", "pyrosar", "spatialist", "gdal", "torch"} & {name.lower() for name in default}
    assert "sentinelsat" in pins(FOLDER / "dhus.txt")
    assert "pyrosar" in pins(FOLDER / "snap.txt")


def test_numpy_has_hashes_for_every_supported_python():
    text = (FOLDER / "run.txt").read_text()
    for name in ("numpy", "llvmlite", "pyarrow", "rasterio", "shapely"):
        (entry,) = [m for m in ENTRY.finditer(text) if m[1] == name]
        assert entry[3].count("--hash") > 12, name


def test_the_environment_installs_the_dependencies_that_the_package_declares():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.match(r"[A-Za-z0-9._-]+", text)[0].lower() for text in project["dependencies"]}
    assert declared <= set(pins(FOLDER / "run.txt"))


def test_setup_ends_at_once_when_nothing_changed(tmp_path, monkeypatch):
    stamp = tmp_path / "stamp"
    stamp.write_text(setup_venv.state())
    monkeypatch.setattr(setup_venv, "STAMP", stamp)
    monkeypatch.setattr(setup_venv, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(setup_venv, "install", lambda: pytest.fail("installed again"))
    setup_venv.main()


def test_setup_looks_at_every_list_it_installs(tmp_path, monkeypatch):
    before = setup_venv.state()
    for name in (*setup_venv.DECIDES, "pyproject.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(setup_venv, "ROOT", tmp_path)
    moved = setup_venv.state()
    assert moved != before, "an environment cannot be moved"
    (tmp_path / "requirements" / "dev.txt").write_text("other")
    assert setup_venv.state() != moved


def test_setup_runs_on_the_standard_library_alone():
    program = (
        "import runpy, sys; runpy.run_path('deploy/local/setup_venv.py');"
        "sys.exit(bool({'sen12ts_pipeline', 'yaml', 'deploy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-S", "-c", program], cwd=ROOT, check=False).returncode == 0


def test_make_help_explains_every_target():
    done = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)[1].split()
    for target in targets:
        assert re.search(rf"^  make {target} +\w", done.stdout, re.M), target


def test_make_says_which_python_it_needs():
    command = ["make", "setup", "PYTHONS=no-such-python /bin/false"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13" in done.stderr
