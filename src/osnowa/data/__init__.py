"""Ids on disk, the order they are shown in, and rows as a type."""

from __future__ import annotations

from osnowa.data.batch import Place, Rows, RowSequence
from osnowa.data.plan import IS_NEXT, NOT_ASKED, NOT_NEXT, Accounting, Plan, Room, Samples, Shape, make_plan
from osnowa.data.store import TokenSplit, TokenStore

__all__ = [
    "IS_NEXT",
    "NOT_ASKED",
    "NOT_NEXT",
    "Accounting",
    "Place",
    "Plan",
    "Room",
    "RowSequence",
    "Rows",
    "Samples",
    "Shape",
    "TokenSplit",
    "TokenStore",
    "make_plan",
]
