"""What a person reads in the terminal."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from osnowa.generate import FillResult, NextSentenceResult
    from osnowa.objective.words import Words
    from osnowa.runs.doctor import Examination
    from osnowa.runs.exchange_folders import Exchanged
    from osnowa.runs.prepare import Prepared
    from osnowa.runs.pretrain import Run
    from osnowa.runs.verify import Verdict

MOST_EXAMPLES = 10


def line(text: str = "") -> int:
    """A line on standard output; 0, so that commands can return it."""
    sys.stdout.write(text + "\n")
    return 0


def console() -> Console:
    """Tables as wide as the terminal, or plain text in a pipe."""
    return Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 110)


@contextlib.contextmanager
def phases(arguments: argparse.Namespace) -> Iterator[Callable[[Any], None]]:
    """A progress callback for the corpus phases."""
    from osnowa.train.phase_bar import PhaseBar

    with PhaseBar(quiet=arguments.quiet) as bar:
        yield bar


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def count(number: float) -> str:
    """1,234,567 or 12.3 M."""
    return f"{number / 1e6:,.1f} M" if number >= 1e7 else f"{number:,.0f}"


def exchanged(made: Exchanged) -> int:
    for note in made.notes:
        more = f" ({', '.join(note.evidence[:MOST_EXAMPLES])})" if note.evidence and note.code != "own-format" else ""
        line(f"note: {note.message}{more}")
    return line(f"{made.path}: {made.class_name}, {made.parameters:,} parameters")


def filled(text: str, result: FillResult) -> int:
    line(text)
    for index, guesses in enumerate(result.masks, start=1):
        if len(result.masks) > 1:
            line(f"mask {index}")
        for guess in guesses:
            line(f"  {percent(guess.probability):>7}  {guess.token}")
    return 0


def followed(result: NextSentenceResult) -> int:
    verdict = "B follows A" if result.is_next else "B is from elsewhere"
    return line(f"{verdict}  (probability that it follows: {percent(result.probability)})")


def finished(run: Run) -> int:
    """The outcome of a run beside what it must be compared with."""
    from osnowa.objective.words import words_of

    facts = run.facts
    words = words_of(facts["objective"]["name"])
    result, untrained, baselines = facts["result"], facts["untrained"], facts["baselines"]
    if run.already_finished:
        line(f"{run.folder}: this run is finished ({facts['training']['steps']} steps); --steps +N extends it")
    line()
    line("Held-out text, never learned from:")
    line(
        f"  {words.right:<28} {percent(result['token_accuracy']):>8}   untrained {percent(untrained['token_accuracy'])}, always {baselines['most_frequent_token']!r} {percent(baselines['most_frequent_share'])}"
    )
    line(
        f"  {words.figures.loss:<28} {result['token_loss']:>8.3f}   untrained {untrained['token_loss']:.3f}, word frequencies {baselines['unigram_loss']:.3f}"
    )
    line(f"  {words.figures.perplexity:<28} {result['perplexity']:>8.1f}   untrained {untrained['perplexity']:,.0f}")
    line(f"  bits per byte                {result['bits_per_byte']:>8.3f}   {comparable(words)}")
    if "next_sentence_accuracy" in result:
        line(
            f"  {words.pairs.name:<28} {percent(result['next_sentence_accuracy']):>8}   {next_sentence_remark(result)}"
        )
    if "bleu" in result:
        line(f"  {'BLEU, chrF':<28} {result['bleu']:>8.1f}   {result['chrf']:.1f}; the source itself {copied(result)}")
    line()
    training = facts["training"]
    line(
        f"{training['steps']} steps, {count(training['tokens'])} tokens, {training['seconds']:.0f} s, {training['tokens'] / max(training['seconds'], 1e-9):,.0f} tokens/s"
    )
    rows = facts["rows"]
    line(
        f"{rows['rows']:,} rows an epoch: {rows['trained_tokens']:,} tokens of text, {rows['special_tokens']:,} special, "
        f"{rows['padded_tokens']:,} padding, {rows['dropped_tokens']:,} dropped"
    )
    line(overlap(facts["corpus"]))
    line(f"run folder  {run.folder}")
    line(f"model       {run.folder / 'model'}")
    line(f"report      {run.folder / 'report.html'}")
    return 0


def copied(result: dict[str, Any]) -> str:
    """What taking the source for the target would get."""
    return f"{result['copied_bleu']:.1f}, {result['copied_chrf']:.1f} ({result['scored_pairs']} pairs)"


def comparable(words: Words) -> str:
    """What bits per byte may be compared with."""
    return {
        "hidden": "not to be compared with left-to-right models: this one sees both sides",
        "next": "comparable with any left-to-right model on the same text",
        "target": "comparable with the same objective only",
    }[words.question]


def next_sentence_remark(result: dict[str, Any]) -> str:
    """Whether the figure is clearly above chance: more than two standard errors over one half."""
    pairs = int(result["num_pairs"])
    above = result["next_sentence_accuracy"] - 0.5
    if above > 2 * (0.25 / max(1, pairs)) ** 0.5:
        return f"chance 50.0 %, {pairs} pairs: above chance"
    return f"chance 50.0 %, {pairs} pairs: NOT above chance, it needs more training or more text"


def ledger(corpus: dict[str, Any]) -> None:
    """The account of documents and bytes."""
    unit = corpus.get("unit", "documents")
    table = Table(
        title=f"Every {unit.removesuffix('s')} accounted for", title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    table.add_column("")
    table.add_column(unit, justify="right")
    table.add_column("bytes", justify="right")
    documents, sizes = corpus["documents"], corpus["bytes"]
    table.add_row("read", f"{documents['in']:,}", f"{sizes['in']:,}")
    for rule, number in documents["dropped"].items():
        table.add_row(f"dropped: {rule}", f"-{number:,}", f"-{sizes['dropped'].get(rule, 0):,}")
    for rule, number in sizes["removed"].items():
        table.add_row(f"cleaned: {rule}", "", f"{-number:,}")
    table.add_row("kept for training", f"{documents['train']:,}", f"{sizes['train']:,}")
    table.add_row("kept held out", f"{documents['held_out']:,}", f"{sizes['held_out']:,}")
    console().print(table)


def overlap(corpus: dict[str, Any]) -> str:
    """What stands on both sides of the split; of pairs, sources: one may have several targets."""
    what = "sources" if corpus.get("unit") == "pairs" else "documents"
    return f"{what} both in training and held out: {corpus['split']['overlap']}"


def warnings(records: list[dict[str, Any]]) -> None:
    for record in records:
        line(f"warning: {record['message']}")
        evidence = record.get("evidence")
        for each in evidence if isinstance(evidence, list) else [evidence] if evidence else []:
            line(f"         {each}")


def prepared(made: Prepared, out: str, show_removed: bool) -> int:
    ledger(made.ledger)
    line()
    for language, row in made.fertility["fertility"].items():
        line(f"tokens per word {row['tokens_per_word']:.2f}, unknown {percent(row['unknown_share'])} ({language})")
    for note in made.fertility["notes"]:
        line(f"note: {note}")
    splits = made.store.facts["splits"]
    line(
        f"{made.tokenizer.vocab_size:,} vocabulary entries; {splits['train']['tokens']:,} training and {splits['held_out']['tokens']:,} held-out tokens"
    )
    line(overlap(made.ledger))
    warnings(made.ledger.get("warnings", []))
    if show_removed:
        for rule, examples in made.ledger.get("examples", {}).items():
            line(f"\n{rule}:")
            for example in examples[:MOST_EXAMPLES]:
                line(f"  {example['source']}:{example['line']}: {example['excerpt']}")
    line(f"prepared corpus: {out}")
    return 0


def examination(found: Examination) -> int:
    for title, rows in found.sections.items():
        line(title)
        for name, value in rows:
            line(f"  {name:<34} {value}")
        line()
    warnings([vars(each) for each in found.warnings])
    line("nothing to warn of" if not found.warnings else f"{len(found.warnings)} warnings")
    return 0


def presets(rows: list[dict[str, Any]]) -> int:
    for family, members in groupby(rows, key=lambda row: row["family"]):
        presets_of(family, list(members))
    return line("Counted with the vocabulary of the original; a run's own vocabulary follows its text.")


def presets_of(family: str, rows: list[dict[str, Any]]) -> None:
    """A family: its table, then each preset's note and difference from its ancestor."""
    table = Table(title=f"{family}: {rows[0]['topology']}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    names = ("layers", "width", "heads", "parameters", "MFLOP/token", "training memory")
    table.add_column("preset")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("written as", overflow="fold")
    for row in rows:
        table.add_row(
            row["name"],
            str(row["layers"]),
            str(row["d_model"]),
            str(row["heads"]),
            f"{row['parameters']:,}",
            f"{row['flops_per_token'] / 1e6:,.0f}",
            f"{row['training_bytes'] / 2**30:,.1f} GiB",
            "own format" if row["own_format"] else row["class"],
        )
    console().print(table)
    for row in rows:
        note = f" ({row['note']})" if row["note"] else ""
        if row["ancestor"] is not None or note:
            line(f"{row['name']}{note}" + (f" is {row['ancestor']} but for" if row["ancestor"] else ""))
        if row["changes"]:
            console().print(difference(row["changes"]), end="")
    line()


def difference(changes: dict[str, dict[str, tuple[Any, Any]]]) -> Table:
    """A line for each section: `model  encoder_layers 12 -> 2, d_model 768 -> 128`."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for section, settings in changes.items():
        each = [f"{key} {word(old)} -> {word(new)}" for key, (old, new) in settings.items()]
        table.add_row("", section, Text(", ".join(each), overflow="fold"))
    return table


def word(value: object) -> str:
    """A setting's value as a recipe has it; none where it is derived."""
    return "none" if value is None else json.dumps(value, ensure_ascii=False).strip('"')


def verdict(found: Verdict, resumed: bool | None) -> int:
    for folder in found.checked:
        line(f"checked {folder}")
    for damage in found.damaged:
        line(f"DAMAGED {damage}")
    if resumed is not None:
        line("a resumed run gave the same bytes as one never stopped" if resumed else "A RESUMED RUN GAVE OTHER BYTES")
    return line(
        f"{count(found.bytes_checked)} bytes: {'all sound' if found.sound else f'{len(found.damaged)} damaged'}"
    )
