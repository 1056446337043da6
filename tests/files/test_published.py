"""Published folders: whole or not there, and every later change in them is found and named."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from disk_cases import NEW, OLD, publish, published
from osnowa import files
from osnowa.errors import CannotCreateError, DamagedError, InputMissingError, OsnowaError, SettingsError
from osnowa.files.sealed import own_hash


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    publish(tmp_path / "step-7", NEW)
    return tmp_path / "step-7"


# --- publishing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cel", "ze spacją", "zażółć gęślą jaźń", "[a-z]*?", "a.tmp-", "-rf", "x" * 200])
def test_any_name_can_be_published_replaced_and_cleaned(tmp_path: Path, name: str) -> None:
    publish(tmp_path / name, OLD)
    publish(tmp_path / name, NEW)
    assert files.clean_leftovers(tmp_path) == []
    assert published(tmp_path / name) == NEW
    assert os.listdir(tmp_path) == [name]


def test_the_manifest_tells_sizes_checksums_and_facts(tmp_path: Path) -> None:
    with files.publish(tmp_path / "cel", {"krok": 7, "osie": {2: "b", 10: "a"}}) as work:
        files.write(work / "abc", "abc")
    manifest = files.verify(tmp_path / "cel")
    assert manifest.files == {"abc": (3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")}
    assert manifest.facts == {"krok": 7, "osie": {"2": "b", "10": "a"}}


def test_the_same_content_gives_the_same_manifest(tmp_path: Path) -> None:
    for name in ("one", "two"):
        publish(tmp_path / name, NEW)
    assert (tmp_path / "one/MANIFEST.json").read_bytes() == (tmp_path / "two/MANIFEST.json").read_bytes()


def test_a_block_that_fails_leaves_nothing_and_its_own_error_passes(tmp_path: Path) -> None:
    for error in (KeyboardInterrupt(), RuntimeError("mine"), BrokenPipeError(32, "Broken pipe")):
        with pytest.raises(type(error)) as caught, files.publish(tmp_path / "new/cel") as work:  # noqa: PT012
            files.write(work / "a", "x")
            raise error
        assert caught.value is error
        assert os.listdir(tmp_path / "new") == []


def test_an_input_that_can_not_be_read_inside_the_block_is_not_blamed_on_the_target(tmp_path: Path) -> None:
    missing = tmp_path / "corpus.txt"
    with pytest.raises(InputMissingError, match=r"corpus\.txt: no such file"), files.publish(tmp_path / "cel"):
        missing.open()


def test_a_library_that_writes_by_itself_inside_the_block_gets_our_errors(tmp_path: Path) -> None:
    with pytest.raises(CannotCreateError, match=r"cel/no/file: .*folder is not there"):  # noqa: SIM117
        with files.publish(tmp_path / "cel") as work:
            (work / "no/file").open("wb")


def test_publish_refuses_a_file_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "cel").write_text("mine")
    with pytest.raises(CannotCreateError, match="is a file, not a folder; choose another --out"):
        files.publish(tmp_path / "cel").__enter__()
    assert (tmp_path / "cel").read_text() == "mine"
    assert os.listdir(tmp_path) == ["cel"]


def test_publish_never_replaces_a_folder_with_files_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "Documents").mkdir()
    (tmp_path / "Documents/thesis.odt").write_text("mine")
    with pytest.raises(CannotCreateError, match=r"holds 'thesis\.odt', which osnowa did not write"):
        publish(tmp_path / "Documents", NEW)
    assert (tmp_path / "Documents/thesis.odt").read_text() == "mine"
    assert os.listdir(tmp_path) == ["Documents"]


def test_publish_replaces_an_empty_folder_and_a_damaged_one_of_ours(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    publish(tmp_path / "empty", NEW)
    assert published(tmp_path / "empty") == NEW
    (folder / files.MANIFEST).unlink()
    publish(folder, NEW)
    assert published(folder) == NEW


def test_publish_replaces_a_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    publish(tmp_path / "elsewhere", OLD)
    (tmp_path / "cel").symlink_to(tmp_path / "elsewhere")
    publish(tmp_path / "cel", NEW)
    assert published(tmp_path / "elsewhere") == OLD
    assert published(tmp_path / "cel") == NEW
    assert not (tmp_path / "cel").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["cel", "elsewhere"]


def test_a_link_is_never_published(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="is a link"), files.publish(tmp_path / "cel") as work:
        (work / "link").symlink_to(tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_published_folder_may_be_copied_or_moved(tmp_path: Path, folder: Path) -> None:
    folder.rename(tmp_path / "gdzie indziej")
    assert published(tmp_path / "gdzie indziej") == NEW


# --- what verify finds ------------------------------------------------------------------------------------------


def test_every_flipped_bit_is_found_and_the_file_named(folder: Path) -> None:
    draw = random.Random(7)
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    sizes = [path.stat().st_size for path in paths]
    for _ in range(300):
        path = draw.choice(paths) if draw.random() < 0.5 else draw.choices(paths, sizes)[0]
        sound = path.read_bytes()
        place, bit = draw.randrange(len(sound)), draw.randrange(8)
        flipped = bytearray(sound)
        flipped[place] ^= 1 << bit
        path.write_bytes(flipped)
        with pytest.raises(DamagedError) as caught:
            files.verify(folder)
        assert caught.value.where == str(path), (path.name, place, bit)
        path.write_bytes(sound)
    files.verify(folder)


def test_no_byte_of_the_manifest_may_differ(folder: Path) -> None:
    path = folder / files.MANIFEST
    sound = path.read_bytes()
    for place in range(len(sound)):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ (1 << place % 8)]) + sound[place + 1 :])
        with pytest.raises(DamagedError):
            files.read_manifest(folder)


@pytest.mark.parametrize("name", ["a.txt", "weights.bin", "deep/er/c.json", files.MANIFEST])
@pytest.mark.parametrize("left", [0, 1, 0.5, -1])
def test_a_truncated_file_is_found(folder: Path, name: str, left: float) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(len(content) * left) if left == 0.5 else int(left)])
    with pytest.raises(DamagedError) as caught:
        files.verify(folder)
    assert caught.value.where == str(folder / name)
    assert caught.value.exit_code == 65


def test_a_truncated_file_is_told_with_both_sizes(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"short")
    with pytest.raises(DamagedError) as caught:
        files.verify(folder)
    assert str(caught.value) == (
        f"{folder}/weights.bin: has 5 bytes, the manifest says 5000; step-7 is not used"
    )  # fmt: skip


@pytest.mark.parametrize("name", ["a.txt", "weights.bin", "deep/er/c.json"])
def test_a_deleted_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DamagedError, match="is missing") as caught:
        files.verify(folder)
    assert caught.value.where == str(folder / name)


def test_a_folder_without_manifest_is_not_there(folder: Path) -> None:
    (folder / files.MANIFEST).unlink()
    with pytest.raises(DamagedError, match=r"step-7: has no MANIFEST\.json, so it was never finished"):
        files.verify(folder)
    with pytest.raises(DamagedError, match="never finished"):
        files.verify(folder / "no such folder")


@pytest.mark.parametrize("name", ["extra", "deep/extra", "deep/MANIFEST.json"])
def test_an_extra_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_text("x")
    with pytest.raises(DamagedError, match="is not in the manifest; remove it") as caught:
        files.verify(folder)
    assert caught.value.where == str(folder / name)


def test_swapped_files_are_found(tmp_path: Path, folder: Path) -> None:
    publish(tmp_path / "step-8", {**NEW, "weights.bin": b"\x03" * 5000})
    (tmp_path / "step-8/weights.bin").rename(folder / "weights.bin")
    with pytest.raises(DamagedError, match="does not match its SHA-256") as caught:
        files.verify(folder)
    assert caught.value.where == str(folder / "weights.bin")


def test_a_manifest_of_another_folder_is_found(tmp_path: Path, folder: Path) -> None:
    publish(tmp_path / "step-8", OLD)
    (tmp_path / "step-8/MANIFEST.json").rename(folder / files.MANIFEST)
    with pytest.raises(DamagedError):
        files.verify(folder)


@pytest.mark.parametrize("what", ["link to the same bytes", "link", "dangling", "pipe", "folder"])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, folder: Path, what: str) -> None:
    path = folder / "a.txt"
    path.rename(tmp_path / "same")
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to({"link": folder / "weights.bin", "dangling": "nowhere"}.get(what, tmp_path / "same"))
    with pytest.raises(DamagedError, match=r"is not a plain file|is missing") as caught:
        files.verify(folder)
    assert caught.value.where == str(path)


def test_a_bad_sector_is_damage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(path: Path) -> str:
        raise files.translate(OSError(5, "Input/output error"), path)

    monkeypatch.setattr(files.published, "sha256", unreadable)  # type: ignore[attr-defined]
    with pytest.raises(DamagedError, match=r"a\.txt: input/output error"):
        files.verify(folder)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b'{"own": []}'])
def test_a_manifest_that_is_something_else_is_damage(folder: Path, content: bytes) -> None:
    (folder / files.MANIFEST).write_bytes(content)
    with pytest.raises(DamagedError, match=r"MANIFEST\.json: is damaged"):
        files.verify(folder)


@pytest.mark.parametrize(
    "change",
    [{"files": None}, {"files": {"a.txt": "x"}}, {"files": {"a.txt": ["x", 1]}}, {"format": "1"}, {"facts": 3}],
)
def test_a_manifest_with_a_sound_checksum_and_nonsense_in_it_is_refused(
    folder: Path, change: dict[str, object]
) -> None:
    """Somebody made it so: no traceback, and nothing outside the folder is looked at."""
    body = {**json.loads((folder / files.MANIFEST).read_bytes()), **change}
    body["own"] = own_hash(body)
    (folder / files.MANIFEST).write_text(files.json_text(body), encoding="utf-8")
    with pytest.raises(OsnowaError):
        files.verify(folder)


def test_a_newer_format_is_told_and_not_called_damage(folder: Path) -> None:
    body = {**json.loads((folder / files.MANIFEST).read_bytes()), "format": 2}
    body["own"] = own_hash(body)
    (folder / files.MANIFEST).write_text(json.dumps(body))
    with pytest.raises(SettingsError, match="has format 2, this osnowa reads up to 1; use the osnowa that wrote it"):
        files.verify(folder)


# --- leftovers --------------------------------------------------------------------------------------------------


def test_leftovers_of_dead_processes_go_and_everything_else_stays(tmp_path: Path, folder: Path) -> None:
    for name in ("a.tmp-123-1", "ż [x]*.tmp-1-1", "step-7.old-55-1", "a.json.old-9-1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "content").write_text("x")
    (tmp_path / "b.json.tmp-77-1").write_text("x")
    (tmp_path / "a").mkdir()
    (tmp_path / "a.json").write_text("x")
    stays = ["notes.tmp-old.txt", "x.tmp-12a-1", "x.tmp-12", ".tmp-3-1", "tmp-4-1", "a.tmp", "a.bak-3"]
    for name in stays:
        (tmp_path / name).write_text("mine")
    removed = files.clean_leftovers(tmp_path)
    assert removed == sorted(["a.tmp-123-1", "ż [x]*.tmp-1-1", "step-7.old-55-1", "a.json.old-9-1", "b.json.tmp-77-1"])
    assert sorted(os.listdir(tmp_path)) == sorted([*stays, "a", "a.json", "step-7"])
    assert files.clean_leftovers(tmp_path / "not there") == []


def test_leftovers_below_are_found_but_published_folders_and_links_are_left_alone(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "run/checkpoints/step-1.tmp-5-1/deep").mkdir(parents=True)
    (tmp_path / "run/data.json.tmp-5-2").write_text("x")
    (tmp_path / "run/elsewhere").symlink_to(tmp_path / "other")
    (tmp_path / "other/a.tmp-5-3").mkdir(parents=True)
    folder.rename(tmp_path / "run/model")
    (tmp_path / "run/model/a.tmp-5-4").write_text("stays, so that verify names it")
    assert files.clean_leftovers(tmp_path / "run") == ["data.json.tmp-5-2", "checkpoints/step-1.tmp-5-1"]
    assert sorted(os.listdir(tmp_path / "run")) == ["checkpoints", "elsewhere", "model"]
    assert os.listdir(tmp_path / "run/checkpoints") == []
    assert os.listdir(tmp_path / "other") == ["a.tmp-5-3"]
    with pytest.raises(DamagedError, match="not in the manifest"):
        files.verify(tmp_path / "run/model")


def test_a_leftover_that_is_a_link_does_not_lead_outside(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "x.tmp-5-1").symlink_to(folder)
    assert files.clean_leftovers(tmp_path) == ["x.tmp-5-1"]
    assert published(folder) == NEW


@pytest.mark.parametrize("fresh", ["whole", "not sealed", "torn", "none"])
def test_a_swap_cut_short_is_finished_with_the_newest_whole_content(tmp_path: Path, fresh: str) -> None:
    """On file systems that can't exchange names there is a moment without `final`."""
    final, old, new = tmp_path / "cel", tmp_path / "cel.old-41-1", tmp_path / "cel.tmp-41-1"
    publish(final, OLD)
    final.rename(old)
    if fresh != "none":
        publish(final, NEW)
        final.rename(new)
    if fresh == "not sealed":
        (new / files.MANIFEST).unlink()
    if fresh == "torn":
        (new / "weights.bin").write_bytes(b"\x02" * 4000)
    files.clean_leftovers(tmp_path)
    assert published(final) == (NEW if fresh == "whole" else OLD)
    assert os.listdir(tmp_path) == ["cel"]


