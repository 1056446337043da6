"""A prepared corpus and a recipe, made into rows, objective, held-out questions and a trainer."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property

from osnowa.data import RowSequence
from osnowa.data.plan import Accounting
from osnowa.model import Transformer, initialise
from osnowa.objective import Objective
from osnowa.runs.advice import Advice
from osnowa.runs.doctor import Examination, examine
from osnowa.runs.machine import Machine
from osnowa.runs.prepare import Prepared, check_rows
from osnowa.runs.recipe import Recipe
from osnowa.runs.rows import objective_of, sequence_of
from osnowa.train.budget import StepPlan
from osnowa.train.config import TrainingConfig
from osnowa.train.evaluation import HELD_OUT_SEED, Baselines, HeldOut, count_labels, count_tokens
from osnowa.train.loop import Trainer

HELD_OUT_MASK_SHARE = 0.15  # whatever the training share is, so that runs can be compared


class Workshop:
    """Everything that training needs, made from (recipe, prepared corpus, machine).

    Raises:
        DataError: the corpus can't fill one batch, or nothing is held out.
        SettingsError: an objective that the tokenizer or the rows can't serve.
    """

    def __init__(self, recipe: Recipe, prepared: Prepared, machine: Machine) -> None:
        self.recipe, self.prepared, self.machine = recipe, prepared, machine
        questions = self.objective(HELD_OUT_SEED, self.held_out_mask_share)
        held_out_rows = sequence_of(recipe, prepared.tokenizer, prepared.store.held_out, questions, HELD_OUT_SEED)
        check_rows(len(self.rows.plan(0)), len(held_out_rows.plan(0)), prepared, recipe)
        text_bytes = None if recipe.objective.question == "hidden" else prepared.tokenizer.num_bytes
        self.held_out = HeldOut(held_out_rows, questions, recipe.training.held_out_rows, machine.micro_rows, text_bytes)

    @property
    def held_out_mask_share(self) -> float | None:
        """Where tokens are hidden in their place: the same in all runs, so that they can be compared."""
        return HELD_OUT_MASK_SHARE if self.recipe.objective.question == "hidden" else None

    @cached_property
    def training_objective(self) -> Objective:
        """What is asked of training rows."""
        return self.objective(self.recipe.run.seed)

    @cached_property
    def rows(self) -> RowSequence:
        """The training rows."""
        recipe, prepared = self.recipe, self.prepared
        return sequence_of(recipe, prepared.tokenizer, prepared.store.train, self.training_objective, recipe.run.seed)

    @cached_property
    def baselines(self) -> Baselines:
        """What knowing only frequencies gives: those of the text, or of what is asked where that is not plain text."""
        vocab_size = self.prepared.tokenizer.vocab_size
        if self.recipe.objective.question == "hidden":
            seen = count_tokens(self.prepared.store.train.tokens, vocab_size)
        else:
            seen = count_labels(self.rows, self.training_objective, vocab_size)
        return Baselines.of(self.held_out, seen)

    def objective(self, seed: int, mask_share: float | None = None) -> Objective:
        """What is asked of a row."""
        return objective_of(self.recipe, self.prepared.tokenizer, seed, mask_share)

    def trainer(self, plan: StepPlan) -> Trainer:
        """A trainer at step 0; its weights are a function of the seed."""
        seed, machine = self.recipe.run.seed, self.machine
        model = Transformer(self.recipe.model)
        initialise(model, seed)
        return Trainer(
            model.to(machine.device),
            self.training_objective,
            self.rows,
            self.held_out,
            self.training(plan),
            steps=plan.steps,
            warmup=plan.warmup,
            seed=seed,
            device=machine.device,
            dtype=machine.dtype,
            micro_rows=machine.micro_rows,
            compiled=machine.compiled,
        )

    def training(self, plan: StepPlan) -> TrainingConfig:
        """The recipe's settings, with as many looks at held-out text as the plan has time for."""
        config = self.recipe.training
        return config if plan.evaluations is None else config.changed(evaluations=plan.evaluations)

    @cached_property
    def account(self) -> Accounting:
        """Where the places of the first epoch's rows go."""
        return self.rows.accounting()

    def tokens_per_row(self) -> float:
        """Tokens that are not padding, on average."""
        return (self.account.trained + self.account.special) / self.account.rows

    @cached_property
    def examination(self) -> Examination:
        """What `doctor` would say of this corpus and recipe."""
        return examine(self.prepared, self.recipe, self.machine, rows=self.rows, account=self.account)

    @property
    def warnings(self) -> list[Advice]:
        """What of it is a reason to think twice."""
        return self.examination.warnings

    @property
    def identity(self) -> str:
        """What a checkpoint must say: the same architecture and the same vocabulary."""
        text = json.dumps([self.recipe.values()["model"], self.prepared.tokenizer.fingerprint], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
