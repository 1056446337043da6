"""Linear layers in training: several as one product, with heads apart or an activation inside, learn the same."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from osnowa.model import Layout, heads, linear
from osnowa.model.heads import heads_of, split_heads
from osnowa.model.linear import ACTIVATIONS, Linear, activate
from osnowa.processor import onednn_multiplies_bfloat16
from small_models import learned, random_model, random_rows, shrink

ROWS, LENGTH, WIDTH, HEAD = 3, 5, 8, 4
SIZES = (8, 4, 12)
HAS_BFLOAT16 = onednn_multiplies_bfloat16()
needs_bfloat16 = pytest.mark.skipif(not HAS_BFLOAT16, reason="this processor's library does not multiply bfloat16")


def layers_of(*, bias: bool, dtype: torch.dtype = torch.float64) -> list[Linear]:
    torch.manual_seed(2)
    return [Linear(WIDTH, size, bias=bias, dtype=dtype) for size in SIZES]


def vectors(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(ROWS, LENGTH, WIDTH, generator=torch.Generator().manual_seed(5)).to(dtype).requires_grad_()


@pytest.mark.parametrize("bias", [True, False])
def test_heads_and_gradients_are_those_of_each_layer_by_itself(bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    products: list[tuple[int, ...]] = []
    monkeypatch.setattr(heads, "linear", lambda x, w, b: products.append(tuple(w.shape)) or F.linear(x, w, b))
    layers, x = layers_of(bias=bias), vectors()
    leaves = [x, *(each for layer in layers for each in layer.parameters())]
    found, expected = heads_of(x, layers, HEAD), tuple(split_heads(layer(x), HEAD) for layer in layers)
    assert products == [(sum(SIZES), WIDTH)], "one product for all"
    assert [each.shape for each in found] == [(ROWS, size // HEAD, LENGTH, HEAD) for size in SIZES]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    for one, other in zip(learned(found, leaves), learned(expected, leaves), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("preset", "joined"), [("bert-tiny", [3, 3]), ("llama-tiny", [3, 3]), ("t5-tiny", [3, 3, 4, 3, 3])]
)
def test_it_is_how_models_are_trained(preset: str, joined: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    calls, whole = list[int](), heads._Heads.apply
    monkeypatch.setattr(
        heads._Heads, "apply", lambda x, width, number, *rest: calls.append(number) or whole(x, width, number, *rest)
    )
    model = random_model(shrink(preset)).train()
    tokens, _, _ = random_rows(model.config, rows=2)
    layout = Layout.plain(tokens)
    memory = None
    if model.config.encoder_layers:
        memory = model.encode(tokens, layout)
    if model.config.decoder_layers:
        model.decode(tokens, layout, memory, None if memory is None else layout)
    layers = model.config.encoder_layers + model.config.decoder_layers
    assert layers == 2 or preset == "t5-tiny"
    assert calls == joined


def test_heads_that_nobody_asked_for_have_no_gradient() -> None:
    layers, x = layers_of(bias=True), vectors()
    _, kept, _ = heads_of(x, layers, HEAD)
    kept.sum().backward()
    assert layers[1].weight.grad is not None
    assert layers[1].weight.grad.abs().sum() > 0
    for each in (layers[0], layers[2]):
        assert each.weight.grad is not None
        assert not each.weight.grad.any()


@pytest.mark.parametrize("watch", ["forward", "forward_pre", "full_backward"])
def test_who_watches_a_layer_sees_its_call(watch: str) -> None:
    layers, x, seen = layers_of(bias=True), vectors(), list[str]()
    register = getattr(layers[1], f"register_{watch}_hook")
    register(lambda *_: seen.append(watch))
    torch.cat([each.flatten(1) for each in heads_of(x, layers, HEAD)], 1).sum().backward()
    assert seen == [watch]


def test_without_gradients_and_in_another_kind_of_layer_each_is_called() -> None:
    class Doubled(Linear):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    x, layer = vectors(), Doubled(WIDTH, HEAD, dtype=torch.float64)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            (found,) = heads_of(x, [layer], HEAD)
        torch.testing.assert_close(found, split_heads(2 * F.linear(x, layer.weight, layer.bias), HEAD))


@needs_bfloat16
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("tiles", [True, False])
def test_an_activation_inside_of_the_product_is_the_one_behind_it(
    activation: str, bias: bool, tiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "has_tiles", lambda: tiles)
    torch.manual_seed(3)
    layer, x = Linear(WIDTH, 16, bias=bias, dtype=torch.bfloat16), vectors(torch.bfloat16)
    exact = Linear(WIDTH, 16, bias=bias, dtype=torch.float64)
    exact.load_state_dict(layer.state_dict())
    wide = x.detach().double().requires_grad_()
    found, expected = activate(x, layer, activation), ACTIVATIONS[activation](exact(wide))
    inside = activation == "relu" or (activation == "gelu_tanh" and tiles)  # whose product is dear is not made again
    assert ("_Product" in str(found.grad_fn)) == inside
    torch.testing.assert_close(found.double(), expected, rtol=2**-8 if inside else 2**-6, atol=2**-8)
    gradients = learned((found,), [x, *layer.parameters()]), learned((expected,), [wide, *exact.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert float((one.double() - other).norm() / other.norm()) < 2**-6


@needs_bfloat16
def test_who_watches_what_is_bent_sees_it() -> None:
    layer, x, seen = Linear(WIDTH, 16, dtype=torch.bfloat16), vectors(torch.bfloat16), list[Tensor]()
    layer.register_forward_hook(lambda _module, _given, found: seen.append(found.detach().clone()))
    found = activate(x, layer, "relu")
    assert len(seen) == 1
    assert torch.equal(found, F.relu(seen[0]))


def test_other_numbers_take_the_librarys_way() -> None:
    layer, x = Linear(WIDTH, 16, dtype=torch.float64), vectors()
    found = activate(x, layer, "relu")
    assert "_Product" not in str(found.grad_fn)
    assert torch.equal(found, F.relu(layer(x)))


@needs_bfloat16
def test_a_bias_is_added_before_anything_is_rounded() -> None:
    x, weight = torch.ones(1, 2, dtype=torch.bfloat16), torch.tensor([[1.0, 2**-7]], dtype=torch.bfloat16)
    bias = torch.tensor(
        [2**-9 + 2**-8], dtype=torch.bfloat16
    )  # 1 + 2^-7 + 3 x 2^-9 lies above the middle of two numbers
    assert float(linear.linear(x, weight, bias)) == 1 + 2**-6
    big, small = torch.tensor([[256.0, 1.0]], dtype=torch.bfloat16), torch.tensor([1.0], dtype=torch.bfloat16)
    assert float(linear.linear(torch.ones(1, 2, dtype=torch.bfloat16), big, small)) == 258.0, "rounded in between: 256"


@needs_bfloat16
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_is_the_very_function_and_slope_where_the_kinds_of_gelu_part(activation: str) -> None:
    """At -3 they are a tenth apart."""
    x = torch.tensor([[-3.25, -3.0, -2.5, -1.0, 0.5, 3.0]], dtype=torch.bfloat16).T.contiguous().requires_grad_()
    layer = Linear(1, 1, bias=False, dtype=torch.bfloat16)
    nn.init.ones_(layer.weight)
    wide = x.detach().double().requires_grad_()
    found, expected = activate(x, layer, activation), ACTIVATIONS[activation](wide)
    torch.testing.assert_close(found.double(), expected, rtol=2**-7, atol=0)
    (slope,), (true,) = torch.autograd.grad(found.sum(), x), torch.autograd.grad(expected.sum(), wide)
    torch.testing.assert_close(slope.double(), true, rtol=2**-7, atol=0)


@needs_bfloat16
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_in_bfloat16_learns_what_it_learns_exactly(bias: bool) -> None:
    torch.manual_seed(3)
    layer, x = Linear(WIDTH, 16, bias=bias, dtype=torch.bfloat16), vectors(torch.bfloat16)
    exact, wide = nn.Linear(WIDTH, 16, bias=bias, dtype=torch.float64), x.detach().double().requires_grad_()
    exact.load_state_dict(layer.state_dict())
    found, expected = layer(x), exact(wide)
    torch.testing.assert_close(found.double(), expected, rtol=2**-8, atol=2**-8)
    gradients = learned((found,), [x, *layer.parameters()]), learned((expected,), [wide, *exact.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert float((one.double() - other).norm() / other.norm()) < 2**-7


@needs_bfloat16
@pytest.mark.parametrize("frozen", ["x", "weight", "bias"])
def test_what_is_not_trained_gets_no_gradient_and_the_rest_its_own(frozen: str) -> None:
    def gradients(leave_out: str) -> dict[str, Tensor | None]:
        torch.manual_seed(3)
        x, one = vectors(torch.bfloat16), Linear(WIDTH, WIDTH, dtype=torch.bfloat16)
        joined = [Linear(WIDTH, size, dtype=torch.bfloat16) for size in SIZES]
        x.requires_grad_(leave_out != "x")
        for layer in (one, *joined):
            for name, parameter in layer.named_parameters():
                parameter.requires_grad_(name != leave_out)
        made = (one(x), *heads_of(x, joined, HEAD))
        torch.cat([each.flatten() for each in made]).float().sin().sum().backward()
        every = {
            f"{i}.{name}": each for i, layer in enumerate((one, *joined)) for name, each in layer.named_parameters()
        }
        return {name: each.grad for name, each in {"x": x, **every}.items()}

    whole, found = gradients("nothing"), gradients(frozen)
    assert {name for name, each in found.items() if each is None} == {name for name in whole if name.endswith(frozen)}
    for name, each in found.items():
        expected = whole[name]
        assert expected is not None
        assert each is None or torch.equal(each, expected), name


@needs_bfloat16
def test_rows_that_one_thread_would_get_alone_are_multiplied_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    layer, x = Linear(WIDTH, WIDTH, dtype=torch.bfloat16), vectors(torch.bfloat16)

    def step() -> tuple[Tensor, ...]:
        found = layer(x)
        return (found, *learned((found,), [x, *layer.parameters()]))

    whole, sizes, plain = step(), list[int](), F.linear
    monkeypatch.setattr(linear, "has_tiles", lambda: True)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    for name, value in (("_ROWS", range(14, 16)), ("_INPUTS", WIDTH), ("_OUTPUTS", range(WIDTH, 9)), ("_PART", 4)):
        monkeypatch.setattr(linear, name, value)
    monkeypatch.setattr(linear.F, "linear", lambda rows, *rest: sizes.append(len(rows)) or plain(rows, *rest))
    for one, other in zip(step(), whole, strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, rtol=2**-7, atol=2**-7)
    linear.linear(x.detach(), layer.weight, None)
    assert sizes == [4, 4, 4, 3]
    for threads, rows in ((1, 15), (3, 15), (2, 13)):
        sizes.clear()
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        linear.linear(x.detach().flatten(0, 1)[:rows], layer.weight, None)
        assert sizes == [rows]


@needs_bfloat16
@pytest.mark.parametrize("number", [0, 1, 15])
def test_gradients_of_weights_stay_the_same_where_their_left_side_is_turned_beforehand(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(linear, "has_tiles", lambda: True)
    monkeypatch.setattr(linear, "_NARROW", 4)
    both = torch.randn(number, 8, generator=torch.Generator().manual_seed(1)).bfloat16()
    for rows, inputs, laid_out in (
        (both[:, :4].contiguous(), 8, True),
        (both[:, 2:6], 9, True),  # a part of wider rows
        (both[:, :4].contiguous(), 7, False),
        (both[:, :3].contiguous(), 8, False),
        (both[:, :4].float(), 8, False),
    ):
        found = linear._turned(rows, inputs)
        assert torch.equal(found, rows.t())
        assert found.is_contiguous() == laid_out or number < 2
    layer = Linear(16, 4, dtype=torch.bfloat16)
    x = torch.randn(number, 16, dtype=torch.bfloat16)
    layer(x).backward(both[:, :4])
    assert layer.weight.grad is not None
    torch.testing.assert_close(layer.weight.grad.float(), both[:, :4].float().t() @ x.float(), rtol=2**-7, atol=2**-7)


@needs_bfloat16
@pytest.mark.parametrize("shape", [(0, WIDTH), (2, 0, WIDTH)])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_nothing_asked_is_nothing_made_and_nothing_learned(shape: tuple[int, ...], activation: str) -> None:
    layer, x = Linear(WIDTH, 16, dtype=torch.bfloat16), torch.zeros(shape, dtype=torch.bfloat16, requires_grad=True)
    found = activate(x, layer, activation)
    assert found.shape == (*shape[:-1], 16)
    found.sum().backward()
    assert layer.weight.grad is not None
    assert not layer.weight.grad.any()
