"""How a model is used, by its topology: with osnowa, and with the class of Hugging Face transformers that loads it."""

from __future__ import annotations

from dataclasses import dataclass

from osnowa.exchange.facts import Facts, inner, languages, text
from osnowa.objective.words import Task, Words, words_of

MASKED, NEXT, SOURCE = "AutoModelForMaskedLM", "AutoModelForCausalLM", "AutoModelForSeq2SeqLM"


@dataclass(frozen=True)
class Kind:
    """What can be said of all models of a topology."""

    noun: str
    auto: str  # the class of transformers that finds the model's own
    pipeline: str  # what the hub calls its use
    tag: str
    verb: str  # of the command line and of osnowa's Model
    snippet: str


_FILL = """\
inputs = tokenizer("{prompt}", return_tensors="pt")
with torch.inference_mode():
    logits = model(**inputs).logits[inputs.input_ids == tokenizer.mask_token_id]
tokenizer.convert_ids_to_tokens(logits[0].topk(5).indices.tolist())"""
_SAY = """\
inputs = tokenizer("{prompt}", return_tensors="pt")
with torch.inference_mode():
    tokens = model.generate(**inputs, max_new_tokens=40)
tokenizer.decode(tokens[0], skip_special_tokens=True)"""
KINDS: dict[str, Kind] = {
    "encoder": Kind("An encoder", MASKED, "fill-mask", "masked-language-modelling", "fill", _FILL),
    "decoder": Kind("A decoder", NEXT, "text-generation", "causal-language-modelling", "generate", _SAY),
    "encoder-decoder": Kind(
        "An encoder-decoder", SOURCE, "text2text-generation", "sequence-to-sequence", "generate", _SAY
    ),
}
_OSNOWA = """\
With osnowa:

```
osnowa {verb} {folder} "{prompt}"
```

```python
import osnowa

model = osnowa.load("{folder}")
model.{verb}("{prompt}"{more}){next_sentence}
```"""
_TRANSFORMERS = """\
With Hugging Face transformers:

```python
import torch
from transformers import {auto}, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{folder}")
model = {auto}.from_pretrained("{folder}")
{snippet}
```"""
OWN_FORMAT = "The folder is in osnowa's own format: transformers has no class of this shape and can't load it."
PREFIX = (
    "In training this decoder saw its whole source from both sides; its class in transformers looks only backwards, so "
    "what it says there is not what it has learned. Use osnowa."
)
# (a text with a gap, the same without it, the beginning of a text)
_TEXTS = {
    "pl": ("Natura {} najpiękniejsze obrazy.", "Natura stwarza najpiękniejsze obrazy.", "Natura stwarza"),
    "en": ("The capital of France is {}.", "The capital of France is Paris.", "The capital of France"),
}


def topology(facts: Facts) -> str:
    """Of the model, by its layers where the facts don't name it; an encoder where they say nothing."""
    model = inner(facts, "model")
    if (named := text(model, "topology")) in KINDS:
        return named
    encoder, decoder = (bool(model.get(f"{name}_layers")) for name in ("encoder", "decoder"))
    return {(True, True): "encoder-decoder", (False, True): "decoder"}.get((encoder, decoder), "encoder")


def kind_of(facts: Facts) -> Kind:
    """What is true of the model's topology."""
    return KINDS[topology(facts)]


def asked_of(facts: Facts) -> Words:
    """What was asked in training, in words."""
    return words_of(inner(facts, "objective").get("name"))


def is_own_format(facts: Facts) -> bool:
    """Whether only osnowa reads the folder."""
    return inner(facts, "export").get("own_format") is True


def sees_source_whole(facts: Facts) -> bool:
    """Whether a decoder was trained to look at a source from both sides."""
    return topology(facts) == "decoder" and asked_of(facts).question == "target"


def prompt_of(facts: Facts) -> str:
    """A text to try the model on, as its objective showed texts."""
    task: Task = asked_of(facts).task
    gapped, whole, begun = next((_TEXTS[code] for code in languages(facts) if code in _TEXTS), _TEXTS["en"])
    gap = (text(facts, "tokenizer", "mask_token") or "[MASK]") if task.gap == "mask" else task.gap
    shown = gapped.format(gap) if gap else whole if "pair" in task.task else begun
    return f"{task.lead} {shown}".strip()


def usage(facts: Facts, *, pairs: bool) -> list[str]:
    """How to ask the model, with osnowa and with transformers where that gives what was learned."""
    kind, folder, prompt = kind_of(facts), text(facts, "folder") or "RUN/model", prompt_of(facts)
    more = ", top_k=5" if kind.verb == "fill" else ""
    second = '\nmodel.next_sentence("...", "...")' if pairs else ""
    parts = [_OSNOWA.format(verb=kind.verb, folder=folder, prompt=prompt, more=more, next_sentence=second)]
    if is_own_format(facts):
        parts.append(OWN_FORMAT)
    elif sees_source_whole(facts):
        parts.append(PREFIX)
    else:
        snippet = kind.snippet.format(prompt=prompt)
        parts.append(_TRANSFORMERS.format(auto=kind.auto, folder=folder, snippet=snippet))
    return ["\n\n".join(parts)]
