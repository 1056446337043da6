"""The model card: README.md of a model's folder, written from what the run knows and from nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence

from osnowa.errors import SettingsError
from osnowa.exchange.facts import Facts, inner, languages, number, say, text
from osnowa.exchange.families import notes_before_training
from osnowa.model import ModelConfig

_USAGE = """\
With osnowa:

```python
import osnowa

model = osnowa.load("{folder}")
model.fill("{prompt}", top_k=5){next_sentence}
```"""
_USAGE_ELSEWHERE = """With Hugging Face transformers:

```python
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{folder}")
model = AutoModelForMaskedLM.from_pretrained("{folder}")
inputs = tokenizer("{prompt}", return_tensors="pt")
with torch.inference_mode():
    logits = model(**inputs).logits[inputs.input_ids == tokenizer.mask_token_id]
tokenizer.convert_ids_to_tokens(logits[0].topk(5).indices.tolist())
```"""
_PROMPTS = {"pl": "Natura [MASK] najpiękniejsze obrazy.", "en": "The capital of France is [MASK]."}


def model_card(facts: Facts) -> str:
    """README.md: YAML for Hugging Face, then data, tokenizer, architecture, training, results, limits and use.

    `facts` is facts.json of a run. What is not in it is not in the card: a sentence without its number is left out.
    """
    parts = [
        _front_matter(facts),
        f"# {facts.get('name') or facts.get('preset') or 'A masked language model'}",
        _opening(facts),
        _section("Data", _data(facts)),
        _section("Tokenizer", _tokenizer(facts)),
        _section("Architecture", _architecture(facts)),
        _section("Training", _training(facts)),
        _section("Results", _results(facts)),
        _section("Limits", _limits(facts)),
        _section("Use", [_usage(facts)]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, sentences: Sequence[str]) -> str:
    told = [sentence for sentence in sentences if sentence]
    return f"## {title}\n\n" + "\n".join(told) if told else ""


def _front_matter(facts: Facts) -> str:
    lines = ["---"]
    if found := languages(facts):
        lines += ["language:", *(f"- {json.dumps(code)}" for code in found)]
    if license_ := text(facts, "license"):
        lines.append(f"license: {json.dumps(license_)}")
    tags = [
        "osnowa",
        "encoder",
        "masked-language-modelling",
        *(["next-sentence-prediction"] if _has_pairs(facts) else []),
    ]
    library = "osnowa" if _own_format(facts) else "transformers"
    lines += [f"library_name: {library}", "pipeline_tag: fill-mask", "tags:", *(f"- {tag}" for tag in tags), "---"]
    return "\n".join(lines)


def _has_pairs(facts: Facts) -> bool:
    return number(facts, "result", "next_sentence_accuracy") is not None


def _opening(facts: Facts) -> str:
    size = number(facts, "model", "parameters")
    told = "An encoder" if size is None else f"An encoder of {size:,} parameters"
    pairs = ", and to tell whether one sentence follows another" if _has_pairs(facts) else ""
    return f"{told}, trained from random weights to guess hidden tokens{pairs}."


def _data(facts: Facts) -> list[str]:
    corpus = inner(facts, "corpus")
    dropped = {
        rule: number(corpus, "documents", "dropped", rule) or 0 for rule in inner(corpus, "documents", "dropped")
    }
    counted = sorted(((count, rule) for rule, count in dropped.items() if count), reverse=True)
    total = sum(number(entry, "documents") or 0 for entry in inner(corpus, "languages").values())
    shares = [
        f"{code} {(number(corpus, 'languages', code, 'documents') or 0) / total:.0%}"
        for code in languages(facts)
        if total
    ]
    return [
        say(
            "- {train:,} documents ({size:,} bytes of text) to learn from.",
            train=number(corpus, "documents", "train"),
            size=number(corpus, "bytes", "train"),
        ),
        say(
            "- {count:,} documents held out, chosen by their hash, to measure on.",
            count=number(corpus, "documents", "held_out"),
        ),
        say(
            "- {count:,} documents came in; left out of them: {rules}.",
            count=number(corpus, "documents", "in"),
            rules=", ".join(f"{rule} {count:,}" for count, rule in counted),
        ),
        say("- Languages by documents: {shares}.", shares=", ".join(shares)),
    ]


def _tokenizer(facts: Facts) -> list[str]:
    told = inner(facts, "tokenizer")
    rows = inner(told, "fertility", "fertility") or inner(told, "fertility")
    lines = [
        say("- {kind}, {size:,} entries.", kind=text(told, "kind"), size=number(told, "vocab_size")),
    ]
    for language, row in sorted(rows.items()):
        unknown = number(row, "unknown_share")
        lines.append(
            say(
                "- {language}: {tokens:.2f} tokens for each word",
                language=language,
                tokens=number(row, "tokens_per_word"),
            )
        )
        if lines[-1]:
            lines[-1] += "." if unknown is None else f", {unknown:.2%} of the tokens unknown."
    return lines


def _architecture(facts: Facts) -> list[str]:
    model = inner(facts, "model")
    named = {
        "encoder_layers": "layers",
        "d_model": "width",
        "d_ff": "width inside the feed-forward network",
        "num_heads": "attention heads",
        "vocab_size": "vocabulary",
        "max_positions": "tokens in a row at most",
        "position": "positions",
        "feed_forward": "feed-forward network",
        "norm_placement": "norms",
    }
    told = [
        f"- {words}: {model[key]:,}" if isinstance(model[key], int) else f"- {words}: {model[key]}"
        for key, words in named.items()
        if isinstance(model.get(key), int | str) and not isinstance(model.get(key), bool)
    ]
    return [say("- preset: {preset}", preset=text(facts, "preset")), *told]


def _training(facts: Facts) -> list[str]:
    told, machine = inner(facts, "training"), inner(facts, "machine")
    return [
        say("- {steps:,} steps over {tokens:,} tokens.", steps=number(told, "steps"), tokens=number(told, "tokens")),
        say("- {times:g} times over the text.", times=number(told, "epochs")),
        say(
            "- {rows:,} rows of {length:,} tokens in a batch.",
            rows=number(told, "batch_rows"),
            length=number(facts, "rows", "row_length"),
        ),
        say("- {share:.0%} of the tokens hidden.", share=number(facts, "objective", "mask_share")),
        say("- Optimiser: {name}.", name=text(told, "optimiser")),
        say("- Learning rate: {rate:g}.", rate=number(told, "learning_rate")),
        say("- Schedule: {name}.", name=text(told, "schedule")),
        say("- {minutes:.1f} minutes of training.", minutes=_minutes(told)),
        say("- Machine: {name}.", name=text(machine, "name") or text(machine, "device")),
        say("- Number format: {name}.", name=text(machine, "precision")),
    ]


def _minutes(training: Facts) -> float | None:
    seconds = number(training, "seconds")
    return None if seconds is None else seconds / 60


_FIGURES = {
    "token_accuracy": ("hidden tokens guessed right", "{:.1%}"),
    "token_loss": ("masked loss (nats for each token)", "{:.3f}"),
    "perplexity": ("pseudo-perplexity", "{:.1f}"),
    "bits_per_byte": ("bits for each byte", "{:.3f}"),
    "next_sentence_accuracy": ("next sentence told right", "{:.1%}"),
}


def _results(facts: Facts) -> list[str]:
    """One row for each figure, with what stands beside it: the model before training, and the simplest guess."""
    simple = {
        "token_accuracy": number(facts, "baselines", "most_frequent_share"),
        "token_loss": number(facts, "baselines", "unigram_loss"),
        "next_sentence_accuracy": 0.5 if _has_pairs(facts) else None,
    }
    rows = []
    for key, (words, form) in _FIGURES.items():
        value = number(facts, "result", key)
        if value is None:
            continue
        others = [number(facts, "untrained", key), simple.get(key)]
        rows.append(
            " | ".join(
                ["", words, form.format(value), *("–" if each is None else form.format(each) for each in others), ""]
            ).strip()
        )
    if not rows:
        return []
    token = text(facts, "baselines", "most_frequent_token")
    always = f", here always {json.dumps(token, ensure_ascii=False)}" if token else ""
    asked = say(
        ", {share:.0%} of their tokens hidden, the same in every measurement",
        share=number(facts, "objective", "held_out_mask_share"),
    )
    table = ["| | this model | before training | simplest guess |", "| --- | --- | --- | --- |", *rows]
    simplest = f"it says what is most frequent{always}. A sentence pair is a coin's toss to it."
    return [
        f"On the held-out documents{asked}.\n",
        "\n".join(table) + "\n",
        f"The simplest guess looks at nothing: {simplest}",
    ]


def _limits(facts: Facts) -> list[str]:
    result, share = number(facts, "result", "token_accuracy"), number(facts, "baselines", "most_frequent_share")
    pairs, found = number(facts, "result", "next_sentence_accuracy"), languages(facts)
    learned_little = result is not None and share is not None and result < 2 * share
    return [
        "- It guesses words that are likely in texts like those it has read. It knows no facts, and a likely word can be untrue.",
        "- What is unfair, wrong or private in the texts can come out again; nobody has looked for it.",
        say("- It has read {names} only.", names=" and ".join(found)) if 0 < len(found) < 3 else "",
        "- It has learned little: a guess that looks at nothing is nearly as good." if learned_little else "",
        "- Its next-sentence verdict is hardly better than chance." if pairs is not None and pairs < 0.55 else "",
        "- It is a base model: made to be trained further for a task, not to be used as it is.",
        say("- Rows longer than {longest:,} tokens have to be cut.", longest=number(facts, "model", "max_positions")),
    ]


def _usage(facts: Facts) -> str:
    prompt = next((_PROMPTS[code] for code in languages(facts) if code in _PROMPTS), _PROMPTS["en"])
    pairs = '\nmodel.next_sentence("...", "...")' if _has_pairs(facts) else ""
    values = {"folder": text(facts, "folder") or "RUN/model", "prompt": prompt, "next_sentence": pairs}
    own = _own_format(facts)
    return (
        f"{_USAGE.format(**values)}\n\n{own[:1].upper() + own[1:] + '.' if own else _USAGE_ELSEWHERE.format(**values)}"
    )


def _own_format(facts: Facts) -> str:
    """Why only osnowa reads the folder; nothing where a class of transformers has the shape, or too little is known."""
    told = inner(facts, "model")
    try:
        config = ModelConfig.read("model", {name: told[name] for name in ModelConfig.model_fields if name in told})
    except SettingsError:
        return ""
    return next((note.message for note in notes_before_training(config) if note.code == "own-format"), "")
