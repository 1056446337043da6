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
    """`begin` stands before a decoder's text, `end` behind every text; None: the model knows no such token."""

    begin: int | None
    end: int | None
    never: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Tokenizer, config: ModelConfig) -> Frame:
        """By the tokenizer's special tokens. An encoder-decoder without a beginning starts with padding, as Raffel et
        al. 2020 do. Never generated: padding, mask, beginning, and rows of the embedding that stand for no text.
        """
        found = tokenizer.specials
        begin, end = found.get("cls"), found.get("sep")
        if begin is None and config.topology == "encoder-decoder":
            begin = found.get("pad")
        never = {found[role] for role in ("pad", "mask", "cls") if role in found} - {end}
        return cls(begin, end, (*sorted(never), *range(tokenizer.vocab_size, config.vocab_size)))


def frame_prompts(
    tokenizer: Tokenizer, config: ModelConfig, frame: Frame, prompts: Sequence[Prompt]
) -> list[list[int]]:
    """Ids that the model is shown: `begin` and the text for a decoder, the text and `end` for an encoder.

    Ids instead of a text are taken as they are.

    Raises:
        SettingsError: an encoder generates no text.
        DataError: more tokens than the model has positions, or none.
    """
    if config.topology == "encoder":
        raise SettingsError("generate", "needs a decoder, this model is an encoder", "use osnowa fill")
    framed = []
    for prompt in prompts:
        ids = list(tokenizer.encode(prompt)) if isinstance(prompt, str) else list(prompt)
        if isinstance(prompt, str) and config.topology == "decoder" and frame.begin is not None:
            ids = [frame.begin, *ids]
        if isinstance(prompt, str) and config.topology == "encoder-decoder" and frame.end is not None:
            ids = [*ids, frame.end]
        if not ids:
            raise DataError("generate", "the prompt is empty, and this model has no token to begin with", "write one")
        if len(ids) > config.max_positions:
            raise DataError(
                "generate", f"the prompt has {len(ids)} tokens, this model takes {config.max_positions}", "shorten it"
            )
        framed.append(ids)
    return framed
