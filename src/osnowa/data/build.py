"""From cleaned documents to a published token store, with both cores at work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from osnowa import files, workers
from osnowa.corpus import Corpus, Progress
from osnowa.data.store import COUNTS, SPLITS, TokenStore, token_dtype
from osnowa.tokenizer import FILE as TOKENIZER_FILE
from osnowa.tokenizer import Tokenizer, write_tokenizer

_COPY = 1 << 22


def build_store(
    corpus: Corpus,
    tokenizer: Tokenizer,
    out: Path,
    workspace: Path,
    *,
    key: str,
    facts: Mapping[str, Any],
    extra: Mapping[str, bytes | str],
    num_workers: int,
    progress: Callable[[Progress], None],
) -> TokenStore:
    """Encode `corpus` and publish it at `out`. `key` names what made it; `extra` are further files of the folder.

    The bytes do not depend on `num_workers`.

    Raises:
        StorageError: nothing is published.
    """
    files.make_folder(workspace)
    tokenizer_file = workspace / TOKENIZER_FILE
    write_tokenizer(workspace, tokenizer)
    tasks = [
        {
            "action": "encode_part",
            "arguments": {
                "name": f"part {part}",
                "corpus": str(corpus.folder),
                "part": part,
                "tokenizer": str(tokenizer_file),
                "folder": str(workspace),
            },
        }
        for part in range(corpus.num_parts)
    ]
    counts = {split: dict.fromkeys(COUNTS, 0) for split in SPLITS}
    for done, answer in enumerate(workers.run("osnowa.data.worker", tasks, num_workers), start=1):
        progress(Progress("encode", done, len(tasks), "parts"))
        for split in SPLITS:
            for name, value in answer[split].items():
                counts[split][name] += value
    manifest_facts = {
        **facts,
        "kind": "token store",
        "key": key,
        "dtype": token_dtype(tokenizer.vocab_size).str,
        "tokenizer": tokenizer.fingerprint,
        "corpus": corpus.fingerprint,
        "splits": counts,
    }
    with files.publish(out, manifest_facts) as folder:
        for split in SPLITS:
            _join(workspace, folder, split, corpus.num_parts)
        write_tokenizer(folder, tokenizer)
        for name, content in extra.items():
            files.write(folder / name, content)
    return TokenStore.open(out, check=False)


def _join(workspace: Path, folder: Path, split: str, num_parts: int) -> None:
    """Parts end to end; lengths become offsets that start at 0."""
    with files.open_new(folder / f"{split}.tokens") as out:
        for part in range(num_parts):
            with (workspace / f"{split}-{part:06d}.tokens").open("rb") as handle:
                while block := handle.read(_COPY):
                    out.write(block)
    for kind in ("sentences", "documents"):
        total = 0
        with files.open_new(folder / f"{split}.{kind}") as out:
            out.write(np.zeros(1, dtype="<i8").tobytes())
            for part in range(num_parts):
                lengths = np.fromfile(workspace / f"{split}-{part:06d}.{kind}", dtype="<i8")
                offsets = total + np.cumsum(lengths)
                out.write(offsets.astype("<i8").tobytes())
                total = int(offsets[-1]) if len(offsets) else total
