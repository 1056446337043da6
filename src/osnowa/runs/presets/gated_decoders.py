"""Decoders with rotary positions and gated networks: grouped queries, windows, experts, norms on both sides."""

from __future__ import annotations

from osnowa.runs.presets.decoders import small_sizes
from osnowa.runs.presets.preset import Family, Preset, Sections, gated_width

_LLAMA: Sections = {  # Touvron et al. 2023
    "model": {
        "vocab_size": 32_000,
        "decoder_layers": 32,
        "d_model": 4096,
        "d_ff": 11_008,
        "num_heads": 32,
        "max_positions": 2048,
        "position": "rotary",
        "norm": "rmsnorm",
        "norm_eps": 1e-6,
        "feed_forward": "glu",
        "activation": "silu",
        "attention_bias": False,
        "feed_forward_bias": False,
        "tie_embeddings": False,
        "dropout": 0.0,
    },
    "tokenizer": {"split": "llama-bpe"},
    "data": {"row_length": 2048},
    "training": {"learning_rate": 3e-4, "batch_rows": 2048, "warmup_share": 0.008},
}

_MISTRAL: Sections = {  # Jiang et al. 2023
    "model": {"d_ff": 14_336, "num_kv_heads": 8, "windows": [4096], "max_positions": 32_768, "norm_eps": 1e-5},
    "data": {"row_length": 8192},
    "training": {"batch_rows": 512},
}

_MIXTRAL: Sections = {  # Jiang et al. 2024
    "model": {
        "windows": [None],
        "rotary_bases": [1e6],
        "num_experts": 8,
        "experts_per_token": 2,
        "balance_weight": 0.02,
    },
}

_GEMMA: Sections = {  # Gemma Team 2024
    "model": {
        "vocab_size": 256_000,
        "decoder_layers": 18,
        "d_model": 2048,
        "d_ff": 16_384,
        "num_heads": 8,
        "num_kv_heads": 1,
        "d_head": 256,
        "max_positions": 8192,
        "activation": "gelu_tanh",
        "norm_eps": 1e-6,
        "norm_offset": True,
        "embedding_scale": 2048**0.5,
        "tie_embeddings": True,
    },
    "data": {"row_length": 8192},
    "training": {"batch_rows": 512},
}

_GEMMA2: Sections = {  # Gemma Team 2024b: norms before and after, windows in every second layer, capped scores
    "model": {
        "decoder_layers": 26,
        "d_model": 2304,
        "d_ff": 9216,
        "num_kv_heads": 4,
        "embedding_scale": 2304**0.5,
        "norm_placement": "sandwich",
        "windows": [4096, None],
        "attention_scale": 256**-0.5,
        "attention_softcap": 50.0,
        "logit_softcap": 30.0,
    },
}

_GEMMA3: Sections = {  # Gemma Team 2025: five layers with a window for one without, normalised queries and keys
    "model": {
        "vocab_size": 262_144,
        "decoder_layers": 18,
        "d_model": 640,
        "d_ff": 2048,
        "num_heads": 4,
        "num_kv_heads": 1,
        "max_positions": 32_768,
        "embedding_scale": 640**0.5,
        "windows": [512, 512, 512, 512, 512, None],
        "rotary_bases": [1e4, 1e4, 1e4, 1e4, 1e4, 1e6],
        "attention_softcap": None,
        "logit_softcap": None,
        "qk_norm": True,
    },
}


def _llama(layers: int, d_model: int, heads: int, d_ff: int, **others: object) -> Sections:
    return {"model": {"decoder_layers": layers, "d_model": d_model, "num_heads": heads, "d_ff": d_ff, **others}}


def _gemma(layers: int, d_model: int, heads: int, kv_heads: int, d_ff: int, **others: object) -> Sections:
    scale = {"num_kv_heads": kv_heads, "embedding_scale": d_model**0.5}
    return _llama(layers, d_model, heads, d_ff, **scale, **others)


