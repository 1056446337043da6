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
    """

    exit_code: int = 1

    def __init__(self, where: str, what: str, instead: str = "") -> None:
        self.where, self.what, self.instead = where, what, instead
        super().__init__(f"{where}: {what}" + (f"; {instead}" if instead else ""))

    def __reduce__(self) -> tuple[type[OsnowaError], tuple[str, str, str]]:
        return type(self), (self.where, self.what, self.instead)


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

    @classmethod
    def join(cls, errors: list[SettingsError]) -> SettingsError:
        """All of `errors` as one, each on a line of its own."""
        assert errors, "join needs at least one error"
        if len(errors) == 1:
            return errors[0]
        joined = cls(f"{len(errors)} settings", "can't work", "\n".join(["", *(f"  {error}" for error in errors)]))
        return joined


class InterruptedRun(OsnowaError):
    """SIGINT or SIGTERM, after a checkpoint was saved. `signal_number` decides 130 or 143."""

    exit_code = 130

    def __init__(self, where: str, what: str, instead: str = "", *, signal_number: int = 2) -> None:
        super().__init__(where, what, instead)
        self.exit_code = 128 + signal_number
