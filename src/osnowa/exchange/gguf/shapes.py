"""Which architecture of llama.cpp a model has, or why it has none."""

from __future__ import annotations

from osnowa.errors import SettingsError
from osnowa.exchange.gguf import decoders, encoders
from osnowa.exchange.gguf.shape import Shape
from osnowa.model import ModelConfig

SHAPES: tuple[Shape, ...] = (*encoders.SHAPES, *decoders.SHAPES)


def choose_shape(config: ModelConfig) -> Shape:
    """The architecture that runs a model of this shape as we do.

    Raises:
        SettingsError: none does; says why, or what would have to be otherwise for the nearest.
    """
    if config.topology == "encoder-decoder":
        raise SettingsError(
            "model",
            "is an encoder-decoder, and llama.cpp's server and command line run decoders without their encoder",
            "use --to huggingface",
        )
    misfits = [(shape.misfits(config), shape) for shape in SHAPES]
    wrong, nearest = min(misfits, key=lambda each: len(each[0]))
    if wrong:
        needs = f"the nearest, {nearest.arch} ({nearest.models}), needs {'; '.join(wrong)}"
        raise SettingsError(
            "model", "no architecture of llama.cpp computes this shape", f"{needs}; use --to huggingface"
        )
    return nearest
