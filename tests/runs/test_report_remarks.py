"""Remarks say what the numbers show, and are silent where they show nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fake_run import write_run
from osnowa.runs import report_format
from osnowa.runs.report_data import Run, read_run
from osnowa.runs.report_remark import initial_loss, remarks


def make(**changes: Any) -> Run:
    given: dict[str, Any] = {"folder": Path("run"), "train": [], "held_out": [], "probes": [], "events": []}
    given |= {"ledger": {}, "facts": {}, "plan": {}, "recipe": "", "settings": {}, "problems": [], "has_model": True}
    return Run(**{**given, **changes})


def evaluations(key: str, *values: float) -> list[dict[str, Any]]:
    return [{"kind": "held_out", "step": 100 * place, key: value} for place, value in enumerate(values)]


def steps(key: str, *values: float) -> list[dict[str, Any]]:
    return [{"kind": "train", "step": place + 1, key: value} for place, value in enumerate(values)]


def told(run: Run, measure: Any) -> list[tuple[str, bool]]:
    return [(remark.words.replace("\u202f", " "), remark.worry) for remark in remarks(run, measure)]


def test_memorising_is_named_with_its_step_and_numbers(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", memorise=True))
    step, lowest = min(((r["step"], r["token_loss"]) for r in run.held_out), key=lambda pair: pair[1])
    ((words, worry), *_) = told(run, "token_loss")
    assert worry
    assert words.startswith(
        f"The held-out loss stopped falling at step {step:,} ({lowest:.3f}; {run.held_out[-1]['token_loss']:.3f} at the end)"
        " while the train loss kept falling ("
    )
    assert words.endswith("the model is starting to memorise.")


def test_a_held_out_loss_that_turns_with_the_train_loss_is_not_called_memorising() -> None:
    held = evaluations("token_loss", 9.0, 5.0, 6.0, 6.5)
    train = steps("token_loss", *[5.0] * 100, *[7.0] * 200)
    ((words, worry), *_) = told(make(held_out=held, train=train), "token_loss")
    assert worry
    assert words == "The held-out loss was lowest at step 100 (5.000) and is 6.500 at the end."


def test_a_sound_run_is_not_warned_about(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", log_every=5))
    worried = [
        words
        for measure in ("token_loss", "token_accuracy", "learning_rate", "tokens_per_second")
        for words, worry in told(run, measure)
        if worry
    ]
    assert worried == []


def test_the_plateau_of_the_frequencies_is_named() -> None:
    facts = {"baselines": {"unigram_loss": 6.8, "most_frequent_share": 0.06, "most_frequent_token": ","}}
    run = make(held_out=evaluations("token_loss", 9.0, 6.82, 6.79), facts=facts)
    assert told(run, "token_loss") == [
        (
            "At 6.790 the model is no better than the token frequencies alone (6.800): it does not use the context yet.",
            True,
        )
    ]
    run = make(held_out=evaluations("token_accuracy", 0.0001, 0.061), facts=facts)
    assert told(run, "token_accuracy") == [
        ("6.1 % is about what always saying “,” gives (6.0 %). Before training it was 0.01 %.", True)
    ]


def test_a_loss_that_still_falls_at_the_end_asks_for_a_longer_run() -> None:
    falling = make(held_out=evaluations("token_loss", 9.0, 7.0, 6.0, 5.5))
    assert told(falling, "token_loss") == [
        (
            "The loss was still falling at the end (6.000 at step 200, then 5.500): a longer run would get further.",
            False,
        )
    ]
    assert told(make(held_out=evaluations("token_loss", 9.0, 7.0, 6.0, 5.99)), "token_loss") == []
    unfinished = make(held_out=evaluations("token_loss", 9.0, 7.0, 6.0, 5.5), has_model=False)
    assert told(unfinished, "token_loss") == []


@pytest.mark.parametrize(
    ("right", "pairs", "above"),
    [(0.52, 1000, False), (0.56, 1000, True), (0.56, 400, False), (0.54, None, False), (0.56, None, True)],
)
def test_next_sentence_is_called_learned_only_beyond_chance(right: float, pairs: int | None, above: bool) -> None:
    held = evaluations("next_sentence_accuracy", 0.5, right)
    if pairs is not None:
        held[-1]["num_pairs"] = pairs
    ((words, _),) = told(make(held_out=held), "next_sentence_accuracy")
    assert ("is clearly above chance" in words) is above
    assert ("is not clearly above chance" in words) is not above
    assert words.startswith(f"{100 * right:.1f} %")


def test_spikes_after_the_start_are_counted_with_the_largest() -> None:
    values = [50.0, 40.0, *[1.0] * 50, 30.0, 1.0, 12.0, *[1.0] * 45]
    ((words, worry),) = told(make(train=steps("gradient_norm", *values)), "gradient_norm")
    assert worry
    assert "2 logged step(s)" in words
    assert "the largest, 30.0, came at step 53" in words
    ((words, worry),) = told(make(train=steps("gradient_norm", 50.0, 40.0, *[1.0] * 98)), "gradient_norm")
    assert not worry
    assert words == "Usually 1.00; no large spikes after the start."


def test_a_machine_that_slows_down_is_noticed() -> None:
    steady = make(train=steps("tokens_per_second", *[20_000.0] * 40))
    assert told(steady, "tokens_per_second") == [
        ("Half of the logged steps ran at 20,000 tokens per second or more.", False)
    ]
    slowing = make(train=steps("tokens_per_second", *[20_000.0] * 30, *[12_000.0] * 10))
    ((words, worry),) = told(slowing, "tokens_per_second")
    assert worry
    assert "slower (12,000) than the first (20,000)" in words


@pytest.mark.parametrize(("measured", "worry"), [(9.02, False), (9.7, True), (8.2, True)])
def test_the_untrained_loss_is_compared_with_guessing_evenly(measured: float, worry: bool) -> None:
    found = initial_loss(make(facts={"baselines": {"expected_initial_loss": 9.011, "measured_initial_loss": measured}}))
    assert found is not None
    assert found.worry is worry
    assert f"measured: {measured:.3f}." in found.words
    assert initial_loss(make()) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (report_format.whole(-1234.0), "−1,234"),
        (report_format.short(9_999), "9,999"),
        (report_format.short(12_345), "12.3 k"),
        (report_format.short(3_788_800), "3.79 M"),
        (report_format.short(2.5e9), "2.50 bn"),
        (report_format.share(0.2768), "27.7 %"),
        (report_format.share(0.00012), "0.012 %"),
        (report_format.share(0.0), "0.0 %"),
        (report_format.share(3e-7), "<0.001 %"),
        (report_format.digits(0.003, 3), "0.003"),
        (report_format.digits(0.00001234, 3), "0.0000123"),
        (report_format.digits(1.2e-7, 3), "1.20e−07"),
        (report_format.digits(1234.0, 3), "1,234"),
        (report_format.perplexity(110.04), "110.0"),
        (report_format.perplexity(8185.2), "8,185"),
        (report_format.size(14_203_118), "14.2 MB"),
        (report_format.size(999), "999 bytes"),
        (report_format.span(178), "2 min 58 s"),
        (report_format.span(4325), "1 h 12 min"),
        (report_format.span(4.2), "4.2 s"),
        (report_format.span(59.7), "1 min 0 s"),
    ],
)
def test_numbers_are_written_as_people_read_them(written: str, expected: str) -> None:
    assert written.replace("\u202f", " ") == expected
