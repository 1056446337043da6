"""transformers 4.57 compiles parts of one class while it is imported, and torch 2.13 warns of what it uses for that."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import transformers.models.modernbert.modeling_modernbert  # noqa: F401
