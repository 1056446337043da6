"""A trained model as users hold it: `osnowa.load(...)` and what can be asked of it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from osnowa.errors import DataError, InputMissingError, SettingsError
from osnowa.exchange import read_folder
from osnowa.files import nearest_parent
from osnowa.generate import (
    FillResult,
    Frame,
    GenerateResult,
    GenerationConfig,
    NextSentenceResult,
    Weights,
    embed,
    fill,
    generate,
    make_ready,
    next_sentence,
    stream,
)
from osnowa.model import Layout, ModelConfig, Transformer
from osnowa.tokenizer import Tokenizer
from osnowa.train.precision import has_fast_bfloat16


@dataclass(frozen=True)
class Model:
    """A base model with its tokenizer, in float32 unless `load` was asked for less."""

    transformer: Transformer
    tokenizer: Tokenizer
    folder: Path
    frame: Frame | None = None  # the ids around texts, where they are not those that the tokenizer tells
    masked_head: bool = True  # False: the folder had none, so [MASK] can't be filled
    source_whole: bool = False  # a decoder that was trained to see its source in both directions
    notes: tuple[str, ...] = ()  # what was left out or converted when the folder was read

    @property
    def config(self) -> ModelConfig:
        return self.transformer.config

    @torch.inference_mode()
    def logits(self, tokens: Tensor, segments: Tensor | None = None, target: Tensor | None = None) -> Tensor:
        """[batch, seq, vocab] for ids [batch, seq]; `segments` 0/1 where the model has segment embeddings.

        A decoder's logits at a place are those of the next token. An encoder-decoder reads `tokens` and gives logits
        for `target` [batch, seq], the ids that its decoder is shown.

        Raises:
            SettingsError: a target without an encoder-decoder, or the other way round.
        """
        model, topology = self.transformer, self.config.topology
        if (target is not None) != (topology == "encoder-decoder"):
            what = "needs target=, the ids for its decoder" if target is None else "takes no target="
            instead = "give the target's ids" if target is None else "give tokens alone"
            raise SettingsError("logits", f"a model of topology {topology} {what}", instead)
        layout = Layout.plain(tokens)
        if topology == "decoder":
            return model.head(model.decode(tokens, layout))
        hidden = model.encode(tokens, layout, segments)
        if target is not None:
            hidden = model.decode(target, Layout.plain(target), hidden, layout)
        return model.head(hidden)

    def generate(self, text: str, *, prefix: bool | None = None, **settings: Any) -> GenerateResult:
        """What follows `text`, or for an encoder-decoder what it becomes.

        `settings` are those of `osnowa.generate.GenerationConfig`: max_tokens, temperature, top_k, top_p, min_p,
        repetition_penalty, stop, beams, length_penalty, seed. `prefix`: the decoder was trained to see its prompt in
        both directions; None: as its folder says.

        Raises:
            SettingsError: a wrong setting, or an encoder.
            DataError: more tokens than the model has positions.
        """
        config = GenerationConfig.read("generate", settings)
        (found,) = self._generate([text], config, prefix)
        return found

    def generate_batch(
        self, texts: Sequence[str], *, prefix: bool | None = None, **settings: Any
    ) -> list[GenerateResult]:
        """`generate` for several texts side by side: each as if it were alone, but for its draws."""
        config = GenerationConfig.read("generate", settings)
        return self._generate(texts, config, prefix)

    def stream(
        self, text: str | Sequence[int], *, prefix: bool | None = None, **settings: Any
    ) -> Generator[str, None, GenerateResult]:
        """`generate`, piece by piece; the generator returns the whole. Ids instead of a text are taken as they are."""
        config = GenerationConfig.read("generate", settings)
        whole = self.source_whole if prefix is None else prefix
        return stream(self.transformer, self.tokenizer, self._prompt(text), config, prefix=whole, frame=self.frame)

    def _generate(self, texts: Sequence[str], config: GenerationConfig, prefix: bool | None) -> list[GenerateResult]:
        whole = self.source_whole if prefix is None else prefix
        prompts = [self._prompt(text) for text in texts]
        return generate(self.transformer, self.tokenizer, prompts, config, prefix=whole, frame=self.frame)

    def _prompt(self, text: str | Sequence[int]) -> str | Sequence[int]:
        """A decoder that says a target for a source has learned it as source, end, begin, target."""
        if not self.source_whole or not isinstance(text, str):
            return text
        return [*self.tokenizer.encode(text), self.tokenizer.sep, self.tokenizer.cls]

    def fill(self, text: str, top_k: int = 5) -> FillResult:
        """The best tokens for each [MASK]; see `osnowa.generate.fill`."""
        if not self.masked_head:
            raise SettingsError(
                str(self.folder), "has no masked-token head, so it can't fill [MASK]", "pre-train it first"
            )
        return fill(self.transformer, self.tokenizer, text, top_k)

    def next_sentence(self, first: str, second: str) -> NextSentenceResult:
        """Whether `second` follows `first`; see `osnowa.generate.next_sentence`."""
        return next_sentence(self.transformer, self.tokenizer, first, second)

    def embed(self, texts: Sequence[str]) -> Tensor:
        """[texts, d_model], each of length 1; see `osnowa.generate.embed`."""
        return embed(self.transformer, self.tokenizer, texts)


def find_model_folder(path: Path) -> Path:
    """The model folder that MODEL names: a run folder, its model/ folder, or any Hugging Face folder.

    Raises:
        InputMissingError: nothing there.
        DataError: a run that has no model yet, or a folder of something else.
    """
    if not path.exists():
        raise InputMissingError(str(path), "no such model", nearest_parent(path))
    if (path / "model" / "config.json").is_file():
        return path / "model"
    if (path / "config.json").is_file():
        return path
    if (path / "recipe.toml").is_file():
        raise DataError(str(path), "this run has no model yet", "finish it: run the same pretrain command again")
    raise DataError(str(path), "is not a model folder (no config.json)", "name a run folder or a Hugging Face folder")


def check_weights(weights: str, device: str) -> None:
    """Raises SettingsError: other weights than there are, bfloat16 where it is slow, or whole numbers on a GPU."""
    kinds = get_args(Weights)
    if weights not in kinds:
        known = f"{', '.join(kinds[:-1])} or {kinds[-1]}"
        raise SettingsError(f"weights = {weights}", "no such weights", f"use {known}")
    if weights in ("int8", "int4") and device != "cpu":
        raise SettingsError(f"weights = {weights}", f"are for the processor, not for {device}", "use --device cpu")
    if weights == "bfloat16" and device == "cpu" and not has_fast_bfloat16(torch.device("cpu")):
        raise SettingsError(
            "weights = bfloat16", "this processor does not compute in bfloat16", "use float, int8 or int4"
        )


def load(path: str | Path, device: str = "cpu", weights: Weights = "float") -> Model:
    """A model from a run folder, its model/ folder, or a Hugging Face folder of a known architecture.

    `weights`: "float", in float32 exactly as stored; "bfloat16", two to three digits in half the memory (but for a
    table of tokens that is the vocabulary's matrix, too: a processor keeps both), where the processor computes so;
    "int8" or "int4", rounded to whole numbers of eight bits or, coarser and for long prompts slower, of four, which says
    single tokens faster on a CPU (27 million parameters 1.4 and 1.4 times, 131 million 1.6 and 1.9).

    Raises:
        SettingsError: other weights, bfloat16 on a processor that only emulates it, or whole numbers on a GPU.
        OsnowaError: missing, damaged, or of an architecture that osnowa does not know.
    """
    check_weights(weights, device)
    folder = find_model_folder(Path(path))
    imported = read_folder(folder)
    if imported.tokenizer is None:
        raise DataError(str(folder), "has no tokenizer.json", "add the tokenizer that the model was trained with")
    transformer = Transformer(imported.config)
    transformer.load_state_dict(
        imported.weights, strict=False
    )  # names and shapes were checked; a tied matrix is absent
    make_ready(transformer, weights, device)
    frame = Frame.of(imported.tokenizer, imported.config, imported.ids.start)
    notes = tuple(note.message for note in imported.notes)
    return Model(transformer, imported.tokenizer, folder, frame, imported.masked_head, imported.source_whole, notes)
