"""One step explained: the numbers of the real loop's step on the same batch, and the caller's model as it was."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

import osnowa
from osnowa.data import Place, Rows, RowSequence
from osnowa.errors import DataError
from osnowa.explain.chapter import Chapter
from osnowa.explain.text_row import text_row
from osnowa.explain.training_step import training_step
from osnowa.generate.weights import lay_out
from osnowa.model import Transformer
from osnowa.objective import Batch, Objective, ObjectiveConfig, Vocabulary, build_objective
from osnowa.runs.learned import run_history, run_step
from osnowa.train.config import TrainingConfig
from osnowa.train.drawing import Batches
from osnowa.train.evaluation import HeldOut
from osnowa.train.loop import StepResult, Trainer
from small_models import VOCABULARY, publish_model, random_model, shrink
from small_run import pretrain

MASK = 3
SENTINELS = {f"<extra_id_{number}>": 5 + number for number in range(100)}
# preset, what it learns, changes
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("bert-base", "masked-next-sentence", {}),
    ("encoder-mini", "masked", {}),
    ("gpt2", "next-token", {}),
    ("mixtral-8x7b", "next-token", {"balance_weight": 0.5}),
    ("llama2-7b", "prefix-lm", {}),
    ("t5-base", "span-corruption", {"vocab_size": 120}),
    ("transformer-base", "translation", {}),
]
TEXT = [20, 31, 42, 53, 64, 75, 86, 27, 38]
SECOND = [49, 50, 61]


def token(index: int) -> str:
    return f"w{index}"


def objective_of(name: str, model: Transformer, **settings: object) -> Objective:
    size = model.config.vocab_size
    ids = {each: index for each, index in SENTINELS.items() if index < size}
    vocabulary = Vocabulary(size, 0, 1, 2, MASK, frozenset(range(5)), np.zeros(size, dtype=bool), ids)
    config = ObjectiveConfig.read("objective", {"name": name, **settings})
    return build_objective(config, vocabulary, seed=7, topology=model.config.topology, row_length=24)


class OneBatch:
    """What is always drawn: the questions of the same row."""

    def __init__(self, objective: Objective, rows: Rows) -> None:
        self.objective, self.rows = objective, rows

    def take(self, place: Place, num_rows: int) -> tuple[Batch, Place]:
        assert num_rows == 1
        return self.objective.batch(self.rows), Place(0, place.row + 1)


def loop_step(
    model: Transformer, objective: Objective, rows: Rows, config: TrainingConfig
) -> tuple[StepResult, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The real loop's first step; the weights before and after it."""
    own = Transformer(model.config)
    own.load_state_dict(model.state_dict())
    trainer = Trainer(
        own,
        objective,
        cast(RowSequence, None),
        cast(HeldOut, None),
        config,
        steps=10,
        warmup=0,
        seed=11,
        device=torch.device("cpu"),
        dtype=torch.float32,
        micro_rows=1,
    )
    trainer.drawn = cast(Batches, OneBatch(objective, rows))
    before = {name: each.clone() for name, each in trainer.weights().items()}
    return trainer.step(), before, trainer.weights()


def example(
    preset: str, name: str, changes: dict[str, Any], dropout: float = 0.0, **settings: object
) -> tuple[Transformer, Objective, Rows]:
    config = shrink(preset, dropout=dropout, feed_forward_dropout=dropout, **changes)
    model = random_model(config, dtype=torch.float32)
    objective = objective_of(name, model, **settings)
    second = SECOND if name in ("masked-next-sentence", "translation") else []
    return model, objective, text_row(objective, TEXT, second)


def explained(model: Transformer, objective: Objective, rows: Rows, config: TrainingConfig) -> Chapter:
    return training_step(model, objective, rows, config, token, seed=11)


