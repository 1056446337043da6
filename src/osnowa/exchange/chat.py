"""Chat templates beside a model: ours as data and as the text that other tools read, theirs as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from osnowa import files
from osnowa.errors import DataError, SettingsError
from osnowa.generate.chat import ChatTemplate, Template
from osnowa.generate.foreign_template import ForeignTemplate
from osnowa.tokenizer import Tokenizer

OWN_FILE, FILE, OLD_FILE = "chat_template.json", "chat_template.jinja", "tokenizer_config.json"


def write_chat(folder: Path, template: Template) -> None:
    """The files of a template, into a folder that the caller publishes: another tool's text goes on as it is.

    Raises:
        StorageError, CannotCreateError
    """
    if isinstance(template, ForeignTemplate):
        files.write(folder / FILE, template.source)
        return
    assert isinstance(template, ChatTemplate), type(template)
    values: dict[str, Any] = {name: list(value) for name, value in template.model_dump().items()}
    files.write_json(folder / OWN_FILE, values)
    files.write(folder / FILE, template.to_jinja())


def read_chat(folder: Path, tokenizer: Tokenizer) -> Template | None:
    """The template of a model's folder: ours where there is one, else another tool's; None: it has none.

    Raises:
        DataError: a file that is no template, or not in UTF-8.
    """
    if (folder / OWN_FILE).is_file():
        where, values = str(folder / OWN_FILE), files.read_json(folder / OWN_FILE)
        if not isinstance(values, dict):
            raise DataError(where, "is JSON but holds no template", "mend or remove the file")
        try:
            return ChatTemplate.read("chat_template", values)
        except SettingsError as error:
            raise DataError(where, "; ".join(map(str, error.parts)), "mend or remove the file") from None
    special = {
        f"{name}_token": tokenizer.token(tokenizer.specials[role])
        for name, role in (("bos", "cls"), ("eos", "sep"), ("pad", "pad"), ("unk", "unk"))
        if role in tokenizer.specials
    }
    if (folder / FILE).is_file():
        try:
            return ForeignTemplate((folder / FILE).read_text(encoding="utf-8"), str(folder / FILE), special)
        except UnicodeDecodeError:
            raise DataError(str(folder / FILE), "is no UTF-8 text", "mend or remove the file") from None
    old = files.read_json(folder / OLD_FILE) if (folder / OLD_FILE).is_file() else {}
    source = old.get("chat_template") if isinstance(old, dict) else None
    return ForeignTemplate(source, str(folder / OLD_FILE), special) if isinstance(source, str) else None
