"""Each benchmark runs, at a size of seconds: what it compares is comparable, and a ratio below its floor is said."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from benchmarks.measuring import Goal, Row, compare, measure

from benchmarks import (
    beside_the_step,
    checkouts,
    data_path,
    generation,
    gpu,
    preparation,
    screening,
    trainer,
    training,
    works,
)
from osnowa.model.outline import outline
from osnowa.runs.prepare import prepare_into
from osnowa.train.loop import Trainer

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own


class Chair:
    """A seat in this process: some amounts are asked for, answers are kept."""

    def __init__(self, *amounts: int) -> None:
        self.wanted, self.answers = amounts, list[dict[str, float]]()

    def amounts(self) -> Iterator[int]:
        yield from self.wanted

    def answer(self, **values: float) -> None:
        self.answers.append(values)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for prepared texts, one for each work."""
    return tmp_path_factory.mktemp("prepared")


def data_of(work: works.Work, prepared: Path, text: Path) -> Path:
    folder = prepared / work.preset
    if not folder.exists():
        prepare_into([str(text)], folder, work.recipe("osnowa"))
    return folder


@pytest.mark.parametrize("name", works.TINY)
def test_both_sides_train_and_are_asked_the_same(name: str, prepared: Path, text_folder: Path) -> None:
    work = works.WORKS[name]
    data = data_of(work, prepared, text_folder)
    ours, theirs = Chair(3, 3, 0), Chair(3, 3, 0)
    training.train_ours(work, "osnowa", data, ours)  # type: ignore[arg-type]
    trainer.train_peer(work, "trainer", data, theirs)  # type: ignore[arg-type]
    for chair in (ours, theirs):
        first, second, learned = chair.answers
        assert first["done"] > 0
        assert first["seconds"] > 0
        assert second["done"] > 0
        assert 4 < learned["held_out_loss"] < 1.5 * math.log(work.vocabulary)
    ratio = ours.answers[2]["tokens_seen"] / theirs.answers[2]["tokens_seen"]
    assert 0.7 < ratio <= 1.05, "osnowa counts no padding, and has little"
    assert ours.answers[2]["peak_gflops"] > 0.1
    assert ours.answers[2]["mflop_a_token"] > 0.1
    losses = [chair.answers[2]["held_out_loss"] for chair in (ours, theirs)]
    assert losses[0] == pytest.approx(losses[1], rel=0.03)


