"""The loop gives what transformers' generate gives, alone and in a batch, with a cache and without."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from reference import NEVER, PAIRS, POSITIONS, VOCABULARY, answer, plain_pair, prompts
from torch import Tensor

from osnowa.generate.decode import Decoder, Generated, decode
from osnowa.generate.frame import Frame
from osnowa.generate.settings import GenerationConfig
from osnowa.model import Layout, ModelConfig, Transformer

FRAME = Frame(begin=(1,), end=2, never=tuple(NEVER))
GREEDY = GenerationConfig(max_tokens=20, temperature=0)
every_pair = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())


def run(
    model: Transformer,
    rows: Sequence[Sequence[int]],
    config: GenerationConfig = GREEDY,
    frame: Frame = FRAME,
    prefix: bool = False,
) -> tuple[list[list[int]], list[str | None]]:
    """The tokens of each row without the end token, and why each ended."""
    tokens: list[list[int]] = [[] for _ in rows]
    reasons: list[str | None] = [None for _ in rows]
    for each in decode(model, rows, frame, config, prefix=prefix):
        assert reasons[each.row] is None, "a token after the last one"
        reasons[each.row] = each.reason
        if each.token is not None and each.reason != "end":
            tokens[each.row].append(each.token)
    assert None not in reasons
    return tokens, reasons


@every_pair
@pytest.mark.parametrize("seed", [0, 1])
def test_greedy_is_that_of_transformers_token_by_token(pair: object, seed: int) -> None:
    model, theirs = pair(seed)
    rows = prompts(4, seed)
    tokens, reasons = run(model, rows)
    for row, found, reason in zip(rows, tokens, reasons, strict=True):
        assert found == answer(theirs, row, max_new_tokens=20)
        assert (reason == "length") == (len(found) == 20)


@every_pair
def test_a_repetition_penalty_is_that_of_transformers(pair: object) -> None:
    model, theirs = pair(3)
    rows = prompts(4, 3)
    tokens, _ = run(model, rows, GREEDY.changed(repetition_penalty=1.7))
    plain, _ = run(model, rows)
    assert tokens != plain
    assert tokens == [answer(theirs, row, max_new_tokens=20, repetition_penalty=1.7) for row in rows]


@every_pair
def test_prompts_of_different_length_are_each_as_if_alone(pair: object) -> None:
    model, _ = pair(0)
    rows = prompts(7, 4)
    assert len(set(map(len, rows))) > 3
    together, reasons = run(model, rows)
    assert len(set(map(len, together))) > 1 or pair is PAIRS["translating"]
    for row, found, reason in zip(rows, together, reasons, strict=True):
        assert ([found], [reason]) == run(model, [row])


@every_pair
def test_draws_of_a_row_do_not_depend_on_the_rows_beside_it(pair: object) -> None:
    model, _ = pair(0)
    rows = prompts(4, 5)
    config = GREEDY.changed(temperature=1.0, top_p=0.9, seed=11)
    together, _ = run(model, rows, config)
    assert run(model, rows[:1], config)[0] == together[:1]
    assert run(model, rows[:2], config)[0] == together[:2]
    assert run(model, rows, config)[0] == together
    assert run(model, rows, config.changed(seed=12))[0] != together
    assert run(model, [rows[0]] * 4, config)[0][0] != run(model, [rows[0]] * 4, config)[0][1]


def whole(model: Transformer, row: list[int], said: list[int]) -> Tensor:
    """Logits at every place from one look at everything, without a cache."""
    if model.config.topology == "encoder-decoder":
        source, target = torch.tensor([row]), torch.tensor([[1, *said]])
        memory = model.encode(source, Layout.plain(source))
        return model.head(model.decode(target, Layout.plain(target), memory, Layout.plain(source)))[0]
    tokens = torch.tensor([[*row, *said]])
    return model.head(model.decode(tokens, Layout.plain(tokens)))[0, len(row) - 1 :]


@every_pair
@torch.no_grad()
def test_with_a_cache_it_is_what_it_is_without_one(pair: object) -> None:
    model, _ = pair(1)
    rows = prompts(3, 6)
    said = torch.randint(5, VOCABULARY, (3, 8), generator=torch.Generator().manual_seed(0))
    decoder = Decoder(model, rows, FRAME, most=9)
    found = [decoder.begin()] + [decoder.read(said[:, step : step + 1]) for step in range(8)]
    for index, row in enumerate(rows):
        expected = whole(model, row, said[index].tolist())
        torch.testing.assert_close(torch.stack([each[index] for each in found]), expected, rtol=1e-9, atol=1e-9)


@every_pair
@torch.no_grad()
def test_rows_that_leave_and_change_places_keep_what_they_remember(pair: object) -> None:
    model, _ = pair(1)
    rows = prompts(4, 7)
    decoder = Decoder(model, rows, FRAME, most=9)
    decoder.begin()
    first = torch.tensor([[7], [8], [9], [10]])
    decoder.read(first)
    kept = torch.tensor([3, 1, 1])
    decoder.take(kept)
    second = torch.tensor([[11], [12], [13]])
    found = decoder.read(second)
    for place, row in enumerate(kept.tolist()):
        expected = whole(model, rows[row], [int(first[row]), int(second[place])])[-1]
        torch.testing.assert_close(found[place], expected, rtol=1e-9, atol=1e-9)


def test_finished_rows_are_not_computed_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = PAIRS["grouped"](0)
    sizes: list[int] = []
    read = Decoder.read
    monkeypatch.setattr(Decoder, "read", lambda self, tokens: (sizes.append(len(tokens)), read(self, tokens))[1])
    tokens, _ = run(model, prompts(6))
    lengths = sorted(map(len, tokens))
    assert lengths[0] < lengths[-1]
    assert sizes == [sum(length >= step for length in lengths) for step in range(len(sizes))]


def test_padding_mask_and_beginning_are_never_generated() -> None:
    model, _ = plain_pair(0)
    favoured = torch.zeros(VOCABULARY, dtype=torch.float64)
    favoured[NEVER] = 1e3
    model.head.logits.register_forward_hook(lambda _module, _inputs, logits: logits + favoured)
    tokens, _ = run(model, prompts(4))
    assert all(set(row).isdisjoint(NEVER) for row in tokens)
    for config in (GREEDY.changed(temperature=1.0), GREEDY.changed(temperature=5.0, top_k=3)):
        assert all(set(row).isdisjoint(NEVER) for row in run(model, prompts(4), config)[0])


@every_pair
def test_no_row_grows_beyond_the_positions(pair: object) -> None:
    model, _ = pair(2)
    rows = [[1, *[7] * 59], [1, 9], [1, *[8] * 63]]
    tokens, reasons = run(model, rows, GREEDY.changed(max_tokens=1000), Frame((1,), None, tuple(NEVER)))
    seen = [1, 1, 1] if model.config.topology == "encoder-decoder" else [60, 2, 64]
    assert [len(row) for row in tokens] == [POSITIONS - each for each in seen]
    assert reasons == ["length"] * 3


@torch.no_grad()
def test_a_prompt_that_is_a_prefix_sees_itself_in_both_directions() -> None:
    model, _ = plain_pair(4)
    row = prompts(1, 8, longest=6)[0]
    causal, both = run(model, [row])[0][0], run(model, [row], prefix=True)[0][0]
    assert both != causal
    said: list[int] = []
    for _ in range(len(both)):
        tokens = torch.tensor([[*row, *said]])
        layout = Layout.plain(tokens)
        shown = Layout(layout.positions, layout.document_ids, torch.arange(tokens.size(1))[None] < len(row))
        logits = model.head(model.decode(tokens, shown))[0, -1]
        logits[NEVER] = float("-inf")
        said.append(int(logits.argmax()))
    assert said == both
    other = prompts(1, 9)[0]
    assert run(model, [other, row], prefix=True)[0][1] == both


def test_each_token_is_told_once_and_the_last_with_its_reason() -> None:
    model, _ = plain_pair(0)
    events = list(decode(model, [[1, 7]], FRAME, GREEDY.changed(max_tokens=3)))
    assert [each.reason for each in events] == [None, None, "length"]
    assert all(isinstance(each, Generated) and each.row == 0 for each in events)


def test_a_text_that_is_stopped_ends_there() -> None:
    model, _ = plain_pair(0)
    heard: list[int] = []

    def stopped(row: int, token: int) -> bool:
        heard.append(token)
        return len(heard) == 4

    events = list(decode(model, [[1, 7]], FRAME, GREEDY, stopped))
    assert [each.token for each in events] == heard
    assert [each.reason for each in events] == [None, None, None, "stop"]


@pytest.mark.parametrize("windows", [(None,), (4,), (None, 3)], ids=str)
@pytest.mark.parametrize("position", ["none", "learned", "sinusoidal", "rotary", "relative"])
@torch.no_grad()
def test_single_tokens_see_what_the_one_rule_says(position: str, windows: tuple[int | None, ...]) -> None:
    """Masks and rotations that were computed ahead are those that `visible` and `rotations` give step by step."""
    values = {**PAIRS["plain"](0)[0].config.model_dump(), "position": position, "windows": windows}
    config = ModelConfig.read("model", {**values, "rotary_bases": (10_000.0, 50.0)})
    model = Transformer(config).double().eval()
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.4)
    rows = prompts(3, 10)
    said = torch.randint(5, VOCABULARY, (3, 6), generator=generator)
    decoder = Decoder(model, rows, FRAME, most=7)
    found = [decoder.begin()] + [decoder.read(said[:, step : step + 1]) for step in range(6)]
    for index, row in enumerate(rows):
        expected = whole(model, row, said[index].tolist())
        torch.testing.assert_close(torch.stack([each[index] for each in found]), expected, rtol=1e-9, atol=1e-9)
