"""Something long in parts of one size."""

from __future__ import annotations

import pytest

from osnowa.model.parts import even_part


@pytest.mark.parametrize(
    ("number", "most", "expected"), [(32_768, 10_672, 8_192), (9, 4, 3), (10, 4, 4), (8, 4, 4), (5, 9, 5), (0, 9, 1)]
)
def test_there_are_as_few_parts_as_fit_and_they_are_nearly_alike(number: int, most: int, expected: int) -> None:
    assert even_part(number, most) == expected
