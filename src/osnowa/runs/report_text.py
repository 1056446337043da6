"""The plain words beside each curve: what it is, what good looks like, what to do when it looks otherwise."""

from __future__ import annotations

from typing import Literal, NamedTuple

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


class Words(NamedTuple):
    """The heading of a curve, its unit, and three short answers for somebody who sees it for the first time."""

    title: str
    unit: str
    what: str
    good: str
    otherwise: str


WORDS: dict[Measure, Words] = {
    "token_loss": Words(
        "Loss on hidden tokens",
        "nats per hidden token",
        "How surprised the model is by the tokens that were hidden from it. Train is measured on the text it learns "
        "from, held-out on text it never sees, always with the same tokens hidden.",
        "Both fall fast at first, then slowly, and stay close together, well below the dashed lines.",
        "Held-out rises while train falls: the model memorises; use more text or fewer steps. Both stay near the level "
        "of the token frequencies: the model has not begun to use the context; train longer or change the learning rate.",
    ),
    "loss": Words(
        "Total loss",
        "nats",
        "What the training makes small: the loss on hidden tokens, plus the loss on sentence pairs where there are any.",
        "It falls fast at first, then slowly, without jumps.",
        "Jumps that do not heal, or a rise from the start, mean that the learning rate is too high.",
    ),
    "next_sentence_loss": Words(
        "Loss on sentence pairs",
        "nats per pair",
        "The model sees two sentences and says whether the second followed the first in the text. This is its surprise "
        "at the right answer; tossing a coin gives ln 2 ≈ 0.693.",
        "It leaves the dashed line after some time and falls below it.",
        "It often stays at the line in short runs, because the order of sentences is learned late. More steps, and "
        "documents with several sentences each, help.",
    ),
    "token_accuracy": Words(
        "Hidden tokens guessed right",
        "% of hidden tokens",
        "How often the model's first guess is exactly the hidden token, in text it never saw. A token is a word or a "
        "piece of one.",
        "It rises well above the dashed line, which is what one gets by always saying the most frequent token.",
        "At the dashed line the model knows the frequencies and no more: look at the loss above.",
    ),
    "perplexity": Words(
        "Pseudo-perplexity",
        "choices (log scale)",
        "Among how many equally likely tokens the model hesitates when it fills a hidden place: e to the power of the "
        "held-out loss.",
        "It begins near the size of the vocabulary and falls by a factor of ten or more.",
        "Compare it only between runs with the same tokenizer and the same share of hidden tokens.",
    ),
    "bits_per_byte": Words(
        "Bits per byte",
        "bits per byte of text",
        "The same surprise, counted per byte of the hidden text, so that runs with different vocabularies can be compared.",
        "Lower is better, and it should still be falling when the learning rate has come down.",
        "It does not compare with figures of left-to-right models, which see only what stands before a word; this one "
        "sees both sides.",
    ),
    "next_sentence_accuracy": Words(
        "Sentence pairs judged right",
        "% of pairs",
        "How often the model is right about whether the second sentence followed the first. Half of the pairs are true, "
        "so 50 % is chance.",
        "Clearly above the dashed line and rising.",
        "At the line the model has not learned the order of sentences: its hidden-token side may be fine all the same.",
    ),
    "learning_rate": Words(
        "Learning rate",
        "step size",
        "How big a step the weights make. It warms up, holds or falls, and ends near zero, so that the last steps polish.",
        "The shape that the recipe asks for, with its end near zero.",
        "A run that stopped early ends high, and its results are worse than they would have become.",
    ),
    "gradient_norm": Words(
        "Gradient norm",
        "length of the gradient",
        "How strongly a batch wants to change the weights, before it is clipped.",
        "High in the first steps, then calm, with small spikes.",
        "Frequent large spikes, or a slow climb, announce trouble: lower the learning rate or clip harder.",
    ),
    "tokens_per_second": Words(
        "Speed",
        "tokens per second",
        "How many tokens the machine trained on per second, evaluations left out.",
        "A flat line.",
        "A line that sinks means that something else takes the machine, or that it gets too hot.",
    ),
}
