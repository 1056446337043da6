"""Numbers as a report writes them."""

from __future__ import annotations

import math

THIN = "\u202f"  # a narrow space that does not break, between a number and its unit


def whole(value: float) -> str:
    """12345.0 -> '12,345'."""
    return f"{value:,.0f}".replace("-", "−")


def short(value: float) -> str:
    """3,812,345 -> '3.81 M'; up to 9,999 as it is."""
    for bound, word in ((1e9, "bn"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= bound:
            divisor = 1e3 if word == "k" else bound
            return f"{digits(value / divisor, 3)}{THIN}{word}"
    return whole(value)


def digits(value: float, count: int) -> str:
    """`value` with `count` significant digits and never an exponent above 1e-5: 0.003, 12.3, 1,230."""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude < -5:
        return f"{value:.{count - 1}e}".replace("-", "−")
    decimals = max(0, count - 1 - magnitude)
    text = f"{value:,.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if magnitude < -1 else text).replace("-", "−")


def share(value: float) -> str:
    """0.2768 -> '27.7 %'; small shares keep two digits, the smallest are '<0.001 %'."""
    percent = 100 * value
    if 0 < percent < 0.001:
        return f"<0.001{THIN}%"
    text = f"{percent:.1f}" if percent == 0 or abs(percent) >= 0.1 else digits(percent, 2)
    return f"{text}{THIN}%".replace("-", "−")


def loss(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def perplexity(value: float) -> str:
    return whole(value) if value >= 1000 else f"{value:.1f}"


def size(value: float) -> str:
    """Bytes in powers of 1000: '14.2 MB'."""
    for bound, word in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value) >= bound:
            return f"{digits(value / bound, 3)}{THIN}{word}"
    return f"{whole(value)}{THIN}bytes"


def span(seconds: float) -> str:
    """'45 s', '10 min 2 s', '1 h 12 min'."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}{THIN}h {minutes}{THIN}min"
    if minutes:
        return f"{minutes}{THIN}min {rest}{THIN}s"
    return f"{digits(seconds, 2) if seconds < 10 else rest}{THIN}s"


def times(value: float) -> str:
    return f"{value:.1f}"
