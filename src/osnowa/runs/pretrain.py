"""From raw text to a base model: prepare, plan, train, publish; the same call again goes on where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from osnowa import __version__, files
from osnowa.data import Place
from osnowa.errors import DamagedError, InterruptedRun, OsnowaError, SettingsError, StoppedError, UsageError
from osnowa.exchange import model_card, write_folder
from osnowa.generate import fill
from osnowa.runs.facts import run_facts
from osnowa.runs.machine import set_up
from osnowa.runs.model import Model, load
from osnowa.runs.prepare import (
    Prepared,
    can_be_read_again,
    changed_inputs,
    check_target,
    data_folder,
    inputs_now,
    is_prepared,
    open_prepared,
    prepare,
    read_tokenizer,
)
from osnowa.runs.probes import Probe, as_masks, choose_probes
from osnowa.runs.recipe import LENGTHS, Recipe, difference, merge
from osnowa.runs.report import write_report
from osnowa.runs.signals import Interruption, listening
from osnowa.runs.workshop import Workshop
from osnowa.tokenizer import Tokenizer
from osnowa.train import checkpoints
from osnowa.train.budget import StepPlan, plan_for_minutes, plan_for_steps, plan_for_tokens
from osnowa.train.evaluation import Baselines, HeldOutResult
from osnowa.train.loop import Trainer
from osnowa.train.monitor import Monitor
from osnowa.train.phase_bar import PhaseBar

NUM_PROBES = 3
RUN_FILE = "run.json"
_FIXED = ("run.preset", "run.seed", "run.tokenizer")  # what weights or their order were made of


@dataclass(frozen=True)
class Run:
    """A finished run."""

    folder: Path
    facts: dict[str, Any]
    resumed: bool = False
    already_finished: bool = False

    @property
    def model(self) -> Model:
        """The base model."""
        return load(self.folder)


def pretrain(
    inputs: Sequence[str],
    out: str | Path,
    recipe: Recipe,
    *,
    override: bool = False,
    more_steps: int | None = None,
    quiet: bool = False,
    stream: TextIO | None = None,
) -> Run:
    """Train a base model from text and publish it at `out`/model.

    `override` lets a run go on with changed settings or data; `more_steps` extends a finished run.

    Raises:
        OsnowaError: one line, the exit code of its class; nothing that was published is lost.
        InterruptedRun: after a checkpoint was saved.
    """
    folder, text = Path(out), tuple(inputs) or recipe.run.text
    if not text:
        raise UsageError("pretrain", "no text given", "name files or folders, or use --sample python-docs")
    recipe = recipe.changed({"run": {"text": list(text)}})
    check_target(folder, "run")
    is_new = not folder.exists()
    files.make_folder(folder)
    with files.lock(folder), listening() as interruption:
        files.clean_leftovers(folder)
        session = _Session(folder, recipe, override, more_steps, quiet, stream, interruption)
        try:
            finished = session.open()
        except InterruptedRun:
            raise  # what was prepared so far is taken up again
        except OsnowaError:
            if is_new:
                files.remove(folder)
            raise
        return finished or session.train()


class _Session:
    """One call of `pretrain` on one run folder, phase by phase."""

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        override: bool,
        more_steps: int | None,
        quiet: bool,
        stream: TextIO | None,
        interruption: Interruption,
    ) -> None:
        self.folder, self.requested, self.recipe = folder, recipe, recipe
        self.override, self.more_steps = override, more_steps
        self.quiet, self.stream, self.interruption = quiet, stream, interruption
        self.record: dict[str, Any] = {}  # RUN/run.json: what was asked for and what was measured once
        self.notes: list[str] = []
        self.new_data = False
        self.prepared: Prepared
        self.workshop: Workshop

    # --- the folder: new, going on, or finished -----------------------------------------------------------------

    def open(self) -> Run | None:
        """Make or check the run folder and have its data ready; the finished run when there is nothing left to do.

        Raises:
            SettingsError: changed settings, data or tokenizer without `override`, each difference on a line.
        """
        if (self.folder / RUN_FILE).exists():
            self.record = files.read_json(self.folder / RUN_FILE)
        if "plan" not in self.record:  # nothing was trained yet, so nothing can be lost by other settings
            self.begin()
            return None
        self.check_settings()
        self.check_data()
        self.resolve()
        finished = self.finished_run()
        if finished is not None and self.more_steps is None and not self.override:
            return finished
        if self.more_steps is not None:
            self.extend()
        self.workshop = Workshop(self.recipe, self.prepared, set_up(self.recipe))
        self.write_record()
        return None

    def begin(self) -> None:
        """A run that has not come to its plan: prepare, resolve, record."""
        if self.more_steps is not None:
            raise UsageError(
                "--steps", f"+{self.more_steps} extends a run, and {self.folder} holds none", "give --steps without +"
            )
        self.record = {"version": __version__, "requested": self.requested.values()}
        if self.data_folder != self.folder / "data":
            self.prepared = open_prepared(self.data_folder)
        elif not self.reuse_data():
            self.make_data(read_tokenizer(self.recipe.run.tokenizer) if self.recipe.run.tokenizer else None)
        self.resolve()
        files.write(self.folder / "tokenizer.json", self.prepared.tokenizer.to_bytes())
        self.workshop = Workshop(self.recipe, self.prepared, set_up(self.recipe))
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
            self.requested = self.recipe = Recipe.read(before).changed({"run": {"text": asked["run"]["text"]}})
            return
        fixed = [line for name, line in changed.items() if name.startswith(("model.", "tokenizer.")) or name in _FIXED]
        if fixed or not self.override:
            lines = "".join(f"\n  {line}" for line in fixed or changed.values())
            instead = "choose another --out" if fixed else "repeat the old settings, or add --override"
            raise SettingsError(str(self.folder), f"was begun with other settings:{lines}\n ", instead)
        self.notes.append("going on with changed settings (--override): " + "; ".join(changed.values()))
        self.record["requested"] = self.requested.values()
        self.new_data = any(name.startswith(("data.", "objective.")) for name in changed)
        if changed.keys() & {f"training.{name}" for name in LENGTHS}:
            self.record.pop("plan", None)

    # --- data ---------------------------------------------------------------------------------------------------

    @property
    def data_folder(self) -> Path:
        return data_folder(self.folder, self.recipe)

    def make_data(self, tokenizer: Tokenizer | None) -> None:
        """Prepare the text, with a tokenizer learned from it unless one is given."""
        with PhaseBar(quiet=self.quiet, stream=self.stream) as bar:
            self.prepared = prepare(
                self.recipe.run.text,
                self.folder / "data",
                self.recipe,
                workspace=self.folder / "work",
                tokenizer=tokenizer,
                progress=bar,
            )

    def reuse_data(self) -> bool:
        """Open data that an earlier call prepared from the same text and settings."""
        text, tokenizer = self.recipe.run.text, self.recipe.run.tokenizer
        if not is_prepared(self.folder / "data") or tokenizer is not None or not can_be_read_again(text):
            return False
        try:
            self.prepared = open_prepared(self.folder / "data")
        except DamagedError:
            return False
        return not self.data_difference()

    def data_difference(self) -> list[str]:
        """How text and settings differ from those behind the prepared data."""
        facts = self.prepared.store.facts
        lines = changed_inputs(facts["inputs"], inputs_now(self.recipe.run.text, self.recipe))
        names = ("corpus", "tokenizer") if "plan" not in self.record else ("corpus",)
        asked = {name: self.recipe.values()[name] for name in names}
        return lines + list(difference({name: facts["settings"][name] for name in names}, asked).values())

    def check_data(self) -> None:
        """Open the data that the run began with, and see that the text is still the same."""
        own = self.folder / "data"
        if self.data_folder != own:
            self.prepared = open_prepared(self.data_folder)
            if self.prepared.store.facts["key"] != self.record["data_key"]:
                self.refuse_data([f"{self.data_folder}: holds another prepared corpus"])
                self.new_data = True
            return
        tokenizer = Tokenizer.from_file(self.folder / "tokenizer.json")
        try:
            self.prepared = open_prepared(own)
        except DamagedError as error:
            self.notes.append(f"{error}; the text is prepared again")
            files.remove(own)
            self.make_data(tokenizer)
        if lines := self.data_difference():
            self.refuse_data(lines)
            self.make_data(tokenizer)
            self.new_data = True

    def refuse_data(self, lines: list[str]) -> None:
        """Raises SettingsError unless `override`."""
        if not self.override:
            listed = "".join(f"\n  {line}" for line in lines)
            raise SettingsError(
                str(self.folder),
                f"was begun with other text:{listed}\n ",
                "put the old text back, or add --override to go on with the new one",
            )
        self.notes.append("going on with changed text (--override): " + "; ".join(lines))

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
        self.record["data_key"] = self.prepared.store.facts["key"]
        self.recipe = self.recipe.changed(
            {
                "model": {"vocab_size": tokenizer.vocab_size},
                "tokenizer": {"kind": tokenizer.kind, "vocab_size": tokenizer.vocab_size},
            }
        )

    def write_record(self) -> None:
        """recipe.toml, corpus.json, rejected.jsonl and run.json."""
        files.write(self.folder / "recipe.toml", self.recipe.to_toml())
        files.write(self.folder / "corpus.json", files.json_text(self.prepared.ledger))
        files.write(self.folder / "rejected.jsonl", (self.data_folder / "rejected.jsonl").read_bytes())
        files.write_json(self.folder / RUN_FILE, self.record)

    # --- the plan -----------------------------------------------------------------------------------------------

    def plan(self) -> StepPlan:
        """How many steps: stored when the run began, else given or measured now."""
        if "plan" in self.record:
            return StepPlan(**self.record["plan"])
        config = self.recipe.training
        if config.steps is not None:
            plan = plan_for_steps(config, config.steps, "steps")
        elif config.tokens is not None:
            plan = plan_for_tokens(config, config.tokens, self.workshop.tokens_per_row())
        else:
            plan = self.measured_plan()
        self.record["plan"] = plan.as_dict()
        files.write_json(self.folder / RUN_FILE, self.record)
        return plan

    def measured_plan(self) -> StepPlan:
        """--minutes: throwaway steps on a trainer of their own."""
        config = self.recipe.training
        trial, scratch = self.workshop.trainer(plan_for_steps(config, 1000, "trial")), self.folder / "work"

        def save() -> None:
            checkpoints.save(scratch, trial.checkpoint(), "trial", 1)

        try:
            return plan_for_minutes(config, trial, save)
        finally:
            files.remove(scratch)

    def extend(self) -> None:
        """--steps +N: the old plan and N steps more."""
        assert self.more_steps is not None
        if "plan" not in self.record:
            raise UsageError("--steps", "the run has not come to its first step yet", "run it without +")
        plan = StepPlan(**self.record["plan"])
        self.record["plan"] = {**plan.as_dict(), "steps": plan.steps + self.more_steps}
        self.notes.append(f"{self.more_steps} steps more: {plan.steps} -> {plan.steps + self.more_steps}")

    # --- training -----------------------------------------------------------------------------------------------

    def train(self) -> Run:
        """Train what is left of the plan and publish the base model."""
        tokenizer = self.prepared.tokenizer
        workshop = self.workshop
        probes = choose_probes(self.prepared.store.held_out, tokenizer, NUM_PROBES)
        plan = self.plan()
        trainer = workshop.trainer(plan)
        saved = checkpoints.load_newest(self.folder, workshop.identity, self.notes.append)
        if saved is not None:
            trainer.restore(saved)
        if self.new_data:
            trainer.state = trainer.state.moved(Place(trainer.state.place.epoch + 1, 0))
        with Monitor(
            self.folder, total_steps=plan.steps, quiet=self.quiet, resume_step=trainer.state.step, stream=self.stream
        ) as monitor:
            for note in self.notes:
                monitor.event(trainer.state.step, note)
            try:
                self.interruption.patient = True
                trainer.run(
                    self.folder,
                    monitor,
                    workshop.identity,
                    on_evaluation=partial(self.after_evaluation, trainer, monitor, probes, workshop.baselines),
                    interrupted=self.interruption,
                )
            except StoppedError as error:
                if self.interruption.signal_number is not None:
                    number = self.interruption.signal_number
                    raise InterruptedRun(error.where, error.what, error.instead, signal_number=number) from None
                raise
            monitor.phase("publish")
        facts = run_facts(workshop, plan, trainer, self.record, self.folder)
        self.publish(trainer, facts, workshop.identity)
        return Run(self.folder, facts, resumed=saved is not None)

    def after_evaluation(
        self,
        trainer: Trainer,
        monitor: Monitor,
        probes: list[Probe],
        baselines: Baselines,
        step: int,
        result: HeldOutResult,
    ) -> None:
        """Ask the fixed sentences, and at step 0 compare the loss with ln(vocabulary)."""
        for probe in probes:
            trainer.model.eval()
            answer = fill(trainer.model, self.prepared.tokenizer, probe.text, 5)
            monitor.probe(step, probe.text, as_masks(answer.masks), answer=probe.answer)
            trainer.model.train()
        if step == 0:
            gap = abs(result.masked_loss - baselines.expected_initial_loss)
            self.record["initial_loss"] = result.masked_loss
            if gap > 0.5:
                monitor.event(
                    0,
                    f"the untrained loss is {result.masked_loss:.2f}, ln(vocabulary) is {baselines.expected_initial_loss:.2f}: something is off before training begins",
                )
            files.write_json(self.folder / RUN_FILE, self.record)

    # --- the end ------------------------------------------------------------------------------------------------

    def publish(self, trainer: Trainer, facts: dict[str, Any], identity: str) -> None:
        """The model folder, the facts and the report."""
        files.write_json(self.folder / "facts.json", facts)
        with files.publish(
            self.folder / "model", {"kind": "model", "steps": trainer.state.step, "identity": identity}
        ) as work:
            write_folder(work, self.recipe.model, trainer.weights(), self.prepared.tokenizer, card=model_card(facts))
        write_report(self.folder)

    def finished_run(self) -> Run | None:
        """The run as it was finished, when its model is whole and its plan is done."""
        try:
            manifest = files.verify(self.folder / "model")
        except DamagedError as error:
            if (self.folder / "model").exists():
                self.notes.append(f"{error}; the model is published again")
            return None
        if manifest.facts.get("steps") != self.record.get("plan", {}).get("steps"):
            return None
        return Run(self.folder, files.read_json(self.folder / "facts.json"), resumed=True, already_finished=True)
