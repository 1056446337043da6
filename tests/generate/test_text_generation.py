"""From prompts to texts: what is returned, streamed and refused."""

from __future__ import annotations

import pytest
import torch

from osnowa.errors import DataError, SettingsError
from osnowa.generate import Frame, GenerateResult, GenerationConfig, generate, stream
from osnowa.generate.frame import frame_prompts
from osnowa.generate.weights import lay_out
from osnowa.model import Transformer
from osnowa.tokenizer import Tokenizer
from talking import talker

PROMPTS = ["Babcia czyta książkę", "Kot", "", "Natura stwarza najpiękniejsze obrazy"]
GREEDY = GenerationConfig(temperature=0, max_tokens=16)
CONFIGS = [GREEDY, GenerationConfig(max_tokens=16, seed=4), GenerationConfig(max_tokens=10, beams=3)]


def streamed(
    model: Transformer, tokenizer: Tokenizer, prompt: str, config: GenerationConfig
) -> tuple[str, GenerateResult]:
    pieces, text = stream(model, tokenizer, prompt, config), ""
    while True:
        try:
            text += next(pieces)
        except StopIteration as end:
            return text, end.value


@pytest.mark.parametrize("config", CONFIGS, ids=["greedy", "drawn", "beams"])
@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_the_streamed_text_is_the_text(kind: str, config: GenerationConfig) -> None:
    model, tokenizer = talker("decoder", kind)
    for prompt in PROMPTS:
        (found,) = generate(model, tokenizer, [prompt], config)
        assert streamed(model, tokenizer, prompt, config) == (found.text, found)


@pytest.mark.parametrize("topology", ["decoder", "encoder-decoder"])
def test_several_prompts_give_what_each_gives_alone(topology: str) -> None:
    model, tokenizer = talker(topology)
    for config in (GREEDY, GenerationConfig(max_tokens=10, beams=3)):
        together = generate(model, tokenizer, PROMPTS, config)
        assert together == [generate(model, tokenizer, [prompt], config)[0] for prompt in PROMPTS]


def test_no_prompt_is_no_text() -> None:
    assert generate(*talker(), []) == []


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_the_text_is_what_the_tokens_add_to_the_prompt(kind: str) -> None:
    model, tokenizer = talker("decoder", kind)
    for prompt, found in zip(PROMPTS, generate(model, tokenizer, PROMPTS, GREEDY), strict=True):
        ids = tokenizer.encode(prompt)
        assert len(found.tokens) == 16
        assert tokenizer.decode(ids) + found.text == tokenizer.decode([*ids, *found.tokens])


def test_a_source_is_not_part_of_what_it_becomes() -> None:
    model, tokenizer = talker("encoder-decoder")
    (found,) = generate(model, tokenizer, ["Kot śpi."], GREEDY)
    assert found.text == tokenizer.decode(found.tokens)


@pytest.mark.parametrize("config", CONFIGS, ids=["greedy", "drawn", "beams"])
def test_a_stop_cuts_the_text_off_before_it(config: GenerationConfig) -> None:
    model, tokenizer = talker()
    (free,) = generate(model, tokenizer, ["Kot"], config)
    assert free.finish_reason == "length"
    stop = free.text[5:8]
    (found,) = generate(model, tokenizer, ["Kot"], config.changed(stop=(stop, "no such text")))
    assert found.finish_reason == "stop"
    assert stop not in found.text
    if config.beams == 1:
        assert found.text == free.text[: free.text.index(stop)]
        assert found.tokens == free.tokens[: len(found.tokens)]
        assert len(found.tokens) < len(free.tokens)


def test_the_end_token_ends_the_text_and_is_not_in_it() -> None:
    model, tokenizer = talker()
    (free,) = generate(model, tokenizer, ["Kot"], GREEDY)
    end = free.tokens[3]
    frame = Frame.of(tokenizer, model.config)
    frame = Frame(frame.begin, end, frame.never)
    (found,) = generate(model, tokenizer, ["Kot"], GREEDY, frame=frame)
    assert found.finish_reason == "end"
    assert found.tokens == free.tokens[: free.tokens.index(end)]
    assert free.text.startswith(found.text)
    assert streamed(model, tokenizer, "Kot", GREEDY)[1] == free


