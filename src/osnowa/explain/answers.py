"""What the model answers: the best tokens for each hidden place, the verdict on two sentences, what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from osnowa.explain.forward import Forward
from osnowa.explain.question import GREEDY
from osnowa.explain.sides import spell
from osnowa.explain.step import Array
from osnowa.generate import Frame, GenerationConfig, generate
from osnowa.model import Transformer
from osnowa.tokenizer import Tokenizer

FEW = 5


def answers(
    model: Transformer, tokenizer: Tokenizer, forward: Forward, frame: Frame, *, top_k: int = 20
) -> dict[str, Any]:
    """The answers that the traced tensors hold, and a decoder's own continuation, the likeliest token each time.

    `top_k`: so many tokens for each place.
    """
    question, tensors = forward.question, forward.tensors
    found: dict[str, Any] = {"masks": [], "nsp": None, "next": None}
    if "mlm.p" in tensors:
        found["masks"] = [
            {"place": place, "hidden": place in question.masks, "top": best(forward, "mlm", row, top_k, tokenizer)}
            for row, place in enumerate(question.asked)
        ]
    if "nsp.p" in tensors:
        follows = float(tensors["nsp.p"].array[0])
        found["nsp"] = {"is_next": follows >= 0.5, "p": follows}
    if "next.p" in tensors:
        last = len(question.asked) - 1
        found["next"] = {
            "place": question.asked[last],
            "top": best(forward, "next", last, top_k, tokenizer),
            "greedy": [{"id": i, "token": spell(tokenizer, i)} for i in _greedy(model, tokenizer, forward, frame)],
            "places": [
                {"place": place, "top": best(forward, "next", row, min(FEW, top_k), tokenizer)}
                for row, place in enumerate(question.asked)
            ],
        }
    return found


def best(forward: Forward, at: str, row: int, top_k: int, tokenizer: Tokenizer) -> list[dict[str, Any]]:
    """The likeliest tokens of one row of the head, the likeliest first; of equal ones the lower id."""
    logits, p = forward.tensors[f"{at}.logits"].array[row], forward.tensors[f"{at}.p"].array[row]
    return [
        {"id": i, "token": spell(tokenizer, i), "logit": float(logits[i]), "p": float(p[i])} for i in top(logits, top_k)
    ]


def top(numbers: Array, count: int) -> list[int]:
    """Places of the largest numbers, the largest first."""
    return [int(i) for i in np.argsort(-numbers, kind="stable")[:count]]


def _greedy(model: Transformer, tokenizer: Tokenizer, forward: Forward, frame: Frame) -> Sequence[int]:
    """What the model says when it always takes the likeliest token: after a decoder's text, for a source from its
    beginning."""
    rows = forward.question.rows
    prompt = rows["enc" if "enc" in rows else "dec"]
    if "enc" in rows and forward.question.target is None:  # said when the question was asked, the target of its rows
        return rows["dec"].ids[len(frame.begin) :]
    if "enc" not in rows and len(prompt.tokens) >= model.config.max_positions:
        return ()
    settings = GenerationConfig(max_tokens=GREEDY, temperature=0)
    (said,) = generate(model, tokenizer, [list(prompt.ids)], settings, prefix=bool(prompt.prefix), frame=frame)
    return said.tokens
