"""What the contract suites work on: a simulated archive for radar engines, servers for stores and ledgers."""

from tests.sar.conftest import tiny
from tests.servers import moto_server, postgresql_server, rclone_server, s3_server

__all__ = ["moto_server", "postgresql_server", "rclone_server", "s3_server", "tiny"]
