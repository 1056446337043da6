"""The text of an HTML page: block elements as paragraphs; scripts, styles and navigation left out."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from osnowa.corpus.raw import SourceError

LARGEST_PAGE = 64 << 20  # bytes; a page is held in memory
_DEEPEST = 5000  # open elements; the parser needs quadratic time (200,000 nested ones: 116 s)

_LEFT_OUT = {
    "script",
    "style",
    "nav",
    "noscript",
    "template",
    "svg",
    "math",
    "iframe",
    "object",
    "select",
    "button",
    "head",
}
_BLOCK = re.compile(
    r"address|article|aside|blockquote|body|caption|dd|details|dialog|div|dl|dt|fieldset|figcaption|figure"
    r"|footer|form|h1|h2|h3|h4|h5|h6|header|hr|html|legend|li|main|menu|ol|p|pre|section|summary|table|tbody"
    r"|tfoot|thead|tr|ul"
)
_CELLS = {"td", "th"}
# Elements that need no end tag: counting them as open would make every old page look deep.
_UNCLOSED = "area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr|p|li|dt|dd|tr|td|th|thead|tbody|tfoot|option|colgroup"
_TAG = re.compile(rf"<(/?)(?!(?:{_UNCLOSED})\b)([a-zA-Z][\w:-]*)[^<>]*>")
_SHAPE = re.compile(
    "svg|g|path|rect|circle|ellipse|line|polyline|polygon|text|tspan|use|defs|symbol|stop|lineargradient|radialgradient"
    "|clippath|mask|pattern|image|marker|filter|fe[a-z]+|animate[a-z]*|set|title|desc|style|metadata"
)
_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w:.-]{1,40})|<\?xml[^>]{0,100}encoding=[\"']([\w:.-]{1,40})", re.I
)


def declared_encoding(head: bytes) -> str | None:
    """The encoding that a page names in its first bytes, when Python knows it; ISO-8859-1 means cp1252 on the web."""
    match = _CHARSET.search(head[:4096])
    if match is None:
        return None
    try:
        name = codecs.lookup((match[1] or match[2]).decode("ascii")).name
    except LookupError:
        return None
    return {"iso8859-1": "cp1252", "ascii": "cp1252"}.get(name, name)


def read_page(page: str) -> str:
    """The text of a page: paragraphs parted by blank lines, white space inside them collapsed except in <pre>.

    Raises:
        SourceError: elements are nested too deeply.
    """
    _check_depth(page)
    root = LexborHTMLParser(page.replace("\x00", "")).body
    if root is None:
        return ""
    paragraphs: list[str] = []
    pieces: list[str] = []
    preformatted = 0
    for node, entering in _walk(root):
        tag = node.tag or ""
        if tag == "-text" and entering:
            text = node.text_content or ""
            pieces.append(text if preformatted else re.sub(r"[ \t\r\n\f]+", " ", text))
        elif tag == "br" and entering:
            pieces.append("\n")
        elif tag in _CELLS and entering:
            pieces.append(" ")
        elif _BLOCK.fullmatch(tag) is not None and tag not in _LEFT_OUT:
            paragraphs.append(_join(pieces, preformatted > 0))
            pieces = []
            preformatted += (tag == "pre") * (1 if entering else -1)
    paragraphs.append(_join(pieces, preformatted > 0))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _walk(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Every node when it is entered (True) and when it is left (False), without recursion."""
    node, entering = root, True
    while True:
        yield node, entering
        inside = node.child if entering and node.tag not in _LEFT_OUT else None
        if inside is not None:
            node = inside
        elif entering:
            entering = False
        elif node.mem_id == root.mem_id:
            return
        elif node.next is not None:
            node, entering = node.next, True
        else:
            parent = node.parent
            assert parent is not None, "only the root of the walk may have no parent"
            node = parent


def _join(pieces: list[str], preformatted: bool) -> str:
    text = "".join(pieces)
    if not preformatted:
        text = re.sub(r" *\n *", "\n", re.sub(r"[ \t]+", " ", text)).strip(" ")
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def _check_depth(page: str) -> None:
    depth, drawing = 0, False
    for match in _TAG.finditer(page):
        closing, name = match[1], match[2].lower()
        if name == "svg":
            drawing = not closing
        elif drawing and _SHAPE.fullmatch(name) is None:
            drawing = False  # an HTML element ends the drawing, whatever the page says
        if closing:
            depth = max(0, depth - 1)
        elif not (drawing and match.group().endswith("/>")):  # "/" closes nothing outside drawings
            depth += 1
        if depth > _DEEPEST:
            raise SourceError(f"nests more than {_DEEPEST:,} elements", "mend or remove it")
