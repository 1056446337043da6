"""The work is cut into even tasks by the corpus alone; many small files share a task, a large one has several (A18)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from collecting import documents, here, ignore

import texts
from osnowa import workers
from osnowa.corpus import CorpusConfig, Progress, catalog, collect
from osnowa.corpus.catalog import check_inputs, make_catalog, name_work
from osnowa.corpus.sources import find_sources
from osnowa.corpus.stages import WORKER, Stages
from osnowa.errors import DataError

__all__ = ["here"]  # a fixture


def stages(folder: Path, **settings: object) -> Stages:
    folder.mkdir(exist_ok=True)
    return Stages(CorpusConfig.read("corpus", settings), folder, workers.Pool(WORKER, 1), ignore)


@pytest.fixture
def many(here: None, tmp_path: Path) -> Path:
    folder = tmp_path / "wiele"
    for number in range(1200):
        (folder / f"{number % 7}").mkdir(parents=True, exist_ok=True)
        (folder / f"{number % 7}" / f"{number:05d}.txt").write_text(
            texts.SENTENCES[number % 100] + f" {number}\n", "utf-8"
        )
    return folder


def test_many_small_files_share_few_tasks_in_a_stable_order(many: Path, tmp_path: Path) -> None:
    work = stages(tmp_path / "w")
    sources = find_sources([str(many)], work.config, work.workspace)
    made = make_catalog(sources, work)
    groups, sizes = made.tasks()
    assert len(groups) == 1
    assert sum(sizes) == sum(source.size for source in sources)
    assert [entry["source"]["name"] for entry in made.read()] == [source.name for source in sources]
    assert [source.name for source in sources] == sorted(str(path) for path in many.rglob("*.txt"))


def test_all_of_them_are_read_in_order(many: Path, tmp_path: Path) -> None:
    config = CorpusConfig.read("corpus", {"rules_off": ["near_duplicate"]})
    corpus = collect([str(many)], config, tmp_path / "w", num_workers=1, progress=ignore)
    assert [document.source for document in documents(corpus)] == sorted(str(path) for path in many.rglob("*.txt"))
    told = corpus.ledger.as_dict()
    assert (told["num_sources"], len(told["sources"])) == (1200, 1000)


@pytest.mark.usefixtures("here")
def test_a_large_file_is_cut_and_every_byte_is_in_one_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_SMALLEST_TASK", 100_000)
    monkeypatch.setattr(catalog, "PART_BYTES", 1_000_000)
    line = " ".join(texts.SENTENCES) + "\n"
    (tmp_path / "duży.txt").write_text(line * (9_000_000 // len(line)), encoding="utf-8")
    work = stages(tmp_path / "w", document="line")
    made = make_catalog(find_sources([str(tmp_path / "duży.txt")], work.config, work.workspace), work)
    groups, sizes = made.tasks()
    assert len(groups) == 3
    assert max(sizes) < 5_000_000
    spans = [span for group in groups for _, span in group]
    assert [start for start, _ in spans[1:]] == [stop for _, stop in spans[:-1]]


@pytest.mark.usefixtures("here")
def test_the_name_of_the_work_follows_contents_and_settings_not_time(tmp_path: Path) -> None:
    path, names = tmp_path / "plik.txt", []
    for moment, (text, settings) in enumerate([("raz", {}), ("raz", {}), ("dwa", {}), ("dwa", {"held_out": 0.2})]):
        path.write_text(f"{text} trzy cztery\n", encoding="utf-8")
        os.utime(path, (moment, moment))
        work = stages(tmp_path / "w", **settings)
        made = make_catalog(find_sources([str(path)], work.config, work.workspace), work)
        names.append(name_work(work.config, made))
    assert names[0] == names[1]
    assert len(set(names)) == 3


@pytest.mark.usefixtures("here")
def test_a_file_that_grew_or_went_is_named(tmp_path: Path) -> None:
    path = tmp_path / "plik.txt"
    path.write_text("raz dwa trzy\n", encoding="utf-8")
    work = stages(tmp_path / "w")
    made = make_catalog(find_sources([str(path)], work.config, work.workspace), work)
    seen: list[Progress] = []
    check_inputs(made, seen.append)
    assert (seen[-1].done, seen[-1].total) == (1, 1)
    path.write_text("raz dwa trzy cztery\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"plik\.txt"):
        check_inputs(made, ignore)
    path.unlink()
    with pytest.raises(DataError, match=r"plik\.txt"):
        check_inputs(made, ignore)
