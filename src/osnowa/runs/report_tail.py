"""The end of a report: warnings, settings, and the commands that use the model."""

from __future__ import annotations

import json
import shlex

from osnowa.exchange import card_use
from osnowa.runs.report_data import Record, Run, entries, series
from osnowa.runs.report_facts import others
from osnowa.runs.report_format import whole
from osnowa.runs.report_html import Html, code, details, element, given, join, table

_EVENTS = 50


def gather(run: Run) -> list[Record]:
    """Every warning of the run once: of the corpus, of the doctor, and of this report about its own sources."""
    found: list[Record] = [
        warning
        for warning in (*entries(run.facts, "warnings"), *entries(run.ledger, "warnings"))
        if isinstance(warning, dict)
    ]
    found += [{"code": "report", "message": problem} for problem in run.problems]
    return list({(str(w.get("code")), str(w.get("message")), str(w.get("evidence"))): w for w in found}.values())


def warnings(run: Run) -> Html:
    """What the doctor and the training found worth saying."""
    found = gather(run)
    items = [
        element(
            "li",
            element("div", code(warning["code"]), " ", given(warning.get("message", "")))
            if warning.get("code")
            else given(warning.get("message", "")),
            element("pre", given(_evidence(warning["evidence"])), class_="fold") if warning.get("evidence") else None,
        )
        for warning in found
    ]
    return element(
        "section",
        element("h2", "Warnings"),
        element("ul", items, class_="warnings") if items else element("p", "None."),
        _events(run),
        id="warnings",
    )


def _evidence(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _events(run: Run) -> Html | None:
    if not run.events:
        return None
    rows = [[whole(event["step"]), given(event.get("message", ""))] for event in run.events[-_EVENTS:]]
    left = len(run.events) - len(rows)
    told = (
        f"What happened on the way (the last {len(rows)} of {whole(len(run.events))})"
        if left
        else "What happened on the way"
    )
    return join(element("h3", told), table(["step", ""], rows, class_="words-left"))


def settings(run: Run) -> Html:
    """Everything needed to run this again."""
    return element(
        "section",
        element("h2", "Settings and circumstances"),
        details(
            "recipe.toml: every setting; reading it back gives the same run", element("pre", given(run.recipe, "code"))
        )
        if run.recipe
        else element("p", "There is no recipe.toml in this folder."),
        element("div", others(run), class_="columns"),
        id="settings",
    )


_FILL = """
logits = model(**inputs).logits[inputs["input_ids"] == tokenizer.mask_token_id]
for mask in logits.softmax(-1):
    best = mask.topk(5)
    print([(tokenizer.decode([i]), round(p, 3)) for p, i in zip(best.values.tolist(), best.indices.tolist())])"""
_SAY = """
tokens = model.generate(**inputs, max_new_tokens=40)
print(tokenizer.decode(tokens[0], skip_special_tokens=True))"""


def usage(run: Run) -> Html:
    """The commands and the Python lines that use this model, ready to copy."""
    told = {**run.settings, **run.facts}
    kind, place = card_use.kind_of(told), str(run.folder)
    text = str(run.probes[0].get("text", "")) if run.probes else card_use.prompt_of(told)
    commands = [f"osnowa {kind.verb} {shlex.quote(place)} {shlex.quote(text)}"]
    if series(run.held_out, "next_sentence_accuracy"):
        commands.append(f'osnowa next-sentence {shlex.quote(place)} "First sentence." "Second sentence."')
    ready = (
        None if run.has_model else element("p", "The model folder appears when the run is finished.", class_="remark")
    )
    return element(
        "section",
        element("h2", "Use it"),
        ready,
        element("p", "On the command line:"),
        element("pre", given("\n".join(commands), "code")),
        _elsewhere(told, kind, place, text),
        id="use",
    )


def _elsewhere(told: Record, kind: card_use.Kind, place: str, text: str) -> Html:
    """With transformers, or why not."""
    if card_use.is_own_format(told):
        return element("p", card_use.OWN_FORMAT, class_="remark")
    if card_use.sees_source_whole(told):
        return element("p", card_use.PREFIX, class_="remark")
    snippet = f"""import torch
from transformers import {kind.auto}, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({place + "/model"!r})
model = {kind.auto}.from_pretrained({place + "/model"!r}).eval()

inputs = tokenizer({text!r}, return_tensors="pt")
torch.set_grad_enabled(False){_FILL if kind.verb == "fill" else _SAY}"""
    told_in = element("p", "In Python, with the transformers library alone:")
    return join(told_in, element("pre", given(snippet, "code")))


def contents(run: Run, present: dict[str, bool]) -> Html:
    """Links to the parts of the page; the warnings are counted, so that they are seen from the top."""
    names = {
        "learning": "Curves",
        "samples": "Samples",
        "text": "Text",
        "tokens": "Tokenizer",
        "rows": "Rows",
        "warnings": f"Warnings ({len(gather(run))})",
        "settings": "Settings",
        "use": "Use it",
    }
    links = [element("a", name, href=f"#{key}") for key, name in names.items() if present[key]]
    return element("nav", links, aria_label="Parts of this report")
