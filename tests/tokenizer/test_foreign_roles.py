"""Files of other tools, in the forms in which well-known models come: each special token gets the right role."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as Engine

from osnowa.errors import DamagedError, DataError, SettingsError
from osnowa.tokenizer import MAP_FILE, Tokenizer, special_tokens_map, tokenizer_config

LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
ENDOFTEXT = "<|endoftext|>"


def byte_level(specials: list[str], *, ordinary: tuple[str, ...] = ()) -> Engine:
    """Letters of bytes alone, then the special tokens."""
    entries = [*LETTERS, *ordinary]
    engine = Engine(models.BPE({letter: index for index, letter in enumerate(entries)}, []))
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    engine.post_processor = processors.ByteLevel(trim_offsets=False)
    engine.decoder = decoders.ByteLevel()
    engine.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in specials])
    return engine


def in_folder(folder: Path, engine: Engine, **companions: dict[str, Any]) -> Tokenizer:
    (folder / "tokenizer.json").write_text(engine.to_str())
    for name, content in companions.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return Tokenizer.from_file(folder)


def names(tokenizer: Tokenizer) -> dict[str, str]:
    return {role: tokenizer.token(index) for role, index in tokenizer.specials.items()}


def template(engine: Engine, single: str, *used: str) -> Engine:
    special = [(name, engine.token_to_id(name)) for name in used]
    frame = processors.TemplateProcessing(single=single, pair=f"{single} $B:1", special_tokens=special)
    engine.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), frame])
    return engine


# --- by content -----------------------------------------------------------------------------------------------------


def test_one_token_may_begin_end_and_pad() -> None:
    """As in GPT-2, whose file adds nothing around a text and whose bytes need no unknown."""
    foreign = Tokenizer.from_bytes(byte_level([ENDOFTEXT]).to_str().encode(), "x.json")
    assert foreign.frame == "bare"
    assert names(foreign) == {"pad": ENDOFTEXT, "cls": ENDOFTEXT, "sep": ENDOFTEXT}
    assert foreign.bos == foreign.eos == foreign.pad == 256
    assert foreign.special_ids == {256}
    foreign.require(["pad", "bos", "eos"])
    with pytest.raises(SettingsError, match=r"has no special token \[MASK\] or <mask>"):
        foreign.require(["pad", "cls", "mask"])
    assert foreign.encode_prompt(f"a{ENDOFTEXT}")[-1] == 256
    assert 256 not in foreign.encode(f"a{ENDOFTEXT}")
    assert special_tokens_map(foreign) == dict.fromkeys(("pad_token", "bos_token", "eos_token"), ENDOFTEXT)
    assert tokenizer_config(foreign, max_length=9, segments=False)["padding_side"] == "left"


def test_an_empty_name_of_the_unknown_means_that_there_is_none() -> None:
    parsed = json.loads(byte_level([ENDOFTEXT]).to_str())
    parsed["model"]["unk_token"] = ""
    assert "unk" not in Tokenizer.from_bytes(json.dumps(parsed).encode(), "x.json").specials


def test_begin_of_text_and_end_of_text_are_begin_and_end() -> None:
    """As in LLaMA 3, whose template begins a text and does not end it."""
    engine = byte_level(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"])
    foreign = Tokenizer.from_bytes(
        template(engine, "<|begin_of_text|> $A", "<|begin_of_text|>").to_str().encode(), "x.json"
    )
    assert foreign.frame == "prompt"
    assert names(foreign) == {"cls": "<|begin_of_text|>", "sep": "<|end_of_text|>"}
    assert foreign.special_ids == {256, 257, 258}
    with pytest.raises(SettingsError, match=r"has no special token \[PAD\] or <pad>"):
        _ = foreign.pad


def spaced(specials: list[str], letters: str, *, ordinary: tuple[str, ...] = ()) -> Engine:
    """Characters with "▁" for a space, and bytes for what has no entry: BPE as sentencepiece trains it."""
    entries = [*specials, *(f"<0x{byte:02X}>" for byte in range(256)), *ordinary, "▁", *letters]
    vocabulary = {entry: index for index, entry in enumerate(entries)}
    engine = Engine(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    engine.normalizer = normalizers.Replace(" ", "▁")
    engine.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in specials])
    return engine


def test_what_is_marked_as_special_goes_before_what_only_has_the_name() -> None:
    """As in Gemma, whose vocabulary has the HTML tags <s> and </s> beside <bos> and <eos>."""
    engine = spaced(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"], "kot", ordinary=("<s>", "</s>"))
    engine.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[("<bos>", 2)]
    )
    foreign = Tokenizer.from_bytes(engine.to_str().encode(), "x.json")
    assert (foreign.frame, foreign.kind) == ("prompt", "bpe")
    assert (foreign.pad, foreign.eos, foreign.bos, foreign.unk, foreign.mask) == (0, 1, 2, 3, 4)
    without_template = spaced(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"], "kot", ordinary=("<s>", "</s>"))
    assert Tokenizer.from_bytes(without_template.to_str().encode(), "x.json").bos == 2


def test_bytes_are_counted_where_spaces_are_marked_and_rare_characters_spelled() -> None:
    foreign = Tokenizer.from_bytes(spaced(["<unk>", "<s>", "</s>"], "kotżół").to_str().encode(), "x.json")
    text = "kot żółw"
    assert foreign.num_bytes[foreign.encode(text)].sum() == len(text.encode())
    assert [foreign.token(index) for index in foreign.encode("ź")] == ["<0xC5>", "<0xBA>"]
    goes_on = {token: bool(foreign.continues_word[index]) for index, token in enumerate(foreign.tokens)}
    assert goes_on["k"]
    assert goes_on["<0xC5>"]
    assert not goes_on["▁"]
    assert not goes_on["<0x0A>"]


def test_a_mark_at_the_end_of_words_is_no_text() -> None:
    """As in GPT-1."""
    model = models.BPE({"k": 0, "t</w>": 1, "<unk>": 2}, [], unk_token="<unk>", end_of_word_suffix="</w>")
    engine = Engine(model)
    engine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    assert Tokenizer.from_bytes(engine.to_str().encode(), "x.json").num_bytes.tolist() == [1, 1, 0]


def test_an_end_without_a_begin_is_the_frame_of_a_source() -> None:
    """As in T5: <pad> </s> <unk> and sentinels behind the pieces, no begin."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("a", -2.0)]
    pieces += [(letter, -4.0) for letter in "<>/sextra_id0"]
    engine = Engine(models.Unigram(list(dict(pieces).items()), 2, False))
    engine.pre_tokenizer = pre_tokenizers.Metaspace()
    engine.add_special_tokens(["<pad>", "</s>", "<unk>", "<extra_id_0>", "<extra_id_1>"])
    engine.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    foreign = Tokenizer.from_bytes(engine.to_str().encode(), "x.json")
    assert foreign.frame == "source"
    assert (foreign.pad, foreign.eos, foreign.unk) == (0, 1, 2)
    foreign.require(["pad", "eos", "<extra_id_1>"])
    with pytest.raises(SettingsError, match=r"has no special token \[CLS\] or <s>"):
        foreign.require(["bos", "eos"])
    assert not foreign.special_ids & set(foreign.encode("a <extra_id_0> </s>"))
    assert special_tokens_map(foreign)["additional_special_tokens"] == ["<extra_id_0>", "<extra_id_1>"]


