"""Raw files to documents: readers, cleaning, language, duplicates, sentences, and a ledger that accounts for each."""

from osnowa.corpus.catalog import fingerprint_collected, fingerprint_inputs
from osnowa.corpus.config import CorpusConfig
from osnowa.corpus.ledger import CorpusWarning, Ledger
from osnowa.corpus.pipeline import collect
from osnowa.corpus.published import Corpus, Document, open_corpus
from osnowa.corpus.stages import Progress

__all__ = [
    "Corpus",
    "CorpusConfig",
    "CorpusWarning",
    "Document",
    "Ledger",
    "Progress",
    "collect",
    "fingerprint_collected",
    "fingerprint_inputs",
    "open_corpus",
]
