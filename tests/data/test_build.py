"""Building a token store: exact, the same with any number of workers, and not there at all unless it is whole."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import texts
from osnowa import files
from osnowa.corpus import Corpus, CorpusConfig, Document, Progress, collect, open_corpus
from osnowa.data import TokenSplit, TokenStore, build, worker
from osnowa.data.build import build_store
from osnowa.data.store import SPLITS
from osnowa.errors import DamagedError, DataError
from osnowa.tokenizer import Tokenizer, TokenizerConfig, train


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """650 kB of random sentences in three parts."""
    folder, words, chance = tmp_path_factory.mktemp("corpus"), " ".join(texts.SENTENCES).split(), random.Random(1)

    def sentence() -> str:
        return " ".join(chance.choices(words, k=12)).capitalize() + "."

    documents = (" ".join(sentence() for _ in range(chance.randint(3, 9))) for _ in range(1500))
    (folder / "text.txt").write_text("\n\n".join(documents), encoding="utf-8")
    found = collect([str(folder / "text.txt")], CorpusConfig(), folder / "work", num_workers=2, progress=lambda _: None)
    assert found.num_parts > 2
    return found


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train(texts.documents(), TokenizerConfig(kind="wordpiece", vocab_size=400))


def build_at(out: Path, corpus: Corpus, tokenizer: Tokenizer, num_workers: int = 2, **options: Any) -> TokenStore:
    options = {"facts": {"settings": {"a": 1}}, "extra": {"corpus.json": "{}\n"}, "progress": lambda _: None, **options}
    workspace = out.with_name(f"{out.name}-work")
    return build_store(corpus, tokenizer, out, workspace, key="the key", num_workers=num_workers, **options)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def store(corpus: Corpus, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    return build_at(tmp_path_factory.mktemp("store") / "data", corpus, tokenizer)


def test_the_store_holds_every_sentence_of_every_document_in_order(
    store: TokenStore, corpus: Corpus, tokenizer: Tokenizer
) -> None:
    expected: dict[str, list[Document]] = {name: [] for name in SPLITS}
    for part in range(corpus.num_parts):
        for document in corpus.documents(part):
            expected[document.split].append(document)
    for name, split in zip(SPLITS, (store.train, store.held_out), strict=True):
        assert split.num_documents == len(expected[name]) > 10
        assert split.num_bytes == sum(len(document.text.encode()) for document in expected[name])
        for number, document in enumerate(expected[name]):
            borders = [*document.sentences, len(document.text)]
            slices = [document.text[a:b] for a, b in pairwise(borders)]
            ids = tokenizer.encode_batch(slices)
            own = split.sentences[split.documents[number] : split.documents[number + 1] + 1]
            assert np.diff(own).tolist() == [len(sentence) for sentence in ids]
            assert split.tokens[own[0] : own[-1]].tolist() == [token for sentence in ids for token in sentence]


def test_counts_and_facts_say_what_is_in_the_store(store: TokenStore, corpus: Corpus, tokenizer: Tokenizer) -> None:
    for name, split in zip(SPLITS, (store.train, store.held_out), strict=True):
        assert store.facts["splits"][name] == {
            "tokens": len(split.tokens),
            "sentences": len(split.sentences) - 1,
            "documents": split.num_documents,
            "bytes": split.num_bytes,
            "unknown": int((split.tokens == tokenizer.unk).sum()),
            "empty": 0,
        }
    assert store.facts["key"] == "the key"
    assert store.facts["settings"] == {"a": 1}
    assert store.facts["tokenizer"] == tokenizer.fingerprint
    assert store.facts["corpus"] == corpus.fingerprint
    assert store.facts["dtype"] == "<u2"
    assert (store.folder / "tokenizer.json").read_bytes() == tokenizer.to_bytes()
    assert (store.folder / "corpus.json").read_text() == "{}\n"
    assert TokenStore.open(store.folder).facts == store.facts


def test_the_bytes_do_not_depend_on_the_number_of_workers(
    store: TokenStore, corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    one = build_at(tmp_path / "data", corpus, tokenizer, num_workers=1)
    assert content(one.folder) == content(store.folder)


def test_progress_counts_the_parts(corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path) -> None:
    seen: list[Progress] = []
    build_at(tmp_path / "data", corpus, tokenizer, progress=seen.append)
    assert [each.done for each in seen] == list(range(1, corpus.num_parts + 1))
    assert {(each.phase, each.total) for each in seen} == {("encode", corpus.num_parts)}


_KILLED = """
import os, signal, sys
from pathlib import Path
from osnowa import files
from osnowa.corpus import open_corpus
from osnowa.data import build
from osnowa.tokenizer import Tokenizer

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def progress(report):
    if moment == "after the first part":
        die()

corpus, tokenizer, out, moment = sys.argv[1:]
if moment == "while parts are joined":
    build._join = die
if moment == "before the manifest":
    files.published.open_new = die
if moment == "before the folder is in place":
    files.published.place = die
