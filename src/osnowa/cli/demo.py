"""`make demo`: a base model from the text that every Python carries, and five questions to it."""

from __future__ import annotations

import sys
from pathlib import Path

from osnowa.cli import show
from osnowa.errors import OsnowaError
from osnowa.runs.api import recipe_of
from osnowa.runs.model import Model
from osnowa.runs.prepare import open_prepared
from osnowa.runs.pretrain import pretrain

MINUTES = 4.0
FILL_QUESTIONS = (
    "Return a [MASK] of the object.",
    "If the file does not [MASK], an error is raised.",
    "The default value of this argument is [MASK].",
)


def main(out: str = "demo", minutes: float = MINUTES) -> int:
    """Train in the folder `out`, then ask; the exit code."""
    say("osnowa demo: raw text -> clean documents -> vocabulary -> rows -> random weights -> training -> base model")
    say(f"text: the documentation inside this Python; training: {minutes:g} minutes after the preparation\n")
    try:
        run = pretrain(["sample:python-docs"], out, recipe_of(minutes=minutes))
        show.finished(run)
        ask(run.model, Path(out))
    except OsnowaError as error:
        sys.stderr.write(f"osnowa: {error}\n")
        return error.exit_code
    return 0


def ask(model: Model, folder: Path) -> None:
    """Three questions to the masked-token head, two to the next-sentence head."""
    say("\nWhat stands behind [MASK]?\n")
    for question in FILL_QUESTIONS:
        show.filled(question, model.fill(question, top_k=3))
        say("")
    say("Does B follow A? (sentences that the model never saw: B once the true next one, once from another document)\n")
    for first, second, truth in sentence_pairs(folder):
        say(f"A: {first}\nB: {second}\ntruth: {truth}; the model says:")
        show.followed(model.next_sentence(first, second))
        say("")


def sentence_pairs(folder: Path) -> list[tuple[str, str, str]]:
    """A true and a random pair from the held-out text."""
    prepared = open_prepared(folder / "data")
    split, tokenizer = prepared.store.held_out, prepared.tokenizer

    def sentence(index: int) -> str:
        return tokenizer.decode(split.tokens[split.sentences[index] : split.sentences[index + 1]].tolist()).strip()

    def good(index: int) -> bool:
        return 8 <= len(sentence(index).split()) <= 24

    starts = [int(start) for start in split.documents[:-1]]
    ends = [int(end) for end in split.documents[1:]]
    neighbours = [
        (index, index + 1)
        for start, end in zip(starts, ends, strict=True)
        for index in range(start, end - 1)
        if good(index) and good(index + 1)
    ]
    if len(neighbours) < 2:
        return []
    true = neighbours[0]
    end = next(end for start, end in zip(starts, ends, strict=True) if start <= true[0] < end)
    elsewhere = [pair for pair in neighbours if pair[0] >= end]
    if not elsewhere:
        return []
    other = elsewhere[-1]
    return [
        (sentence(true[0]), sentence(true[1]), "B follows A"),
        (sentence(true[0]), sentence(other[1]), "B is from elsewhere"),
    ]


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(
        main(sys.argv[1] if len(sys.argv) > 1 else "demo", float(sys.argv[2]) if len(sys.argv) > 2 else MINUTES)
    )
