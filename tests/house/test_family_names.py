"""A model family's name stands in presets, exchange, the demo and the help text, and nowhere in the mathematics."""

from __future__ import annotations

import ast
import re

import pytest

from source_files import Source, assert_none, modules, snippet

FAMILIES = {
    "bert",
    "roberta",
    "gpt",
    "gpt1",
    "gpt2",
    "gpt3",
    "llama",
    "llama2",
    "llama3",
    "mistral",
    "mixtral",
    "gemma",
    "gemma2",
    "gemma3",
    "t5",
    "bart",
    "marian",
    "modernbert",
}
WELCOME = ("model/presets", "runs/presets", "exchange/", "cli/", "runs/demo")

# Where the rule is bent, and why: path -> reason.
_SPLITS = "ways to split words, under the names by which other tools know them"
EXCEPTIONS: dict[str, str] = {
    "src/osnowa/explain/seed_remarks.py": "the text that the page follows speaks of published models by name",
    "src/osnowa/tokenizer/assembly.py": _SPLITS + ", and classes of the tokenizers library",
    "src/osnowa/tokenizer/config.py": _SPLITS,
    "src/osnowa/tokenizer/engine.py": _SPLITS,
    "src/osnowa/tokenizer/learning.py": _SPLITS,
}


def family_names(source: Source) -> list[str]:
    """Identifiers and strings with a family's name in them; docstrings and comments may cite papers."""
    found = []
    citing = {
        id(node.value)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(source.tree):
        for word in _words_of(node):
            if id(node) not in citing and FAMILIES & set(_split(word)):
                found.append(source.at(node, word if len(word) < 60 else word[:57] + "..."))
    return found


def _words_of(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.alias(name=name, asname=other):
            return [name, *([other] if other else [])]
        case ast.Constant(value=str(text)):
            return [text]
    return []


def _split(word: str) -> list[str]:
    """'BertForMaskedLM' -> bert, for, masked, lm; 'pre_gpt2' -> pre, gpt2."""
    return [part.lower() for part in re.findall(r"[A-Z]?[a-z]+\d*|[A-Z]+(?![a-z])\d*", word)]


def test_no_family_name_outside_its_places() -> None:
    found = [
        finding
        for source in modules()
        if not source.name.startswith(WELCOME) and source.path not in EXCEPTIONS
        for finding in family_names(source)
    ]
    assert_none(found)


def test_every_exception_is_still_needed() -> None:
    assert [source.path for source in modules() if source.path in EXCEPTIONS and not family_names(source)] == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("def bert_attention(): ...", "bert_attention"),
        ("class BertBlock: ...", "BertBlock"),
        ("x = 'gpt2'", "gpt2"),
        ("if config.is_llama: ...", "is_llama"),
        ("f(T5=1)", "T5"),
        ("from transformers import RobertaModel", "RobertaModel"),
        ("kind = f'{size}-modernbert'", "-modernbert"),
        ("def f(mistral): ...", "mistral"),
    ],
)
def test_a_family_name_in_the_mathematics_is_found(text: str, what: str) -> None:
    assert family_names(snippet(f"# of BERT\n{text}\n", "model/block.py")) == [f"src/osnowa/model/block.py:2: {what}"]


def test_citations_and_other_words_are_fine() -> None:
    text = '''"""Post-norm as in BERT (Devlin et al., 2018)."""

def block():
    """As in GPT-2."""
    # LLaMA has no biases.
    liberty, cut5, Barthes, albert = "robert at 5", "bartender", "agpt", "hubert's"
'''
    assert family_names(snippet(text, "model/block.py")) == []
