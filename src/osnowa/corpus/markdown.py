"""Readable text out of Markdown by small rules: the marks go, every word stays."""

from __future__ import annotations

import re

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})[^\n`]*$")
_TAGS = "p|br|div|span|img|a|b|i|u|em|strong|h[1-6]|table|thead|tbody|tr|td|th|ul|ol|li|hr|sub|sup|center|details|summary|kbd"
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.*)$", re.MULTILINE)
# In order. The lengths are bounded because an opening mark without its end would make the search quadratic.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"<!--.{0,2000}?-->", re.DOTALL), ""),
    (re.compile(rf"</?(?:{_TAGS})\b[^<>]{{0,500}}>", re.IGNORECASE), ""),
    (re.compile(r"^ {0,3}(?:[-*_][ \t]*){3,}$|^ {0,3}={3,}[ \t]*$", re.MULTILINE), ""),  # rules and underlines
    (
        re.compile(r"^ {0,3}\|?(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*:?-*:?[ \t]*$", re.MULTILINE),
        "",
    ),  # below a table's head
    (re.compile(r"^(?: {0,3}>[ \t]?)+", re.MULTILINE), ""),  # quotations
    (re.compile(r"^ {0,3}\[[^\]\n]+\]:[ \t]*\S+(?:[ \t]+\"([^\"\n]*)\")?[ \t]*$", re.MULTILINE), r"\1"),  # link targets
    (re.compile(r"!?\[([^\[\]]*)\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+\"([^\"\n]*)\")?\)"), r"\1"),  # links and pictures
    (re.compile(r"!?\[([^\[\]]+)\]\[[^\[\]\n]*\]"), r"\1"),
    (re.compile(r"<((?:https?|mailto):[^<>\s]+)>"), r"\1"),
    (re.compile(r"(?<!\\)(\*\*\*|\*\*|__)(?=\S)(.{1,1000}?)(?<=[^\s\\])\1"), r"\2"),  # bold
    (re.compile(r"(?<![\w*\\])\*(?=[^\s*])([^*\n]+?)(?<=[^\s*\\])\*(?![\w*])"), r"\1"),  # italic
    (re.compile(r"(?<![\w\\])_(?=[^\s_])([^_\n]+?)(?<=[^\s_\\])_(?!\w)"), r"\1"),
    (re.compile(r"(`+)(?!`)[ ]?(.{1,1000}?)[ ]?(?<!`)\1(?!`)"), r"\2"),  # code in a line
    (re.compile(r"\\([!-/:-@\[-`{-~])"), r"\1"),  # escaped marks
)


def read_markdown(text: str, *, at_start: bool) -> str:
    """`text` without its Markdown; what stands in a fenced code block is left as it is, its fences go.

    Args:
        at_start: the text begins a file, so a front matter between "---" lines may come first.
    """
    if at_start:
        text = _FRONT_MATTER.sub("", text, count=1)
    parts: list[str] = []
    plain: list[str] = []
    fence = ""
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if match and (not fence or (match[1].startswith(fence) and line.strip() == match[1])):
            if not fence:
                parts.append(_strip("\n".join(plain)))
                plain = []
            fence = "" if fence else match[1]
        elif fence:
            parts.append(line)
        else:
            plain.append(line)
    parts.append(_strip("\n".join(plain)))
    return "\n".join(parts)


def _strip(text: str) -> str:
    text = _HEADING.sub(lambda match: _heading(match[1].rstrip()), text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def _heading(title: str) -> str:
    """A heading without the "##" that may close it; "C#" keeps its own."""
    bare = title.rstrip("#")
    return bare.rstrip() if not bare or bare[-1] in " \t" else title
