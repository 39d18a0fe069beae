"""What the contract suites work on: a simulated archive for radar engines, servers for stores and ledgers."""

from tests.sar.conftest import tiny
from tests.servers import postgresql_server, s3_server

__all__ = ["postgresql_server", "s3_server", "tiny"]
