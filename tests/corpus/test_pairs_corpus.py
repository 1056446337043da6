"""Records with a source and a target: read from every format, cleaned apart, kept as two sentences, split by source."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from collecting import contents, documents, here, ignore
from reading import Outcome, json_lines, read, read_text

from osnowa.corpus import Corpus, CorpusConfig, Document, collect
from osnowa.corpus.pair import identity, join, sides
from osnowa.corpus.split import HELD_OUT, TRAIN, count_overlap, split
from osnowa.errors import DataError, SettingsError

__all__ = ["here"]

NAMED = {"source_column": "en", "target_column": "pl"}
NUMBERED = {"source_column": "1", "target_column": "2"}
PAIRS = [
    ("The cat sleeps on the old chair.", "Kot śpi na starym krześle."),
    ("She paints a yellow boat.", "Ona maluje żółtą łódkę."),
    ("Cancel", "Anuluj"),
    ("He said “yes” — and left.", "Powiedział „tak” — i wyszedł."),
]


def pairs_of(outcome: Outcome) -> list[tuple[str, str | None]]:
    return [(document.text, document.target) for document in outcome.documents]


def collect_pairs(folder: Path, pairs: list[tuple[str, str]], **settings: object) -> Corpus:
    """The corpus of `pairs`, one a record, in `folder`/workspace."""
    path = folder / "pairs.jsonl"
    path.write_bytes(json_lines([{"en": source, "pl": target} for source, target in pairs]))
    config = CorpusConfig.read("corpus", {**NAMED, **settings})
    return collect([str(path)], config, folder / "workspace", num_workers=1, progress=ignore)


def kept(corpus: Corpus) -> list[tuple[str, str]]:
    return [(source, target) for source, target in (document.pieces for document in documents(corpus))]


# --- reading --------------------------------------------------------------------------------------------------------


def test_columns_of_a_table_are_named_by_its_first_row(tmp_path: Path) -> None:
    for name, mark in (("a.tsv", "\t"), ("a.csv", ";")):
        rows = ["id" + mark + "pl" + mark + "en", *(f"{n}{mark}{t}{mark}{s}" for n, (s, t) in enumerate(PAIRS))]
        outcome = read_text(tmp_path, "\n".join(rows) + "\n", name, **NAMED)
        assert pairs_of(outcome) == PAIRS
        survey = outcome.surveys[0]
        assert survey.document == "pair"
        assert survey.because == "pairs: each row is one, en its source and pl its target"
        assert [document.line for document in outcome.documents] == [2, 3, 4, 5]


def test_columns_of_a_table_without_names_have_numbers(tmp_path: Path) -> None:
    outcome = read_text(tmp_path, "".join(f"{s}\t{t}\n" for s, t in PAIRS), "a.tsv", **NUMBERED)
    assert pairs_of(outcome) == PAIRS
    assert "no row of names; the text is column 1, its target column 2" in outcome.notes
    turned = read_text(
        tmp_path, "".join(f"{s}\t{t}\n" for s, t in PAIRS), "a.tsv", source_column="2", target_column="1"
    )
    assert pairs_of(turned) == [(target, source) for source, target in PAIRS]


def test_numbers_say_that_the_first_row_is_a_pair_however_much_it_looks_like_names(tmp_path: Path) -> None:
    outcome = read_text(tmp_path, "Help\tPomoc\nA longer row.\tDłuższy wiersz.\n", "a.tsv", **NUMBERED)
    assert pairs_of(outcome) == [("Help", "Pomoc"), ("A longer row.", "Dłuższy wiersz.")]


def test_quoted_cells_may_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    text = 'en,pl\n"One, two","Jeden,\nalbo ""dwa"""\nThree,Trzy\n'
    assert pairs_of(read_text(tmp_path, text, "a.csv", **NAMED)) == [
        ("One, two", 'Jeden,\nalbo "dwa"'),
        ("Three", "Trzy"),
    ]
    tabs = 'en\tpl\n"A tab:\there"\t"Tu też:\t"\nThree\tTrzy\n'
    assert pairs_of(read_text(tmp_path, tabs, "b.tsv", **NAMED)) == [("A tab:\there", "Tu też:\t"), ("Three", "Trzy")]
    plain = 'The "quoted" word\tSłowo „w cudzysłowie”\n5" disk\tDysk 5"\n'
    assert pairs_of(read_text(tmp_path, plain, "c.tsv", **NUMBERED)) == [
        ('The "quoted" word', "Słowo „w cudzysłowie”"),
        ('5" disk', 'Dysk 5"'),
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_json_records_are_pairs_of_their_fields(tmp_path: Path, name: str) -> None:
    records = [{"id": 1, "en": source, "pl": target} for source, target in PAIRS]
    data = json_lines(records) if name == "a.jsonl" else json.dumps(records).encode()
    outcome = read_text(tmp_path, data, name, **NAMED)
    assert pairs_of(outcome) == PAIRS
    assert outcome.surveys[0].because == "pairs: each record is one, en its source and pl its target"


def test_parquet_columns_are_pairs_whatever_their_order(tmp_path: Path) -> None:
    table = pa.table({"pl": [t for _, t in PAIRS * 50], "id": list(range(200)), "en": [s for s, _ in PAIRS * 50]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=30)
    whole = read(tmp_path / "a.parquet", **NAMED)  # type: ignore[arg-type]
    assert pairs_of(whole) == PAIRS * 50
    assert pairs_of(read(tmp_path / "a.parquet", size=100, **NAMED)) == PAIRS * 50  # type: ignore[arg-type]


NESTED = {"source_column": "translation.en", "target_column": "translation.pl"}


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.parquet"])
def test_sides_may_lie_inside_of_one_field(tmp_path: Path, name: str) -> None:
    records = [{"id": n, "translation": {"en": source, "pl": target}} for n, (source, target) in enumerate(PAIRS)]
    if name == "a.parquet":
        pq.write_table(
            pa.table({key: [each[key] for each in records] for key in ("id", "translation")}), tmp_path / name
        )
    else:
        (tmp_path / name).write_bytes(json_lines(records) if name == "a.jsonl" else json.dumps(records).encode())
    assert pairs_of(read(tmp_path / name, **NESTED)) == PAIRS  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"has no column translation\.de.*translation\.en.*translation\.pl"):
        read(tmp_path / name, source_column="translation.en", target_column="translation.de")
    with pytest.raises(DataError, match="column translation holds no text"):
        read(tmp_path / name, source_column="translation", target_column="translation.pl")


def test_a_field_inside_of_another_is_missing_in_one_record(tmp_path: Path) -> None:
    good = '{"translation": {"en": "A good record.", "pl": "Dobry zapis."}}'
    for bad, reason in (
        ('{"translation": {"en": "Half"}}', r"has no text field \(pl is not among en\)"),
        ('{"translation": null}', "has no text field"),
        ('{"translation": {"en": "A", "pl": {"x": "y"}}}', "its text field is not text"),
    ):
        with pytest.raises(DataError, match=rf"a\.jsonl:2.*{reason}"):
            read_text(tmp_path, f"{good}\n{bad}\n", "a.jsonl", **NESTED)
    literal = (
        '{"translation.en": "A name with a dot.", "translation.pl": "Kropka w nazwie.", "translation": {"en": "no"}}'
    )
    assert pairs_of(read_text(tmp_path, literal + "\n", "a.jsonl", **NESTED)) == [
        ("A name with a dot.", "Kropka w nazwie.")
    ]


def test_a_pair_read_in_spans_is_whole(tmp_path: Path) -> None:
    many = [(f"Sentence number {n}. " * 3, f"Zdanie numer {n}. " * 3) for n in range(2000)]
    data = json_lines([{"en": source, "pl": target} for source, target in many])
    (tmp_path / "a.jsonl").write_bytes(data)
    assert pairs_of(read(tmp_path / "a.jsonl", size=1, **NAMED)) == many  # type: ignore[arg-type]


# --- what can't be read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "settings"),
    [
        ("a.tsv", "en\tpl\nOne word\tJedno słowo\n", {"source_column": "en", "target_column": "de"}),
        ("a.jsonl", '{"en": "One word", "pl": "Jedno słowo"}\n', {"source_column": "de", "target_column": "pl"}),
        ("a.json", '[{"en": "One word", "pl": "Jedno słowo"}]', {"source_column": "en", "target_column": "de"}),
    ],
)
def test_a_wrong_column_is_refused_with_the_list_of_columns(
    tmp_path: Path, name: str, text: str, settings: dict[str, str]
) -> None:
    with pytest.raises(DataError, match=r"has no column de; its columns are en, pl"):
        read_text(tmp_path, text, name, **settings)


