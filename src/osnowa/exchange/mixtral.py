"""A decoder with several networks in each layer as the class MixtralForCausalLM (Jiang et al. 2024)."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from osnowa.exchange.entry import Entry
from osnowa.exchange.family import SpecialIds, Values
from osnowa.exchange.keys import Keys
from osnowa.exchange.llama import GATED, Mistral
from osnowa.exchange.notes import Note
from osnowa.model import ModelConfig

# Files have one tensor for each expert's matrix; transformers 5 holds all experts of a layer in two, and can save them.
_MATRICES = {"w1": "gate", "w2": "down", "w3": "up"}
_FUSED = ".block_sparse_moe.experts.gate_up_proj"


class Mixtral(Mistral):
    """A router and experts in the place of the feed-forward network."""

    model_type = "mixtral"
    fixed: ClassVar = {name: value for name, value in GATED.items() if name != "feed_forward_bias"} | {
        "attention_bias": False
    }
    free = Mistral.free | {"num_experts"}
    window = None
    rope_base = 1e6
    defaults: ClassVar = {**Mistral.defaults, "rms_norm_eps": 1e-5}

    def class_name(self, config: ModelConfig) -> str:
        return "MixtralForCausalLM"

    def further_misfits(self, config: ModelConfig) -> list[str]:
        return super().further_misfits(config) + (
            [] if config.num_experts else ["num_experts = 1 or more instead of 0"]
        )

    def write_settings(self, config: ModelConfig, ids: SpecialIds) -> Values:
        return {
            **super().write_settings(config, ids),
            "num_local_experts": config.num_experts,
            "num_experts_per_tok": config.experts_per_token,
            "router_aux_loss_coef": config.balance_weight,
            "output_router_logits": False,
        }

    def read_settings(self, keys: Keys) -> tuple[Values, list[Note]]:
        values, notes = super().read_settings(keys)
        experts = {
            "num_experts": keys.whole("num_local_experts", 8),
            "experts_per_token": keys.whole("num_experts_per_tok", 2),
            "balance_weight": keys.number("router_aux_loss_coef", 0.001),
            "feed_forward_bias": False,
        }
        if experts["num_experts"] == 0:
            keys.errors.append("num_local_experts = 0, not 1 or more")
        if noise := keys.number("router_jitter_noise", 0.0):
            message = f"{keys.where}: router_jitter_noise = {noise} changes training only and was left out"
            notes = [*notes, Note("no-router-noise", message)]
        return {**values, **experts}, notes

    def rename(self, name: str) -> str:
        """In memory, and in files saved as they are there, the network is called mlp."""
        return super().rename(name).replace(".mlp.", ".block_sparse_moe.")

    def feed_forward(self, theirs: str, ours: str) -> list[tuple[str, str]]:
        return [(f"{theirs}.block_sparse_moe.gate", f"{ours}.feed_forward.router")]

    def further_entries(self, config: ModelConfig, present: Collection[str]) -> list[Entry]:
        fused = any(name.endswith(_FUSED) for name in present)
        found: list[Entry] = []
        for layer in range(config.decoder_layers):
            theirs = f"model.layers.{layer}.block_sparse_moe.experts"
            ours = f"decoder.blocks.{layer}.feed_forward"
            if fused:
                found += [
                    Entry(f"{theirs}.gate_up_proj", (f"{ours}.gate", f"{ours}.up"), axis=1),
                    Entry(f"{theirs}.down_proj", (f"{ours}.down",)),
                ]
            else:
                found += [
                    Entry(f"{theirs}.{expert}.{one}.weight", (f"{ours}.{other}",), part=expert)
                    for expert in range(config.num_experts)
                    for one, other in _MATRICES.items()
                ]
        return found
