"""The dashboard's rights with FAB, the users of a production Airflow."""

import json
import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs_production

PROGRAM = Path(__file__).with_name("fab_rights.py")
ALLOWED, REFUSED, UNKNOWN, NOT_FOUND = 200, 403, 401, 404
"""A verdict that is let in is answered by 404: there is no such triplet."""


def test_viewers_look_and_who_may_trigger_runs_judges(tmp_path):
    command = [os.environ["SEN12TS_PRODUCTION"], PROGRAM, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "nobody": [UNKNOWN, UNKNOWN],
        "Public": [REFUSED, REFUSED],
        "Viewer": [ALLOWED, REFUSED],
        "User": [ALLOWED, NOT_FOUND],
        "Op": [ALLOWED, NOT_FOUND],
        "Admin": [ALLOWED, NOT_FOUND],
    }