def test_a_wrong_number_is_refused_with_the_numbers(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no column 3; its columns are 1, 2"):
        read_text(tmp_path, "One word\tJedno słowo\nTwo\tDwa\n", "a.tsv", source_column="1", target_column="3")


def test_a_parquet_file_without_the_column_lists_columns_and_types(tmp_path: Path) -> None:
    pq.write_table(pa.table({"en": ["One word"], "n": [1]}), tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"has no column pl \[types: en \(string\), n \(int64\)\]; its columns are en, n"
    ):
        read(tmp_path / "a.parquet", **NAMED)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"en": "Only one side."}', "has no text field"),
        ('{"en": "A number.", "pl": 7}', "its text field is not text"),
        ('{"en": null, "pl": "Nic."}', "its text field is not text"),
        ('{"en": "Cut off', "is no sound JSON"),
    ],
)
def test_a_record_without_both_texts_is_a_bad_line(tmp_path: Path, bad: str, reason: str) -> None:
    good = '{"en": "A good record.", "pl": "Dobry zapis."}'
    with pytest.raises(DataError, match=rf"a\.jsonl:2.*: {reason}"):
        read_text(tmp_path, f"{good}\n{bad}\n{good}\n", "a.jsonl", **NAMED)
    outcome = read_text(tmp_path, f"{good}\n{bad}\n{good}\n", "a.jsonl", bad_lines="skip", **NAMED)
    assert pairs_of(outcome) == [("A good record.", "Dobry zapis.")] * 2
    assert [(each.line, each.reason) for each in outcome.rejected] == [(2, reason)]


