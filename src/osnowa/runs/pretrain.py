"""From raw text to a base model: prepare, plan, train, publish; the same call again goes on where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

from osnowa import files
from osnowa.data import Place
from osnowa.errors import InterruptedRun, OsnowaError, StoppedError, UsageError
from osnowa.exchange import model_card, write_folder
from osnowa.generate import fill
from osnowa.generate.chat import PLAIN
from osnowa.objective import Target
from osnowa.objective.words import words_of
from osnowa.runs.facts import run_facts
from osnowa.runs.given_text import prepared_text
from osnowa.runs.memory import memory_in_words
from osnowa.runs.model import Model, load
from osnowa.runs.prepare import check_target
from osnowa.runs.probes import as_masks, choose_probes, go_on
from osnowa.runs.recipe import Recipe
from osnowa.runs.report import write_report
from osnowa.runs.run_folder import RunFolder
from osnowa.runs.signals import Interruption, listening
from osnowa.runs.snapshots import Photographer
from osnowa.runs.translations import score_pairs
from osnowa.train import checkpoints
from osnowa.train.budget import StepPlan, plan_for_minutes, plan_for_steps, plan_for_tokens
from osnowa.train.evaluation import HeldOutResult
from osnowa.train.loop import Trainer
from osnowa.train.monitor import Monitor
from osnowa.train.phase_bar import PhaseBar
from osnowa.train.snapshots import save_snapshot

NUM_PROBES = 3
LARGEST_INITIAL_GAP = 0.5


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
    prepared_text(text)  # refuses a mixture before anything is made
    check_target(folder, "run")
    is_new = not folder.exists()
    files.make_folder(folder)
    with files.lock(folder), listening() as interruption:
        files.clean_leftovers(folder)
        with PhaseBar(quiet=quiet, stream=stream) as bar:
            opened = RunFolder(folder, recipe, override, more_steps, bar)
            try:
                finished = opened.open()
            except InterruptedRun:
                raise  # what was prepared so far is taken up again
            except OsnowaError:
                if is_new:
                    files.remove(folder)
                raise
        if finished:
            if not (folder / "report.html").exists():  # stopped between the two
                write_report(folder)
            return Run(folder, files.read_json(folder / "facts.json"), resumed=True, already_finished=True)
        return train(opened, interruption, quiet=quiet, stream=stream)


def train(opened: RunFolder, interruption: Interruption, *, quiet: bool, stream: TextIO | None) -> Run:
    """Train what is left of the plan and publish the base model.

    Raises:
        InterruptedRun, StoppedError: after a checkpoint was saved.
    """
    folder, workshop, notes = opened.folder, opened.workshop, opened.notes
    plan = make_plan(opened)
    trainer = workshop.trainer(plan)
    saved = checkpoints.load_newest(folder, workshop.identity, notes.append)
    if saved is not None:
        trainer.restore(saved)
    if opened.new_data:
        trainer.state = trainer.state.moved(Place(trainer.state.place.epoch + 1, 0))
        # or a kill before the next checkpoint would undo the move
        checkpoints.save(folder, trainer.checkpoint(), workshop.identity, trainer.config.keep_checkpoints)
    step = trainer.state.step
    words = words_of(opened.recipe.objective.name)
    with Monitor(folder, total_steps=plan.steps, quiet=quiet, resume_step=step, stream=stream, words=words) as monitor:
        for note in notes:
            monitor.event(step, note)
        asking = Asking(opened, trainer, monitor)
        if step == 0:
            memory = memory_in_words(workshop.examination.figures["memory"])
            for message in (f"memory at the peak, estimated: {memory}", *(each.message for each in workshop.warnings)):
                monitor.event(0, message)
        interruption.patient = True
        try:
            trainer.run(
                folder,
                monitor,
                workshop.identity,
                on_evaluation=asking,
                on_snapshot=asking.keep_snapshot,
                interrupted=interruption,
            )
        except StoppedError as error:
            if interruption.signal_number is None:
                raise
            number = interruption.signal_number
            raise InterruptedRun(error.where, error.what, error.instead, signal_number=number) from None
        monitor.phase("publish")
    result = asking.last or workshop.held_out.evaluate(trainer.model, trainer.device)
    facts = run_facts(workshop, plan, trainer, opened.record, result)
    if opened.recipe.objective.name == "translation":
        objective = workshop.held_out.objective
        assert isinstance(objective, Target)
        scores = score_pairs(trainer.model, opened.prepared.tokenizer, objective, opened.prepared.store.held_out)
        facts["result"] |= {} if scores is None else scores.as_dict()
    publish(opened, trainer, facts)
    return Run(folder, facts, resumed=saved is not None)


class Asking:
    """What is asked of the model on its way: the fixed sentences after each evaluation, and what a snapshot keeps.

    At step 0 the loss is held against ln(vocabulary).
    """

    def __init__(self, opened: RunFolder, trainer: Trainer, monitor: Monitor) -> None:
        self.opened, self.trainer, self.monitor = opened, trainer, monitor
        self.tokenizer = opened.prepared.tokenizer
        self.probes = choose_probes(opened.recipe, opened.prepared.store.held_out, self.tokenizer, NUM_PROBES)
        self.last: HeldOutResult | None = None

    def __call__(self, step: int, result: HeldOutResult) -> None:
        self.last = result
        if step == 0:
            self.opened.record["untrained"] = result.as_dict()
        self.trainer.model.eval()
        for probe in self.probes:
            if self.opened.recipe.objective.question == "hidden":
                answer = fill(self.trainer.model, self.tokenizer, probe.text, 5)
                self.monitor.probe(step, probe.text, as_masks(answer.masks), answer=probe.answer)
            else:
                (said,) = go_on(self.trainer.model, self.tokenizer, [probe], self.opened.recipe)
                self.monitor.continued(step, probe.text, said, answer=probe.answer)
        self.trainer.model.train()
        if step == 0:
            self.compare(result.token_loss, self.opened.workshop.baselines.expected_initial_loss)

    @cached_property
    def photographer(self) -> Photographer:
        """Made when the first snapshot is due: it counts the words of the corpus."""
        return Photographer(self.opened.recipe, self.tokenizer, self.opened.prepared.store.train, self.probes)

    def keep_snapshot(self, step: int) -> None:
        """RUN/probe/step-N. A disk that is full must not end the training here: the next checkpoint tells."""
        try:
            save_snapshot(self.opened.folder, self.photographer.take(self.trainer, step))
        except OsnowaError as error:
            self.monitor.event(step, f"{error} (training goes on without this snapshot)")

    def compare(self, measured: float, expected: float) -> None:
        """An untrained model knows nothing: its loss is ln(vocabulary), or something is wrong before training begins."""
        self.opened.record["initial_loss"] = measured
        self.opened.save_record()
        if abs(measured - expected) > LARGEST_INITIAL_GAP:
            self.monitor.event(
                0,
                f"the untrained loss is {measured:.2f}, ln(vocabulary) is {expected:.2f}: something is off from the start",
            )


def make_plan(opened: RunFolder) -> StepPlan:
    """How many steps: stored when the run began, else given or measured now."""
    if "plan" in opened.record:
        return StepPlan(**opened.record["plan"])
    config = opened.recipe.training
    if config.steps is not None:
        plan = plan_for_steps(config, config.steps, "steps")
    elif config.tokens is not None:
        plan = plan_for_tokens(config, config.tokens, opened.workshop.tokens_per_row())
    else:
        plan = measured_plan(opened)
    opened.record["plan"] = plan.as_dict()
    opened.save_record()
    return plan


def measured_plan(opened: RunFolder) -> StepPlan:
    """--minutes: throwaway steps on a trainer of their own."""
    config = opened.recipe.training
    trial, scratch = opened.workshop.trainer(plan_for_steps(config, 1000, "trial")), opened.folder / "work"

    def save() -> None:
        checkpoints.save(scratch, trial.checkpoint(), "trial", 1)

    try:
        return plan_for_minutes(config, trial, save)
    finally:
        files.remove(scratch)


def publish(opened: RunFolder, trainer: Trainer, facts: dict[str, Any]) -> None:
    """The facts, the model folder, and the report that reads them."""
    folder = opened.folder
    files.write_json(folder / "facts.json", facts)
    signs = {"kind": "model", "steps": trainer.state.step, "identity": opened.workshop.identity}
    with files.publish(folder / "model", signs) as work:
        decoder = opened.recipe.model.topology == "decoder"
        write_folder(
            work,
            opened.recipe.model,
            trainer.weights(),
            opened.prepared.tokenizer,
            card=model_card(facts),
            chat=PLAIN if decoder else None,
            source_whole=decoder and opened.recipe.objective.question == "target",
        )
    write_report(folder)
