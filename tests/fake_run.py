"""A run folder as a real run leaves it, made without training."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

SENTENCES = {
    "Natura [MASK] najpiękniejsze obrazy.": ["tworzy", "stwarza", "daje", "kocha", "miała", "ma"],
    "Pan [MASK] wrócił do [MASK] późnym wieczorem.": ["młody", "Tadeusz", "domu", "miasta", "sam", "nie"],
    "Na stole stała [MASK] i dwie szklanki.": ["herbata", "woda", "lampa", "butelka", "mała", "stara"],
}
FREQUENT = [",", ".", "i", "w", "się", "nie"]
VOCABULARY = 8192


def write_run(
    folder: Path,
    *,
    steps: int = 1850,
    stop_at: int | None = None,
    memorise: bool = False,
    pairs: bool = True,
    log_every: int = 1,
) -> Path:
    """Write a run into `folder`; `stop_at` leaves it unfinished, `memorise` makes the held-out loss turn."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(7)
    last = stop_at or steps
    lines = [json.dumps(line, ensure_ascii=False) for line in metrics(rng, steps, last, memorise, pairs, log_every)]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write(folder / "corpus.json", ledger())
    write(folder / "run.json", {"plan": {"steps": steps, "warmup": 90, "basis": "minutes"}})
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    if stop_at is None:
        write(folder / "facts.json", facts())
        (folder / "model").mkdir(exist_ok=True)
        write(folder / "model" / "config.json", {})
    return folder


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2), encoding="utf-8")


