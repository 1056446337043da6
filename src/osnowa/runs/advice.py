"""What a user would want to know before the machine is busy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from osnowa.exchange import notes_before_training
from osnowa.objective.words import words_of
from osnowa.runs.memory import available, memory_in_words
from osnowa.runs.prepare import Prepared
from osnowa.runs.recipe import Recipe


@dataclass(frozen=True)
class Advice:
    """Something to know before training: what, and the line or figures that show it."""

    code: str
    message: str
    evidence: Any = None


def advise(prepared: Prepared, recipe: Recipe, figures: dict[str, Any]) -> list[Advice]:
    """Everything about the text, then everything about the training."""
    found = [Advice(each["code"], each["message"], each["evidence"]) for each in prepared.ledger.get("warnings", [])]
    return [*found, *_of_text(recipe, figures), *_of_training(recipe, figures)]


def _of_text(recipe: Recipe, figures: dict[str, Any]) -> Iterator[Advice]:
    documents = figures["documents"]
    copies = documents["dropped"].get("exact_duplicate", 0) + documents["dropped"].get("near_duplicate", 0)
    if documents["in"] and copies / documents["in"] > 0.2:
        share = f"{copies / documents['in']:.0%}"
        yield Advice(
            "duplicates",
            f"{share} of the {figures['unit']} were copies of others",
            f"{copies:,} of {documents['in']:,}",
        )
    for language, row in figures["fertility"].items():
        if row["unknown_share"] > 0.01:
            yield Advice(
                "unknown",
                f"{row['unknown_share']:.1%} of the {language} tokens are unknown to the vocabulary",
                "raise --tokenizer.vocab_size or --tokenizer.coverage",
            )
    if figures["largest_document_share"] > 0.5 and recipe.objective.name == "masked-next-sentence":
        yield Advice(
            "one-document",
            "one document holds more than half of the text, so few random next sentences can be drawn",
            f"{figures['largest_document_share']:.0%}; cut it with --corpus.document=run",
        )
    if recipe.objective.asks_pairs and figures["pairs"] < 0.5 * figures["samples"]:
        yield Advice(
            "few-pairs",
            "most samples are too short to part into two sentences, so "
            f"{words_of(recipe.objective.name).pairs.tag} is rarely asked",
            f"{figures['pairs']:,} of {figures['samples']:,}",
        )
    if figures["held_out_tokens"] < 5_000:
        yield Advice(
            "held-out",
            "the held-out text is small, so its figures will be rough",
            f"{figures['held_out_tokens']:,} tokens; raise --corpus.held_out",
        )


def _of_training(recipe: Recipe, figures: dict[str, Any]) -> Iterator[Advice]:
    if figures["padding_share"] > 0.4:
        yield Advice(
            "padding",
            f"{figures['padding_share']:.0%} of the places of rows are padding, which costs time and teaches nothing",
            "use a smaller --data.row_length, or another --objective",
        )
    if figures["epochs"] > 40:
        yield Advice(
            "repeats",
            "the run would show the same text very often; the model may learn it by heart",
            f"{figures['epochs']:.0f} epochs",
        )
    if recipe.model.position == "learned" and figures["run_tokens"] < 50e6:
        yield Advice(
            "plateau",
            "learned positions need a long training: in runs this short the model learns word frequencies only",
            "families with rotary positions learn within minutes",
        )
    if figures["run_tokens"] < figures["parameters"] / 10:
        yield Advice(
            "large-model",
            "the model is large for so few tokens",
            f"{figures['parameters']:,} parameters, {figures['run_tokens']:,.0f} tokens",
        )
    if figures["emulated"]:
        yield Advice(
            "emulated",
            "this processor has no bfloat16 of its own, so the training takes several times as long in it",
            "leave --training.precision out, or use fp32",
        )
    free = available()
    if free is not None and figures["memory"]["program"] and figures["memory"]["total"] > free:
        yield Advice(
            "memory",
            f"the training would need more memory than the {free / 2**30:,.1f} GiB that are free",
            f"{memory_in_words(figures['memory'])}; use a smaller --training.micro_rows or --size",
        )
    for note in notes_before_training(recipe.model):
        yield Advice(note.code, note.message, ", ".join(note.evidence))
