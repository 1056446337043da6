"""What the page says of the text that it follows: where the truth is more, or other, than the text tells."""

from __future__ import annotations

# key: (Polish, English); in the order of the text.
REMARKS: dict[str, tuple[str, str]] = {
    "drawn": (
        "Tekst podaje wektory tokenów, pozycji i segmentów. Wszystkich innych wag (Wq, Wk, Wv, W0, FFN, głowice, "
        "wektory pozostałych tokenów) nie podaje: wylosowano je z ziarna 0, z odchyleniem 1/√4 = 0.5 (wiersze [unused…] tablicy: 0.02). Model "
        "nie był trenowany, więc jego odpowiedzi nic nie znaczą; prawdziwe jest każde działanie.",
        "The text gives the vectors of tokens, positions and segments. All other weights (Wq, Wk, Wv, W0, FFN, heads, "
        "vectors of the other tokens) it does not give: they were drawn from seed 0 with deviation 1/√4 = 0.5 (rows "
        "[unused…] of the table: 0.02). The model was never trained, so its answers mean nothing; every operation is the true one.",
    ),
    "mask_id": (
        "W tekście kropka ma ID 3, a token [MASK] nie ma żadnego. Tokenizery osnowy dają ID 3 tokenowi [MASK]. Ta strona "
        "trzyma się tekstu: kropka ma 3, a [MASK] dostał wolne ID 4. Słowa „opona”, „piękny”, „dom”, „las” dostały "
        "605–608.",
        "In the text the full stop has the ID 3, and [MASK] has none. osnowa's own tokenizers give 3 to [MASK]. This page "
        'keeps to the text: the full stop has 3, and [MASK] got the free ID 4. The words "opona", "piękny", "dom", "las" '
        "got 605–608.",
    ),
    "positions": (
        "Tekst pokazuje dwie różne tablice pozycji: pierwszą dla czterech tokenów (0.01, 0.02, 0.03, 0.04 …), drugą dla "
        "pary zdań (cztery razy 0.01, cztery razy 0.02 …). Model ma jedną; tu jest nią druga. Przy największej długości "
        "8 pierwsza tablica kończy się na pozycji 7, a wielokropek pod nią niczego już nie oznacza.",
        "The text shows two different position tables: one for the four tokens (0.01, 0.02, 0.03, 0.04 …), another for "
        "the pair (0.01 four times, 0.02 four times …). A model has one; here it is the second. With a greatest length of "
        "8 the first table ends at position 7, and the dots below it stand for nothing.",
    ),
    "tables": (
        "Wektory pozycji i segmentów są w tekście wypisane przy każdym tokenie. Jako parametry modelu to dwie małe "
        "tablice: segmentów ma 2 wiersze, pozycji tyle, ile wynosi największa długość.",
        "The text writes the position and segment vectors beside every token. As parameters they are two small tables: "
        "that of segments has 2 rows, that of positions as many as the greatest length.",
    ),
    "norm": (
        "Tekst podaje sumę trzech wektorów wprost do pierwszego enkodera. W BERT suma przechodzi najpierw przez "
        "normalizację warstwową (a w treningu też przez dropout). Strona pokazuje obie liczby: sumę i to, co z niej "
        "czyta pierwsza warstwa.",
        "The text hands the sum of the three vectors straight to the first encoder. In BERT the sum first goes through "
        "a layer normalisation (and in training through dropout). The page shows both: the sum, and what the first layer "
        "reads of it.",
    ),
    "learned": (
        "Wektory nie są „skonstruowane tak”, by słowa o podobnym znaczeniu leżały blisko: na początku są losowe i nie "
        "leżą. Bliskość powstaje w treningu. Rozdział „Jak się uczył” pokazuje to na własnym modelu.",
        'The vectors are not "constructed so" that words of similar meaning lie close: at first they are random and do '
        'not. Closeness comes from training. The chapter "How it learned" shows it on your own model.',
    ),
    "layers": (
        "Warstw bywa więcej niż 12: BERT-large ma 24. Liczba 768 jest szerokością wektora (BERT-base), nie zwykłą "
        "długością sekwencji; tam największa długość to 512.",
        "There may be more than 12 layers: BERT-large has 24. 768 is the width of a vector (BERT-base), not a usual "
        "length of a sequence; there the greatest length is 512.",
    ),
    "division": (
        "768 / 8 = 96 jest policzone dobrze. Ale 768 ma BERT-base, który ma 12 głowic: 768 / 12 = 64. Osiem głowic ma "
        "Transformer z 2017 roku o szerokości 512: 512 / 8 = 64.",
        "768 / 8 = 96 is right. But 768 is BERT-base, which has 12 heads: 768 / 12 = 64. Eight heads belong to the "
        "Transformer of 2017, whose width is 512: 512 / 8 = 64.",
    ),
    "sqrt": (
        "Tekst nie dzieli iloczynów q·k przez √d_k. Model dzieli: bez tego iloczyny rosną z długością wektorów, a "
        "softmax prawie całą wagę oddaje jednemu tokenowi.",
        "The text does not divide the products q·k by √d_k. The model does: without it they grow with the length of "
        "the vectors, and the softmax gives nearly all weight to one token.",
    ),
    "softmax": (
        "Tekst przechodzi od iloczynów wprost do ważonej sumy V. Pomiędzy nimi stoi softmax: to on robi z iloczynów "
        "współczynniki uwagi, które są dodatnie i w każdym wierszu sumują się do 1.",
        "The text goes from the products straight to the weighted sum of V. Between them stands a softmax: it makes "
        "attention weights of the products, positive and adding up to 1 in each row.",
    ),
    "vectors": (
        "Zapytanie jednego tokena to wektor, nie macierz Q; macierz Q mają wszystkie tokeny razem. Z ważonej sumy "
        "powstaje jeden wektor na token i głowicę, nie „V1 … Vn”.",
        "The query of one token is a vector, not a matrix Q; the matrix Q is that of all tokens together. The weighted "
        'sum gives one vector for each token and head, not "V1 … Vn".',
    ),
    "output": (
        "Wyjście Multi-Head Attention to nie V × W0, lecz konkatenacja wyjść wszystkich głowic razy W0, plus wektor "
        "przesunięcia (bias), gdy model go ma.",
        "The output of multi-head attention is not V × W0 but the concatenated outputs of all heads times W0, plus a "
        "bias where the model has one.",
    ),
    "share": (
        "Raz tekst mówi, że ukrywany jest jeden token, raz, że około 15 %. Trening ukrywa 15 % tokenów każdego wiersza "
        "(co najmniej jeden); przykład z jednym [MASK] to przypadek krótkiego zdania.",
        "Once the text says that one token is hidden, once that about 15 % are. Training hides 15 % of the tokens of each "
        "row (one at least); the example with one [MASK] is the case of a short sentence.",
    ),
    "mlm_head": (
        "Tekst mówi o dwóch warstwach głowicy MLM, a pokazuje jedno mnożenie przez W. Pierwsza to warstwa gęsta, GELU i "
        "normalizacja, druga to iloczyn z tablicą Input Embeddings (zwykle tą samą, nie osobną) i bias każdego słowa.",
        "The text speaks of two layers of the MLM head and shows one product with W. The first is a dense layer, GELU and "
        "a normalisation, the second the product with the table of input embeddings (usually the same one, not another) "
        "and a bias for each word.",
    ),
    "toxicity": (
        "Określenia „mask token toxicity” literatura nie zna. Losowe i niezmienione tokeny podano tam z innego powodu: "
        "[MASK] występuje tylko w pre-treningu, a przy dostrajaniu i użyciu już nie (pretrain–finetune mismatch).",
        'The literature does not know the term "mask token toxicity". Random and unchanged tokens have another reason '
        "there: [MASK] occurs in pre-training only, never in fine-tuning and use (the pretrain–finetune mismatch).",
    ),
    "decoder": (
        "Rozdział o dekoderze to w tekście nagłówek i obrazek, a układ koder–dekoder jest tylko nazwany. Tę część "
        "pokazuje strona zrobiona dla własnego dekodera albo kodera z dekoderem: maskę przyczynową, następny token, "
        "uwagę skrośną.",
        "The chapter on the decoder is a heading and a picture in the text, and the encoder-decoder is only named. A page "
        "made for your own decoder or encoder-decoder shows that part: the causal mask, the next token, cross-attention.",
    ),
}
SOFTMAX_WHY = (
    "e^2.5 = 12.1825, e^−1 = 0.3679, e^0.5 = 1.6487, e^−0.2 = 0.8187, e^1.8 = 6.0496; ich suma to 21.0675. Tekst podzielił "
    "przez 20.0675: przy dodawaniu zgubiła się jedynka. Dlatego jego liczby sumują się do 1.049, a nie do 1. Kolejność "
    "słów i zwycięzca „stwarza” się nie zmieniają.",
    "e^2.5 = 12.1825, e^−1 = 0.3679, e^0.5 = 1.6487, e^−0.2 = 0.8187, e^1.8 = 6.0496; their sum is 21.0675. The text "
    "divided by 20.0675: a 1 was lost in adding. That is why its numbers add up to 1.049 and not to 1. The order of the "
    'words and the winner "stwarza" do not change.',
)


def remark(key: str, words: tuple[str, str]) -> dict[str, str]:
    """As the page reads it."""
    return {"key": key, "pl": words[0], "en": words[1]}
