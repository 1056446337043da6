"""The text of an HTML page: block elements as paragraphs; scripts, styles and navigation left out."""

from __future__ import annotations

import codecs
import re

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
_TAG = re.compile(rf"<(/?)(?!(?:{_UNCLOSED})\b)[a-zA-Z][^>]*?(/?)>")
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

    def finish() -> None:
        text = "".join(pieces)
        lines = text.strip("\n").split("\n") if preformatted else _collapse(text).split("\n")
        if text := "\n".join(line.rstrip() for line in lines).strip("\n"):
            paragraphs.append(text)
        pieces.clear()

    node: LexborNode | None = root
    entering = True
    while node is not None:
        tag = node.tag or ""
        is_block = tag not in _LEFT_OUT and _BLOCK.fullmatch(tag) is not None
        inside = None
        if not entering:
            if is_block:
                finish()
                preformatted -= tag == "pre"
        elif tag == "-text":
            pieces.append(_text_of(node) if preformatted else _flat(_text_of(node)))
        elif tag == "br":
            pieces.append("\n")
        elif tag not in _LEFT_OUT:
            if is_block:
                finish()
                preformatted += tag == "pre"
            elif tag in _CELLS:
                pieces.append(" ")
            inside = node.child
        if inside is not None:
            node, entering = inside, True
        elif entering and is_block:
            entering = False
        elif node.mem_id == root.mem_id:
            break
        elif node.next is not None:
            node, entering = node.next, True
        else:
            node, entering = node.parent, False
    finish()
    return "\n\n".join(paragraphs)


def _text_of(node: LexborNode) -> str:
    return node.text_content or ""


def _flat(text: str) -> str:
    """Line breaks in the source of a page mean no more than blanks."""
    return re.sub(r"[ \t\r\n\f]+", " ", text)


def _collapse(text: str) -> str:
    return re.sub(r" *\n *", "\n", re.sub(r"[ \t]+", " ", text)).strip(" ")


def _check_depth(page: str) -> None:
    depth = 0
    for match in _TAG.finditer(page):
        closing, itself = match.groups()
        depth += -1 if closing and depth else not (closing or itself)
        if depth > _DEEPEST:
            raise SourceError(f"nests more than {_DEEPEST:,} elements", "mend or remove it")
