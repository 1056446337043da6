"""Something long in parts of one size."""

from __future__ import annotations


def even_part(number: int, most: int) -> int:
    """The size of the fewest parts of up to `most` that are all alike but for the last, which may lack a few."""
    parts = max(1, -(-number // most))
    return max(1, -(-number // parts))
