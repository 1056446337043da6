"""The keys of a foreign config.json as typed questions: each wrong answer and each unused key is remembered."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TypeVar

from osnowa.errors import DataError
from osnowa.exchange.notes import Note

T = TypeVar("T")
_LONGEST_SHOWN = 60  # characters of a wrong value
_LARGEST = 1e308  # NaN and infinity are not below it, nor whole numbers that no float can hold
# Keys that change nothing about the numbers a model computes.
_QUIET = frozenset(
    [
        "_name_or_path",
        "_sliding_window_pattern",
        "architectures",
        "bad_words_ids",
        "bos_token_id",
        "cache_implementation",
        "chunk_size_feed_forward",
        "classif_dropout",
        "classifier_dropout",
        "classifier_pooling",
        "cls_token_id",
        "decoder_start_token_id",
        "deterministic_flash_attn",
        "directionality",
        "dtype",
        "early_stopping",
        "eos_token_id",
        "force_bos_token_to_be_generated",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "gradient_checkpointing",
        "id2label",
        "init_std",
        "initializer_cutoff_factor",
        "initializer_factor",
        "initializer_range",
        "is_encoder_decoder",
        "label2id",
        "language",
        "length_penalty",
        "mask_token_id",
        "max_length",
        "min_length",
        "model_type",
        "n_ctx",
        "no_repeat_ngram_size",
        "num_beams",
        "num_labels",
        "output_attentions",
        "output_hidden_states",
        "output_past",
        "output_router_logits",
        "pad_token_id",
        "pooler_fc_size",
        "pooler_num_attention_heads",
        "pooler_num_fc_layers",
        "pooler_size_per_head",
        "pooler_type",
        "predict_special_tokens",
        "prefix",
        "pretraining_tp",
        "problem_type",
        "reference_compile",
        "reorder_and_upcast_attn",
        "repad_logits_with_grad",
        "return_dict",
        "sep_token_id",
        "sparse_pred_ignore_index",
        "sparse_prediction",
        "summary_activation",
        "summary_first_dropout",
        "summary_proj_to_labels",
        "summary_type",
        "summary_use_proj",
        "task_specific_params",
        "tokenizer_class",
        "torch_dtype",
        "transformers_version",
        "unk_token_id",
        "use_cache",
    ]
)


class Keys:
    """An allow-list: only keys that somebody asks for count. No value of theirs ever names code, a path or an address."""

    def __init__(self, values: Mapping[str, object], where: str) -> None:
        self.values, self.where = values, where
        self.asked: set[str] = set()
        self.errors: list[str] = []

    def _take(self, key: str, default: object) -> object:
        self.asked.add(key)
        value = self.values.get(key)
        return default if value is None else value

    def _wrong(self, key: str, value: object, wanted: str) -> None:
        text = repr(value)
        self.errors.append(
            f"{key} = {text[:_LONGEST_SHOWN]}, not {wanted}" if value is not None else f"{key} is missing"
        )

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number from 0."""
        value = self._take(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
            return value
        self._wrong(key, value, "a whole number")
        return 0

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number."""
        value = self._take(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST:
            return float(value)
        self._wrong(key, value, "a number")
        return 0.0

    def whole_or_none(self, key: str, default: int | None = None) -> int | None:
        """A whole number, or null, which is not the same as no such key."""
        if key in self.values and self.values[key] is None:
            self.asked.add(key)
            return None
        return None if default is None and key not in self.values else self.whole(key, default)

    def number_or_none(self, key: str, default: float | None = None) -> float | None:
        """A number, or null, which is not the same as no such key."""
        if key in self.values and self.values[key] is None:
            self.asked.add(key)
            return None
        return None if default is None and key not in self.values else self.number(key, default)

    def token_id(self, key: str, below: int) -> int | None:
        """The id of a token, the first where there are several; None where there is none, or none in the vocabulary."""
        value = self._take(key, None)
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, int) and not isinstance(first, bool):
            return first if 0 <= first < below else None
        if first is not None:
            self._wrong(key, value, "the id of a token")
        return None

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._take(key, default)
        if isinstance(value, bool):
            return value
        self._wrong(key, value, "true or false")
        return default

    def choice(self, key: str, table: Mapping[str, T], default: str) -> T:
        """What `table` says about a word."""
        value = self._take(key, default)
        if isinstance(value, str) and value in table:
            return table[value]
        self._wrong(key, value, "one of " + ", ".join(table))
        return table[default]

    def words(self, key: str, choices: Collection[str]) -> list[str] | None:
        """A list of words of `choices`, or None where the key is not there."""
        value = self._take(key, None)
        if value is None:
            return None
        if isinstance(value, list) and all(isinstance(each, str) and each in choices for each in value):
            return value
        self._wrong(key, value, "a list of " + " and ".join(choices))
        return None

    def inner(self, key: str) -> Keys:
        """The keys of an object inside; empty where it is not there. Its errors are ours."""
        value = self._take(key, {})
        if not isinstance(value, Mapping):
            self._wrong(key, value, "an object")
            value = {}
        inner = Keys(value, self.where)
        inner.errors = self.errors
        return inner

    def must_be(self, key: str, *allowed: object) -> None:
        """The key may be missing, or say what we can do."""
        value = self._take(key, allowed[0])
        if not any(value == each and type(value) is type(each) for each in allowed):
            self._wrong(key, value, f"{json.dumps(allowed[0])}, the only one that osnowa has")

    def check(self) -> None:
        """Raises DataError: all wrong answers at once."""
        if self.errors:
            raise DataError(self.where, "; ".join(self.errors), "this folder can't be read")

    def notes(self) -> list[Note]:
        """The keys that nobody asked for and that are not known to be harmless."""
        unknown = tuple(sorted(self.values.keys() - self.asked - _QUIET))
        if not unknown:
            return []
        return [Note("unknown-keys", f"{self.where}: keys that osnowa does not know were not used", unknown)]
