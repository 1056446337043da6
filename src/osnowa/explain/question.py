"""What is asked of a model: texts as tokens that know where they came from, framed as the model has learned them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from osnowa.errors import DataError, SettingsError
from osnowa.generate import Frame, GenerationConfig, generate
from osnowa.model import ModelConfig, Transformer
from osnowa.tokenizer import Tokenizer

MASK = "[MASK]"
WHERE = "explain"
GREEDY = 20  # tokens that a model goes on for by itself
FIRST = 6  # places that are looked at closely where the text names none


@dataclass(frozen=True)
class Token:
    """One place of a row. `start` and `end` count code points of the text that it came from."""

    id: int
    origin: str | None = None  # "text", "second", "target"; None: put there by the frame
    start: int | None = None
    end: int | None = None
    segment: int | None = None


@dataclass(frozen=True)
class Row:
    """What one stack reads. `prefix`: so many tokens at the beginning are seen from everywhere."""

    tokens: tuple[Token, ...]
    prefix: int = 0

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(token.id for token in self.tokens)


@dataclass(frozen=True)
class Question:
    """The rows of the encoder and/or the decoder, the places that are asked, and the texts as they were given."""

    text: str
    second: str | None
    target: str | None
    rows: dict[str, Row]
    masks: tuple[int, ...] = ()

    @property
    def last(self) -> str:
        """The stack that the answer comes out of."""
        return "dec" if "dec" in self.rows else "enc"

    def focus(self, side: str) -> tuple[int, ...]:
        """Places that are shown in full where not all can be: hidden ones, the first ones, and a decoder's last."""
        length = len(self.rows[side].tokens)
        places = {*range(min(FIRST, length)), *(self.masks if side == "enc" else (length - 1,))}
        return tuple(sorted(places))

    @property
    def asked(self) -> tuple[int, ...]:
        """Places whose logits are computed."""
        return self.masks or self.focus(self.last)


def ask(
    model: Transformer,
    tokenizer: Tokenizer,
    text: str,
    second: str | None = None,
    target: str | None = None,
    *,
    frame: Frame | None = None,
    source_whole: bool = False,
) -> Question:
    """The rows for a model of any topology.

    `source_whole`: the decoder has learned to read a source in both directions. Without a `target` an encoder-decoder
    says one itself, the likeliest token each time.

    Raises:
        SettingsError: a second sentence or a target that this model can't read, or a mask in a decoder.
        DataError: a text without tokens, or too many of them.
    """
    config = model.config
    frame = frame or Frame.of(tokenizer, config)
    _check_words(config, tokenizer, text, second, target, source_whole)
    if config.topology == "encoder":
        question = _for_encoder(config, tokenizer, text, second)
    elif config.topology == "decoder":
        question = _for_decoder(tokenizer, text, target, frame, source_whole)
    else:
        question = _for_pair(model, tokenizer, text, target, frame)
    for side, row in question.rows.items():
        what = "target" if side == "dec" and config.topology == "encoder-decoder" else "text"
        _check_length(row.tokens, what, config)
    return question


def _check_length(tokens: Sequence[Token], what: str, config: ModelConfig) -> None:
    if len(tokens) > config.max_positions:
        raise DataError(
            WHERE, f"the {what} has {len(tokens)} tokens, this model takes {config.max_positions}", "shorten it"
        )


def _check_words(
    config: ModelConfig, tokenizer: Tokenizer, text: str, second: str | None, target: str | None, source_whole: bool
) -> None:
    topology = config.topology
    if target is not None and topology != "encoder-decoder" and not source_whole:
        raise SettingsError(
            "target", f"a model of topology {topology} reads no target", "give the text alone, without --target"
        )
    if second is not None and topology != "encoder":
        raise SettingsError(
            "second", f"a model of topology {topology} reads one text, not a pair", "write both sentences in TEXT"
        )
    if second is not None and not config.num_segments and not config.next_sentence:
        raise SettingsError(
            "second",
            "this model knows no pairs: it has neither segments nor a next-sentence head",
            "write both sentences in TEXT, or train with --objective masked-next-sentence",
        )
    masks = {MASK, *([tokenizer.token(tokenizer.specials["mask"])] if "mask" in tokenizer.specials else [])}
    if topology == "decoder" and any(mask in text for mask in masks):
        raise SettingsError(
            MASK, "a decoder only says what comes next, it fills no mask", "end the text where it is to go on"
        )


