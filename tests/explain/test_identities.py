"""What must add up in every trace: softmax rows, weighted sums, heads through W0, residuals, contributions to a logit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from looking import KINDS, config_of, model_of, quiet, traced
from torch import nn

from osnowa.explain.figures import layer_input
from osnowa.explain.program import STACKS
from osnowa.explain.trace import Trace, trace
from osnowa.explain.watch import ordinary
from small_models import random_model, small_tokenizer


def parts_of(made: Trace) -> list[tuple[str, str]]:
    """Each attention of a trace with its module's name."""
    found = []
    for name in made.tensors:
        if name.endswith(".weights"):
            side, layer, part = name.split(".")[:3]
            module = "cross_attention" if part == "cross" else "attention"
            found.append((name.removesuffix(".weights"), f"{STACKS[side]}.blocks.{layer}.{module}"))
    return found


@pytest.mark.parametrize("preset", KINDS)
def test_attention_adds_up(preset: str) -> None:
    made, config = traced(preset), config_of(preset)
    tensors = {name: array.astype(np.float64) for name, array in made.tensors.items()}
    group = config.num_heads // config.kv_heads
    for at, module in parts_of(made):
        weights = tensors[f"{at}.weights"]
        assert np.abs(weights.sum(-1) - 1).max() < 1e-5
        if f"{at}.masked" in tensors:
            hidden = tensors[f"{at}.masked"] < -1e38
            assert hidden.any()
            assert (weights[hidden] == 0).all()
        values = np.repeat(tensors[f"{at}.v"], group, axis=0)
        assert np.abs(weights @ values - tensors[f"{at}.context"]).max() < 1e-5
        matrix = made.forward.weights[f"w.{module}.output.weight"].array.astype(np.float64)
        width = config.head_width
        heads = sum(
            tensors[f"{at}.context"][head] @ matrix[:, head * width : (head + 1) * width].T
            for head in range(config.num_heads)
        )
        bias = made.forward.weights.get(f"w.{module}.output.bias")
        total = heads if bias is None else heads + bias.array
        assert np.abs(total - tensors[f"{at}.out"]).max() < 1e-4


@pytest.mark.parametrize("preset", KINDS)
def test_each_residual_goes_on_from_the_one_before(preset: str) -> None:
    made = traced(preset)
    for side, facts in made.sides.items():
        for layer in range(facts["layers"]):
            x = made.tensors[layer_input(made.forward, side, layer)]
            for part, last in (("attn", "out"), ("cross", "out"), ("ffn", "down")):
                at = f"{side}.{layer}.{part}"
                if f"{at}.sum" not in made.tensors:
                    continue
                change = made.tensors.get(f"{at}.out_norm", made.tensors[f"{at}.{last}"])
                assert np.abs(x + change - made.tensors[f"{at}.sum"]).max() < 1e-5
                x = made.tensors.get(f"{at}.after", made.tensors[f"{at}.sum"])


@pytest.mark.parametrize("preset", KINDS)
def test_contributions_and_the_rest_are_the_logit(preset: str) -> None:
    made = traced(preset)
    assert made.analysis is not None
    chapter = made.chapters["analysis"]
    values, logits = chapter.tensors["analysis.contributions"], chapter.tensors["analysis.logits"]
    kinds = [part["kind"] for part in made.analysis["parts"]]
    assert values.shape == (len(made.analysis["candidates"]), len(kinds))
    assert np.abs(values.astype(np.float64).sum(1) - logits).max() < 1e-5
    assert kinds[-1] == "rest"
    assert np.abs(values[:, -1]).max() < 1e-4, "with everything later frozen the direct path is the whole logit"
    assert [each["logit"] for each in made.analysis["candidates"]] == pytest.approx(logits.tolist())
    config, facts = config_of(preset), made.sides[made.forward.question.last]
    for kind in ("head", *(["cross_head"] if len(made.sides) == 2 else [])):
        assert kinds.count(kind) == facts["layers"] * config.num_heads
    assert kinds.count("ffn") == facts["layers"]


def test_a_head_contributes_what_the_logit_loses_when_its_output_goes_and_norms_stay_frozen() -> None:
    """With norms that do nothing there is no difference between a contribution and an ablation of the last layer."""
    preset = "gpt2-124m"
    model = quiet(random_model(config_of(preset), dtype=torch.float32))
    model.decoder.final_norm = nn.Identity()  # type: ignore[assignment]
    made = traced(preset)
    model.load_state_dict(model_of(preset).state_dict(), strict=False)
    last = made.sides["dec"]["layers"] - 1
    assert made.analysis is not None
    column = next(
        i for i, p in enumerate(made.analysis["parts"]) if (p["kind"], p["layer"], p["head"]) == ("head", last, 1)
    )
    place, token = made.analysis["place"], made.analysis["candidates"][0]["id"]
    width = config_of(preset).head_width
    output = model.decoder.blocks[last].attention.output.weight[:, width : 2 * width].detach().numpy()
    head = made.tensors[f"dec.{last}.attn.context"][1, place]
    x = made.tensors[f"dec.{last}.ffn.sum"][place].astype(np.float64)
    norm = model_of(preset).decoder.final_norm
    scale = norm.weight.detach().numpy() / np.sqrt(x.var() + norm.eps)  # type: ignore[union-attr,operator]
    written = output @ head
    expected = (written - written.mean()) * scale @ model_of(preset).embedding.token.weight[token].detach().numpy()
    assert made.chapters["analysis"].tensors["analysis.contributions"][0, column] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("preset", ["bert-base", "llama3-8b", "bart-base", "gemma2-2b"])
