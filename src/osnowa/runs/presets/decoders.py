"""Decoders with learned positions: from the first generative pre-training to bands of attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from osnowa.runs.presets.preset import SMALL_SIZES, Family, Preset, Sections, small_presets

_GPT1: Sections = {  # Radford et al. 2018
    "model": {
        "vocab_size": 40_478,
        "encoder_layers": 0,
        "decoder_layers": 12,
        "d_model": 768,
        "d_ff": 3072,
        "num_heads": 12,
        "max_positions": 512,
        "position": "learned",
        "activation": "gelu_tanh",
        "norm_placement": "post",
        "norm_eps": 1e-5,
        "dropout": 0.1,
        "next_sentence": False,
    },
    "tokenizer": {"kind": "bpe", "specials": "angles", "frame": "prompt"},
    "objective": {"name": "next-token"},
    "data": {"row_length": 512},
    "training": {
        "optimiser": "adamw",
        "learning_rate": 2.5e-4,
        "beta2": 0.999,
        "weight_decay": 0.01,
        "batch_rows": 64,
        "schedule": "cosine",
        "warmup_share": 0.01,
    },
}

_GPT2: Sections = {  # Radford et al. 2019; rate and decay are not published, these are GPT-3's of the same size
    "model": {"vocab_size": 50_257, "max_positions": 1024, "norm_placement": "pre"},
    "tokenizer": {"split": "gpt-2"},
    "data": {"row_length": 1024},
    "training": {"learning_rate": 6e-4, "beta2": 0.95, "weight_decay": 0.1, "batch_rows": 512},
}

# Brown et al. 2020, table 2.1: every second layer sees a band of tokens only. The width of the band is not published;
# 256 is that of the sparse transformer which the paper cites (Child et al. 2019).
_GPT3: Sections = {
    "model": {"max_positions": 2048, "windows": [None, 256], "dropout": 0.0},
    "data": {"row_length": 2048},
    "training": {"learning_rate": 6e-4, "batch_rows": 256, "warmup_share": 0.00125},
}


def _gpt(layers: int, d_model: int, heads: int, d_head: int | None = None) -> dict[str, object]:
    shape: dict[str, object] = {
        "decoder_layers": layers,
        "d_model": d_model,
        "d_ff": 4 * d_model,
        "num_heads": heads,
    }
    return shape if d_head is None else {**shape, "d_head": d_head}


def _small_plain(layers: int, d_model: int) -> dict[str, object]:
    return {"decoder_layers": layers, "d_ff": 4 * d_model, "dropout": 0.0}


def _small_banded(layers: int, d_model: int) -> dict[str, object]:
    return {**_small_plain(layers, d_model), "windows": [None, 64]}


_GPT3_SIZES = (  # table 2.1, as printed: name, layers, width, heads, width of a head, batch in millions of tokens,
    # rate; and the parameters, as counted here
    ("medium-350m", 24, 1024, 16, 64, 0.5, 3e-4, 355_871_744),
    ("large-760m", 24, 1536, 16, 96, 0.5, 2.5e-4, 760_300_032),
    ("1.3b", 24, 2048, 24, 128, 1.0, 2e-4, 1_517_123_584),
    ("2.7b", 32, 2560, 32, 80, 1.0, 1.6e-4, 2_651_553_280),
    ("6.7b", 32, 4096, 32, 128, 2.0, 1.2e-4, 6_658_404_352),
    ("13b", 40, 5140, 40, 128, 2.0, 1e-4, 12_936_488_380),
    ("175b", 96, 12_288, 96, 128, 3.2, 0.6e-4, 174_604_259_328),
)


def small_sizes(
    family: str, ancestor: str, shape: Callable[[int, int], dict[str, object]], parameters: Sequence[int]
) -> tuple[Preset, ...]:
    """The small sizes of a decoder, with the parameters of each."""
    counts = dict(zip(SMALL_SIZES, parameters, strict=True))
    return small_presets(family, ancestor, shape, counts, row_length=256)


FAMILIES = (
    Family(
        "gpt1",
        "base",
        (
            Preset("gpt1-base", None, _GPT1, 116_534_784, "post-norm, learned positions (Radford et al. 2018)"),
            *small_sizes("gpt1", "gpt1-base", _small_plain, (4_656_384, 11_678_720, 29_648_896, 42_258_432)),
        ),
    ),
    Family(
        "gpt2",
        "124m",
        (
            Preset("gpt2-124m", "gpt1-base", _GPT2, 124_439_808, "pre-norm (Radford et al. 2019)"),
            Preset(
                "gpt2-355m",
                "gpt2-124m",
                {"model": _gpt(24, 1024, 16), "training": {"learning_rate": 3e-4}},
                354_823_168,
            ),
            Preset(
                "gpt2-774m",
                "gpt2-124m",
                {"model": _gpt(36, 1280, 20), "training": {"learning_rate": 2.5e-4}},
                774_030_080,
            ),
            Preset(
                "gpt2-1.5b",
                "gpt2-124m",
                {"model": _gpt(48, 1600, 25), "training": {"learning_rate": 2e-4}},
                1_557_611_200,
            ),
            *small_sizes("gpt2", "gpt2-124m", _small_plain, (4_722_176, 11_810_304, 29_912_064, 42_521_600)),
        ),
    ),
    Family(
        "gpt3",
        "125m",
        (
            Preset(
                "gpt3-125m",
                "gpt2-124m",
                _GPT3,
                125_226_240,
                "dense and banded attention in turn (Brown et al. 2020); no published class holds it, so its folder is "
                "osnowa's own; the band of 256 is not from the paper",
            ),
            *(
                Preset(
                    f"gpt3-{name.split('-')[-1]}",
                    "gpt3-125m",
                    {
                        "model": _gpt(layers, d_model, heads, d_head),
                        "training": {"learning_rate": rate, "batch_rows": round(batch * 1e6 / 2048)},
                    },
                    parameters,
                )
                for name, layers, d_model, heads, d_head, batch, rate, parameters in _GPT3_SIZES
            ),
            *small_sizes("gpt3", "gpt3-125m", _small_banded, (4_853_248, 12_072_448, 30_436_352, 43_045_888)),
        ),
    ),
)