def _refuse_nothing(tokens: Sequence[Token], what: str) -> None:
    if not tokens:
        raise DataError(WHERE, f"the {what} has no tokens", "write at least one word")


def _spell(tokenizer: Tokenizer, text: str, origin: str, segment: int | None, orders: bool) -> list[Token]:
    """Tokens of a text with their places in it; with `orders` each [MASK] is the tokenizer's own mask."""
    written, marks = text, list[int]()
    if orders:
        name = tokenizer.token(tokenizer.mask) if MASK in text else MASK
        written = text.replace(MASK, name)
        longer, at = len(name) - len(MASK), text.find(MASK)
        while at >= 0:
            marks.append(at + len(marks) * longer + len(name))
            at = text.find(MASK, at + len(MASK))
    ids, spans = tokenizer.encode_with_offsets(written, orders=orders)

    def back(place: int) -> int:
        """A place in what was encoded as one in the text that was given."""
        passed = sum(mark <= place for mark in marks)
        return min(place - passed * (len(name) - len(MASK)), len(text)) if marks else place

    return [Token(i, origin, back(a), back(b), segment) for i, (a, b) in zip(ids, spans, strict=True)]


def _for_encoder(config: ModelConfig, tokenizer: Tokenizer, text: str, second: str | None) -> Question:
    """[CLS] text [SEP], or [CLS] text [SEP] second [SEP]: exactly what `fill` and `next_sentence` read."""
    kinds = config.num_segments
    first, other = (0, min(1, kinds - 1)) if kinds else (None, None)
    asks = MASK in text or (second is not None and MASK in second)
    orders = second is None or asks
    if asks:
        tokenizer.require(["mask"])
    tokens = _spell(tokenizer, text, "text", first, orders)
    _refuse_nothing(tokens, "text")
    tokens = [Token(tokenizer.cls, segment=first), *tokens, Token(tokenizer.sep, segment=first)]
    if second is not None:
        more = _spell(tokenizer, second, "second", other, orders)
        _refuse_nothing(more, "second text")
        tokens = [*tokens, *more, Token(tokenizer.sep, segment=other)]
    mask = tokenizer.specials.get("mask") if orders else None
    places = tuple(i for i, token in enumerate(tokens) if token.id == mask and token.origin is not None)
    return Question(text, second, None, {"enc": Row(tuple(tokens))}, places)


def _for_decoder(tokenizer: Tokenizer, text: str, target: str | None, frame: Frame, source_whole: bool) -> Question:
    tokens = _spell(tokenizer, text, "text", None, False)
    _refuse_nothing(tokens, "text")
    prefix = 0
    if source_whole:
        tokens = [*tokens, Token(tokenizer.sep), Token(tokenizer.cls)]
        prefix = len(tokens)
        if target is not None:
            tokens += _spell(tokenizer, target, "target", None, False)
    else:
        tokens = [*(Token(i) for i in frame.begin), *tokens]
    return Question(text, None, target, {"dec": Row(tuple(tokens), prefix)})


def _for_pair(model: Transformer, tokenizer: Tokenizer, text: str, target: str | None, frame: Frame) -> Question:
    if not frame.begin:
        raise SettingsError(WHERE, "the tokenizer has no token that a target begins with", "add <s> to it")
    source = _spell(tokenizer, text, "text", None, False)
    _refuse_nothing(source, "text")
    source += [] if frame.end is None else [Token(frame.end)]
    _check_length(source, "text", model.config)  # before it is generated from
    if target is None:
        settings = GenerationConfig(max_tokens=GREEDY, temperature=0)
        (said,) = generate(model, tokenizer, [[token.id for token in source]], settings, frame=frame)
        words = [Token(i) for i in said.tokens]
    else:
        words = _spell(tokenizer, target, "target", None, False)
        _refuse_nothing(words, "target")
    rows = {"enc": Row(tuple(source)), "dec": Row((*(Token(i) for i in frame.begin), *words))}
    return Question(text, None, target, rows)
