"""Single files and folders: replaced whole, removed without traces, read with clear errors."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from osnowa import files
from osnowa.errors import CannotCreateError, DamagedError, InputMissingError, StorageError
from osnowa.files import system

NAMES = ["plain", "ze spacją", "zażółć gęślą jaźń", "[a-z]*?", "a.tmp-", "-rf", "#%&=;'\"$(x)", "x" * 200]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_can_be_written_replaced_and_removed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    files.write(path, "jeden")
    files.write(path, b"dwa")
    assert path.read_bytes() == b"dwa"
    assert os.listdir(tmp_path) == [name]
    files.remove(path)
    assert os.listdir(tmp_path) == []


def test_write_keeps_the_permissions_that_the_user_asked_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_write_replaces_a_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(precious)
    files.write(link, "new")
    assert precious.read_text() == "mine"
    assert not link.is_symlink()
    assert link.read_text() == "new"


def test_write_refuses_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/inside").write_text("mine")
    with pytest.raises(CannotCreateError, match=r"folder: can't be written \(Is a directory\)"):
        files.write(tmp_path / "folder", "x")
    assert (tmp_path / "folder/inside").read_text() == "mine"


def test_write_into_a_missing_folder_names_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(CannotCreateError) as caught:
        files.write(tmp_path / "no/such/file", "x")
    assert str(caught.value) == (
        f"{tmp_path}/no/such/file: can't be written, its folder is not there; the nearest existing folder is {tmp_path}"
    )


def test_write_under_a_file_is_a_cannot_create_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CannotCreateError, match="Not a directory"):
        files.write(tmp_path / "file/below", "x")
    with pytest.raises(CannotCreateError, match="Not a directory"):
        files.make_folder(tmp_path / "file")


def test_an_interrupted_write_leaves_no_work_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(system, "sync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write(tmp_path / "file", "x")
    assert os.listdir(tmp_path) == []


def test_json_is_readable_by_people_and_comes_back_equal(tmp_path: Path) -> None:
    value = {"nazwa": "zażółć", "liczby": [1, 2.5, None, True], "plik": "nie-utf8-\udcff"}
    files.write_json(tmp_path / "x.json", value)
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert '"zażółć"' in text
    assert text.endswith("}\n")
    assert files.read_json(tmp_path / "x.json") == value


def test_json_has_no_number_that_is_not_one() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.json_text({"loss": float("nan")})


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"{'a': 1}", b"[" * 100_000], ids=lambda c: repr(c[:8]))
def test_json_that_is_none_is_damage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(DamagedError, match=r"x\.json: is not readable JSON"):
        files.read_json(tmp_path / "x.json")


def test_reading_what_is_not_there_names_the_nearest_folder(tmp_path: Path) -> None:
    expected = f"{tmp_path}/no/x.json: no such file or folder; the nearest existing folder is {tmp_path}"
    for read in (files.read_json, files.sha256):
        with pytest.raises(InputMissingError) as caught:
            read(tmp_path / "no/x.json")
        assert str(caught.value) == expected


def test_reading_a_folder_as_a_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match=r"can't be read \(Is a directory\); check its permissions"):
        files.sha256(tmp_path)


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EACCES, InputMissingError), (errno.ENOENT, InputMissingError), (errno.EIO, StorageError)],
)
def test_reading_errors_are_told_from_writing_errors(number: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="corpus"), files.reading_errors(Path("corpus")):
        raise OSError(number, os.strerror(number))


def test_the_checksum_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert files.sha256(tmp_path / "abc") == expected


def test_remove_of_nothing_is_fine(tmp_path: Path) -> None:
    files.remove(tmp_path / "nothing")
    files.remove(tmp_path / "no/thing")


def test_remove_does_not_follow_links(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "mine").write_text("x")
    doomed = tmp_path / "doomed"
    doomed.mkdir()
    (doomed / "link").symlink_to(precious)
    (doomed / "dangling").symlink_to("nowhere")
    (tmp_path / "top").symlink_to(precious)
    files.remove(doomed)
    files.remove(tmp_path / "top")
    assert os.listdir(tmp_path) == ["precious"]
    assert os.listdir(precious) == ["mine"]


def test_make_folder_makes_what_is_missing_above_and_takes_what_is_there(tmp_path: Path) -> None:
    assert files.make_folder(tmp_path / "a/b/c") == tmp_path / "a/b/c"
    files.make_folder(tmp_path / "a/b/c")
    assert (tmp_path / "a/b/c").is_dir()


def test_a_new_folder_is_synced_into_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr(system, "sync", lambda number: synced.append(os.readlink(f"/proc/self/fd/{number}")))
    files.make_folder(tmp_path / "a/b")
    assert synced == [str(tmp_path), str(tmp_path / "a")]


def test_relative_paths_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files.write(Path("file"), "x")
    files.make_folder(Path("folder/below"))
    with files.publish(Path("cel")) as work:
        files.write(work / "a", "x")
    assert sorted(os.listdir()) == ["cel", "file", "folder"]
    assert files.verify(Path("cel")).files.keys() == {"a"}


def test_free_space_is_told_also_for_a_folder_to_come(tmp_path: Path) -> None:
    assert files.free_bytes(tmp_path / "not/yet") > 0
    assert abs(files.free_bytes(tmp_path / "not/yet") - files.free_bytes(tmp_path)) < 1 << 30


def test_an_error_names_the_file_of_the_system_when_it_knows_one() -> None:
    error = files.translate(OSError(errno.EACCES, "Permission denied", "RUN/model.tmp-12-3/config.json"), Path("RUN"))
    assert str(error) == "RUN/model/config.json: can't be written (Permission denied); choose another --out"


def test_a_streamed_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with files.replacing(path) as handle:
        handle.write(b"new ")
        assert path.read_bytes() == b"old"
        handle.write(b"content")
    assert path.read_bytes() == b"new content"

    def fail() -> None:
        with files.replacing(path) as handle:
            handle.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"new content"
    assert os.listdir(tmp_path) == ["file"]
