"""What is known of a run at its end: the figures behind the report and the model card."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from osnowa import __version__
from osnowa.runs.workshop import HELD_OUT_MASK_SHARE, Workshop
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
        },
        "corpus": prepared.ledger,
        "tokenizer": {
            "kind": prepared.tokenizer.kind,
            "vocab_size": prepared.tokenizer.vocab_size,
            **prepared.fertility,
        },
        "rows": row_account(workshop),
        "objective": {**recipe.values()["objective"], "held_out_mask_share": HELD_OUT_MASK_SHARE},
        "baselines": {
            "most_frequent_token": prepared.tokenizer.token(baselines.most_frequent_token),
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


def row_account(workshop: Workshop) -> dict[str, int]:
    """Where the places of an epoch's rows go: tokens of the text, special tokens, padding; nothing is dropped."""
    account, num_tokens = workshop.account, workshop.prepared.store.train.num_tokens
    return {
        "row_length": workshop.recipe.data.row_length,
        "rows": account.rows,
        "trained_tokens": account.trained,
        "special_tokens": account.special,
        "padded_tokens": account.padded,
        "dropped_tokens": num_tokens - account.trained,
        "pairs": account.is_next + account.not_next,
        "held_out_rows": workshop.held_out.num_rows,
    }
