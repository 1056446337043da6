"""What holds for every encoder-decoder: padding, packing and remembering change nothing, order and borders do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from osnowa.model import Layout, ModelConfig, Transformer
from osnowa.model.cache import Cache
from small_models import distinct, random_model
from small_seq2seq import ENCODER_DECODERS, Pairs, decode_step_by_step, forward_pairs, random_pairs, shrink_pairs

SHAPES: dict[str, ModelConfig] = {
    **distinct(ENCODER_DECODERS, shrink_pairs),
    "shared keys": shrink_pairs("transformer-base", num_kv_heads=2),
    "rotary, with windows": shrink_pairs(
        "transformer-base", position="rotary", windows=(None, 4), rotary_bases=(10_000.0, 500.0), embedding_scale=1.0
    ),
    "normalised queries and keys, capped scores": shrink_pairs("t5-v1.1-small", qk_norm=True, attention_softcap=5.0),
}
every_shape = pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def row_of(pairs: Pairs, row: int) -> Pairs:
    """One pair without its padding."""
    source, target = pairs.source_real[row], pairs.target_real[row]
    return Pairs(
        pairs.source[row : row + 1, source],
        source[None, source],
        pairs.target[row : row + 1, target],
        target[None, target],
        pairs.labels[row : row + 1, target],
    )


def pack(parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Layout]:
    """Rows of one text each behind each other in one row; document ids from 1, positions from 0 in each."""
    tokens = torch.cat([tokens[:, real[0]] for tokens, real in parts], 1)
    lengths = [int(real.sum()) for _, real in parts]
    positions = torch.cat([torch.arange(length) for length in lengths])[None]
    documents = torch.cat([torch.full((length,), number) for number, length in enumerate(lengths, 1)])[None]
    return tokens, Layout(positions, documents)


@every_shape
@torch.no_grad()
def test_decoding_step_by_step_with_a_cache_is_decoding_at_once(config: ModelConfig) -> None:
    model, pairs = random_model(config), random_pairs(config)
    _, hidden, _ = forward_pairs(model, pairs)
    steps = decode_step_by_step(model, pairs)
    torch.testing.assert_close(steps[pairs.target_real], hidden[pairs.target_real], **CLOSE)


@every_shape
@torch.no_grad()
def test_a_cache_whose_rows_are_reordered_goes_on_as_those_rows(config: ModelConfig) -> None:
    """Beam search: after some tokens row i goes on from what row rows[i] was, its memory included."""
    model, pairs = random_model(config), random_pairs(config)
    rows, cut = torch.tensor([2, 0, 0]), 4
    layout = Layout.plain(pairs.source, pairs.source_real)
    memory, cache = model.encode(pairs.source, layout), Cache(pairs.target.size(1))
    whole = Layout.plain(pairs.target)
    first = Layout(whole.positions[:, :cut], whole.document_ids[:, :cut])
    model.decode(pairs.target[:, :cut], first, memory, layout, cache)
    cache.reorder(rows)
    chosen = Layout(layout.positions[rows], layout.document_ids[rows])
    rest = Layout(whole.positions[:, cut:], whole.document_ids[:, cut:])
    later = model.decode(pairs.target[:, cut:], rest, memory[rows], chosen, cache)
    joined = torch.cat((pairs.target[rows, :cut], pairs.target[:, cut:]), 1)
    expected = model.decode(joined, Layout.plain(joined), memory[rows], chosen)[:, cut:]
    torch.testing.assert_close(later, expected, **CLOSE)


@every_shape
@torch.no_grad()
def test_padding_of_source_and_target_changes_nothing(config: ModelConfig) -> None:
    model, pairs = random_model(config), random_pairs(config)
    memory, _, logits = forward_pairs(model, pairs)
    for row in range(3):
        alone = forward_pairs(model, row_of(pairs, row))
        torch.testing.assert_close(memory[row][pairs.source_real[row]][None], alone[0], **CLOSE)
        torch.testing.assert_close(logits[row][pairs.target_real[row]][None], alone[2], **CLOSE)
    other = pairs._replace(
        source=torch.where(pairs.source_real, pairs.source, 7), target=torch.where(pairs.target_real, pairs.target, 8)
    )  # nobody looks at what stands there
    changed = forward_pairs(model, other)
    torch.testing.assert_close(changed[2][pairs.target_real], logits[pairs.target_real], **CLOSE)


@every_shape
@torch.no_grad()
def test_pairs_packed_in_one_row_are_each_as_if_alone(config: ModelConfig) -> None:
    """A target looks at its own source by the document's id, wherever the two stand."""
    model, pairs = random_model(config), random_pairs(config)
    alone = [row_of(pairs, row) for row in range(3)]
    source, source_layout = pack([(each.source, each.source_real) for each in alone])
    target, target_layout = pack([(each.target, each.target_real) for each in alone])
    memory = model.encode(source, source_layout)
    logits = model.head(model.decode(target, target_layout, memory, source_layout))
    expected = torch.cat([forward_pairs(model, each)[2] for each in alone], 1)
    torch.testing.assert_close(logits, expected, **CLOSE)


@every_shape
@torch.no_grad()
def test_a_later_target_token_moves_nothing_and_every_source_token_moves_all(config: ModelConfig) -> None:
    config = config.changed(windows=(None,), rotary_bases=(10_000.0,))
    model, pairs = random_model(config), row_of(random_pairs(config), 0)
    _, plain, _ = forward_pairs(model, pairs)
    later = pairs.target.clone()
    later[0, -1] += 1 if int(later[0, -1]) < config.vocab_size - 1 else -1
    moved = (forward_pairs(model, pairs._replace(target=later))[1] - plain).abs().amax(-1)[0]
    assert float(moved[:-1].max()) == 0.0
    assert float(moved[-1]) > 1e-6
    for place in range(pairs.source.size(1)):
        other = pairs.source.clone()
        other[0, place] += 1 if int(other[0, place]) < config.vocab_size - 1 else -1
        assert float((forward_pairs(model, pairs._replace(source=other))[1] - plain).abs().amax(-1).min()) > 1e-9


@torch.no_grad()
def test_the_two_stacks_share_their_embedding_and_nothing_else() -> None:
    model = random_model(shrink_pairs("t5-small"))
    assert isinstance(model, Transformer)
    names = [name for name, _ in model.named_parameters()]
    assert [name for name in names if name.startswith("embedding.")] == ["embedding.token.weight"]
    for stack in ("encoder", "decoder"):
        assert f"{stack}.position.table.weight" in names
    assert not [name for name in names if "cross" in name and not name.startswith("decoder.")]
