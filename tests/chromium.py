"""Chromium without a screen: a page's tree after loading, its picture, what it asked the network, what it complained of."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --enable-logging=stderr"
)
_NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # the browser's own calls home stay here
FLAGS = (*_FLAGS.split(), _NOWHERE)


@dataclass(frozen=True)
class Visit:
    """What one opening of a page left behind."""

    tree: str  # the document after loading, as HTML
    complaints: list[str]  # console messages
    requests: list[str]  # addresses that the page asked for


def _run(
    page: Path, folder: Path, *options: str, width: int, height: int, dark: bool
) -> subprocess.CompletedProcess[str]:
    assert PROGRAM is not None
    profile = folder / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    size = f"--window-size={width},{height}"
    command = [PROGRAM, *FLAGS, f"--user-data-dir={profile}", scheme, size, *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def visit(page: Path, folder: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> Visit:
    """Open `page` from the disk; `folder` takes the browser's own files."""
    log = folder / "net.json"
    ran = _run(page, folder, "--dump-dom", f"--log-net-log={log}", width=width, height=height, dark=dark)
    complaints = [line for line in ran.stderr.splitlines() if ":CONSOLE" in line]
    return Visit(ran.stdout, complaints, _requests(log))


def _requests(log: Path) -> list[str]:
    content = json.loads(log.read_text(encoding="utf-8"))
    asked = [event["params"] for event in content["events"] if "initiator" in event.get("params", {})]
    return sorted({params["url"] for params in asked if params["initiator"] != "not an origin"})  # that is the browser


def picture(page: Path, folder: Path, *, width: int, height: int, dark: bool = False) -> list[bytes]:
    """The rows of a screenshot, three or four bytes a pixel."""
    target = folder / "picture.png"
    _run(page, folder, f"--screenshot={target}", width=width, height=height, dark=dark)
    return read_png(target.read_bytes())


def read_png(content: bytes) -> list[bytes]:
    """The rows of an 8-bit RGB or RGBA picture that is not interlaced."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    place, packed, header = 8, b"", b""
    while place < len(content):
        (length,) = struct.unpack_from(">I", content, place)
        kind, body = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        header, packed = (body if kind == b"IHDR" else header), packed + (body if kind == b"IDAT" else b"")
        place += 12 + length
    width, _, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    assert (depth, interlaced) == (8, 0)
    step = {2: 3, 6: 4}[colours]
    plain, size, rows = zlib.decompress(packed), width * step, []
    before = bytearray(size)
    for start in range(0, len(plain), size + 1):
        before = _unfilter(plain[start], bytearray(plain[start + 1 : start + 1 + size]), before, step)
        rows.append(bytes(before))
    return rows


def _unfilter(kind: int, row: bytearray, above: bytearray, step: int) -> bytearray:
    for place in range(len(row)):
        left = row[place - step] if place >= step else 0
        up, corner = above[place], above[place - step] if place >= step else 0
        if kind == 4:
            guess = left + up - corner
            distances = (abs(guess - left), abs(guess - up), abs(guess - corner))
            add = (left, up, corner)[distances.index(min(distances))]
        else:
            add = (0, left, up, (left + up) // 2)[kind]
        row[place] = (row[place] + add) & 255
    return row
