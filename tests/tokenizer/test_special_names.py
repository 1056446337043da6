"""Names in angle brackets, sentinels, and the frames of pairs, prompts and sources: the same promises in every kind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from osnowa.errors import SettingsError
from osnowa.tokenizer import Tokenizer, TokenizerConfig, fertility, special_tokens_map, tokenizer_config, train

ANGLES = ["<pad>", "<s>", "</s>", "<mask>", "<unk>"]
SPELLED = ["<s>", "a </s> b", "<mask>", "x<extra_id_0>y", "<extra_id_99>", "[NLU] i [S2S]", "<pad><unk>", " <s> "]


def test_the_five_and_the_further_special_tokens_have_their_ids(framed: Tokenizer) -> None:
    assert framed.tokens[:5] == ANGLES
    assert framed.tokens[5:8] == ["<extra_id_0>", "<extra_id_1>", "<extra_id_2>"]
    assert framed.tokens[104:108] == ["<extra_id_99>", "[NLU]", "[NLG]", "[S2S]"]
    assert (framed.pad, framed.cls, framed.sep, framed.mask, framed.unk) == (0, 1, 2, 3, 4)
    assert (framed.bos, framed.eos) == (1, 2)
    assert framed.special_ids == set(range(108))
    assert len(set(framed.tokens)) == framed.vocab_size
    framed.require(["bos", "eos", "mask", "<extra_id_99>", "[S2S]"])


def test_the_frame_is_read_from_the_file(angled: dict[tuple[str, str], Tokenizer], tokenizer: Tokenizer) -> None:
    for (kind, frame), each in angled.items():
        assert each.frame == frame
        assert each.kind == kind
        assert Tokenizer.from_bytes(each.to_bytes(), "again").frame == frame
    assert tokenizer.frame == "pair"


@pytest.mark.parametrize("specials", ["brackets", "angles"])
@pytest.mark.parametrize(
    ("frame", "single", "pair"),
    [("pair", "cAs", "cAsBs"), ("prompt", "cA", "cAcB"), ("source", "As", "AsBs")],
)
def test_each_frame_stands_around_one_text_and_two(
    specials: Any, frame: Any, single: str, pair: str, documents: list[str]
) -> None:
    from tokenizers import Tokenizer as Engine

    for kind in ("wordpiece", "bpe", "unigram"):
        config = TokenizerConfig(kind=kind, vocab_size=400, specials=specials, frame=frame)  # type: ignore[arg-type]
        trained = train(documents, config)
        engine = Engine.from_str(trained.to_bytes().decode())
        first, second = trained.encode("Babcia"), trained.encode("ryba")
        parts = {"A": first, "B": second, "c": [trained.cls], "s": [trained.sep]}
        assert engine.encode("Babcia").ids == [index for part in single for index in parts[part]]
        both = engine.encode("Babcia", "ryba")
        assert both.ids == [index for part in pair for index in parts[part]]
        assert both.type_ids[-len(second) - (pair[-1] == "s") :] == [1] * (len(second) + (pair[-1] == "s"))
        assert both.type_ids[: len(first)] == [0] * len(first)


def test_names_written_in_data_are_text(framed: Tokenizer) -> None:
    for text in SPELLED:
        ids = framed.encode(text)
        assert not set(ids) & framed.special_ids, text
        assert "".join(framed.decode(ids).split()) == "".join(text.split())
        joined, lengths = framed.encode_sentences([text])
        assert (joined.tolist(), lengths.tolist()) == (ids, [len(ids)])


def test_names_written_in_a_prompt_are_orders(framed: Tokenizer) -> None:
    ids = framed.encode_prompt("<s> kot <extra_id_3> <mask></s>[NLG]")
    assert [index for index in ids if index in framed.special_ids] == [1, 8, 3, 2, 106]


def test_a_sentinel_takes_the_space_before_it_as_in_training(framed: Tokenizer) -> None:
    """Where it stands for " czyta", the sentence without that word and with the sentinel is what training shows."""
    whole = framed.encode("Babcia czyta książkę.")
    start, stop = len(framed.encode("Babcia")), len(framed.encode("Babcia czyta"))
    assert framed.encode_prompt("Babcia <extra_id_0> książkę.") == [*whole[:start], 5, *whole[stop:]]


@pytest.mark.parametrize("text", ["zażółć gęślą jaźń", "ZAŻÓŁĆ GĘŚLĄ JAŹŃ", "Pchnąć w tę łódź jeża!"])
def test_polish_letters_survive_a_round_trip(framed: Tokenizer, text: str) -> None:
    assert framed.decode(framed.encode(text)) == text
    assert framed.unk not in framed.encode(text)


def test_unknown_words_are_the_unknown_by_its_new_name(angled: dict[tuple[str, str], Tokenizer]) -> None:
    for (kind, _), each in angled.items():
        assert each.encode("Ala ☃ kota").count(4) == (0 if kind == "bpe" else 1)
        row = fertility(each, [("pl", "Babcia ☃")]).rows["pl"]
        assert (row.unknown_share > 0) == (kind != "bpe")
        assert row.tokens == len(each.encode("Babcia ☃"))


def test_special_tokens_hold_no_bytes_and_continue_no_word(framed: Tokenizer) -> None:
    assert not framed.num_bytes[:108].any()
    assert not framed.continues_word[:108].any()
    text = "Żółw pływa (powoli), prawda?"
    spaces = {"wordpiece": -3, "bpe": 0, "unigram": 1}[framed.kind]
    assert framed.num_bytes[framed.encode(text)].sum() == len(text.encode()) + spaces
    ids = framed.encode("Babcia naprawia źdźbłowatościom zegar")
    assert 1 + int((~framed.continues_word[ids[1:]]).sum()) == 4


# --- companions -----------------------------------------------------------------------------------------------------


def test_companions_name_begin_and_end_as_their_readers_do(angled: dict[tuple[str, str], Tokenizer]) -> None:
    others = {"pad_token": "<pad>", "mask_token": "<mask>", "unk_token": "<unk>"}
    begin_end = {"bos_token": "<s>", "eos_token": "</s>"}
    for (_, frame), each in angled.items():
        found = special_tokens_map(each)
        assert found.pop("additional_special_tokens") == each.tokens[5:108]
        assert found == others | begin_end | ({"cls_token": "<s>", "sep_token": "</s>"} if frame == "pair" else {})
        companion = tokenizer_config(each, max_length=64, segments=False)
        assert companion["padding_side"] == ("left" if frame == "prompt" else "right")
        assert companion["model_input_names"] == ["input_ids", "attention_mask"]


def test_companions_of_brackets_name_no_begin_and_no_end(tokenizer: Tokenizer) -> None:
    assert special_tokens_map(tokenizer) == {
        f"{role}_token": name
        for role, name in zip(("pad", "cls", "sep", "mask", "unk"), tokenizer.tokens[:5], strict=True)
    }
    json.dumps(tokenizer_config(tokenizer, max_length=64, segments=True))


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_name_of_the_other_style_is_no_further_special_token() -> None:
    with pytest.raises(SettingsError, match=r"'\[MASK\]': is another name of one that is there"):
        TokenizerConfig.read("tokenizer", {"specials": "angles", "extra_specials": ("[MASK]",)})
    with pytest.raises(SettingsError, match="'<mask>': is there already"):
        TokenizerConfig.read("tokenizer", {"specials": "angles", "extra_specials": ("<mask>",)})


def test_many_missing_special_tokens_are_named_in_short(tokenizer: Tokenizer) -> None:
    with pytest.raises(SettingsError, match=r"no special token <extra_id_0>, .*<extra_id_5> and 94 more; add it"):
        tokenizer.require([f"<extra_id_{number}>" for number in range(100)])
