"""What can't be asked in the tests' own process, whose checks of shapes torch's compiler does not understand.

python tests/compiled_cases.py blocks | step | step_by_blocks     (prints JSON)
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
from torch.nn.attention import flex_attention

from osnowa.model import Layout
from osnowa.runs.presets import PRESETS
from osnowa.train import muon
from small_models import LENGTH, distinct, random_model, random_rows, shrink, target_of
from small_training import make_trainer


def packed(prefix: bool = False) -> Layout:
    """Two rows of two documents, the second with padding at its end."""
    documents = torch.ones(2, LENGTH, dtype=torch.long)
    documents[:, LENGTH // 3 :] = 2
    documents[1, -5:] = 0
    positions = torch.arange(LENGTH).repeat(2, 1)
    positions[:, LENGTH // 3 :] -= LENGTH // 3
    positions[1, -5:] = 0
    return Layout(positions, documents, (positions < 4) & (documents > 0) if prefix else None)


def blocks() -> dict[str, dict[str, float]]:
    """For each kind of preset, the largest differences between attention by blocks and by masks, as shares."""
    # torch refuses gradients on a CPU, where its fast kernel has none; its plain computation, used here, has them.
    flex_attention._validate_device = lambda *_: None
    found = {}
    for preset, published in distinct((name for name in PRESETS if name.endswith("-tiny")), shrink).items():
        config = published.changed(dropout=0.0, attention_dropout=None, feed_forward_dropout=0.0)
        if config.position == "relative" or config.num_experts:
            continue
        model = random_model(config, dtype=torch.float64).train()
        by_mask = hidden_and_gradients(model)
        model.look_by_blocks()
        by_blocks = hidden_and_gradients(model)
        found[preset] = {
            name: float((by_blocks[name] - expected).norm() / expected.norm().clamp(min=1e-6))
            for name, expected in by_mask.items()
        }
    return found


def hidden_and_gradients(model: Any) -> dict[str, torch.Tensor]:
    """The last hidden vectors where there is text, and the gradient of the sum of their squares for each weight."""
    config, layout = model.config, packed()
    tokens, segments, _ = random_rows(config, rows=2)
    model.zero_grad()
    if config.topology == "decoder":
        hidden = model.decode(tokens, layout)
    else:
        hidden = model.encode(tokens, layout, segments.clamp(max=max(0, config.num_segments - 1)))
    if config.topology == "encoder-decoder":
        hidden = model.decode(target_of(config, tokens), layout, hidden, layout)
    hidden = hidden[layout.document_ids > 0]
    hidden.square().sum().backward()
    gradients = {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}
    return {"hidden": hidden.detach(), **gradients}


def step() -> dict[str, Any]:
    """Updates eager and compiled, with micro-batches that do not fill up; and how often it was compiled."""
    return side_by_side(blocks=False, encoder_layers=1)


def step_by_blocks() -> dict[str, Any]:
    """The same as a GPU makes them: attention by blocks inside the compiled step, with windows and shared keys."""
    flex_attention._validate_device = lambda *_: None
    return side_by_side(blocks=True, windows=(None, 4), num_kv_heads=1, attention_softcap=5.0)


def side_by_side(blocks: bool, **model: Any) -> dict[str, Any]:
    from torch._dynamo.utils import counters

    muon.has_fast_bfloat16 = lambda _device: False  # whose rounding makes large steps of small differences
    real = torch.compile
    torch.compile = lambda function, **settings: real(function, backend="aot_eager", **settings)
    settings: dict[str, Any] = {"steps": 8, "batch_rows": 14, "micro_rows": 7, "model": model}
    eager, compiled = make_trainer(**settings), make_trainer(**settings, compiled=True)
    if blocks:
        compiled.model.look_by_blocks()
    losses = [(eager.step(), compiled.step()) for _ in range(6)]
    weights = compiled.weights()
    return {
        "losses": [[one.loss, other.loss] for one, other in losses],
        "norms": [[one.gradient_norm, other.gradient_norm] for one, other in losses],
        "tokens": [[one.tokens, other.tokens] for one, other in losses],
        "weights": max(float((weights[name] - each).abs().max()) for name, each in eager.weights().items()),
        "graphs": counters["stats"]["unique_graphs"],
        "breaks": sum(counters["graph_break"].values()),
    }


if __name__ == "__main__":
    cases = {"blocks": blocks, "step": step, "step_by_blocks": step_by_blocks}
    print(json.dumps(cases[sys.argv[1]]()))  # noqa: T201
