"""The only room that writes, syncs, renames or deletes: atomic publish, checksums, locks.

A folder is published whole or not at all: its files are written into `NAME.tmp-PID-NUMBER`, synced, listed with size and
SHA-256 in `MANIFEST.json` (which carries its own hash), and put in place in one step. A folder without a sound manifest
is not there. Every call that changes the disk is one function of `system`, so that the tests can number and break it.
"""

from __future__ import annotations

from osnowa.files.failures import nearest_parent, reading_errors, storage_errors, translate
from osnowa.files.locks import lock
from osnowa.files.log import LineLog
from osnowa.files.published import (
    FORMAT_VERSION,
    MANIFEST,
    Manifest,
    clean_leftovers,
    publish,
    read_manifest,
    seal,
    verify,
)
from osnowa.files.scratch import scratch
from osnowa.files.sealed import read_sealed, write_sealed
from osnowa.files.single import (
    free_bytes,
    json_text,
    make_folder,
    open_append,
    open_new,
    read_json,
    remove,
    replacing,
    sha256,
    sync_folder,
    write,
    write_json,
)
from osnowa.files.tensors import save_tensors

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST",
    "LineLog",
    "Manifest",
    "clean_leftovers",
    "free_bytes",
    "json_text",
    "lock",
    "make_folder",
    "nearest_parent",
    "open_append",
    "open_new",
    "publish",
    "read_json",
    "read_manifest",
    "read_sealed",
    "reading_errors",
    "remove",
    "replacing",
    "save_tensors",
    "scratch",
    "seal",
    "sha256",
    "storage_errors",
    "sync_folder",
    "translate",
    "verify",
    "write",
    "write_json",
    "write_sealed",
]
