"""Damaged and foreign files: refused by structure with the reason, or read by what they hold."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Engine
from tokenizers import models, normalizers, pre_tokenizers, processors

from osnowa.errors import DataError, InputMissingError, SettingsError
from osnowa.tokenizer import Tokenizer

Change = Callable[[dict[str, Any]], object]


def changed(tokenizer: Tokenizer, change: Change) -> bytes:
    parsed = copy.deepcopy(json.loads(tokenizer.to_bytes()))
    change(parsed)
    return json.dumps(parsed).encode()


def vocabulary(parsed: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = parsed["model"]["vocab"]
    return found


DAMAGE: list[tuple[str, Change, str]] = [
    ("wordpiece", lambda p: vocabulary(p).update(kot=7), "the same id 7"),
    ("wordpiece", lambda p: vocabulary(p).update(zz=600), "has no entry with the id 512"),
    ("wordpiece", lambda p: vocabulary(p).pop("!"), "has no entry with the id 5,"),
    ("wordpiece", lambda p: vocabulary(p).update(zz="x"), "no whole number"),
    ("wordpiece", lambda p: vocabulary(p).update(zz=-1), "no whole number"),
    ("wordpiece", lambda p: vocabulary(p).update(zz=True), "no whole number"),
    ("wordpiece", lambda p: p["model"].update(unk_token="<?>"), "names '<\\?>' for the unknown"),
    ("wordpiece", lambda p: p["model"].update(vocab=[]), "unexpected form"),
    ("wordpiece", lambda p: p["added_tokens"][3].update(id=9), "gives '\\[MASK\\]' the ids 3 and 9"),
    ("wordpiece", lambda p: p["added_tokens"][3].update(content="<x>"), "'\\[MASK\\]' and '<x>' the same id 3"),
    ("wordpiece", lambda p: p["added_tokens"][3].pop("content"), "unexpected form"),
    ("wordpiece", lambda p: p.update(added_tokens={}), "not a tokenizer.json"),
    ("wordpiece", lambda p: p.pop("model"), "not a tokenizer.json"),
    ("wordpiece", lambda p: p.update(decoder={"type": "Nonsense"}), "refused by the tokenizers library"),
    ("bpe", lambda p: p["model"]["merges"].append(["kot", "!!"]), "no entry '"),
    ("bpe", lambda p: p["model"]["merges"].append(["!", "%"]), "no entry '!%'"),
    ("bpe", lambda p: p["model"]["merges"].append(["!"]), "of other than two parts"),
    ("bpe", lambda p: p["model"]["merges"].append(7), "unexpected form"),
    ("unigram", lambda p: p["model"]["vocab"].append(["kot", -3.0, 1]), "unexpected form"),
    ("unigram", lambda p: p["model"]["vocab"].append(["!", -3.0]), "has the entry '!' twice"),
    ("unigram", lambda p: p["model"]["vocab"].append(["zz", "low"]), "the score 'low'"),
    ("unigram", lambda p: p["model"].update(unk_id=9999), "names the id 9999 for the unknown"),
]


@pytest.mark.parametrize(("kind", "change", "message"), DAMAGE)
def test_a_file_that_contradicts_itself_is_refused_with_its_reason(
    tokenizers: dict[str, Tokenizer], kind: str, change: Change, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        Tokenizer.from_bytes(changed(tokenizers[kind], change), "my/tokenizer.json")
    assert caught.value.exit_code == 65
    assert caught.value.where == "my/tokenizer.json"
    assert "\n" not in str(caught.value)


def test_a_file_cut_off_anywhere_is_refused(tokenizer: Tokenizer) -> None:
    data = tokenizer.to_bytes().rstrip()
    for share in (0, 0.001, 0.3, 0.9, 0.9999):
        with pytest.raises(DataError, match=r"cut\.json: is not readable JSON|not a tokenizer"):
            Tokenizer.from_bytes(data[: int(share * len(data))], "cut.json")


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b"[" * 100_000, b"[]", b"7", b'{"model": 7}', b'{"model": {"vocab": {}}}']
)
def test_what_is_no_tokenizer_is_refused(data: bytes) -> None:
    with pytest.raises((DataError, SettingsError), match=r"x\.json"):
        Tokenizer.from_bytes(data, "x.json")


def test_an_entry_written_twice_is_refused(tokenizers: dict[str, Tokenizer]) -> None:
    data = tokenizers["wordpiece"].to_bytes().replace(b'"!": 5', b'"!": 5, "!": 5')
    with pytest.raises(DataError, match="has the entry '!' twice"):
        Tokenizer.from_bytes(data, "x.json")


def test_an_unknown_kind_is_refused() -> None:
    engine = Engine(models.WordLevel({"a": 0, "<unk>": 1}, unk_token="<unk>"))
    with pytest.raises(SettingsError, match="holds a model of the type WordLevel; use one of the types WordPiece"):
        Tokenizer.from_bytes(engine.to_str().encode(), "x.json")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=r"no/tokenizer.json: no such file; the nearest existing folder"):
        Tokenizer.from_file(tmp_path / "no" / "tokenizer.json")
    with pytest.raises(InputMissingError, match=r"tokenizer.json: no such file"):
        Tokenizer.from_file(tmp_path)


# --- files of other tools -------------------------------------------------------------------------------------------


def foreign_wordpiece(tokens: list[str], **options: Any) -> bytes:
    engine = Engine(models.WordPiece({token: i for i, token in enumerate(tokens)}, unk_token="[UNK]"))
    engine.normalizer = normalizers.BertNormalizer(lowercase=options.get("lowercase", True))
    engine.pre_tokenizer = options.get("splitter", pre_tokenizers.BertPreTokenizer())
    if options.get("added", True):
        engine.add_special_tokens([token for token in tokens if token.startswith("[") and len(token) > 1])
        engine.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    if "length" in options:
        engine.enable_truncation(options["length"])
        engine.enable_padding(length=options["length"])
    return str(engine.to_str()).encode()


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[", "]", "ala", "ma", "##s", "##k", "kota", "mask", "."]


def test_special_tokens_of_a_foreign_file_are_found_by_content() -> None:
    foreign = Tokenizer.from_bytes(foreign_wordpiece(WORDS), "x.json")
    assert (foreign.pad, foreign.unk, foreign.cls, foreign.sep, foreign.mask) == (0, 1, 2, 3, 4)
    assert foreign.encode("Ala ma [MASK].") == [7, 8, 5, 12, 6, 13]
    assert foreign.encode_prompt("Ala ma [MASK].") == [7, 8, 4, 13]
    ids, lengths = foreign.encode_sentences(["Ala ma", "[MASK]"])
    assert (ids.tolist(), lengths.tolist()) == ([7, 8, 5, 12, 6], [2, 3])


def test_special_tokens_that_only_stand_in_the_vocabulary_work_too() -> None:
    foreign = Tokenizer.from_bytes(foreign_wordpiece(WORDS, added=False), "x.json")
    assert foreign.vocab_size == len(WORDS)
    assert foreign.special_ids == {0, 1, 2, 3, 4}
    assert foreign.encode("Ala ma [MASK].") == [7, 8, 5, 12, 6, 13]
    assert foreign.encode_prompt("Ala ma [MASK].") == [7, 8, 4, 13]


def test_a_foreign_file_neither_cuts_nor_pads() -> None:
    foreign = Tokenizer.from_bytes(foreign_wordpiece(WORDS, length=4), "x.json")
    assert len(foreign.encode("ala ma kota " * 50)) == 150
    assert foreign.encode("ala") == [7]


def test_names_in_angle_brackets_are_known() -> None:
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("a", -2.0), ("<mask>", 0.0)]
    pieces += [(letter, -4.0) for letter in "<>/smk"]  # some letters of <pad> are unknown
    engine = Engine(models.Unigram(pieces, 3, False))
    engine.pre_tokenizer = pre_tokenizers.Metaspace()
    foreign = Tokenizer.from_bytes(engine.to_str().encode(), "x.json")
    assert (foreign.cls, foreign.pad, foreign.sep, foreign.unk, foreign.mask) == (0, 1, 2, 3, 6)
    # In the file the special tokens score best, so the library alone reads the text as the token.
    assert 6 in engine.encode("a <mask>").ids
    assert [foreign.token(index) for index in foreign.encode("a <mask>")] == ["▁", "a", "▁", *"<mask>"]
    assert 6 not in foreign.encode("a <mask>")
    assert foreign.encode_prompt("a<mask>")[-1] == 6


def test_a_file_that_cannot_tell_orders_from_data_is_refused() -> None:
    data = foreign_wordpiece(WORDS, splitter=pre_tokenizers.WhitespaceSplit(), lowercase=False)
    with pytest.raises(SettingsError, match=r"reads the text '\[PAD\]' in the data as the special token"):
        Tokenizer.from_bytes(data, "x.json")


def test_missing_special_tokens_are_all_named() -> None:
    foreign = Tokenizer.from_bytes(foreign_wordpiece(["[UNK]", "[", "]", "ala"], added=False), "x.json")
    foreign.require(["unk"])
    with pytest.raises(
        SettingsError, match=r"has no special token \[CLS\] or <s>, \[MASK\] or <mask>, <extra_id_0>"
    ) as caught:
        foreign.require(["cls", "unk", "mask", "<extra_id_0>"])
    assert caught.value.exit_code == 78
    with pytest.raises(SettingsError, match=r"\[MASK\]"):
        _ = foreign.mask
