"""A run folder: begun, going on or finished; what it remembers against what is asked of it now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from osnowa import __version__, files
from osnowa.corpus import Progress
from osnowa.errors import DamagedError, SettingsError, UsageError
from osnowa.runs.fitting import fit, with_preset
from osnowa.runs.given_text import made_with
from osnowa.runs.machine import set_up
from osnowa.runs.prepare import Prepared
from osnowa.runs.recipe import LENGTHS, Recipe, difference, merge
from osnowa.runs.run_data import RunData
from osnowa.runs.workshop import Workshop
from osnowa.tokenizer import write_tokenizer
from osnowa.train import checkpoints
from osnowa.train.budget import StepPlan, plan_for_tokens

RUN_FILE = "run.json"
_FIXED = ("run.preset", "run.seed", "run.tokenizer")  # what weights or their order were made of


class RunFolder:
    """One call of `pretrain` on one run folder: what the folder remembers against what is asked now."""

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        override: bool,
        more_steps: int | None,
        progress: Callable[[Progress], None],
    ) -> None:
        self.folder, self.requested, self.recipe = folder, recipe, recipe
        self.override, self.more_steps, self.asked = override, more_steps, recipe.asked
        self.record: dict[str, Any] = {}  # RUN/run.json: what was asked for and what was measured once
        self.notes: list[str] = []
        self.new_data = False
        self.data = RunData(folder, recipe, override, self.notes, progress)
        self.workshop: Workshop

    @property
    def prepared(self) -> Prepared:
        return self.data.prepared

    # --- the folder: new, going on, or finished -----------------------------------------------------------------

    def open(self) -> bool:
        """Make or check the run folder and have its data ready; whether there is nothing left to do.

        Raises:
            SettingsError: changed settings, data or tokenizer without `override`, each difference on a line.
        """
        if not self.is_begun():  # nothing was trained yet, so other settings can lose nothing
            self.begin()
            return False
        self.record = files.read_sealed(self.folder / RUN_FILE, "put it back from a copy, or choose another --out")
        self.check_settings()
        self.data.check(self.recipe, self.record)
        self.new_data |= self.data.is_new
        self.resolve()
        finished = self.is_finished()
        if finished and self.more_steps is not None:  # a run that is under way goes to its own end first
            self.extend(self.more_steps)
        elif finished and not self.override:
            return True
        self.workshop = Workshop(self.recipe, self.prepared, set_up(self.recipe))
        self.write_record()
        return False

    def is_begun(self) -> bool:
        """Whether there is something trained here: a checkpoint, or a model whose checkpoints were removed."""
        return bool(checkpoints.published(self.folder)) or (self.folder / "model" / files.MANIFEST).exists()

    def begin(self) -> None:
        """A run that has not come to its plan: prepare, resolve, record."""
        if self.more_steps is not None:
            raise UsageError(
                "--steps", f"+{self.more_steps} extends a run, and {self.folder} holds none", "give --steps without +"
            )
        self.record = {"version": __version__, "requested": self.requested.values()}
        self.recipe, told = fit(self.recipe, set_up(self.recipe))
        if told is not None:
            self.record["fitted"] = self.recipe.run.preset
            self.notes.append(told)
        self.data.begin(self.recipe)
        self.resolve()
        write_tokenizer(self.folder, self.prepared.tokenizer)
        self.workshop = Workshop(self.recipe, self.prepared, set_up(self.recipe))
        training = self.recipe.training
        if training.tokens is not None:  # refuses a warm-up longer than that, while the folder can still be taken back
            plan_for_tokens(training, training.tokens, self.workshop.tokens_per_row())
        self.write_record()

    def check_settings(self) -> None:
        """Compare what is asked now with what was asked when the run began, or with what that was resolved to."""
        asked, before = self.requested.values(), self.record["requested"]
        if self.more_steps is not None:  # the length is the old one and some
            merge(asked, {"training": {name: before["training"].get(name) for name in LENGTHS}})
        resolved = difference(Recipe.build(recipe_file=self.folder / "recipe.toml").values(), asked)
        changed = {name: line for name, line in difference(before, asked).items() if name in resolved}
        changed.pop("run.text", None)  # what matters is what the text holds
        if not changed:
            self.requested = Recipe.read(before).changed({"run": {"text": asked["run"]["text"]}})
        self.recipe = self.requested
        if "fitted" in self.record:
            self.recipe = with_preset(replace(self.recipe, asked=self.asked), self.record["fitted"])
        if not changed:
            return
        fixed = [line for name, line in changed.items() if name.startswith(("model.", "tokenizer.")) or name in _FIXED]
        if fixed or not self.override:
            lines = "; ".join(fixed or changed.values())
            instead = "choose another --out" if fixed else "repeat the old settings, or add --override"
            raise SettingsError(str(self.folder), f"was begun with other settings: {lines}", instead)
        self.notes.append("going on with changed settings (--override): " + "; ".join(changed.values()))
        self.record["requested"] = self.requested.values()
        self.new_data = any(name.startswith(("data.", "objective.")) for name in changed)
        if changed.keys() & {f"training.{name}" for name in LENGTHS}:
            self.record.pop("plan", None)

    def resolve(self) -> None:
        """Fill in what is derived: the vocabulary by the tokenizer, which must be the run's own."""
        tokenizer = self.prepared.tokenizer
        begun_with = self.record.get("tokenizer")
        if begun_with is not None and begun_with != tokenizer.fingerprint:
            raise SettingsError(
                str(self.folder),
                f"was begun with tokenizer {begun_with[:12]}, the data was made with {tokenizer.fingerprint[:12]}",
                "put the old tokenizer back or choose another --out",
            )
        self.record["tokenizer"] = tokenizer.fingerprint
        facts = self.prepared.store.facts
        self.record["data_key"] = facts["key"]
        self.record["sources"] = facts["inputs"]
        made = made_with(facts, tokenizer) if self.data.is_shared else {"tokenizer": {}}
        made["tokenizer"] |= {"kind": tokenizer.kind, "vocab_size": tokenizer.vocab_size}
        self.recipe = self.recipe.changed({"model": {"vocab_size": tokenizer.vocab_size}, **made})

    def write_record(self) -> None:
        """recipe.toml, corpus.json, rejected.jsonl and run.json."""
        files.write(self.folder / "recipe.toml", self.recipe.to_toml())
        files.write(self.folder / "corpus.json", files.json_text(self.prepared.ledger))
        files.write(self.folder / "rejected.jsonl", (self.data.place / "rejected.jsonl").read_bytes())
        self.save_record()

    def save_record(self) -> None:
        """run.json, with its own checksum."""
        files.write_sealed(self.folder / RUN_FILE, self.record)

    def extend(self, more_steps: int) -> None:
        """--steps +N: the old plan and N steps more."""
        plan = StepPlan(**self.record["plan"])
        self.record["plan"] = {**plan.as_dict(), "steps": plan.steps + more_steps}
        self.notes.append(f"{more_steps} steps more: {plan.steps} -> {plan.steps + more_steps}")

    def is_finished(self) -> bool:
        """The model is whole and the plan is done."""
        try:
            manifest = files.verify(self.folder / "model")
        except DamagedError as error:
            if (self.folder / "model").exists():
                self.notes.append(f"{error}; the model is published again")
            return False
        plan = self.record.get("plan")  # it is laid out anew when the length was changed
        return plan is not None and manifest.facts.get("steps", 0) >= plan["steps"]
