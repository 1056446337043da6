"""How a tensor of another library's file is made of ours: stacked, turned, one expert of several; and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

MODEL_FILE = "model.safetensors"
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Entry:
    """The tensor `theirs` in `file` holds our tensors one below the other."""

    theirs: str
    ours: tuple[str, ...]
    file: str = MODEL_FILE
    row: bool = False  # a vector of ours is a matrix of one row there
    transposed: bool = False  # a matrix [in, out] there, [out, in] here
    part: int | None = None  # only this one of the matrices that ours has side by side, e.g. one expert
    axis: int = 0  # where our tensors meet

    def shape(self, shapes: Shapes) -> tuple[int, ...]:
        """The shape of `theirs`."""
        parts = self._parts(shapes)
        whole = list(parts[0])
        whole[self.axis] = sum(part[self.axis] for part in parts)
        if self.transposed:
            whole.reverse()
        return (1, *whole) if self.row else tuple(whole)

    def pack(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """`theirs`, made of our tensors."""
        parts = [tensors[name] if self.part is None else tensors[name][self.part] for name in self.ours]
        whole = parts[0] if len(parts) == 1 else torch.cat(parts, self.axis)
        whole = whole.T.contiguous() if self.transposed else whole
        return whole[None] if self.row else whole

    def unpack(self, theirs: Tensor, shapes: Shapes) -> Iterator[tuple[str, Tensor]]:
        """Our tensors by name; with a `part`, that part of each."""
        whole = theirs[0] if self.row else theirs
        whole = whole.T.contiguous() if self.transposed else whole
        sizes = [part[self.axis] for part in self._parts(shapes)]
        if len(sizes) == 1:
            yield self.ours[0], whole
        else:
            for name, part in zip(self.ours, torch.split(whole, sizes, self.axis), strict=True):
                yield name, part.clone()

    def _parts(self, shapes: Shapes) -> list[tuple[int, ...]]:
        return [shapes[name] if self.part is None else shapes[name][1:] for name in self.ours]


def unpack_all(entries: Mapping[str, Entry], theirs: dict[str, Tensor], shapes: Shapes) -> dict[str, Tensor]:
    """All our tensors; `entries` by the keys of `theirs`, which is emptied on the way, so that memory is needed once."""
    ours: dict[str, Tensor] = {}
    for key, entry in entries.items():
        for name, tensor in entry.unpack(theirs.pop(key), shapes):
            if entry.part is None:
                ours[name] = tensor
            else:
                ours.setdefault(name, torch.empty(shapes[name], dtype=tensor.dtype))[entry.part] = tensor
    return {name: ours[name] for name in shapes}
