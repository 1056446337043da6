"""Compressed files and archives: same documents as unpacked, and nothing hostile gets through (A15)."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from reading import LONG, read, read_text

from osnowa.errors import DataError

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": zstandard.ZstdCompressor().compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
}
FORMATS = list(PACK)


@pytest.mark.parametrize("form", FORMATS)
def test_packed_text_is_the_same_text(tmp_path: Path, form: str) -> None:
    text = LONG * 3000
    plain = read_text(tmp_path, text, "plain.txt")
    packed = read_text(tmp_path, PACK[form](text.encode()), f"a.txt.{form}")
    assert packed.texts == plain.texts
    assert [d.line for d in packed.documents] == [d.line for d in plain.documents]
    assert packed.surveys[0].characters == len(text)


@pytest.mark.parametrize("form", FORMATS)
def test_frames_one_after_another_are_one_text(tmp_path: Path, form: str) -> None:
    data = PACK[form](b"Raz. ") + PACK[form](b"Dwa.")
    assert read_text(tmp_path, data, f"a.txt.{form}").texts == ["Raz. Dwa."]


@pytest.mark.parametrize("form", ["gz", "xz"])
def test_zero_padding_after_a_frame_is_allowed(tmp_path: Path, form: str) -> None:
    data = PACK[form](b"Raz. ") + bytes(8) + PACK[form](b"Dwa.") + bytes(512)
    assert read_text(tmp_path, data, f"a.txt.{form}").texts == ["Raz. Dwa."]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_truncated_data_are_refused(tmp_path: Path, form: str, share: float) -> None:
    data = PACK[form](b"".join(b"Zdanie %d.\n" % number for number in range(30_000)))
    with pytest.raises(DataError, match=rf"a\.txt\.{form}: the {form} data end.* too early"):
        read_text(tmp_path, data[: int(len(data) * share)], f"a.txt.{form}")


@pytest.mark.parametrize("form", FORMATS)
def test_corrupt_or_foreign_data_are_refused(tmp_path: Path, form: str) -> None:
    with pytest.raises(DataError, match=f"is not sound {form} data"):
        read_text(tmp_path, b"This is plain text, not packed at all.", f"a.txt.{form}")
    data = bytearray(PACK[form](LONG.encode() * 2000))
    data[-6] ^= 0xFF  # the checksum or the last block
    with pytest.raises(DataError, match=rf"a\.txt\.{form}: (is not sound|the {form} data)"):
        read_text(tmp_path, bytes(data), f"a.txt.{form}") if form != "zst" else read_text(
            tmp_path, bytes(data[:-40]) + b"\xff" * 40, f"a.txt.{form}"
        )


@pytest.mark.parametrize("form", FORMATS)
def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path, form: str) -> None:
    data = PACK[form](b"a" * (40 << 20))
    with pytest.raises(DataError, match=r"decompresses to more than 50 times its size.*corpus\.max_compression_ratio"):
        read_text(tmp_path, data, f"a.txt.{form}", max_compression_ratio=50.0)


@pytest.mark.parametrize("form", FORMATS)
def test_a_bomb_is_refused_by_its_size(tmp_path: Path, form: str) -> None:
    data = PACK[form](LONG.encode() * 2000)
    with pytest.raises(DataError, match=r"decompresses to more than 100,000 bytes.*corpus\.max_archive_bytes"):
        read_text(tmp_path, data, f"a.txt.{form}", max_archive_bytes=100_000)


def test_an_xz_header_that_asks_for_gigabytes_is_refused(tmp_path: Path) -> None:
    big = lzma.compress(b"tekst", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}])
    with pytest.raises(DataError, match=r"is not sound xz data.*[Mm]emory"):
        read_text(tmp_path, big, "a.txt.xz")


def test_a_damaged_packed_file_inside_a_folder_is_counted_when_asked(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.txt").write_text("Tekst.")
    (folder / "b.txt.gz").write_bytes(b"no gzip")
    data = gzip.compress(b"".join(b"Zdanie %d.\n" % number for number in range(100_000)))
    (folder / "c.txt.gz").write_bytes(data[:-100])  # sound at its beginning
    with pytest.raises(DataError, match=r"b\.txt\.gz: is not sound gz data"):
        read(folder)
    outcome = read(folder, bad_lines="skip")
    assert outcome.texts == ["Tekst."]
    assert outcome.skipped == {"damaged or unsafe packed data": 1}
    assert [bad.reason for bad in outcome.rejected] == ["damaged or unsafe packed data"]


# --- ZIP


def make_zip(path: Path, members: dict[str, bytes], **infos: dict[str, object]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in infos.get(name, {}).items():
                setattr(info, key, value)
            archive.writestr(info, content)
    return path


def test_members_are_read_in_order_and_never_extracted(tmp_path: Path) -> None:
    before = tmp_path / "d"
    before.mkdir()
    make_zip(
        before / "a.zip",
        {"b/2.txt": b"Dwa.", "a.txt.gz": gzip.compress(b"Raz."), "b/": b"", "c.jsonl": b'{"text": "Trzy."}\n'},
    )
    outcome = read(before / "a.zip", workspace=tmp_path / "w")
    assert outcome.texts == ["Raz.", "Dwa.", "Trzy."]
    assert [source.name for source in outcome.sources] == [
        f"{before}/a.zip::{name}" for name in ("a.txt.gz", "b/2.txt", "c.jsonl")
    ]
    assert [path.name for path in before.iterdir()] == ["a.zip"]
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("name", ["../x.txt", "/etc/x.txt", "a/../../x.txt", "C:\\x.txt", "..\\x.txt", "a//x.txt"])
def test_unsafe_names_are_refused_and_others_kept(tmp_path: Path, name: str) -> None:
    outcome = read(make_zip(tmp_path / "a.zip", {name: b"Zly.", "ok.txt": b"Dobry."}))
    assert outcome.texts == ["Dobry."]
    assert outcome.skipped == {"unsafe member name": 1}
    assert name in outcome.sources.skipped[0].examples[0]


def test_links_encrypted_nested_hidden_and_empty_members_are_refused_and_others_kept(tmp_path: Path) -> None:
    path = make_zip(
        tmp_path / "a.zip",
        {
            "link.txt": b"/etc/passwd",
            "inner.zip": b"PK",
            "__MACOSX/._ok.txt": b"x",
            "pusty.txt": b" \n",
            "x.png": b"x",
            "tajny.txt": b"Tajny.",
            "ok.txt": b"Dobry.",
        },
        **{"link.txt": {"external_attr": 0o120777 << 16}},
    )
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # set the "encrypted" flag of one member
        place = next(i for i in range(len(data)) if data[i : i + 4] == signature and b"tajny" in data[i : i + 60])
        data[place + offset] |= 1
    path.write_bytes(bytes(data))
    outcome = read(path)
    assert outcome.texts == ["Dobry."]
    assert outcome.skipped == {
        "link inside an archive": 1,
        "archive inside an archive": 1,
        "hidden": 1,
        "empty": 1,
        "unknown extension .png": 1,
        "encrypted member": 1,
    }


def test_a_bomb_inside_an_archive_is_refused_by_what_it_declares(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"b.txt": bytes(20 << 20), "ok.txt": b"Dobry."})
    outcome = read(path, max_compression_ratio=100.0)
    assert outcome.texts == ["Dobry."]
    assert outcome.skipped == {"decompression bomb": 1}


def test_the_total_of_an_archive_is_capped_and_the_first_members_kept(tmp_path: Path) -> None:
    members = {f"{number}.txt": LONG.encode() * 10 for number in range(5)}
    outcome = read(make_zip(tmp_path / "a.zip", members), max_archive_bytes=2000)
    assert len(outcome.sources) == 2000 // (len(LONG.encode()) * 10)
    assert outcome.skipped == {"archive larger than corpus.max_archive_bytes": 5 - len(outcome.sources)}


def test_a_second_member_of_the_same_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "Pierwszy.")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.txt", "Drugi.")
    outcome = read(path)
    assert outcome.texts == ["Pierwszy."]
    assert outcome.skipped == {"second member of the same name": 1}


def test_a_damaged_member_is_refused_and_others_kept(tmp_path: Path) -> None:
    content = "".join(f"Zdanie {number}.\n" for number in range(60_000)).encode()
    path = make_zip(tmp_path / "a.zip", {"bad.txt": content, "ok.txt": b"Dobry."})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF  # in the deflated data of bad.txt, far from its beginning
    path.write_bytes(bytes(data))
    outcome = read(path)
    assert outcome.texts == ["Dobry."]
    (bad,) = outcome.rejected
    assert (bad.source, bad.line, bad.reason) == (f"{path}::bad.txt", 0, "damaged or unsafe packed data")
    assert bad.size == len(content)


def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"bad.txt": LONG.encode() * 100, "ok.txt": b"Dobry."})
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<I", 100)  # the directory says 100 bytes
    path.write_bytes(bytes(data))
    outcome = read(path)
    assert outcome.texts == ["Dobry."]
    assert outcome.skipped == {"damaged or unsafe packed data": 1}


def test_a_broken_archive_is_refused_by_name(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"a.txt": b"Tekst."})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"a\.zip: is no sound ZIP archive"):
        read(path)


def test_an_archive_without_text_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.zip: holds no text \(passed over: 1 unknown extension \.png\)"):
        read(make_zip(tmp_path / "a.zip", {"a.png": b"x"}))


def test_damaged_text_of_a_sound_member_stops_like_that_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.zip::a\.jsonl:2:"):
        read(make_zip(tmp_path / "a.zip", {"a.jsonl": b'{"text": "Raz."}\n{]\n'}))


def test_packed_parquet_is_unpacked_into_the_workspace(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["Raz.", "Dwa."]}), buffer)
    assert read_text(tmp_path, gzip.compress(buffer.getvalue()), "a.parquet.gz").texts == ["Raz.", "Dwa."]
    outcome = read(make_zip(tmp_path / "a.zip", {"b.parquet": buffer.getvalue()}), workspace=tmp_path / "w")
    assert outcome.texts == ["Raz.", "Dwa."]
    assert outcome.sources[0].name == f"{tmp_path}/a.zip::b.parquet"
    assert outcome.sources[0].path.startswith(str(tmp_path / "w"))