def test_rows_without_both_cells_are_bad_lines(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.tsv:2: has a wrong number of cells \(1, not 2\)"):
        read_text(tmp_path, "One\tJeden\nTwo\nThree\tTrzy\n", "a.tsv", **NUMBERED)
    table = pa.table({"en": ["One", None, "Three"], "pl": ["Jeden", "Dwa", None]})
    pq.write_table(table, tmp_path / "a.parquet")
    outcome = read(tmp_path / "a.parquet", bad_lines="skip", **NAMED)  # type: ignore[arg-type]
    assert pairs_of(outcome) == [("One", "Jeden")]
    assert [(each.line, each.detail) for each in outcome.rejected] == [(2, "en is null"), (3, "pl is null")]


def test_text_without_columns_holds_no_pairs(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"corpus.source_column = en: .*a\.txt has no columns; give pairs as TSV"):
        read_text(tmp_path, "Just text.\n", "a.txt", **NAMED)
    with pytest.raises(DataError, match="its first records are no objects"):
        read_text(tmp_path, '["a string", "another"]', "a.json", **NAMED)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source_column": "en"}, "corpus.source_column = en: needs corpus.target_column too"),
        ({"target_column": "pl"}, "corpus.target_column = pl: needs corpus.source_column too"),
        ({**NAMED, "text_column": "en"}, "corpus.text_column = en: does not go with corpus.source_column"),
        ({"source_column": "en", "target_column": "en"}, "corpus.source_column = en: is corpus.target_column too"),
        ({**NAMED, "document": "line"}, "corpus.document = line: does not go with corpus.source_column"),
    ],
)
def test_settings_that_cannot_work_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        CorpusConfig.read("corpus", values)


# --- the border between source and target ---------------------------------------------------------------------------

HOSTILE = [
    ("a\nb of one", "c of the other"),
    ("a", "b of one\nc of the other"),
    ("a\n\nb", "\n\nc and\nmore"),
    ("x\x00y\x1fz\ufdd0", "\x00\x1f\ufdd0q"),
    ("tab\tinside", "tu\tteż"),
    ("<s> [SEP] |||", "</s> [SEP] |||"),
    ("e", "\u0301 stands first"),
]


def test_no_text_moves_the_border(here: None, tmp_path: Path) -> None:
    """A line break stands between both, and either side may hold one; each side is cleaned as if it were alone."""
    cleaned = [
        ("a\nb of one", "c of the other"),
        ("a", "b of one\nc of the other"),
        ("a\n\nb", "c and\nmore"),
        ("xyz", "q"),
        ("tab\tinside", "tu\tteż"),
        ("<s> [SEP] |||", "</s> [SEP] |||"),
        ("e", "\u0301 stands first"),
    ]
    corpus = collect_pairs(tmp_path, HOSTILE, rules_off=["mostly_symbols", "unwrapped_lines"])
    assert kept(corpus) == cleaned
    for document in documents(corpus):
        assert document.pair
        assert len(document.sentences) == 2
        assert document.sentences[0] == 0
        assert document.text[document.sentences[1] :] == document.pieces[1]