def test_without_a_head_is_the_model_with_its_part_of_w0_at_zero(preset: str) -> None:
    made, config = traced(preset), config_of(preset)
    side = made.forward.question.last
    assert made.analysis is not None
    row = made.forward.question.asked.index(made.analysis["place"])
    candidates = [each["id"] for each in made.analysis["candidates"]]
    layers = made.sides[side]["layers"]
    pieces = made.chapters["analysis"].tensors
    for layer, head in ((0, 0), (layers - 1, config.num_heads - 1)):
        for part, key in (("attention", "without_head"), ("cross_attention", "without_cross_head")):
            model = quiet(random_model(config, dtype=torch.float32))
            block = getattr(model, STACKS[side]).blocks[layer]
            if not hasattr(block, part):
                assert f"analysis.{key}" not in pieces
                continue
            with torch.no_grad():
                width = config.head_width
                getattr(block, part).output.weight[:, head * width : (head + 1) * width] = 0
                _, logits = ordinary(model, made.forward.question)
            assert logits is not None
            expected = logits[row].softmax(-1)[candidates].numpy()
            assert pieces[f"analysis.{key}"][layer, head] == pytest.approx(expected, abs=1e-6)
            assert np.abs(pieces[f"analysis.{key}"][layer, head] - pieces["analysis.p"]).max() > 1e-5
    assert pieces["analysis.p"] == pytest.approx(
        made.tensors[("mlm" if side == "enc" else "next") + ".p"][row][candidates], abs=1e-6
    )


def test_without_a_network_is_the_model_with_its_matrix_at_zero() -> None:
    made, model = traced("bert-base"), quiet(random_model(config_of("bert-base"), dtype=torch.float32))
    assert made.analysis is not None
    with torch.no_grad():
        model.encoder.blocks[1].feed_forward.down.weight.zero_()  # type: ignore[union-attr]
        model.encoder.blocks[1].feed_forward.down.bias.zero_()  # type: ignore[union-attr]
        _, logits = ordinary(model, made.forward.question)
    assert logits is not None
    expected = logits[0].softmax(-1)[[each["id"] for each in made.analysis["candidates"]]].numpy()
    assert made.chapters["analysis"].tensors["analysis.without_ffn"][1] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("preset", ["bert-base", "gpt2-124m", "t5-small"])
def test_the_lens_of_the_last_layer_is_the_answer(preset: str) -> None:
    made = traced(preset)
    assert made.analysis is not None
    answer = made.answers["masks"][0] if preset == "bert-base" else made.answers["next"]
    last = made.analysis["lens"][-1]["top"]
    assert [each["id"] for each in last] == [each["id"] for each in answer["top"][:5]]
    assert [each["p"] for each in last] == pytest.approx([each["p"] for each in answer["top"][:5]], abs=1e-6)
    assert len(made.analysis["lens"]) == made.sides[made.forward.question.last]["layers"]


def test_tags_name_what_the_numbers_do() -> None:
    from osnowa.explain.figures import Figures

    made = traced("bert-base")
    figures = Figures(made.forward.question, small_tokenizer(), made.config)
    length = len(made.sides["enc"]["tokens"])
    separators = [i for i, token in enumerate(made.sides["enc"]["tokens"]) if token["piece"] == "[SEP]"]
    previous, following, itself, first, even, separator, mixed = np.zeros((7, length, length))
    for i in range(length):
        previous[i, max(i - 1, 0)] = following[i, min(i + 1, length - 1)] = itself[i, i] = first[i, 0] = 1
        separator[i, separators[0]] = 1
        mixed[i, [3, 5]] = 0.5
    even[:] = 1 / length
    figures.see("enc.0.attn.weights", np.stack([previous, following, itself, first, even, separator, mixed]))
    found = [tag["tag"] for tag in figures.tags["enc.0.attn"]]
    assert found == ["previous", "next", "self", "first", "uniform", "separator", None]
    assert figures.entropy["enc.0.attn"] == pytest.approx([0, 0, 0, 0, np.log(length), 0, np.log(2)], abs=1e-9)


def test_neighbours_are_the_nearest_by_cosine() -> None:
    made = traced("bert-base")
    assert made.analysis is not None
    table = made.forward.weights["w.embedding.token.weight"].array
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    token = made.sides["enc"]["tokens"][1]["id"]
    order = [int(i) for i in np.argsort(-(unit @ unit[token])) if i != token][:5]
    assert [each["id"] for each in made.analysis["neighbours"]["enc"][1]] == order


def test_where_passes_without_parts_would_take_minutes_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osnowa.explain.analysis.MOST_WORK", 1.0)
    made = trace(model_of("bert-base"), small_tokenizer(), "Natura [MASK] obrazy.")
    assert made.analysis is not None
    assert made.analysis["ablation"] is None
    assert made.analysis["contributions"] == "analysis.contributions"
    assert [each["key"] for each in made.missing] == ["ablation"]
