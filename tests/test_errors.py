"""The tree of errors: exit codes, three parts, one line that any terminal can print."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

from osnowa import errors
from osnowa.errors import InterruptedRun, OsnowaError, SettingsError

CLASSES = [thing for _, thing in inspect.getmembers(errors, inspect.isclass) if thing.__module__ == errors.__name__]
CODES = {
    "OsnowaError": 1,
    "UsageError": 2,
    "DataError": 65,
    "DamagedError": 65,
    "InputMissingError": 66,
    "BusyError": 69,
    "CannotCreateError": 73,
    "StorageError": 74,
    "StoppedError": 75,
    "SettingsError": 78,
    "InterruptedRun": 130,
}


def test_every_class_is_in_the_contract_with_its_exit_code() -> None:
    assert {cls.__name__: cls("a", "b").exit_code for cls in CLASSES} == CODES
    assert sorted(errors.__all__) == sorted(CODES)


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn = dict(re.findall(r"^[│ ]*[├└]── (\w+) +(\d+) ", errors.__doc__ or "", re.MULTILINE))
    assert {name: int(code) for name, code in drawn.items()} == {k: v for k, v in CODES.items() if v != 1}
    children = re.findall(r"^│   └── (\w+)", errors.__doc__ or "", re.MULTILINE)
    nested = [cls.__name__ for cls in CLASSES if cls.__mro__[1] not in (OsnowaError, Exception)]
    assert children == nested == ["DamagedError"]


def test_no_error_of_ours_is_caught_as_another_kind() -> None:
    """`except ValueError` around a parser must not swallow what a user should see."""
    for cls in CLASSES:
        assert not issubclass(cls, (ValueError, OSError, LookupError, TypeError))


@pytest.mark.parametrize("cls", CLASSES)
def test_a_message_says_where_what_and_what_instead(cls: type[OsnowaError]) -> None:
    error = cls("model.num_heads = 6", "does not divide model.d_model = 128", "use 1, 2, 4, 8")
    assert str(error) == "model.num_heads = 6: does not divide model.d_model = 128; use 1, 2, 4, 8"
    assert str(cls("texts/a.txt", "is empty")) == "texts/a.txt: is empty"
    assert (error.where, error.instead) == ("model.num_heads = 6", "use 1, 2, 4, 8")


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_survives_pickle_and_copy(cls: type[OsnowaError]) -> None:
    error = cls("gdzie\n", "co", "zamiast")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own bytes
        assert type(again) is cls
        assert str(again) == str(error)
        assert (again.where, again.what, again.instead) == ("gdzie\n", "co", "zamiast")
        assert again.exit_code == error.exit_code


def test_a_signal_decides_the_exit_code() -> None:
    assert InterruptedRun("RUN", "stopped").exit_code == 130
    stopped = InterruptedRun("RUN", "stopped", signal_number=15)
    assert stopped.exit_code == 143
    assert copy.copy(stopped).exit_code == 143


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("zażółć „gęślą” 🦆.txt", "zażółć „gęślą” 🦆.txt"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\x1b[2J\x07\x00\x9b", r"\x1b[2J\x07\x00\x9b"),
        ("nie-utf8-\udcff", r"nie-utf8-\udcff"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("two  blanks and\u00a0one", "two  blanks and\u00a0one"),
    ],
)
def test_a_message_is_one_printable_line_whatever_a_file_is_called(name: str, shown: str) -> None:
    error = OsnowaError(name, "is empty", f"see {name}")
    assert str(error) == f"{shown}: is empty; see {shown}"
    assert len(str(error).splitlines()) == 1
    str(error).encode()
    assert error.where == name


def test_joined_settings_errors_stand_one_a_line() -> None:
    one = SettingsError("model.nrom", "no such setting", "did you mean model.norm?")
    two = SettingsError("--steps", "has no value")
    three = SettingsError("a\nb", "c")
    joined = SettingsError.join([one, SettingsError.join([two, three])])
    assert str(joined) == (
        "3 settings: can't work:\n"
        "  model.nrom: no such setting; did you mean model.norm?\n"
        "  --steps: has no value\n"
        "  a\\nb: c"
    )
    assert joined.parts == (one, two, three)
    assert joined.exit_code == 78
    assert str(pickle.loads(pickle.dumps(joined))) == str(joined)  # noqa: S301 - our own bytes


def test_one_joined_error_is_itself() -> None:
    one = SettingsError("a", "b", "c")
    assert SettingsError.join([one]) is one
    assert one.parts == (one,)
    with pytest.raises(AssertionError, match="at least one"):
        SettingsError.join([])
