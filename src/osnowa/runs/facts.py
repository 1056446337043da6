"""What is known of a run at its end: the figures behind the report and the model card."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from osnowa import __version__
from osnowa.exchange import choose_family, notes_before_training
from osnowa.runs.work import flops_per_token
from osnowa.runs.workshop import Workshop
from osnowa.tokenizer import Tokenizer
from osnowa.train.budget import StepPlan
from osnowa.train.evaluation import HeldOutResult
from osnowa.train.loop import Trainer


def run_facts(
    workshop: Workshop, plan: StepPlan, trainer: Trainer, record: dict[str, Any], result: HeldOutResult
) -> dict[str, Any]:
    """RUN/facts.json."""
    recipe, prepared = workshop.recipe, workshop.prepared
    baselines = workshop.baselines
    return {
        "osnowa": __version__,
        "preset": recipe.run.preset,
        "seed": recipe.run.seed,
        "model": {
            "preset": recipe.run.preset,
            "parameters": trainer.model.parameter_count(),
            **recipe.values()["model"],
            "topology": recipe.model.topology,
            "flops_per_token": flops_per_token(recipe.model, recipe.objective, recipe.data.row_length),
        },
        "corpus": prepared.ledger,
        "tokenizer": {
            "kind": prepared.tokenizer.kind,
            "vocab_size": prepared.tokenizer.vocab_size,
            "mask_token": mask_token(prepared.tokenizer),
            **prepared.fertility,
        },
        "rows": row_account(workshop),
        "objective": objective_facts(workshop),
        "export": export_facts(workshop),
        "baselines": {
            "most_frequent_token": prepared.tokenizer.readable(baselines.most_frequent_token),
            "most_frequent_share": baselines.most_frequent_share,
            "unigram_loss": baselines.unigram_loss,
            "expected_initial_loss": baselines.expected_initial_loss,
            "measured_initial_loss": record.get("initial_loss"),
        },
        "untrained": record.get("untrained", {}),
        "result": result.as_dict(),
        "training": {
            "steps": trainer.state.step,
            "tokens": trainer.state.tokens,
            "seconds": round(trainer.state.seconds, 1),
            "epochs": round(trainer.epochs, 2),
            "batch_rows": recipe.training.batch_rows,
            "optimiser": recipe.training.optimiser,
            "plan": plan.as_dict(),
        },
        "warnings": [asdict(each) for each in workshop.warnings],
        "machine": workshop.machine.as_dict(),
    }


def objective_facts(workshop: Workshop) -> dict[str, Any]:
    """What was asked; how much of held-out text is hidden only where tokens are hidden in their place."""
    objective, share = workshop.recipe.objective, workshop.held_out_mask_share
    held_out = {} if share is None else {"held_out_mask_share": share}
    return {**workshop.recipe.values()["objective"], "question": objective.question, **held_out}


def export_facts(workshop: Workshop) -> dict[str, Any]:
    """What the model's folder is for other tools, and what it does not say."""
    config = workshop.recipe.model
    family, notes = choose_family(config), notes_before_training(config)
    own = any(note.code == "own-format" for note in notes)
    return {"class": family.class_name(config), "own_format": own, "notes": [note.message for note in notes]}


def mask_token(tokenizer: Tokenizer) -> str | None:
    """How the mask is written in a text; None where there is none."""
    index = tokenizer.specials.get("mask")
    return None if index is None else tokenizer.token(index)


def row_account(workshop: Workshop) -> dict[str, int]:
    """Where the places of an epoch's rows go: tokens of the text, special tokens, padding; nothing is dropped."""
    account, num_tokens = workshop.account, workshop.prepared.store.train.num_tokens
    return {
        "row_length": workshop.recipe.data.row_length,
        "places_per_row": workshop.rows.places,
        "rows": account.rows,
        "trained_tokens": account.trained,
        "special_tokens": account.special,
        "padded_tokens": account.padded,
        "dropped_tokens": num_tokens - account.trained,
        "pairs": account.is_next + account.not_next,
        "held_out_rows": workshop.held_out.num_rows,
    }
