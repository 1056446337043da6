"""Tells files that are no text, whatever their name says, by their first bytes."""

from __future__ import annotations

import re

from osnowa.corpus.encodings import find_bom, guess_wide

# Beginnings of files that are no text, whatever their name says.
SIGNATURES = {
    b"\x89PNG\r\n": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF87a": "a GIF picture",
    b"GIF89a": "a GIF picture",
    b"%PDF-": "a PDF document",
    b"\x7fELF": "an ELF program",
    b"PK\x03\x04": "a ZIP archive (or an office document)",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\x1f\x8b\x08": "gzip data",
    b"\x28\xb5\x2f\xfd": "zstd data",
    b"\xfd7zXZ\x00": "xz data",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\xd0\xcf\x11\xe0\xa1\xb1": "an old office document",
    b"{\\rtf": "an RTF document",
    b"SQLite format 3\x00": "an SQLite database",
    b"PAR1": "a Parquet file",
    b"\xca\xfe\xba\xbe": "a program",
    b"OggS": "an Ogg recording",
}
_BZIP2 = re.compile(rb"BZh[1-9]1AY&SY")
_MOST_NULS = 0.01  # share of the first 64 kB; real text with stray NULs has far fewer and is cleaned later
_MOST_CONTROLS = 0.10
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b")) + b"\x7f"


def find_binary(head: bytes) -> str | None:
    """What `head` (the first 64 kB) is when it is no text: by its signature or its share of NUL and control bytes."""
    for signature, what in SIGNATURES.items():
        if head.startswith(signature):
            return what
    if _BZIP2.match(head):
        return "bzip2 data"
    if find_bom(head)[1] or guess_wide(head):
        return None
    nuls, controls = head.count(0), len(head) - len(head.translate(None, _CONTROLS))
    if nuls > _MOST_NULS * len(head):
        return f"binary data ({nuls / len(head):.0%} zero bytes)"
    if controls > _MOST_CONTROLS * len(head):
        return f"binary data ({controls / len(head):.0%} control characters)"
    return None
