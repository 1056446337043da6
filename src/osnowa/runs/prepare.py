"""The data half: raw text to cleaned documents, a tokenizer, and a published token store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osnowa import files
from osnowa.corpus import Corpus, Progress, collect, fingerprint_collected
from osnowa.data import TokenStore
from osnowa.data.build import build_store
from osnowa.errors import CannotCreateError, DataError, SettingsError
from osnowa.runs import limits
from osnowa.runs.given_text import (
    can_be_read_again,
    data_difference,
    data_settings,
    is_prepared,
    refuse_prepared,
)
from osnowa.runs.recipe import Recipe
from osnowa.runs.rows import required_tokens
from osnowa.tokenizer import Tokenizer, fertility, train

if TYPE_CHECKING:
    from osnowa.runs.show_rows import ShownRow

DATA_VERSION = 1  # part of the key: raised when the same text and settings would give other tokens
_FERTILITY_CHARACTERS = 200_000
_SAMPLE_CHARACTERS = 64_000_000  # text a vocabulary is learned from: more changes few pieces, and costs memory


@dataclass(frozen=True)
class Prepared:
    """A token store with what is known about it."""

    store: TokenStore
    tokenizer: Tokenizer
    ledger: dict[str, Any]
    fertility: dict[str, Any]
    samples: tuple[ShownRow, ...] = ()  # rows as training would show them, where they were asked for


def prepare(
    inputs: Sequence[str],
    out: Path,
    recipe: Recipe,
    *,
    workspace: Path,
    tokenizer: Tokenizer | None = None,
    num_workers: int | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Prepared:
    """Read, clean, deduplicate, split, learn a tokenizer (unless one is given) and encode; publish the store at `out`.

    `workspace` holds intermediate files and is removed. The result depends on the text and the settings alone.

    Raises:
        OsnowaError: `out` is as it was.
    """
    check_pairs(recipe)
    workers = num_workers or limits.processors()
    files.make_folder(workspace)  # what a killed call left there is taken up again
    corpus = collect(inputs, recipe.corpus, workspace / "corpus", num_workers=workers, progress=progress)
    learned = tokenizer or learn_tokenizer(corpus, recipe, progress)
    learned.require(required_tokens(recipe.objective))
    ledger = corpus.ledger.as_dict()
    figures = fertility(learned, sample_by_language(corpus)).as_dict()
    notes = {"fertility": figures, "notes": list(learned.notes)}
    rejected = corpus.folder / "rejected.jsonl"
    extra: dict[str, bytes | str] = {
        "corpus.json": files.json_text(ledger),
        "tokenizer-report.json": files.json_text(notes),
        "rejected.jsonl": rejected.read_bytes() if rejected.exists() else b"",
    }
    sources = fingerprint_collected(corpus.folder)
    store = build_store(
        corpus,
        learned,
        out,
        workspace / "encode",
        key=store_key(sources, recipe, learned),
        facts={
            "inputs": sources,
            "settings": data_settings(recipe),
            "given_tokenizer": tokenizer.fingerprint if tokenizer is not None else None,
        },
        extra=extra,
        num_workers=workers,
        progress=progress,
    )
    files.remove(workspace)
    return Prepared(store, learned, ledger, notes)


def open_prepared(folder: Path) -> Prepared:
    """A folder that `prepare` published, every file checked.

    Raises:
        DamagedError, DataError
    """
    store = TokenStore.open(folder)
    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    return Prepared(
        store, tokenizer, files.read_json(folder / "corpus.json"), files.read_json(folder / "tokenizer-report.json")
    )


def check_pairs(recipe: Recipe) -> None:
    """Raises SettingsError when the objective needs pairs and the text is not read as such."""
    if recipe.objective.name == "translation" and not recipe.corpus.pairs:
        raise SettingsError(
            "objective.name = translation",
            "needs pairs of a source and its target",
            "name their columns: --source-column NAME --target-column NAME (1 and 2 where no row names them)",
        )


def learn_tokenizer(corpus: Corpus, recipe: Recipe, progress: Callable[[Progress], None]) -> Tokenizer:
    """A tokenizer from the training documents."""
    progress(Progress("tokenizer", 0, 1, "vocabularies"))
    characters = corpus.ledger.train[1]  # bytes: about as many
    learned = train(corpus.sample(_SAMPLE_CHARACTERS), recipe.tokenizer, corpus_characters=characters)
    progress(Progress("tokenizer", 1, 1, "vocabularies"))
    return learned


def sample_by_language(corpus: Corpus) -> Iterator[tuple[str, str]]:
    """(language, text) of the first documents of each part, a bounded amount of text; of pairs both sides by themselves."""
    left = _FERTILITY_CHARACTERS
    for part in range(corpus.num_parts):
        for document in corpus.documents(part):
            if left <= 0:
                return
            left -= len(document.text)
            if document.pair:
                yield from zip(("source", "target"), document.pieces, strict=True)
            else:
                yield document.language, document.text


def store_key(sources: Any, recipe: Recipe, tokenizer: Tokenizer) -> str:
    """SHA-256 of all that decides the tokens: contents of the sources, corpus settings, tokenizer, code version."""
    contents = [(name, source["sha256"]) for name, source in sources.items()]
    parts = [DATA_VERSION, contents, recipe.values()["corpus"], tokenizer.fingerprint]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def check_target(folder: Path, what: str) -> None:
    """Raises CannotCreateError when `folder` can't be ours: a file, or a folder with somebody's things in it."""
    if folder.exists() and not folder.is_dir():
        raise CannotCreateError(str(folder), "is a file", "choose another --out")
    ours = (folder / "run.lock").exists() if what == "run" else is_prepared(folder)
    if folder.is_dir() and not ours and any(folder.iterdir()):
        raise CannotCreateError(str(folder), f"is not empty and holds no {what}", "choose another --out")


def check_rows(num_train_rows: int, num_held_out_rows: int, prepared: Prepared, recipe: Recipe) -> None:
    """A24: refuse a corpus that can't fill one batch or has nothing held out, with the numbers.

    Raises:
        DataError
    """
    store, rows, batch = prepared.store, recipe.data.row_length, recipe.training.batch_rows
    if store.train.num_documents + store.held_out.num_documents < 2:
        raise DataError(
            "corpus",
            "has one document, and held-out text"
            + (" and random next sentences need" if recipe.objective.name == "masked-next-sentence" else " needs")
            + " another",
            "give more text, or cut it: --corpus.document=run --corpus.run_characters=2000, or --corpus.document=block",
        )
    if num_held_out_rows == 0:
        raise DataError(
            "corpus",
            f"leaves no held-out text ({store.train.num_documents} documents)",
            "raise --corpus.held_out, or give more text",
        )
    if num_train_rows < batch:
        instead = f"use --training.batch_rows={max(1, num_train_rows)}" if num_train_rows else "give more text"
        raise DataError(
            "corpus",
            f"has {store.train.num_tokens} training tokens, {num_train_rows} rows of {rows}; one batch takes {batch} rows",
            f"{instead}, or a smaller --data.row_length",
        )


def given_tokenizer(recipe: Recipe) -> Tokenizer | None:
    """--tokenizer PATH: a tokenizer.json or a folder with one; None when none was given.

    Raises:
        SettingsError: it lacks a special token that the objective needs.
    """
    path = recipe.run.tokenizer
    if path is None:
        return None
    tokenizer = Tokenizer.from_file(Path(path))
    try:
        tokenizer.require(required_tokens(recipe.objective))
    except SettingsError as error:
        raise SettingsError(path, error.what, error.instead) from None
    return tokenizer


def prepare_into(
    inputs: Sequence[str],
    out: Path,
    recipe: Recipe,
    *,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Prepared:
    """`osnowa prepare`: publish a prepared corpus at `out`; when it is there already, made from the same, say so.

    Raises:
        BusyError: another process prepares it.
        OsnowaError: `out` is as it was.
    """
    check_target(out, "prepared corpus")
    refuse_prepared(inputs)
    tokenizer = given_tokenizer(recipe)
    workspace = out.with_name(f"{out.name}.tmp-work")
    files.make_folder(workspace)
    with files.lock(workspace, where=out):  # in there, because `out` itself is exchanged as a whole
        try:
            if is_prepared(out) and can_be_read_again(inputs):
                old = open_prepared(out)
                if not data_difference(old.store.facts, inputs, recipe, tokenizer):
                    return old
            return prepare(inputs, out, recipe, workspace=workspace, tokenizer=tokenizer, progress=progress)
        finally:
            files.remove(workspace)