@pytest.mark.parametrize(("preset", "name", "changes"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES])
@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_loss_gradients_and_update_are_those_of_the_training_loop_on_the_same_batch(
    preset: str, name: str, changes: dict[str, Any], optimiser: str
) -> None:
    config = TrainingConfig(batch_rows=1, clip_norm=0.5, next_sentence_weight=0.7, optimiser=optimiser)
    model, objective, rows = example(preset, name, changes, dropout=0.1, label_smoothing=0.1)
    block = explained(model, objective, rows, config).block
    result, before, after = loop_step(model, objective, rows, config)
    assert block["total"] == result.loss
    assert block["clip"]["norm"] == result.gradient_norm
    assert block["clip"]["limit"] == 0.5
    assert block["clip"]["factor"] == pytest.approx(min(1.0, 0.5 / (result.gradient_norm + 1e-6)), rel=1e-6)
    assert sum(each["loss"] * each["weight"] for each in block["parts"]) == pytest.approx(result.loss, rel=1e-6)
    told = {each["name"]: each for each in block["gradients"]}
    assert told.keys() == before.keys()
    assert math.sqrt(sum(each["norm"] ** 2 for each in told.values())) == pytest.approx(result.gradient_norm, rel=1e-5)
    for key, weight in before.items():
        moved = float((after[key] - weight).double().norm())
        assert told[key]["grew"] == pytest.approx(moved, rel=1e-9, abs=1e-15), key
        assert told[key]["weight_norm"] == pytest.approx(float(weight.double().norm()), rel=1e-9)
        assert told[key]["size"] == weight.numel()
        if told[key]["weight_norm"]:
            assert told[key]["relative"] == pytest.approx(moved / float(weight.double().norm()), rel=1e-9)
    assert sum(each["grew"] > 0 for each in told.values()) > len(told) / 2


@pytest.mark.parametrize(("preset", "name", "changes"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES])
def test_probabilities_losses_and_their_mean_follow_from_the_logits(
    preset: str, name: str, changes: dict[str, Any]
) -> None:
    model, objective, rows = example(preset, name, changes)
    chapter = explained(model, objective, rows, TrainingConfig(batch_rows=1))
    block, tensors = chapter.block, chapter.tensors
    logits, labels = tensors[block["logits"]].astype(np.float64), [each["label"] for each in block["plan"]]
    assert logits.shape == (len(labels), model.config.vocab_size)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    p = powers / powers.sum(1, keepdims=True)
    np.testing.assert_allclose(tensors[block["p"]], p, atol=1e-6)
    nll = -np.log(p[np.arange(len(labels)), labels])
    np.testing.assert_allclose(tensors[block["nll"]], nll, rtol=1e-5)
    assert float(tensors[block["loss"]][0]) == pytest.approx(nll.mean(), rel=1e-5) == block["parts"][0]["loss"]
    assert [(step["op"], step["out"], step["in"]) for step in chapter.steps] == [
        ("softmax", block["p"], [block["logits"]]),
        ("nll", block["nll"], [block["p"]]),
        ("mean", block["loss"], [block["nll"]]),
    ]
    assert chapter.steps[1]["attrs"]["labels"] == labels
    after = block["after"]
    assert [each["p_before"] for each in after] == pytest.approx(np.exp(-nll).tolist(), rel=1e-4)
    assert [each["place"] for each in after] == [each["place"] for each in block["plan"]]
    gain = sum(math.log(each["p_after"] / each["p_before"]) for each in after)
    assert gain > 0  # one update on a text makes that text more likely


