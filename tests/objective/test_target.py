"""Sources and targets in rows: what an encoder-decoder and a decoder are shown and asked."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from osnowa.data import NOT_ASKED, RowSequence, Samples, TokenSplit
from osnowa.data.batch import Place
from osnowa.data.rows import Specials, write_rows
from osnowa.errors import SettingsError
from osnowa.model import ModelConfig, Transformer, initialise
from osnowa.objective import ObjectiveConfig, Target, Vocabulary, build_objective
from osnowa.objective.config import DENOISERS, SENTINELS, Topology

PAD, BEGIN, END, MASK, FIRST = 0, 1, 2, 3, 5
EXTRA = (*DENOISERS, *SENTINELS)
VOCAB_SIZE = FIRST + len(EXTRA) + 200
TEXT = FIRST + len(EXTRA)  # ids from here on are text
IDS = {name: FIRST + place for place, name in enumerate(EXTRA)}
NAMES = ("span-corruption", "prefix-lm", "ul2", "infilling", "translation")
BOTH: tuple[Topology, ...] = ("encoder-decoder", "decoder")


def objective(name: str, topology: Topology = "encoder-decoder", row_length: int = 64, **changes: object) -> Target:
    vocabulary = Vocabulary(
        VOCAB_SIZE, PAD, BEGIN, END, MASK, frozenset(range(TEXT)), np.zeros(VOCAB_SIZE, dtype=bool), IDS
    )
    config = ObjectiveConfig.read("objective", {"name": name, **changes})
    made = build_objective(config, vocabulary, seed=3, topology=topology, row_length=row_length)
    assert isinstance(made, Target)
    return made


def split(name: str, num_documents: int = 120, seed: int = 0) -> TokenSplit:
    """Documents of 1 to 90 tokens in sentences; for pairs exactly two sentences each."""
    random = np.random.default_rng(seed)
    lengths: list[int] = []
    documents = [0]
    for _ in range(num_documents):
        count = 2 if name == "translation" else int(random.integers(1, 9))
        lengths += random.integers(1, 11, count).tolist()
        documents.append(len(lengths))
    tokens = random.integers(TEXT, VOCAB_SIZE, sum(lengths)).astype(np.uint16)
    return TokenSplit(tokens, np.concatenate(([0], np.cumsum(lengths))), np.array(documents), len(tokens))


def sequence(task: Target, name: str) -> RowSequence:
    return RowSequence(split(name), task.shape, task.row_length, 3, cls=BEGIN, sep=END, pad=PAD, room=task.room)


def written_by_hand(*texts: tuple[int, int]) -> tuple[TokenSplit, Samples]:
    begin, stop = np.array(texts).T
    none = np.zeros(len(texts), dtype=np.int64)
    tokens = np.arange(TEXT, TEXT + 40, dtype=np.uint16)
    return (
        TokenSplit(tokens, np.array([0, 4, 8, 12, 40]), np.array([0, 2, 3, 4]), 0),
        Samples(begin, stop - begin, none, none, np.full(len(texts), NOT_ASKED)),
    )


def test_a_pair_is_read_by_the_encoder_and_said_by_the_decoder() -> None:
    task = objective("translation", row_length=8)
    store = TokenSplit(np.arange(TEXT, TEXT + 5, dtype=np.uint16), np.array([0, 2, 5]), np.array([0, 2]), 0)
    rows, _ = RowSequence(store, "couple", 8, 0, cls=BEGIN, sep=END, pad=PAD, room=task.room).take(Place(), 1)
    batch = task.batch(rows)
    assert batch.source is not None
    assert batch.source.tokens.tolist() == [[TEXT, TEXT + 1, END, 0, 0, 0, 0, 0]]
    assert batch.tokens.tolist() == [[BEGIN, TEXT + 2, TEXT + 3, TEXT + 4, 0, 0, 0, 0]]
    assert batch.selected.tolist() == [0, 1, 2, 3]
    assert batch.labels.tolist() == [TEXT + 2, TEXT + 3, TEXT + 4, END]
    assert batch.num_tokens == 7


def test_a_decoder_reads_the_source_whole_and_is_asked_for_the_target() -> None:
    task = objective("translation", "decoder", row_length=8)
    store = TokenSplit(np.arange(TEXT, TEXT + 4, dtype=np.uint16), np.array([0, 2, 4]), np.array([0, 2]), 0)
    rows, _ = RowSequence(store, "couple", 8, 0, cls=BEGIN, sep=END, pad=PAD, room=task.room).take(Place(), 1)
    batch = task.batch(rows)
    assert batch.source is None
    assert batch.tokens.tolist() == [[TEXT, TEXT + 1, END, BEGIN, TEXT + 2, TEXT + 3, 0, 0]]
    assert batch.layout.prefix is not None
    assert batch.layout.prefix.tolist() == [[True, True, True, True, False, False, False, False]]
    assert batch.selected.tolist() == [3, 4, 5]
    assert batch.labels.tolist() == [TEXT + 2, TEXT + 3, END]


def test_the_end_of_a_text_that_goes_on_is_asked_only_where_the_target_is_not_how_it_goes_on() -> None:
    store, samples = written_by_hand((0, 4), (4, 8))  # the two halves of the first document
    for name, asked in (("prefix-lm", [False, True]), ("infilling", [True, True]), ("span-corruption", [True, True])):
        task = objective(name, row_length=32)
        rows = write_rows(store, samples, np.array([1, 1]), 8, Specials(BEGIN, END, PAD), np.arange(2), 0)
        batch = task.batch(rows)
        row = batch.selected // batch.tokens.shape[1]
        assert [END in batch.labels[row == each].tolist() for each in range(2)] == asked, name


@pytest.mark.parametrize("topology", BOTH)
@pytest.mark.parametrize("name", NAMES)
def test_every_row_fits_and_every_text_is_shown_once(name: str, topology: Topology) -> None:
    task = objective(name, topology)
    rows = sequence(task, name)
    plan = rows.plan(0)
    asked, filled = 0, 0
    for first in range(0, len(plan), 8):
        batch = task.batch(rows.rows(0, np.arange(first, min(first + 8, len(plan)))))  # `Packed` asserts that all fits
        asked += len(batch.labels)
        filled += batch.num_tokens
        assert batch.tokens.shape[1] == (task.row_length if task.alone else task.target_length)
    account = plan.accounting()
    assert account.trained == split(name).num_tokens
    assert account.trained + account.special == filled, "the plan knows how much rows will hold"
    # a prefix and its continuation are together one text: two rows for them are half empty, whatever shares a row
    most = {"prefix-lm": 0.51, "ul2": 0.3}.get(name, 0.25) if topology == "encoder-decoder" else 0.25
    assert account.padded < most * len(plan) * (task.room.places if task.room else 0)
    assert 0 < asked <= filled


def test_a_full_row_of_span_corruption_has_no_place_left_over() -> None:
    task = objective("span-corruption", row_length=128)
    assert task.room is not None
    source, target, _ = task.lengths(
        Samples(*(np.array([value]) for value in (0, task.room.budget, 0, 0, NOT_ASKED))), 0
    )
    assert (int(source[0]), int(target[0])) == (128, task.target_length)
    assert objective("span-corruption", row_length=512).target_length == 114, "Raffel et al. 2020"


def test_seven_denoisers_are_drawn_alike_and_say_their_name() -> None:
    task = objective("ul2")
    drawn = np.bincount(task.kinds(np.arange(7000), 0), minlength=7)
    assert drawn.min() > 800
    assert not np.array_equal(task.kinds(np.arange(50), 0), task.kinds(np.arange(50), 1)), "anew in each epoch"
    rows, _ = sequence(task, "ul2").take(Place(), 8)
    names = {IDS[name] for name in DENOISERS}
    assert all(int(source[0]) in names for row in task.damaged(rows).rows() for source, _, _ in row)


def test_the_batch_is_a_function_of_the_place_alone() -> None:
    task = objective("ul2")
    rows = sequence(task, "ul2")
    together = task.batch(rows.rows(0, np.arange(6)))
    alone = [task.batch(rows.rows(0, np.arange(each, each + 1))) for each in range(6)]
    assert torch.equal(together.tokens, torch.cat([batch.tokens for batch in alone]))
    assert torch.equal(together.labels, torch.cat([batch.labels for batch in alone]))


PINNED: dict[tuple[str, Topology], str] = {
    ("span-corruption", "encoder-decoder"): "ed6ceb1fbbffbeff",
    ("span-corruption", "decoder"): "7ea111d813b42e52",
    ("prefix-lm", "encoder-decoder"): "16868dbcf6ede017",
    ("prefix-lm", "decoder"): "0e7d7d52102a986a",
    ("ul2", "encoder-decoder"): "589a00c592bb8f16",
    ("ul2", "decoder"): "9d0108a8461677ce",
    ("infilling", "encoder-decoder"): "96ab7422d9ed4655",
    ("infilling", "decoder"): "87a7589e27331cd5",
    ("translation", "encoder-decoder"): "971da45cf09427c7",
    ("translation", "decoder"): "efc490d0849697f1",
}


@pytest.mark.parametrize(("name", "topology"), PINNED)
def test_which_tokens_are_hidden_stays_as_it_was_when_texts_were_damaged_one_by_one(
    name: str, topology: Topology
) -> None:
    """SHA-256 of twelve batches of seven rows, over an epoch's end."""
    task, place, digest = objective(name, topology), Place(), hashlib.sha256()
    rows = sequence(task, name)
    for _ in range(12):
        taken, place = rows.take(place, 7)
        batch = task.batch(taken)
        found = [batch.tokens, batch.segments, batch.layout.positions, batch.layout.document_ids]
        found += [batch.selected, batch.labels, *([] if batch.layout.prefix is None else [batch.layout.prefix])]
        if batch.source is not None:
            found += [batch.source.tokens, batch.source.layout.positions, batch.source.layout.document_ids]
        for each in found:
            digest.update(each.contiguous().numpy().tobytes())
    assert digest.hexdigest()[:16] == PINNED[name, topology]


