"""What must hold after every drill."""

from sen12ts_pipeline.dataset.verify import verify
from sen12ts_pipeline.ports import CandidateState
from sen12ts_pipeline.state.reconcile import reconcile

CAP = 4


def nothing_was_lost(made, left_out=()):
    """The triplets of the undisturbed run, each once, no cap exceeded, every candidate explained.

    Parameters
    ----------
    made : Made
        What the run left.
    left_out : collection of str
        Names of triplets that the drill made impossible.
    """
    wanted = [name for name in made.triplets(made.expected) if name not in left_out]
    there = made.triplets(made.files)
    assert there == wanted, f"lost {set(wanted) - set(there)}, made besides {set(there) - set(wanted)}"
    assert verify(made.folder) == []
    assert reconcile(made.store, made.ledger, cap=CAP, aoi=made.partition.aoi, write=False, digests=True) == []
    if not left_out:
        assert made.pixels(made.files) == made.pixels(made.expected)
    recorded = made.ledger.triplets(made.partition)
    assert len(recorded) == len({record.name for record in recorded}) == len(wanted)
    for tile in {record.tile for record in recorded}:
        assert [r.slot for r in recorded if r.tile == tile] == list(range(1, 1 + sum(r.tile == tile for r in recorded)))
    assert all(1 <= record.slot <= CAP for record in recorded)
    for row in made.ledger.candidates(partition=made.partition):
        assert row.state is not CandidateState.SELECTED, "a candidate was left in the middle"
        assert row.state is CandidateState.FINISHED or (row.rule and row.detail), f"{row} is not explained"
