"""XML of products, parsed without trust: no entities, no network. Nothing about Sentinel belongs here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from sen12ts_pipeline.errors import BadProduct

if TYPE_CHECKING:
    from lxml.etree import _Element


def parse(body: bytes, *, product: str, member: str) -> _Element:
    """Root element of an XML document, without its comments and processing instructions.

    Parameters
    ----------
    body : bytes
        The whole file; its own declaration tells the encoding.
    product, member : str
        What the error names.

    Raises
    ------
    BadProduct
        When the document is empty, malformed, nested beyond the parser's limits, or declares a document type: product
        metadata has none, and with entities it could grow without bound.
    """
    if not body.strip():
        raise BadProduct(product, member, f"must be an XML document; the file is empty ({len(body)} bytes)")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise BadProduct(product, member, f"must be well-formed XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise BadProduct(product, member, "must not declare a document type (<!DOCTYPE>), nor any entities")
    return root