def test_a_row_that_needs_more_sentinels_than_there_are_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"data.row_length = 2048: needs 114 sentinels, there are 100"):
        objective("span-corruption", row_length=2048)


def test_an_encoder_learns_no_target() -> None:
    with pytest.raises(
        SettingsError, match=r"objective.name = infilling: is nothing that a model of kind encoder learns; use "
    ):
        objective("infilling", "encoder")


@pytest.mark.parametrize("topology", BOTH)
@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_model_learns_one_batch_by_heart(name: str, topology: Topology) -> None:
    task = objective(name, topology, row_length=32)
    rows, _ = sequence(task, name).take(Place(), 4)
    batch = task.batch(rows)
    layers = {"encoder_layers": 1 if topology == "encoder-decoder" else 0, "decoder_layers": 1}
    shape = {"vocab_size": VOCAB_SIZE, "d_model": 64, "d_ff": 128, "num_heads": 2, "max_positions": 64}
    model = Transformer(ModelConfig.read("model", {**shape, **layers, "norm_placement": "pre"}))
    initialise(model, 0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    loss = float("inf")
    for _ in range(150):
        mean = task.outcome(model, batch).token_loss / len(batch.labels)
        loss = float(mean.detach())
        if loss < 0.05:
            break
        optimiser.zero_grad()
        mean.backward()
        optimiser.step()
    assert loss < 0.05


@pytest.mark.parametrize("topology", BOTH)
def test_positions_begin_anew_with_every_text_of_a_row(topology: Topology) -> None:
    task = objective("infilling", topology)
    batch = task.batch(sequence(task, "infilling").take(Place(), 8)[0])
    layouts = [batch.layout, *([] if batch.source is None else [batch.source.layout])]
    for layout in layouts:
        assert int(layout.document_ids.max()) > 1, "rows hold several texts"
        for positions, documents in zip(layout.positions.tolist(), layout.document_ids.tolist(), strict=True):
            for number in set(documents) - {0}:
                inside = [at for at, document in zip(positions, documents, strict=True) if document == number]
                assert inside == list(range(len(inside)))
