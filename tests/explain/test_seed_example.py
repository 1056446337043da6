"""The walk of the text: its tables digit by digit out of the model itself, and what is said where the text errs."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from osnowa.explain import seed_text
from osnowa.explain.seed_example import seed_model, seed_walk, vocabulary
from osnowa.generate import fill, next_sentence
from osnowa.model import Layout


def as_printed(values: NDArray[np.float32], printed: list[list[str]]) -> None:
    """Each number, rounded to the digits that the text prints, is the text's, and nothing was cut off."""
    assert values.shape == (len(printed), 4)
    for row, texts in zip(values.tolist(), printed, strict=True):
        for value, text in zip(row, texts, strict=True):
            digits = -int(Decimal(text).as_tuple().exponent)
            assert f"{value:.{digits}f}" == text
            assert abs(value - float(text)) < 1e-6


def embedded() -> NDArray[np.float32]:
    """The sum of the three vectors as the model makes it [13, 4]."""
    walk, seen = seed_walk(), []
    walk.model.encoder.embedded.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    tokens = torch.tensor([walk.tokens])
    walk.model.encode(tokens, Layout.plain(tokens), torch.tensor([walk.segments]))
    return np.asarray(seen[0][0])


def test_the_thirteen_rows_of_the_pair_come_out_of_the_model_as_the_text_prints_them() -> None:
    table = seed_walk().chapter.block["tables"][1]
    assert (table["key"], len(table["rows"])) == ("pair", 13)
    as_printed(embedded(), table["printed"])


def test_the_four_rows_of_the_first_table_are_those_of_the_text() -> None:
    chapter = seed_walk().chapter
    table = chapter.block["tables"][0]
    assert (table["key"], len(table["rows"]), table["segment"]) == ("first", 4, None)
    as_printed(chapter.tensors[table["sum"]], table["printed"])
    assert np.array_equal(
        chapter.tensors[table["sum"]], chapter.tensors[table["token"]] + chapter.tensors[table["position"]]
    )
    assert {
        "op": "add",
        "out": table["sum"],
        "in": [table["token"], table["position"]],
        "attrs": {},
        "part": "seed",
    } in (chapter.steps)


def test_the_tokenizer_gives_the_ids_of_the_text() -> None:
    walk = seed_walk()
    first, second = walk.tokenizer.encode(walk.text), walk.tokenizer.encode(walk.second)
    assert first == [201, 315, 489, 522, 3]
    assert second == [601, 602, 603, 604, 3]
    assert (1, *first, 2, *second, 2) == walk.tokens
    assert walk.segments == (0,) * 7 + (1,) * 6
    assert (walk.tokenizer.cls, walk.tokenizer.sep, walk.tokenizer.mask) == (1, 2, 4)
    assert len(vocabulary()) == walk.model.config.vocab_size == 609


def test_the_model_answers_both_questions_of_the_text() -> None:
    walk = seed_walk()
    assert 0 < next_sentence(walk.model, walk.tokenizer, walk.text, walk.second).probability < 1
    (guesses,) = fill(walk.model, walk.tokenizer, "Natura [MASK] najpiękniejsze obrazy.", 3).masks
    assert not any(guess.token.startswith("[unused") for guess in guesses)


def test_the_toy_is_the_same_each_time_and_not_flat() -> None:
    one, other = seed_model(), seed_model()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    walk, seen = seed_walk(), []
    walk.model.encoder.blocks[0].attention.weights.register_forward_hook(lambda _m, _i, output: seen.append(output))
    tokens = torch.tensor([walk.tokens])
    walk.model.encode(tokens, Layout.plain(tokens), torch.tensor([walk.segments]))
    assert float(seen[0].max()) > 1.5 / 13  # heads differ from the mean, or there is nothing to see


def test_the_softmax_is_the_right_one_and_the_reason_explains_the_text_s_figures() -> None:
    chapter = seed_walk().chapter
    example = chapter.block["softmax"]
    values = chapter.tensors[example["p"]]
    assert [f"{value:.3f}" for value in values] == ["0.578", "0.017", "0.078", "0.039", "0.287"]
    assert float(values.sum()) == pytest.approx(1, abs=1e-6)
    assert chapter.steps[-1]["op"] == "softmax"
    assert example["text_says"] == ["0.607", "0.018", "0.082", "0.041", "0.301"]
    powers = np.exp(np.array(example["logits"]))
    total = float(powers.sum())
    assert f"{total:.4f}" == "21.0675"
    assert [f"{power / (total - 1):.3f}" for power in powers] == example["text_says"]  # the lost 1
    for language in ("pl", "en"):
        why = example["why"][language]
        assert all(f"{power:.4f}" in why for power in powers)
        assert f"{total:.4f}" in why
        assert f"{total - 1:.4f}" in why


def test_the_division_and_what_else_the_page_tells() -> None:
    block = seed_walk().chapter.block
    division = block["division"]
    assert division["d_head"] == division["d_model"] // division["heads"] == seed_text.D_HEAD == 96
    assert "64" in division["why"]["pl"]
    keys = [each["key"] for each in block["remarks"]]
    assert len(keys) == len(set(keys))
    assert {"sqrt", "softmax", "norm", "decoder", "drawn", "mask_id"} <= set(keys)
    for each in [*block["remarks"], block["softmax"]["why"]]:
        assert each["pl"].endswith(".")
        assert each["en"].endswith(".")
        assert each["pl"] != each["en"]
