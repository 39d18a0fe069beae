"""One simulated data set for all tests of the applications."""

import pytest

from sen12ts_pipeline.dataset import open_dataset
from tests.applications.fields import write_fields


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    return write_fields(tmp_path_factory.mktemp("fields") / "valley")


@pytest.fixture(scope="session")
def data(place):
    return open_dataset(place)
