"""What can go wrong, as a tree; each branch carries the exit code of the command line.

OsnowaError                 anything a user can cause or should be told in one line
├── UsageError          2   the command line itself makes no sense
├── DataError          65   the input was read and is not fit for use
│   └── DamagedError   65   a file of ours does not match its checksum
├── InputMissingError  66   a path or stream is not there or can't be read
├── BusyError          69   another run works in this folder
├── CannotCreateError  73   a target folder or file can't be made
├── StorageError       74   reading or writing failed (disk full, I/O error)
├── StoppedError       75   saved and stopped: the same command goes on
├── SettingsError      78   the settings, or what was asked of this model, can't work
└── InterruptedRun    130   stopped by the user after saving (143 for SIGTERM)
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

__all__ = [
    "BusyError",
    "CannotCreateError",
    "DamagedError",
    "DataError",
    "InputMissingError",
    "InterruptedRun",
    "OsnowaError",
    "SettingsError",
    "StoppedError",
    "StorageError",
    "UsageError",
]


class OsnowaError(Exception):
    """An error in three parts: where it is, what is wrong, what to do instead.

    >>> str(SettingsError("model.num_heads = 6", "does not divide model.d_model = 128", "use 1, 2, 4, 8"))
    'model.num_heads = 6: does not divide model.d_model = 128; use 1, 2, 4, 8'

    The message is one line that any terminal can print: a line break or an escape sequence in a file's name, or bytes
    of it that are not UTF-8, stand there as escapes. The three parts are kept as they were given.
    """

    exit_code: int = 1

    def __init__(self, where: str, what: str, instead: str = "") -> None:
        self.where, self.what, self.instead = where, what, instead
        super().__init__(self.message())

    def message(self) -> str:
        """The three parts as one line."""
        return printable(f"{self.where}: {self.what}" + (f"; {self.instead}" if self.instead else ""))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.where, self.what, self.instead)


def printable(text: str) -> str:
    """`text` with control characters and halves of surrogates as escapes."""
    return "".join(ascii(c)[1:-1] if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in text)


class UsageError(OsnowaError):
    exit_code = 2


class DataError(OsnowaError):
    exit_code = 65


class DamagedError(DataError):
    """A file does not match the size or checksum in its manifest."""


class InputMissingError(OsnowaError):
    exit_code = 66


class BusyError(OsnowaError):
    exit_code = 69


class CannotCreateError(OsnowaError):
    exit_code = 73


class StorageError(OsnowaError):
    exit_code = 74


class StoppedError(OsnowaError):
    exit_code = 75


class SettingsError(OsnowaError):
    """Wrong settings; several are joined, one a line, so that all are seen at once."""

    exit_code = 78

    def __init__(self, where: str, what: str, instead: str = "", *, parts: Sequence[SettingsError] = ()) -> None:
        self._joined = tuple(parts)
        super().__init__(where, what, instead)

    @property
    def parts(self) -> tuple[SettingsError, ...]:
        """The errors that were joined, or this one."""
        return self._joined or (self,)

    def message(self) -> str:
        """One line for each of the errors that were joined."""
        if not self._joined:
            return super().message()
        return f"{self.where}: {self.what}:" + "".join(f"\n  {part}" for part in self.parts)

    @classmethod
    def join(cls, errors: Sequence[SettingsError]) -> SettingsError:
        """All of `errors` as one, each on a line of its own; what was joined before is joined anew."""
        assert errors, "join needs at least one error"
        parts = [part for error in errors for part in error.parts]
        if len(parts) == 1:
            return parts[0]
        return cls(f"{len(parts)} settings", "can't work", "; ".join(str(part) for part in parts), parts=parts)

    def __reduce__(self) -> tuple[object, ...]:
        return (SettingsError.join, (self._joined,)) if self._joined else super().__reduce__()


class InterruptedRun(OsnowaError):  # noqa: N818 - the user's wish, not an error
    """SIGINT or SIGTERM, after a checkpoint was saved. `signal_number` decides 130 or 143."""

    exit_code = 130

    def __init__(self, where: str, what: str, instead: str = "", *, signal_number: int = 2) -> None:
        super().__init__(where, what, instead)
        self.exit_code = 128 + signal_number

    def __reduce__(self) -> tuple[object, ...]:
        return (*super().__reduce__(), {"exit_code": self.exit_code})
