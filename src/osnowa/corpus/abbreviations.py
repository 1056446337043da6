"""Polish and English abbreviations, sorted by what must follow before their full stop ends a sentence."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Lower-case, without the last full stop. The collision of an abbreviation with a word of the other language ("red.",
# "dot.", "max.") decides its table: one that is also a word goes to BEFORE_STARTER, not to NEVER.

# Something always follows: connecting words, titles, streets, languages.
NEVER = _words(
    """
    np tzn tj m.in zob wg tzw ww por ps p.s e.g i.e eg vs cf viz q.v s.v c.d jw
    dr prof hab mgr inż doc mec dyr mjr płk ppłk kpt ppor plut sierż kpr szer adm kmdr rtm ks abp bp kard św śś bł śp hr
    mr mrs ms messrs mme mlle rev capt lt sgt cpl sen gov hon pres supt
    ul al pl im pt ds dn zam woj gm ur
    ang łac niem franc ros hiszp czes wł amer grec staropol dz tow społ oddz najśw hm zast
    tłum przeł oprac reż scen muz wyst wyd ilustr przyp zał sygn wym zwł ewent maks pos płn płd wsch zach
    """
)

# Only before a word that often opens a sentence: "the U.S. He", not "the U.S. Army".
BEFORE_STARTER = _words(
    """
    inc ltd co corp jr sr st ave rd blvd dept univ bros mt ft
    red max gen med fr pol pot dot fot arch mat kol ob pow tys mln mld szt egz kier lek tech adr cd os sp mies
    o p s m t z k n d f b c g l ł h pp oo rep col phil prez przew dypl kl cz approx ca hist geogr franc min sek
    """
)

# Before a capital letter, and before nothing else.
BEFORE_CAPITAL = _words("r w zł gr br itp itd etc in rr a.m p.m n.e p.n.e b.r b.d o.o n.p.m tyg bm proc")

# Never before a digit or a Roman numeral; otherwise like any word.
BEFORE_LETTER = _words(
    """
    nr no nos str art ust pkt poz rozdz rys ryc tab fig figs vol ch sec lp lit par ver tel godz ok est eq cyt zm pok
    jan feb mar apr jun jul aug sept sep oct nov dec
    """
)

# After a number these are units and can end a sentence: "miał 2 m. Potem", but "m. Warszawa".
UNITS = _words("m g s h l t d min sek godz os szt egz pkt cm km kg mies")

# Words that open sentences far more often than they open names.
STARTERS = _words(
    """
    The This That These Those He She It We You They I In On At But And So If When While As After Before There Here What
    Who How Why However For From His Her Its Our My Your Their Then Now Not No Yes A An Some Many Most All Each One
    Although Since Because With By To Once Also Such
    W We Na Do Z Ze Za O Od Po Pod Nad Przed Przy Dla Bez U Ale Lecz Jednak Jest Są Był Była Było Byli Były Nie Tak Ten
    Ta Te Ci Tam Tu Tutaj Jego Jej Ich On Ona Ono Oni One Kto Co Gdy Gdzie Kiedy Jak Jeśli Jeżeli Ponieważ Dlatego
    Dlaczego Więc Czy Choć Chociaż Następnie Potem Później Wtedy Obecnie Dziś Dzisiaj Teraz Już Jeszcze Także Również
    Natomiast Mimo Według Zgodnie Podczas Jako Można Należy Ja Ty Wy Przez Każdy Każda Każde Wszystkie Wszyscy Niektóre
    Wiele Wiem Mam Znów Zatem Ponadto Poza Odtąd Dotąd
    """
)

# What a full stop after a number does not end: "1. Dywizji Pancernej", "w 2. Lidze".
ORDINAL_STEMS = (
    "Dywizj", "Pułk", "Armi", "Korpus", "Brygad", "Batalion", "Kompani", "Eskadr", "Flot", "Lig", "Festiwal", "Kongres",
    "Zjazd", "Front", "Dzielnic", "Rejon", "Konkurs", "Sesj", "Kadencj",
)  # fmt: skip
