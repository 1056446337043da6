"""`files` is the only room that writes, and inside it `system` is the only module that changes the disk."""

from __future__ import annotations

import ast

import pytest

from source_files import Source, assert_none, modules, snippet

METHODS = {
    "write_text", "write_bytes", "unlink", "rename", "rmdir", "touch", "mkdir", "chmod", "lchmod", "symlink_to",
    "hardlink_to", "tofile", "save_pretrained", "savez", "savez_compressed", "savetxt", "extractall", "write_table",
}  # fmt: skip
SYSTEM = {
    "remove", "unlink", "rename", "renames", "replace", "mkdir", "makedirs", "rmdir", "removedirs", "truncate", "open",
    "ftruncate", "write", "pwrite", "writev", "fsync", "fdatasync", "link", "symlink", "chmod", "chown", "mkfifo", "sync",
    "mknod", "utime", "copy_file_range", "sendfile", "posix_fallocate",
}  # fmt: skip
COPYING = {"copy", "copy2", "copyfile", "copyfileobj", "copymode", "copystat", "copytree", "move", "rmtree", "chown",
           "make_archive", "unpack_archive"}  # fmt: skip
LIBRARY = {("np", "save"), ("numpy", "save"), ("torch", "save"), ("safetensors", "save_file")}
MODULES = {"tempfile", "sqlite3", "dbm", "shelve"}

# Where the rule is bent, and why.
EXCEPTIONS: dict[str, str] = {
    "src/osnowa/files/scratch.py: imports tempfile": "the system decides where throw-away folders live",
    "src/osnowa/files/locks.py: os.open": "opened for reading, to put a mark on it",
    "src/osnowa/cli/main.py: os.open": "the null device, for what nobody reads any more",
    "src/osnowa/exchange/mixtral.py: rename": "of a tensor's name, not of a file",
    "src/osnowa/exchange/reader.py: rename": "of a tensor's name, not of a file",
    "src/osnowa/files/single.py: os.open": "a folder opened for reading, to sync it",
}


def writes(source: Source) -> list[str]:
    """Everything in a module that could change the disk: 'path:line: what'."""
    found = []
    for node in ast.walk(source.tree):
        what = None
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            imported = {name.split(".")[0] for name in names} & MODULES
            what = f"imports {imported.pop()}" if imported else _imported_writer(node)
        elif isinstance(node, ast.Call):
            what = _called_writer(node)
        if what:
            found.append(source.at(node, what))
    return found


def _imported_writer(node: ast.Import | ast.ImportFrom) -> str | None:
    if isinstance(node, ast.Import):
        return None
    forbidden = {
        "os": SYSTEM,
        "shutil": COPYING,
        "safetensors.torch": {"save_file"},
        "safetensors.numpy": {"save_file"},
    }
    for alias in node.names:
        if alias.name in forbidden.get(node.module or "", ()):
            return f"{node.module}.{alias.name}"
    return None


def _called_writer(node: ast.Call) -> str | None:
    function = node.func
    if isinstance(function, ast.Name):
        return f"open with mode {_mode(node, 1)}" if function.id == "open" and _may_write(node, 1) else None
    if not isinstance(function, ast.Attribute):
        return None
    owner, name = ast.unparse(function.value), function.attr
    if owner == "os":
        return f"os.{name}" if name in SYSTEM else None
    if owner == "shutil":
        return f"shutil.{name}" if name in COPYING else None
    if (owner.split(".")[0], name) in LIBRARY:
        return f"{owner}.{name}"
    if name == "open" and _may_write(node, 0):
        return f"open with mode {_mode(node, 0)}"
    if name == "memmap" and _mode(node, 2) not in ("'r'", "'c'"):
        return f"memmap with mode {_mode(node, 2)}"
    if name == "replace":  # a path's takes one argument, a text's two
        return "replace of a path" if len(node.args) == 1 and not node.keywords else None
    return name if name in METHODS and owner not in ("files", "system") else None


