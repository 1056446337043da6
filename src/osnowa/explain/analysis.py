"""Where an answer came from: sums of contributions, parts left out, and what each layer would have answered."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from osnowa.explain.ablation import MOST_WORK, Ablation, work
from osnowa.explain.answers import top
from osnowa.explain.chapter import Chapter
from osnowa.explain.contributions import contributions
from osnowa.explain.figures import Figures, layer_figures, layer_output, neighbours, tags_of
from osnowa.explain.forward import Forward
from osnowa.explain.left_out import NO_ABLATION
from osnowa.explain.program import STACKS, layers_of
from osnowa.explain.sides import spell
from osnowa.model import Transformer
from osnowa.tokenizer import Tokenizer

CANDIDATES = 8
LENS = 5


def analyse(
    model: Transformer, tokenizer: Tokenizer, forward: Forward, figures: Figures, *, head: bool
) -> tuple[dict[str, Any], Chapter, list[dict[str, Any]]]:
    """The analysis, the tensors that it names, and what was not computed.

    It speaks of the first hidden place of an encoder, or of the token after a decoder's last place.
    """
    config, question = model.config, forward.question
    chapter, missing = Chapter({}), list[dict[str, Any]]()
    found: dict[str, Any] = {
        "layers": layer_figures(forward, config, figures),
        "tags": tags_of(forward, config, figures),
        "cross_tags": tags_of(forward, config, figures, "cross").get("dec"),
        "neighbours": neighbours(forward, tokenizer),
        "place": None,
        "side": question.last,
        "candidates": [],
        "parts": [],
        "contributions": None,
        "logits": None,
        "ablation": None,
        "lens": [],
    }
    if not head:
        return found, chapter, missing
    place = question.asked[0] if question.last == "enc" else question.asked[-1]
    at, row = ("mlm" if question.last == "enc" else "next"), question.asked.index(place)
    logits = forward.tensors[f"{at}.logits"].array[row]
    candidates = top(logits, CANDIDATES)
    found["place"] = place
    found["candidates"] = [{"id": i, "token": spell(tokenizer, i), "logit": float(logits[i])} for i in candidates]
    told = contributions(forward, config, place, candidates)
    found["parts"] = told.parts
    found["contributions"] = chapter.add("analysis.contributions", told.values, "candidate part")
    found["logits"] = chapter.add("analysis.logits", told.logits, "candidate")
    chapter.step("total", "analysis.logits", ["analysis.contributions"], "analysis")
    found["lens"] = lens(model, tokenizer, forward, place)
    if work(model, question) > MOST_WORK:
        missing.append(NO_ABLATION)
        return found, chapter, missing
    ablated = Ablation(model, forward, place, candidates).run()
    axes = {
        "p": "candidate",
        "without_head": "layer head candidate",
        "without_cross_head": "layer head candidate",
        "without_ffn": "layer candidate",
    }
    found["ablation"] = {
        key: None if array is None else chapter.add(f"analysis.{key}", array, axes[key])
        for key, array in ablated.items()
    }
    return found, chapter, missing


@torch.inference_mode()
def lens(model: Transformer, tokenizer: Tokenizer, forward: Forward, place: int) -> list[dict[str, Any]]:
    """The best tokens if each layer were the last: its vector through the last norm and the head (logit lens)."""
    side = forward.question.last
    final = getattr(model, STACKS[side]).final_norm
    found = []
    for layer in range(layers_of(model.config, side)):
        x = forward.tensors[layer_output(forward, side, layer)].array[place]
        p = model.head(final(torch.from_numpy(np.array(x)[None]))).softmax(-1)[0].numpy()
        best = [{"id": i, "token": spell(tokenizer, i), "p": float(p[i])} for i in top(p, LENS)]
        found.append({"layer": layer, "top": best})
    return found
