"""report.html: the curves and figures of a run as one page that opens by double click and needs no network."""

from __future__ import annotations

from pathlib import Path

from osnowa import files
from osnowa.runs.report_corpus import corpus
from osnowa.runs.report_curves import curves
from osnowa.runs.report_data import Run, read_run
from osnowa.runs.report_facts import rows, tokenizer
from osnowa.runs.report_head import head
from osnowa.runs.report_html import Html, clean, element, join
from osnowa.runs.report_samples import samples
from osnowa.runs.report_style import STYLE
from osnowa.runs.report_tail import contents, settings, usage, warnings

REPORT = "report.html"
# Nothing may be loaded and nothing may run: the page is text, its own styles and drawings.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def write_report(run_folder: Path) -> Path:
    """Write RUN/report.html from what the run folder holds, finished or not; the path of the page.

    Raises:
        InputMissingError: the folder holds none of a run's files.
        StorageError, CannotCreateError: the page can't be written; an older one is untouched.
    """
    path = run_folder / REPORT
    files.write(path, page(read_run(run_folder)))
    return path


def page(run: Run) -> Html:
    """The whole page."""
    parts = {
        "learning": curves(run),
        "samples": samples(run),
        "text": corpus(run),
        "tokens": tokenizer(run),
        "rows": rows(run),
        "warnings": warnings(run),
        "settings": settings(run),
        "use": usage(run),
    }
    title = f"{clean(run.folder.resolve().name)} – osnowa"
    meta = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
    ]
    body = element(
        "main",
        head(run),
        contents(run, {key: part is not None for key, part in parts.items()}),
        parts.values(),
        element(
            "footer", "Written by osnowa from metrics.jsonl, corpus.json, facts.json and recipe.toml beside this page."
        ),
    )
    strip = element("div", class_="warp", aria_hidden="true")
    whole = element(
        "html",
        element("head", meta, element("title", title), element("style", STYLE)),
        element("body", strip, body),
        lang="en",
    )
    return join(Html("<!doctype html>\n"), whole, Html("\n"))