def _may_write(node: ast.Call, place: int) -> bool:
    """The mode of an open: for a function its second argument, for a method of a path its first."""
    keyword = any(keyword.arg == "mode" for keyword in node.keywords)
    words = [arg.value for arg in node.args[place:2] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    modes = [word for word in words if word and set(word) <= set("rwaxbtU+")]
    if keyword or (place == 1 and len(node.args) > 1 and not modes):
        mode = _mode(node, place)
        return not mode.startswith(("'r", '"r')) or "+" in mode
    return any(set(mode) & set("wax+") for mode in modes)


def _mode(node: ast.Call, place: int) -> str:
    for keyword in node.keywords:
        if keyword.arg == "mode":
            return ast.unparse(keyword.value)
    for arg in node.args[place:]:
        if isinstance(arg, ast.Constant) and isinstance(arg.value, str):
            return ast.unparse(arg)
    return ast.unparse(node.args[place]) if len(node.args) > place else "none"


def without_line(finding: str) -> str:
    path, _, rest = finding.split(":", 2)
    return f"{path}:{rest}"


def test_only_files_writes() -> None:
    found = [finding for source in modules() if source.room != "files" for finding in writes(source)]
    assert_none([finding for finding in found if without_line(finding) not in EXCEPTIONS])


def test_inside_files_only_system_changes_the_disk() -> None:
    found = [
        finding
        for source in modules()
        if source.room == "files" and source.name != "files/system.py"
        for finding in writes(source)
    ]
    assert_none([finding for finding in found if without_line(finding) not in EXCEPTIONS])


def test_every_exception_is_still_needed() -> None:
    found = {without_line(finding) for source in modules() for finding in writes(source)}
    assert sorted(EXCEPTIONS.keys() - found) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("open(path, 'w')", "open with mode 'w'"),
        ("open(path, mode='ab')", "open with mode 'ab'"),
        ("open(path, mode)", "open with mode mode"),
        ("open(path, 'r+')", "open with mode 'r+'"),
        ("path.open('xb')", "open with mode 'xb'"),
        ("gzip.open(path, 'wt')", "open with mode 'wt'"),
        ("path.open(mode=mode)", "open with mode mode"),
        ("path.write_text('x')", "write_text"),
        ("(a / b).write_bytes(b'')", "write_bytes"),
        ("path.unlink()", "unlink"),
        ("path.mkdir(parents=True)", "mkdir"),
        ("path.rename(other)", "rename"),
        ("path.replace(other)", "replace of a path"),
        ("path.touch()", "touch"),
        ("path.rmdir()", "rmdir"),
        ("os.replace(a, b)", "os.replace"),
        ("os.makedirs(a)", "os.makedirs"),
        ("os.fsync(1)", "os.fsync"),
        ("os.open(a, os.O_WRONLY)", "os.open"),
        ("shutil.rmtree(a)", "shutil.rmtree"),
        ("from shutil import copyfile", "shutil.copyfile"),
        ("from os import unlink", "os.unlink"),
        ("import tempfile", "imports tempfile"),
        ("from tempfile import mkdtemp", "imports tempfile"),
        ("np.save(path, x)", "np.save"),
        ("x.tofile(path)", "tofile"),
        ("torch.save(x, path)", "torch.save"),
        ("from safetensors.torch import save_file", "safetensors.torch.save_file"),
        ("np.memmap(path, dtype, mode='r+')", "memmap with mode 'r+'"),
        ("np.memmap(path, dtype)", "memmap with mode none"),
        ("archive.extractall(folder)", "extractall"),
        ("model.save_pretrained(folder)", "save_pretrained"),
    ],
)
def test_each_way_to_write_is_found(text: str, what: str) -> None:
    assert writes(snippet(f"# first line\n{text}\n")) == [f"src/osnowa/corpus/example.py:2: {what}"]


@pytest.mark.parametrize(
    "text",
    [
        "open(path)", "open(path, 'rb')", "open(path, encoding='utf-8')", "path.open()", "path.open('rb')",
        "gzip.open(path)", "gzip.open(path, 'rt', encoding='utf-8')", "TokenStore.open(folder, check=False)",
        "text.replace('a', 'b')", "dataclasses.replace(x, a=1)", "files.write(path, 'x')", "os.path.exists(path)",
        "np.memmap(path, dtype, mode='r')", "np.memmap(path, dtype, 'r')", "shutil.get_terminal_size()", "zip.open('a.txt')",
        "system.rename(a, b)",
    ],
)  # fmt: skip
def test_reading_is_not_taken_for_writing(text: str) -> None:
    assert writes(snippet(text)) == []
