"""The plain words beside each curve: what it is, what good looks like, what to do when it looks otherwise."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from osnowa.objective.config import Question
from osnowa.objective.words import Words

Measure = Literal[
    "token_loss",
    "loss",
    "next_sentence_loss",
    "token_accuracy",
    "perplexity",
    "bits_per_byte",
    "next_sentence_accuracy",
    "learning_rate",
    "gradient_norm",
    "tokens_per_second",
]
MEASURES: tuple[Measure, ...] = get_args(Measure)


class Explanation(NamedTuple):
    """The heading of a curve, its unit, and three short answers for somebody who sees it for the first time."""

    title: str
    unit: str
    what: str
    good: str
    otherwise: str


def explain(measure: Measure, words: Words) -> Explanation:
    """The words beside the curve of `measure`, for what was asked in this run."""
    by_question = _BY_QUESTION[words.question]
    told = by_question[measure] if measure in by_question else _ALWAYS[measure]
    return Explanation(*(part.format(tokens=words.tokens, what=words.pairs.what) for part in told))


_FALLS = "Both fall fast at first, then slowly, and stay close together, well below the dashed lines."
_MEMORISES = (
    "Held-out rises while train falls: the model memorises; use more text or fewer steps. Both stay near the level "
    "of the token frequencies: the model has not begun to use the context; train longer or change the learning rate."
)
_RISES = "It rises well above the dashed line, which is what one gets by always saying the most frequent token."
_FREQUENCIES = "At the dashed line the model knows the frequencies and no more: look at the loss above."
_TENFOLD = "It begins near the size of the vocabulary and falls by a factor of ten or more."
_LOWER = "Lower is better, and it should still be falling when the learning rate has come down."
_BY_QUESTION: dict[Question, dict[Measure, Explanation]] = {
    "hidden": {
        "token_loss": Explanation(
            "Loss on hidden tokens",
            "nats per hidden token",
            "How surprised the model is by the tokens that were hidden from it. Train is measured on the text it learns "
            "from, held-out on text it never sees, always with the same tokens hidden.",
            _FALLS,
            _MEMORISES,
        ),
        "token_accuracy": Explanation(
            "Hidden tokens guessed right",
            "% of hidden tokens",
            "How often the model's first guess is exactly the hidden token, in text it never saw. A token is a word or a "
            "piece of one.",
            _RISES,
            _FREQUENCIES,
        ),
        "perplexity": Explanation(
            "Pseudo-perplexity",
            "choices (log scale)",
            "Among how many equally likely tokens the model hesitates when it fills a hidden place: e to the power of the "
            "held-out loss.",
            _TENFOLD,
            "Compare it only between runs with the same tokenizer and the same share of hidden tokens.",
        ),
        "bits_per_byte": Explanation(
            "Bits per byte",
            "bits per byte of text",
            "The same surprise, counted per byte of the hidden text, so that runs with different vocabularies can be "
            "compared.",
            _LOWER,
            "It does not compare with figures of left-to-right models, which see only what stands before a word; this one "
            "sees both sides.",
        ),
    },
    "next": {
        "token_loss": Explanation(
            "Loss on next tokens",
            "nats per token",
            "How surprised the model is by each next token of a text, after it has read all that stands before. Train is "
            "measured on the text it learns from, held-out on text it never sees, always the same.",
            _FALLS,
            _MEMORISES,
        ),
        "token_accuracy": Explanation(
            "Next tokens guessed right",
            "% of tokens",
            "How often the model's first guess is exactly the token that comes next, in text it never saw. A token is a "
            "word or a piece of one.",
            _RISES,
            _FREQUENCIES,
        ),
        "perplexity": Explanation(
            "Perplexity",
            "choices (log scale)",
            "Among how many equally likely tokens the model hesitates at each step: e to the power of the held-out loss.",
            _TENFOLD,
            "Compare it only between left-to-right models with the same tokenizer.",
        ),
        "bits_per_byte": Explanation(
            "Bits per byte",
            "bits per byte of text",
            "The same surprise, counted per byte of text: how small the held-out text would become if the model were used "
            "to compress it.",
            _LOWER,
            "It compares with other left-to-right models on the same text, whatever their vocabulary; not with models that "
            "fill hidden places, which see both sides.",
        ),
    },
    "target": {
        "token_loss": Explanation(
            "Loss on target tokens",
            "nats per target token",
            "How surprised the model is by each token of the target, after it has read the source and the true target up "
            "to there. Train is measured on the text it learns from, held-out on text it never sees, always with the same "
            "sources and targets.",
            _FALLS,
            _MEMORISES,
        ),
        "token_accuracy": Explanation(
            "Target tokens guessed right",
            "% of target tokens",
            "How often the model's first guess is exactly the next token of the target, in text it never saw. It always "
            "sees the true target up to there, so this is more than what it would get right on its own.",
            _RISES,
            _FREQUENCIES,
        ),
        "perplexity": Explanation(
            "Perplexity of targets",
            "choices (log scale)",
            "Among how many equally likely tokens the model hesitates at each step of a target: e to the power of the "
            "held-out loss.",
            _TENFOLD,
            "Compare it only between runs with the same tokenizer and the same objective: some targets are easier.",
        ),
        "bits_per_byte": Explanation(
            "Bits per byte",
            "bits per byte of target text",
            "The same surprise, counted per byte of the targets, so that runs with different vocabularies can be compared.",
            _LOWER,
            "Compare it only between runs with the same objective: what a source tells of its target differs.",
        ),
    },
}
_ALWAYS: dict[Measure, Explanation] = {
    "loss": Explanation(
        "Total loss",
        "nats",
        "What the training makes small: the loss on {tokens}, plus the loss on sentence pairs where there are any.",
        "It falls fast at first, then slowly, without jumps.",
        "Jumps that do not heal, or a rise from the start, mean that the learning rate is too high.",
    ),
    "next_sentence_loss": Explanation(
        "Loss on sentence pairs",
        "nats per pair",
        "The model sees two sentences and says {what}. This is its surprise "
        "at the right answer; tossing a coin gives ln 2 ≈ 0.693.",
        "It leaves the dashed line after some time and falls below it.",
        "It often stays at the line in short runs, because the order of sentences is learned late. More steps, and "
        "documents with several sentences each, help.",
    ),
    "next_sentence_accuracy": Explanation(
        "Sentence pairs judged right",
        "% of pairs",
        "How often the model is right about {what}. Half of the pairs are true ones, so 50 % is chance.",
        "Clearly above the dashed line and rising.",
        "At the line the model has not learned the order of sentences: what it knows of tokens may be fine all the same.",
    ),
    "learning_rate": Explanation(
        "Learning rate",
        "step size",
        "How big a step the weights make. It warms up, holds or falls, and ends near zero, so that the last steps polish.",
        "The shape that the recipe asks for, with its end near zero.",
        "A run that stopped early ends high, and its results are worse than they would have become.",
    ),
    "gradient_norm": Explanation(
        "Gradient norm",
        "length of the gradient",
        "How strongly a batch wants to change the weights, before it is clipped.",
        "High in the first steps, then calm, with small spikes.",
        "Frequent large spikes, or a slow climb, announce trouble: lower the learning rate or clip harder.",
    ),
    "tokens_per_second": Explanation(
        "Speed",
        "tokens per second",
        "How many tokens the machine trained on per second, evaluations left out.",
        "A flat line.",
        "A line that sinks means that something else takes the machine, or that it gets too hot.",
    ),
}
