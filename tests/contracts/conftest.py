"""The simulated archive that the suite of radar engines works on."""

from tests.sar.conftest import tiny

__all__ = ["tiny"]
