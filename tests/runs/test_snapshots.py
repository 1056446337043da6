"""Snapshots on the way: when they are due, the same after a kill, and nothing of the training is touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import osnowa.runs.pretrain
import osnowa.train.loop
from osnowa.data import TokenSplit
from osnowa.errors import DamagedError
from osnowa.runs.probes import Probe
from osnowa.runs.recipe import Recipe
from osnowa.runs.snapshots import MOST_FREQUENT, MOST_WORDS, Photographer, picture, probe_words
from osnowa.runs.verify import verify
from osnowa.tokenizer import Tokenizer
from osnowa.train.snapshots import Asked, Snapshot, kept_snapshots, load_snapshot, save_snapshot, snapshot_steps
from small_models import small_tokenizer
from small_run import contents, pretrain
from small_run import osnowa as command
from small_training import make_trainer, same

STEPS = [0, 1, 2, 5, 10, 12]


def names(run: Path) -> list[int]:
    return [int(path.name.removeprefix("step-")) for path in kept_snapshots(run)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, documents: list[str]) -> tuple[Path, Path]:
    """A text, and a run on it that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    text = folder / "text"
    text.mkdir()
    for number, document in enumerate(documents):
        (text / f"{number}.txt").write_text(document + "\n", encoding="utf-8")
    outcome = pretrain(text, folder / "run", steps="12")
    assert outcome.code == 0, outcome.err
    return text, folder / "run"


