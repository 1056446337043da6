"""Weights of eight and of four bits: near the numbers they stand for, the same in all ways of reading them, and said when wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import osnowa
from osnowa.errors import SettingsError
from osnowa.generate import GenerationConfig, generate
from osnowa.generate.int4 import Int4Linear, nearest
from osnowa.generate.int8 import MOST_ROWS, Int8Linear
from osnowa.generate.weights import Weights, make_ready
from osnowa.model import Layout, Transformer, initialise
from small_models import shrink
from small_run import osnowa as command
from talking import publish_talker, talker

WIDTH = 64
KINDS: tuple[Weights, ...] = ("int8", "int4")


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_each_weight_is_the_nearest_of_255_numbers() -> None:
    weight = random(5, WIDTH) * torch.tensor([1e-3, 1.0, 50.0, 0.0, 3.0])[:, None]
    made = Int8Linear.of(weight, None)
    exact = weight.abs().amax(1) / 127
    assert torch.equal(made.factor.float()[3:4], torch.zeros(1).clamp(min=float(made.factor[3])))
    assert made.weight.abs().amax(1).tolist() == [127, 127, 127, 0, 127]
    assert ((made.weight.float() * exact[:, None] - weight).abs() <= exact[:, None] * 0.5001).all()


@pytest.mark.parametrize("rows", [1, 3, MOST_ROWS, MOST_ROWS + 1, 200])
@pytest.mark.parametrize("bias", [None, random(48, seed=3)])
@pytest.mark.parametrize("width", [WIDTH, 50])
def test_products_are_near_those_of_the_numbers_however_many_rows(
    rows: int, bias: torch.Tensor | None, width: int
) -> None:
    weight, x = random(48, width), random(2, rows, width, seed=1)
    made = Int8Linear.of(weight, bias)
    expected = F.linear(x, weight, bias)
    found = made(x)
    assert found.dtype == torch.float32
    assert float((found - expected).norm() / expected.norm()) < 0.012
    assert made.weight.shape == (48, WIDTH), "a row of 50 ends with zeros"
    stored = F.linear(x, made.weight[:, :width].float() * made.factor.float()[:, None], bias)
    assert float((found - stored).norm() / expected.norm()) < 0.006


def test_a_part_shares_the_memory_of_the_whole() -> None:
    whole = Int8Linear.of(random(48, WIDTH), random(48, seed=3))
    part, x = whole.part(16, 32), random(4, WIDTH, seed=1)
    assert part.weight.untyped_storage().data_ptr() == whole.weight.untyped_storage().data_ptr()
    assert torch.equal(part(x), whole(x)[:, 16:32])


def test_a_group_of_four_bits_has_the_best_of_its_grids() -> None:
    weight = random(3, 2, 32)
    weight[0, 0] = torch.arange(32.0) // 2 - 7.5  # sixteen numbers, evenly
    weight[0, 1] = 0.75
    weight[1, 0, 5] = 40.0  # so large that a grid which leaves it out would err by more than all others together
    whole, groups = nearest(weight)
    step, middle = groups.float().unbind(2)
    made = (whole - 8) * step[..., None] + middle[..., None]
    assert (int(whole.min()), int(whole.max())) == (0, 15)
    assert torch.equal(made[0], weight[0]), "numbers that sixteen steps can say are kept"
    assert float(step[0, 1]) == 0
    assert float((made[1, 0, 5] - 40).abs()) < float(step[1, 0])
    span = (weight.amax(2, keepdim=True) - weight.amin(2, keepdim=True)) / 15
    plain = ((weight - weight.amin(2, keepdim=True)) / span.clamp(min=1e-9)).round() * span + weight.amin(
        2, keepdim=True
    )
    ours, theirs = ((each - weight).square().sum(2) for each in (made, plain))
    assert float(ours[1:].sum()) < float(theirs[1:].sum()), "a narrower grid errs less than one from end to end"


@pytest.mark.parametrize("rows", [1, 3, 200])
@pytest.mark.parametrize("bias", [None, random(50, seed=3)])
@pytest.mark.parametrize("width", [WIDTH, 50])
def test_products_of_four_bits_are_those_of_the_numbers(rows: int, bias: torch.Tensor | None, width: int) -> None:
    weight, x = random(50, width), random(2, rows, width, seed=1)
    made = Int4Linear.of(weight, bias)
    expected, found = F.linear(x, weight, bias), made(x)
    assert found.dtype == torch.float32
    assert found.shape == (2, rows, 50)
    assert float((found - expected).norm() / expected.norm()) < 0.1
    whole, groups = nearest(F.pad(weight, (0, WIDTH - width)).unflatten(1, (2, 32)))
    stored = ((whole - 8) * groups[..., :1].float() + groups[..., 1:].float()).flatten(1)[:, :width]
    assert float((found - F.linear(x, stored, bias)).norm() / expected.norm()) < 0.006
    assert made.weight.numel() == 64 * WIDTH // 2, "two weights a byte, outputs filled up to 64"


@pytest.mark.parametrize("kind", [Int8Linear, Int4Linear])
@pytest.mark.parametrize("odd", [torch.nan, torch.inf])
def test_what_is_no_number_stays_none(kind: type[Int8Linear | Int4Linear], odd: float) -> None:
    weight = random(48, WIDTH)
    weight[3, 5] = odd
    found = kind.of(weight, None)(random(2, WIDTH, seed=1))
    assert not found[:, 3].isfinite().any()
    assert found[:, 4].isfinite().all()


def test_a_part_of_four_bits_is_cut_from_the_whole() -> None:
    whole, x = Int4Linear.of(random(48, WIDTH), random(48, seed=3)), random(2, 3, WIDTH, seed=1)
    assert torch.equal(whole.part(16, 32)(x), whole(x)[..., 16:32])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", ["llama-tiny", "gpt2-tiny", "mixtral-tiny", "gemma2-tiny"])
def test_a_whole_model_says_nearly_the_same_and_keeps_no_float_matrix(preset: str, kind: Weights) -> None:
    model = Transformer(shrink(preset, d_model=WIDTH)).eval()
    initialise(model, 0)  # as a training begins: no score is so high that a rounding decides
    other = Transformer(model.config).eval()
    other.load_state_dict(model.state_dict())
    make_ready(other, kind)
    left = [name for name, module in other.named_modules() if isinstance(module, nn.Linear)]
    assert all(name.endswith("router") for name in left)
    tokens = torch.randint(5, model.config.vocab_size, (2, 12), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        layout = Layout.plain(tokens)
        expected, found = (each.head(each.decode(tokens, layout)) for each in (model, other))
    close = F.cosine_similarity(expected.flatten(0, 1), found.flatten(0, 1))
    least = {"int8": 0.97 if "mixtral" in preset else 0.995, "int4": 0.9}[kind]  # a router may choose another expert
    assert float(close.min()) > least
    assert not torch.equal(expected, found)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_layers_alone_and_joined_give_the_same(kind: Weights) -> None:
    model, tokenizer = talker()
    other = Transformer(model.config).eval()
    other.load_state_dict(model.state_dict())
    make_ready(other, kind)
    config = GenerationConfig(temperature=0, max_tokens=8)
    before = generate(other, tokenizer, ["Kot"], config)
    hook = other.decoder.blocks[0].attention.query.register_forward_hook(lambda *_: None)
    assert generate(other, tokenizer, ["Kot"], config) == before
    hook.remove()


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_asked_in_python_and_on_the_command_line(tmp_path: Path, kind: Weights) -> None:
    folder = publish_talker(tmp_path / "model")
    model = osnowa.load(folder, weights=kind)
    said = model.generate("Kot", temperature=0, max_tokens=6)
    assert isinstance(
        model.transformer.decoder.blocks[0].feed_forward.down, Int8Linear if kind == "int8" else Int4Linear
    )
    done = command("generate", folder, "Kot", "--weights", kind, "--temperature", "0", "--max-tokens", "6")
    assert (done.code, done.out.rstrip("\n")) == (0, said.text)


def test_other_weights_and_a_gpu_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="weights = int2: no such weights; use float, bfloat16, int8 or int4"):
        osnowa.load(tmp_path, weights="int2")  # type: ignore[arg-type]
    for kind in KINDS:
        with pytest.raises(
            SettingsError, match=f"weights = {kind}: are for the processor, not for cuda; use --device cpu"
        ):
            osnowa.load(tmp_path, "cuda", kind)
