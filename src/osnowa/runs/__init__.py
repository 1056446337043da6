"""The rooms put together: prepare, pretrain, doctor, report."""

from __future__ import annotations
