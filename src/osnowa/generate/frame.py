"""The ids around a text: what begins and ends it, and what is never generated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from osnowa.errors import DataError, SettingsError
from osnowa.model import ModelConfig
from osnowa.tokenizer import Tokenizer

Prompt = str | Sequence[int]


@dataclass(frozen=True)
class Frame:
    """`begin` stands before a decoder's text, `end` behind every text (None: the model knows no such token)."""

    begin: tuple[int, ...]
    end: int | None
    never: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Tokenizer, config: ModelConfig, start: int | None = None) -> Frame:
        """By the tokenizer's special tokens; `start` is what an encoder-decoder's settings name as its first token.

        A decoder's prompts get a beginning unless the tokenizer's file puts nothing around a text. An encoder-decoder
        starts with `start`, or the beginning, or padding (Raffel et al. 2020); one that starts with the end token goes
        on with the beginning (Lewis et al. 2020). Never generated: padding, mask, beginning, and rows of the embedding
        that stand for no text.
        """
        found = tokenizer.specials
        bos, end = found.get("cls"), found.get("sep")
        never = {found[role] for role in ("pad", "mask", "cls") if role in found} - {end}
        if config.topology == "encoder-decoder":
            first = next((each for each in (start, bos, found.get("pad")) if each is not None), None)
            begin = [first, bos] if first == end and bos != end else [first]
        else:
            begin = [bos] if tokenizer.frame != "bare" else []
        without_text = range(tokenizer.vocab_size, config.vocab_size)
        return cls(tuple(each for each in begin if each is not None), end, (*sorted(never), *without_text))


def frame_prompts(
    tokenizer: Tokenizer, config: ModelConfig, frame: Frame, prompts: Sequence[Prompt]
) -> list[list[int]]:
    """Ids that the model is shown: `begin` and the text for a decoder, the text and `end` for an encoder.

    Ids instead of a text are taken as they are.

    Raises:
        SettingsError: an encoder generates no text, or an encoder-decoder has no token to begin with.
        DataError: more tokens than the model has positions, or none.
    """
    if config.topology == "encoder":
        raise SettingsError("generate", "needs a decoder, this model is an encoder", "use osnowa fill")
    if config.topology == "encoder-decoder" and not frame.begin:
        raise SettingsError("generate", "the tokenizer has no token that a target begins with", "add <s> to it")
    framed = []
    for prompt in prompts:
        if not isinstance(prompt, str):
            ids = list(prompt)
        elif config.topology == "decoder":
            ids = [*frame.begin, *tokenizer.encode(prompt)]
        else:
            ids = [*tokenizer.encode(prompt), *([] if frame.end is None else [frame.end])]
        if not ids and "cls" in tokenizer.specials:
            ids = [tokenizer.cls]
        if not ids:
            raise DataError("generate", "the prompt is empty, and the tokenizer has no beginning", "write a prompt")
        if len(ids) > config.max_positions:
            raise DataError(
                "generate", f"the prompt has {len(ids)} tokens, this model takes {config.max_positions}", "shorten it"
            )
        framed.append(ids)
    return framed
