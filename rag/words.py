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

VERSION: Final = 2
"""Raised whenever terms change, so that an index with older terms is refused."""

CACHED: Final = 50_000
"""Words whose terms are remembered: texts of one subject repeat them. About 10 MB."""

_WORD = re.compile(r"[^\W_]+(?:[.'’][^\W_]+)*", re.UNICODE)
_CODE = re.compile(r"\d")
_LOAN_S = re.compile(r"(?<=\w\w[aeiouycpvwx])s\Z")

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


@lru_cache(maxsize=CACHED)
def fold(word: str) -> str:
    """Case and spelling variants made one: NFKC, case-folded, ß as ss, umlauts as ae/oe/ue ("für" = "fuer")."""
    word = unicodedata.normalize("NFKC", word).casefold().replace("’", "'")
    return word.translate(_UMLAUTS)


_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_FOLDED_STOPWORDS: Final = {language: frozenset(fold(word) for word in words) for language, words in STOPWORDS.items()}


def tokens(text: str) -> list[str]:
    """The words of `text` as written, in order; hyphens separate, dots and apostrophes inside a word do not."""
    return _WORD.findall(unicodedata.normalize("NFC", text))


@lru_cache(maxsize=CACHED)
def stem(word: str, language: Language) -> str:
    """One folded word to its term. Words with digits are names and stay whole.

    The genitive "'s" goes from all words, and German words lose a final s that the German stemmer leaves after
    letters on which its own endings never stand: "Chips", "GPUs" and "Huaweis" meet "Chip", "GPU" and "Huawei". It goes
    after stemming, so that "Preis" still meets "Preise".
    """
    word = word.removesuffix("'s")
    if _CODE.search(word):
        return word
    stemmed = str(_stemmers()[language].stemWord(word))
    return _LOAN_S.sub("", stemmed) if language == "de" else stemmed


def terms(text: str, language: Language, *, keep_stopwords: bool = False) -> list[str]:
    """`text` as index terms, in order, without stop words (unless asked to keep them)."""
    stop: frozenset[str] = frozenset() if keep_stopwords else _FOLDED_STOPWORDS[language]
    folded = (fold(word) for word in tokens(text))
    return [stem(word, language) for word in folded if word not in stop]


