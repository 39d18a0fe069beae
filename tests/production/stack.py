"""The production services as processes of this machine, with Airflow's settings as the containers have them.

PostgreSQL, Redis, SeaweedFS behind a faulty proxy, Airflow's API server, scheduler, DAG processor and triggerer, and
two Celery workers. A service that dies is started again, as a container's restart policy does it.
"""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tests import launchers, servers
from tests.production.proxy import FaultyProxy

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / "deploy" / "production" / "airflow.env"
DRILL_DAGS = Path(__file__).parent / "dags"
FINAL = {"success", "failed"}
QUICKER = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "20",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    "SEN12TS_RETRY_DELAY_S": "1",
}
"""Waits that are minutes in production: what is tried is that things are mended, not how long that takes."""
SERVICES = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
    "worker": ["celery", "worker", "-q", "default", "-c", "2", "-H", "worker", "--skip-serve-logs"],
    "worker-sar": ["celery", "worker", "-q", "sar", "-c", "1", "-H", "worker-sar", "--skip-serve-logs"],
}
QUIET = ["--without-gossip", "--without-mingle"]


def settings():
    """Variables of the file that the containers read."""
    lines = (line.partition("=") for line in SETTINGS.read_text().splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in lines}


class Redis:
    """A Redis server with a password, on a port of its own."""

    def __init__(self, folder):
        self._folder, self.password = folder, secrets.token_hex(8)
        (self.port,) = servers.free_ports(1)

    def __enter__(self):
        config = f"port {self.port}\nbind 127.0.0.1\nrequirepass {self.password}\nappendonly yes\ndir {self._folder}\n"
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(["redis-server", "-"], stdin=subprocess.PIPE, stdout=log, stderr=log)
        self._process.stdin.write(config.encode())
        self._process.stdin.close()
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    @property
    def url(self):
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def cli(self, *command):
        """What a command says."""
        environ = {**os.environ, "REDISCLI_AUTH": self.password}
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), *command], env=environ, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


