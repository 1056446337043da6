"""Look at a corpus before training: what it is like, what pairs and rows it gives, how long it would take, what to mend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from osnowa import files
from osnowa.corpus import Progress
from osnowa.data import RowSequence
from osnowa.data.plan import Accounting
from osnowa.objective.words import words_of
from osnowa.runs.advice import Advice, advise
from osnowa.runs.fitting import fit
from osnowa.runs.given_text import check_asked, prepared_text
from osnowa.runs.machine import Machine, set_up
from osnowa.runs.memory import estimate, memory_in_words
from osnowa.runs.prepare import Prepared, given_tokenizer, open_prepared, prepare
from osnowa.runs.recipe import Recipe
from osnowa.runs.rows import objective_of, sequence_of
from osnowa.runs.speed import useful_operations
from osnowa.runs.suggestion import in_words, suggest
from osnowa.runs.work import count_parameters, flops_per_token
from osnowa.train.precision import has_fast_bfloat16


@dataclass(frozen=True)
class Examination:
    """Figures by section, and advice."""

    sections: dict[str, list[tuple[str, str]]]
    warnings: list[Advice]
    figures: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {**self.figures, "warnings": [asdict(each) for each in self.warnings]}


def doctor(
    inputs: Sequence[str], recipe: Recipe, *, progress: Callable[[Progress], None] = lambda _: None
) -> Examination:
    """Prepare the text in a scratch folder, as `pretrain` would, and say what came of it. Nothing is kept.

    A prepared folder is examined as it is.

    Raises:
        OsnowaError: what `prepare` or `pretrain` would refuse.
    """
    recipe, told = fit(recipe, set_up(recipe))
    if (folder := prepared_text(inputs)) is not None:
        prepared = open_prepared(folder)
        check_asked(recipe, folder, prepared.store.facts, prepared.tokenizer)
        return examine(prepared, recipe, told=told)
    tokenizer = given_tokenizer(recipe)
    with files.scratch() as work:
        prepared = prepare(
            inputs, work / "data", recipe, workspace=work / "work", tokenizer=tokenizer, progress=progress
        )
        return examine(prepared, recipe, told=told)


def examine(
    prepared: Prepared,
    recipe: Recipe,
    machine: Machine | None = None,
    *,
    rows: RowSequence | None = None,
    account: Accounting | None = None,
    told: str | None = None,
) -> Examination:
    """Figures and advice for a prepared corpus and a recipe.

    `rows` and `account` where the caller has them already; `told`: why the preset is not the usual one.
    """
    tokenizer, seed = prepared.tokenizer, recipe.run.seed
    if rows is None:
        rows = sequence_of(recipe, tokenizer, prepared.store.train, objective_of(recipe, tokenizer, seed), seed)
    figures = measure(prepared, recipe, machine or set_up(recipe), rows, account or rows.accounting())
    sections = describe(figures, recipe)
    if told is not None:
        sections["Training"].append(("size", told))
    return Examination(sections, advise(prepared, recipe, figures), figures)


def measure(
    prepared: Prepared, recipe: Recipe, machine: Machine, rows: RowSequence, account: Accounting
) -> dict[str, Any]:
    """Every number that the description and the advice use; `account` is that of the first epoch of `rows`."""
    store, tokenizer, ledger = prepared.store, prepared.tokenizer, prepared.ledger
    shown = account.trained + account.special
    sentence_lengths = np.diff(store.train.sentences)
    document_tokens = np.diff(np.asarray(store.train.sentences)[np.asarray(store.train.documents)])
    config = recipe.model.changed(vocab_size=tokenizer.vocab_size)
    useful = useful_operations(machine)
    speed = useful / flops_per_token(config, recipe.objective, recipe.data.row_length)
    per_row = shown / max(1, account.rows)
    parameters = count_parameters(config)
    tokens = training_tokens(recipe, speed, per_row)
    return {
        "sources": [describe_source(source) for source in ledger["sources"]],
        "num_sources": ledger["num_sources"],
        "unit": ledger.get("unit", "documents"),
        "documents": ledger["documents"],
        "bytes": ledger["bytes"],
        "languages": ledger["languages"],
        "vocab_size": tokenizer.vocab_size,
        "fertility": prepared.fertility["fertility"],
        "train_tokens": store.train.num_tokens,
        "held_out_tokens": store.held_out.num_tokens,
        "sentences": len(sentence_lengths),
        "median_sentence_tokens": float(np.median(sentence_lengths)) if len(sentence_lengths) else 0.0,
        "long_sentences": int((sentence_lengths > recipe.data.row_length // 2).sum()),
        "largest_document_share": float(document_tokens.max() / max(1, document_tokens.sum()))
        if len(document_tokens)
        else 0.0,
        "rows": account.rows,
        "padding_share": account.padded / max(1, account.rows * rows.places),
        "pairs": account.is_next + account.not_next,
        "samples": account.is_next + account.not_next + account.not_asked,
        "parameters": parameters,
        "tokens_per_second": speed,
        "emulated": machine.dtype == torch.bfloat16 and not has_fast_bfloat16(machine.device),
        "seconds_per_epoch": shown / speed,
        "memory": estimate(
            recipe.changed({"model": {"vocab_size": tokenizer.vocab_size}}), machine, store.train
        ).as_dict(),
        "advice": suggest(recipe, tokenizer.vocab_size, ledger["bytes"]["train"], shown, useful),
        "run_tokens": tokens,
        "epochs": tokens / max(1, shown),
    }


def describe_source(source: Mapping[str, Any]) -> dict[str, Any]:
    """What the survey found in one source: encoding, document mode and why, and what is to be noted."""
    return {key: source[key] for key in ("name", "format", "bytes", "encoding", "document", "because", "notes")}


def training_tokens(recipe: Recipe, speed: float, tokens_per_row: float) -> float:
    """How many tokens the asked run would show."""
    training = recipe.training
    if training.tokens is not None:
        return float(training.tokens)
    if training.steps is not None:
        return training.steps * training.mean_rows * tokens_per_row
    assert training.minutes is not None
    return 60 * training.minutes * speed


def describe(figures: dict[str, Any], recipe: Recipe) -> dict[str, list[tuple[str, str]]]:
    """The figures in words, by section."""
    documents, sizes, unit = figures["documents"], figures["bytes"], figures["unit"]
    title = unit.capitalize()
    sections: dict[str, list[tuple[str, str]]] = {"Sources": []}
    for source in figures["sources"][:20]:
        sections["Sources"].append((source["name"], f"{source['encoding']}; {source['because'] or source['document']}"))
        sections["Sources"].extend(("", note) for note in source["notes"])
    more = figures["num_sources"] - 20
    if more > 0:
        sections["Sources"].append(("...", f"and {more} more"))
    sections[title] = [("read", f"{documents['in']:,} {unit}, {sizes['in']:,} bytes")]
    sections[title] += [
        (f"dropped: {rule}", f"{number:,} {unit}, {sizes['dropped'].get(rule, 0):,} bytes")
        for rule, number in documents["dropped"].items()
    ]
    sections[title] += [(f"cleaned: {rule}", f"{number:,} bytes") for rule, number in sizes["removed"].items()]
    sections[title] += [
        ("kept", f"{documents['train']:,} to train on, {documents['held_out']:,} held out"),
        (
            "languages of the targets" if unit == "pairs" else "languages",
            ", ".join(f"{name} {number:,}" for name, number in _most(figures["languages"])[:8]),
        ),
        (f"largest {unit.removesuffix('s')}", f"{figures['largest_document_share']:.1%} of the tokens"),
    ]
    sections["Tokens"] = [
        ("vocabulary", f"{figures['vocab_size']:,}"),
        ("training / held out", f"{figures['train_tokens']:,} / {figures['held_out_tokens']:,} tokens"),
        ("sentences", f"{figures['sentences']:,}, half of them up to {figures['median_sentence_tokens']:.0f} tokens"),
    ]
    for language, row in figures["fertility"].items():
        sections["Tokens"].append(
            (f"tokens per word ({language})", f"{row['tokens_per_word']:.2f}, unknown {row['unknown_share']:.2%}")
        )
    sections["Rows"] = [
        ("rows per epoch", f"{figures['rows']:,}, {figures['padding_share']:.1%} padding"),
    ]
    if figures["unit"] == "pairs":
        sections["Rows"].append(("pairs that fit a row", f"{figures['samples']:,} of {documents['train']:,}"))
    if recipe.objective.asks_pairs:
        halves = words_of(recipe.objective.name).pairs.halves
        sections["Rows"].append(
            (
                f"{words_of(recipe.objective.name).pairs.tag} pairs",
                f"{figures['pairs']:,} of {figures['samples']:,} samples, {halves}",
            )
        )
    sections["Training"] = [
        ("parameters", f"{figures['parameters']:,}"),
        ("speed, estimated", f"{figures['tokens_per_second']:,.0f} tokens/s"),
        ("one epoch, estimated", f"{figures['seconds_per_epoch'] / 60:,.1f} minutes"),
        ("the run, estimated", f"{figures['run_tokens']:,.0f} tokens, {figures['epochs']:.1f} epochs"),
        ("memory at the peak, estimated", memory_in_words(figures["memory"])),
    ]
    sections["Advice"] = [("", sentence) for sentence in in_words(figures["advice"])]
    return sections


def _most(languages: dict[str, dict[str, int]]) -> list[tuple[str, int]]:
    """Languages with their documents, the most frequent first."""
    return sorted(((name, value["documents"]) for name, value in languages.items()), key=lambda each: -each[1])
