"""Rows shown before training say what goes in and what must come out, for each objective."""

from __future__ import annotations

import functools
from typing import cast

import numpy as np
import pytest

from osnowa.data import NOT_ASKED, Rows, Samples, TokenSplit
from osnowa.data.plan import IS_NEXT, NOT_NEXT
from osnowa.data.rows import Specials, write_rows
from osnowa.objective import ObjectiveConfig, Topology, build_objective
from osnowa.objective.config import EXTRA_SPECIALS, ObjectiveName
from osnowa.runs.rows import vocabulary_of
from osnowa.runs.show_rows import HiddenText, NextText, ShownRow, TargetText, decode_rows
from osnowa.tokenizer import Tokenizer, TokenizerConfig, train
from texts import documents

TEXT = "babcia czyta długą książkę w ogrodzie"


@functools.cache
def tokenizer(extra: tuple[str, ...] = ()) -> Tokenizer:
    """Whole words are tokens: the text repeats them often enough."""
    config = TokenizerConfig(vocab_size=2000 + len(extra), extra_specials=extra, lowercase=True)
    return train([*documents(), *[TEXT] * 50], config)


def rows_of(
    name: ObjectiveName,
    texts: list[tuple[str, str]],
    *,
    topology: Topology = "encoder",
    goes_on: bool = False,
    label: int = NOT_ASKED,
    **changes: object,
) -> list[ShownRow]:
    """One row with these texts (A, B): each a document, or the beginning of one."""
    made = tokenizer(EXTRA_SPECIALS.get(name, ()))
    sides = [[made.encode(side) for side in text] for text in texts]
    tokens = [token for a, b in sides for token in (*a, *b)] + made.encode("w")
    lengths = np.array([[len(a), len(b)] for a, b in sides])
    starts = np.concatenate(([0], np.cumsum(lengths.sum(axis=1))))
    sentences = np.concatenate((starts, [len(tokens)]))
    documents = np.array([0, len(texts) + 1]) if goes_on else np.arange(len(sentences))
    split = TokenSplit(np.array(tokens, dtype=np.uint16), sentences, documents, 0)
    samples = Samples(
        starts[:-1], lengths[:, 0], starts[:-1] + lengths[:, 0], lengths[:, 1], np.full(len(texts), label)
    )
    specials = Specials(made.cls, made.sep, made.pad)
    rows: Rows = write_rows(split, samples, np.array([len(texts)]), 32, specials, np.arange(1), 0)
    config = ObjectiveConfig.read("objective", {"name": name, **changes})
    objective = build_objective(config, vocabulary_of(made), seed=0, topology=topology, row_length=32)
    return decode_rows(rows, objective, made)


def test_hidden_tokens_are_shown_with_what_stood_there() -> None:
    (row,) = rows_of("masked", [(TEXT, "")], mask_share=0.5)
    (text,) = row.texts
    assert isinstance(text, HiddenText)
    words = ["[CLS]", *TEXT.split(), "[SEP]"]
    assert len(text.asked) == 3
    for each in text.asked:
        assert each.truth == words[each.place]
        assert each.how in ("masked", "random", "unchanged")
    shown = list(words)
    for each in text.asked:
        shown[each.place] = each.shown
    assert text.shown.replace(" ", "") == "".join(shown).replace("##", "")
    assert "[MASK]" in text.shown
    assert text.pair is None


def test_random_and_unchanged_replacements_are_told_apart() -> None:
    (row,) = rows_of("masked", [(TEXT, ""), (TEXT, ""), (TEXT, ""), (TEXT[:22], "")], mask_share=0.9)
    found = [each for text in row.texts for each in cast(HiddenText, text).asked]
    assert len(found) > 15
    for each in found:
        assert (each.how == "masked") is (each.shown == "[MASK]")
        assert (each.how == "unchanged") is (each.shown == each.truth)
    assert {each.how for each in found} == {"masked", "random", "unchanged"}


@pytest.mark.parametrize(
    ("name", "label", "pair"),
    [
        ("masked-next-sentence", IS_NEXT, "B follows A"),
        ("masked-next-sentence", NOT_NEXT, "B is from elsewhere"),
        ("sentence-order", IS_NEXT, "in order"),
        ("sentence-order", NOT_NEXT, "exchanged"),
        ("masked-next-sentence", NOT_ASKED, None),
    ],
)
def test_a_pair_says_what_is_true_of_it(name: ObjectiveName, label: int, pair: str | None) -> None:
    (row,) = rows_of(name, [("babcia czyta", "w ogrodzie")], label=label)
    (text,) = row.texts
    assert isinstance(text, HiddenText)
    assert text.pair == pair
    assert text.shown.split().count("[SEP]") == 2


