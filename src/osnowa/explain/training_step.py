"""One training step of a text: what is hidden and asked, the loss, the gradients, and what one update changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from osnowa.data import Rows
from osnowa.errors import DataError
from osnowa.explain.chapter import Chapter
from osnowa.model import Transformer
from osnowa.objective import Batch, Objective
from osnowa.objective.objective import hidden_vectors
from osnowa.train.config import TrainingConfig
from osnowa.train.learner import Learner, Losses, shortening

PART = "step"


def training_step(
    model: Transformer,
    objective: Objective,
    rows: Rows,
    config: TrainingConfig,
    token: Callable[[int], str],
    *,
    seed: int = 0,
    step: int = 0,
    rate_factor: float = 1.0,
) -> Chapter:
    """The block `step` of the index: what the training loop would do with the one row of `rows` as its mini-batch.

    The work is done on a float32 copy of `model`, by an optimiser that remembers nothing of earlier steps. `token`
    spells an id for people. `seed` and `step` (updates before this one) decide what dropout drops; `rate_factor` is the
    schedule's.

    Raises:
        DataError: nothing is asked of the row.
    """
    assert len(rows.tokens) == 1, "one row is explained"
    batch = objective.batch(rows)
    if not len(batch.labels):
        raise DataError("explain", "nothing can be asked of this text", "give a longer one")
    learner = learner_of(model, objective, config, seed)
    chapter = Chapter({"side": "dec" if model.config.decoder_layers else "enc"})
    chapter.block.update(plan_of(rows, batch, objective, token))
    before = chances(learner.model, batch)
    with listened(learner.model) as logits, torch.random.fork_rng(devices=[]):  # dropout has its own seed
        losses = learner.back_propagate([learner.sized(batch, 1)], step)
    write_losses(chapter, logits[0][: len(batch.labels)], batch, losses, config, objective)
    norms = {name: _norm(each.grad) for name, each in learner.masters.working.items()}
    weights = {name: master.detach().clone() for name, master in learner.masters.masters.items()}
    norm = learner.gradient_norm()
    chapter.block["clip"] = clipping(norm, config.clip_norm)
    learner.update(rate_factor, norm)
    chapter.block["gradients"] = list(changes(learner, weights, norms))
    chapter.block["after"] = [
        {"place": place, "token": token(label), "p_before": was, "p_after": now}
        for place, label, was, now in zip(
            places_of(batch), batch.labels.tolist(), before, chances(learner.model, batch), strict=True
        )
    ]
    chapter.block["rate"] = config.learning_rate * rate_factor
    chapter.block["matrix_rate"] = config.matrix_learning_rate * rate_factor if config.optimiser == "muon" else None
    chapter.block["optimiser"] = config.optimiser
    return chapter


def learner_of(model: Transformer, objective: Objective, config: TrainingConfig, seed: int) -> Learner:
    """A copy that learns. Not a deep copy: a model that is only asked may compute past its own matrices (`joined`)."""
    with torch.random.fork_rng(devices=[]):  # a new model draws numbers that are thrown away
        own = Transformer(model.config)
    own.load_state_dict(model.state_dict())
    device = model.embedding.token.weight.device
    return Learner(own.to(device), objective, config, seed=seed, device=device, dtype=torch.float32)


# --- what is asked ----------------------------------------------------------------------------------------------


def places_of(batch: Batch) -> list[int]:
    """Where in the row something is asked; a decoder's place is asked for what comes after it."""
    return batch.selected.tolist()


def plan_of(rows: Rows, batch: Batch, objective: Objective, token: Callable[[int], str]) -> dict[str, Any]:
    """The row as the model is shown it, and each asked place: what stands there, and what should come out.

    `kind` tells how a hidden token was replaced: by [MASK], by a random token, or by itself (a random token that
    happens to be the true one counts as the same); None where tokens are asked and not hidden.
    """
    shown, real = batch.tokens[0].tolist(), (batch.layout.document_ids[0] > 0).tolist()
    hidden = objective.config.question == "hidden"
    original = rows.tokens[0].tolist() if hidden else shown
    row = [
        {"place": place, "id": index, "token": token(index), "original": was, "original_token": token(was)}
        for place, (index, was, there) in enumerate(zip(shown, original, real, strict=True))
        if there
    ]
    plan = []
    for place, label in zip(places_of(batch), batch.labels.tolist(), strict=True):
        kind = None
        if hidden:
            kind = "same" if shown[place] == label else "random"
            kind = "mask" if shown[place] == objective.vocabulary.mask else kind
        told = {"place": place, "id": shown[place], "token": token(shown[place])}
        plan.append({**told, "label": label, "label_token": token(label), "kind": kind})
    kinds = [each["kind"] for each in plan]
    tokens = int((~rows.special[0]).sum()) if hidden else len(row)
    counts = {"tokens": tokens, "chosen": len(plan), **{kind: kinds.count(kind) for kind in ("mask", "random", "same")}}
    source = None
    if batch.source is not None:
        told_source = batch.source.tokens[0][batch.source.layout.document_ids[0] > 0].tolist()
        source = [{"place": place, "id": index, "token": token(index)} for place, index in enumerate(told_source)]
    share = objective.config.mask_share if hidden else None
    return {
        "row": row,
        "source": source,
        "plan": plan,
        "counts": counts,
        "share": share,
        "objective": objective.config.name,
    }