def test_the_plan_is_the_masking_of_the_training_code() -> None:
    model = random_model(shrink("bert-base", max_positions=512), dtype=torch.float32)
    objective = objective_of("masked", model)
    text = [10 + number % 80 for number in range(400)]
    seen: dict[str, int] = {}
    for number in range(3):
        rows = text_row(objective, text, number=number)
        block = training_step(model, objective, rows, TrainingConfig(batch_rows=1), token).block
        batch = objective.batch(rows)
        shown, original = batch.tokens[0].tolist(), rows.tokens[0].tolist()
        assert [each["place"] for each in block["plan"]] == batch.selected.tolist()
        assert [each["label"] for each in block["plan"]] == batch.labels.tolist()
        assert [(each["id"], each["original"]) for each in block["row"]] == list(zip(shown, original, strict=True))
        assert block["counts"]["tokens"] == 400
        assert block["counts"]["chosen"] == 60 == sum(block["counts"][kind] for kind in ("mask", "random", "same"))
        for each in block["plan"]:
            kind = "mask" if each["id"] == MASK else "same" if each["id"] == each["label"] else "random"
            assert each["kind"] == kind
            assert each["token"] == token(each["id"])
            assert each["label_token"] == token(original[each["place"]])
            seen[kind] = seen.get(kind, 0) + 1
        assert block["side"] == "enc"
    assert 0.7 < seen["mask"] / 180 < 0.9
    assert seen["random"] > 5
    assert seen["same"] > 5


def test_decoders_are_asked_for_what_comes_next_and_nothing_is_hidden() -> None:
    model, objective, rows = example("gpt2", "next-token", {})
    block = explained(model, objective, rows, TrainingConfig(batch_rows=1)).block
    assert block["side"] == "dec"
    assert [each["id"] for each in block["row"]] == [1, *TEXT, 2]
    assert [each["place"] for each in block["plan"]] == list(range(len(TEXT) + 1))
    assert [each["label"] for each in block["plan"]] == [*TEXT, 2]
    assert {each["kind"] for each in block["plan"]} == {None}


def test_an_encoder_decoder_tells_its_source() -> None:
    model, objective, rows = example("transformer-base", "translation", {})
    block = explained(model, objective, rows, TrainingConfig(batch_rows=1)).block
    assert [each["id"] for each in block["source"]] == [*TEXT, 2]
    assert [each["id"] for each in block["row"]] == [1, *SECOND]
    assert [each["label"] for each in block["plan"]] == [*SECOND, 2]


def test_the_caller_s_model_and_random_numbers_are_as_they_were() -> None:
    model, objective, rows = example("bert-base", "masked-next-sentence", {}, dropout=0.1)
    model.requires_grad_(False)
    state = {name: each.clone() for name, each in model.state_dict().items()}
    torch.manual_seed(5)
    random = torch.random.get_rng_state()
    explained(model, objective, rows, TrainingConfig(batch_rows=1))
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(torch.equal(each, state[name]) for name, each in model.state_dict().items())
    assert not model.training
    assert not model.head.logits.watched
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in model.parameters())


def test_a_model_laid_out_for_being_asked_gives_the_same_gradients() -> None:
    model, objective, rows = example("llama2-7b", "prefix-lm", {})
    plain = explained(model, objective, rows, TrainingConfig(batch_rows=1)).block
    lay_out(model)
    assert model.decoder.blocks[0].attention.joined is not None
    again = explained(model, objective, rows, TrainingConfig(batch_rows=1)).block
    assert again["gradients"] == plain["gradients"]
    norms = {each["name"]: each["norm"] for each in again["gradients"]}
    assert norms["decoder.blocks.0.attention.query.weight"] > 0


def test_special_tokens_of_the_text_are_never_hidden() -> None:
    model = random_model(shrink("bert-base"), dtype=torch.float32)
    objective = objective_of("masked", model, mask_share=0.9)
    rows = text_row(objective, [20, MASK, 31])
    batch = objective.batch(rows)
    assert batch.selected.tolist() == [1, 3]
    assert batch.tokens[0, 2] == MASK
    with pytest.raises(DataError, match="nothing can be asked"):
        training_step(model, objective, text_row(objective, [MASK]), TrainingConfig(batch_rows=1), token)