@pytest.mark.parametrize("contender", ["osnowa", *works.PEERS, *works.GPU_PEERS, "datasets", "nanogpt=folder"])
def test_memory_and_products_are_set_for_osnowa_alone(
    contender: str, prepared: Path, text_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are part of what is compared: a peer that is given them is no peer."""
    done: list[str] = []
    for name in ("tune_allocator", "tune_matmul"):
        monkeypatch.setattr(f"osnowa.runs.machine.{name}", lambda *_, name=name: done.append(name))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: done.append(f"{threads} threads"))
    work = works.WORKS["mlm-tiny"]
    works.workshop_of(work, contender, data_of(work, prepared, text_folder))
    assert done.pop() == "3 threads", "of all alike"
    if contender == "osnowa":
        assert done.pop(0) == "3 threads"
    assert done == (["tune_allocator", "tune_matmul"] if contender == "osnowa" else [])


@pytest.mark.parametrize("name", works.GPU_TINY)
def test_the_works_for_a_gpu_go_their_way_on_a_processor(name: str, prepared: Path, text_folder: Path) -> None:
    """Not compiled here, which takes a minute each: `make bench-gpu TINY=1`."""
    work = works.WORKS[name]
    assert work.recipe("osnowa").training.compiled == "yes"
    settings = {**work.settings, "training": {"compiled": "no"}}
    work, data = replace(work, settings=settings), data_of(work, prepared, text_folder)
    chairs = Chair(2, 0), Chair(2, 0)
    training.train_ours(work, "osnowa", data, chairs[0])  # type: ignore[arg-type]
    trainer.train_peer(work, "trainer-bf16", data, chairs[1])  # type: ignore[arg-type]
    losses = [chair.answers[-1]["held_out_loss"] for chair in chairs]
    assert losses[0] == pytest.approx(losses[1], rel=0.03)
    if work.published:
        assert works.workshop_of(work, "osnowa", data).recipe.model.vocab_size == work.published


def test_the_works_for_a_gpu_are_the_published_models() -> None:
    millions = {"gpu-bert-base": 110, "gpu-gpt2": 124, "gpu-t5-base": 223}
    for name, expected in millions.items():
        work = works.WORKS[name]
        recipe = work.recipe("osnowa").changed({"model": {"vocab_size": work.published}})
        assert outline(recipe.model).parameter_count() / 1e6 == pytest.approx(expected, rel=0.01)
        assert (recipe.run.device, recipe.training.compiled, work.aim_rate > 0) == ("cuda", "auto", True)


def test_without_a_gpu_its_benchmark_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="there is no CUDA GPU here; --tiny runs it at a small size"):
        gpu.main()


@pytest.mark.parametrize("contender", data_path.CONTENDERS)
def test_the_data_path_gives_batches_and_tokens(contender: str, prepared: Path, text_folder: Path) -> None:
    if contender == "batches-datasets":
        pytest.importorskip("datasets")
    data = data_of(data_path.TINY, prepared, text_folder)
    (prepared / "sentences.json").write_text('["Babcia czyta.", "Kot śpi."]', encoding="utf-8")
    chair = Chair(2)
    data_path.CONTENDERS[contender](data_path.TINY, data, chair)  # type: ignore[arg-type]
    (answer,) = chair.answers
    assert answer["done"] == 2 * 21 if contender.startswith("text") else answer["done"] > 100


def test_generation_compares_two_that_say_the_same() -> None:
    run, plain = generation.ours("float")
    prompt = [5, 17, 400]
    assert run(prompt, 4) == generation.theirs(plain, torch.float32)(prompt, 4)


GPT = """
from dataclasses import dataclass
import torch
from torch import nn

@dataclass
class GPTConfig:
    block_size: int
    vocab_size: int
    n_layer: int
    n_head: int
    n_embd: int
    dropout: float
    bias: bool

class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.token, self.out = nn.Embedding(config.vocab_size, config.n_embd), nn.Linear(config.n_embd, config.vocab_size)

    def configure_optimizers(self, decay, rate, betas, device):
        return torch.optim.AdamW(self.parameters(), rate, betas, weight_decay=decay)

    def forward(self, idx, targets=None):
        logits = self.out(self.token(idx))
        return logits, nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""
T5 = """
from types import SimpleNamespace
from torch import nn

class MyT5(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.token, self.out = nn.Embedding(config.vocab_size, config.d_model), nn.Linear(config.d_model, config.vocab_size)

    def forward(self, input_ids, attention_mask, decoder_input_ids, labels=None):
        logits = self.out(self.token(decoder_input_ids) + self.token(input_ids).mean(1, keepdim=True))
        loss = None if labels is None else nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return SimpleNamespace(logits=logits, loss=loss)
"""
CHECKOUTS = {"nanogpt": ("gpt2-tiny", "model.py", GPT), "nanot5": ("t5-v1.1-tiny", "nanoT5/utils/t5_model.py", T5)}


@pytest.mark.parametrize("name", CHECKOUTS)
def test_a_checkout_is_trained_and_asked(name: str, prepared: Path, text_folder: Path, tmp_path: Path) -> None:
    preset, file, code = CHECKOUTS[name]
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(code, encoding="utf-8")
    work = works.Work(preset, 32, 4, {}, vocabulary=512)
    chair = Chair(6, 30, 0)
    training.train_checkout(work, f"{name}={tmp_path}", data_of(work, prepared, text_folder), chair)  # type: ignore[arg-type]
    first, second, learned = chair.answers
    assert second["done"] == 5 * first["done"]
    assert 3 < learned["held_out_loss"] < math.log(work.vocabulary), "it learned which tokens are frequent"


def test_a_folder_that_is_no_checkout_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"has no model\.py; name the folder of a checkout"):
        checkouts.load(tmp_path, "model.py")


CONTENDER = """
import sys
sys.path.insert(0, {root!r})
from benchmarks.measuring import Seat
seat = Seat()
print("no answer")
for amount in seat.amounts():
    if amount:
        seat.answer(done=amount * {{"fast": 30, "slow": 10}}[sys.argv[1]], seconds=2.0)
    else:
        seat.answer(learned=7.0)
"""


