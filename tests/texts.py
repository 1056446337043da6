"""A small text of our own, half Polish and half English, that the tests read and train on.

Sentences come from templates, so that there is something to learn (who does what, and where), and each one appears once.
"""

from __future__ import annotations

_POLISH = (
    ["Babcia", "Listonosz", "Mała Zosia", "Nasz sąsiad", "Stary rybak", "Młoda lekarka", "Pan Wójcik", "Ogrodniczka"],
    [
        "czyta długą książkę",
        "maluje żółtą łódkę",
        "śpiewa cichą pieśń",
        "naprawia zepsuty zegar",
        "gotuje gęstą zupę",
        "liczy białe gęsi",
        "pisze krótki list",
        "zbiera dojrzałe śliwki",
        "karmi głodne źrebię",
        "parzy gorącą herbatę",
    ],
    ["w ogrodzie", "nad rzeką", "na rynku", "pod starym dębem", "w kuchni", "za stodołą", "przy oknie"],
    ["", "codziennie rano ", "wieczorem ", "co tydzień ", "w każdą sobotę "],
)
_ENGLISH = (
    ["The baker", "A tall sailor", "My sister", "The old teacher", "Our neighbour", "A young doctor", "The postman"],
    [
        "reads a thick book",
        "paints a small boat",
        "sings a quiet song",
        "repairs the broken clock",
        "cooks a warm soup",
        "counts the white geese",
        "writes a short letter",
        "gathers ripe plums",
        "feeds a hungry foal",
        "makes a cup of tea",
    ],
    ["in the garden", "by the river", "at the market", "under an old oak", "in the kitchen", "behind the barn"],
    ["", "every morning ", "in the evening ", "once a week ", "on Saturdays "],
)
_ODD = [  # what cleaners, splitters and tokenizers get wrong
    "Zażółć gęślą jaźń!",
    "Czy 3,5 kg jabłek, np. antonówek, to dużo?",
    "Prof. Nowak mieszka przy ul. Długiej 7 m. 4.",
    "„Dzień dobry” — powiedział kot, choć padało…",
    "It costs 2.50 and weighs 1.2 kg, e.g. when wet.",
    "Dr. Smith said: “It's raining again, isn't it?”",
]


def _combine(parts: tuple[list[str], list[str], list[str], list[str]], count: int) -> list[str]:
    """`count` different sentences; the strides have no common factor with the lists, so all words take turns."""
    who, what, where, when = parts
    sentences = [
        f"{who[i % len(who)]} {when[(i * 2) % len(when)]}{what[(i * 3 + i // len(what)) % len(what)]} "
        f"{where[(i * 5 + i // 7) % len(where)]}."
        for i in range(count)
    ]
    assert len(set(sentences)) == count, "the strides repeat a sentence"
    return sentences


POLISH = [*_combine(_POLISH, 72), *_ODD[:4]]
ENGLISH = [*_combine(_ENGLISH, 72), *_ODD[4:]]
SENTENCES = [*POLISH, *ENGLISH]


def documents(sentences_each: int = 6) -> list[str]:
    """The sentences as documents of one language each, in a fixed order."""
    return [
        " ".join(part[start : start + sentences_each])
        for part in (POLISH, ENGLISH)
        for start in range(0, len(part), sentences_each)
    ]
