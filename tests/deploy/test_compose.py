"""The production services: what the file promises can be read without a Docker engine."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
SECRETS = (ROOT / "docker" / "secrets.env.example").read_text()
AIRFLOW = {"init", "apiserver", "scheduler", "dag-processor", "triggerer", "worker"}


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(COMPOSE)["services"]


def test_all_services_are_there(services):
    assert set(services) == AIRFLOW | {"postgres", "redis"}
    assert len({services[name]["image"] for name in AIRFLOW}) == 1


def test_every_service_is_watched_and_starts_after_what_it_needs(services):
    for name, service in services.items():
        assert name == "init" or "healthcheck" in service, name
        for other, how in service.get("depends_on", {}).items():
            assert other in services
            expected = "service_completed_successfully" if other == "init" else "service_healthy"
            assert how["condition"] == expected
    for name in ("scheduler", "dag-processor", "triggerer", "worker"):
        assert {"init", "apiserver", "postgres", "redis"} <= set(services[name]["depends_on"])


def test_no_secret_is_written_and_every_variable_is_in_the_example(services):
    example = {line.split("=")[0] for line in SECRETS.splitlines() if line and not line.startswith("#")}
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE)) | set(re.findall(r"\$\$(ADMIN_\w+)", COMPOSE))
    assert used <= example
    secrets = {name for name in example if re.search("PASSWORD|SECRET|KEY", name)}
    assert {line for line in SECRETS.splitlines() if line.split("=")[0] in secrets} == {f"{n}=" for n in secrets}
    for name in secrets - {"ADMIN_PASSWORD"}:
        assert not re.search(rf"^\s*{name}: (?!\$)", COMPOSE, re.M)


def test_nothing_but_the_user_interface_is_reachable_and_that_from_this_machine(services):
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8080:8080"]


def test_mounted_and_copied_files_exist(services):
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), source
    dockerfile = (ROOT / services["worker"]["build"]["dockerfile"]).read_text()
    for line in re.findall(r"^COPY (.*)$", dockerfile, re.M):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
    assert "--require-hashes" in dockerfile


def test_a_worker_may_finish_its_shard(services):
    assert services["worker"]["stop_grace_period"] == "1h"
    environment = services["worker"]["environment"]
    assert int(environment["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"]) > 12 * 3600


@pytest.mark.docker
def test_compose_accepts_the_file(tmp_path):
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        pytest.skip("needs docker compose")
    filled = re.sub(r"=$", "=x1", SECRETS, flags=re.M)
    (tmp_path / "secrets.env").write_text(filled)
    text = COMPOSE.replace("docker/secrets.env", str(tmp_path / "secrets.env"))
    (tmp_path / "docker-compose.yml").write_text(text)
    command = ["docker", "compose", "--env-file", "secrets.env", "config", "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
