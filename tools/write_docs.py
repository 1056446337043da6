"""Writes the generated parts of README.md and ARCHITECTURE.md, or with --check says which are out of date."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

from osnowa.runs.preset_table import family_rows

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "osnowa"
ROOMS = [
    "errors",
    "settings",
    "files",
    "workers",
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


PARTS = {"README.md": {"presets": presets, "rooms": rooms}, "ARCHITECTURE.md": {"modules": modules}}


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
