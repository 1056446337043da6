"""Settings: nothing is converted silently, everything wrong is said at once, and with the nearest right word."""

from __future__ import annotations

import tomllib
from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import Field, ValidationError, model_validator

from osnowa.errors import SettingsError
from osnowa.settings import Settings, parse_overrides, parse_value


class Play(Settings):
    layers: int = Field(default=4, description="how many", ge=1, le=64)
    rate: float = Field(default=0.1, description="how fast", gt=0, lt=2)
    norm: Literal["layernorm", "rmsnorm"] = "layernorm"
    fused: bool = False
    name: str = "play"
    windows: tuple[int | None, ...] = (None,)
    bases: tuple[float, ...] = (10_000.0,)
    pair: tuple[str, int] = ("a", 1)
    d_head: int | None = None
    size: int | Literal["auto"] = "auto"
    share: Annotated[float, Field(ge=0)] | None = None
    power: Literal[8, 16] = 8

    @model_validator(mode="after")
    def _fits(self) -> Self:
        errors = []
        if self.layers == 13:
            errors.append(SettingsError("play.layers = 13", "brings bad luck", "use 12"))
        if self.name == "13":
            errors.append(SettingsError("play.name", "brings bad luck", "use another"))
        if errors:
            raise ValueError(SettingsError.join(errors))
        if self.rate == 1.5:
            raise ValueError("rate and luck do not go together")
        return self


class Needs(Settings):
    vocab_size: int
    text: str


SECTIONS: dict[str, type[Settings]] = {"play": Play, "needs": Needs}


def wrong(values: dict[str, object], cls: type[Settings] = Play) -> str:
    with pytest.raises(SettingsError) as caught:
        cls.read("play", values)
    assert caught.value.exit_code == 78
    return str(caught.value)


# --- reading ----------------------------------------------------------------------------------------------------


def test_right_values_are_read_as_they_are() -> None:
    values = {"layers": 2, "rate": 1, "norm": "rmsnorm", "windows": [128, None], "d_head": 16, "size": 3, "fused": True}
    play = Play.read("play", values)
    assert (play.layers, play.rate, play.norm, play.windows, play.d_head, play.size, play.fused) == (
        2,
        1.0,
        "rmsnorm",
        (128, None),
        16,
        3,
        True,
    )


def test_settings_go_through_toml_and_json_and_come_back_equal() -> None:
    import json

    import tomli_w

    play = Play(windows=(1, 2), rate=1e-5, share=0.5, name="zażółć")
    assert Play.read("play", json.loads(json.dumps(play.model_dump()))) == play
    assert Play.read("play", tomllib.loads(tomli_w.dumps(play.model_dump(exclude_none=True)))) == play


def test_settings_can_not_be_changed_in_place_and_take_no_positions() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Play().layers = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        Play(3)  # type: ignore[call-arg, misc]


def test_a_changed_copy_is_validated_again() -> None:
    play = Play(windows=(1,))
    changed = play.changed(layers=8, windows=(2, None))
    assert (changed.layers, changed.windows, play.layers) == (8, (2, None), 4)
    with pytest.raises(SettingsError, match=r"^Play\.layers = 0: is out of range; it must be >= 1$"):
        play.changed(layers=0)
    with pytest.raises(SettingsError, match=r"^Play\.nrom: no such setting; did you mean Play\.norm\?$"):
        play.changed(nrom="rmsnorm")


MESSAGES: list[tuple[dict[str, object], str]] = [
    ({"layers": 0}, "play.layers = 0: is out of range; it must be >= 1"),
    ({"layers": 65}, "play.layers = 65: is out of range; it must be <= 64"),
    ({"rate": 0}, "play.rate = 0: is out of range; it must be > 0.0"),
    ({"rate": 2.0}, "play.rate = 2.0: is out of range; it must be < 2.0"),
    ({"rate": float("nan")}, "play.rate = NaN: is not a finite number; give a plain number"),
    ({"rate": float("inf")}, "play.rate = Infinity: is not a finite number; give a plain number"),
    ({"norm": "batchnorm"}, "play.norm = \"batchnorm\": is not one of the choices; use 'layernorm' or 'rmsnorm'"),
    ({"layers": "8"}, 'play.layers = "8": is not a whole number; give one such as 128'),
    ({"layers": 8.0}, "play.layers = 8.0: is not a whole number; give one such as 128"),
    ({"layers": True}, "play.layers = true: is not a whole number; give one such as 128"),
    ({"layers": None}, "play.layers = null: is not a whole number; give one such as 128"),
    ({"rate": "fast"}, 'play.rate = "fast": is not a number; give one such as 0.001'),
    ({"rate": True}, "play.rate = true: is not a number; give one such as 0.001"),
    ({"fused": 1}, "play.fused = 1: is not true or false; use true or false"),
    ({"fused": "yes"}, 'play.fused = "yes": is not true or false; use true or false'),
    ({"name": 7}, "play.name = 7: is not text; put it in quotes"),
    ({"windows": 7}, "play.windows = 7: is not a list; write a list, on the command line with commas between"),
    ({"windows": [1, "x"]}, 'play.windows = "x": is not a whole number; give one such as 128'),
    ({"size": "big"}, "play.size = \"big\": is not a whole number; give one such as 128 or use 'auto'"),
    ({"nrom": "rmsnorm"}, "play.nrom: no such setting; did you mean play.norm?"),
    ({"name": {"zażółć": 1}}, 'play.name = {"zażółć": 1}: is not text; put it in quotes'),
    ({"layers": 13}, "play.layers = 13: brings bad luck; use 12"),
    ({"rate": 1.5}, "play: rate and luck do not go together"),
]


