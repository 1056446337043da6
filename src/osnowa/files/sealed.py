"""JSON files that carry their own hash, so that a flipped bit or a lost end is seen before anything is believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from osnowa.errors import DamagedError
from osnowa.files.failures import reading_errors
from osnowa.files.single import json_text, write


def own_hash(body: Mapping[str, Any]) -> str:
    """SHA-256 of everything but "own". The rule for every format, also later ones."""
    plain = {key: value for key, value in body.items() if key != "own"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def sealed_text(body: Mapping[str, Any]) -> str:
    """`body` as JSON with its hash under "own"."""
    # Through JSON and back, so that the hash is over what a reader will see (keys become strings).
    plain = json.loads(json_text(dict(body)))
    return json_text({**plain, "own": own_hash(plain)})


def write_sealed(path: Path, body: Mapping[str, Any]) -> None:
    """Replace `path` by `sealed_text(body)`; as `write`."""
    write(path, sealed_text(body))


def read_sealed(path: Path, instead: str) -> dict[str, Any]:
    """What `write_sealed` wrote, checked to the last byte; `instead` says what to do when it is damaged.

    Raises:
        DamagedError: missing or altered.
        InputMissingError, StorageError: it can't be read.
    """
    damaged = DamagedError(str(path), "is damaged or was altered (it does not match its own SHA-256)", instead)
    try:
        with reading_errors(path):
            content = path.read_bytes() if path.exists() else None
        if content is None:
            raise DamagedError(str(path), "is missing", instead)
        body = json.loads(content)
        if body["own"] != own_hash(body) or sealed_text(body).encode() != content:  # also its white space
            raise damaged
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise damaged from None
    return {key: value for key, value in body.items() if key != "own"}
