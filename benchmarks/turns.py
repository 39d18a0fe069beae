"""Cost of a turn at the gate of a provider, in the ledger's database: ``python -m benchmarks.turns URL [URL ...]``.

The databases are written to: use new ones.
"""

from __future__ import annotations

import statistics
import sys
import time

from sen12ts_pipeline.domain.quotas import Quota
from sen12ts_pipeline.state.quotas import Quotas, SqlGate

TURNS, ROUNDS = 12, 40
AMPLE = Quota(connections=40, requests_per_minute=10**6, bytes_per_30_days=10**15)


def turn_ms(gate: SqlGate) -> float:
    """Milliseconds of a turn in which some bytes come."""
    begun = time.perf_counter()
    with gate.turn() as turn:
        turn.received(1000)
    return 1000.0 * (time.perf_counter() - begun)


def main(urls: list[str]) -> None:
    """Measure in turns, so that what else the machine does meets all alike; the first turns of each do not count."""
    gates = [Quotas(url, {"p": AMPLE}).gate("p") for url in urls]
    taken: list[list[float]] = [[] for _ in gates]
    for _ in range(ROUNDS):
        for gate, found in zip(gates, taken, strict=True):
            found += [turn_ms(gate) for _ in range(TURNS)]
    for url, found in zip(urls, taken, strict=True):
        kept = sorted(found[TURNS:])
        print(
            f"{url.partition(':')[0]}: median {statistics.median(kept):.2f} ms, 9 of 10 {kept[len(kept) * 9 // 10]:.2f}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
