"""The environment of pyroSAR: what it is made of, and what is said where it cannot be made."""

import os
import subprocess
import sys

import pytest

from deploy.local import setup_snap
from tests.deploy.test_requirements import ROOT, pins


def test_the_list_holds_versions_that_work_with_the_systems_gdal_and_leaves_out_what_is_the_systems():
    found = pins(ROOT / "requirements" / "snap.txt")
    assert found["numpy"].startswith("1.")
    assert (found["pyrosar"], found["spatialist"]) == ("0.33.3", "0.16.2")
    assert not {"gdal", "psycopg2"} & found.keys()


def test_the_program_runs_on_the_standard_library_alone():
    program = (
        "import runpy, sys; runpy.run_path('deploy/local/setup_snap.py'); sys.exit('sen12ts_pipeline' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-S", "-c", program], cwd=ROOT, check=False).returncode == 0


def test_it_says_what_to_install_where_it_may_not_do_so_itself(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit, match=r"needs GDAL's bindings and psycopg2; .* apt-get install python3-gdal"):
        setup_snap.install_system_packages()


def test_it_makes_the_environment_anew_when_the_list_has_changed_and_only_then(tmp_path, monkeypatch):
    place, requirements, commands = tmp_path / "env", tmp_path / "list", []

    def call(*command):
        commands.append(command)
        place.mkdir(exist_ok=True)

    for name, value in (("PLACE", place), ("LIST", requirements), ("imports", lambda *_: True), ("call", call)):
        monkeypatch.setattr(setup_snap, name, value)
    requirements.write_text("one")
    for content, count in (("one", 2), ("one", 2), ("two", 4)):
        requirements.write_text(content)
        setup_snap.main()
        assert len(commands) == count
    assert "--require-hashes" in commands[1]
