"""Products given by their paths or URLs, wherever they lie."""

from __future__ import annotations

from collections.abc import Iterable

from sen12ts_pipeline.acquisition.products import Location, open_product
from sen12ts_pipeline.acquisition.spool import Spool
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import ProductFiles


class PathSource:
    """Implements `ports.Source` over some SAFE folders and zips, here or afar."""

    def __init__(self, locations: Iterable[Location], spool: Spool | None = None) -> None:
        self._at = {str(location): open_product(location, spool) for location in locations}
        self._files = {files.product: files for files in self._at.values()}

    def open(self, product: str) -> ProductFiles:
        """Files of a product; BadProduct if it is not one of those given."""
        if product not in self._files:
            raise BadProduct(product, "", "is not among the products given")
        return self._files[product]

    def at(self, location: Location) -> ProductFiles:
        """Files of the product at a location that was given."""
        return self._at[str(location)]
