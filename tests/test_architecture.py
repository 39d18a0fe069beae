"""Promises about the code itself: which way imports run, what stays light, what no file may mention."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sen12ts_pipeline"
TEXT = {
    *(".css", ".geojson", ".html", ".ini", ".j2", ".js", ".json", ".mako", ".md", ".py", ".sql", ".toml", ".txt"),
    *(".yaml", ".yml"),
}
MACHINE_PATH = re.compile(r"(?<![\w.~/$}*>-])/(?:home|root|Users|work(?:space)?|mnt|scratch)/\w|\b[A-Z]:\\\w")
PACKAGE_INDEX = re.compile(
    r"index-url|trusted-host|find-links|artifactory|devpi|pythonhosted|pypi\.org/simple|/nexus/|\w\.(?:internal|corp|lan)\b"
)


def test_imports_keep_the_contracts():
    done = run([str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("package", "heavy"),
    [
        (
            "sen12ts_pipeline.domain",
            {"rasterio", "numba", "geopandas", "sqlalchemy", "pydantic", "boto3", "pyarrow", "pandas", "airflow"},
        ),
    ],
)
def test_importing_stays_light(package, heavy):
    program = (
        "import importlib, pkgutil, sys\n"
        f"package = importlib.import_module({package!r})\n"
        "for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(*sorted(sys.modules))\n"
    )
    done = run([sys.executable, "-c", program])
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert f"{package}.lattice" in loaded
    assert not heavy & loaded


@pytest.mark.parametrize("source", sorted((PACKAGE / "domain").glob("*.py")), ids=lambda p: p.name)
def test_the_domain_reads_no_clock_and_opens_no_file(source):
    assert not re.findall(
        r"\b(?:now|utcnow|today|time|open|read_text|read_bytes|getenv)\(|\benviron\b", code_of(source)
    )


@pytest.mark.parametrize("folder", ["sen12ts_pipeline", "docs", "config", "dags", "plugins"])
@pytest.mark.parametrize("pattern", [MACHINE_PATH, PACKAGE_INDEX], ids=["path", "index"])
def test_no_file_names_a_machine(folder, pattern):
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("line", "caught"),
    [
        ('path = "/home/somebody/data"', True),
        ("see `/Users/me/x`", True),
        ("C:\\data", True),
        ("STORE/_work/frame/ab", False),
        ("https://example.org/home/page", False),
        ("relative/home/folder", False),
    ],
)
def test_a_path_of_a_machine_is_recognised(line, caught):
    assert bool(MACHINE_PATH.search(line)) is caught


def code_of(source):
    """Source without docstrings and comments."""
    text = re.sub(r'"""[\s\S]*?"""', "", source.read_text())
    return re.sub(r"#.*", "", text)


def run(command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