_ONLY: Final[dict[Language, frozenset[str]]] = {
    # words that are common in one language and no word (or a rare one) in the other: "die", "was", "in", "will", "bis"
    # (the Bureau of Industry and Security) say nothing, and a short English question with "die" in it must not become
    # German
    "de": _FOLDED_STOPWORDS["de"] - _FOLDED_STOPWORDS["en"] - frozenset("die war man also bis bin bist gab".split())
    | frozenset(
        "anfang ausser beide beim bereits bisher bisherige bisherigen dafuer dagegen danach davon dazu derzeit "
        "eigene eigener eigenen eigenes ende erst erste ersten erster erstes fast ggf ggue gestern heute ihres "
        "inwiefern inzwischen jahr jahre jahren je jetzt laut lt mal mehrere nach neben neue neuen neuer neues "
        "rund seit sowie statt trotz viel viele vielen vor wann wegen weiter weitere wieviel wieviele wofuer woher "
        "wohin wollte wollten womit woran worum wozu wodurch zuerst zuletzt zweite zweiten zweiter zweites dritte "
        "dritten drittes zwei drei vier fuenf sechs sieben acht zehn zwoelf mrd mio januar februar maerz mai juni "
        "juli oktober dezember fruehjahr sommer herbst montag dienstag mittwoch donnerstag freitag".split()
    ),
    "en": _FOLDED_STOPWORDS["en"] - _FOLDED_STOPWORDS["de"] - frozenset("i s t me her she other such us".split())
    | frozenset(
        "the much many did does is are latest news new year years today yesterday company companies first second third "
        "two three four five six seven eight nine ten january february march june july october december spring summer "
        "autumn monday tuesday wednesday thursday friday".split()
    ),
}
_GERMAN_NOUNS: Final = (
    # what news about business asks for, also as the last part of a compound: "Gesamtumsatz", "Marktanteil"
    "absatz aktie anbau anbieter anlage anleger anstieg anteil antwort anzahl arbeit aufbau auflage auftrag ausbau "
    "ausbeute ausblick bedarf beginn behoerde beispiel bericht bestand betrag betrieb boerse buero bundesland chef "
    "datum dauer durchsatz einbruch einfuhr einkauf ergebnis fabrik firma firmen foerderung forscher frist gang "
    "gebiet geld gericht gesetz gewicht gewinn gipfel gruender grund haendler handel haupt hersteller hoehe huerde "
    "interesse jahr kampf karte kauf kern klage kongress konkurrenz konzern kosten kraft kritik kunde kurs laender "
    "lager leistung lieferant lizenz luft macht mangel marge marke markt maschine menge milliarde millionen mittel "
    "modell monat muster nachfrage nutzer pflicht plaetze platz preis prognose prozent prozess quartal quelle "
    "rechner recht regel regierung rekord richter runde satz schaden schnitt schuld schutz schwelle sicht sorge "
    "speicher sperre staat stadt standort stapel stelle steuer stopp strafe streit strom stueck stufe stunde summe "
    "technik teil termin tochter umfang umsatz unterschied ursache urteil verband verbot verbrauch verfahren "
    "vergleich verlust vertrag volumen vorrat vorwurf wachstum waehrung wechsel welle werk wert woche zahl zeit "
    "zentren zentrum ziel zitat zoelle zoll zuwachs zweck"
)
_GERMAN_NOUN = re.compile(rf"(?:{'|'.join(_GERMAN_NOUNS.split())})(?:e|en|er|ern|es|n|s|plus)?\Z")
_UMLAUT = re.compile(r"[äöü]")
_GERMAN_SHAPE = re.compile(
    # spellings: umlauts typed as two letters, and letters that meet in hardly any English word
    r"\A(?:aend|aeuss|oeff|oester|ueb)|(?<=[bdfghjklmnprstvwz])(?<!sr)ae(?=[bcdfghklmnprstuz]\w)"
    r"|(?<=[bdfghjklmnprstvwz])(?<!ph)oe(?=[bcdfghklmnprstz]\w)|(?<=[bdfhjkmnprstwz])ue(?=[bcdfghkmnrtz]\w)"
    r"|(?<=\w)sch(?=\w)|cht|[aeiu]h[rlmn]|[aeiour]kt(?:e|en|s|es|i|o|u|\Z)|tz(?=\w)|mpf|\Azw"
    # beginnings
    r"|\A(?:ab|an|auf|aus|ein|mit|nach|um|vor|zu)?ge(?![nor])\w{2,}(?:t|en)\Z|\Aver(?=[fhklmnpwz]|sch|st|bo|br|tr)"
    r"|\Ak(?:on[fkz]|omm|apaz|und|lein|oop)|\Az(?:ahl|eit|iel|oll|ug|ur)|\A(?:auf|unter(?=[hnsz]))"
    # endings
    r"|\w{3}(?<!ms)(?<!yo)ung(?:en|s)?\Z|(?:keit|heit|schaft|taet|[bdrt]nis)(?:en|s)?\Z|(?:lich|isch)(?:e[mnrs]?)?\Z"
    r"|\w{3}bar(?:e[mnrs]?)?\Z|ier(?:t|te|ten|en)\Z|\w{2}[dlnt]ig(?:e[mnrs])?\Z|(?:ismus|stoff)\Z"
)
_GERMAN_ENDING = re.compile(r"\w{3}[bdfghlmnrtz]en\Z")
"""Too weak to decide alone: "Dresden" and "written" end like German plurals."""
_ENGLISH_SHAPE = re.compile(
    # one alone decides nothing either: "Anthropic" and "ByteDance" are asked about in both languages
    r"th|\Awh|ough|igh|ea[dklmrst]|(?:ing|ness|ship|tions?|ments?|ly|ed|[bcdglmnrt]y|ies|ce|ces|ow|own|ive|ous|ble)\Z"
)


def language_of(text: str, default: Language = "en") -> Language:
    """German or English? Function words and plain words of the news count most, the spelling of the others less.

    Args:
        text: a question of a few words or an article; only the first 4,000 characters are read.
        default: the answer where nothing speaks for either (a bare name such as "R2").
    """
    balance = sum(_leaning(word.casefold()) for word in tokens(text[:4000]))
    if abs(balance) < 0.5:
        return default
    return "de" if balance > 0 else "en"


def _leaning(word: str) -> float:
    """How much one case-folded word speaks for German (above zero) or for English (below)."""
    folded = fold(word)
    if folded in _ONLY["de"]:
        return 2.0
    if folded in _ONLY["en"]:
        return -2.0
    if len(word) < 4 or _CODE.search(word):
        return 0.0
    german = 0.0
    if _GERMAN_NOUN.search(folded):
        german = 1.5
    elif _UMLAUT.search(word) or _GERMAN_SHAPE.search(folded):
        german = 1.0
    elif _GERMAN_ENDING.search(folded):
        german = 0.4
    return german - 0.4 * bool(_ENGLISH_SHAPE.search(folded))
