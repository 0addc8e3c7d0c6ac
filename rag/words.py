"""Text to index terms, German and English: what the keyword index stores and what a question asks it for.

A term is a stemmed, case-folded word. Model numbers stay whole ("910c", "mi300x", "h20") and are never stemmed;
hyphenated compounds give their parts as well ("Huawei-Chips" -> huawei, chip), because German writes together what
English writes apart.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import Stemmer

from rag.types import Language

VERSION: Final = 1
"""Raised whenever terms change, so that an index with older terms is refused."""

_WORD = re.compile(r"[^\W_]+(?:[.'’][^\W_]+)*", re.UNICODE)
_CODE = re.compile(r"\d")

STOPWORDS: Final[dict[Language, frozenset[str]]] = {
    "en": frozenset(
        "a about after again all also an and any are as at be because been before being between both but by can could "
        "did do does doing down during each few for from further had has have having he her here hers him his how i if "
        "in into is it its itself just me more most my no nor not now of off on once only or other our out over own "
        "per please s same she should so some such t tell than that the their them then there these they this those "
        "through to too under until up us very was we were what when where which while who whom whose why will with "
        "would you your".split()
    ),
    "de": frozenset(
        "ab aber alle allem allen aller alles als also am an ander andere anderem anderen anderer anderes auch auf aus "
        "bei beim bin bis bist bitte da damit dann das dass daß dein dem den denn der des dessen die dies diese diesem "
        "diesen dieser dieses doch dort du durch ein eine einem einen einer eines einig einige er es etwa etwas euch "
        "für gegen gab gibt habe haben hat hatte hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer "
        "im in ins ist ja jede jedem jeden jeder jedes jene jener kann kein keine keinem keinen keiner können könnte "
        "man mehr mein mich mir mit muss nach nicht nichts noch nun nur ob oder ohne sehr sein seine seinem seinen "
        "seiner seit selbst sich sie sind so solche soll sollte sondern sonst um und uns unser unter vom von vor war "
        "waren warum was weil welche welchem welchen welcher welches wem wen wenn wer werde werden weshalb wessen wie "
        "wieder wieso will wir wird wirst wo wollen wurde wurden würde würden zu zum zur zwar zwischen über".split()
    ),
}


@lru_cache(maxsize=1)
def _stemmers() -> dict[Language, Stemmer.Stemmer]:
    return {"de": Stemmer.Stemmer("german"), "en": Stemmer.Stemmer("english")}


def fold(word: str) -> str:
    """Case and spelling variants made one: NFKC, case-folded, ß as ss, umlauts as ae/oe/ue ("für" = "fuer")."""
    word = unicodedata.normalize("NFKC", word).casefold().replace("’", "'")
    return word.translate(_UMLAUTS)


_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_FOLDED_STOPWORDS: Final = {language: frozenset(fold(word) for word in words) for language, words in STOPWORDS.items()}


def tokens(text: str) -> list[str]:
    """The words of `text` as written, in order; hyphens separate, dots and apostrophes inside a word do not."""
    return _WORD.findall(unicodedata.normalize("NFC", text))


def stem(word: str, language: Language) -> str:
    """One folded word to its term. Words with digits are names and stay whole.

    The German stemmer is given umlauts back where they were typed as ae/oe/ue only by the stemmer's own rules: both
    spellings pass through the same fold first, so they meet.
    """
    if _CODE.search(word):
        return word
    if word.endswith("'s"):
        word = word[:-2]
    return str(_stemmers()[language].stemWord(word))


def terms(text: str, language: Language, *, keep_stopwords: bool = False) -> list[str]:
    """`text` as index terms, in order, without stop words (unless asked to keep them)."""
    stop: frozenset[str] = frozenset() if keep_stopwords else _FOLDED_STOPWORDS[language]
    folded = (fold(word) for word in tokens(text))
    return [stem(word, language) for word in folded if word not in stop]


_ONLY: Final[dict[Language, frozenset[str]]] = {
    # words that are common in one language and no word (or a rare one) in the other: "die", "was", "in", "will" say
    # nothing, and a short English question with "die" in it must not become German
    "de": _FOLDED_STOPWORDS["de"]
    - _FOLDED_STOPWORDS["en"]
    - frozenset("die des war man hat den hier bin bist dort gab gegen also mit mein wir".split())
    | frozenset("mit wir und der das ist nicht heute gestern neue neuen neuer jahr jahre wieviel wieviele".split()),
    "en": _FOLDED_STOPWORDS["en"] - _FOLDED_STOPWORDS["de"] - frozenset("i s t me her she other her such".split())
    | frozenset("the much many did does is are latest news new year years today company chips".split()),
}
_GERMAN_SHAPE = re.compile(r"(?:ung|ungen|keit|heit|lich|isch|ische|ischen|schaft|tät|chen|sch\w*|\w*[äöüß]\w*)$")
_ENGLISH_SHAPE = re.compile(r"(?:ing|ness|ship|tion|tions|ments?|ly|ed|\w*th\w*|wh\w+|\w*ough\w*)$")


def language_of(text: str, default: Language = "en") -> Language:
    """German or English? Decided by function words first, then by the shape of the other words.

    Args:
        text: a question of a few words or an article; only the first 4,000 characters are read.
        default: the answer where nothing speaks for either (a bare name such as "R2").
    """
    words = [word.casefold() for word in tokens(text[:4000])]
    balance = 0.0
    for word in words:
        folded = fold(word)
        balance += 2.0 * (folded in _ONLY["de"]) - 2.0 * (folded in _ONLY["en"])
        if len(word) > 4:
            balance += 1.0 * bool(_GERMAN_SHAPE.search(word)) - 0.7 * bool(_ENGLISH_SHAPE.search(word))
    if abs(balance) < 0.5:
        return default
    return "de" if balance > 0 else "en"
