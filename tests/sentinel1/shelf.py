"""Products made of the annotations at hand, without samples."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sen12ts_pipeline.domain.passes import Pass, Slice
from sen12ts_pipeline.errors import BadProduct
from tests.sentinel1.annotations import TRACKS, files


class Members:
    """Files of one product, by name."""

    def __init__(self, product, members):
        self.product, self.bodies, self.reads = product, members, []

    def members(self):
        return tuple(sorted(self.bodies))

    def read(self, member):
        self.reads.append(member)
        if member not in self.bodies:
            raise BadProduct(self.product, member, "is missing")
        return self.bodies[member]

    @contextmanager
    def held(self, member):
        if member not in self.bodies:
            raise BadProduct(self.product, member, "is missing")
        yield f"/products/{self.product}/{member}"


class Shelf:
    """`Source` over products of `Members`."""

    def __init__(self, *products):
        self.products = {p.product: p for p in products}

    def open(self, product):
        return self.products[product]


def members_of(ending, keep=lambda name: True):
    """A product of the test data; `keep` tells which of its files, by their names inside it."""
    names = [n for n in files() if f"_{ending}.SAFE/" in n]
    product = names[0].split(".SAFE/")[0]
    inner = {n.split(".SAFE/", 1)[1]: files()[n] for n in names}
    return Members(product, {n: body for n, body in inner.items() if keep(n)})


def slice_of(product, start=None, seconds=27):
    """What a manifest would say of a product, as far as the annotation's readers ask."""
    parts = product.split("_")
    start = start or datetime.strptime(parts[5], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return Slice(
        start=start,
        stop=start + timedelta(seconds=seconds),
        platform=parts[0],
        datatake=int(parts[8], 16),
        relative_orbit=TRACKS[parts[9]],
        direction="D",
        polarisations=("VV",),
        processed=start + timedelta(hours=3),
        ipf=(3, 61),
        product=product,
        footprint="",
    )


def pass_of(*products):
    return Pass(tuple(slice_of(p.product) for p in products))