def test_each_token_is_shown_with_the_next() -> None:
    (row,) = rows_of("next-token", [("babcia czyta książkę", ""), ("w ogrodzie", "")], topology="decoder")
    first, second = row.texts
    assert isinstance(first, NextText)
    assert isinstance(second, NextText)
    assert first.text.split() == ["[CLS]", "babcia", "czyta", "książkę", "[SEP]"]
    assert first.pairs == (("[CLS]", "babcia"), ("babcia", "czyta"), ("czyta", "książkę"), ("książkę", "[SEP]"))
    assert first.not_asked == ((4, "[SEP]", "nothing comes after it"),)
    assert second.pairs == (("[CLS]", "w"), ("w", "ogrodzie"), ("ogrodzie", "[SEP]"))
    assert second.num_asked == 3


def test_the_end_of_a_text_that_goes_on_is_not_asked() -> None:
    (row,) = rows_of("next-token", [("babcia czyta", "")], topology="decoder", goes_on=True)
    (text,) = row.texts
    assert isinstance(text, NextText)
    assert text.pairs == (("[CLS]", "babcia"), ("babcia", "czyta"))
    assert text.not_asked == ((2, "czyta", "the text goes on elsewhere"), (3, "[SEP]", "nothing comes after it"))


def test_only_the_first_twenty_pairs_are_shown_and_all_are_counted() -> None:
    (row,) = rows_of("next-token", [(" ".join([TEXT] * 4), "")], topology="decoder")
    (text,) = row.texts
    assert isinstance(text, NextText)
    assert (len(text.pairs), text.num_asked) == (20, 25)


@pytest.mark.parametrize("topology", ["decoder", "encoder-decoder"])
def test_missing_spans_are_shown_with_their_sentinels(topology: Topology) -> None:
    (row,) = rows_of("span-corruption", [(TEXT, "")], topology=topology)
    (text,) = row.texts
    assert isinstance(text, TargetText)
    source, target = text.source.split(), text.target.split()
    assert (source.count("<extra_id_0>"), source[-1]) == (1, "[SEP]")
    assert (target[0], target[-1], len(target)) == ("<extra_id_0>", "[SEP]", 3)
    place = source.index("<extra_id_0>")
    assert source[:place] + target[1:-1] + source[place + 1 : -1] == TEXT.split()
    assert text.begin == "[CLS]"


def test_a_damaged_text_is_shown_with_the_whole_one() -> None:
    (row,) = rows_of("infilling", [(TEXT, "")], topology="encoder-decoder", mask_share=0.3)
    (text,) = row.texts
    assert isinstance(text, TargetText)
    assert text.source.split().count("[MASK]") == 1
    assert text.target.split() == [*TEXT.split(), "[SEP]"]


def test_a_mixture_shows_the_denoiser_s_name() -> None:
    (row,) = rows_of("ul2", [(TEXT, "")], topology="encoder-decoder")
    (text,) = row.texts
    assert isinstance(text, TargetText)
    assert text.source.split()[0] in ("[NLU]", "[NLG]", "[S2S]")


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_continuation_is_shown_and_whether_its_end_is_asked(goes_on: bool) -> None:
    (row,) = rows_of("prefix-lm", [(TEXT, "")], topology="encoder-decoder", goes_on=goes_on)
    (text,) = row.texts
    assert isinstance(text, TargetText)
    assert text.source.split()[:-1] + text.target.split()[:-1] == TEXT.split()
    assert text.end_asked is not goes_on


def test_both_sides_of_a_pair_are_shown() -> None:
    (row,) = rows_of("translation", [("babcia czyta", "w ogrodzie"), ("książkę", "w")], topology="encoder-decoder")
    assert [(text.source, text.target) for text in row.texts if isinstance(text, TargetText)] == [
        ("babcia czyta [SEP]", "w ogrodzie [SEP]"),
        ("książkę [SEP]", "w [SEP]"),
    ]
    assert row.as_dict()["texts"][0] == {
        "source": "babcia czyta [SEP]",
        "target": "w ogrodzie [SEP]",
        "begin": "[CLS]",
        "end_asked": True,
    }
