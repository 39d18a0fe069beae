"""The worker image with SNAP: what the file promises can be read without a Docker engine."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from sen12ts_pipeline.sar.snap import bridge, installation
from sen12ts_pipeline.sar.snap.operators import FIRST_RELEASE, Release

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker" / "snap-worker.Dockerfile"
TEXT = FILE.read_text()


def argument(name):
    return re.search(rf"^ARG {name}=(.*)$", TEXT, re.M)[1]


def test_copied_files_exist():
    for line in re.findall(r"^COPY (.*)$", TEXT, re.M):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source


def test_the_build_sees_what_is_copied_and_nothing_else():
    lines = FILE.with_name(f"{FILE.name}.dockerignore").read_text().splitlines()
    copied = [source for line in re.findall(r"^COPY (.*)$", TEXT, re.M) for source in line.split()[:-1]]
    assert lines == ["*", *(f"!{source}" for source in copied)]


def test_it_begins_with_the_image_of_the_other_services():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert services["worker"]["image"] == f"${{AIRFLOW_IMAGE:-{argument('SEN12TS_IMAGE')}}}"
    assert "FROM ${SEN12TS_IMAGE}" in TEXT


def test_the_release_is_one_that_graphs_are_made_for_and_is_checked():
    assert Release.parse(argument("SNAP_RELEASE")).number >= FIRST_RELEASE
    assert "found.check(Release.parse('${SNAP_RELEASE}'))" in TEXT
    assert re.search(r"/(\d+\.\d+)/installers/", argument("SNAP_INSTALLER"))[1] in argument("SNAP_RELEASE")


def test_nothing_is_fetched_without_its_digest():
    assert argument("SNAP_SHA256") == argument("EGM96_SHA256") == ""
    fetched = re.findall(r'fetch "\$(\w+)" "\$(\w+)"', TEXT)
    assert fetched == [("SNAP_INSTALLER", "SNAP_SHA256"), ("EGM96_GRID", "EGM96_SHA256")]
    assert TEXT.count("curl --fail") == 1
    assert "--require-hashes" in TEXT


def test_things_lie_where_the_program_looks_for_them():
    assert "SEN12TS_GPT=/opt/esa-snap/bin/gpt" in TEXT
    assert "/opt/esa-snap" in installation.USUAL_PLACES
    assert "/opt/pyrosar/bin/python" in bridge.USUAL_PLACES


def test_the_worker_runs_as_the_user_of_the_other_services():
    user = re.findall(r"^USER (.*)$", (ROOT / "docker" / "Dockerfile").read_text(), re.M)[-1]
    assert re.findall(r"^USER (.*)$", TEXT, re.M) == ["0:0", user]


def test_the_shell_of_the_file_that_fetches_is_sound(tmp_path):
    """Run the script that the image would have: a digest that is not the file's ends it, and is told."""
    quoted = re.search(r"printf '%s\\n' (.*?)> /usr/local/bin/fetch", TEXT, re.S)[1].replace("\\\n", " ")
    subprocess.run(["bash", "-c", f"printf '%s\\n' {quoted} > fetch"], cwd=tmp_path, check=True)
    (tmp_path / "given").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for digest, status in ((empty, 0), ("", 1), ("0" * 64, 1)):
        command = ["bash", "fetch", f"file://{tmp_path}/given", digest, "taken"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        assert status == 0 or f"has SHA-256 {empty}" in done.stderr


@pytest.mark.docker
def test_docker_accepts_the_file():
    if not shutil.which("docker") or subprocess.run(["docker", "buildx", "version"], capture_output=True).returncode:
        pytest.skip("needs docker buildx")
    command = ["docker", "buildx", "build", "--check", "-f", str(FILE), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Cannot connect to the Docker daemon" in done.stderr:
        pytest.skip("needs a Docker engine")
    assert done.returncode == 0, done.stdout + done.stderr
