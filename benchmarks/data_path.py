"""From tokens to training batches, and from text to tokens: osnowa beside the library's own way, asked in turn.

    python -m benchmarks.data_path [--rounds 5] [--quick] [--no-save]

Batches: 32 rows of 128 with 15 % masked. osnowa reads its token store and draws masks from counters; the peer is a
`datasets` table of rows of ids, a DataLoader and DataCollatorForLanguageModeling. Text: the sentences of the text
inside Python, as osnowa encodes them for its store, and as the `tokenizers` library encodes the same strings in one
batch on as many threads.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.measuring import Goal, Row, Seat, compare, measure, tell
from benchmarks.trainer import peer_rows
from benchmarks.works import MASKED, Work, workshop_of
from osnowa.corpus import CorpusConfig, collect
from osnowa.data import Place
from osnowa.runs.prepare import open_prepared, prepare_into
from osnowa.train.drawing import Batches

WORK = Work("bert-mini", 128, 32, {}, MASKED)
TINY = Work("bert-tiny", 32, 4, {}, MASKED, vocabulary=512)


def batches_ours(work: Work, data: Path, seat: Seat) -> None:
    workshop = workshop_of(work, "osnowa", data)
    torch.set_num_threads(1)
    drawn, place = Batches(workshop.objective(0), workshop.rows), Place()
    for amount in seat.amounts():
        began, tokens = time.perf_counter(), 0
        for _ in range(amount):
            batch, place = drawn.take(place, work.rows)
            tokens += batch.num_tokens
        seat.answer(done=tokens, seconds=time.perf_counter() - began)


def batches_peer(work: Work, data: Path, seat: Seat) -> None:
    from datasets import Dataset
    from torch.utils.data import DataLoader
    from transformers import AutoTokenizer, DataCollatorForLanguageModeling

    from osnowa.exchange import write_folder
    from osnowa.model import Transformer, initialise

    workshop = workshop_of(work, "datasets", data)
    with tempfile.TemporaryDirectory() as folder:
        model = Transformer(workshop.recipe.model)
        initialise(model, 0)
        write_folder(
            Path(folder), workshop.recipe.model, dict(model.named_parameters()), workshop.prepared.tokenizer, card=""
        )
        tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = [row["ids"].tolist() for row in peer_rows(workshop)]
    table = Dataset.from_dict({"input_ids": rows, "attention_mask": [[1] * work.length] * len(rows)})
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    torch.set_num_threads(1)
    loader = DataLoader(table, batch_size=work.rows, shuffle=True, collate_fn=collate)
    batches = iter(loader)
    for amount in seat.amounts():
        began, tokens = time.perf_counter(), 0
        for _ in range(amount):
            batch = next(batches, None)
            if batch is None:
                batches = iter(loader)
                batch = next(batches)
            tokens += int(batch["attention_mask"].sum())
        seat.answer(done=tokens, seconds=time.perf_counter() - began)


def sentences_of(data: Path) -> list[str]:
    return json.loads((data.parent / "sentences.json").read_text(encoding="utf-8"))


def text_ours(work: Work, data: Path, seat: Seat) -> None:
    tokenizer, texts = open_prepared(data).tokenizer, sentences_of(data)
    for amount in seat.amounts():
        began, size = time.perf_counter(), 0
        for _ in range(amount):
            tokenizer.encode_sentences(texts)
            size += sum(len(text) for text in texts)
        seat.answer(done=size, seconds=time.perf_counter() - began)


def text_peer(work: Work, data: Path, seat: Seat) -> None:
    from tokenizers import Tokenizer as Library

    library, texts = Library.from_file(str(data / "tokenizer.json")), sentences_of(data)
    for amount in seat.amounts():
        began, size = time.perf_counter(), 0
        for _ in range(amount):
            encoded = library.encode_batch_fast(texts, add_special_tokens=False)
            np.fromiter((id_ for each in encoded for id_ in each.ids), dtype=np.int64)
            size += sum(len(text) for text in texts)
        seat.answer(done=size, seconds=time.perf_counter() - began)


CONTENDERS = {
    "batches-osnowa": batches_ours,
    "batches-datasets": batches_peer,
    "text-osnowa": text_ours,
    "text-tokenizers": text_peer,
}
GOALS = {
    ("batches-osnowa", "batches-datasets"): Goal(20, 70),
    ("text-osnowa", "text-tokenizers"): Goal(0.95, 1.0),
}


def run(work: Work, folder: Path, rounds: int, amount: int, texts: int) -> list[Row]:
    data = folder / "data"
    prepare_into(["sample:python-docs"], data, work.recipe("osnowa"))
    corpus = collect(["sample:python-docs"], CorpusConfig(), folder / "corpus", num_workers=1)
    pieces = [piece for part in range(corpus.num_parts) for each in corpus.documents(part) for piece in each.pieces]
    (folder / "sentences.json").write_text(json.dumps(pieces[:texts]), encoding="utf-8")
    rows: dict[str, Row] = {}
    for kind, unit, many in (("batches", "tokens/s", amount), ("text", "characters/s", 1)):
        names = [name for name in CONTENDERS if name.startswith(kind)]
        tiny = "tiny" if work is TINY else "usual"
        command = (sys.executable, "-m", "benchmarks.data_path", "--contender", tiny, str(data))
        rows |= measure(command, kind, names, amount=many, rounds=rounds, unit=unit)
    compare(rows, GOALS)
    return list(rows.values())


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--quick", action="store_true", help="three rounds")
    words.add_argument("--tiny", action="store_true", help="seconds on any machine: whether it runs at all")
    words.add_argument("--no-save", action="store_true", help="leave benchmarks/results as it is")
    words.add_argument("--contender", nargs=3, help=argparse.SUPPRESS)
    chosen = words.parse_args()
    if chosen.contender:
        size, data, contender = chosen.contender
        CONTENDERS[contender](TINY if size == "tiny" else WORK, Path(data), Seat())
        return
    rounds = 3 if chosen.quick else chosen.rounds
    with tempfile.TemporaryDirectory() as folder:
        sizes = (TINY, Path(folder), 1, 3, 500) if chosen.tiny else (WORK, Path(folder), rounds, 500, 20_000)
        rows = run(*sizes)
    tell("data_path", rows, save=not chosen.no_save)


if __name__ == "__main__":
    main()
