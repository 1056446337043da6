"""Weights of sixteen bits: the same products packed or not, single rows normed as many are, refused where slow."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import osnowa
from osnowa.errors import SettingsError
from osnowa.generate import GenerationConfig, generate
from osnowa.generate.packed import PackedLinear
from osnowa.generate.products import Part, replace
from osnowa.generate.weights import lay_out
from osnowa.model import Layout, Transformer, initialise
from osnowa.model.norm import RMSNorm
from osnowa.runs import model as runs_model
from osnowa.train.precision import has_fast_bfloat16
from small_models import shrink
from small_run import osnowa as command
from talking import publish_talker, talker

WIDTH = 64
needs_bfloat16 = pytest.mark.skipif(
    not has_fast_bfloat16(torch.device("cpu")), reason="this processor does not compute in bfloat16"
)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).bfloat16()


@needs_bfloat16
@pytest.mark.parametrize("rows", [1, 3, 200])
@pytest.mark.parametrize("bias", [None, random(48, seed=3)])
def test_packed_products_are_the_same_bit_by_bit(rows: int, bias: torch.Tensor | None) -> None:
    weight, x = random(48, WIDTH), random(2, rows, WIDTH, seed=1)
    with torch.inference_mode():
        whole = PackedLinear.of(weight, bias)
        assert torch.equal(whole(x), F.linear(x, weight, bias))
        assert torch.equal(whole.part(16, 32)(x), F.linear(x, weight, bias)[..., 16:32])


@needs_bfloat16
@pytest.mark.parametrize("preset", ["llama-tiny", "gpt2-tiny", "mixtral-tiny", "gemma2-tiny"])
def test_a_packed_model_says_the_same_bit_by_bit_and_keeps_no_other_matrix(preset: str) -> None:
    model = Transformer(shrink(preset, d_model=WIDTH)).eval()
    initialise(model, 0)
    model.to(torch.bfloat16)
    other = Transformer(model.config).to(torch.bfloat16).eval()
    other.load_state_dict(model.state_dict())
    lay_out(other)
    replace(other, PackedLinear.of)
    left = [name for name, module in other.named_modules() if isinstance(module, nn.Linear)]
    assert all(name.endswith("router") for name in left)
    assert any(isinstance(each, Part) for each in other.modules())
    tokens = torch.randint(5, model.config.vocab_size, (2, 12), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        layout = Layout.plain(tokens)
        expected, found = (each.head(each.decode(tokens, layout)) for each in (model, other))
    assert torch.equal(found, expected)


@needs_bfloat16
def test_the_same_layers_alone_and_joined_give_the_same() -> None:
    model, tokenizer = talker()
    other = Transformer(model.config).to(torch.bfloat16).eval()
    other.load_state_dict(model.state_dict())
    lay_out(other)
    replace(other, PackedLinear.of)
    config = GenerationConfig(temperature=0, max_tokens=8)
    before = generate(other, tokenizer, ["Kot"], config)
    seen: list[int] = []
    hook = other.decoder.blocks[0].attention.query.register_forward_hook(lambda *_: seen.append(1))
    assert generate(other, tokenizer, ["Kot"], config) == before
    assert seen
    hook.remove()


@pytest.mark.parametrize("offset", [False, True])
def test_one_row_is_normed_as_many_are(offset: bool) -> None:
    norm, rows = RMSNorm(WIDTH, 1e-6, offset).bfloat16(), random(7, WIDTH) * 40
    with torch.no_grad():
        norm.weight.copy_(random(WIDTH, seed=4))
        exact = rows.double() * torch.rsqrt(rows.double().square().mean(-1, keepdim=True) + 1e-6)
        exact *= norm.weight.double() + offset
        for row, expected in zip(rows, exact, strict=True):
            found = norm(row[None, None])
            assert (found.dtype, found.shape) == (torch.bfloat16, (1, 1, WIDTH))
            torch.testing.assert_close(found[0, 0].double(), expected, rtol=2**-6, atol=1e-30)


@needs_bfloat16
def test_a_folder_is_asked_in_bfloat16_in_python_and_on_the_command_line(tmp_path: Path) -> None:
    folder = publish_talker(tmp_path / "model")
    model = osnowa.load(folder, weights="bfloat16")
    assert model.transformer.embedding.token.weight.dtype == torch.bfloat16
    assert isinstance(model.transformer.decoder.blocks[0].feed_forward.down, PackedLinear)
    said = model.generate("Kot", temperature=0, max_tokens=6)
    done = command("generate", folder, "Kot", "--weights", "bfloat16", "--temperature", "0", "--max-tokens", "6")
    assert (done.code, done.out.rstrip("\n")) == (0, said.text)


def test_a_machine_that_emulates_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_model, "has_fast_bfloat16", lambda _device: False)
    with pytest.raises(
        SettingsError, match="bfloat16: this processor does not compute in bfloat16; use float, int8 or int4"
    ):
        osnowa.load(tmp_path, weights="bfloat16")
