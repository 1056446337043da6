"""The data of a run: prepared once, then checked against the text and tokenizer that the run began with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from osnowa.corpus import Progress
from osnowa.errors import DamagedError, SettingsError
from osnowa.runs.given_text import (
    can_be_read_again,
    changed_inputs,
    check_asked,
    data_difference,
    data_folder,
    inputs_now,
    is_prepared,
    other_tokenizer,
)
from osnowa.runs.prepare import Prepared, given_tokenizer, open_prepared, prepare
from osnowa.runs.recipe import Recipe, difference
from osnowa.tokenizer import Tokenizer

_LISTED = 10  # changed sources in a message


class RunData:
    """What a run trains on: RUN/data, or a prepared folder that was given as text (`is_shared`).

    `asked` is the recipe of this call as it came in. After `begin` or `check` there is `prepared`, and `is_new` says
    whether it holds other tokens than those that the run was trained on so far.
    """

    def __init__(
        self, folder: Path, asked: Recipe, override: bool, notes: list[str], progress: Callable[[Progress], None]
    ) -> None:
        self.folder, self.asked, self.override, self.notes, self.progress = folder, asked, override, notes, progress
        self.place = data_folder(folder, asked)
        self.is_shared = self.place != folder / "data"
        self.is_new = self.new_text = False
        self.prepared: Prepared

    # --- a new run ----------------------------------------------------------------------------------------------

    def begin(self, recipe: Recipe) -> None:
        """Prepare the text, unless an earlier call did from the same text, settings and tokenizer.

        Raises:
            SettingsError: a prepared folder was given that was made with other settings than those asked for.
        """
        given = given_tokenizer(recipe)
        if self.is_shared:
            self._open_shared()
        elif not self._reuse(recipe, given):
            self._make(recipe, given)

    def _open_shared(self) -> None:
        self.prepared = open_prepared(self.place)
        check_asked(self.asked, self.place, self.prepared.store.facts, self.prepared.tokenizer)

    def _reuse(self, recipe: Recipe, given: Tokenizer | None) -> bool:
        text = recipe.run.text
        if not is_prepared(self.place) or not can_be_read_again(text):
            return False
        try:
            self.prepared = open_prepared(self.place)
        except DamagedError:
            return False
        return not data_difference(self.prepared.store.facts, text, recipe, given)

    def _make(self, recipe: Recipe, tokenizer: Tokenizer | None) -> None:
        """Prepare the text, with a tokenizer learned from it unless one is given."""
        self.prepared = prepare(
            recipe.run.text,
            self.place,
            recipe,
            workspace=self.folder / "work",
            tokenizer=tokenizer,
            progress=self.progress,
        )

    # --- a run that goes on -------------------------------------------------------------------------------------

    def check(self, recipe: Recipe, record: dict[str, Any]) -> None:
        """Open the data that the run began with, and see that text and tokenizer are still the same.

        What the text was, the run's record knows: the data may be damaged, and the text may have changed meanwhile.

        Raises:
            SettingsError: text, tokenizer or prepared folder are not those of the record.
        """
        if self.is_shared:
            self._open_shared()
            if self.prepared.store.facts["key"] != record["data_key"]:
                self._refuse([f"{self.place}: holds another prepared corpus"])
                self.is_new = True
            return
        text, tokenizer = recipe.run.text, self._own_tokenizer(recipe, record)
        damage = self._open_own(recipe, record)
        if damage is None or can_be_read_again(text):
            self._refuse_changes(record, inputs_now(text, recipe))
        if damage is not None or self.new_text:
            self.notes += [] if damage is None else [f"{damage}; the text is prepared again"]
            self._make(recipe, tokenizer)
            self._refuse_changes(record, self.prepared.store.facts["inputs"])  # a pipe is read here for the first time
            self.is_new = self.prepared.store.facts["key"] != record["data_key"]

    def _own_tokenizer(self, recipe: Recipe, record: dict[str, Any]) -> Tokenizer:
        """The run's own tokenizer, which the file of --tokenizer must still be."""
        path = self.folder / "tokenizer.json"
        own, given = Tokenizer.from_file(path), given_tokenizer(recipe)
        if own.fingerprint != record["tokenizer"]:
            raise DamagedError(str(path), "is not the tokenizer that the run began with", "put it back from a copy")
        if given is not None and given.fingerprint != own.fingerprint:
            instead = "put the old tokenizer back, or choose another --out"
            raise other_tokenizer(given, f"{self.folder} was begun", own.fingerprint, instead)
        return own

    def _open_own(self, recipe: Recipe, record: dict[str, Any]) -> str | None:
        """Open the run's own data; what is wrong with them."""
        try:
            self.prepared = open_prepared(self.place)
        except DamagedError as error:
            return str(error)
        facts = self.prepared.store.facts
        if facts["key"] != record["data_key"]:
            return f"{self.place}: holds other data than the run began with"
        made, wanted = facts["settings"]["corpus"], recipe.values()["corpus"]
        self.new_text = bool(difference({"corpus": made}, {"corpus": wanted}))  # asked for with --override
        return None

    def _refuse_changes(self, record: dict[str, Any], now: dict[str, dict[str, Any]]) -> None:
        if not self.new_text and (lines := changed_inputs(record["sources"], now)):
            self._refuse(lines)
            self.new_text = True

    def _refuse(self, lines: list[str]) -> None:
        """Raises SettingsError unless `override`."""
        listed = "; ".join([*lines[:_LISTED], *([f"and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else [])])
        if not self.override:
            raise SettingsError(
                str(self.folder),
                f"was begun with other text: {listed}",
                "put the old text back, or add --override to go on with the new one",
            )
        self.notes.append("going on with changed text (--override): " + listed)
