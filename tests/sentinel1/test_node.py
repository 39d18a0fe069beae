"""The node is where the state vectors come from, carried back; annotated times since it are checked by that."""

import dataclasses
import logging
import re

import numpy as np
import pytest

from sen12ts_pipeline.domain.bursts import ORBIT_PERIOD_S
from sen12ts_pipeline.sentinel1.node import ascending_node_s
from tests.sentinel1.annotations import body_of, swath_of
from tests.sentinel1.slices import annotations


@pytest.mark.parametrize("one", annotations(), ids=lambda one: f"{one.slice}-{one.subswath}-{one.polarisation}")
def test_every_annotation_counts_from_the_node_of_its_vectors(one):
    found = re.search(rb"<azimuthTime>[^<]+</azimuthTime>\s*<azimuthAnxTime>([^<]+)<", one.body)
    if found is None:
        pytest.skip("no bursts")
    swath = one.swath
    annotated = swath.bursts[0].start_s - float(found[1])
    node = ascending_node_s(swath.orbit, swath.bursts[0].start_s)
    off = (node - annotated + ORBIT_PERIOD_S / 2) % ORBIT_PERIOD_S - ORBIT_PERIOD_S / 2
    assert abs(off) < 0.1


def test_the_last_node_before_a_moment_is_meant():
    orbit = swath_of("7768", "IW1").orbit
    node = ascending_node_s(orbit, float(orbit.time_s[0]))
    assert ascending_node_s(orbit, node - 1.0) == pytest.approx(node - ORBIT_PERIOD_S, abs=0.1)


def test_vectors_that_do_not_fall_freely_tell_nothing():
    orbit = swath_of("7768", "IW1").orbit
    t = orbit.time_s - orbit.time_s[0]
    pushed = (
        orbit.position_m
        + 0.5 * 0.005 * t[:, None] ** 2 * orbit.position_m / np.linalg.norm(orbit.position_m, axis=1)[:, None]
    )
    assert ascending_node_s(dataclasses.replace(orbit, position_m=pushed), float(orbit.time_s[-1])) is None


class TestNumbers:
    """Burst numbers of a product without any, whose times since the node are wrong."""

    def late(self, seconds):
        moved = (rb"<azimuthAnxTime>([^<]+)<", lambda m: b"<azimuthAnxTime>%.6f<" % (float(m[1]) + seconds))
        return [b.id.number for b in swath_of("7768", "IW1", moved).bursts]

    def test_are_those_of_the_vectors(self, caplog):
        assert b"burstId" not in body_of("7768", "IW1")
        right = [b.id.number for b in swath_of("7768", "IW1").bursts]
        with caplog.at_level(logging.WARNING):
            for seconds in (2.0, -2.0, 40.0, -1400.0):
                assert self.late(seconds) == right
        assert len(caplog.records) == 4
        assert "node" in caplog.text

    def test_are_as_annotated_within_half_a_second(self, caplog):
        with caplog.at_level(logging.WARNING):
            assert self.late(0.4) == self.late(0.0)
        assert not caplog.records