def test_a_pair_is_labelled_and_a_text_that_does_not_fit_is_refused() -> None:
    model = random_model(shrink("bert-base"), dtype=torch.float32)
    objective = objective_of("masked-next-sentence", model)
    rows = text_row(objective, TEXT, SECOND)
    assert rows.tokens[0].tolist() == [1, *TEXT, 2, *SECOND, 2]
    assert rows.segments[0].tolist() == [0] * 11 + [1] * 4
    assert (rows.first.tolist(), rows.is_next.tolist()) == ([0], [0])
    assert text_row(objective, TEXT, SECOND, follows=False).is_next.tolist() == [1]
    assert not len(text_row(objective, TEXT).first)
    with pytest.raises(DataError, match="the text is empty"):
        text_row(objective, [])
    pairs = objective_of("translation", random_model(shrink("transformer-base"), dtype=torch.float32))
    with pytest.raises(DataError, match="has 24 tokens, a row has room for 23"):
        text_row(pairs, [20] * 24, [30])


# --- a run's own ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, documents: list[str]) -> Path:
    folder = tmp_path_factory.mktemp("explained")
    (folder / "text").mkdir()
    for number, document in enumerate(documents):
        (folder / "text" / f"{number}.txt").write_text(document + "\n", encoding="utf-8")
    outcome = pretrain(folder / "text", folder / "run", steps="6")
    assert outcome.code == 0, outcome.err
    return folder / "run"


def test_a_run_tells_its_history_from_the_run_folder_and_from_its_model_folder(run: Path) -> None:
    model = osnowa.load(run)
    chapter = run_history(run, model.tokenizer)
    assert chapter is not None
    assert chapter.block["steps"] == [0, 1, 2, 5, 6]
    assert chapter.block["loss"]["step"] == [1, 2, 3, 4, 5, 6]
    assert chapter.block["loss"]["held_out_step"][0] == 0
    assert chapter.block["notes"] == []
    again = run_history(run / "model", model.tokenizer)
    assert again is not None
    assert again.block == chapter.block


def test_a_damaged_snapshot_is_named_and_the_others_are_shown(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    (copy / "probe").mkdir(parents=True)
    (copy / "recipe.toml").write_bytes((run / "recipe.toml").read_bytes())
    for folder in (run / "probe").iterdir():
        (copy / "probe" / folder.name).mkdir()
        for path in folder.iterdir():
            content = path.read_bytes()
            damaged = folder.name.endswith("2") and path.name == "answers.json"
            (copy / "probe" / folder.name / path.name).write_bytes(content[:-2] if damaged else content)
    chapter = run_history(copy, osnowa.load(run).tokenizer)
    assert chapter is not None
    assert chapter.block["steps"] == [0, 1, 5, 6]
    assert "step-000000002" in chapter.block["notes"][0]
    assert chapter.block["loss"]["step"] == []


def test_one_step_of_a_run_has_its_objective_and_another_draw_hides_other_tokens(run: Path) -> None:
    model = osnowa.load(run)
    text = "The quick brown fox jumps over the lazy dog and the river runs to the sea."
    first, again, other = (run_step(run, model, text, draw=draw).block for draw in (0, 0, 1))
    assert first == again
    assert [each["place"] for each in first["plan"]] != [each["place"] for each in other["plan"]]
    assert first["objective"] == "masked-next-sentence"
    assert first["share"] == 0.3  # the preset's
    assert first["optimiser"] == "muon"
    assert first["assumed"] is False
    names = [part["name"] for part in run_step(run, model, text, "It was late.").block["parts"]]
    assert names == ["masked", "next sentence"]


def test_a_model_without_a_run_is_asked_what_its_kind_usually_learns(tmp_path: Path) -> None:
    for preset, name in (("bert-base", "masked-next-sentence"), ("gpt2", "next-token")):
        model = random_model(shrink(preset, vocab_size=400), dtype=torch.float32)
        folder = publish_model(tmp_path / preset, model)
        loaded = osnowa.load(folder)
        assert run_history(folder, loaded.tokenizer) is None
        block = run_step(folder, loaded, "rzeka płynie").block
        assert block["objective"] == name
        assert block["assumed"] is True


def test_the_vocabulary_of_these_tests_is_large_enough() -> None:
    assert max([*TEXT, *SECOND]) < VOCABULARY