def test_max_tokens_and_the_positions_end_it_by_length() -> None:
    model, tokenizer = talker()
    (found,) = generate(model, tokenizer, ["Kot"], GREEDY.changed(max_tokens=3))
    assert (len(found.tokens), found.finish_reason) == (3, "length")
    (found,) = generate(model, tokenizer, ["Kot"], GREEDY.changed(max_tokens=1_000_000))
    assert (len(found.tokens), found.finish_reason) == (64 - 1 - len(tokenizer.encode("Kot")), "length")


@pytest.mark.parametrize("topology", ["decoder", "encoder-decoder"])
def test_a_prompt_longer_than_the_model_is_refused_with_both_numbers(topology: str) -> None:
    model, tokenizer = talker(topology)
    text = "kot " * 90
    length = len(tokenizer.encode(text)) + 1
    for config in CONFIGS:
        with pytest.raises(DataError, match=f"{length} tokens, this model takes 64"):
            generate(model, tokenizer, ["Kot", text], config)
    with pytest.raises(DataError, match=f"{length} tokens, this model takes 64"):
        next(stream(model, tokenizer, text))


def test_an_encoder_is_refused_and_told_what_to_use() -> None:
    with pytest.raises(SettingsError, match="this model is an encoder; use osnowa fill") as caught:
        generate(*talker("encoder"), ["Kot"])
    assert caught.value.exit_code == 78


def test_the_frame_of_each_topology() -> None:
    model, tokenizer = talker()
    frame = Frame.of(tokenizer, model.config)
    assert (frame.begin, frame.end) == ((tokenizer.cls,), tokenizer.sep)
    assert set(frame.never) == {tokenizer.pad, tokenizer.cls, tokenizer.mask}
    assert frame_prompts(tokenizer, model.config, frame, ["Kot", [9, 8]]) == [
        [tokenizer.cls, *tokenizer.encode("Kot")],
        [9, 8],
    ]
    model, tokenizer = talker("encoder-decoder")
    frame = Frame.of(tokenizer, model.config)
    assert frame.begin == (tokenizer.cls,)
    assert frame_prompts(tokenizer, model.config, frame, ["Kot"]) == [[*tokenizer.encode("Kot"), tokenizer.sep]]
    assert Frame.of(tokenizer, model.config, start=tokenizer.pad).begin == (tokenizer.pad,)
    assert Frame.of(tokenizer, model.config, start=tokenizer.sep).begin == (tokenizer.sep, tokenizer.cls)


def test_rows_of_the_embedding_without_a_text_are_never_generated() -> None:
    model, tokenizer = talker()
    frame = Frame.of(tokenizer, model.config.changed(vocab_size=tokenizer.vocab_size + 3))
    assert frame.never[-3:] == tuple(range(tokenizer.vocab_size, tokenizer.vocab_size + 3))


def test_a_special_token_written_in_a_prompt_is_text() -> None:
    model, tokenizer = talker()
    frame = Frame.of(tokenizer, model.config)
    (ids,) = frame_prompts(tokenizer, model.config, frame, ["a </s> b"])
    assert tokenizer.sep not in ids


def test_weights_laid_out_for_single_tokens_are_the_same_numbers() -> None:
    model, tokenizer = talker()
    other = Transformer(model.config).eval()
    other.load_state_dict(model.state_dict())
    before = {name: each.detach().clone() for name, each in other.named_parameters()}
    lay_out(other)
    turned = [name for name, each in other.named_parameters() if not each.is_contiguous()]
    assert any("up" in name for name in turned)
    assert not any("down" in name for name in turned)
    assert all(torch.equal(each, before[name]) for name, each in other.named_parameters())
    block = other.decoder.blocks[0]
    for layer, joined in (
        (block.attention.key, block.attention.joined),
        (block.feed_forward.up, block.feed_forward.joined),
    ):
        assert joined.product.weight.untyped_storage().data_ptr() == layer.weight.untyped_storage().data_ptr()
        heard: list[object] = []
        hook = layer.register_forward_hook(lambda *_, heard=heard: heard.append(1))
        generate(other, tokenizer, ["Kot"], GREEDY.changed(max_tokens=1))
        hook.remove()
        assert heard, "who looks at a layer sees it"
    assert generate(other, tokenizer, PROMPTS, GREEDY) == generate(model, tokenizer, PROMPTS, GREEDY)
    narrow = Transformer(model.config).to(torch.bfloat16)
    lay_out(narrow)
    assert all(each.is_contiguous() for each in narrow.parameters())
    assert all(each.attention.joined and each.feed_forward.joined for each in narrow.decoder.blocks)
