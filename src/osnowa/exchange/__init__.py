"""Models as folders that other tools load, and back; the card that tells what a model is."""

from __future__ import annotations

from osnowa.exchange.card import model_card
from osnowa.exchange.families import choose_family, notes_before_training
from osnowa.exchange.notes import Note
from osnowa.exchange.reader import Imported, read_folder
from osnowa.exchange.writer import write_folder

__all__ = ["Imported", "Note", "choose_family", "model_card", "notes_before_training", "read_folder", "write_folder"]
