"""ZIP archives, read member by member and never extracted; what is unsafe inside is refused by name and counted."""

from __future__ import annotations

import os
import re
import stat
import zipfile

from osnowa.corpus import spool
from osnowa.corpus.compression import HARMLESS
from osnowa.corpus.findings import Findings, Source, name_format, printable
from osnowa.corpus.opening import ZIP_ERRORS, is_blank, open_archive, open_stream
from osnowa.corpus.raw import PackedError, SourceError

_ENCRYPTED = 0x1


def add_members(path: str, name: str, status: os.stat_result, findings: Findings, *, explicit: bool) -> None:
    """Add the readable members of an archive in the order of their path components."""
    try:
        members = open_archive(os.path.abspath(path), status.st_mtime_ns)[0].infolist()
    except ZIP_ERRORS as error:
        what = f"is no sound ZIP archive ({' '.join(str(error).split())})"
        findings.damaged(name, what, "", status.st_size, explicit=explicit)
        return
    except OSError as error:
        findings.unreadable(name, error, status.st_size)
        return
    total, seen = 0, set()
    for member in sorted(members, key=lambda member: member.filename.split("/")):
        if member.is_dir():
            continue
        title = f"{name}::{printable(member.filename)}"
        form, packed, extension = name_format(member.filename)
        reason = find_danger(member, findings)
        if reason is None and member.filename in seen:
            reason = "second member of the same name"
        if reason is None and form is None:
            reason = f"unknown extension {extension}".rstrip()
        if reason is None and total + member.file_size > findings.config.max_archive_bytes:
            reason = "archive larger than corpus.max_archive_bytes"
        source = Source(
            title,
            "zip_member",
            os.path.abspath(path),
            member.filename,
            form or "text",
            packed,
            member.file_size,
            status.st_mtime_ns,
        )
        reason = reason or _find_flaw(source, findings)
        if reason is not None:
            findings.skip(title, reason, member.file_size)
            continue
        seen.add(member.filename)
        total += member.file_size
        if source.format == "parquet":
            findings.found.append(spool.promise_unpacked(source, findings))
        else:
            findings.found.append(source)


def find_danger(member: zipfile.ZipInfo, findings: Findings) -> str | None:
    """Why a member is not touched at all, from its entry in the directory alone."""
    parts = re.split(r"[/\\]", member.filename)
    if "" in parts or ".." in parts or "\x00" in member.orig_filename or re.match(r"[A-Za-z]:", member.filename):
        return "unsafe member name"
    if any(part.startswith(".") for part in parts) or parts[0] == "__MACOSX":
        return "hidden"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "link inside an archive"
    if member.flag_bits & _ENCRYPTED:
        return "encrypted member"
    if member.filename.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar")):
        return "archive inside an archive"
    ratio = findings.config.max_compression_ratio
    if member.file_size > HARMLESS and member.file_size > ratio * max(member.compress_size, 1):
        return "decompression bomb"
    return None


def _find_flaw(source: Source, findings: Findings) -> str | None:
    """Why a member can't be used, from its first bytes."""
    if source.size == 0:
        return "empty"
    if source.format == "parquet":
        return None
    try:
        with open_stream(source, findings.config) as stream:
            return "empty" if is_blank(stream) else None
    except (SourceError, OSError):
        return PackedError.kind
