"""Which language a text is in: by script, then by the commonest words of Latin-script languages."""

from __future__ import annotations

import re
from typing import Final

SAMPLE_CHARACTERS: Final = 600
UNDETERMINED: Final = "und"

# In order: kana before Han, since Japanese mixes both; letters only Ukrainian or Persian has
# before the scripts they share.
_SCRIPTS: Final = tuple(
    (code, re.compile(pattern))
    for code, pattern in (
        ("ja", "[\u3040-\u30ff]"),
        ("ko", "[\u1100-\u11ff\uac00-\ud7af]"),
        ("zh", "[\u4e00-\u9fff]"),
        ("uk", "[іїєґІЇЄҐ]"),
        ("ru", "[\u0400-\u04ff]"),
        ("fa", "[پچژگ]"),
        ("ar", "[\u0600-\u06ff]"),
        ("he", "[\u0590-\u05ff]"),
        ("el", "[\u0370-\u03ff]"),
        ("th", "[\u0e00-\u0e7f]"),
        ("hi", "[\u0900-\u097f]"),
    )
)
_LATIN: Final = re.compile("[a-zà-öø-ÿāăąćčďđęěğıłńňőœřśşšťţůűźżžơưạ-ỹ]+")

_COMMON_WORDS: Final = {
    "en": "the a an of and to in is for that with this you are what how write can my me it on be or",
    "de": "der die das und ist ein eine nicht ich für mit den von zu wie was bitte auf im mir",
    "fr": "le la les des et est un une pour dans que qui avec sur je moi ce du comment écris",
    "es": "el la los las de y es un una para con que en por cómo qué mi del escribe se",
    "pt": "o a os as de e é um uma para com que em por como não meu do da escreva",
    "it": "il lo la gli di e è un una per con che in come non mio del della scrivi mi",
    "nl": "de het een en van is voor met dat niet ik op te hoe wat mijn zijn schrijf er aan",
    "pl": "i w na z się nie to jest do jak dla że co mi po napisz proszę od przez moje",
    "tr": "ve bir bu için ile ne nasıl bana mi da de çok gibi olan yaz lütfen kadar daha mı en",
    "vi": "và là của cho một các có không tôi với những trong được này viết hãy để như về bạn",
    "id": "dan yang di untuk dengan ini itu dari saya ke tidak apa bagaimana buat tolong adalah",
    "sv": "och att det är en ett för med på av som inte jag den hur vad till skriv min om",
    "ro": "și de la în un o pe cu pentru este nu ce cum să mai scrie care din mi sunt",
    "cs": "a v na se je že s z do o jak pro to co napiš mi prosím jsem nebo by",
}
_WORD_LANGUAGES: Final = {
    word: tuple(code for code, words in _COMMON_WORDS.items() if word in words.split())
    for word in {word for words in _COMMON_WORDS.values() for word in words.split()}
}


def detect_language(text: str) -> str:
    """Return the ISO 639-1 code of `text`, or `und` where nothing tells.

    Reads the first 600 characters. A script wins when more than a fifth of the letters are in it,
    so that one quoted Chinese word does not make an English question Chinese.
    """
    sample = text[:SAMPLE_CHARACTERS].lower()
    words = _LATIN.findall(sample)
    latin_letters = sum(map(len, words))
    if not sample.isascii():
        for code, pattern in _SCRIPTS:
            if len(pattern.findall(sample)) * 4 > latin_letters:
                return code
    return _by_common_words(words)


def _by_common_words(words: list[str]) -> str:
    scores: dict[str, float] = {}
    for word in words:
        for code in _WORD_LANGUAGES.get(word, ()):
            scores[code] = scores.get(code, 0.0) + 1 / len(_WORD_LANGUAGES[word])
    return max(scores, key=lambda code: scores[code]) if scores else UNDETERMINED
