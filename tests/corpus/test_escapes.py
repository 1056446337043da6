"""Text escaped for JSON twice is seen; code and prose about escapes are not taken for it (A13)."""

from __future__ import annotations

import json

import pytest

from osnowa.corpus.escapes import is_double_escaped

TEXT = 'Powiedział: "Żółta łódź".\nPotem zamilkł, "na zawsze".\n\nKoniec opowieści, gęś śpi.\n'


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("times", [1, 20])
def test_a_text_that_is_still_json_is_seen(ascii_only: bool, times: int) -> None:
    assert is_double_escaped(json.dumps(TEXT * times, ensure_ascii=ascii_only).strip('"'))


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        'printf("%d\\n", a);\nputs("koniec\\n");\nputs("\\"cytat\\"\\n");\nreturn 0;\n',
        "Znaki \\n, \\t oraz \\r oznaczają kolejno nowy wiersz, tabulator i powrót karetki.",
        "Katalog C:\\nowy\\teksty na dysku " * 3,
        "In a pattern, \\w+ matches words, \\d digits, and \\\\ a backslash; \\u stands for a code.",
        "Wiersze:\n\n  'raz\\ndwa\\ntrzy\\ncztery'\n\nto cztery wiersze\nw jednym napisie,\na nie jeden.\n",
        "Jeden raz \\u0105 to za mało, aby podnosić alarm.",
    ],
)
def test_text_that_only_speaks_of_escapes_is_not(text: str) -> None:
    assert not is_double_escaped(text)
