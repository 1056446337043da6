"""A conversation with a model: the turns so far, cut at the front when its positions run out."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from osnowa.errors import DataError, SettingsError
from osnowa.exchange.chat import read_chat
from osnowa.generate import Frame, GenerationConfig
from osnowa.generate.chat import PLAIN, Message, Template
from osnowa.runs.model import Model


class Conversation:
    """`messages` are the turns that were held; `left_out` tells how many of the oldest the model no longer sees.

    Raises:
        SettingsError: an encoder, or wrong settings.
        DataError: a chat template that can't be read.
    """

    def __init__(self, model: Model, **settings: Any) -> None:
        if model.config.topology == "encoder":
            raise SettingsError("chat", "needs a decoder, this model is an encoder", "use osnowa fill")
        self.model = model
        self.template: Template = read_chat(model.folder, model.tokenizer) or PLAIN
        stop = (*settings.pop("stop", ()), *self.template.stop)
        self.settings = {**settings, **({"stop": stop} if stop else {})}
        self.max_tokens = GenerationConfig.read("generate", self.settings).max_tokens
        self.frame = model.frame or Frame.of(model.tokenizer, model.config)
        self.messages: list[Message] = []
        self.left_out = 0

    def say(self, text: str) -> Generator[str, None, str]:
        """The answer to `text`, piece by piece; returns the whole. Both become turns when it is complete.

        Raises:
            DataError: the text alone is too long, or spells a special token; the conversation is as before.
        """
        self._refuse_orders(text)
        messages = [*self.messages, Message("user", text)]
        ids = self._fit(messages)
        answer, begun = "", False
        for piece in self.model.stream(ids, **self.settings):
            shown = piece if begun else piece.lstrip()
            begun = begun or bool(shown)
            answer += shown
            if shown:
                yield shown
        self.messages = [*messages, Message("assistant", answer.strip())]
        return answer

    def _refuse_orders(self, text: str) -> None:
        """What a user says must not become an order to the model."""
        tokenizer = self.model.tokenizer
        for index in sorted(tokenizer.special_ids):
            if tokenizer.token(index) in text:
                raise DataError("chat", f"the text has the special token {tokenizer.token(index)}", "leave it out")

    def _fit(self, messages: list[Message]) -> list[int]:
        """The ids of the turns, without the oldest while there is no room for an answer of up to half the positions."""
        positions = self.model.config.max_positions
        shared = self.model.config.topology == "decoder"  # an encoder-decoder answers in positions of its own
        most = positions - min(self.max_tokens, positions // 2) if shared else positions
        while True:
            ids = self._frame(messages[self.left_out :])
            if len(ids) <= most or len(messages) - self.left_out == 1:
                break
            self.left_out += min(2, len(messages) - self.left_out - 1)  # a question goes with its answer
        if len(ids) > positions:
            raise DataError("chat", f"the text has {len(ids)} tokens, this model takes {positions}", "shorten it")
        return ids

    def _frame(self, messages: list[Message]) -> list[int]:
        ids, begin = self.model.tokenizer.encode_prompt(self.template.render(messages)), self.frame.begin
        if self.model.config.topology == "encoder-decoder":
            return [*ids, *([] if self.frame.end is None else [self.frame.end])]
        return ids if tuple(ids[: len(begin)]) == begin else [*begin, *ids]