class Stack:
    """All services; `with Stack(...)` starts them, and none of their processes is left afterwards."""

    def __init__(self, python, config, base):
        self._python, self._base = python, base
        self.drills = base / "drills"
        self.scratch = base / "scratch"
        self.small_disk = base / "small"
        self._config = config
        self._processes, self._lock, self._ending = {}, threading.RLock(), False
        self._until = contextlib.ExitStack()
        self._down = set()
        self.starts = dict.fromkeys(SERVICES, 0)

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            for folder in (self.drills, self.scratch, self.small_disk, self._base / "logs", self._base / "redis"):
                folder.mkdir(parents=True)
            self.postgresql = stack.enter_context(servers.PostgreSQL())
            self.redis = stack.enter_context(Redis(self._base / "redis"))
            s3 = stack.enter_context(servers.object_store(self._base / "seaweed", volumes=60))
            servers.wait_for(s3).create_bucket(Bucket=servers.BUCKET)
            self.proxy = stack.enter_context(FaultyProxy(s3["AWS_ENDPOINT_URL"]))
            self.s3 = s3
            self.environ = self._environment()
            self.migrate()
            stack.callback(self._end)
            self.start("api-server")
            self._wait_for_token()
            for name in SERVICES:
                if name != "api-server":
                    self.start(name)
            threading.Thread(target=self._keep, daemon=True).start()
            self._until = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._until.close()

    def _environment(self):
        (self.port,) = servers.free_ports(1)
        database = self.postgresql.new_database()
        self.ledger = self.postgresql.new_database()
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "SEN12TS", "AWS", "PYTHON"))}
        for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
            ours[name] = "1"
        sync = database.replace("+psycopg:", "+psycopg2:")
        return {
            **ours,
            **settings(),
            **QUICKER,
            **self.s3,
            "AWS_ENDPOINT_URL": self.proxy.url,
            "PYTHONPATH": str(ROOT),
            "AIRFLOW_HOME": str(self._base / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DRILL_DAGS),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{self.port}",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": sync,
            "AIRFLOW__CELERY__BROKER_URL": self.redis.url,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{sync}",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self._base / "logs"),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(servers.free_ports(1)[0]),
            "SEN12TS_CONFIG": str(self._config),
            "SEN12TS__LEDGER": self.ledger,
            "SEN12TS__S3__ADDRESSING": "path",
            "SEN12TS__WORKERS": "1",
            "SEN12TS_SPOOL": str(self.scratch),
            "SEN12TS_DRILLS": str(self.drills),
            "SEN12TS_DRILL_SMALL_DISK": str(self.small_disk),
        }

    def store_of(self, aoi):
        """Where an area's data set lies; each has a store of its own, so that none finds the work of another."""
        return f"s3://{servers.BUCKET}/{aoi}"

    def migrate(self):
        """Bring the database up to date, and make user and pools."""
        self.password = secrets.token_hex(8)
        self.airflow("db", "migrate")
        user = ["--username", "admin", "--password", self.password, "--email", "a@example.org"]
        self.airflow("users", "create", *user, "--role", "Admin", "--firstname", "A", "--lastname", "B")
        pools = {name: {"slots": 16, "description": name, "include_deferred": False} for name in ("radar", "optical")}
        (self._base / "pools.json").write_text(json.dumps(pools))
        self.airflow("pools", "import", str(self._base / "pools.json"))

    def airflow(self, *arguments):
        """Carry out one of Airflow's commands; what it says."""
        command = [self._python, "-m", "airflow", *arguments]
        done = subprocess.run(command, env=self.environ, cwd=self._base, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def start(self, name, before=()):
        """Start a service; `before` are the words of a program that starts it."""
        arguments = [*SERVICES[name], *(QUIET if "celery" in SERVICES[name] else ())]
        with self._lock, (self._base / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*before, self._python, "-m", "airflow", *arguments],
                env=self.environ,
                cwd=self._base,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self.starts[name] += 1

    def kill(self, name):
        """kill -9 of a service and all its processes; it is started again unless it is to be down."""
        with self._lock:
            main = psutil.Process(self._processes[name].pid)
            for one in [*main.children(recursive=True), main]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            self._processes[name].wait()

    @contextlib.contextmanager
    def down(self, name):
        """A service that is killed, and not there for the length of a block."""
        self._down.add(name)
        self.kill(name)
        yield
        self._down.remove(name)

    @contextlib.contextmanager
    def replaced(self, name, before):
        """A worker that is started by another program, for the length of a block; what it had in hand is done again."""
        with self._lock:
            self.kill(name)
            self.start(name, before)
        try:
            yield
        finally:
            self.kill(name)

    def _keep(self):
        while not self._ending:
            for name in SERVICES:
                with self._lock:
                    if not self._ending and name not in self._down and self._processes[name].poll() is not None:
                        self._sweep(name)
                        self.start(name)
            time.sleep(0.5)

    def _sweep(self, name):
        """End what a killed worker left: a container dies as a whole."""
        group = self._processes[name].pid
        for one in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if os.getsid(one.pid) == group:
                    one.kill()

    def _end(self):
        self._ending = True
        with self._lock:
            for process in self._processes.values():
                with contextlib.suppress(psutil.NoSuchProcess):
                    main = psutil.Process(process.pid)
                    for one in [*main.children(recursive=True), main]:
                        with contextlib.suppress(psutil.NoSuchProcess):
                            one.kill()
            for name in self._processes:
                self._sweep(name)
                self._processes[name].wait()

    def _wait_for_token(self):
        body = {"username": "admin", "password": self.password}

        def answers():
            with contextlib.suppress(OSError, ValueError):
                self._token = launchers.ask(self.port, "/auth/token", body=body)["access_token"]
                return True

        wait(answers, 120, self.tail("api-server"))

    def tail(self, name):
        """End of a service's log, read when it is wanted."""
        return lambda: (self._base / f"{name}.log").read_text(errors="replace")[-4000:]

    def logs(self):
        """Logs of all services and tasks."""
        return [*self._base.glob("*.log"), *(self._base / "logs").rglob("*.log")]

    def api(self, path, body=None, method=None):
        """Answer of Airflow's API; asked again while the server is down."""
        for _ in range(120):
            try:
                return launchers.ask(self.port, f"/api/v2/{path}", self._token, body, method)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code < 500 and error.code != 404:
                        raise AssertionError(f"{path}: {error.code} {error.read().decode()[:500]}") from error
            except (OSError, ValueError):
                pass
            time.sleep(1)
        raise AssertionError(f"no answer to {path}")

    def trigger(self, aoi, season="fall", year=2023, **conf):
        """Start a run of a partition; its path in the API."""
        self.api(f"dags/{aoi}", {"is_paused": False}, "PATCH")
        body = {"logical_date": datetime.now(UTC).isoformat(), "conf": {"year": year, "season": season, **conf}}
        return f"dags/{aoi}/dagRuns/{self.api(f'dags/{aoi}/dagRuns', body)['dag_run_id']}"

    def tasks(self, run):
        """Task instances of a run."""
        return self.api(f"{run}/taskInstances?limit=300")["task_instances"]

    def wait_for_task(self, run, task, states=("running",), seconds=120):
        """Wait until a task of a run is in a state, or beyond it."""
        beyond = {*states, "success", "up_for_retry"}
        wait(lambda: any(t["task_id"] == task and t["state"] in beyond for t in self.tasks(run)), seconds)

    def finish(self, run, seconds=240):
        """Tasks of a run that has succeeded, by their names."""
        wait(lambda: self.api(run)["state"] in FINAL, seconds, lambda: self.told(run))
        assert self.api(run)["state"] == "success", self.told(run)
        return {(t["task_id"], t["map_index"]): t for t in self.tasks(run)}

    def told(self, run):
        """How a run stands, and what the services said last."""
        states = [(t["task_id"], t["map_index"], t["state"], t["try_number"]) for t in self.tasks(run)]
        return "\n".join(map(str, [*states, *(self.tail(n)() for n in ("scheduler", "worker", "worker-sar"))]))


def wait(holds, seconds=120, told=lambda: ""):
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"waited too long\n{told()}"
        time.sleep(0.5)


def new_folder():
    """A folder below a short path: PostgreSQL's socket has room for 107 characters."""
    return Path(tempfile.mkdtemp(prefix="sen12ts-stack-"))


def remove(folder):
    """Remove a folder of `new_folder`."""
    shutil.rmtree(folder, ignore_errors=True)
