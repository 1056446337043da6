"""Pairs from a file to the token store: two sentences each, no stray token, and what is refused on the way."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Engine

import osnowa
from osnowa.data import TokenStore
from osnowa.errors import SettingsError
from osnowa.tokenizer import MAP_FILE, Tokenizer
from small_run import osnowa as command

PAIRS = [
    (f"The {who} {does} the {what} number {n}.", f"{kto} {robi} {co} numer {n}.")
    for n in range(40)
    for who, kto, does, robi, what, co in [
        ("baker", "Piekarz", "paints", "maluje", "yellow\nboat", "żółtą łódkę"),
        ("sailor", "Żeglarz", "counts", "liczy", "white geese", "białe\n\ngęsi"),
    ]
]
WORDS = {"preset": "transformer-tiny", "settings": {"tokenizer": {"vocab_size": 400}, "data": {"row_length": 64}}}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    lines = [json.dumps({"en": f" {source}\n", "pl": f"\n{target} "}, ensure_ascii=False) for source, target in PAIRS]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_the_store_holds_the_tokens_of_both_sides_and_nothing_else(kind: str, pairs: Path, tmp_path: Path) -> None:
    settings = {"tokenizer": {"vocab_size": 400, "kind": kind}, "data": {"row_length": 64}}
    made = osnowa.prepare(
        pairs, tmp_path / "data", preset="transformer-tiny", source_column="en", target_column="pl", settings=settings
    )
    store, tokenizer = TokenStore.open(tmp_path / "data"), made.tokenizer
    assert made.ledger["unit"] == "pairs"
    assert made.ledger["split"]["overlap"] == 0
    expected = {(tuple(tokenizer.encode(source)), tuple(tokenizer.encode(target))) for source, target in PAIRS}
    found = []
    for split in (store.train, store.held_out):
        assert (np.diff(split.documents) == 2).all()
        borders = np.asarray(split.sentences)
        sides = [tuple(map(int, split.tokens[a:b])) for a, b in pairwise(borders)]
        found += list(zip(sides[::2], sides[1::2], strict=True))
        texts = "".join(tokenizer.decode(side) for side in sides)
        assert split.num_bytes >= len(texts.encode()) * 0.9
    assert len(found) == len(PAIRS)
    assert set(found) == expected
    assert set(made.fertility["fertility"]) == {"all", "source", "target"}


def test_bytes_of_the_store_are_those_of_both_sides(pairs: Path, tmp_path: Path) -> None:
    made = osnowa.prepare(pairs, tmp_path / "data", source_column="en", target_column="pl", **WORDS)
    total = made.store.train.num_bytes + made.store.held_out.num_bytes
    assert total == sum(len(source.encode()) + len(target.encode()) for source, target in PAIRS)


def test_a_side_without_tokens_takes_its_pair_with_it(tmp_path: Path) -> None:
    """A private-use sign alone is text, and nothing to a tokenizer that drops what nobody can read."""
    lines = [json.dumps({"en": source, "pl": target}) for source, target in [*PAIRS, ("A sign.", "\ue000")]]
    (tmp_path / "p.jsonl").write_text("\n".join(lines), encoding="utf-8")
    settings = {
        "tokenizer": {"vocab_size": 400, "kind": "wordpiece"},
        "data": {"row_length": 64},
        "corpus": {"rules_off": ["mostly_symbols"]},
    }
    made = osnowa.prepare(
        tmp_path / "p.jsonl",
        tmp_path / "data",
        preset="transformer-tiny",
        source_column="en",
        target_column="pl",
        settings=settings,
    )
    assert made.tokenizer.encode("\ue000") == []
    counts = made.store.facts["splits"]
    assert sum(each["empty"] for each in counts.values()) == 1
    assert sum(each["documents"] for each in counts.values()) == len(PAIRS)
    assert all((np.diff(split.documents) == 2).all() for split in (made.store.train, made.store.held_out))


def test_columns_ask_for_translation_unless_another_objective_is_named(pairs: Path) -> None:
    from osnowa.runs.api import recipe_of

    columns = {"source_column": "en", "target_column": "pl"}
    assert recipe_of(preset="transformer-tiny", **columns).objective.name == "translation"
    assert recipe_of(preset="transformer-tiny", objective="infilling", **columns).objective.name == "infilling"
    assert recipe_of(preset="transformer-tiny").objective.name == "infilling"
    with pytest.raises(SettingsError, match=r"objective.name = translation: is nothing that a model of kind encoder"):
        recipe_of(preset="bert-tiny", **columns)


def test_translation_without_columns_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"objective.name = translation: needs pairs .*; name their columns"):
        osnowa.prepare(tmp_path / "nowhere.tsv", tmp_path / "data", objective="translation", **WORDS)
    assert not (tmp_path / "data").exists()


def test_text_prepared_as_documents_is_no_pairs(text_folder: Path, tmp_path: Path) -> None:
    osnowa.prepare(text_folder, tmp_path / "data", **WORDS)
    with pytest.raises(SettingsError, match=r"needs pairs, and this text was prepared as documents"):
        osnowa.pretrain(
            tmp_path / "data", tmp_path / "run", objective="translation", preset="transformer-tiny", steps=1,
            settings={"data": {"row_length": 64}},
        )  # fmt: skip


def test_the_command_line_takes_the_columns_and_says_pairs(pairs: Path, tmp_path: Path) -> None:
    small = ("--preset=transformer-tiny", "--tokenizer.vocab_size=400", "--data.row_length=64", "--quiet")
    columns = ("--source-column", "en", "--target-column", "pl")
    made = command("prepare", pairs, "--out", tmp_path / "data", *columns, *small)
    assert made.code == 0, made.err
    assert "Every pair accounted for" in made.out
    assert "sources both in training and held out: 0" in made.out
    seen = command("doctor", pairs, *columns, *small)
    assert seen.code == 0, seen.err
    assert "80 pairs" in seen.out
    assert "pairs: each record is one, en its source and pl its target" in seen.out
    wrong = command("doctor", pairs, "--source-column", "en", "--target-column", "de", *small)
    assert wrong.code == 65
    assert "has no column de; its columns are en, pl" in wrong.message
    alone = command("doctor", pairs, "--source-column", "en", *small)
    assert alone.code == 78
    assert "needs corpus.target_column too" in alone.message


# --- tokenizers of other tools --------------------------------------------------------------------------------------


def foreign(folder: Path, specials: list[str], **companion: str) -> Path:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    engine = Engine(models.BPE({letter: index for index, letter in enumerate(letters)}, []))
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    engine.decoder = decoders.ByteLevel()
    engine.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in specials])
    folder.mkdir()
    (folder / "tokenizer.json").write_text(engine.to_str())
    (folder / "tokenizer_config.json").write_text(json.dumps(companion))
    return folder


MARKS = ["<|a|>", "<|b|>", "<|c|>"]
ROLES = {"bos_token": "<|a|>", "eos_token": "<|b|>", "pad_token": "<|c|>"}


def test_roles_told_beside_a_given_tokenizer_travel_with_the_prepared_text(pairs: Path, tmp_path: Path) -> None:
    given = foreign(tmp_path / "given", MARKS, **ROLES)
    made = osnowa.prepare(
        pairs,
        tmp_path / "data",
        preset="transformer-tiny",
        source_column="en",
        target_column="pl",
        tokenizer=given,
        settings={"data": {"row_length": 64}},
    )
    again = Tokenizer.from_file(tmp_path / "data")
    assert (tmp_path / "data" / MAP_FILE).is_file()
    assert (again.bos, again.eos, again.pad) == (256, 257, 258)
    assert again.fingerprint == made.tokenizer.fingerprint == Tokenizer.from_file(given).fingerprint


@pytest.mark.parametrize(
    ("objective", "preset", "message"),
    [
        ("infilling", "transformer-tiny", r"has no special token \[MASK\] or <mask>"),
        ("span-corruption", "t5-tiny", r"has no special token <extra_id_0>, .* and 94 more"),
        ("ul2", "t5-tiny", r"has no special token \[NLU\], \[NLG\], \[S2S\], <extra_id_0>"),
    ],
)
def test_a_given_tokenizer_without_what_the_objective_needs_is_refused_at_prepare_time(
    objective: str, preset: str, message: str, text_folder: Path, tmp_path: Path
) -> None:
    given = foreign(tmp_path / "given", MARKS, **ROLES)
    with pytest.raises(SettingsError, match=message) as caught:
        osnowa.prepare(text_folder, tmp_path / "data", preset=preset, objective=objective, tokenizer=given)
    assert caught.value.exit_code == 78
    assert not (tmp_path / "data").exists()
