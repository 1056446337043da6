"""Files and folders among the TEXT arguments: walked in a stable order, opened once, and judged by their beginning."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from osnowa.corpus import archives, spool
from osnowa.corpus.findings import Findings, file_source, name_format, printable
from osnowa.corpus.opening import is_blank, unpacked
from osnowa.corpus.raw import SourceError
from osnowa.files import MANIFEST, nearest_parent


def look_at(given: str, findings: Findings) -> None:
    """Add what the path `given` leads to."""
    name = printable(given)
    try:
        status = os.stat(given)
    except FileNotFoundError:
        link = os.path.islink(given)
        what = (
            f"is a link to {printable(os.readlink(given))}, which does not exist" if link else "no such file or folder"
        )
        findings.missing(name, what, nearest_parent(Path(given)))
    except OSError as error:
        findings.unreadable(name, error)
    else:
        if stat.S_ISDIR(status.st_mode):
            for path in walk(given, findings):
                _look_inside(path, findings)
        elif stat.S_ISFIFO(status.st_mode):
            findings.found.append(spool.promise(given, findings))
        elif stat.S_ISREG(status.st_mode):
            add_file(given, name, status, findings, explicit=True)
        else:
            findings.missing(name, "is neither a file nor a folder", "give files, folders, or - for standard input")


def walk(folder: str, findings: Findings) -> Iterator[str]:
    """The paths of all entries below `folder` that are not folders, sorted by path components.

    Hidden entries, folders of osnowa's own and folders met before (links in a circle) are passed over and counted.
    """
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            is_folder = os.path.isdir(path)
            if is_folder:
                status = os.stat(path)
                entries = sorted(os.listdir(path))
        except OSError as error:
            findings.unreadable(printable(path), error)
            continue
        if not is_folder:
            yield path
        elif (status.st_dev, status.st_ino) in findings.seen:
            findings.repeat(printable(path), "folder met before")
        elif os.path.abspath(path) == os.path.abspath(findings.workspace) or {MANIFEST, "run.lock"} & set(entries):
            findings.skip(printable(path), "folder of osnowa's own")
        else:
            findings.seen.add((status.st_dev, status.st_ino))
            for entry in reversed(entries):
                if entry.startswith("."):
                    findings.skip(printable(os.path.join(path, entry)), "hidden")
                else:
                    waiting.append(os.path.join(path, entry))


def _look_inside(path: str, findings: Findings) -> None:
    """Add a file met inside a folder, or count why it is passed over."""
    name = printable(path)
    try:
        status = os.stat(path)
    except OSError as error:
        findings.unreadable(name, error)
        return
    if not stat.S_ISREG(status.st_mode):
        findings.skip(name, "not a regular file")
    else:
        add_file(path, name, status, findings, explicit=False)


def add_file(path: str, name: str, status: os.stat_result, findings: Findings, *, explicit: bool) -> None:
    """Add one regular file; a problem with an `explicit` one stops the work, inside a folder it is counted."""
    form, packed, extension = name_format(path)
    is_archive = path.lower().endswith(".zip")
    if form is None and not is_archive and not explicit:
        findings.skip(name, f"unknown extension {extension}".rstrip(), status.st_size)
        return
    if (status.st_dev, status.st_ino) in findings.seen:
        findings.repeat(name, "given twice", status.st_size)
        return
    findings.seen.add((status.st_dev, status.st_ino))
    try:
        with open(path, "rb") as handle:
            looked_at = not is_archive and form != "parquet"
            stream = unpacked(handle, packed, findings.config)
            blank = status.st_size == 0 or (looked_at and is_blank(stream))
    except OSError as error:
        findings.unreadable(name, error, status.st_size)
    except SourceError as error:
        findings.damaged(name, error.what, error.instead, status.st_size, explicit=explicit)
    else:
        if blank and explicit:
            findings.unfit(name, "is empty" if status.st_size == 0 else "holds nothing but white space")
        elif blank:
            findings.skip(name, "empty", status.st_size)
        elif is_archive:
            archives.add_members(path, name, status, findings, explicit=explicit)
        elif form == "parquet" and packed != "none":
            source = file_source(name, path, status, "file", form, packed)
            findings.found.append(spool.promise_unpacked(source, findings))
        else:
            findings.found.append(file_source(name, path, status, "file", form or "text", packed))
