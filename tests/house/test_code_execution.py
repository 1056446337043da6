"""No file that we read can run code: no pickle, no evaluation, no import by a name from outside, no templates."""

from __future__ import annotations

import ast

import pytest

from source_files import Source, assert_none, modules, snippet

MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "jinja2", "runpy", "code", "imp"}
NAMES = {"eval", "exec", "compile", "__import__"}
METHODS = {  # owner, name
    ("torch", "load"), ("torch", "save"), ("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load"),
    ("os", "system"), ("os", "popen"), ("pd", "read_pickle"), ("torch.jit", "load"), ("torch.hub", "load"),
}  # fmt: skip
# Where the rule is bent, and why: 'path: finding' -> reason.
EXCEPTIONS = {
    "src/osnowa/generate/foreign_template.py: imports jinja2.exceptions": "what the sandbox raises",
    "src/osnowa/generate/foreign_template.py: imports jinja2.sandbox": "foreign chat templates run in the sandbox only",
}
KEYWORDS = {"allow_pickle": True, "trust_remote_code": True, "weights_only": False, "shell": True}


def dangers(source: Source) -> list[str]:
    found = []
    for node in ast.walk(source.tree):
        what = None
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            what = _imported(node)
        elif isinstance(node, ast.Call):
            what = _called(node)
        if what:
            found.append(source.at(node, what))
    return found


def _imported(node: ast.Import | ast.ImportFrom) -> str | None:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    for name in names:
        if name.split(".")[0] in MODULES:
            return f"imports {name}"
    if isinstance(node, ast.ImportFrom):
        for alias in node.names:
            if (node.module, alias.name) in METHODS:
                return f"imports {node.module}.{alias.name}"
    return None


def _called(node: ast.Call) -> str | None:
    for keyword in node.keywords:
        if keyword.arg in KEYWORDS and not (
            isinstance(keyword.value, ast.Constant) and keyword.value.value is not KEYWORDS[keyword.arg]
        ):
            return f"{keyword.arg}={ast.unparse(keyword.value)}"
    name = ast.unparse(node.func)
    if isinstance(node.func, ast.Name) and name in NAMES:
        return name
    owner, _, last = name.rpartition(".")
    if (owner, last) in METHODS:
        return name
    if last == "import_module" and not (node.args and isinstance(node.args[0], ast.Constant)):
        return "imports a module by a variable"
    if name in ("np.load", "numpy.load") and not any(keyword.arg == "allow_pickle" for keyword in node.keywords):
        return f"{name} without allow_pickle=False"
    return None


def test_nothing_that_we_read_can_run_code() -> None:
    assert_none([each for source in modules() for each in dangers(source) if _without_line(each) not in EXCEPTIONS])


def _without_line(finding: str) -> str:
    """'path:9: imports x' -> 'path: imports x'."""
    path, _, rest = finding.partition(":")
    return f"{path}:{rest.partition(':')[2]}"


def test_every_exception_is_still_needed_and_imports_no_open_environment() -> None:
    found = {_without_line(each) for source in modules() for each in dangers(source)}
    assert EXCEPTIONS.keys() <= found
    names = {
        alias.name
        for source in modules()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jinja2")
        for alias in node.names
    }
    assert names == {"ImmutableSandboxedEnvironment", "TemplateError"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("import pickle", "imports pickle"),
        ("from pickle import loads", "imports pickle"),
        ("from jinja2.sandbox import SandboxedEnvironment", "imports jinja2.sandbox"),
        ("import torch; torch.load(path)", "torch.load"),
        ("torch.load(path, weights_only=False)", "weights_only=False"),
        ("from torch import load", "imports torch.load"),
        ("eval(text)", "eval"),
        ("exec(text)", "exec"),
        ("__import__(name)", "__import__"),
        ("importlib.import_module(name)", "imports a module by a variable"),
        ("import_module(f'{name}.x')", "imports a module by a variable"),
        ("np.load(path)", "np.load without allow_pickle=False"),
        ("np.load(path, allow_pickle=True)", "allow_pickle=True"),
        ("np.load(path, allow_pickle=flag)", "allow_pickle=flag"),
        ("yaml.load(text)", "yaml.load"),
        ("AutoModel.from_pretrained(x, trust_remote_code=True)", "trust_remote_code=True"),
        ("subprocess.run(text, shell=True)", "shell=True"),
        ("os.system(text)", "os.system"),
    ],
)
def test_each_way_to_run_code_is_found(text: str, what: str) -> None:
    assert dangers(snippet(f"# first line\n{text}\n")) == [f"src/osnowa/corpus/example.py:2: {what}"]


@pytest.mark.parametrize(
    "text",
    [
        "model.eval()", "re.compile('x')", "torch.compile(model)", "np.load(path, allow_pickle=False)", "json.load(f)",
        "importlib.import_module('osnowa.runs')", "load_file(path)", "yaml.safe_load(text)", "subprocess.run([a])",
        "AutoModel.from_pretrained(x, trust_remote_code=False)",
    ],
)  # fmt: skip
def test_harmless_relatives_are_fine(text: str) -> None:
    assert dangers(snippet(text)) == []