def _small_gated(layers: int, d_model: int) -> dict[str, object]:
    return {"decoder_layers": layers, "d_ff": gated_width(d_model)}


def _small_grouped(layers: int, d_model: int) -> dict[str, object]:
    return {**_small_gated(layers, d_model), "num_kv_heads": d_model // 128}


def _small_windowed(layers: int, d_model: int) -> dict[str, object]:
    return {**_small_grouped(layers, d_model), "windows": [128]}


def _small_experts(layers: int, d_model: int) -> dict[str, object]:
    return {**_small_grouped(layers, d_model), "num_experts": 4, "d_ff": gated_width(d_model) // 2}


def _small_scaled(layers: int, d_model: int) -> dict[str, object]:
    return {**_small_gated(layers, d_model), "num_kv_heads": 1, "d_head": 64, "embedding_scale": d_model**0.5}


def _small_sandwich(layers: int, d_model: int) -> dict[str, object]:
    shape = {**_small_scaled(layers, d_model), "num_kv_heads": d_model // 128, "attention_scale": 64**-0.5}
    return {**shape, "windows": [64, None]}


def _small_mixed(layers: int, d_model: int) -> dict[str, object]:
    shape = {**_small_scaled(layers, d_model), "attention_scale": 64**-0.5}
    return {**shape, "windows": [64, None], "rotary_bases": [1e4, 1e6]}


FAMILIES = (
    Family(
        "llama",
        "7b",
        (
            Preset(
                "llama-7b",
                "gpt2-124m",
                _LLAMA,
                6_738_415_616,
                "rotary, RMSNorm, gated, no biases (Touvron et al. 2023)",
            ),
            Preset("llama-13b", "llama-7b", _llama(40, 5120, 40, 13_824), 13_015_864_320),
            Preset(
                "llama-33b",
                "llama-7b",
                {**_llama(60, 6656, 52, 17_920), "training": {"learning_rate": 1.5e-4}},
                32_528_943_616,
            ),
            Preset(
                "llama-65b",
                "llama-7b",
                {**_llama(80, 8192, 64, 22_016), "training": {"learning_rate": 1.5e-4}},
                65_285_660_672,
            ),
            *small_sizes("llama", "llama-7b", _small_gated, (8_766_080, 19_990_784, 46_010_880, 58_466_816)),
        ),
    ),
    Family(
        "llama2",
        "7b",
        (
            Preset(
                "llama2-7b",
                "llama-7b",
                {"model": {"max_positions": 4096, "norm_eps": 1e-5}},
                6_738_415_616,
                "longer rows",
            ),
            Preset("llama2-13b", "llama2-7b", _llama(40, 5120, 40, 13_824), 13_015_864_320),
            Preset("llama2-70b", "llama2-7b", _llama(80, 8192, 64, 28_672, num_kv_heads=8), 68_976_648_192),
            *small_sizes("llama2", "llama2-7b", _small_gated, (8_766_080, 19_990_784, 46_010_880, 58_466_816)),
        ),
    ),
    Family(
        "llama3",
        "1b",
        (
            Preset(
                "llama3-8b",
                "llama2-7b",
                _llama(
                    32, 4096, 32, 14_336, vocab_size=128_256, num_kv_heads=8, max_positions=8192, rotary_bases=[5e5]
                ),
                8_030_261_248,
                "grouped queries, a larger vocabulary (Llama Team 2024)",
            ),
            Preset("llama3-70b", "llama3-8b", _llama(80, 8192, 64, 28_672), 70_553_706_496),
            Preset(
                "llama3-1b",
                "llama3-8b",
                _llama(
                    16,
                    2048,
                    32,
                    8192,
                    max_positions=131_072,
                    tie_embeddings=True,
                    rotary_stretch=[32.0, 1.0, 4.0, 8192.0],
                ),
                1_235_814_400,
                "release 3.2: rotations stretched to longer rows",
            ),
            Preset("llama3-3b", "llama3-1b", _llama(28, 3072, 24, 8192), 3_212_749_824),
            *small_sizes("llama3", "llama3-8b", _small_grouped, (8_733_312, 19_728_640, 44_962_304, 56_369_664)),
        ),
    ),
    Family(
        "mistral",
        "7b",
        (
            Preset("mistral-7b", "llama-7b", _MISTRAL, 7_241_732_096, "grouped queries, a window (Jiang et al. 2023)"),
            *small_sizes("mistral", "mistral-7b", _small_windowed, (8_733_312, 19_728_640, 44_962_304, 56_369_664)),
        ),
    ),
    Family(
        "mixtral",
        "8x7b",
        (
            Preset(
                "mixtral-8x7b",
                "mistral-7b",
                _MIXTRAL,
                46_702_792_704,
                "each token through 2 of 8 experts (Jiang et al. 2024); stands here in place of GPT-4, whose "
                "architecture is unpublished",
            ),
            *small_sizes("mixtral", "mixtral-8x7b", _small_experts, (8_980_096, 21_895_424, 53_228_032, 72_901_120)),
        ),
    ),
    Family(
        "gemma",
        "2b",
        (
            Preset(
                "gemma-2b",
                "llama-7b",
                _GEMMA,
                2_506_172_416,
                "one key/value head, wide heads, scaled embeddings (2024)",
            ),
            Preset("gemma-7b", "gemma-2b", _gemma(28, 3072, 16, 16, 24_576), 8_537_680_896),
            *small_sizes("gemma", "gemma-2b", _small_scaled, (4_539_008, 11_208_960, 27_398_656, 38_019_584)),
        ),
    ),
    Family(
        "gemma2",
        "2b",
        (
            Preset(
                "gemma2-2b",
                "gemma-2b",
                _GEMMA2,
                2_614_341_888,
                "norms on both sides, windows in turn, capped scores (2024)",
            ),
            Preset("gemma2-9b", "gemma2-2b", _gemma(42, 3584, 16, 8, 14_336), 9_241_705_984),
            Preset(
                "gemma2-27b",
                "gemma2-2b",
                _gemma(46, 4608, 32, 16, 36_864, d_head=128, attention_scale=144**-0.5),
                27_227_128_320,
            ),
            *small_sizes("gemma2", "gemma2-2b", _small_sandwich, (4_539_520, 11_342_080, 28_189_184, 39_600_640)),
        ),
    ),
    Family(
        "gemma3",
        "270m",
        (
            Preset(
                "gemma3-270m",
                "gemma2-2b",
                _GEMMA3,
                268_098_176,
                "five windowed layers to one, normalised queries (2025)",
            ),
            Preset("gemma3-1b", "gemma3-270m", _gemma(26, 1152, 4, 1, 6912), 999_885_952),
            Preset(
                "gemma3-4b",
                "gemma3-270m",
                _gemma(
                    34,
                    2560,
                    8,
                    4,
                    10_240,
                    vocab_size=262_208,
                    max_positions=131_072,
                    windows=[1024, 1024, 1024, 1024, 1024, None],
                    rotary_factors=[1.0, 1.0, 1.0, 1.0, 1.0, 8.0],
                ),
                3_880_263_168,
                "the text part",
            ),
            Preset("gemma3-12b", "gemma3-4b", _gemma(48, 3840, 16, 8, 15_360), 11_766_034_176),
            Preset(
                "gemma3-27b",
                "gemma3-4b",
                _gemma(62, 5376, 32, 16, 21_504, d_head=128, attention_scale=168**-0.5),
                27_009_346_304,
            ),
            *small_sizes("gemma3", "gemma3-270m", _small_mixed, (4_539_776, 11_211_520, 27_403_264, 38_028_800)),
        ),
    ),
)
