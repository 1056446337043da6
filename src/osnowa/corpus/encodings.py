"""Which encoding a text is in: BOM, strict UTF-8, UTF-16 by its zero bytes, the Polish legacy rule, Western; or none."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field

import numpy as np

from osnowa.corpus.raw import SourceError
from osnowa.corpus.western import Evidence
from osnowa.errors import SettingsError

BOMS = {
    b"\xff\xfe\x00\x00": "utf-32-le",  # before UTF-16, whose mark is its beginning
    b"\x00\x00\xfe\xff": "utf-32-be",
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe": "utf-16-le",
    b"\xfe\xff": "utf-16-be",
}
LEGACY = ("cp1250", "iso8859-2", "cp852")
POLISH = "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ"

_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
# Sequences of Latin letters and of punctuation: their first bytes are not letters in the Polish legacy encodings, while
# "SPÓŁKA" in cp1250 holds D3 A3, which happens to be a sound sequence too.
_TELLING = re.compile(rb"[\xc3-\xc5][\x80-\xbf]|\xe2\x80[\x80-\xbf]")
_HIGH = re.compile(rb"[\x80-\xff]")


def find_bom(head: bytes) -> tuple[str, int]:
    """Encoding and length of the byte order mark `head` begins with; ("", 0) when there is none."""
    return next(((name, len(bom)) for bom, name in BOMS.items() if head.startswith(bom)), ("", 0))


def guess_wide(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without a byte order mark, from where the zero bytes stand, and only when it decodes."""
    if len(head) < 8 or head.count(0) < len(head) // 8:
        return None
    share = [head[phase::4].count(0) / len(head[phase::4]) for phase in range(4)]
    guess = None
    if min(share[2], share[3]) > 0.9 and share[0] < 0.1:
        guess = "utf-32-le"
    elif min(share[0], share[1]) > 0.9 and share[3] < 0.1:
        guess = "utf-32-be"
    elif min(share[1], share[3]) > 0.5 and max(share[0], share[2]) < 0.1:
        guess = "utf-16-le"
    elif min(share[0], share[2]) > 0.5 and max(share[1], share[3]) < 0.1:
        guess = "utf-16-be"
    if guess is None:
        return None
    try:
        text = codecs.getincrementaldecoder(guess)().decode(head)
    except UnicodeDecodeError:
        return None
    readable = sum(letter.isprintable() or letter.isspace() for letter in text)
    return guess if readable > 0.98 * len(text) else None


def guess_legacy(histogram: np.ndarray) -> str | None:
    """cp1250, ISO-8859-2 or cp852, whichever turns the bytes into most Polish letters; None when not convincing.

    Convincing: at least 3 different Polish letters, ą, ę or ł among them, that are 80 % of the letters outside ASCII
    and 0.5 % of all letters. Czech, Hungarian, Spanish, German and French text fails the 80 %.

    Args:
        histogram: counts of the 256 byte values.
    """
    ascii_letters = count_ascii_letters(histogram)
    best: tuple[int, int] = (0, 0)
    winner = None
    for encoding in LEGACY:
        counts = {chr_: int(histogram[byte]) for byte in range(128, 256) if (chr_ := _decode(bytes([byte]), encoding))}
        polish = sum(counts.get(letter, 0) for letter in POLISH)
        letters = sum(count for letter, count in counts.items() if letter.isalpha())
        controls = sum(count for letter, count in counts.items() if "\x80" <= letter <= "\x9f")
        kinds = {letter.lower() for letter in POLISH if counts.get(letter)}
        convincing = (
            len(kinds) >= 3
            and bool(kinds & set("ąęł"))
            and polish >= 0.8 * letters
            and polish >= 0.005 * (letters + ascii_letters)
        )
        if convincing and (polish, -controls) > best:
            best, winner = (polish, -controls), encoding
    return winner


def count_ascii_letters(histogram: np.ndarray) -> int:
    """Of counts of the 256 byte values."""
    return int(histogram[ord("A") : ord("Z") + 1].sum() + histogram[ord("a") : ord("z") + 1].sum())


