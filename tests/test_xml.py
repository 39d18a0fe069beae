"""XML comes from outside: it is read, never obeyed."""

import time

import pytest

from sen12ts_pipeline.errors import BadProduct
from sen12ts_pipeline.xml import parse


def laughs(attribute=False):
    """Entities that would grow to 3 GB."""
    levels = [b'<!ENTITY l0 "ha">']
    levels += [b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10)]
    body = b'<a b="&l9;"/>' if attribute else b"<a>&l9;</a>"
    return b'<?xml version="1.0"?><!DOCTYPE a [' + b"".join(levels) + b"]>" + body


def test_a_document_is_read_in_its_own_encoding():
    body = '<?xml version="1.0" encoding="ISO-8859-1"?><a><b>Cataluña</b></a>'.encode("latin-1")
    assert parse(body, product="p", member="m").findtext("b") == "Cataluña"


def test_comments_and_instructions_are_no_children():
    root = parse(b"<a><!-- note --><?do it?><b/></a>", product="p", member="m")
    assert [child.tag for child in root] == ["b"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"<a>",
        b"not xml",
        b"<a></b>",
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a SYSTEM "http://example.org/a.dtd"><a/>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b"<a>" * 5000 + b"</a>" * 5000,
        laughs(),
        laughs(attribute=True),
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a/>".encode("utf-16"),
    ],
    ids=lambda body: repr(body[:30]),
)
def test_what_is_malformed_or_dangerous_is_a_bad_product(body):
    begun = time.perf_counter()
    with pytest.raises(BadProduct) as caught:
        parse(body, product="S1A_X", member="manifest.safe")
    assert (caught.value.product, caught.value.member) == ("S1A_X", "manifest.safe")
    assert "must" in caught.value.reason
    assert time.perf_counter() - begun < 1
