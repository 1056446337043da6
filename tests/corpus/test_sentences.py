"""The splitter's promises: hard cases in Polish and English, a partition of the text, linear time."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osnowa.corpus.sentences import split_sentences

# "|" marks each border; the white space after it belongs to the later sentence.
POLISH = [
    "Ala ma kota.| Kot ma Alę.",
    "Kupił owoce, np. jabłka i gruszki.| Potem wyszedł.",
    "Byli tam m.in. Jan i Maria.| Wrócili późno.",
    "Przyszedł prof. Nowak.| Usiadł.",
    "Mieszka przy ul. Długiej 5.| Dom jest stary.",
    "Spotkał dr. Kowalskiego i dr Nowak na pl. Wolności.| Padało.",
    "To znaczy, tzn. Polska wygrała.| Brawo!",
    "Chodzi o stolicę, tj. Warszawę.| Jest duża.",
    "Kupił chleb, masło itd. Potem poszedł do domu.".replace("itd. ", "itd.| "),
    "Sprzedaje ołówki, pióra itp. za grosze.| Zarabia mało.",
    "Urodził się w 1920 r. w Łodzi.| Zmarł w 1990 r.| Pochowano go tam.",
    "W XIX w. Polska była pod zaborami.".replace("w. P", "w.| P"),
    "Zamek z XIV w. stoi nad rzeką.| Jest ruiną.",
    "Zapłacił 50 zł.| Potem odjechał.",
    "Bilet za 20 zł i 50 gr. na dziś.",
    "Spotkajmy się o godz. 15.30 przed kinem.| Nie spóźnij się.",
    "Kościół św. Anny stoi przy al. Jerozolimskich.| Zwiedź go.",
    "Zobacz nr 5 na str. 12.| Tam jest rysunek.",
    "Patrz rys. 3 i tab. 4.| Wszystko jasne.",
    "A. Mickiewicz i J. Słowacki pisali wiersze.| Obaj emigrowali.",
    "Czytał J. R. R. Tolkiena i K. K. Baczyńskiego.| Lubił ich.",
    "Czytał J.R.R. Tolkiena.| Polubił go.",
    "Liczba pi to 3.14, a kwota 1.234,56 zł wystarczy.| Koniec.",
    "Umowę podpisano 12.05.2020 r. w Krakowie.| Obowiązuje.",
    "Umowa z dnia 12.05.2020 r.| Strony ją podpisały.",
    "To już 3. edycja konkursu.| Zapraszamy.",
    "Zgodnie z § 5. ust. 2 ustawy kara wynosi 100 zł.| To dużo.",
    "§ 5. Minister wydaje rozporządzenie.| Wchodzi ono w życie.",
    "Art. 10. Każdy ma prawo głosu.| Nikt go nie straci.",
    "Nie wiem… może jutro.| Zobaczymy…| Na pewno.",
    "Czekał... i czekał...| Nikt nie przyszedł.",
    "Powiedział: „Nie wiem.”| Potem wyszedł.",
    "„Gdzie jesteś?” zapytał ojciec.| „Tutaj.”| Cisza.",
    "– Tak? – zapytał.| – Nie! – krzyknęła Ala.| – Idź stąd.",
    "– Kto tam?!| – To ja.| – Aha… – mruknął.",
    "Co?!| Jak to?!| Niemożliwe!!!| A jednak.",
    "Jan (ur. 1950 r.) Kowalski był malarzem.| Malował konie.",
    "(To jest uwaga.)| Dalej idzie tekst.",
    "Kupił wszystko (chleb, masło itd.).| Wrócił do domu.",
    "To był (sic!) Kowalski.| Naprawdę.",
    "Otwórz python.org i wpisz np.array w pliku test.py.| Działa.",
    "Adres: www.example.com/a.b?c=d. Otwórz go.".replace("=d. ", "=d.| "),
    "Dowodził 1. Dywizją Pancerną.| Wygrał bitwę.",
    "Grali w 2. Lidze.| Awansowali.",
    "Było ich 25.| Potem zostało 10.| Wszyscy odeszli.",
    "W roku 1990.| Nie wcześniej.",
    "Są trzy wyjścia: 1. Kupić dom.| 2. Sprzedać dom.| 3. Nic nie robić.",
    "1. Wstęp do pracy.| 2. Metody.",
    "Pierwszy akapit bez kropki\n\n|Drugi akapit.".replace("\n\n|", "|\n\n"),
    "To jest zdanie zawinięte\nw dwóch liniach.| A to drugie.",
    "Spotkałem prof.\nKowalskiego w kinie.| Spał.",
    "Kup:|\n- chleb|\n- masło|\n- jajka",
    "Kup:|\n1. chleb|\n2. masło",
    "Pierwsza linia.|\nDruga linia.|\ntrzecia linia.",
    "Wstęp|\nTen rozdział opisuje, jak zacząć pracę z programem.| Czytaj uważnie.",
    "Cena to 5 tys. zł za sztukę, czyli 3 mln. rocznie.| Drogo.",
    "Spółka Polbud sp. z o.o. działa od 1995 r.| Ma 5 os. zarządu.",
    "Bitwa pod Cannae, 216 r. p.n.e. w Italii.| Rzym przegrał.",
    "Szczyt ma 2499 m n.p.m.| Wejście jest trudne.",
    "Jest bogata w witaminę C.| To ważne.".replace("To", "Jest"),
    "Bieg na 100 m.| Potem skok.",
    "Por. rozdz. 5 oraz zob. Nowak 1999.| Tam jest więcej.",
    "Przepis mówi o tzw. Karcie Polaka.| Wydaje ją konsul.",
    "Gen. Anders i płk. Nowak przyszli.| Ks. Jan też.",
    "Zdanie z przypisem.[1] Następne zdanie.".replace("[1] ", "[1]| "),
    "Owoce (np. Jabłka Adama) i „prof. Nowak” to tytuły.| Znam oba.",
    "Lubi owoce, np.|\n\nNowy akapit o czymś innym.",
    "!!! Uwaga na psa.| Jest zły.",
    "Powiedział […] to samo.| […] Potem wyszedł.",
    "Wysłano dnia 12. 05. 2020 do Gdańska.| Doszło.",
    "Był to Jan Paweł II.| Papież z Polski.",
    "Ciąg dalszy nastąpi…| Żółw poszedł spać.",
    "Czy to „Quo vadis?”, czy „Potop”?| Nie pamiętam.",
]
ENGLISH = [
    "Mr. Smith met Mrs. Jones.| They talked.",
    "Dr. Brown vs. Prof. Green was a draw.| Nobody won.",
    "Use a tool, e.g. Python, i.e. a language.| It works.",
    "We bought apples, pears, etc. at the market.| Then we left.",
    "We bought apples, pears, etc.| Then we left.",
    "The U.S. Army landed.| The war ended.",
    "He lives in the U.S.| He likes it.",
    "J. K. Rowling wrote it.| It sold well.",
    "See No. 5 on p. 12 of vol. 3.| It is clear.",
    "He said no.| Then he left.",
    "It starts at 5 p.m. on Friday.| Be there.",
    "It starts at 5 p.m.| Be there.",
    "Pi is 3.14 and e is 2.72.| Both are irrational.",
    "It cost $1,234.56.| That is a lot.",
    'She said, "Stop."| He stopped.',
    '"Why?" he asked.| "Because."| Silence.',
    "“Go away!”| She slammed the door.",
    "What?!| No way!| Really...",
    "Well... maybe.| I do not know...| Ask her.",
    "(This is an aside.)| The text goes on.",
    "He came (very late!) and left.| Nobody cared.",
    "Visit python.org or run np.array in test.py today.| Done.",
    "Acme Inc. Chairman John Doe resigned.| He was tired.",
    "He works for Acme Inc.| The pay is good.",
    "St. John lived on Main St.| He was old.",
    "He got a Ph.D. in physics.| He teaches.",
    "Smith et al. 1999 showed it.| Others agreed.",
    "On Jan. 5 it rained.| On Feb. 6 it snowed.",
    "So do I.| He does too.",
    "1. Open the box.| 2. Close the box.",
    "This line is wrapped\nby hand at a width.| This is new.",
    "This is a title\n\nThis is a paragraph.".replace("title\n", "title|\n"),
    "He spoke to Mr.\nSmith at noon.| It was hot.",
    "Things to do:|\n* wash|\n* cook|\n* sleep",
    "# Heading|\nSome text follows here.| And more.",
    "INTRODUCTION|\nThis is the text.",
    "Was it J. R. R. Tolkien?| Yes!",
    "See Fig. 3.| It shows the result.",
    "Version 2.0.1 is out.| Get it now.",
    "The file is README.md.| Read it.",
    "It was approx. 5 km away.| We walked.",
    "Wait . . . what?| Nothing.",
]


def sentences(text: str) -> list[str]:
    starts = split_sentences(text)
    return [text[start:stop] for start, stop in pairwise([*starts, len(text)])]


def test_the_list_of_hard_cases_is_long_enough() -> None:
    assert len(set(POLISH)) >= 60
    assert len(set(ENGLISH)) >= 40


@pytest.mark.parametrize("marked", POLISH)
def test_polish_case_is_split_as_its_gold(marked: str) -> None:
    assert sentences(marked.replace("|", "")) == marked.split("|")


@pytest.mark.parametrize("marked", ENGLISH)
def test_english_case_is_split_as_its_gold(marked: str) -> None:
    assert sentences(marked.replace("|", "")) == marked.split("|")


def test_no_text_has_no_sentence_and_white_space_is_one() -> None:
    assert split_sentences("") == []
    assert split_sentences(" \n\n ") == [0]
    assert split_sentences("\n\nAla. ") == [0]


def test_lines_longer_than_any_wrapping_are_paragraphs_of_their_own() -> None:
    title, body = "Gra strategiczna (pliki danych)", "to jest opis gry bez kropki na końcu " * 5
    assert sentences(f"{title}\n{body.strip()}\nMatematyczna gra") == [title, "\n" + body.strip(), "\nMatematyczna gra"]


def test_verses_without_marks_are_not_cut_at_line_ends() -> None:
    verse = "Litwo, ojczyzno moja, ty jesteś jak zdrowie\nIle cię trzeba cenić, ten tylko się dowie\nKto cię stracił."
    assert split_sentences(verse) == [0]


FRAGMENTS = st.sampled_from(
    ["Ala", "ma", "kota", "np.", "r.", "w.", "J.", "U.S.", "5.", "12.05.", "…", "...", ".", "!", "?", "?!", ")", "(", "„",
     "”", '"', "– ", "\n", "\n\n", " ", "  ", "- ", "1. ", "§", "The", "Potem", "[1]", "。", "# ", "\t", "\u00a0", "ż"]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=200), st.lists(FRAGMENTS, max_size=40).map("".join), st.lists(FRAGMENTS).map(" ".join)
)


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_slices_partition_the_text_and_none_is_white_space(text: str) -> None:
    starts = split_sentences(text)
    assert starts == sorted(set(starts))
    assert (starts[0] == 0) if text else (starts == [])
    assert "".join(sentences(text)) == text
    if text.strip():
        assert all(sentence.strip() for sentence in sentences(text))
        assert all(
            sentence[0].isspace() or "。" in text or "！" in text or "？" in text for sentence in sentences(text)[1:]
        )


@pytest.mark.parametrize("marked", POLISH + ENGLISH)
def test_a_sentence_alone_stays_one(marked: str) -> None:
    for sentence in sentences(marked.replace("|", "")):
        assert split_sentences(sentence) == [0]


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_a_blank_line_between_words_always_splits(text: str) -> None:
    joined = "Ala " + text + " ma\n \nkota"
    assert len(joined) - len("\n \nkota") in split_sentences(joined)


ADVERSARIAL = ["a.", "a. ", ".", ". ", "... ", ".) ", "( . ) ", "\n ", " ", "a\n", '. "', "- ", "1. ", "A. ", "\n- a",
               "Aa\n", "...[1]", "„", "!? ", "§ 1. ", "#\n", "\n\n"]  # fmt: skip


@pytest.mark.parametrize("unit", ADVERSARIAL)
def test_time_is_linear_on_adversarial_input(unit: str) -> None:
    started = time.process_time()
    split_sentences(unit * 100_000)
    assert time.process_time() - started < 5.0  # about 0.5 s; quadratic would be minutes
