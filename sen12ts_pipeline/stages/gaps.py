"""gaps: what a partition lacks against its plan, and why; and how what failed is tried again.

What is finished keeps its slot. The size budget is a season's own quarter, so filling one partition takes nothing from
another.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sen12ts_pipeline.domain.seasons import Partition, due
from sen12ts_pipeline.ports import CandidateState
from sen12ts_pipeline.stages import labels, match, report, select
from sen12ts_pipeline.stages.documents import INVENTORY, SELECTION, assembled
from sen12ts_pipeline.stages.services import Services


class Standing(StrEnum):
    """How far a partition has come."""

    NOT_DUE = "not due"
    NOT_RUN = "not run"
    IN_THE_MIDDLE = "in the middle"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Gaps:
    """What a partition has and lacks.

    Attributes
    ----------
    partition : Partition
        The partition.
    standing : Standing
        How far it has come.
    tiles, planned, finished : int
        Tiles of the plan; slots that the selection wants to fill; triplets.
    failed, refused : mapping
        Candidates that failed when they were made, and that a rule refused, by rule.
    spare : int
        Sound candidates for which no slot was left.
    """

    partition: Partition
    standing: Standing
    tiles: int = 0
    planned: int = 0
    finished: int = 0
    failed: Mapping[str, int] = dataclasses.field(default_factory=dict)
    refused: Mapping[str, int] = dataclasses.field(default_factory=dict)
    spare: int = 0

    @property
    def missing(self) -> int:
        """Slots that were to be filled and are not."""
        return self.planned - self.finished

    @property
    def can_be_filled(self) -> bool:
        """Whether another run may bring more: it was not run to its end, or candidates failed."""
        return self.standing in {Standing.NOT_RUN, Standing.IN_THE_MIDDLE} or bool(self.failed)


def of(partition: Partition, services: Services, now: datetime) -> Gaps:
    """What a partition has and lacks at a time (UTC), from the store alone."""
    if now < due(partition.year, partition.season) and INVENTORY.find(services.store, partition) is None:
        return Gaps(partition, Standing.NOT_DUE)
    selection = SELECTION.find(services.store, partition)
    tiles = len(match.plan_of(partition, services).tiles)
    if selection is None:
        begun = INVENTORY.find(services.store, partition) is not None
        return Gaps(partition, Standing.IN_THE_MIDDLE if begun else Standing.NOT_RUN, tiles)
    planned = sum(tile.slots for tile in selection.tiles)
    if not _is_assembled(partition, services):
        refused = Counter(refusal.rule for refusal in selection.refusals)
        return Gaps(partition, Standing.IN_THE_MIDDLE, tiles, planned, refused=refused)
    rows = report.rows_of(partition, services)
    states = Counter(row.state for row in rows)
    by_rule = {
        state: Counter(row.rule for row in rows if row.state is state)
        for state in (CandidateState.FAILED, CandidateState.REFUSED)
    }
    return Gaps(
        partition,
        Standing.FINISHED,
        tiles,
        planned,
        states[CandidateState.FINISHED],
        by_rule[CandidateState.FAILED],
        by_rule[CandidateState.REFUSED],
        states[CandidateState.SPARE],
    )


def _is_assembled(partition: Partition, services: Services) -> bool:
    """Whether every shard of this selection has its outcomes."""
    digest = SELECTION.digest(services.store, partition)
    shards = range(len(labels.tile_shards(partition, services)))
    found = [assembled(str(k)).find(services.store, partition) for k in shards]
    return all(one is not None and one.selection == digest for one in found)


def try_again(partition: str, services: Services) -> str:
    """Let candidates that failed be made once more by the stages that follow; returns the selection's key.

    The selection is made anew with what is finished in its slots, and the failures are forgotten. Nothing is searched
    and no finished triplet is touched.
    """
    parsed = Partition.parse(partition)
    count = len(labels.tile_shards(parsed, services))
    key = select.run(partition, services, refresh=True)
    for k in range(max(count, len(labels.tile_shards(parsed, services)))):
        before = assembled(str(k)).find(services.store, parsed)
        if before:
            kept = tuple(o for o in before.outcomes if o.slot is not None)
            assembled(str(k)).replace(services.store, parsed, dataclasses.replace(before, outcomes=kept))
    services.ledger.record_event(parsed, "gaps", "failed candidates are tried again")
    return key


def text(found: Gaps) -> str:
    """A partition's gaps for people: one line, and one for each reason."""
    made = f"{found.finished} triplets of {found.planned} planned, {found.tiles} tiles"
    lines = [f"{found.partition}: {found.standing}; {made}"]
    for word, reasons in (("failed", found.failed), ("refused", found.refused)):
        for rule, count in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])):
            lines.append(f"  {count:6d} {word} by {rule:15s} {report.RULES.get(rule, '')}".rstrip())
    if found.spare:
        lines.append(f"  {found.spare:6d} spare: their tiles' slots are taken")
    return "\n".join(lines)