def test_a_pair_frame_of_another_class_is_read() -> None:
    """As in RoBERTa and BART: <s> A </s></s> B </s>."""
    engine = byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    engine.post_processor = processors.RobertaProcessing(("</s>", 258), ("<s>", 256))
    foreign = Tokenizer.from_bytes(engine.to_str().encode(), "x.json")
    assert foreign.frame == "pair"
    assert (foreign.cls, foreign.pad, foreign.sep, foreign.unk, foreign.mask) == (256, 257, 258, 259, 260)
    roles = special_tokens_map(foreign)
    assert (roles["bos_token"], roles["cls_token"]) == ("<s>", "<s>")


def test_the_token_of_a_template_needs_no_usual_name() -> None:
    engine = template(
        byte_level(["<|początek|>", "<|koniec|>"]), "<|początek|> $A <|koniec|>", "<|początek|>", "<|koniec|>"
    )
    foreign = Tokenizer.from_bytes(engine.to_str().encode(), "x.json")
    assert names(foreign) == {"cls": "<|początek|>", "sep": "<|koniec|>"}


# --- by what lies beside --------------------------------------------------------------------------------------------

MARKS = ["<|im_start|>", "<|im_end|>", ENDOFTEXT, "<|wypełnienie|>"]


def test_files_beside_it_go_before_names(tmp_path: Path) -> None:
    companion = {"bos_token": None, "eos_token": {"content": "<|im_end|>", "lstrip": False}, "unk_token": ENDOFTEXT}
    foreign = in_folder(
        tmp_path, byte_level(MARKS), tokenizer_config=companion, special_tokens_map={"pad_token": "<|wypełnienie|>"}
    )
    assert names(foreign) == {"pad": "<|wypełnienie|>", "cls": ENDOFTEXT, "sep": "<|im_end|>"}
    assert foreign.notes == ()


def test_ids_of_the_model_fill_what_names_leave_open(tmp_path: Path) -> None:
    engine = byte_level(["<|a|>", "<|b|>", "<|c|>"])
    foreign = in_folder(
        tmp_path,
        engine,
        config={"bos_token_id": 256, "eos_token_id": 257, "vocab_size": 259},
        generation_config={"eos_token_id": [258, 257], "pad_token_id": 258},
    )
    assert names(foreign) == {"pad": "<|c|>", "cls": "<|a|>", "sep": "<|b|>"}
    named = in_folder(tmp_path, byte_level(["<s>", "</s>"]), config={"bos_token_id": 0, "eos_token_id": 1})
    assert names(named)["cls"] == "<s>"  # old conversions have wrong ids in config.json