# --- what came out ----------------------------------------------------------------------------------------------


@contextmanager
def listened(model: Transformer) -> Iterator[list[Tensor]]:
    """The logits [asked, vocab] that the heads give meanwhile."""
    heard: list[Tensor] = []
    handle = model.head.logits.register_forward_hook(lambda _tap, _inputs, logits: heard.append(logits.detach()))
    try:
        yield heard
    finally:
        handle.remove()


def write_losses(
    chapter: Chapter, logits: Tensor, batch: Batch, losses: Losses, config: TrainingConfig, objective: Objective
) -> None:
    """Logits, probabilities, -ln p and their mean, as steps that the page repeats, and the parts of the whole loss."""
    exact = logits.double().cpu()
    labels = batch.labels.cpu()
    logs = exact.log_softmax(-1)
    nll = -logs[torch.arange(len(labels)), labels]
    names = {
        "logits": chapter.add("step.logits", exact.numpy(), "asked vocab"),
        "p": chapter.add("step.p", logs.exp().numpy(), "asked vocab"),
        "nll": chapter.add("step.nll", nll.numpy(), "asked"),
        "loss": chapter.add("step.loss", [float(nll.mean())], "one"),
    }
    chapter.step("softmax", names["p"], [names["logits"]], PART)
    chapter.step("nll", names["nll"], [names["p"]], PART, labels=labels.tolist())
    chapter.step("mean", names["loss"], [names["nll"]], PART)
    chapter.block.update(names)
    chapter.block["parts"] = list(parts_of(float(nll.mean()), losses, config, objective))
    chapter.block["total"] = losses.total


def parts_of(plain: float, losses: Losses, config: TrainingConfig, objective: Objective) -> Iterator[dict[str, Any]]:
    """Losses and their weights; the weighted sum is the loss that was propagated back."""
    names = {"hidden": "masked", "next": "next token", "target": "target"}
    yield {"name": names[objective.config.question], "loss": plain, "weight": 1.0}
    if objective.config.label_smoothing:
        yield {"name": "label smoothing", "loss": losses.token - plain, "weight": 1.0}
    if losses.num_pairs:
        name = "sentence order" if objective.config.name == "sentence-order" else "next sentence"
        yield {"name": name, "loss": losses.next_sentence, "weight": config.next_sentence_weight}
    if losses.balance:
        yield {"name": "balance of experts", "loss": losses.balance, "weight": 1.0}


@torch.inference_mode()
def chances(model: Transformer, batch: Batch) -> list[float]:
    """The probability of each true token, without dropout."""
    training = model.training
    model.eval()
    on_device = batch.to(model.embedding.token.weight.device)
    hidden = hidden_vectors(model, on_device).flatten(0, 1)
    p = model.head(hidden.index_select(0, on_device.selected)).double().softmax(-1)
    model.train(training)
    return p.gather(1, on_device.labels[:, None])[:, 0].tolist()


# --- what changes -----------------------------------------------------------------------------------------------


def clipping(norm: Tensor, limit: float) -> dict[str, float]:
    """The gradient's length, the limit, and the factor by which the loop shortens it."""
    return {"norm": float(norm), "limit": limit, "factor": float(shortening(norm, limit))}


def changes(
    learner: Learner, weights: Mapping[str, Tensor], norms: Mapping[str, float]
) -> Iterator[dict[str, float | int | str | list[int]]]:
    """For each parameter the length of its gradient before clipping, of the update, and of itself before it."""
    for name, master in learner.masters.masters.items():
        grew, size = _norm(master.detach() - weights[name]), _norm(weights[name])
        yield {
            "name": name,
            "shape": list(master.shape),
            "size": master.numel(),
            "norm": norms[name],
            "grew": grew,
            "weight_norm": size,
            "relative": grew / size if size else 0.0,
        }


def _norm(tensor: Tensor | None) -> float:
    return 0.0 if tensor is None else float(np.sqrt(float(tensor.double().square().sum())))