def metrics(
    rng: random.Random, steps: int, last: int, memorise: bool, pairs: bool, log_every: int
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    evaluate_at = {round(steps * part / 12) for part in range(13)}
    for step in range(last + 1):
        done = step / steps
        loss = 4.45 + 4.56 * math.exp(-9 * done) - 0.35 * done
        order = 0.694 - 0.11 / (1 + math.exp(-10 * (done - 0.55)))
        if step > 0 and (step % log_every == 0 or step == last):
            rate = 0.003 * min(1.0, step / 90, max(0.004, (1 - done) / 0.4))
            spike = 18.0 if step == 1000 else 1.0
            value = {
                "kind": "train",
                "step": step,
                "epoch": round(step / 620, 4),
                "tokens": step * 2048,
                "seconds": round(step * 0.0962, 3),
                "loss": loss + rng.gauss(0, 0.12) + (order if pairs else 0),
                "token_loss": loss - 0.25 * done * (3 if memorise else 1) + rng.gauss(0, 0.12),
                "learning_rate": rate,
                "gradient_norm": spike * (0.45 + 4 * math.exp(-30 * done) + abs(rng.gauss(0, 0.08))),
                "tokens_per_second": 21_300 + rng.gauss(0, 450),
            }
            found.append({**value, "next_sentence_loss": order + rng.gauss(0, 0.03)} if pairs else value)
        if step in evaluate_at or step == last:
            held = loss + (2.4 * (done - 0.5) ** 2 if memorise and done > 0.5 else 0)
            found.append(held_out(step, held, order, pairs))
            found += [probe(rng, step, done, text, words) for text, words in SENTENCES.items()]
        if step == 1000:
            found.append({"kind": "event", "step": step, "message": "the loss was not finite; not applied"})
    return found


def held_out(step: int, loss: float, order: float, pairs: bool) -> dict[str, Any]:
    value = {
        "kind": "held_out",
        "step": step,
        "tokens": step * 2048,
        "seconds": round(step * 0.0962, 3),
        "token_loss": loss,
        "token_accuracy": max(0.0001, 0.061 + (6.8 - loss) * 0.089) if loss < 7.5 else 0.0001 + (9.01 - loss) * 0.03,
        "perplexity": math.exp(loss),
        "bits_per_byte": loss / math.log(2) * 0.259,
        "num_asked": 12_480,
        "num_pairs": 1_024,
    }
    right = 0.5 + (0.694 - order) * 1.66
    return {**value, "next_sentence_loss": order, "next_sentence_accuracy": right} if pairs else value


def probe(rng: random.Random, step: int, done: float, text: str, words: list[str]) -> dict[str, Any]:
    masks = []
    for place in range(text.count("[MASK]")):
        best = FREQUENT if done < 0.3 else words[place:] + words[:place]
        share = 1 / VOCABULARY if step == 0 else 0.04 + 0.25 * done
        guesses = []
        for rank in range(5):
            token = rng.choice(["##owi", "okno", "1863", "sza", "–", "##ąc"]) if step == 0 else best[rank]
            guesses.append({"token": token, "id": 100 + rank, "probability": share * (0.62**rank if step else 1)})
        masks.append(guesses)
    known = {"answer": words[1]} if len(masks) == 1 else {}
    return {"kind": "probe", "step": step, "text": text, **known, "masks": masks}


def ledger() -> dict[str, Any]:
    return {
        "documents": {
            "in": 4211,
            "train": 3560,
            "held_out": 181,
            "dropped": {"exact_duplicate": 212, "near_duplicate": 187, "too_short": 64, "other_language": 7},
        },
        "bytes": {
            "in": 14_203_118,
            "train": 12_011_402,
            "held_out": 611_220,
            "dropped": {
                "exact_duplicate": 702_111,
                "near_duplicate": 641_900,
                "too_short": 4_096,
                "other_language": 21_873,
            },
            "removed": {"repeated_line": 190_404, "control_characters": 112, "white_space": 20_000},
        },
        "changed": {"repeated_line": 611, "control_characters": 1, "white_space": 1904},
        "languages": {
            "pl": {"documents": 3702, "bytes": 12_540_001},
            "en": {"documents": 31, "bytes": 70_621},
            "und": {"documents": 8, "bytes": 12_000},
        },
        "rejected": {"not a JSON object": 3},
        "skipped": {},
        "split": {"share": 0.05, "threshold": 922337203685477632, "overlap": 0},
        "num_sources": 3,
        "sources": [
            {
                "name": "lalka-tom-pierwszy.txt",
                "bytes": 1_302_118,
                "sha256": "ab" * 32,
                "encoding": "utf-8",
                "document": "block",
                "because": "paragraphs between blank lines, 412 characters in the middle",
                "notes": [],
            },
            {
                "name": "wiersze/mickiewicz.txt",
                "bytes": 901_000,
                "sha256": "cd" * 32,
                "encoding": "windows-1250",
                "document": "file",
                "because": "short lines without blank lines between them",
                "notes": ["decoded from windows-1250", "a byte order mark was removed"],
            },
            {
                "name": "zdania.jsonl.gz",
                "bytes": 12_000_000,
                "sha256": "ef" * 32,
                "encoding": "utf-8",
                "document": "record",
                "because": "one per line, field text",
                "notes": [],
            },
        ],
        "examples": {
            "repeated_line": [
                {"source": "wiersze/mickiewicz.txt", "line": 12, "excerpt": "Ta lektura, podobnie jak tysiące innych"},
                {"source": "lalka-tom-pierwszy.txt", "line": 3, "excerpt": "Wszystkie zasoby Wolnych Lektur"},
            ],
            "near_duplicate": [
                {
                    "source": "zdania.jsonl.gz",
                    "line": 71,
                    "excerpt": "Natura stwarza obrazy.",
                    "same_as": {"source": "lalka-tom-pierwszy.txt", "line": 4},
                }
            ],
            "white_space": [{"source": "zdania.jsonl.gz", "line": 9, "before": "a \u00a0 b", "after": "a b"}],
        },
        "warnings": [
            {
                "code": "repeated_line",
                "message": "one line stands in 611 documents; it was removed from all but the first",
                "evidence": {"documents": 611, "samples": ["Ta lektura, podobnie jak tysiące innych"]},
            }
        ],
    }


def facts() -> dict[str, Any]:
    row_length, rows, trained, special = 128, 29_766, 3_712_004, 60_000
    return {
        "osnowa": "0.1.0",
        "preset": "encoder-mini",
        "seed": 0,
        "model": {
            "preset": "encoder-mini",
            "parameters": 5_355_008,
            "encoder_layers": 4,
            "d_model": 256,
            "vocab_size": VOCABULARY,
            "max_positions": 128,
            "position": "rotary",
            "norm_place": "pre",
        },
        "tokenizer": {
            "kind": "wordpiece",
            "vocab_size": VOCABULARY,
            "fertility": {
                "pl": {"texts": 900, "tokens_per_word": 1.6412, "unknown_share": 0.000031, "whole_words_share": 0.61},
                "en": {"texts": 31, "tokens_per_word": 2.4071, "unknown_share": 0.000204, "whole_words_share": 0.32},
            },
            "notes": [],
        },
        "rows": {
            "row_length": row_length,
            "rows": rows,
            "trained_tokens": trained,
            "special_tokens": special,
            "padded_tokens": row_length * rows - trained - special,
            "dropped_tokens": 0,
            "pairs": 14_883,
            "held_out_rows": 512,
        },
        "baselines": {
            "most_frequent_token": ",",
            "most_frequent_share": 0.0612,
            "unigram_loss": 6.803,
            "expected_initial_loss": math.log(VOCABULARY),
            "measured_initial_loss": 9.014,
        },
        "training": {
            "steps": 1850,
            "tokens": 3_788_800,
            "seconds": 178.0,
            "batch_rows": 16,
            "optimiser": "muon",
            "plan": {"steps": 1850, "warmup": 90, "basis": "minutes", "seconds_per_step": 0.0962},
            "epochs": 2.98,
        },
        "machine": {
            "device": "cpu",
            "name": "AMD EPYC 9R45",
            "threads": 2,
            "precision": "bf16",
            "torch": "2.13.0+cpu",
            "python": "3.11.7",
            "system": "Linux x86_64",
        },
    }


RECIPE = """[run]
preset = "encoder-mini"
seed = 0
text = ["teksty/"]

[model]
vocab_size = 8192
encoder_layers = 4

[training]
minutes = 3.0
learning_rate = 0.003
optimiser = "muon"
"""


# Texts that would do harm if they reached a page as markup.
HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>'",
    "</style></title></bdi></code><script>document.title='ran'</script>",
    "a\u202egnp.exe \x00\x1b[31m",
    "&lt;b&gt; ]]> <!-- --",
]


