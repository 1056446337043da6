"""From texts to a corpus: every document and byte is accounted for (P8), and the result depends on the input alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from collecting import collect_texts, contents, documents, here, ignore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import texts
from osnowa.corpus import Corpus, CorpusConfig, Progress, catalog, collect, open_corpus, pipeline, reading
from osnowa.corpus.cleaning import clean
from osnowa.errors import DataError, InputMissingError, StorageError

__all__ = ["here"]  # a fixture

CONFIG = CorpusConfig(bad_lines="skip")
FOOTER = "Wszelkie prawa zastrzeżone. Kopiowanie zabronione."
HOSTILE = [
    "", "  \n ", "Tak.", "Za\u200bżó\x00łć a\u0328 \ud800 gęślą jaźń i jeszcze kilka słów", "Å‚Ã³dÅº i Å‚Ä…ka, gÄ™Å›",
    "słowo  wiele   spacji\t\there\r\nnowy wiersz\n\n\n\nkoniec tego tekstu", "\xa0" * 30, "kup teraz tanio " * 60, "A" * 900,
    "1234 5678 | 90 " * 20, "\ufffd" * 40, FOOTER, f"Nagłówek strony\n{FOOTER}", "Ĺ‚\n" * 5, "e\u0301" * 30,
]  # fmt: skip


def essay(seed: int, sentences: int = 12) -> str:
    return " ".join(random.Random(seed).sample(texts.SENTENCES, sentences))


def balanced(corpus: Corpus) -> None:
    """The ledger adds up, and says what is really there."""
    ledger, kept = corpus.ledger, documents(corpus)
    assert ledger.balance() == (0, 0)
    for split, (number, size) in {"train": ledger.train, "held_out": ledger.held_out}.items():
        side = [document for document in kept if document.split == split]
        assert (len(side), sum(len(document.text.encode()) for document in side)) == (number, size)
    told = ledger.as_dict()
    for unit in ("documents", "bytes"):
        gone = sum(told[unit]["dropped"].values()) + sum(told[unit].get("removed", {}).values())
        assert told[unit]["in"] == told[unit]["train"] + told[unit]["held_out"] + gone
    assert sum(entry["documents"] for entry in told["languages"].values()) == len(kept)


# --- the account ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(st.sampled_from(HOSTILE), st.builds(essay, st.integers(0, 6)), st.text(max_size=60)), max_size=25
    ),
    st.lists(
        st.sampled_from(["mojibake", "white_space", "too_short", "exact_duplicate", "near_duplicate"]), unique=True
    ),
)
def test_documents_and_bytes_add_up_whatever_comes_in(found: list[str], off: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        corpus = collect_texts(Path(folder), [*found, essay(100)], rules_off=off, boilerplate_documents=2)
        balanced(corpus)
        assert corpus.ledger.came_in[0] == len(found) + 1


@pytest.mark.usefixtures("here")
def test_each_rule_is_counted_and_shown_with_its_place(tmp_path: Path) -> None:
    pages = [f"{essay(number)}\n{FOOTER}" for number in range(12)]
    near = essay(0, 60)
    corpus = collect_texts(
        tmp_path, [*pages, *HOSTILE, essay(20), essay(20).upper(), near, near + " Koniec tej długiej opowieści."]
    )
    balanced(corpus)
    ledger = corpus.ledger
    assert {rule: count for rule, (count, _) in ledger.dropped.items()} == {
        "empty": 3, "exact_duplicate": 1, "mostly_symbols": 1, "near_duplicate": 1, "repetition": 1,
        "replacement_characters": 1, "too_short": 3, "unbroken_runs": 1,
    }  # fmt: skip
    assert ledger.removed["boilerplate_lines"] == (12, 12 * len(f"\n{FOOTER}".encode()))
    assert set(ledger.examples) >= {*ledger.dropped, *ledger.removed} - {"line_endings"}
    for rule, examples in ledger.examples.items():
        for example in examples:
            raw = json.loads(Path(example["source"]).read_text("utf-8").splitlines()[example["line"] - 1])["text"]
            if "excerpt" in example:
                assert example["excerpt"].rstrip("…").split("\n")[0] in raw + clean(raw)[0]
            else:
                assert rule in [change.rule for change in clean(raw)[1]]
                assert example["before"] != example["after"]
    copy = ledger.examples["exact_duplicate"][0]
    assert copy["same_as"]["line"] == copy["line"] - 1


@pytest.mark.usefixtures("here")
def test_boilerplate_stays_where_it_stands_first(tmp_path: Path) -> None:
    corpus = collect_texts(tmp_path, [f"{essay(number)}\n{FOOTER}" for number in range(12)])
    assert [FOOTER in document.text for document in documents(corpus)] == [True] + [False] * 11


@pytest.mark.usefixtures("here")
def test_copies_of_a_page_are_duplicates_and_not_boilerplate(tmp_path: Path) -> None:
    page = "\n".join(texts.SENTENCES[:10])
    quoting = f"{essay(1)}\n{texts.SENTENCES[0]}"
    corpus = collect_texts(tmp_path, [page] * 20 + [quoting])
    assert [document.text for document in documents(corpus)] == [page, quoting]
    assert corpus.ledger.dropped == {"exact_duplicate": (19, 19 * len(page.encode()))}


@pytest.mark.usefixtures("here")
def test_duplicates_across_files_are_found_and_none_is_on_both_sides(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": essay(n)}) + "\n" for n in range(30)))
    inputs = [str(tmp_path / f"{name}.jsonl") for name in ("a", "b", "c")]
    corpus = collect(inputs, CorpusConfig(held_out=0.3), tmp_path / "w", num_workers=1, progress=ignore)
    balanced(corpus)
    kept = documents(corpus)
    assert {document.source for document in kept} == {inputs[0]}
    assert len({document.identity for document in kept}) == len(kept) == 30
    assert corpus.ledger.split["overlap"] == 0
    assert {document.split for document in kept} == {"train", "held_out"}


@pytest.mark.usefixtures("here")
def test_the_language_filter_drops_by_its_name(tmp_path: Path) -> None:
    polish, english = (" ".join(texts.SENTENCES[start : start + 20]) for start in (0, 100))
    corpus = collect_texts(tmp_path, [polish, english, "Ala ma kota i psa."], languages=["pl"])
    assert [document.language for document in documents(corpus)] == ["pl", "und"]
    assert corpus.ledger.dropped == {"language": (1, len(english.encode()))}
    assert set(corpus.ledger.languages) == {"pl", "und"}


@pytest.mark.usefixtures("here")
def test_text_escaped_twice_raises_a_warning_with_samples_and_share(tmp_path: Path) -> None:
    escaped = [json.dumps(f'{essay(number)}\n„Żółw” rzekł: "tak"\nkoniec') for number in range(5)]
    corpus = collect_texts(tmp_path, [*escaped, *(essay(number) for number in range(10, 25))])
    (warning,) = corpus.ledger.warnings
    assert (warning.code, warning.evidence["share"], len(warning.evidence["samples"])) == ("double_escaped", 0.25, 3)
    assert "25.0%" in warning.message


@pytest.mark.usefixtures("here")
def test_rejected_records_are_counted_and_kept_verbatim(tmp_path: Path) -> None:
    bad = '{"text": "niedomknięty'
    (tmp_path / "a.jsonl").write_text(
        f"{json.dumps({'text': essay(1)})}\n{bad}\n{json.dumps({'text': essay(2)})}\n", "utf-8"
    )
    config = CorpusConfig(bad_lines="skip")
    corpus = collect([str(tmp_path / "a.jsonl")], config, tmp_path / "w", num_workers=1, progress=ignore)
    (record,) = [json.loads(line) for line in (tmp_path / "w" / "rejected.jsonl").read_text("utf-8").splitlines()]
    assert (record["line"], record["raw"]) == (2, bad)
    assert sum(corpus.ledger.rejected.values()) == 1
    assert [warning.code for warning in corpus.ledger.warnings] == ["rejected_records"]
    assert corpus.ledger.came_in[0] == 2


# --- too little -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_nothing_left_is_refused_with_the_numbers_by_rule(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        collect_texts(tmp_path, ["krótki", "też", "kup teraz tanio " * 60])
    assert str(refused.value) == (
        "corpus: no document is left of 3: too_short 2, repetition 1; "
        "look at the text, or turn a rule off with --corpus.rules-off=too_short"
    )
    assert not (tmp_path / "workspace" / "collected.json").exists()


@pytest.mark.usefixtures("here")
def test_documents_of_blanks_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no document is left of 2: empty 2"):
        collect_texts(tmp_path, [" \xa0", "\u200b"])


@pytest.mark.usefixtures("here")
def test_a_single_document_trains_and_the_warning_says_what_is_missing(tmp_path: Path) -> None:
    corpus = collect_texts(tmp_path, [essay(1)])
    assert [document.split for document in documents(corpus)] == ["train"]
    assert [warning.code for warning in corpus.ledger.warnings] == ["no_held_out"]


# --- the same result ------------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(tmp_path: Path) -> list[str]:
    """Several files with all that the rules know, a bad line in each, and enough text for several tasks."""
    folder = tmp_path / "teksty"
    folder.mkdir()
    for number in range(4):
        records = [*(f"{essay(40 * number + n, 30)}\n{FOOTER}" for n in range(40)), *HOSTILE, essay(7), essay(8, 60)]
        lines = "".join(json.dumps({"text": text}) + "\n" for text in records) + '{"text": "niedomknięty\n'
        (folder / f"{number}.jsonl").write_text(lines, encoding="utf-8")
    (folder / "proza.txt").write_text("\n\n".join(essay(n) for n in range(200, 230)), encoding="utf-8")
    return [str(folder)]


def kill_a_child(wanted: str, killed: list[int]) -> Callable[[Progress], None]:
    """Kill a worker process in the middle of the phase `wanted`."""

    def kill(progress: Progress) -> None:
        if progress.phase == wanted and 0 < progress.done < progress.total and not killed:
            time.sleep(0.02)  # until it is in the middle of its next task
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            killed.append(int(children[-1]))
            os.kill(killed[0], signal.SIGKILL)

    return kill


def test_the_files_are_the_same_for_one_worker_two_and_killed_ones(
    mixed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "_SMALLEST_TASK", 60_000)
    assert collect(mixed, CONFIG, tmp_path / "one", num_workers=1, progress=ignore).num_parts > 2
    expected = contents(tmp_path / "one")
    collect(mixed, CONFIG, tmp_path / "two", num_workers=2, progress=ignore)
    assert contents(tmp_path / "two") == expected
    for phase in ("clean", "judge"):
        killed: list[int] = []
        collect(mixed, CONFIG, tmp_path / phase, num_workers=2, progress=kill_a_child(phase, killed))
        assert len(killed) == 1
        assert contents(tmp_path / phase) == expected


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("piece", [1_000, 20_000, 10_000_000])
def test_the_documents_do_not_depend_on_how_the_work_is_cut(
    mixed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    whole = collect(mixed, CONFIG, tmp_path / "whole", num_workers=1, progress=ignore)
    monkeypatch.setattr(catalog, "_SMALLEST_TASK", piece)
    monkeypatch.setattr(reading, "PART_DOCUMENTS", 1 + piece // 500)
    cut = collect(mixed, CONFIG, tmp_path / "cut", num_workers=1, progress=ignore)
    assert cut.fingerprint == whole.fingerprint
    assert documents(cut) == documents(whole)
    assert cut.ledger == whole.ledger
    assert list(cut.sample(20_000)) == list(whole.sample(20_000))


@pytest.mark.usefixtures("here")
def test_a_setting_that_changes_the_result_changes_the_fingerprint(tmp_path: Path) -> None:
    found = [essay(number) for number in range(30)]
    first = collect_texts(tmp_path, found, held_out=0.1).fingerprint
    assert collect_texts(tmp_path, found, held_out=0.4).fingerprint != first
    assert collect_texts(tmp_path, found[1:], held_out=0.1).fingerprint != first
    assert collect_texts(tmp_path, found, held_out=0.1).fingerprint == first


# --- stopped and started again ---------------------------------------------------------------------------------------


class Stopped(BaseException):
    """As a kill: nothing catches it."""


def stop_after(reports: int) -> Callable[[Progress], None]:
    left = iter(range(reports))

    def stop(progress: Progress) -> None:
        if next(left, None) is None:
            raise Stopped

    return stop


@pytest.mark.usefixtures("here")
def test_stopped_at_any_report_the_same_call_ends_the_same(mixed: list[str], tmp_path: Path) -> None:
    seen: list[Progress] = []
    collect(mixed, CONFIG, tmp_path / "whole", num_workers=1, progress=seen.append)
    whole = contents(tmp_path / "whole")
    for moment in random.Random(3).sample(range(len(seen)), 8):
        with pytest.raises(Stopped):
            collect(mixed, CONFIG, tmp_path / str(moment), num_workers=1, progress=stop_after(moment))
        collect(mixed, CONFIG, tmp_path / str(moment), num_workers=1, progress=ignore)
        assert contents(tmp_path / str(moment)) == whole, moment


def test_killed_as_a_whole_the_same_call_ends_the_same(mixed: list[str], tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from osnowa.corpus import *\n"
        "collect(sys.argv[2:], CorpusConfig(bad_lines='skip'), Path(sys.argv[1]), num_workers=2,"
        " progress=lambda p: print(p, flush=True))"
    )
    collect(mixed, CONFIG, tmp_path / "whole", num_workers=1, progress=ignore)
    for reports in (3, 8):
        command = [sys.executable, "-c", code, str(tmp_path / "killed"), *mixed]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(reports):
                assert process.stdout.readline()
            process.kill()
    with pytest.raises(Exception, match=r"collected\.json"):
        open_corpus(tmp_path / "killed")
    collect(mixed, CONFIG, tmp_path / "killed", num_workers=2, progress=ignore)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@pytest.mark.usefixtures("here")
def test_finished_parts_are_not_made_again_and_damaged_ones_are(
    mixed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise Stopped

    monkeypatch.setattr(catalog, "_SMALLEST_TASK", 60_000)
    with monkeypatch.context() as stopped:
        stopped.setattr(pipeline, "split", stop)
        with pytest.raises(Stopped):
            collect(mixed, CONFIG, tmp_path / "w", num_workers=1, progress=ignore)
    made = {path.name: path.stat().st_ino for path in (tmp_path / "w" / "parts").iterdir()}
    damaged = tmp_path / "w" / "parts" / "00001.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    monkeypatch.setattr(reading, "read_documents", stop)  # nothing is read again
    collect(mixed, CONFIG, tmp_path / "w", num_workers=2, progress=ignore)
    again = {path.name: path.stat().st_ino for path in (tmp_path / "w" / "parts").iterdir()}
    assert [name for name in made if made[name] != again[name]] == [damaged.name]


@pytest.mark.usefixtures("here")
def test_a_corpus_that_is_being_replaced_is_not_mistaken_for_the_new_one(mixed: list[str], tmp_path: Path) -> None:
    collect(mixed, CONFIG, tmp_path / "w", num_workers=1, progress=ignore)
    with pytest.raises(Stopped):
        collect(mixed, CONFIG.changed(held_out=0.3), tmp_path / "w", num_workers=1, progress=stop_after(3))
    with pytest.raises(InputMissingError):
        open_corpus(tmp_path / "w")


@pytest.mark.usefixtures("here")
def test_a_finished_corpus_is_returned_as_it_is(mixed: list[str], tmp_path: Path) -> None:
    first = collect(mixed, CONFIG, tmp_path / "w", num_workers=1, progress=ignore)
    phases: list[str] = []
    again = collect(mixed, CONFIG, tmp_path / "w", num_workers=1, progress=lambda p: phases.append(p.phase))
    assert again == first == open_corpus(tmp_path / "w")
    assert set(phases) == {"survey"}


@pytest.mark.usefixtures("here")
def test_an_input_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(essay(1), encoding="utf-8")
    status = os.stat(tmp_path / "a.txt")

    def change(progress: Progress) -> None:
        if progress.phase == "clean":
            (tmp_path / "a.txt").write_bytes(essay(1).upper().encode()[: status.st_size].ljust(status.st_size))
            os.utime(tmp_path / "a.txt", ns=(status.st_atime_ns, status.st_mtime_ns))

    with pytest.raises(DataError, match=r"a\.txt: changed while it was being read"):
        collect([str(tmp_path / "a.txt")], CorpusConfig(), tmp_path / "w", num_workers=1, progress=change)
    assert not (tmp_path / "w" / "collected.json").exists()


@pytest.mark.usefixtures("here")
def test_a_full_disk_stops_with_what_is_done_and_goes_on_when_there_is_space(
    mixed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from osnowa.files import system

    collect(mixed, CONFIG, tmp_path / "whole", num_workers=1, progress=ignore)
    write, space = system.write, 0

    def limited(descriptor: int, data: memoryview) -> int:
        nonlocal space
        space -= len(data)
        if space < 0:
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    for space in (100, 5_000, 300_000, 600_000):  # noqa: B007  # read by `limited`
        with monkeypatch.context() as full:
            full.setattr(system, "write", limited)
            with pytest.raises(StorageError, match="no space left"):
                collect(mixed, CONFIG, tmp_path / "w", num_workers=1, progress=ignore)
        assert not (tmp_path / "w" / "collected.json").exists()
    collect(mixed, CONFIG, tmp_path / "w", num_workers=1, progress=ignore)
    assert contents(tmp_path / "w") == contents(tmp_path / "whole")
