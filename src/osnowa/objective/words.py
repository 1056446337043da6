"""What an objective asks, in the words that people read: on the screen, in the report, on the model's card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, get_args

from osnowa.objective.config import QUESTIONS, ObjectiveName, Question


@dataclass(frozen=True)
class Figures:
    """How the figures of a question are called."""

    kind: str  # before "tokens" and "words"
    loss: str
    accuracy: str
    perplexity: str


@dataclass(frozen=True)
class Task:
    """What an objective teaches: after "trained to". `gap` is what stands in a text where something is missing."""

    task: str
    gap: str = ""  # "mask": the tokenizer's own mask
    lead: str = ""  # before a source
    share: str = ""  # what objective.mask_share says; empty: it has no effect


@dataclass(frozen=True)
class Pairs:
    """What is asked of pairs of sentences."""

    name: str  # of what is judged
    tag: str  # the same before a noun
    task: str
    what: str  # the question
    halves: str  # how the two answers come about
    answers: tuple[str, str]
    label: str  # for the hub


@dataclass(frozen=True)
class Words:
    """Everything a reader is told of what was asked."""

    question: Question
    figures: Figures
    task: Task
    pairs: Pairs

    @property
    def tokens(self) -> str:
        """'hidden tokens', 'next tokens' or 'target tokens'."""
        return f"{self.figures.kind} tokens"

    @property
    def words(self) -> str:
        """The same for a reader to whom tokens are words."""
        return f"{self.figures.kind} words"

    @property
    def right(self) -> str:
        """What the accuracy counts."""
        return f"{self.tokens} guessed right"


FIGURES: dict[Question, Figures] = {
    "hidden": Figures("hidden", "masked loss", "masked accuracy", "pseudo-perplexity"),
    "next": Figures("next", "next-token loss", "next-token accuracy", "perplexity"),
    "target": Figures("target", "target loss", "target accuracy", "perplexity of targets"),
}
HIDDEN = "of the tokens hidden"
TASKS: dict[ObjectiveName, Task] = {
    "masked": Task("guess hidden tokens", gap="mask", share=HIDDEN),
    "masked-next-sentence": Task("guess hidden tokens", gap="mask", share=HIDDEN),
    "sentence-order": Task("guess hidden tokens", gap="mask", share=HIDDEN),
    "next-token": Task("say how a text goes on, one token after the other"),
    "span-corruption": Task("tell the spans that are missing in a text", gap="<extra_id_0>", share=HIDDEN),
    "prefix-lm": Task("say how a text goes on that it sees the beginning of"),
    "ul2": Task(
        "tell the spans that are missing in a text, few or many, short or long, or its end",
        gap="<extra_id_0>",
        lead="[NLU]",
    ),
    "infilling": Task("say whole a text with gaps", gap="mask", share=HIDDEN),
    "translation": Task("say the other side of a pair of texts"),
}
FOLLOWING = Pairs(
    "next sentence",
    "next-sentence",
    "tell whether one sentence follows another",
    "whether the second followed the first in the text",
    "half true, half from another document",
    ("B follows A", "B is from elsewhere"),
    "next-sentence-prediction",
)
ORDER = Pairs(
    "sentence order",
    "sentence-order",
    "tell whether two neighbouring pieces of text stand in their order",
    "whether two neighbouring pieces of the text stand in their order or were exchanged",
    "half in order, half exchanged",
    ("in order", "exchanged"),
    "sentence-order-prediction",
)


def words_of(name: object) -> Words:
    """The words for the objective of that name; an unknown one is taken for hidden tokens with next sentence."""
    known = cast(ObjectiveName, name) if name in get_args(ObjectiveName) else "masked-next-sentence"
    question = QUESTIONS[known][0]
    return Words(question, FIGURES[question], TASKS[known], ORDER if known == "sentence-order" else FOLLOWING)
