"""What is not in the file, and why, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from osnowa.explain.program import TOKEN_TABLE
from osnowa.explain.selection import Selection
from osnowa.explain.step import Array
from osnowa.explain.trace import Trace

SIZE = "the file would be too large; a larger --max-mb and --format npz keep more"


def missing(trace: Trace, selection: Selection, pictures: Mapping[str, Array]) -> list[dict[str, str]]:
    """One entry for each kind of thing that was left out."""
    level, found = selection.level, []

    def say(key: str, what: str, why: str) -> None:
        found.append({"key": key, "what": what, "why": why})

    if level.focus is not None:
        for side, rows in selection.focus.items():
            length = len(trace.forward.question.rows[side].tokens)
            if len(rows) < length:
                say("rows", f"{side}: numbers of {length - len(rows)} of {length} tokens", SIZE)
    if not level.all_keys:
        say("keys", "keys and values of tokens that are not in focus", SIZE)
    if level.dims is not None:
        say("weights", f"weights of all but the first {level.dims} output dimensions of each matrix", SIZE)
    if pictures:
        whole = all(picture.shape == trace.pictures[name].shape for name, picture in pictures.items())
        what = "as pictures of one byte a weight" if whole else f"as pictures of at most {level.picture} rows"
        say("pictures", f"attention of tokens that are not in focus, as numbers: it is there {what}", SIZE)
    kept = selection.tensors[TOKEN_TABLE]
    if not kept.is_whole(0):
        say(
            "vocabulary",
            f"token vectors of {kept.shape[0] - len(kept.places(0))} of {kept.shape[0]} vocabulary entries",
            "only tokens that the page speaks of have theirs; the logits of all others were checked when written",
        )
    if trace.config.num_experts:
        say("experts", "the weights of the experts", "what each token's experts compute was checked when written")
    if not any(name.endswith(".p") for name in trace.forward.tensors):
        say("head", "the prediction head", "this folder has none, so the trace ends at the contextual matrix")
    return found