def _decode(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return ""


def check_encoding(name: str) -> str:
    """The codec's own name for `name`.

    Raises:
        SettingsError: Python has no such text encoding.
    """
    try:
        found = codecs.lookup(name)
        "".encode(found.name)  # base64, rot13 and the like are codecs, not encodings
        b"".decode(found.name)
    except (LookupError, ValueError):
        raise SettingsError(
            f"corpus.encoding = {name!r}", "is no encoding that Python knows", "use auto, utf-8, cp1250, iso8859-2, ..."
        ) from None
    return "utf-8" if found.name == "utf-8-sig" else found.name


def is_single_byte(encoding: str) -> bool:
    """Whether each byte is a character, the first 128 those of ASCII."""
    plain = bytes(range(128))
    pairs = (bytes([lead, trail]) for lead in range(128, 256) for trail in (0x40, 0x81, 0xA1))
    return _decode(plain, encoding) == plain.decode("ascii") and all(len(_decode(p, encoding)) != 1 for p in pairs)


def _show(data: bytes, place: int) -> str:
    """The words around a byte, as cp1252 has them: a hint for people, never used as text."""
    around = data[max(0, place - 12) : place + 12].decode("cp1252", "backslashreplace")
    return f'in cp1252 it reads "...{" ".join(around.split())}..."'


@dataclass
class Examiner:
    """Decides on UTF-8 while the bytes stream by; `feed` gets consecutive pieces that begin at character borders."""

    characters: int = 0  # decoded ones, exact while everything is UTF-8
    sequences: int = 0  # sound UTF-8 sequences outside ASCII (an estimate in pieces that are UTF-8 throughout)
    telling: int = 0  # those of them that legacy Polish text would not show by chance
    strays: int = 0  # bytes outside ASCII that belong to no such sequence
    first_invalid: int | None = None  # byte offset
    first_invalid_line: int = 0
    context: str = ""  # what stands there, when it is read as cp1252
    offset: int = 0
    histogram: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    western: Evidence = field(default_factory=Evidence)

    def feed(self, data: bytes, line: int) -> str | None:
        """The decoded piece, or None when it is not UTF-8; `line` is the physical line on which it begins."""
        text: str | None = None
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            if self.first_invalid is None:
                self.first_invalid = self.offset + error.start
                before = data[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
                self.first_invalid_line = line + before.count(b"\n")
                self.context = _show(data, error.start)
            matched = [len(sequence) for sequence in _SEQUENCE.findall(data)]
            self.sequences += len(matched)
            self.telling += len(_TELLING.findall(data))
            self.strays += len(_HIGH.findall(data)) - sum(matched)
            self.histogram += np.bincount(np.frombuffer(data, np.uint8), minlength=256)
            self.western.feed(data)
            self.characters += len(data)
        else:
            self.characters += len(text)
            self.sequences += len(data) - len(text)
            self.telling += len(data) - len(text)
        self.offset += len(data)
        return text

    def verdict(self, wanted: str, declared: str | None, skip_damage: bool) -> str:
        """'utf-8' or the legacy encoding of a text without a byte order mark; cp1252 is a guess, to be stated.

        Args:
            wanted: the setting corpus.encoding; text that is sound UTF-8 is read as that all the same.
            declared: what an HTML page says of itself.

        Raises:
            SourceError: no encoding fits; with the byte offset and what to do. Under `skip_damage`, text that is mostly
                UTF-8 is 'utf-8' and the reader rejects the broken lines.
        """
        if self.first_invalid is None:
            return "utf-8"
        if wanted not in ("auto", "utf-8"):
            return wanted
        place = f"byte {self.first_invalid:,} (line {self.first_invalid_line:,}) is not UTF-8"
        if wanted == "utf-8" or self.sequences >= self.strays or 100 * self.telling >= self.strays:
            if skip_damage:
                return "utf-8"
            instead = "mend it, leave its broken lines out with --bad-lines skip, or name its encoding with "
            what = f"{place}, while other letters outside ASCII are" if self.sequences else place
            raise SourceError(what, f"{instead}--corpus.encoding=cp1250", self.first_invalid_line)
        if declared not in (None, "utf-8"):
            return str(declared)
        if legacy := guess_legacy(self.histogram):
            return legacy
        if skip_damage and self.strays < 0.001 * self.offset:
            return "utf-8"
        if self.western.convincing(int(self.histogram[0xC0:].sum()), count_ascii_letters(self.histogram)):
            return "cp1252"
        raise SourceError(
            f"{place} ({self.context}), and it looks neither like Polish in cp1250, ISO-8859-2 or cp852 "
            "nor clearly like a Western language in cp1252",
            "if that reads well use --corpus.encoding=cp1252, else name its encoding (UTF-8 files are still read as such)",
            self.first_invalid_line,
        )
