"""The walk of the text with its own numbers: a model of width 4 that holds its vectors, and what it prints beside the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from osnowa.explain import seed_text as text
from osnowa.explain.chapter import Chapter
from osnowa.explain.seed_remarks import REMARKS, SOFTMAX_WHY, remark
from osnowa.model import ModelConfig, Transformer, initialise
from osnowa.model.position import Learned
from osnowa.tokenizer import Tokenizer, TokenizerConfig
from osnowa.tokenizer.assembly import assemble_wordpiece

VOCAB_SIZE = 609
# Ids that the text does not give: [MASK] can't have the 3 of our own tokenizers, which is the text's full stop.
FREE_IDS = {"[PAD]": 0, "[MASK]": 4, "[UNK]": 5, "opona": 605, "piękny": 606, "dom": 607, "las": 608}
SEED = 0
# From 0.02, which suits a width of 768, to 1 / sqrt(4), so that a product with a vector of this width keeps its size.
DEVIATION_FACTOR = 25.0


@dataclass(frozen=True)
class SeedWalk:
    """The model and the row of the text's pair of sentences, ready for an ordinary trace, and what is said beside it.

    `tokens` and `segments` are the 13 of the text; the tokenizer makes them of `text` and `second`.
    """

    model: Transformer
    tokenizer: Tokenizer
    text: str
    second: str
    tokens: tuple[int, ...]
    segments: tuple[int, ...]
    chapter: Chapter


def seed_walk() -> SeedWalk:
    """The toy of the text and the block `seed` of the index; the same bits each time."""
    return SeedWalk(
        model=seed_model(),
        tokenizer=seed_tokenizer(),
        text=text.SENTENCE_A,
        second=text.SENTENCE_B,
        tokens=tuple(text.IDS[token] for token, _ in text.PAIR),
        segments=tuple(segment for _, segment in text.PAIR),
        chapter=seed_chapter(),
    )


def vocabulary() -> dict[str, int]:
    """Entries and their ids, in the order of the ids; those that neither the text nor we use are "[unusedN]"."""
    named = {index: token for token, index in (text.IDS | FREE_IDS).items()}
    return {named.get(index, f"[unused{index}]"): index for index in range(VOCAB_SIZE)}


def seed_tokenizer() -> Tokenizer:
    """Word pieces with the text's ids."""
    engine = assemble_wordpiece(vocabulary(), TokenizerConfig(kind="wordpiece"))
    return Tokenizer.from_bytes(engine.to_str().encode(), "the text's vocabulary")


def seed_model() -> Transformer:
    """Blocks of the encoder of 2018 at width 4: the vectors of the text in their places, the rest drawn from seed 0."""
    config = ModelConfig(
        vocab_size=VOCAB_SIZE,
        d_model=4,
        d_ff=16,
        num_heads=2,
        encoder_layers=2,
        max_positions=len(text.PAIR_POSITIONS),
        position="learned",
        norm="layernorm",
        norm_placement="post",
        norm_eps=1e-12,
        activation="gelu",
        num_segments=2,
        input_norm=True,
        head_transform=True,
        head_bias=True,
        next_sentence=True,
    )
    model = Transformer(config).eval()
    initialise(model, SEED)
    nameless = [index for token, index in vocabulary().items() if token.startswith("[unused")]
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(DEVIATION_FACTOR)
        model.embedding.token.weight[nameless] /= DEVIATION_FACTOR  # so that answers are words
        for token, vector in text.INPUT_EMBEDDINGS.items():
            model.embedding.token.weight[text.IDS[token]] = torch.tensor(vector)
        positions = torch.tensor(text.PAIR_POSITIONS)
        position = model.encoder.position
        assert isinstance(position, Learned)
        position.table.weight.copy_(positions[:, None].expand(-1, 4))
        assert model.embedding.segment is not None
        model.embedding.segment.weight.copy_(torch.tensor(text.SEGMENTS))
    return model.requires_grad_(False)


def seed_chapter() -> Chapter:
    """The block `seed`: both tables, the softmax, the division, the remarks."""
    chapter = Chapter({})
    chapter.block["tables"] = [first_table(chapter), pair_table()]
    chapter.block["softmax"] = softmax_example(chapter)
    chapter.block["division"] = {
        "d_model": text.D_MODEL,
        "heads": text.NUM_HEADS,
        "d_head": text.D_MODEL // text.NUM_HEADS,
        "why": remark("division", REMARKS["division"]),
    }
    chapter.block["remarks"] = [remark(key, words) for key, words in REMARKS.items()]
    return chapter


def first_table(chapter: Chapter) -> dict[str, Any]:
    """Four tokens with the text's first table of positions, which no model of the page holds; so it brings its tensors."""
    token = np.array([text.INPUT_EMBEDDINGS[each] for each in text.FIRST], dtype=np.float32)
    position = np.array(text.FIRST_POSITIONS, dtype=np.float32)
    names = {
        "token": chapter.add("seed.first.token", token, "seq d_model"),
        "position": chapter.add("seed.first.position", position, "seq d_model"),
        "sum": chapter.add("seed.first.sum", token + position, "seq d_model"),
    }
    chapter.step("add", names["sum"], [names["token"], names["position"]], "seed")
    rows = [
        {"position": place, "token": each, "id": text.IDS[each], "segment": None}
        for place, each in enumerate(text.FIRST)
    ]
    return {"key": "first", "rows": rows, **names, "segment": None, "printed": [list(row) for row in text.FIRST_SUMS]}


def pair_table() -> dict[str, Any]:
    """The 13 tokens of the pair: the tensors are those of the page's own trace."""
    rows = [
        {"position": place, "token": token, "id": text.IDS[token], "segment": segment}
        for place, (token, segment) in enumerate(text.PAIR)
    ]
    names = {name: f"enc.{name}" for name in ("token", "position", "segment", "sum")}
    return {"key": "pair", "rows": rows, **names, "printed": [list(row) for row in text.PAIR_SUMS]}


def softmax_example(chapter: Chapter) -> dict[str, Any]:
    """Five logits, the text's predictions and the true ones."""
    logits = np.array(text.LOGITS, dtype=np.float64)
    powers = np.exp(logits)
    source = chapter.add("seed.logits", logits, "word")
    result = chapter.add("seed.p", powers / powers.sum(), "word")
    chapter.step("softmax", result, [source], "seed")
    return {
        "logits": list(text.LOGITS),
        "labels": list(text.WORDS),
        "text_says": list(text.PREDICTIONS),
        "p": result,
        "why": remark("softmax_why", SOFTMAX_WHY),
    }