def test_pairs_of_the_same_text_parted_elsewhere_are_different_pairs(here: None, tmp_path: Path) -> None:
    first, second = ("one\ntwo", "three"), ("one", "two\nthree")
    assert join(*first)[0] == join(*second)[0]
    assert identity(*join(*first)) != identity(*join(*second))
    assert sides(*join(*first)) == first
    corpus = collect_pairs(tmp_path, [first, second], rules_off=["unwrapped_lines"])
    assert kept(corpus) == [first, second]
    assert len({document.identity for document in documents(corpus)}) == 2


def test_no_rule_carries_anything_across(here: None, tmp_path: Path) -> None:
    """Hard-wrapped lines are joined within a side; white space at the ends of both goes."""
    wrapped = textwrap.fill(
        "A paragraph that somebody wrapped by hand, so that the break between two of its lines says nothing at all.", 60
    )
    assert "\n" in wrapped
    corpus = collect_pairs(tmp_path, [(f"  {wrapped}\n", "\n  Akapit, który ktoś złamał.  "), ("One \n", " Jeden")])
    assert kept(corpus) == [(wrapped.replace("\n", " "), "Akapit, który ktoś złamał."), ("One", "Jeden")]


def test_white_space_stays_out_of_both_sides_even_with_its_rule_off(here: None, tmp_path: Path) -> None:
    corpus = collect_pairs(tmp_path, [(" One two three \n", "\n Jeden dwa trzy ")], rules_off=["white_space"])
    assert kept(corpus) == [("One two three", "Jeden dwa trzy")]


def test_a_line_in_many_pairs_is_no_boilerplate(here: None, tmp_path: Path) -> None:
    line = "Press the button to go on with the work."
    corpus = collect_pairs(
        tmp_path,
        [(f"{line}\nStep {n} follows.", f"Naciśnij przycisk, aby kontynuować.\nKrok {n}.") for n in range(30)],
        boilerplate_documents=2,
        boilerplate_share=0.0,
        rules_off=["unwrapped_lines"],
    )
    assert len(kept(corpus)) == 30
    assert all(source.startswith(line) for source, _ in kept(corpus))


# --- what is dropped ------------------------------------------------------------------------------------------------


def test_empty_sides_duplicates_and_too_long_pairs_are_dropped_by_name_and_counted(here: None, tmp_path: Path) -> None:
    given = [
        *PAIRS,
        ("", "Pusta strona."),
        ("Nothing there.", " \n\u200b "),
        ("", ""),
        PAIRS[0],
        ("The CAT sleeps  on the old chair.", "Kot śpi na starym krześle."),
        ("The cat sleeps on the old chair.", "Kotek śpi na starym krześle."),
        ("long " * 300, "długi"),
        ("0x80004005 0x8007", "Błąd o tym numerze."),
    ]
    corpus = collect_pairs(tmp_path, given, max_document_characters=1000)
    ledger = corpus.ledger.as_dict()
    assert ledger["unit"] == "pairs"
    assert ledger["documents"]["in"] == len(given)
    assert ledger["documents"]["dropped"] == {
        "empty_side": 3,
        "exact_duplicate": 2,
        "long_pair": 1,
        "mostly_symbols": 1,
    }
    assert corpus.ledger.balance() == (0, 0)
    assert kept(corpus) == [*PAIRS, given[9]]
    assert ledger["sources"][0]["document"] == "pair"


def test_rules_that_drop_look_at_each_side(here: None, tmp_path: Path) -> None:
    good = "A sentence that nobody has anything against."
    bad = ("=1+2*3/4-5", "\ufffd\ufffd\ufffd lost letters", "QUJD" * 60)
    corpus = collect_pairs(
        tmp_path, [(good, "Dobre zdanie."), *((good, each) for each in bad), *((each, good) for each in bad)]
    )
    assert kept(corpus) == [(good, "Dobre zdanie.")]
    dropped = corpus.ledger.as_dict()["documents"]["dropped"]
    assert dropped == {"mostly_symbols": 2, "replacement_characters": 2, "unbroken_runs": 2}


def test_short_sides_stay_unless_a_length_is_given(here: None, tmp_path: Path) -> None:
    assert len(kept(collect_pairs(tmp_path, PAIRS))) == 4
    assert len(kept(collect_pairs(tmp_path, PAIRS, min_characters=7))) == 3


