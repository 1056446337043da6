"""The numbers that the text prints, copied by hand: its vocabulary, its vectors, its two tables of sums, its softmax."""

from __future__ import annotations

IDS = {
    "[CLS]": 1,
    "[SEP]": 2,
    ".": 3,
    "Natura": 201,
    "stwarza": 315,
    "najpiękniejsze": 489,
    "obrazy": 522,
    "Bardzo": 601,
    "lubię": 602,
    "je": 603,
    "oglądać": 604,
}
INPUT_EMBEDDINGS = {
    "[CLS]": (0.10, -0.20, 0.30, -0.40),
    "[SEP]": (0.08, 0.07, 0.06, 0.05),
    ".": (0.01, 0.02, 0.03, 0.04),
    "Natura": (0.12, -0.87, 0.45, 0.33),
    "stwarza": (-0.56, 0.91, -0.22, 0.77),
    "najpiękniejsze": (0.03, 0.65, -0.44, -0.19),
    "obrazy": (0.88, -0.11, 0.29, -0.73),
    "Bardzo": (0.30, 0.10, -0.20, 0.50),
    "lubię": (0.05, 0.55, 0.10, -0.10),
    "je": (0.00, 0.00, 0.70, -0.30),
    "oglądać": (0.40, -0.10, 0.00, 0.20),
}

# "Natura stwarza najpiękniejsze obrazy": four tokens, no segments.
FIRST = ("Natura", "stwarza", "najpiękniejsze", "obrazy")
FIRST_POSITIONS = (
    (0.01, 0.02, 0.03, 0.04),
    (0.05, 0.06, 0.07, 0.08),
    (0.09, 0.10, 0.11, 0.12),
    (0.13, 0.14, 0.15, 0.16),
)
FIRST_SUMS = (
    ("0.13", "-0.85", "0.48", "0.37"),
    ("-0.51", "0.97", "-0.15", "0.85"),
    ("0.12", "0.75", "-0.33", "-0.07"),
    ("1.01", "0.03", "0.44", "-0.57"),
)

# The pair of sentences that the next-sentence head judges.
SENTENCE_A, SENTENCE_B = "Natura stwarza najpiękniejsze obrazy.", "Bardzo lubię je oglądać."
PAIR = (
    ("[CLS]", 0),
    ("Natura", 0),
    ("stwarza", 0),
    ("najpiękniejsze", 0),
    ("obrazy", 0),
    (".", 0),
    ("[SEP]", 0),
    ("Bardzo", 1),
    ("lubię", 1),
    ("je", 1),
    ("oglądać", 1),
    (".", 1),
    ("[SEP]", 1),
)
PAIR_POSITIONS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.10, 0.11, 0.12, 0.13)  # four times each
SEGMENTS = ((0.77, -0.64, -0.82, 0.5), (-0.42, -0.88, 0.94, -0.28))
PAIR_SUMS = (
    ("0.88", "-0.83", "-0.51", "0.11"),
    ("0.91", "-1.49", "-0.35", "0.85"),
    ("0.24", "0.3", "-1.01", "1.3"),
    ("0.84", "0.05", "-1.22", "0.35"),
    ("1.7", "-0.7", "-0.48", "-0.18"),
    ("0.84", "-0.56", "-0.73", "0.6"),
    ("0.92", "-0.5", "-0.69", "0.62"),
    ("-0.04", "-0.7", "0.82", "0.3"),
    ("-0.28", "-0.24", "1.13", "-0.29"),
    ("-0.32", "-0.78", "1.74", "-0.48"),
    ("0.09", "-0.87", "1.05", "0.03"),
    ("-0.29", "-0.74", "1.09", "-0.12"),
    ("-0.21", "-0.68", "1.13", "-0.1"),
)

# The softmax example: five words, their logits, and the predictions as the text prints them.
WORDS = ("stwarza", "opona", "piękny", "dom", "las")
LOGITS = (2.5, -1.0, 0.5, -0.2, 1.8)
PREDICTIONS = ("0.607", "0.018", "0.082", "0.041", "0.301")

# dk = dv = dmodel / h.
D_MODEL, NUM_HEADS, D_HEAD = 768, 8, 96
