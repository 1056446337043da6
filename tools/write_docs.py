"""Writes the generated parts of README.md and ARCHITECTURE.md, or with --check says which are out of date."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

from osnowa.runs.preset_table import family_rows

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "osnowa"
RESULTS = ROOT / "benchmarks" / "results"
ROOMS = [
    "errors",
    "settings",
    "files",
    "workers",
    "processor",
    "corpus",
    "tokenizer",
    "model",
    "data",
    "objective",
    "train",
    "generate",
    "exchange",
    "explain",
    "runs",
    "cli",
]


def sentence(path: Path) -> str:
    """The first sentence of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def rooms() -> str:
    lines = ["| room | what |", "| --- | --- |"]
    for room in ROOMS:
        path = SOURCE / room / "__init__.py" if (SOURCE / room).is_dir() else SOURCE / f"{room}.py"
        lines.append(
            f"| [`{room}`](src/osnowa/{room}{'' if path.name == '__init__.py' else '.py'}) | {sentence(path)} |"
        )
    return "\n".join(lines)


def modules() -> str:
    lines = []
    for room in ROOMS:
        paths = sorted((SOURCE / room).glob("*.py")) if (SOURCE / room).is_dir() else [SOURCE / f"{room}.py"]
        lines.append(f"### {room}\n")
        lines += [f"- `{path.relative_to(SOURCE).as_posix()}`: {sentence(path)}" for path in paths]
        lines.append("")
    return "\n".join(lines).rstrip()


def presets() -> str:
    lines = [
        "| family | topology | sizes | objective | alone it means | parameters | MFLOP/token | written as |",
        "| --- | --- | --- | --- | --- | --: | --: | --- |",
    ]
    lines += [
        f"| `{row['name']}` | {row['topology']} | {', '.join(row['sizes'])} | {row['objective']} | {row['published']} "
        f"| {row['parameters']:,} | {row['flops_per_token'] / 1e6:,.0f} "
        f"| {'own format' if row['own_format'] else row['class']} |"
        for row in family_rows()
    ]
    return "\n".join(lines)


def speed() -> str:
    """What the benchmarks measured last, on whichever machine that was."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    compared = {name: each for name, each in found.items() if any(row.get("cells") for row in each["rows"])}
    lines = [
        "| work | osnowa | beside | times | floor, aim | | held-out loss | peak MB |",
        "| --- | --: | --- | --: | --- | --- | --: | --: |",
    ]
    for each in compared.values():
        rows = {(row["work"], row["name"]): row for row in each["rows"]}
        for row in each["rows"]:
            own = f"{row['name']}: {row['median']:,.0f} {row['unit']}" if row["cells"] else ""
            if "peak_share" in row:
                own += f", {row['peak_share']:.0%} of the peak"
            for cell in row["cells"]:
                both = row, rows.get((row["work"], cell["peer"]), {})
                lines.append(
                    f"| {row['work']} | {own} | {_cell(cell)} | {_both(both, 'held_out_loss', ',.3f')} |"
                    f" {_both(both, 'peak_mb', ',.0f')} |"
                )
    if not compared:
        lines = ["Nothing is measured yet."]
    if any(each["machine"]["precision"] == "float32" and _peers(each) & {"trainer-bf16"} for each in compared.values()):
        lines += [
            "",
            "This processor only emulates bfloat16: the Trainer's `--bf16` is slower on it than its defaults.",
        ]
    if "start_up" in found:
        seconds = {row["name"]: row["seconds"] for row in found["start_up"]["rows"]}
        lines += ["", "From cold: " + ", ".join(f"`{name}` {each:.2f} s" for name, each in seconds.items()) + "."]
    for row in found["beside_the_step"]["rows"] if "beside_the_step" in found else ():
        lines += [
            "",
            f"Beside a step of {row['step_milliseconds']:.0f} ms (`{row['name']}`): the monitor {row['monitor_share']:.2%} "
            f"of it; {row['checkpoints']} checkpoints in {row['steps']} steps hold up {row['checkpoint_share']:.2%} of the "
            "time.",
        ]
    machines = {_machine(each["machine"]) for each in found.values()}
    return "\n".join([*lines, "", *(f"Measured on {each}." for each in sorted(machines))]).rstrip()


def _peers(found: dict[str, Any]) -> set[str]:
    return {cell["peer"] for row in found["rows"] for cell in row["cells"]}


def _cell(cell: dict[str, Any]) -> str:
    goal = "" if cell["floor"] is None else f"{cell['floor']:g}, {cell['aim']:g}"
    verdict = "below floor" if cell["below_floor"] else "" if cell["floor"] is None else "above floor"
    if cell["aim"] is not None and cell["ratio"] >= cell["aim"]:
        verdict = "aim reached"
    return f"{cell['peer']} | {cell['ratio']:.2f} ({cell['low']:.2f}–{cell['high']:.2f}) | {goal} | {verdict}"


def _both(rows: tuple[dict[str, Any], dict[str, Any]], name: str, form: str) -> str:
    """'ours, theirs', as far as there are any."""
    return ", ".join(format(row[name], form) for row in rows if row.get(name))


def _machine(machine: dict[str, Any]) -> str:
    versions = ", ".join(
        f"{name} {machine[name]}" for name in ("torch", "transformers", "tokenizers") if name in machine
    )
    return f"{machine['processor']}, {machine['cores']} cores, {machine['precision']}; {versions}"


PARTS = {"README.md": {"speed": speed, "presets": presets, "rooms": rooms}, "ARCHITECTURE.md": {"modules": modules}}


def fill(text: str, name: str, content: str) -> str:
    """`text` with the part called `name` replaced."""
    pattern = re.compile(rf"(<!-- {name}: [^>]*-->\n).*?(<!-- end -->)", re.S)
    assert pattern.search(text), name
    return pattern.sub(lambda found: f"{found[1]}\n{content}\n\n{found[2]}", text)


def main() -> int:
    """Write, or check; 1 when something was out of date."""
    stale = []
    for name, parts in PARTS.items():
        path = ROOT / name
        old = new = path.read_text(encoding="utf-8")
        for part, make in parts.items():
            new = fill(new, part, make())
        if new != old:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(new, encoding="utf-8")
    if stale and "--check" in sys.argv:
        sys.stderr.write(f"out of date: {', '.join(stale)}; run make docs\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