def test_steps_grow_apart_and_are_never_many() -> None:
    assert sorted(snapshot_steps(12, 24)) == STEPS
    assert sorted(snapshot_steps(1, 24)) == [0, 1]
    assert sorted(snapshot_steps(1000, 24)) == [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    assert snapshot_steps(1000, 0) == frozenset()
    for steps in (1, 7, 1850, 10**6, 10**9):
        for most in (1, 2, 3, 5, 24):
            due = snapshot_steps(steps, most)
            assert len(due) <= most
            assert steps in due
            assert most == 1 or 0 in due
    assert len(snapshot_steps(10**9, 24)) == 24


def test_a_run_keeps_the_words_the_answers_and_how_the_model_looks(whole: tuple[Path, Path]) -> None:
    _, run = whole
    assert names(run) == STEPS
    first, last = (load_snapshot(path) for path in (kept_snapshots(run)[0], kept_snapshots(run)[-1]))
    assert first.ids.tolist() == last.ids.tolist()
    assert len(set(first.ids.tolist())) == len(first.ids) > 5
    assert first.embeddings.shape == (len(first.ids), 32)
    assert first.embeddings.dtype == torch.float32
    assert not torch.equal(first.embeddings, last.embeddings)
    assert len(first.sentences) >= 1
    for one, other in zip(first.sentences, last.sentences, strict=True):
        assert (one.text, one.answer, one.tokens) == (other.text, other.answer, other.tokens)
        assert "[MASK]" in one.text
        places = min(32, len(one.tokens))
        assert one.attention.shape == (2, 2, places, places)  # layers, heads
        assert one.attention.dtype == torch.uint8
        assert len(one.top) == 3
        assert one.top[0][1] >= one.top[1][1] >= one.top[2][1] > 0


def test_the_last_snapshot_is_the_model_s(whole: tuple[Path, Path]) -> None:
    _, run = whole
    model = osnowa.load(run)
    last = load_snapshot(kept_snapshots(run)[-1])
    assert torch.equal(last.embeddings, model.transformer.embedding.token.weight[last.ids])
    sentence = last.sentences[0]
    (guesses,) = model.fill(sentence.text, 3).masks
    assert [guess.id for guess in guesses] == [token for token, _ in sentence.top]
    assert [guess.probability for guess in guesses] == pytest.approx([chance for _, chance in sentence.top], abs=1e-3)


def test_killed_and_resumed_the_snapshots_are_those_of_a_run_never_stopped(
    whole: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, reference = whole
    for stop, every, taken in ((5, "2", True), (10, "0.00001", True), (10, "0.00001", False)):
        run = tmp_path / f"killed-{stop}-{taken}"
        with monkeypatch.context() as patch:
            killed_at(patch, stop, taken)
            assert pretrain(text, run, f"--training.checkpoint_minutes={every}", steps="12").code != 0
        assert names(run) == [step for step in STEPS if step < stop + taken]
        assert pretrain(text, run, f"--training.checkpoint_minutes={every}", steps="12").code == 0
        assert contents(run / "probe") == contents(reference / "probe"), stop
        assert contents(run / "model")["model.safetensors"] == contents(reference / "model")["model.safetensors"]


def killed_at(patch: pytest.MonkeyPatch, last: int, taken: bool) -> None:
    """The process dies in step `last`, just behind its snapshot or just before it."""
    keep = osnowa.runs.pretrain.Asking.keep_snapshot

    def dying_keep(self: osnowa.runs.pretrain.Asking, step: int) -> None:
        if step < last or taken:
            keep(self, step)
        if step == last:
            raise KeyboardInterrupt

    patch.setattr(osnowa.train.loop, "MOST_SAVING", 1e9)  # a checkpoint after each step, however long it takes
    patch.setattr(osnowa.runs.pretrain.Asking, "keep_snapshot", dying_keep)


def test_without_snapshots_the_model_has_the_same_bytes_and_nothing_is_kept(
    whole: tuple[Path, Path], tmp_path: Path
) -> None:
    text, reference = whole
    assert pretrain(text, tmp_path / "run", "--training.snapshots=0", steps="12").code == 0
    assert not (tmp_path / "run" / "probe").exists()
    ours, theirs = contents(tmp_path / "run" / "model"), contents(reference / "model")
    assert ours["model.safetensors"] == theirs["model.safetensors"]


@pytest.mark.parametrize("preset", ["gpt2-tiny", "t5-tiny"])
def test_decoders_and_encoder_decoders_keep_what_they_say(
    preset: str, whole: tuple[Path, Path], tmp_path: Path
) -> None:
    words = ("--tokenizer.vocab_size=500", "--model.d_model=32", "--model.num_heads=2", "--model.d_ff=48")
    words += (
        "--data.row_length=64",
        "--training.batch_rows=2",
        "--training.evaluations=1",
        "--training.held_out_rows=4",
    )
    done = command(
        "pretrain", whole[0], "--out", tmp_path / "run", f"--preset={preset}", "--steps=2", *words, "--quiet"
    )
    assert done.code == 0, done.err
    assert names(tmp_path / "run") == [0, 1, 2]
    model = osnowa.load(tmp_path / "run")
    layers = model.config.encoder_layers or model.config.decoder_layers
    last = load_snapshot(kept_snapshots(tmp_path / "run")[-1])
    assert last.sentences
    for sentence in last.sentences:
        assert sentence.top == ()
        said = model.generate(sentence.tokens, temperature=0.0, max_tokens=8)
        assert sentence.said == said.text.strip()
        assert sentence.attention.shape[:2] == (layers, model.config.num_heads)
        causal = model.config.topology == "decoder"
        assert bool((sentence.attention[0, 0].float().triu(1) == 0).all()) == causal


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_taking_a_snapshot_after_each_step_moves_no_bit(dtype: torch.dtype) -> None:
    plain, looked_at = make_trainer(dtype=dtype, dropout=0.2), make_trainer(dtype=dtype, dropout=0.2)
    photographer = photographer_of()
    for step in range(6):
        plain.step()
        looked_at.step()
        taken = photographer.take(looked_at, step)
        assert looked_at.model.training
        assert not any(block.attention.weights.watched for block in looked_at.model.encoder.blocks)
        assert torch.equal(taken.embeddings, looked_at.weights()["embedding.token.weight"][taken.ids])
    assert same(plain.weights(), looked_at.weights())
    assert same(plain.optimiser.state(), looked_at.optimiser.state())


def photographer_of() -> Photographer:
    """Of sentences that a model of 40 entries can read."""
    tokenizer = small_tokenizer()
    words = np.arange(5, 40, dtype=np.uint16)
    split = TokenSplit(np.tile(words, 9), np.array([0, 9 * len(words)]), np.array([0, 1]), 1)
    made = Photographer(Recipe.build(preset="encoder-tiny"), tokenizer, split, [Probe("[MASK]", "a")])
    made.ids = torch.arange(5, 20)
    return made


def test_a_damaged_snapshot_is_seen(whole: tuple[Path, Path], tmp_path: Path) -> None:
    snapshot = load_snapshot(kept_snapshots(whole[1])[2])
    place = save_snapshot(tmp_path, snapshot)
    again = contents(tmp_path)
    save_snapshot(tmp_path, snapshot)
    assert contents(tmp_path) == again
    content = bytearray((place / "tensors.safetensors").read_bytes())
    content[-1] ^= 1
    (place / "tensors.safetensors").write_bytes(bytes(content))
    with pytest.raises(DamagedError, match="SHA-256"):
        load_snapshot(place)


def test_verify_looks_at_snapshots(whole: tuple[Path, Path]) -> None:
    _, run = whole
    assert {str(path) for path in kept_snapshots(run)} <= set(verify(run).checked)


def test_a_full_disk_costs_the_snapshot_and_not_the_run(
    whole: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_run: Path, _snapshot: Snapshot) -> Path:
        raise osnowa.errors.StorageError("RUN/probe", "no space left on device", "make room")

    monkeypatch.setattr(osnowa.runs.pretrain, "save_snapshot", full)
    assert pretrain(whole[0], tmp_path / "run", steps="3").code == 0
    assert "training goes on without this snapshot" in (tmp_path / "run" / "metrics.jsonl").read_text()


def test_probe_words_are_whole_words_the_frequent_ones_first_and_rare_ones_too() -> None:
    class Words(Tokenizer):
        vocab_size = 4000
        special_ids = frozenset({0, 1, 2, 3, 4})
        continues_word = np.arange(4000) % 10 == 9  # type: ignore[assignment]

        def __init__(self) -> None: ...

        def readable(self, index: int) -> str:
            return "1" if index == 17 else "ab"

    often = np.repeat(np.arange(4000), np.maximum(1, 4000 // np.arange(1, 4001)))
    tokens = np.concatenate([np.stack([often, np.full(len(often), 20)], 1).ravel(), np.tile([25, 29], 3000)])
    split = TokenSplit(tokens.astype(np.uint16), np.array([0, len(tokens)]), np.array([0, 1]), 1)
    chosen = probe_words(split, Words()).tolist()
    assert chosen[0] == 20  # the most frequent
    assert not any(index % 10 == 9 or index == 17 or index < 5 for index in chosen)
    assert 25 in chosen  # begins a longer word 3,000 times, and stands alone often enough
    assert chosen.index(25) > chosen.index(21)  # which is counted as a word only where it is one
    assert len(chosen) == len(set(chosen)) == MOST_WORDS
    assert max(chosen[MOST_FREQUENT:]) > 700  # at least five times: 4000 // 5
    assert chosen == probe_words(split, Words()).tolist()


def test_pictures_hold_the_root_of_each_weight_and_are_pooled_where_they_are_large() -> None:
    weights = torch.zeros(1, 40, 40)
    weights[0, 3, 5] = 0.25
    small = picture([weights[:, :20, :20]])
    assert small.shape == (1, 1, 20, 20)
    assert small[0, 0, 3, 5] == round(255 * 0.5)
    pooled = picture([weights, weights])
    assert pooled.shape == (2, 1, 32, 32)
    assert int(pooled.max()) == round(255 * 0.5)  # the largest stays, it is not averaged away


def test_asked_sentences_come_back_as_they_were(tmp_path: Path) -> None:
    sentence = Asked("Zażółć", "gęślą", (1, 7), (), "jaźń\u2028", torch.zeros(1, 1, 2, 2, dtype=torch.uint8))
    saved = save_snapshot(tmp_path, Snapshot(5, torch.arange(3), torch.rand(3, 4), (sentence,)))
    back = load_snapshot(saved)
    assert back.step == 5
    assert back.sentences[0].said == "jaźń\u2028"
    assert back.sentences[0].tokens == (1, 7)
