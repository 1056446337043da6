"""Which size, vocabulary and time suit a corpus and a machine, and what is assumed in saying so."""

from __future__ import annotations

from typing import Any

from osnowa.model import ModelConfig
from osnowa.runs.preset_table import family_of
from osnowa.runs.presets import FAMILIES, resolve
from osnowa.runs.presets.preset import SMALL_SIZES
from osnowa.runs.recipe import Recipe
from osnowa.runs.work import count_parameters, flops_per_token
from osnowa.tokenizer.config import derive_vocab_size

TOKENS_PER_PARAMETER = 20
MOST_EPOCHS = 8
_RULE = (
    f"{TOKENS_PER_PARAMETER} tokens for each parameter (Hoffmann et al. 2022, for decoders of 70 million parameters and "
    "more; taken for every topology and size here)"
)
_REPEATS = (
    f"the text is shown up to {MOST_EPOCHS} times (Muennighoff et al. 2023: up to 4 times is nearly as good as new text, "
    "then less and less)"
)
_SPEED = "the speed is estimated from matrix products measured now, with nothing else on the machine"


def suggest(recipe: Recipe, vocab_size: int, text_bytes: int, tokens: int, operations: float) -> dict[str, Any]:
    """The largest size of the recipe's family that the text can teach, with a vocabulary and a time.

    `tokens` are those of an epoch, with a vocabulary of `vocab_size`; `operations` what the machine does in a second of
    training. `limit`: "rule" where the text is enough for the size, "text" where even the smallest would want more.
    """
    best: dict[str, Any] = {}
    for preset in sizes_of(recipe.run.preset):
        sections = resolve(preset).sections
        config = ModelConfig.read("model", {**sections["model"], "vocab_size": vocab_size})
        parameters = count_parameters(config.changed(next_sentence=recipe.model.next_sentence))
        wanted, there = TOKENS_PER_PARAMETER * parameters, MOST_EPOCHS * tokens
        if best and wanted > there:
            continue
        row_length = sections.get("data", {}).get("row_length", recipe.data.row_length)
        speed = operations / flops_per_token(config, recipe.objective, row_length)
        shown = min(wanted, there)
        best = {
            "preset": preset,
            "vocab_size": derive_vocab_size(text_bytes),
            "minutes": round(shown / speed / 60, 1),
            "parameters": parameters,
            "tokens": shown,
            "epochs": round(shown / max(1, tokens), 1),
            "limit": "rule" if wanted <= there else "text",
        }
    return {**best, "assumed": [_RULE, _REPEATS, _SPEED]}


def sizes_of(preset: str) -> list[str]:
    """The sizes of a preset's family that one machine trains, the smallest first."""
    family = FAMILIES[family_of(preset)]
    names = {each.name for each in family.presets}
    return [name for size in SMALL_SIZES if (name := f"{family.name}-{size}") in names]


def in_words(advice: dict[str, Any]) -> list[str]:
    """One paragraph: what to use, for how long, and why."""
    told = (
        f"--preset {advice['preset']} ({advice['parameters']:,} parameters) with a vocabulary of about "
        f"{advice['vocab_size']:,}, --minutes {advice['minutes']:g}: {advice['tokens']:,} tokens, "
        f"{advice['epochs']:g} times through the text."
    )
    short = "" if advice["limit"] == "rule" else " More text would help: even this size could learn from more."
    return [told + short, f"Assumed: {'; '.join(advice['assumed'])}."]