def test_near_duplicates_stay_unless_a_similarity_is_given(here: None, tmp_path: Path) -> None:
    words = " ".join(f"word{n}" for n in range(60))
    near = [(f"{words} {last}", f"{words} po polsku {last}") for last in ("first", "second")]
    assert len(kept(collect_pairs(tmp_path, near))) == 2
    assert len(kept(collect_pairs(tmp_path, near, near_duplicate_similarity=0.8))) == 1


def test_languages_are_asked_of_both_sides_and_told_of_the_target(here: None, tmp_path: Path) -> None:
    english = "This is a rather long sentence in the English language."
    polish = "To jest dość długie zdanie w języku polskim, z ogonkami."
    german = "Dies ist ein ziemlich langer Satz in deutscher Sprache."
    corpus = collect_pairs(tmp_path, [(english, polish), (english, german), (german, polish)], languages=["en", "pl"])
    assert kept(corpus) == [(english, polish)]
    assert corpus.ledger.as_dict()["documents"]["dropped"] == {"language": 2}
    assert list(corpus.ledger.languages) == ["pl"]


# --- split ----------------------------------------------------------------------------------------------------------


def many_targets(count: int) -> list[tuple[str, str]]:
    return [(f"Source sentence number {n // 3}.", f"Zdanie {n % 3} do źródła {n // 3}.") for n in range(count)]


def test_equal_sources_never_stand_on_both_sides(here: None, tmp_path: Path) -> None:
    corpus = collect_pairs(tmp_path, many_targets(600), held_out=0.2)
    found: dict[str, set[str]] = {}
    for document in documents(corpus):
        found.setdefault(document.pieces[0], set()).add(document.split)
    assert len(found) == 200
    assert all(len(split) == 1 for split in found.values())
    assert corpus.ledger.split["overlap"] == 0
    assert 20 < sum(split == {"held_out"} for split in found.values()) < 60
    assert corpus.ledger.held_out[0] % 3 == 0


def test_sources_that_differ_in_case_alone_stay_together(here: None, tmp_path: Path) -> None:
    pairs = [(f"{'ALL' if n % 2 else 'all'} of number {n // 2}", f"Wszystkie {n}") for n in range(300)]
    corpus = collect_pairs(tmp_path, pairs, held_out=0.3)
    found: dict[str, set[str]] = {}
    for document in documents(corpus):
        found.setdefault(document.pieces[0].casefold(), set()).add(document.split)
    assert all(len(split) == 1 for split in found.values())


def test_at_least_one_source_is_held_out_with_all_its_targets() -> None:
    rng = np.random.default_rng(1)
    keys = np.repeat(rng.integers(0, 256, (4, 16), dtype=np.uint8), 5, axis=0)
    for share in (1e-12, 0.5, 1 - 1e-12):
        division = split(keys, np.ones(20, bool), 1000, share)
        assert set(division.decisions.tolist()) == {TRAIN, HELD_OUT}
        assert count_overlap(division.decisions, keys) == 0
    one = split(keys[:5], np.ones(5, bool), 1000, 0.1)
    assert set(one.decisions.tolist()) == {TRAIN}


# --- the whole way --------------------------------------------------------------------------------------------------


def test_workers_do_not_change_a_byte(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{s}\t{t}\n" for s, t in [*many_targets(900), *PAIRS]), encoding="utf-8")
    found = []
    for number in (1, 2):
        workspace = tmp_path / str(number)
        config = CorpusConfig.read("corpus", NUMBERED)
        corpus = collect([str(path)], config, workspace, num_workers=number, progress=ignore)
        found.append((contents(workspace), corpus.fingerprint))
    assert found[0] == found[1]


def test_documents_of_text_are_what_they_were(here: None, tmp_path: Path) -> None:
    text = "Pierwsze zdanie jest tutaj. Drugie zdanie stoi za nim."
    (tmp_path / "a.jsonl").write_bytes(json_lines([{"text": text}]))
    corpus = collect([str(tmp_path / "a.jsonl")], CorpusConfig(), tmp_path / "w", num_workers=1, progress=ignore)
    document: Document = documents(corpus)[0]
    assert not document.pair
    assert document.pieces == ["Pierwsze zdanie jest tutaj.", " Drugie zdanie stoi za nim."]
    facts: dict[str, Any] = corpus.ledger.as_dict()
    assert facts["unit"] == "documents"
