"""Beam search gives what transformers' beam search gives, token by token."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from reference import NEVER, PAIRS, VOCABULARY, answer, grouped_pair, plain_pair, prompts

from osnowa.errors import SettingsError
from osnowa.generate.beam import beam_search
from osnowa.generate.decode import Decoder
from osnowa.generate.frame import Frame
from osnowa.generate.settings import GenerationConfig
from osnowa.model import Layout

FRAME = Frame(begin=(1,), end=2, never=tuple(NEVER))
every_pair = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())


@every_pair
@pytest.mark.parametrize(("beams", "length_penalty"), [(2, 1.0), (5, 0.0), (5, 2.0), (3, -1.5)])
def test_the_best_beam_is_that_of_transformers(pair: object, beams: int, length_penalty: float) -> None:
    model, theirs = pair(beams)
    rows = prompts(4, beams + 20)
    config = GenerationConfig(max_tokens=14, beams=beams, length_penalty=length_penalty)
    words = {"num_beams": beams, "length_penalty": length_penalty, "early_stopping": False}
    for row, (tokens, _) in zip(rows, beam_search(model, rows, FRAME, config), strict=True):
        assert tokens == answer(theirs, row, max_new_tokens=14, **words)


def test_both_endings_occur_among_the_reference_answers() -> None:
    model, _ = grouped_pair(0)
    found = beam_search(model, prompts(6), FRAME, GenerationConfig(max_tokens=20, beams=4, length_penalty=0.0))
    assert {reason for _, reason in found} == {"end", "length"}


@every_pair
def test_a_repetition_penalty_counts_among_beams(pair: object) -> None:
    model, theirs = pair(1)
    rows = prompts(3, 1)
    config = GenerationConfig(max_tokens=12, beams=3, repetition_penalty=1.5)
    found = [tokens for tokens, _ in beam_search(model, rows, FRAME, config)]
    assert found != [tokens for tokens, _ in beam_search(model, rows, FRAME, config.changed(repetition_penalty=1.0))]
    assert found == [answer(theirs, row, max_new_tokens=12, num_beams=3, repetition_penalty=1.5) for row in rows]


@every_pair
def test_each_prompt_is_as_if_alone(pair: object) -> None:
    model, _ = pair(1)
    rows = prompts(5, 21)
    config = GenerationConfig(max_tokens=12, beams=3, length_penalty=0.0)
    together = beam_search(model, rows, FRAME, config)
    assert together == [beam_search(model, [row], FRAME, config)[0] for row in rows]


def test_finished_prompts_leave_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = grouped_pair(0)
    sizes: list[int] = []
    read = Decoder.read
    monkeypatch.setattr(Decoder, "read", lambda self, tokens: (sizes.append(len(tokens)), read(self, tokens))[1])
    beam_search(model, prompts(6), FRAME, GenerationConfig(max_tokens=20, beams=4, length_penalty=0.0))
    assert sizes[0] == 6
    assert sizes[1] > sizes[-1] >= 4
    assert sizes[1:] == sorted(sizes[1:], reverse=True)
    assert all(size % 4 == 0 for size in sizes[1:])


@torch.no_grad()
def test_of_all_texts_of_two_tokens_the_likeliest_is_found() -> None:
    model, _ = plain_pair(6)
    row, frame = prompts(1, 22)[0], Frame((1,), None, tuple(NEVER))
    first = Decoder(model, [row], frame, 1).begin()[0].log_softmax(-1)
    every = torch.tensor([[*row, token] for token in range(VOCABULARY)])
    second = model.head(model.decode(every, Layout.plain(every)))[:, -1].log_softmax(-1)
    total = first[:, None] + second
    total[NEVER], total[:, NEVER] = -torch.inf, -torch.inf
    best = divmod(int(total.argmax()), VOCABULARY)
    found, _ = beam_search(model, [row], frame, GenerationConfig(max_tokens=2, beams=29))[0]
    assert found == list(best)


def test_a_stop_counts_as_an_ending() -> None:
    model, _ = plain_pair(0)
    row = prompts(1, 3)[0]
    config = GenerationConfig(max_tokens=12, beams=3)
    (free, _) = beam_search(model, [row], FRAME, config)[0]
    word = free[2]

    def stopped(_row: int, tokens: Sequence[int]) -> bool:
        return word in tokens

    tokens, reason = beam_search(model, [row], FRAME, config, stopped)[0]
    assert (reason == "stop") == (word in tokens)
    assert word not in tokens[:-1]


def test_no_position_left_is_an_empty_text() -> None:
    model, _ = plain_pair(0)
    found = beam_search(model, [[1, *[7] * 63], [1, 7]], FRAME, GenerationConfig(max_tokens=3, beams=2))
    assert found[0] == ([], "length")
    assert len(found[1][0]) == 3


def test_more_beams_than_half_the_tokens_are_refused() -> None:
    model, _ = plain_pair(0)
    with pytest.raises(SettingsError, match="beams = 30: needs twice as many tokens, and there are 58"):
        beam_search(model, [[1, 7]], FRAME, GenerationConfig(beams=30))
