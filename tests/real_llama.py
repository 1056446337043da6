"""The real llama.cpp, from the wheel xllamacpp, as the tests ask it."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import xllamacpp


class LlamaCpp:
    """A server in this process with one GGUF file: one thread, everything it remembers in float32."""

    def __init__(self, path: Path, *, context: int = 0, pooling: str | None = None) -> None:
        """`context`: longest row, 0: what the file says; `pooling`: "mean" or "cls", for vectors."""
        options = xllamacpp.CommonParams()
        options.model.path = str(path)
        options.n_ctx, options.cpuparams.n_threads, options.n_parallel, options.verbosity = context, 1, 1, 0
        options.warmup = options.fit_params = False
        options.cache_type_k = options.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        options.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        if pooling is not None:
            options.embedding = True
            options.pooling_type = xllamacpp.llama_pooling_type[f"LLAMA_POOLING_TYPE_{pooling.upper()}"]
        options.endpoint_slots = True
        self.server = xllamacpp.Server(options)
        # The answer comes out of the server's main loop. A server that is dropped before its loop runs never ends: it
        # is told to stop first, then the loop begins, and its owner waits for good.
        with urllib.request.urlopen(self.server.listening_address + "/slots", timeout=60) as slots:
            assert len(json.load(slots)) == 1

    def ask(self, way: str, question: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self.server.listening_address + way, json.dumps(question).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def ids(self, text: str, *, framed: bool = False) -> list[int]:
        """`framed`: with what the file puts around a text. Special tokens in the text are text."""
        question = {"content": text, "add_special": framed, "parse_special": False}
        return list(self.ask("/tokenize", question)["tokens"])

    def greedy(self, prompt: str, count: int) -> tuple[list[int], list[tuple[int, dict[int, float]]], str]:
        """The likeliest tokens after `prompt`; (place, natural logarithms of the best 5 there) of some; their text.

        The server tells no probabilities for a token that ends within a character, and not which ones it left out: only
        those of tokens that appear once can be told apart.
        """
        question = {"prompt": prompt, "n_predict": count, "temperature": 0, "samplers": ["top_k"], "top_k": 1}
        answer = self.ask("/completion", {**question, "return_tokens": True, "n_probs": 5, "cache_prompt": False})
        tokens = list(answer["tokens"])
        best = [
            (tokens.index(told["id"]), {each["id"]: each["logprob"] for each in told["top_logprobs"]})
            for told in answer.get("completion_probabilities", ())
            if tokens.count(told["id"]) == 1
        ]
        return tokens, best, answer["content"]

    def vector(self, text: str) -> list[float]:
        """Of length 1."""
        found: list[float] = self.ask("/v1/embeddings", {"input": text})["data"][0]["embedding"]
        return found
