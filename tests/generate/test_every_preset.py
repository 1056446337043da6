"""Every preset with a decoder generates: one token at a time, batched, laid out for it, as from one look at the whole."""

from __future__ import annotations

import pytest
import torch

from osnowa.generate.decode import Decoder
from osnowa.generate.frame import Frame
from osnowa.generate.weights import lay_out
from osnowa.model import Layout, ModelConfig
from osnowa.runs.presets import FAMILIES
from small_models import VOCABULARY, random_model, shrink

SHAPES: dict[str, ModelConfig] = {
    preset.name: shrink(preset.name)
    for family in FAMILIES.values()
    for preset in (family.presets[0], family.presets[-1])
    if shrink(preset.name).decoder_layers
}
STEPS = 5


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
@torch.no_grad()
def test_one_token_at_a_time_is_the_whole_at_once(config: ModelConfig) -> None:
    model = random_model(config)
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randint(5, VOCABULARY, (length,), generator=generator).tolist() for length in (9, 3, 12)]
    said = torch.randint(5, VOCABULARY, (3, STEPS), generator=generator)
    expected = []
    for row, more in zip(rows, said, strict=True):
        shown = torch.tensor([row])
        if config.topology == "encoder-decoder":
            target = torch.cat((torch.tensor([[1]]), more[None]), 1)
            memory = model.encode(shown, Layout.plain(shown))
            hidden = model.decode(target, Layout.plain(target), memory, Layout.plain(shown))
        else:
            shown = torch.cat((shown, more[None]), 1)
            hidden = model.decode(shown, Layout.plain(shown))
        expected.append(model.head(hidden)[0, -STEPS - 1 :])
    lay_out(model)
    decoder = Decoder(model, rows, Frame((1,), 2, ()), most=STEPS + 1)
    found = [decoder.begin(), *(decoder.read(said[:, step : step + 1]) for step in range(STEPS))]
    torch.testing.assert_close(torch.stack(found, 1), torch.stack(expected), rtol=1e-9, atol=1e-9)
