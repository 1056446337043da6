"""Inputs to sources: order, kinds, what is passed over, and the problems that stop before any work (A1-A3, A18, A19)."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from reading import read, read_text

from osnowa.corpus.config import CorpusConfig
from osnowa.corpus.sources import Source, check_unchanged, find_sources
from osnowa.errors import DataError, InputMissingError, SettingsError, UsageError


def names(*inputs: object, workspace: Path, **settings: object) -> list[str]:
    return [s.name for s in find_sources([str(i) for i in inputs], CorpusConfig.read("corpus", settings), workspace)]


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that another user may look into (pytest's own is closed to them)."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Permissions mean nothing to the superuser, so step down for a while."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


# --- A1: nothing in it


@pytest.mark.parametrize("content", [b"", b" \n\t\r\n ", b"\xef\xbb\xbf\n", b"\xff\xfe \x00\n\x00"])
def test_a_file_of_nothing_but_white_space_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.txt: (is empty|holds nothing but white space)"):
        read_text(tmp_path, content)
    assert not (tmp_path / "workspace").exists()


def test_an_empty_folder_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "puste").mkdir()
    with pytest.raises(DataError, match="puste: is an empty folder"):
        read(tmp_path / "puste")


def test_a_folder_without_text_says_what_was_passed_over(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.pdf").write_bytes(b"x")
    (tmp_path / "d" / "b.txt").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 empty, 1 unknown extension \.pdf.*\.jsonl"):
        read(tmp_path / "d")


def test_an_empty_file_among_others_is_counted(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.txt").write_text("")
    (folder / "b.txt").write_text("Tekst.")
    outcome = read(folder)
    assert outcome.texts == ["Tekst."]
    assert outcome.skipped == {"empty": 1}


# --- A2: not there


def test_a_missing_path_names_the_nearest_folder(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=rf"no such file or folder; the nearest existing folder is {tmp_path}$"):
        read(tmp_path / "brak" / "a.txt")


def test_a_dangling_link_names_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "l.txt").symlink_to("nowhere.txt")
    with pytest.raises(InputMissingError, match=r"is a link to nowhere\.txt, which does not exist"):
        read(tmp_path / "l.txt")


def test_several_problems_are_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "e.txt").touch()
    with pytest.raises(InputMissingError) as caught:
        names(tmp_path / "e.txt", tmp_path / "x", tmp_path / "y", workspace=tmp_path / "w")
    assert f"{tmp_path / 'x'}: no such file or folder (and 1 more: {tmp_path / 'y'})" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_device_is_no_input(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="is neither a file nor a folder"):
        names("/dev/zero", workspace=tmp_path)


def test_no_input_at_all_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="TEXT"):
        names(workspace=tmp_path)


def test_an_unknown_encoding_is_a_settings_error_before_anything_is_read(tmp_path: Path) -> None:
    for name in ("cp12500", "base64", "rot13"):
        with pytest.raises(SettingsError, match=r"corpus\.encoding"):
            names(tmp_path / "brak", workspace=tmp_path, encoding=name)


# --- A3: not readable


def test_one_unreadable_file_of_many_stops_and_is_listed(elsewhere: Path) -> None:
    for number in range(10):
        (elsewhere / f"{number}.txt").write_text("Tekst.")
    (elsewhere / "3.txt").chmod(0)
    with (
        unprivileged(),
        pytest.raises(InputMissingError, match=r"3\.txt: can't be read \(Permission denied\).*--skip-unr"),
    ):
        names(elsewhere, workspace=elsewhere / "w")
    with unprivileged():
        sources = find_sources([str(elsewhere)], CorpusConfig(skip_unreadable=True), elsewhere / "w")
    assert len(sources) == 9
    assert [(entry.reason, entry.files) for entry in sources.skipped] == [("unreadable", 1)]
    assert sources.skipped[0].examples == (str(elsewhere / "3.txt"),)


def test_a_link_that_leads_nowhere_inside_a_folder_counts_as_unreadable(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.txt").write_text("Tekst.")
    (folder / "b.txt").symlink_to("b.txt")
    with pytest.raises(InputMissingError, match=r"b\.txt: can't be read"):
        read(folder)
    assert read(folder, skip_unreadable=True).skipped == {"unreadable": 1}


# --- order and kinds


def test_folders_are_walked_in_the_order_of_their_components(tmp_path: Path) -> None:
    for name in ("b/a.txt", "a-b.txt", "a/z.txt", "a/b/c.txt", "B.txt", "ą.txt"):
        (tmp_path / "d" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / name).write_text("Tekst.")
    found = [os.path.relpath(name, tmp_path / "d") for name in names(tmp_path / "d", workspace=tmp_path / "w")]
    assert found == ["B.txt", "a/b/c.txt", "a/z.txt", "a-b.txt", "b/a.txt", "ą.txt"]


def test_relative_paths_stay_relative_in_names_and_absolute_for_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.txt").write_text("Tekst.")
    (source,) = find_sources(["d"], CorpusConfig(), tmp_path / "w")
    assert (source.name, source.path) == ("d/a.txt", str(tmp_path / "d" / "a.txt"))


def test_extensions_decide_and_unknown_ones_are_counted_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    for name in (
        "a.TXT",
        "b.md",
        "c.html",
        "d.jsonl",
        "e.json",
        "f.csv",
        "g.tsv",
        "h.parquet",
        "i.txt.gz",
        "j.exe",
        "k",
    ):
        (folder / name).write_bytes(b"x")
    (folder / ".hidden.txt").write_text("x")
    (folder / "i.txt.gz").unlink()
    sources = find_sources([str(folder)], CorpusConfig(), tmp_path / "w")
    assert [source.format for source in sources] == [
        "text",
        "markdown",
        "html",
        "jsonl",
        "json",
        "csv",
        "tsv",
        "parquet",
    ]
    assert {e.reason: e.files for e in sources.skipped} == {
        "hidden": 1, "unknown extension": 1, "unknown extension .exe": 1,
    }  # fmt: skip


def test_a_file_named_explicitly_is_read_as_text_whatever_its_extension(tmp_path: Path) -> None:
    assert read_text(tmp_path, "Tekst bez rozszerzenia.", "README").texts == ["Tekst bez rozszerzenia."]


def test_a_file_met_twice_is_read_once(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.txt").write_text("Tekst.")
    (folder / "b.txt").symlink_to("a.txt")
    outcome = read(folder, folder / "a.txt", f"{folder}/.")
    assert outcome.texts == ["Tekst."]
    assert outcome.skipped == {"given twice": 2, "folder met before": 1}


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    (folder / "e").mkdir(parents=True)
    (folder / "e" / "up").symlink_to("..")
    (folder / "a.txt").write_text("Tekst.")
    assert read(folder).skipped == {"folder met before": 1}


def test_run_folders_and_the_workspace_are_never_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Tekst.")
    for folder, lock in (("run", "run.lock"), ("model", "MANIFEST.json"), ("work", None)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "b.txt").write_text("Nie czytać.")
        if lock:
            (tmp_path / folder / lock).touch()
    outcome = read(tmp_path, workspace=tmp_path / "work")
    assert outcome.texts == ["Tekst."]
    assert outcome.skipped == {"folder of osnowa's own": 3}


def test_names_that_are_no_utf8_are_read_and_shown_in_full(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    path = os.fsencode(folder) + b"/\xb3\n.txt"
    with open(path, "wb") as handle:
        handle.write(b"Tekst.")
    outcome = read(folder)
    assert outcome.sources[0].name == f"{folder}/\\xb3\\x0a.txt"
    assert outcome.texts == ["Tekst."]


def test_sources_survive_json(tmp_path: Path) -> None:
    source = Source("ż", "zip_member", "/a\udcff", "b", "text", "gz", 1, 2)
    text = json.dumps(source.as_dict(), ensure_ascii=False).encode()
    assert Source.from_dict(json.loads(text)) == source


# --- A18: many files


def test_many_tiny_files_need_few_open_files(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    folder = tmp_path / "d"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number:03}.txt").write_text(f"Plik {number}.")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 10, hard))
    try:
        outcome = read(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert outcome.texts == [f"Plik {number}." for number in range(300)]


# --- A19: changed meanwhile


def test_a_file_that_grew_changed_or_went_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Tekst.")
    (source,) = find_sources([str(path)], CorpusConfig(), tmp_path / "w")
    check_unchanged(source)
    os.utime(path, ns=(0, source.mtime_ns + 1))
    with pytest.raises(DataError, match=r"a\.txt: changed while it was being read"):
        check_unchanged(source)
    path.write_text("Tekst i więcej.")
    os.utime(path, ns=(0, source.mtime_ns))
    with pytest.raises(DataError, match="changed"):
        check_unchanged(source)
    path.unlink()
    with pytest.raises(DataError, match="disappeared"):
        check_unchanged(source)


# --- standard input, pipes, samples, hub


def feed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


def test_standard_input_is_text_under_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, "Zażółć.\n".encode())
    outcome = read("-", workspace=tmp_path / "w")
    assert outcome.texts == ["Zażółć."]
    assert (outcome.sources[0].name, outcome.sources[0].kind) == ("<stdin>", "spooled")


def test_standard_input_may_be_packed_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, gzip.compress(b'{"text": "Jeden."}\n{"text": "Dwa."}\n'))
    assert read("-", workspace=tmp_path / "w").texts == ["Jeden.", "Dwa."]


def test_empty_standard_input_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, b" \n")
    with pytest.raises(DataError, match="<stdin>: holds nothing but white space"):
        read("-", workspace=tmp_path / "w")
    assert not list((tmp_path / "w" / "inputs").iterdir())


def test_nothing_is_spooled_when_another_input_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, b"Tekst.")
    with pytest.raises(InputMissingError):
        read("-", tmp_path / "brak", workspace=tmp_path / "w")
    assert sys.stdin.buffer.tell() == 0
    assert not (tmp_path / "w").exists()


def test_a_named_pipe_is_read_like_standard_input(tmp_path: Path) -> None:
    pipe = tmp_path / "rura"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("Z rury."))
    writer.start()
    outcome = read(pipe)
    writer.join()
    assert outcome.texts == ["Z rury."]


def test_an_unknown_sample_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is python-docs"):
        names("sample:wikipedia", workspace=tmp_path)


@pytest.mark.parametrize("address", ["hf://models/a", "hf://datasets/", "hf://datasets/a/b/c/d"])
def test_a_wrong_hub_address_is_a_usage_error(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError, match="hf://datasets/OWNER/NAME"):
        names(address, workspace=tmp_path)


def test_the_hub_without_its_package_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(
        InputMissingError, match=r"needs the package datasets; install it with: pip install 'osnowa\[hub\]'"
    ):
        names("hf://datasets/a/b", workspace=tmp_path)


def test_hub_records_become_a_source_of_their_strings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def load_dataset(name: str, config: str | None, *, split: str, streaming: bool) -> list[dict[str, object]]:
        asked.append((name, config, split, streaming))
        return [{"id": 1, "text": "Pierwszy \ud800 tekst."}, {"id": 2, "text": "Drugi."}]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    outcome = read("hf://datasets/a/b/pl", workspace=tmp_path / "w")
    assert asked == [("a/b", "pl", "train", True)]
    assert outcome.texts == ["Pierwszy \ud800 tekst.", "Drugi."]
    assert outcome.sources[0].kind == "hub"


def test_the_hub_out_of_reach_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach\nthe hub")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(InputMissingError) as caught:
        names("hf://datasets/a", workspace=tmp_path)
    assert str(caught.value).startswith("hf://datasets/a: can't be read from the hub (Couldn't reach the hub)")
