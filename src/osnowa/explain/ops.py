"""The operations of the steps in NumPy, on tensors of which some places may be left out: as the page computes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from osnowa.explain.step import Array, Held, Step

LOWEST = float(np.finfo(np.float32).min)
Places = list[Array]
Found = tuple[Places, Array]
"""Along each axis the places that could be computed, and the numbers there."""

_erf = np.vectorize(math.erf, otypes=[np.float64])


def gelu(x: Array) -> Array:
    """x times the share of a normal distribution below x (Hendrycks & Gimpel 2016)."""
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))


def gelu_tanh(x: Array) -> Array:
    """The same with a tanh in the place of the error function."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def silu(x: Array) -> Array:
    """x / (1 + exp(-x)); exp never overflows."""
    return x * 0.5 * (1 + np.tanh(x / 2))


def softmax(x: Array) -> Array:
    """Over the last axis, the largest number taken off first."""
    raised = np.exp(x - x.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


ELEMENTWISE: dict[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "silu": silu,
    "tanh": np.tanh,
}


def evaluate(step: Step, tensors: Mapping[str, Held], wanted: Places) -> Found | None:
    """What can be computed of `step.out` at `wanted` places from what is there; None where nothing can.

    Inputs that are not in `tensors` at all, and operations that need more than their inputs, give None.
    """
    rule = _RULES.get(step.op)
    if rule is None or any(name not in tensors for name in step.inputs):
        return None
    found = rule(step, [tensors[name] for name in step.inputs], wanted)
    return None if found is None or any(len(places) == 0 for places in found[0]) else found


def _both(first: Array, *others: Array) -> Array:
    for other in others:
        first = np.intersect1d(first, other)
    return first


def _along(inputs: list[Held], wanted: Places, whole_last: bool = False) -> Places | None:
    """Places that all inputs have, axis by axis from the last; an input may lack leading axes."""
    last = len(wanted) - 1
    places = list(wanted)
    for each in inputs:
        for axis in range(len(each.shape)):
            target = last - (len(each.shape) - 1 - axis)
            if whole_last and target == last:
                if not each.is_whole(axis):
                    return None
            else:
                places[target] = _both(places[target], each.places(axis))
    return places


def _take(each: Held, places: Places, whole_last: bool = False) -> Array:
    """An input at the places of the output, aligned at the last axis."""
    shift = len(places) - len(each.shape)
    stop = len(each.shape) - (1 if whole_last else 0)
    return each.at({axis: places[axis + shift] for axis in range(stop)})


def _lookup(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    table, rows = inputs[0], np.asarray(step.attrs["rows"])
    there = set(table.places(0).tolist())
    first = np.array([i for i in wanted[0].tolist() if int(rows[i]) in there], dtype=np.int64)
    second = _both(wanted[1], table.places(1))
    index = np.searchsorted(table.places(0), rows[first])
    return [first, second], table.at({1: second})[index]


def _add(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    places = _along(inputs, wanted)
    if places is None:
        return None
    total = _take(inputs[0], places)
    for each in inputs[1:]:
        total = total + _take(each, places)
    return places, total


def _multiply(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    places = _along(inputs, wanted)
    return None if places is None else (places, _take(inputs[0], places) * _take(inputs[1], places))


def _scale(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    places = _along(inputs, wanted)
    return None if places is None else (places, _take(inputs[0], places) * step.attrs["factor"])


def _softcap(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    places, cap = _along(inputs, wanted), step.attrs["cap"]
    return None if places is None else (places, cap * np.tanh(_take(inputs[0], places) / cap))


def _activate(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    places = _along(inputs, wanted)
    return None if places is None else (places, ELEMENTWISE[step.op](_take(inputs[0], places)))


def _normalise(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    places = _along(inputs, wanted, whole_last=True)
    if places is None:
        return None
    x, weight = _take(inputs[0], places, whole_last=True), inputs[1].at({})
    if step.op == "layernorm":
        x = x - x.mean(-1, keepdims=True)
    elif step.attrs["offset"]:
        weight = 1 + weight
    found = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + step.attrs["eps"]) * weight
    if len(inputs) > 2:
        found = found + inputs[2].at({})
    return places, np.take(found, places[-1], axis=-1)


def _softmax(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    places = _along(inputs, wanted, whole_last=True)
    if places is None:
        return None
    return places, np.take(softmax(_take(inputs[0], places, whole_last=True)), places[-1], axis=-1)


def _linear(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    x, weight = inputs[0], inputs[1]
    if not x.is_whole(len(x.shape) - 1) or not weight.is_whole(1):
        return None
    there = weight.places(0) if len(inputs) < 3 else _both(weight.places(0), inputs[2].places(0))
    heads = step.attrs.get("heads")
    if len(x.shape) == 1:
        outputs = _both(wanted[0], there)
        return [outputs], _product(x.at({}), weight, inputs[2:], outputs)
    if not heads:
        rows, outputs = _both(wanted[0], x.places(0)), _both(wanted[1], there)
        return [rows, outputs], _product(x.at({0: rows}), weight, inputs[2:], outputs)
    width = step.shape[2]
    rows, known = _both(wanted[1], x.places(0)), set(there.tolist())
    columns = [c for c in wanted[2].tolist() if all(h * width + c in known for h in wanted[0].tolist())]
    places = [wanted[0], rows, np.array(columns, dtype=np.int64)]
    outputs = (places[0][:, None] * width + places[2][None]).reshape(-1)
    found = _product(x.at({0: rows}), weight, inputs[2:], outputs)
    return places, found.reshape(len(rows), len(places[0]), len(columns)).transpose(1, 0, 2)


def _product(x: Array, weight: Held, bias: list[Held], outputs: Array) -> Array:
    found = x @ weight.at({0: outputs}).T
    return found + bias[0].at({0: outputs}) if bias else found


def _rotate(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    x, cos, sin = inputs
    if not x.is_whole(2):
        return None
    places = [_both(wanted[0], x.places(0)), _both(wanted[1], x.places(1), cos.places(0), sin.places(0)), wanted[2]]
    heads = x.at({0: places[0], 1: places[1]})
    turned = heads * cos.at({0: places[1]}) + np.roll(heads, heads.shape[-1] // 2, -1) * sin.at({0: places[1]})
    return places, np.take(turned, places[2], axis=-1)


def _dot(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    q, k = inputs
    if not q.is_whole(2) or not k.is_whole(2) or not k.is_whole(0):
        return None
    places = [_both(wanted[0], q.places(0)), _both(wanted[1], q.places(1)), _both(wanted[2], k.places(1))]
    queries, keys = q.at({0: places[0], 1: places[1]}), k.at({1: places[2]})[places[0] // step.attrs["group"]]
    return places, queries @ keys.transpose(0, 2, 1)


def _mix(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    weights, v = inputs
    if not weights.is_whole(2) or not v.is_whole(1) or not v.is_whole(0):
        return None
    places = [_both(wanted[0], weights.places(0)), _both(wanted[1], weights.places(1)), _both(wanted[2], v.places(2))]
    values = v.at({2: places[2]})[places[0] // step.attrs["group"]]
    return places, weights.at({0: places[0], 1: places[1]}) @ values


def _mask(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    places = _along(inputs, wanted)
    if places is None:
        return None
    return places, np.where(_take(inputs[1], places) != 0, _take(inputs[0], places), LOWEST)


def _concat(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    x = inputs[0]
    if not x.is_whole(0) or not x.is_whole(2):
        return None
    rows = _both(wanted[0], x.places(1))
    joined = x.at({1: rows}).transpose(1, 0, 2).reshape(len(rows), -1)
    return [rows, wanted[1]], np.take(joined, wanted[1], axis=-1)


def _pick(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    row = np.array([step.attrs["row"]])
    if not len(_both(inputs[0].places(0), row)):
        return None
    places = [_both(wanted[0], inputs[0].places(1))]
    return places, inputs[0].at({0: row, 1: places[0]})[0]


def _relative(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    table, kinds = inputs
    if not table.is_whole(0):
        return None
    places = [_both(wanted[0], table.places(1)), _both(wanted[1], kinds.places(0)), _both(wanted[2], kinds.places(1))]
    chosen = kinds.at({0: places[1], 1: places[2]}).astype(np.int64)
    return places, table.at({1: places[0]})[chosen].transpose(2, 0, 1)


def _total(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    if not inputs[0].is_whole(1):
        return None
    places = [_both(wanted[0], inputs[0].places(0))]
    return places, inputs[0].at({0: places[0]}).sum(-1)


def _nll(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    p, labels = inputs[0], np.asarray(step.attrs["labels"])
    places = [_both(wanted[0], p.places(0))]
    columns = labels[places[0]]
    if len(np.setdiff1d(columns, p.places(1))):
        return None
    rows = p.at({0: places[0]})
    return places, -np.log(rows[np.arange(len(columns)), np.searchsorted(p.places(1), columns)])


def _mean(step: Step, inputs: list[Held], wanted: Places) -> Found | None:
    return (wanted, np.array([inputs[0].at({}).mean()])) if inputs[0].is_whole(0) else None


_RULES: dict[str, Callable[[Step, list[Held], Places], Found | None]] = {
    "lookup": _lookup,
    "add": _add,
    "multiply": _multiply,
    "scale": _scale,
    "softcap": _softcap,
    "layernorm": _normalise,
    "rmsnorm": _normalise,
    "softmax": _softmax,
    "linear": _linear,
    "rotate": _rotate,
    "dot": _dot,
    "mix": _mix,
    "mask": _mask,
    "concat": _concat,
    "pick": _pick,
    "relative": _relative,
    "total": _total,
    "nll": _nll,
    "mean": _mean,
    **dict.fromkeys(ELEMENTWISE, _activate),
}
