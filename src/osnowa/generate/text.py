"""Prompts to texts: for a decoder what comes next, for an encoder-decoder what the source becomes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from osnowa.generate.beam import beam_search
from osnowa.generate.decode import FinishReason, decode
from osnowa.generate.frame import Frame, Prompt, frame_prompts
from osnowa.generate.settings import GenerationConfig
from osnowa.generate.stream import TextStream
from osnowa.model import Transformer
from osnowa.tokenizer import Tokenizer


@dataclass(frozen=True)
class GenerateResult:
    """A text that was generated; the prompt is no part of it.

    `tokens` are its ids without the end token. `finish_reason`: "end", the model ended it; "stop", one of the texts
    given came, which `text` is cut off before and `tokens` still hold; "length", there was no room for more.
    """

    text: str
    tokens: list[int]
    finish_reason: FinishReason


def generate(
    model: Transformer,
    tokenizer: Tokenizer,
    prompts: Sequence[Prompt],
    config: GenerationConfig | None = None,
    *,
    prefix: bool = False,
    frame: Frame | None = None,
) -> list[GenerateResult]:
    """A text for each prompt. Prompts are texts, or ids with everything that belongs around them.

    `prefix`: the decoder was trained to see its prompt in both directions. `frame`: the ids around texts, when the
    tokenizer does not tell.

    Raises:
        SettingsError: the model has no decoder.
        DataError: a prompt has more tokens than the model has positions.
    """
    config = config or GenerationConfig()
    frame = frame or Frame.of(tokenizer, model.config)
    framed = frame_prompts(tokenizer, model.config, frame, prompts)
    if not framed:
        return []
    if config.beams > 1:
        return _by_beams(model, tokenizer, framed, config, frame, prefix)
    streams = [_stream_of(model, tokenizer, frame, ids, config) for ids in framed]
    texts, tokens = [""] * len(framed), [list[int]() for _ in framed]
    reasons: list[FinishReason] = ["length"] * len(framed)

    def stopped(row: int, token: int) -> bool:
        texts[row] += streams[row].push(token)
        return streams[row].stopped

    for each in decode(model, framed, frame, config, stopped, prefix=prefix):
        if each.token is not None and each.reason != "end":
            tokens[each.row].append(each.token)
        if each.reason is not None:
            texts[each.row] += streams[each.row].finish()
            reasons[each.row] = "stop" if streams[each.row].stopped else each.reason
    return [GenerateResult(*each) for each in zip(texts, tokens, reasons, strict=True)]


def stream(
    model: Transformer,
    tokenizer: Tokenizer,
    prompt: Prompt,
    config: GenerationConfig | None = None,
    *,
    prefix: bool = False,
    frame: Frame | None = None,
) -> Generator[str, None, GenerateResult]:
    """Pieces of the text of one prompt as they come, each of whole characters; returns the whole, as `generate` does.

    With beams the text comes at once, at the end.

    Raises:
        SettingsError, DataError: as `generate`, at the first piece.
    """
    config = config or GenerationConfig()
    frame = frame or Frame.of(tokenizer, model.config)
    if config.beams > 1:
        (whole,) = generate(model, tokenizer, [prompt], config, prefix=prefix, frame=frame)
        yield whole.text
        return whole
    framed = frame_prompts(tokenizer, model.config, frame, [prompt])
    text = _stream_of(model, tokenizer, frame, framed[0], config)
    pieces: list[str] = []
    tokens: list[int] = []
    reason: FinishReason = "length"

    def stopped(_row: int, token: int) -> bool:
        pieces.append(text.push(token))
        return text.stopped

    for each in decode(model, framed, frame, config, stopped, prefix=prefix):
        if each.token is not None and each.reason != "end":
            tokens.append(each.token)
            if pieces[-1]:
                yield pieces[-1]
        reason = each.reason or reason
    pieces.append(text.finish())
    if pieces[-1]:
        yield pieces[-1]
    return GenerateResult("".join(pieces), tokens, "stop" if text.stopped else reason)


def _stream_of(
    model: Transformer, tokenizer: Tokenizer, frame: Frame, ids: Sequence[int], config: GenerationConfig
) -> TextStream:
    """A decoder's text goes on from its prompt; that of an encoder-decoder stands alone."""
    before = [] if model.config.topology == "encoder-decoder" else list(ids)
    if tuple(before[: len(frame.begin)]) == frame.begin:
        before = before[len(frame.begin) :]
    return TextStream(tokenizer, before, config.stop)


def _by_beams(
    model: Transformer,
    tokenizer: Tokenizer,
    framed: Sequence[Sequence[int]],
    config: GenerationConfig,
    frame: Frame,
    prefix: bool,
) -> list[GenerateResult]:
    def say(row: int, tokens: Sequence[int]) -> tuple[str, bool]:
        text = _stream_of(model, tokenizer, frame, framed[row], config)
        said = "".join(map(text.push, tokens)) + text.finish()
        return said, text.stopped

    found = beam_search(
        model,
        framed,
        frame,
        config,
        (lambda row, tokens: say(row, tokens)[1]) if config.stop else None,
        prefix=prefix,
    )
    return [GenerateResult(say(row, tokens)[0], tokens, reason) for row, (tokens, reason) in enumerate(found)]