def test_contenders_are_asked_in_turn_and_compared_round_by_round(tmp_path: Path) -> None:
    script = tmp_path / "contender.py"
    script.write_text(CONTENDER.format(root=str(ROOT)), encoding="utf-8")
    rows = measure(
        (sys.executable, str(script)), "work", ("fast", "slow"), amount=4, rounds=3, unit="tokens/s", learned=True
    )
    assert rows["fast"].speeds == [60.0] * 3
    assert rows["slow"].speeds == [20.0] * 3
    assert rows["fast"].facts == {"learned": 7.0}
    assert rows["fast"].peak_mb > 1
    compare(rows, {("fast", "slow"): Goal(2, 4), ("slow", "fast"): Goal(1, 2), ("fast", "nobody"): None})
    (reached,) = rows["fast"].cells
    assert (reached.ratio, reached.below_floor) == (3.0, False)
    assert "3.00 x slow (3.00-3.00), floor 2, aim 4: above floor" in str(rows["fast"])
    assert "below floor" in str(rows["slow"])
    assert rows["slow"].as_dict()["cells"][0]["below_floor"] is True


def test_a_slow_machine_is_asked_for_less(tmp_path: Path) -> None:
    script = tmp_path / "contender.py"
    lines = CONTENDER.format(root=str(ROOT)).replace("seconds=2.0", "seconds=amount * 0.5")
    script.write_text(
        lines.replace('print("no answer")', "asked = open(sys.argv[0] + sys.argv[1], 'a')").replace(
            "    if amount:", "    print(amount, file=asked, flush=True)\n    if amount:"
        ),
        encoding="utf-8",
    )
    command = (sys.executable, str(script))
    measure(command, "work", ("fast", "slow"), amount=2, rounds=2, unit="", budget=20.0, idle=3)
    # a second for both together for each unit: ten in a round, of which three go to the idle part
    assert (tmp_path / "contender.pyslow").read_text().split() == ["2", "7", "7"]
    measure(command, "work", ("slow",), amount=1, rounds=1, unit="", budget=0.1)
    assert (tmp_path / "contender.pyslow").read_text().split()[3:] == ["1", "1"], "one at least"


def test_a_contender_that_dies_is_named() -> None:
    with pytest.raises(SystemExit, match=r"any ended without an answer \(exit code 3\)"):
        measure((sys.executable, "-c", "raise SystemExit(3)"), "work", ("any",), amount=1, rounds=1, unit="")


def test_the_spread_is_that_of_the_ratios() -> None:
    one, other = Row("w", "one", "", [10.0, 30.0, 20.0]), Row("w", "other", "", [10.0, 10.0, 5.0])
    one.compare(other, None)
    (cell,) = one.cells
    assert (cell.low, cell.ratio, cell.high) == (1.0, 3.0, 4.0)
    assert not cell.below_floor


def test_options_are_compared_after_equal_time_and_at_equal_tokens() -> None:
    slow = screening.Outcome(((0, 8.0), (100, 6.0)), 0.1)
    fast = screening.Outcome(((0, 8.0), (80, 7.0), (200, 5.8)), 0.2)
    assert fast.loss_at(100) == pytest.approx(6.8)
    with pytest.raises(ValueError, match="101 tokens are outside of 0 to 100"):
        slow.loss_at(101)
    lines = screening.table({"slow": [slow], "fast": [fast, fast]}).splitlines()
    assert lines[2] == "| fast | 5.800 (5.800–5.800) | 6.800 (6.800–6.800) | 20.0% | 0.00 |"
    assert lines[3] == "| slow | 6.000 | 6.000 | 10.0% | 0.00 |"


def test_each_part_of_the_preparation_is_measured() -> None:
    documents = preparation.cut(["Ala ma kota.", "Babcia czyta książkę."], 8_000)
    assert [len(each) for each in documents] == [4000, 4000]
    rows = preparation.measure(documents, 1, 1)
    assert [row.name for row in rows] == list(preparation.PARTS)
    assert all(row.speeds[0] > 0 for row in rows)
    assert rows[0].cells[0].floor == 1.0


def test_what_a_run_does_beside_its_steps_is_a_share_of_them() -> None:
    row = beside_the_step.measure("encoder-tiny", 3)
    assert (row["steps"], row["name"]) == (3, "encoder-tiny")
    assert row["checkpoints"] >= 2  # the first and the last
    assert 0 < row["monitor_share"] < 1
    assert 0 < row["checkpoint_share"] < 1
    assert Trainer.step.__qualname__ == "Trainer.step"
