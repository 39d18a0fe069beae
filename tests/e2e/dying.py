"""Runs of a partition that die: a program for the tests, so that what is killed is a whole process.

    python -m tests.e2e.dying WORLD BASE PLACES

A child process runs the partition and kills itself, without any warning, at an event: a write begins (the temporary
file is complete, nothing has its name yet), or a write has ended. Stores below BASE: `whole` is never disturbed,
`kill-0` to `kill-<PLACES - 1>` are disturbed once, from the first event to the last, and `again` every few events. What
became of each run is told as JSON: the number of its events, -1 if it was killed.
"""

import json
import os
import signal
import sys
from pathlib import Path

from sen12ts_pipeline.state.artifacts import Artifacts
from sen12ts_pipeline.state.folder import FolderStore
from tests import worlds

NEVER = 0
OFTEN = 12
"""Events between two kills of the store `again`."""


class DyingStore(FolderStore):
    """A store whose process dies at its n-th event."""

    def __init__(self, root, event):
        super().__init__(root)
        self.events, self._last = 0, event

    def _event(self):
        self.events += 1
        if self.events == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def _link(self, finished, path):
        self._event()
        super()._link(finished, path)
        self._event()

    def replace(self, key, body):
        self._event()
        super().replace(key, body)
        self._event()


def life(folder, root, event=NEVER):
    """One run in this process; the number of its events."""
    store = DyingStore(root, event)
    worlds.run(worlds.services_of(folder, root, workers=2, changes={"store": store, "artifacts": Artifacts(store)}))
    return store.events


def child(folder, root, event):
    """One run in a process of its own."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        os.write(writing, str(life(folder, root, event)).encode())
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(process, 0)
    told = os.read(reading, 100).decode()
    os.close(reading)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return -1
    return int(told)


def main(folder, base, places):
    """All stores, one after another."""
    events = life(folder, base / "whole")
    lives = {"whole": [events]}
    for place in range(places):
        kill = 1 + round((events - 1) * place / (places - 1))
        lives[f"kill-{place}"] = [child(folder, base / f"kill-{place}", event) for event in (kill, NEVER)]
    lives["again"] = [child(folder, base / "again", event) for event in (*[OFTEN] * (events // OFTEN), NEVER, NEVER)]
    sys.stdout.write(json.dumps(lives))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