def test_an_older_leftover_of_another_process_is_not_taken_for_the_new_content(tmp_path: Path) -> None:
    final = tmp_path / "cel"
    publish(final, {"a.txt": b"abandoned long ago"})
    final.rename(tmp_path / "cel.tmp-40-1")
    publish(final, OLD)
    final.rename(tmp_path / "cel.old-41-1")
    files.clean_leftovers(tmp_path)
    assert published(final) == OLD


def test_what_a_living_process_writes_stays_until_it_is_killed(tmp_path: Path, start_child: Callable[..., int]) -> None:
    ready, told = os.pipe()

    def body() -> None:
        with files.publish(tmp_path / "cel") as work:
            files.write(work / "a", "x")
            os.write(told, b"!")
            signal.pause()

    child = start_child(body)
    assert os.read(ready, 1) == b"!"
    assert files.clean_leftovers(tmp_path) == []
    (name,) = os.listdir(tmp_path)
    assert name.startswith(f"cel.tmp-{child}-")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert files.clean_leftovers(tmp_path) == [name]
    assert os.listdir(tmp_path) == []


def test_a_living_process_publishes_while_another_one_cleans_all_the_time(
    tmp_path: Path, start_child: Callable[..., int]
) -> None:
    def clean() -> None:
        while not (tmp_path / "stop").exists():
            files.clean_leftovers(tmp_path)

    child = start_child(clean)
    try:
        for step in range(50):
            publish(tmp_path / "cel", NEW if step % 2 else OLD)
            assert published(tmp_path / "cel") == (NEW if step % 2 else OLD)
    finally:
        (tmp_path / "stop").write_text("")
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0


def test_several_may_clean_at_once(tmp_path: Path, start_child: Callable[..., int]) -> None:
    for index in range(60):
        files.make_folder(tmp_path / f"x{index}.tmp-{index}-1/a/b")
        (tmp_path / f"x{index}.tmp-{index}-1/a/c").write_text("x")
    children = [start_child(lambda: files.clean_leftovers(tmp_path) and None) for _ in range(4)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0, 0]
    assert os.listdir(tmp_path) == []
