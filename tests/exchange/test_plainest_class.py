"""Which class a decoder is written as, and what is told where none holds it."""

from __future__ import annotations

from typing import Any

import pytest

from osnowa.exchange import choose_family, notes_before_training
from small_models import shrink

THREE_HEADS = {"num_heads": 3, "num_kv_heads": 1, "d_head": 6}  # do not divide a width of 16


@pytest.mark.parametrize(
    ("preset", "changes", "kind"),
    [
        ("llama-tiny", {}, "llama"),
        ("mistral-tiny", {"windows": (None,)}, "llama"),  # several hold it: the one that most tools read
        ("mistral-tiny", {"windows": (None, None)}, "llama"),
        ("mistral-tiny", {}, "mistral"),
        ("llama-tiny", THREE_HEADS, "mistral"),
        ("llama-7b", {"attention_scale": 8**-0.5}, "llama"),
        ("mixtral-tiny", {}, "mixtral"),
        ("gemma-tiny", {}, "gemma"),
        ("gemma2-tiny", {"norm_placement": "pre"}, "osnowa"),
        ("gemma2-tiny", {}, "gemma2"),
        ("gemma3-tiny", {"qk_norm": False}, "osnowa"),  # two rotations
        ("gemma3-tiny", {}, "gemma3_text"),
        ("gpt1-tiny", {}, "openai-gpt"),
        ("gpt2-tiny", {}, "gpt2"),
        ("gpt3-tiny", {}, "osnowa"),
        ("llama-tiny", {"norm": "layernorm"}, "osnowa"),
    ],
)
def test_a_shape_is_written_as_the_plainest_class_that_holds_it(
    preset: str, changes: dict[str, Any], kind: str
) -> None:
    assert choose_family(shrink(preset, **changes)).model_type == kind


@pytest.mark.parametrize(
    ("preset", "changes", "words"),
    [
        ("gpt3-tiny", {}, "GPT2LMHeadModel, needs windows = (None,) instead of (None, 5)"),
        ("llama-tiny", {"norm": "layernorm"}, "LlamaForCausalLM, needs norm = rmsnorm instead of layernorm"),
        ("llama-tiny", {"rotary_bases": (9.0, 8.0)}, "needs one rotary base instead of (9.0, 8.0)"),
        ("llama-tiny", {"rotary_factors": (1.0, 8.0)}, "needs one rotary factor instead of (1.0, 8.0)"),
        (
            "llama-tiny",
            {"rotary_factors": (2.0,), "rotary_stretch": (8.0, 1.0, 4.0, 16.0)},
            "needs rotary_factors = (1.0,) with rotary_stretch",
        ),
        ("llama-tiny", {"rotary_stretch": (8.0, 1.0, 4.0, 16.5)}, "a whole number as the length in rotary_stretch"),
        ("mistral-tiny", {"windows": (4, 5)}, "LlamaForCausalLM, needs windows = (None,) instead of (4, 5)"),
        (
            "mistral-tiny",
            {**THREE_HEADS, "windows": (4, 5)},
            "MistralForCausalLM, needs one window for all layers instead of (4, 5)",
        ),
        (
            "mistral-tiny",
            {**THREE_HEADS, "attention_bias": True},
            "MistralForCausalLM, needs attention_bias = false instead of true",
        ),
        (
            "gemma2-tiny",
            {**THREE_HEADS, "embedding_scale": 4.0},
            "Gemma2ForCausalLM, needs num_heads that divides d_model instead of 3",
        ),
        ("gpt1-tiny", {"d_ff": 48}, "OpenAIGPTLMHeadModel, needs d_ff = 64 instead of 48"),
        ("gpt1-tiny", {"activation": "gelu"}, "OpenAIGPTLMHeadModel, needs activation = gelu_tanh instead of gelu"),
        ("gpt2-tiny", {"num_kv_heads": 1}, "GPT2LMHeadModel, needs num_kv_heads = 2 instead of 1"),
        ("gpt2-tiny", {"d_head": 6}, "GPT2LMHeadModel, needs d_head = d_model / num_heads instead of 6"),
        ("gemma-tiny", {"embedding_scale": 2.0}, "GemmaForCausalLM, needs embedding_scale = 4.0 instead of 2.0"),
        ("gemma-tiny", {"activation": "gelu"}, "GemmaForCausalLM, needs activation = gelu_tanh instead of gelu"),
        (
            "gemma2-tiny",
            {"attention_scale": 0.3},
            "Gemma2ForCausalLM, needs attention_scale = 1 / sqrt(a whole number)",
        ),
        ("gemma2-small", {"windows": (4, 5, None)}, "Gemma2ForCausalLM, needs one window instead of (4, 5, None)"),
        ("gemma3-tiny", {"rotary_factors": (8.0,)}, "needs rotary_factors = 1 in layers with a window"),
        ("gemma3-small", {"rotary_bases": (9.0, 8.0, 7.0)}, "needs one rotation for layers with sliding_attention"),
        ("gemma3-tiny", {"attention_softcap": 9.0}, "Gemma3ForCausalLM, needs attention_softcap = None instead of 9.0"),
        ("mixtral-tiny", {"tie_embeddings": True, "qk_norm": True}, "MixtralForCausalLM, needs qk_norm = false"),
    ],
)
def test_what_the_nearest_class_would_need_is_told(preset: str, changes: dict[str, Any], words: str) -> None:
    (note,) = notes_before_training(shrink(preset, **changes))
    assert note.code == "own-format"
    assert words in note.message


def test_settings_of_training_alone_do_not_cost_the_class_but_their_loss_is_told() -> None:
    assert notes_before_training(shrink("llama-tiny")) == []
    config = shrink("llama-tiny", dropout=0.1, feed_forward_dropout=0.2)
    assert choose_family(config).model_type == "llama"
    (note,) = notes_before_training(config)
    assert note.code == "not-kept"
    assert note.evidence == ("dropout = 0.1", "feed_forward_dropout = 0.2")