build.build_store(
    open_corpus(Path(corpus)), Tokenizer.from_file(Path(tokenizer)), Path(out), Path(out + "-work"), key="the key",
    facts={"settings": {"a": 1}}, extra={"corpus.json": "{}\\n"}, num_workers=2, progress=progress,
)
"""
_MOMENTS = ["after the first part", "while parts are joined", "before the manifest", "before the folder is in place"]


@pytest.mark.parametrize("moment", _MOMENTS)
def test_a_build_killed_at_any_moment_publishes_nothing_and_can_be_repeated(
    store: TokenStore, corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path, moment: str
) -> None:
    out = tmp_path / "data"
    arguments = [str(corpus.folder), str(store.folder / "tokenizer.json"), str(out), moment]
    killed = subprocess.run([sys.executable, "-c", _KILLED, *arguments], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    with pytest.raises(DamagedError, match="was never finished"):
        TokenStore.open(out)
    assert content(build_at(out, corpus, tokenizer).folder) == content(store.folder)


def test_a_failed_build_leaves_an_older_store_as_it_was(
    corpus: Corpus, tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "data"
    build_at(out, corpus, tokenizer)
    before = content(out)

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build, "_join", fail)
    with pytest.raises(Exception, match="no space left on the disk"):
        build_at(out, corpus, tokenizer, facts={"settings": {"a": 2}})
    assert content(out) == before
    TokenStore.open(out)


# --- odd corpora, encoded in this process ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Odd(Corpus):
    """A corpus that is nowhere on the disk."""

    parts: tuple[tuple[Document, ...], ...] = ()

    def documents(self, part: int) -> Iterator[Document]:
        return iter(self.parts[part])


def document(split: str, *sentences: str) -> Document:
    starts = np.cumsum([0, *map(len, sentences)]).tolist()[:-1]
    return Document("".join(sentences), starts, split, "pl", "0" * 32)


@pytest.fixture
def encode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, corpus: Corpus, tokenizer: Tokenizer) -> Any:
    def make(*parts: tuple[Document, ...]) -> TokenStore:
        odd = _Odd(Path("nowhere"), corpus.ledger, "f", tuple(map(len, parts)), parts)

        def run(module: str, tasks: list[Mapping[str, Any]], num_workers: int) -> Iterator[Any]:
            assert module == worker.__name__
            return (worker.encode_part(**task["arguments"]) for task in tasks)

        monkeypatch.setattr(worker, "open_corpus", lambda folder: odd)
        monkeypatch.setattr(build.workers, "run", run)
        return build_at(tmp_path / "data", odd, tokenizer)

    return make


def test_a_corpus_without_held_out_documents_gives_an_empty_split(encode: Any) -> None:
    store = encode((document("train", "Babcia czyta. ", "Kot śpi."),), (), (document("train", "Dom."),))
    assert store.train.num_documents == 2
    assert np.diff(store.train.documents).tolist() == [2, 1]
    assert (store.held_out.num_documents, store.held_out.num_tokens) == (0, 0)
    assert TokenStore.open(store.folder).held_out.sentences.tolist() == [0]


def test_sentences_and_documents_without_a_token_leave_no_trace_but_are_counted(encode: Any) -> None:
    store = encode((document("train", "\u200b", "Babcia czyta.", " "), document("train", "\u200b\u200b")))
    assert store.train.num_documents == 1
    assert len(store.train.sentences) == 2
    assert store.facts["splits"]["train"]["empty"] == 1


def test_unknown_tokens_are_counted_for_each_split(encode: Any, tokenizer: Tokenizer) -> None:
    strange = [document(split, "Kot 日 śpi. ", "本 語.") for split in ("train", "train", "held_out", "train")]
    store = encode((*strange[:3], document("held_out", "Kot.")), (strange[3],))
    for name, split in zip(SPLITS, (store.train, store.held_out), strict=True):
        unknown = int((split.tokens == tokenizer.unk).sum())
        assert store.facts["splits"][name]["unknown"] == unknown > 0


def test_long_texts_are_encoded_in_pieces_of_bounded_size_with_the_same_result(
    encode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = tuple(
        document(SPLITS[i % 7 == 0], *(f"{sentence} " for sentence in texts.SENTENCES[i : i + 5])) for i in range(60)
    )
    whole = content(encode(documents).folder)
    monkeypatch.setattr(worker, "_BATCH_CHARACTERS", 100)
    assert content(encode(documents).folder) == whole


def test_the_words_of_special_tokens_in_a_text_are_text(encode: Any, tokenizer: Tokenizer) -> None:
    store = encode((document("train", "Babcia [MASK] czyta [SEP] książkę [PAD]."),))
    assert not np.isin(store.train.tokens, [tokenizer.pad, tokenizer.cls, tokenizer.sep, tokenizer.mask]).any()


def test_a_store_of_another_corpus_is_not_opened_by_mistake(store: TokenStore, corpus: Corpus) -> None:
    assert open_corpus(corpus.folder).fingerprint == store.facts["corpus"]
    with pytest.raises(DataError, match=r"has no MANIFEST\.json"):
        TokenStore.open(corpus.folder)
    assert files.read_manifest(store.folder).facts["kind"] == "token store"
    assert isinstance(store.train, TokenSplit)
