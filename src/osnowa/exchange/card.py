"""The model card: README.md of a model's folder, written from what the run knows and from nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence

from osnowa.exchange.card_use import asked_of, is_own_format, kind_of, topology, usage
from osnowa.exchange.facts import Facts, inner, languages, number, say, text


def model_card(facts: Facts) -> str:
    """README.md: YAML for Hugging Face, then data, tokenizer, architecture, training, results, limits and use.

    `facts` is facts.json of a run. What is not in it is not in the card: a sentence without its number is left out.
    """
    parts = [
        _front_matter(facts),
        f"# {facts.get('name') or facts.get('preset') or 'A language model'}",
        _opening(facts),
        _section("Data", _data(facts)),
        _section("Tokenizer", _tokenizer(facts)),
        _section("Architecture", _architecture(facts)),
        _section("Training", _training(facts)),
        _section("Results", _results(facts)),
        _section("Limits", _limits(facts)),
        _section("Use", usage(facts, pairs=_has_pairs(facts))),
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
    kind, words = kind_of(facts), asked_of(facts)
    objective = text(facts, "objective", "name")
    named = [objective] if words.question == "target" and objective else []
    asked = [words.pairs.label] if _has_pairs(facts) else []
    tags = ["osnowa", topology(facts), kind.tag, *named, *asked]
    pipeline = "translation" if objective == "translation" else kind.pipeline
    library = "osnowa" if is_own_format(facts) else "transformers"
    lines += [f"library_name: {library}", f"pipeline_tag: {pipeline}", "tags:", *(f"- {tag}" for tag in tags), "---"]
    return "\n".join(lines)


def _has_pairs(facts: Facts) -> bool:
    return number(facts, "result", "next_sentence_accuracy") is not None


def _opening(facts: Facts) -> str:
    size, kind, words = number(facts, "model", "parameters"), kind_of(facts), asked_of(facts)
    told = kind.noun if size is None else f"{kind.noun} of {size:,} parameters"
    pairs = f", and to {words.pairs.task}" if _has_pairs(facts) else ""
    return f"{told}, trained from random weights to {words.task.task}{pairs}."


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
    layers = {"encoder_layers": "layers of the encoder", "decoder_layers": "layers of the decoder"}
    if topology(facts) != "encoder-decoder":
        layers = dict.fromkeys(layers, "layers")
    named = {
        **layers,
        "d_model": "width",
        "d_ff": "width inside the feed-forward network",
        "num_heads": "attention heads",
        "num_kv_heads": "of them with keys and values of their own",
        "num_experts": "feed-forward networks to choose from",
        "vocab_size": "vocabulary",
        "max_positions": "tokens in a row at most",
        "position": "positions",
        "feed_forward": "feed-forward network",
        "norm_placement": "norms",
    }
    told = [
        f"- {words}: {model[key]:,}" if isinstance(model[key], int) else f"- {words}: {model[key]}"
        for key, words in named.items()
        if model.get(key) and isinstance(model[key], int | str) and not isinstance(model[key], bool)
    ]
    written = "" if is_own_format(facts) else text(facts, "export", "class")
    return [
        say("- preset: {preset}", preset=text(facts, "preset")),
        *told,
        say("- class of Hugging Face transformers: {name}", name=written),
    ]


def _training(facts: Facts) -> list[str]:
    told, machine, hidden = inner(facts, "training"), inner(facts, "machine"), asked_of(facts).task.share
    return [
        say("- {steps:,} steps over {tokens:,} tokens.", steps=number(told, "steps"), tokens=number(told, "tokens")),
        say("- {times:g} times over the text.", times=number(told, "epochs")),
        say(
            "- {rows:,} rows of {length:,} tokens in a batch.",
            rows=number(told, "batch_rows"),
            length=number(facts, "rows", "row_length"),
        ),
        say("- Objective: {name}.", name=text(facts, "objective", "name")),
        say(f"- {{share:.0%}} {hidden}.", share=number(facts, "objective", "mask_share") if hidden else None),
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


def _figures(facts: Facts) -> dict[str, tuple[str, str]]:
    """Names and forms of what is measured."""
    words = asked_of(facts)
    return {
        "token_accuracy": (words.right, "{:.1%}"),
        "token_loss": (f"{words.figures.loss} (nats for each token)", "{:.3f}"),
        "perplexity": (words.figures.perplexity, "{:.1f}"),
        "bits_per_byte": ("bits for each byte", "{:.3f}"),
        "next_sentence_accuracy": (f"{words.pairs.name} told right", "{:.1%}"),
    }


_COMPARABLE = {
    "hidden": "Bits for each byte do not compare with those of left-to-right models: this one sees both sides of a gap.",
    "next": "Bits for each byte compare with those of other left-to-right models on the same text.",
    "target": "Each token of a target was guessed with the true ones before it; figures compare with the same objective.",
}


def _results(facts: Facts) -> list[str]:
    """One row for each figure, with what stands beside it: the model before training, and the simplest guess."""
    simple = {
        "token_accuracy": number(facts, "baselines", "most_frequent_share"),
        "token_loss": number(facts, "baselines", "unigram_loss"),
        "next_sentence_accuracy": 0.5 if _has_pairs(facts) else None,
    }
    rows = []
    for key, (words, form) in _figures(facts).items():
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
    coin = " A sentence pair is a coin's toss to it." if _has_pairs(facts) else ""
    return [
        f"On the held-out documents{asked}.\n",
        "\n".join(table) + "\n",
        f"The simplest guess looks at nothing: it says what is most frequent{always}.{coin}",
        _COMPARABLE[asked_of(facts).question],
    ]


def _limits(facts: Facts) -> list[str]:
    result, share = number(facts, "result", "token_accuracy"), number(facts, "baselines", "most_frequent_share")
    pairs, found = number(facts, "result", "next_sentence_accuracy"), languages(facts)
    words, notes = asked_of(facts), inner(facts, "export").get("notes")
    learned_little = result is not None and share is not None and result < 2 * share
    return [
        "- It guesses words that are likely in texts like those it has read. It knows no facts, and a likely word can be untrue.",
        "- What is unfair, wrong or private in the texts can come out again; nobody has looked for it.",
        say("- It has read {names} only.", names=" and ".join(found)) if 0 < len(found) < 3 else "",
        "- It has learned little: a guess that looks at nothing is nearly as good." if learned_little else "",
        f"- Its {words.pairs.tag} verdict is hardly better than chance." if pairs is not None and pairs < 0.55 else "",
        "- It is a base model: made to be trained further for a task, not to be used as it is.",
        say("- Rows longer than {longest:,} tokens have to be cut.", longest=number(facts, "model", "max_positions")),
        *(f"- {_sentence(note)}." for note in (notes if isinstance(notes, list) else []) if isinstance(note, str)),
    ]


def _sentence(note: str) -> str:
    """On one line, with a capital."""
    told = " ".join(note.split())
    return told[:1].upper() + told[1:]