def test_a_name_that_is_no_entry_is_said_and_not_used(tmp_path: Path) -> None:
    foreign = in_folder(
        tmp_path, byte_level([ENDOFTEXT]), tokenizer_config={"pad_token": "<nie ma>"}, config={"bos_token_id": 99_999}
    )
    assert foreign.pad == 256
    assert foreign.notes == (
        "pad_token = '<nie ma>' is no entry of the tokenizer and means nothing here",
        "bos_token_id = 99999 is no entry of the tokenizer and means nothing here",
    )


def test_only_the_known_keys_are_read(tmp_path: Path) -> None:
    companion = {"auto_map": {"AutoTokenizer": ["evil.py", None]}, "chat_template": "{{ x }}", "tokenizer_class": "X"}
    foreign = in_folder(tmp_path, byte_level([ENDOFTEXT]), tokenizer_config=companion)
    assert foreign.given == {}


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        (
            "tokenizer_config",
            '{"eos_token": 7}',
            DataError,
            r"tokenizer_config.json: eos_token: is 7, which is no token",
        ),
        ("special_tokens_map", '{"eos_token": ["a"]}', DataError, "which is no token"),
        ("config", '{"eos_token_id": "2"}', DataError, r"config.json: eos_token_id: is '2', which is no id"),
        ("config", '{"eos_token_id": true}', DataError, "which is no id"),
        ("config", "[]", DataError, "is JSON but holds no settings"),
        ("config", '{"eos', DamagedError, "is not readable JSON"),
    ],
)
def test_a_broken_file_beside_it_is_named(tmp_path: Path, name: str, content: str, error: Any, message: str) -> None:
    (tmp_path / f"{name}.json").write_text(content)
    with pytest.raises(error, match=message):
        in_folder(tmp_path, byte_level([ENDOFTEXT]))


def test_an_ordinary_word_is_no_special_token_whatever_lies_beside(tmp_path: Path) -> None:
    engine = byte_level([ENDOFTEXT])
    with pytest.raises(SettingsError, match="reads the text 'a' in the data as the special token"):
        in_folder(tmp_path, engine, tokenizer_config={"eos_token": "a"})


def test_roles_from_beside_travel_and_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    plain = Tokenizer.from_bytes(byte_level(MARKS).to_str().encode(), "x.json")
    foreign = in_folder(tmp_path, byte_level(MARKS), tokenizer_config={"eos_token": "<|im_end|>"})
    assert foreign.to_bytes() == plain.to_bytes()
    assert foreign.fingerprint != plain.fingerprint
    assert foreign.roles_from_beside
    assert not plain.roles_from_beside
    again = pickle.loads(pickle.dumps(foreign))  # noqa: S301  # what multiprocessing does; no file holds a pickle
    assert (again.specials, again.fingerprint, again.notes) == (foreign.specials, foreign.fingerprint, foreign.notes)
    other = tmp_path / "other"
    other.mkdir()
    (other / "tokenizer.json").write_bytes(foreign.to_bytes())
    (other / MAP_FILE).write_text(json.dumps(special_tokens_map(foreign)))
    assert Tokenizer.from_file(other).fingerprint == foreign.fingerprint


def test_files_beside_our_own_change_nothing(tokenizer: Tokenizer, framed: Tokenizer, tmp_path: Path) -> None:
    for ours in (tokenizer, framed):
        (tmp_path / "tokenizer.json").write_bytes(ours.to_bytes())
        companion = tokenizer_config(ours, max_length=64, segments=False)
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(companion))
        (tmp_path / MAP_FILE).write_text(json.dumps(special_tokens_map(ours)))
        (tmp_path / "config.json").write_text(json.dumps({"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}))
        again = Tokenizer.from_file(tmp_path)
        assert (again.specials, again.fingerprint) == (ours.specials, ours.fingerprint)
        assert not again.roles_from_beside


def test_bytes_behind_another_word_rule_are_counted_as_bytes() -> None:
    engine = byte_level([ENDOFTEXT])
    engine.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    foreign = Tokenizer.from_bytes(engine.to_str().encode(), "x.json")
    assert foreign.num_bytes[foreign.encode("żółw")].sum() == 7


def test_the_unknown_is_what_the_file_calls_so_and_no_companion(tmp_path: Path) -> None:
    vocabulary = {"a": 0, "[?]": 1, "[UNK]": 2, "[": 3, "?": 4, "]": 5, "UN": 6, "K": 7}
    engine = Engine(models.WordPiece(vocabulary, unk_token="[?]"))
    engine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    foreign = in_folder(tmp_path / "one", engine, tokenizer_config={"unk_token": "a"})
    assert foreign.unk == 1
    assert foreign.encode("☃ a") == [1, 0]
    pieces = [("a", -1.0), ("▁", -2.0), ("<nieznany>", 0.0)]
    unigram = Engine(models.Unigram(pieces, 2, False))
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    assert in_folder(tmp_path / "two", unigram, special_tokens_map={}).unk == 2