@pytest.mark.parametrize(("values", "message"), MESSAGES, ids=lambda case: str(case)[:40])
def test_each_wrong_value_has_its_message(values: dict[str, object], message: str) -> None:
    assert wrong(values) == message


def test_a_key_that_resembles_nothing_gets_the_list() -> None:
    expected = ", ".join(f"play.{name}" for name in Play.model_fields)
    assert wrong({"qqqqq": 1}) == f"play.qqqqq: no such setting; there are {expected}"


def test_a_missing_setting_says_how_to_give_it() -> None:
    assert wrong({"text": "x"}, Needs) == "play.vocab_size: is required; give --play.vocab_size=..."


def test_a_long_wrong_value_is_shown_in_part() -> None:
    message = wrong({"layers": "x" * 1000})
    assert len(message) < 160
    assert '"xxxx' in message
    assert "xxx...: is not a whole number" in message


def test_everything_wrong_is_said_at_once() -> None:
    message = wrong({"layers": 0, "rate": "fast", "nrom": 1, "windows": ["a", "b"]})
    assert message.splitlines() == [
        "4 settings: can't work:",
        "  play.layers = 0: is out of range; it must be >= 1",
        '  play.rate = "fast": is not a number; give one such as 0.001',
        '  play.windows = "a": is not a whole number; give one such as 128',
        "  play.nrom: no such setting; did you mean play.norm?",
    ]
    assert wrong({"layers": 13, "name": "13"}).splitlines() == [
        "2 settings: can't work:",
        "  play.layers = 13: brings bad luck; use 12",
        "  play.name: brings bad luck; use another",
    ]


# --- the command line -------------------------------------------------------------------------------------------

VALUES: list[tuple[str, Any, object]] = [
    ("128", int, 128),
    ("1_000", int, 1000),
    ("-5", int, -5),
    ("+5", int, 5),
    ("+-5", int, "+-5"),
    ("1e3", int, "1e3"),
    ("8.0", int, "8.0"),
    ("²", int, "²"),
    ("٣", int, "٣"),
    ("", int, ""),
    ("9" * 30, int, "9" * 30),
    ("0.5", float, 0.5),
    ("1e-3", float, 1e-3),
    ("3", float, 3),
    ("fast", float, "fast"),
    ("true", bool, True),
    ("No", bool, False),
    ("1", bool, True),
    ("maybe", bool, "maybe"),
    ("zażółć", str, "zażółć"),
    ("none", str, "none"),
    ("rmsnorm", Literal["layernorm", "rmsnorm"], "rmsnorm"),
    ("16", Literal[8, 16], 16),
    ("none", int | None, None),
    ("None", int | None, None),
    ("", int | None, None),
    ("7", int | None, 7),
    ("none", str | None, None),
    ("x", str | None, "x"),
    ("auto", int | Literal["auto"], "auto"),
    ("5", Literal["auto"] | int, 5),
    ("0.5", Annotated[float, Field(ge=0)] | None, 0.5),
    ("0.5", Annotated[float, Field(ge=0)], 0.5),
    ("1,2, 3", tuple[int, ...], [1, 2, 3]),
    ("128,none", tuple[int | None, ...], [128, None]),
    ("", tuple[int, ...], []),
    ("a,1", tuple[str, int], ["a", 1]),
    ("a,b", tuple[Literal["a", "b"], ...], ["a", "b"]),
    ("0.5,x", tuple[float, ...], [0.5, "x"]),
    ("x,y", list, "x,y"),
]


@pytest.mark.parametrize(("text", "annotation", "value"), VALUES, ids=str)
def test_a_word_is_read_by_the_type_of_its_setting(text: str, annotation: object, value: object) -> None:
    read = parse_value(text, annotation)
    assert read == value
    assert type(read) is type(value)


def test_overrides_become_settings() -> None:
    arguments = [
        "--play.layers=8",
        "--play.rate=1e-2",
        "--play.norm=rmsnorm",
        "--play.fused=yes",
        "--play.name=a=b,c",
        "--play.windows=128,none",
        "--play.d-head=none",
        "--play.size=12",
        "--play.share=0",
        "--play.power=16",
        "--play.pair=x,2",
        "--needs.vocab_size=100",
        "--play.layers=9",
    ]
    found = parse_overrides(arguments, SECTIONS)
    assert found["needs"] == {"vocab_size": 100}
    assert Play.read("play", found["play"]) == Play(
        layers=9,
        rate=0.01,
        norm="rmsnorm",
        fused=True,
        name="a=b,c",
        windows=(128, None),
        size=12,
        share=0.0,
        power=16,
        pair=("x", 2),
    )


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--play.layesr=3", "play.layesr: no such setting; did you mean play.layers?"),
        ("--plya.layers=3", "--plya.layers: no such setting; did you mean play?"),
        ("--unheard.of=3", "--unheard.of: no such setting; there are play, needs"),
        ("--play=3", "--play: no such setting; there are play.layers"),
        ("--play.layers", "--play.layers: has no value; write --play.layers=VALUE"),
    ],
)
def test_a_wrong_override_names_the_nearest_right_one(argument: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_overrides([argument], SECTIONS)
    assert str(caught.value).startswith(message)


def test_all_wrong_overrides_are_said_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_overrides(["--play.x=1", "--play.layers=2", "--y.z=1", "--play.rate"], SECTIONS)
    assert [part.where for part in caught.value.parts] == ["play.x", "--y.z", "--play.rate"]


@pytest.mark.parametrize("text", ["abc", "1.5", "", "12,5", "true", "99999999999999999999"])
def test_a_word_that_fits_no_type_is_told_as_the_user_wrote_it(text: str) -> None:
    found = parse_overrides([f"--play.layers={text}"], SECTIONS)
    assert wrong(found["play"]).startswith(f'play.layers = "{text}": is not a whole number')
