"""How tokens become rows."""

from __future__ import annotations

from pydantic import Field

from osnowa.settings import Settings


class DataConfig(Settings):
    """Section [data]."""

    row_length: int = Field(default=128, description="tokens in a row, special ones included", ge=8, le=1_048_576)
