"""A prepared corpus and a recipe, made into rows, objective, held-out questions and a trainer."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property

from osnowa.data import RowSequence
from osnowa.data.plan import Accounting
from osnowa.exchange import choose_family
from osnowa.model import Transformer, initialise
from osnowa.objective import EncoderObjective
from osnowa.runs.doctor import Advice, examine
from osnowa.runs.machine import Machine
from osnowa.runs.prepare import Prepared, check_rows
from osnowa.runs.recipe import Recipe
from osnowa.train.budget import StepPlan
from osnowa.train.evaluation import HELD_OUT_SEED, Baselines, HeldOut
from osnowa.train.loop import Trainer

HELD_OUT_MASK_SHARE = 0.15  # whatever the training share is, so that runs can be compared


class Workshop:
    """Everything that training needs, made from (recipe, prepared corpus, machine).

    Raises:
        DataError: the corpus can't fill one batch, or nothing is held out.
        SettingsError: an architecture that no published class holds.
    """

    def __init__(self, recipe: Recipe, prepared: Prepared, machine: Machine) -> None:
        self.recipe, self.prepared, self.machine = recipe, prepared, machine
        choose_family(recipe.model)  # a model that could not be published is refused before it is trained
        held_out_rows = self.sequence("held_out", HELD_OUT_SEED)
        check_rows(len(self.rows.plan(0)), len(held_out_rows.plan(0)), prepared, recipe)
        questions = self.objective(HELD_OUT_SEED, HELD_OUT_MASK_SHARE)
        self.held_out = HeldOut(held_out_rows, questions, recipe.training.held_out_rows, machine.micro_rows)

    @cached_property
    def rows(self) -> RowSequence:
        """The training rows."""
        return self.sequence("train", self.recipe.run.seed)

    @cached_property
    def baselines(self) -> Baselines:
        """What knowing only frequencies gives."""
        store = self.prepared.store
        return Baselines.of(self.held_out, store.train.tokens, self.prepared.tokenizer.vocab_size)

    def sequence(self, split: str, seed: int) -> RowSequence:
        """The rows of a split."""
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
        """What is asked of a row."""
        tokenizer, config = self.prepared.tokenizer, self.recipe.objective
        return EncoderObjective(
            config if mask_share is None else config.changed(mask_share=mask_share),
            seed=seed,
            mask=tokenizer.mask,
            special_ids=tokenizer.special_ids,
            vocab_size=tokenizer.vocab_size,
            continues_word=tokenizer.continues_word,
        )

    def trainer(self, plan: StepPlan) -> Trainer:
        """A trainer at step 0; its weights are a function of the seed."""
        seed, machine = self.recipe.run.seed, self.machine
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

    @cached_property
    def account(self) -> Accounting:
        """Where the places of the first epoch's rows go."""
        return self.rows.accounting()

    def tokens_per_row(self) -> float:
        """Tokens that are not padding, on average."""
        return (self.account.trained + self.account.special) / self.account.rows

    @cached_property
    def warnings(self) -> list[Advice]:
        """What `doctor` would say of this corpus and recipe."""
        return examine(self.prepared, self.recipe, self.machine).warnings

    @property
    def identity(self) -> str:
        """What a checkpoint must say: the same architecture and the same vocabulary."""
        text = json.dumps([self.recipe.values()["model"], self.prepared.tokenizer.fingerprint], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
