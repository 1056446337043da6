"""From raw text to a base model: prepare, plan, train, publish; the same call again goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from osnowa import __version__, files
from osnowa.corpus import fingerprint_inputs
from osnowa.data import Place, RowSequence
from osnowa.errors import DamagedError, InterruptedRun, SettingsError, StoppedError, UsageError
from osnowa.exchange import model_card, write_folder
from osnowa.generate import fill
from osnowa.model import Transformer, initialise
from osnowa.objective import EncoderObjective
from osnowa.runs.machine import Machine, set_up
from osnowa.runs.model import Model, load
from osnowa.runs.prepare import (
    Prepared,
    changed_inputs,
    check_rows,
    check_target,
    is_prepared,
    open_prepared,
    prepare,
    read_tokenizer,
)
from osnowa.runs.probes import Probe, as_masks, choose_probes
from osnowa.runs.recipe import Recipe, difference, merge
from osnowa.runs.report import write_report
from osnowa.runs.signals import Interruption, listening
from osnowa.tokenizer import Tokenizer
from osnowa.train import checkpoints
from osnowa.train.budget import StepPlan, plan_for_minutes, plan_for_steps, plan_for_tokens
from osnowa.train.evaluation import HELD_OUT_SEED, Baselines, HeldOut, HeldOutResult
from osnowa.train.loop import Trainer
from osnowa.train.monitor import Monitor
from osnowa.train.phase_bar import PhaseBar

HELD_OUT_MASK_SHARE = 0.15  # whatever the training share: runs can be compared
NUM_PROBES = 3
RUN_FILE = "run.json"


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
        except BaseException:
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

    # --- the folder: new, going on, or finished -----------------------------------------------------------------

    def open(self) -> Run | None:
        """Make or check the run folder and have its data ready; the finished run when there is nothing left to do.

        Raises:
            SettingsError: changed settings, data or tokenizer without `override`, each difference on a line.
        """
        if not (self.folder / RUN_FILE).exists():
            if self.more_steps is not None:
                raise UsageError("--steps", f"+{self.more_steps} extends a run, and {self.folder} holds none", "give --steps without +")
            self.make_data()
            self.record = {"version": __version__, "requested": self.requested.values()}
            self.resolve()
            self.write_record()
            return None
        self.record = files.read_json(self.folder / RUN_FILE)
        self.check_settings()
        self.check_data()
        self.resolve()
        finished = self.finished_run()
        if finished is not None and self.more_steps is None and not self.override:
            return finished
        if self.more_steps is not None:
            self.extend()
        self.write_record()
        return None

    def check_settings(self) -> None:
        """Compare what is asked now with what was asked, or resolved, when the run began."""
        asked, before = self.requested.values(), self.record["requested"]
        resolved = Recipe.build(recipe_file=self.folder / "recipe.toml").values()
        if self.more_steps is not None:  # the length is the old one and some
            merge(asked, {"training": {name: before["training"].get(name) for name in ("minutes", "steps", "tokens")}})
        changed = [
            line
            for line in difference(before, asked)
            if line.split(":")[0] not in {each.split(":")[0] for each in difference(before, asked)} - {each.split(":")[0] for each in difference(resolved, asked)}
        ]
        changed = [line for line in changed if not line.startswith("run.text:")]
        if not changed:
            self.requested = Recipe.read(before).changed({"run": {"text": asked["run"]["text"]}})
            self.recipe = self.requested
            return
        fixed = [line for line in changed if line.startswith(("model.", "tokenizer.", "run.preset", "run.seed", "run.tokenizer"))]
        if fixed or not self.override:
            lines = "\n  ".join(fixed or changed)
            instead = "this can't change within a run: choose another --out" if fixed else "repeat the old settings, or add --override"
            raise SettingsError(str(self.folder), f"was begun with other settings:\n  {lines}\n ", instead)
        self.notes.append("going on with changed settings (--override): " + "; ".join(changed))
        self.record["requested"] = self.requested.values()
        if any(line.startswith(("data.", "objective.")) for line in changed):
            self.new_data = True
        if any(line.split(":")[0] in ("training.minutes", "training.steps", "training.tokens") for line in changed):
            self.record.pop("plan", None)

    # --- data ---------------------------------------------------------------------------------------------------

    @property
    def data_folder(self) -> Path:
        """The token store: this run's own, or the prepared folder that was given as text."""
        text = self.recipe.run.text
        if len(text) == 1 and is_prepared(Path(text[0])):
            return Path(text[0])
        return self.folder / "data"

    def make_data(self, tokenizer: Tokenizer | None = None) -> None:
        """Prepare the text, or open what is prepared."""
        if self.data_folder != self.folder / "data":
            self.prepared = open_prepared(self.data_folder)
            return
        if tokenizer is None and self.recipe.run.tokenizer is not None:
            tokenizer = read_tokenizer(self.recipe.run.tokenizer)
        with PhaseBar(quiet=self.quiet, stream=self.stream) as bar:
            self.prepared = prepare(
                self.recipe.run.text,
                self.folder / "data",
                self.recipe,
                workspace=self.folder / "work",
                tokenizer=tokenizer,
                progress=bar,
            )

    def check_data(self) -> None:
        """Open the data that the run began with, and see that the text is still the same."""
        store = self.data_folder
        if not is_prepared(store):
            self.make_data(tokenizer=self.own_tokenizer())
        else:
            try:
                self.prepared = open_prepared(store)
            except DamagedError as error:
                if store != self.folder / "data":
                    raise
                self.notes.append(f"{error}; the text is prepared again")
                files.remove(store)
                self.make_data(tokenizer=self.own_tokenizer())
        if store != self.folder / "data":
            if self.prepared.store.facts["key"] != self.record["data_key"]:
                self.refuse_data([f"{store}: holds another prepared corpus"])
            return
        facts = self.prepared.store.facts
        now = fingerprint_inputs(self.recipe.run.text, self.recipe.corpus, known=facts["inputs"])
        lines = changed_inputs(facts["inputs"], now)
        lines += difference({"corpus": facts["settings"]["corpus"]}, {"corpus": self.recipe.values()["corpus"]})
        if lines:
            self.refuse_data(lines)
            self.make_data(tokenizer=self.own_tokenizer())
            self.new_data = True

    def refuse_data(self, lines: list[str]) -> None:
        """Raises SettingsError unless `override`."""
        if not self.override:
            listed = "\n  ".join(lines)
            raise SettingsError(str(self.folder), f"was begun with other text:\n  {listed}\n ", "put the old text back, or add --override to go on with the new one")
        self.notes.append("going on with changed text (--override): " + "; ".join(lines))

    def own_tokenizer(self) -> Tokenizer | None:
        """The tokenizer that the run's weights belong to."""
        path = self.folder / "tokenizer.json"
        return Tokenizer.from_file(path) if path.exists() else None

    def resolve(self) -> None:
        """Fill in what is derived: the vocabulary by the tokenizer, and check it against the run's own."""
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
        if not (self.folder / "tokenizer.json").exists():
            files.write(self.folder / "tokenizer.json", tokenizer.to_bytes())

    def write_record(self) -> None:
        files.write(self.folder / "recipe.toml", self.recipe.to_toml())
        files.write(self.folder / "corpus.json", files.json_text(self.prepared.ledger))
        rejected = self.data_folder / "rejected.jsonl"
        if rejected.exists():
            files.write(self.folder / "rejected.jsonl", rejected.read_bytes())
        files.write_json(self.folder / RUN_FILE, self.record)

    @property
    def identity(self) -> str:
        """What a checkpoint of this run must say: the same architecture and the same vocabulary."""
        text = json.dumps([self.recipe.values()["model"], self.record["tokenizer"]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    # --- building -----------------------------------------------------------------------------------------------

    def sequence(self, split: str, seed: int) -> RowSequence:
        tokenizer, store = self.prepared.tokenizer, self.prepared.store
        return RowSequence(
            store.train if split == "train" else store.held_out,
            self.recipe.objective.shape,
            self.recipe.data.row_length,
            seed,
            cls=tokenizer.cls,
            sep=tokenizer.sep,
            pad=tokenizer.pad,
        )

    def objective(self, seed: int, mask_share: float | None = None) -> EncoderObjective:
        tokenizer = self.prepared.tokenizer
        config = self.recipe.objective
        return EncoderObjective(
            config if mask_share is None else config.changed(mask_share=mask_share),
            seed=seed,
            mask=tokenizer.mask,
            special_ids=tokenizer.special_ids,
            vocab_size=tokenizer.vocab_size,
            continues_word=tokenizer.continues_word,
        )

    def trainer(self, machine: Machine, plan: StepPlan) -> Trainer:
        """A trainer at step 0, its weights a function of the seed."""
        seed = self.recipe.run.seed
        model = Transformer(self.recipe.model)
        initialise(model, seed)
        return Trainer(
            model.to(machine.device),
            self.objective(seed),
            self.rows,
            self.held_out,
            self.recipe.training,
            steps=plan.steps,
            warmup=plan.warmup,
            seed=seed,
            device=machine.device,
            dtype=machine.dtype,
            micro_rows=machine.micro_rows,
        )

    def plan(self, machine: Machine) -> StepPlan:
        """How many steps: stored when the run began, else given or measured now."""
        if "plan" in self.record:
            return StepPlan(**self.record["plan"])
        config = self.recipe.training
        if config.steps is not None:
            plan = plan_for_steps(config, config.steps, "steps")
        elif config.tokens is not None:
            epoch = self.rows.plan(0)
            per_row = float(epoch.samples.length.sum()) / len(epoch)
            plan = plan_for_tokens(config, config.tokens, per_row)
        else:
            trial = self.trainer(machine, plan_for_steps(config.changed(minutes=None, steps=1000), 1000, "trial"))
            scratch = self.folder / "work"
            plan = plan_for_minutes(config, trial, lambda: checkpoints.save(scratch, trial.checkpoint(), "trial", 1))  # type: ignore[arg-type,return-value]
            files.remove(scratch)
        self.record["plan"] = plan.as_dict()
        files.write_json(self.folder / RUN_FILE, self.record)
        return plan

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
        recipe, tokenizer = self.recipe, self.prepared.tokenizer
        machine = set_up(recipe)
        self.rows = self.sequence("train", recipe.run.seed)
        held_out_rows = self.sequence("held_out", HELD_OUT_SEED)
        check_rows(len(self.rows.plan(0)), len(held_out_rows.plan(0)), self.prepared, recipe)
        self.held_out = HeldOut(
            held_out_rows, self.objective(HELD_OUT_SEED, HELD_OUT_MASK_SHARE), recipe.training.held_out_rows, machine.micro_rows
        )
        probes = choose_probes(self.prepared.store.held_out, tokenizer, NUM_PROBES)
        plan = self.plan(machine)
        trainer = self.trainer(machine, plan)
        saved = checkpoints.load_newest(self.folder, self.identity, self.notes.append)
        if saved is not None:
            trainer.restore(saved)
        if self.new_data:
            trainer.state = trainer.state.moved(Place(trainer.state.place.epoch + 1, 0))
        baselines = Baselines.of(self.held_out, self.prepared.store.train.tokens, tokenizer.vocab_size)
        results: dict[int, HeldOutResult] = {}
        with Monitor(
            self.folder, total_steps=plan.steps, quiet=self.quiet, resume_step=trainer.state.step, stream=self.stream
        ) as monitor:
            for note in self.notes:
                monitor.event(trainer.state.step, note)
            try:
                trainer.run(
                    self.folder,
                    monitor,
                    self.identity,
                    on_evaluation=partial(self.after_evaluation, trainer, monitor, probes, results, baselines),
                    interrupted=self.interruption,
                )
            except StoppedError as error:
                if self.interruption.signal_number is not None:
                    number = self.interruption.signal_number
                    raise InterruptedRun(error.where, error.what, error.instead, signal_number=number) from None
                raise
            monitor.phase("publish")
        facts = self.facts(machine, plan, trainer, baselines)
        self.publish(trainer, facts)
        return Run(self.folder, facts, resumed=saved is not None)

    def after_evaluation(
        self,
        trainer: Trainer,
        monitor: Monitor,
        probes: list[Probe],
        results: dict[int, HeldOutResult],
        baselines: Baselines,
        step: int,
        result: HeldOutResult,
    ) -> None:
        """Ask the fixed sentences, and at step 0 compare the loss with ln(vocabulary)."""
        results[step] = result
        for probe in probes:
            trainer.model.eval()
            answer = fill(trainer.model, self.prepared.tokenizer, probe.text, 5)
            monitor.probe(step, f"{probe.text}", as_masks(answer.masks))
            trainer.model.train()
        if step == 0:
            gap = abs(result.masked_loss - baselines.expected_initial_loss)
            self.record["initial_loss"] = result.masked_loss
            if gap > 0.5:
                monitor.event(0, f"the untrained loss is {result.masked_loss:.2f}, ln(vocabulary) is {baselines.expected_initial_loss:.2f}: something is off before training begins")
            files.write_json(self.folder / RUN_FILE, self.record)

    # --- the end ------------------------------------------------------------------------------------------------

    def facts(self, machine: Machine, plan: StepPlan, trainer: Trainer, baselines: Baselines) -> dict[str, Any]:
        """What the report and the model card say about the run."""
        recipe, tokenizer, store = self.recipe, self.prepared.tokenizer, self.prepared.store
        first, last = first_and_last(self.folder)
        plan_of_rows = self.rows.plan(0)
        shown = int(plan_of_rows.samples.length.sum())
        return {
            "osnowa": __version__,
            "preset": recipe.run.preset,
            "seed": recipe.run.seed,
            "model": {
                "preset": recipe.run.preset,
                "parameters": trainer.model.parameter_count(),
                **recipe.values()["model"],
            },
            "corpus": self.prepared.ledger,
            "tokenizer": {"kind": tokenizer.kind, "vocab_size": tokenizer.vocab_size, **self.prepared.fertility},
            "rows": {
                "row_length": recipe.data.row_length,
                "rows": len(plan_of_rows),
                "trained_tokens": store.train.num_tokens,
                "special_tokens": shown - store.train.num_tokens,
                "padded_tokens": len(plan_of_rows) * recipe.data.row_length - shown,
                "dropped_tokens": 0,
                "pairs": int((plan_of_rows.samples.label >= 0).sum()),
                "held_out_rows": self.held_out.num_rows,
            },
            "objective": recipe.values()["objective"],
            "baselines": {
                "most_frequent_token": tokenizer.token(baselines.most_frequent_token),
                "most_frequent_share": baselines.most_frequent_share,
                "unigram_loss": baselines.unigram_loss,
                "expected_initial_loss": baselines.expected_initial_loss,
                "measured_initial_loss": self.record.get("initial_loss"),
            },
            "untrained": first,
            "result": last,
            "training": {
                "steps": trainer.state.step,
                "tokens": trainer.state.tokens,
                "seconds": round(trainer.state.seconds, 1),
                "batch_rows": recipe.training.batch_rows,
                "optimiser": recipe.training.optimiser,
                "plan": plan.as_dict(),
                "epochs": round(trainer.state.place.epoch + trainer.state.place.row / max(1, len(self.rows.plan(trainer.state.place.epoch))), 2),
            },
            "machine": machine.as_dict(),
        }

    def publish(self, trainer: Trainer, facts: dict[str, Any]) -> None:
        """The model folder, the facts and the report."""
        files.write_json(self.folder / "facts.json", facts)
        with files.publish(self.folder / "model", {"kind": "model", "steps": trainer.state.step, "identity": self.identity}) as work:
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


def first_and_last(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The held-out results at the first and the last step, as the log has them."""
    found = []
    for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if record.get("kind") == "held_out":
            found.append(record)
    return (found[0], found[-1]) if found else ({}, {})
