"""Products given by their paths, wherever they lie."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sen12ts_pipeline.acquisition.products import open_product, product_name
from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.ports import ProductFiles


class PathSource:
    """Implements `ports.Source` over some SAFE folders and zips."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._files = {product_name(path): open_product(path) for path in (Path(p).absolute() for p in paths)}

    def open(self, product: str) -> ProductFiles:
        """Files of a product; BadProduct if it is not one of those given."""
        if product not in self._files:
            raise BadProduct(product, "", "is not among the products given")
        return self._files[product]

    def at(self, path: Path) -> ProductFiles:
        """Files of the product at a path that was given."""
        return self.open(product_name(Path(path).absolute()))