def hostile_run(folder: Path) -> Path:
    """A run in which every text that came from outside is hostile."""
    text = " ".join(HOSTILE)
    write_run(folder, steps=20)
    ours, told = ledger(), facts()
    ours["sources"][0].update(name=text, encoding=text, document=text, because=text, notes=[text])
    ours["languages"] = {text: {"documents": 1, "bytes": 2}}
    ours["documents"]["dropped"][text] = 0
    ours["bytes"]["dropped"][text] = 0
    ours["examples"][text] = [{"source": text, "line": text, "excerpt": text}]
    ours["rejected"] = {text: 1}
    ours["warnings"] = [{"code": text, "message": text, "evidence": {text: [text]}}]
    told["baselines"]["most_frequent_token"] = text
    told["model"]["preset"] = text
    told["tokenizer"].update(kind=text, fertility={text: {text: 1.5}})
    told[text] = {text: text}
    write(folder / "corpus.json", ours)
    write(folder / "facts.json", told)
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as handle:
        probe = {"kind": "probe", "step": 20, "text": f"{text} [MASK]", "answer": text}
        probe["masks"] = [[{"token": token, "id": 1, "probability": 0.1} for token in (*HOSTILE[:4], "\ud800")]]
        for line in (probe, {"kind": "event", "step": 20, "message": text}):
            handle.write(json.dumps(line) + "\n")
    (folder / "recipe.toml").write_text(f"# {HOSTILE[0]}\n[run]\n", encoding="utf-8")
    return folder
