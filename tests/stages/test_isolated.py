"""A shard in a process of its own: what a product does to the process that reads it."""

import ctypes
import os
import signal

import pytest

from sen12ts_pipeline.acquisition.watched import WatchedSource
from sen12ts_pipeline.errors import BadProduct, Rejected, Retryable
from sen12ts_pipeline.stages import isolated
from tests import worlds

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture
def services(tmp_path_factory, tmp_path):
    world = worlds.world("tiny", tmp_path_factory.getbasetemp())
    return worlds.services_of(world, tmp_path, isolate=True)


@pytest.fixture
def products(tmp_path_factory):
    world = worlds.world("tiny", tmp_path_factory.getbasetemp())
    return [path.stem for path in worlds.products_of(world, "S2")]


def reading(products, poison=()):
    """Work that reads products one after another, and crashes on some of them."""

    def work(services):
        read = []
        for product in products:
            try:
                files = services.source.open(product)
                files.read("MTD_MSIL2A.xml")
            except BadProduct:
                continue
            if product in poison:
                ctypes.string_at(0)
            read.append(product)
        return " ".join(read)

    return work


def test_work_is_done_in_another_process_and_its_result_comes_back(services):
    assert int(isolated.call(lambda _: str(os.getpid()), services)) != os.getpid()


def test_without_isolation_it_is_done_here(tmp_path_factory, tmp_path):
    world = worlds.world("tiny", tmp_path_factory.getbasetemp())
    services = worlds.services_of(world, tmp_path)
    assert int(isolated.call(lambda _: str(os.getpid()), services)) == os.getpid()


@pytest.mark.parametrize(
    "error",
    [Rejected("cap", "tile", "full"), BadProduct("p", "m", "r"), MemoryError("little")],
    ids=lambda e: type(e).__name__,
)
def test_errors_are_raised_as_they_were(services, error):
    def work(_):
        raise error

    with pytest.raises(type(error)) as raised:
        isolated.call(work, services)
    assert raised.value.args == error.args


def test_the_product_that_ends_the_process_is_quarantined_and_the_rest_is_done(services, products):
    first, *rest = products
    assert isolated.call(reading(products, [first]), services).split() == rest
    assert list(services.ledger.quarantined()) == [first]
    assert services.ledger.quarantined()[first].startswith("ends the process that reads it, by SIGSEGV")


def test_a_handler_of_the_process_does_not_keep_a_crash_from_ending_it(services, products):
    before = signal.signal(signal.SIGSEGV, lambda *_: None)
    try:
        assert isolated.call(reading(products, products[:1]), services).split() == products[1:]
    finally:
        signal.signal(signal.SIGSEGV, before)


def test_whoever_comes_later_does_not_open_it(services, products):
    isolated.call(reading(products, products[:1]), services)
    shelf = WatchedSource(services.source, lambda: isolated.crashing(services.ledger))
    with pytest.raises(BadProduct, match="ends the process"):
        shelf.open(products[0])
    assert shelf.open(products[1]).product == products[1]


def test_what_is_broken_in_another_way_is_left_to_its_reader(services, products):
    services.ledger.quarantine(products[0], "MTD_MSIL2A.xml: is missing")
    assert isolated.crashing(services.ledger) == {}


def test_a_killed_process_accuses_no_product_and_is_tried_again(services, products):
    def work(services):
        services.source.open(products[0]).read("MTD_MSIL2A.xml")
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(Retryable, match="SIGKILL"):
        isolated.call(work, services)
    assert services.ledger.quarantined() == {}


def test_a_crash_that_no_product_causes_accuses_none(services, products):
    def work(services):
        reading(products)(services)
        ctypes.string_at(0)

    with pytest.raises(Retryable, match=products[0]):
        isolated.call(work, services)
    assert services.ledger.quarantined() == {}
