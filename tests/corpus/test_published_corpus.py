"""The finished corpus: read back in order, sentence slices whole, the sample a fair draw by hash, damage named."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import xxhash
from collecting import collect_texts, documents, here

import texts
from osnowa.corpus import Corpus, CorpusConfig, catalog, fingerprint_inputs, open_corpus, sample
from osnowa.corpus.ledger import Ledger
from osnowa.errors import DamagedError, InputMissingError

__all__ = ["here"]  # a fixture

TEXTS = [" ".join(texts.SENTENCES[start : start + 4]) for start in range(0, 140, 4)]


@pytest.fixture
def corpus(here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    monkeypatch.setattr(catalog, "_SMALLEST_TASK", 2000)
    return collect_texts(tmp_path, TEXTS, held_out=0.2)


def test_documents_come_in_their_order_with_all_that_is_known(corpus: Corpus) -> None:
    found = documents(corpus)
    assert corpus.num_parts > 2
    assert [document.text for document in found] == TEXTS
    assert [document.line for document in found] == list(range(1, len(TEXTS) + 1))
    assert {document.language for document in found} == {"pl", "en"}
    for document in found:
        assert document.identity == xxhash.xxh3_128_hexdigest(document.text.encode())
        slices = [document.text[a:b] for a, b in zip(document.sentences, [*document.sentences[1:], None], strict=True)]
        assert document.sentences[0] == 0
        assert len(slices) == 4
        assert "".join(slices) == document.text


def test_the_sample_holds_training_texts_only_up_to_the_size(corpus: Corpus) -> None:
    train = [document.text for document in documents(corpus) if document.split == "train"]
    assert list(corpus.sample(10**9)) == train
    total = sum(map(len, train))
    for characters in (total // 3, total // 2):
        sample = list(corpus.sample(characters))
        assert characters - 400 < sum(map(len, sample)) <= characters
        assert sample == [text for text in train if text in sample]
        assert sample == list(corpus.sample(characters))
    assert len(list(corpus.sample(1))) == 1


def test_a_smaller_sample_is_part_of_a_larger_one(corpus: Corpus) -> None:
    assert set(corpus.sample(1000)) < set(corpus.sample(3000))


def test_a_worker_opens_the_same_corpus_wherever_it_was_moved(corpus: Corpus, tmp_path: Path) -> None:
    moved = tmp_path / "gdzie indziej – łąka"
    shutil.move(corpus.folder, moved)
    assert documents(open_corpus(moved)) == documents(replace(corpus, folder=moved))
    assert open_corpus(moved).fingerprint == corpus.fingerprint


def test_what_is_not_finished_or_damaged_is_named(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=r"collected\.json"):
        open_corpus(tmp_path)
    part = corpus.folder / "parts" / "00001.safetensors"
    part.write_bytes(part.read_bytes()[:-5])
    with pytest.raises(DamagedError, match=r"00001\.safetensors"):
        documents(corpus)
    (corpus.folder / "collected.json").write_text('{"ledger": {}, "fingerprint": "a"}')
    with pytest.raises(DamagedError, match=r"collected\.json"):
        open_corpus(corpus.folder)


def test_only_what_is_described_stays_in_the_workspace(corpus: Corpus) -> None:
    assert {path.name for path in corpus.folder.iterdir()} == {
        "sources.jsonl", "parts", "decisions.safetensors", "rejected.jsonl", "collected.json",
    }  # fmt: skip


def test_parts_of_earlier_work_do_not_stay(corpus: Corpus, tmp_path: Path) -> None:
    fewer = collect_texts(tmp_path, TEXTS[:3])
    assert len(list((corpus.folder / "parts").iterdir())) == fewer.num_parts < corpus.num_parts
    assert [document.text for document in documents(fewer)] == TEXTS[:3]


def test_the_ledger_comes_back_from_json(corpus: Corpus) -> None:
    told = json.loads(json.dumps(corpus.ledger.as_dict()))
    assert Ledger.from_dict(told) == corpus.ledger
    (source,) = told["sources"]
    assert {"name", "bytes", "sha256", "encoding", "document", "because", "notes"} <= set(source)


def test_fingerprints_of_inputs_tell_what_changed(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(TEXTS[0], encoding="utf-8")
    inputs = [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    before = fingerprint_inputs(inputs, CorpusConfig(), tmp_path / "w")
    assert list(before) == inputs
    assert before == fingerprint_inputs(inputs, CorpusConfig(), tmp_path / "w2")
    (tmp_path / "b.txt").write_text(TEXTS[0].upper(), encoding="utf-8")
    after = fingerprint_inputs(inputs, CorpusConfig(), tmp_path / "w")
    assert [name for name in before if before[name] != after[name]] == [inputs[1]]
    assert before[inputs[1]]["sha256"] != after[inputs[1]]["sha256"]


def test_copied_inputs_have_the_same_fingerprint_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sample.SAMPLES, "python-docs", lambda: iter([{"text": TEXTS[0]}]))
    first, second = (fingerprint_inputs(["sample:python-docs"], CorpusConfig(), tmp_path / name) for name in ("a", "b"))
    assert first == second
