"""What is asked: the question's language, the kinds of answer it wants, and the names it must not lose."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from rag.errors import BadRequest
from rag.glossary import Glossary
from rag.types import Filters, Language, Question, Turn
from rag.words import STOPWORDS, fold, language_of, tokens

_WANTS: Final = {
    # kind of answer -> what a question for it contains, in either language
    "why": r"\b(why|how come|what (?:caused|led|explains)|reasons?|causes?|warum|weshalb|wieso|weswegen|wodurch|woran|grund|gründe[nr]?|gruende[nr]?|ursachen?)\b",
    "who": r"\b(who|whom|whose|which (?:company|firm|person|group|competitor|country|state|agency|outlet)|by whom|wer|wem|wen|wessen|welche[rsmn]? (?:unternehmen|firma|konzern|person|konkurrent\w*|hersteller|behörde|land))\b",
    "when": r"\b(when|what (?:day|date|month|year)|since when|how long ago|wann|seit wann|bis wann|an welchem (?:tag|datum)|in welchem (?:jahr|monat|quartal)|datum)\b",
    "where": r"\b(where|in which (?:city|country|state|place)|wo|woher|wohin|in welche[rmn] (?:stadt|land|staat|ort))\b",
    "how_many": r"\b(how (?:many|much|large|big|high|fast|long|far|often|expensive|strong)|what (?:share|percentage|percent|price|amount|number|size|capacity|cost|sum)|number of|wie ?(?:viel|viele|vielen|vieler|groß|gross|hoch|teuer|schnell|lange|lang|oft|stark|schwer)|wieviele?|welcher (?:anteil|preis|betrag)|welche (?:summe|zahl|menge|höhe|leistung|kapazität)|um wie ?viel|anzahl|prozent|percent)\b",
    "how": r"\b(how|in what way|wie|auf welche weise)\b",
    "said": r"\b(said|says?|told|according to|claim(?:ed|s)?|comment(?:ed)?|reported|denied|sagte?n?|sagt|laut|behauptete?|erklärte?|berichtete?|meldete?|bestritt|dementierte?)\b",
    "latest": r"\b(latest|newest|now|currently|current|still|so far|today|most recent|aktuell\w*|inzwischen|mittlerweile|derzeit|jetzt|heute|zuletzt|neueste\w*|neuester|jüngst\w*|noch)\b",
}  # fmt: skip
_PATTERNS: Final = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _WANTS.items()}
SHORT_FOLLOW_UP: Final = 7
"""Words up to which "and ..." or "what about ..." is taken for a follow-up."""
_CONTINUES = re.compile(
    r"(?:and|but|so|then|what about|how about|und|aber|also|dann|was ist mit|wie (?:sieht|steht) es (?:bei|mit|für))\b",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(
    r"\b(?:it|its|they|them|their|he|his|him|she|her|that|this|those|these|there|then|the (?:company|firm|chip|deal|model|report)|"
    r"er|sie|es|ihr|ihre[mnrs]?|sein|seine[mnrs]?|das|dies\w*|diese[mnrs]?|dort|damals|davon|dazu|damit|dabei|darauf|dagegen|dafür|"
    r"die firma|das unternehmen|der chip|der konzern|das modell|der bericht)\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"\b(?=\w*\d)(?=\w*[A-Za-z])[\w-]+\b")
_CAPITAL = re.compile(r"[A-ZÄÖÜ]")
_YEAR = re.compile(r"(?:19|20)\d\d\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def understand(
    text: str,
    *,
    most_chars: int,
    filters: Filters,
    glossary: Glossary,
    language: Language | None = None,
    history: Sequence[Turn] = (),
) -> Question:
    """A question as typed to a Question.

    Args:
        text: what the user typed.
        most_chars: longest question that is accepted.
        filters: what is allowed as evidence.
        glossary: tells names from other words.
        language: the answer's language; None to use the question's own.
        history: the conversation so far, oldest first; decides the language of a bare name.

    Raises:
        BadRequest: empty, too long, or filters that allow nothing.
    """
    cleaned = " ".join(_CONTROL.sub(" ", unicodedata.normalize("NFC", text)).split())
    if not cleaned:
        raise BadRequest("The question is empty.", "Ask something, for example: why was R2 delayed?")
    if len(text) > most_chars:
        raise BadRequest(f"The question has {len(text):,} characters, at most {most_chars:,} are read.", "Shorten it.")
    if filters.since and filters.until and filters.since > filters.until:
        raise BadRequest(f"`since` ({filters.since}) is after `until` ({filters.until}).", "Swap or change them.")
    before = next((turn.content for turn in reversed(history) if turn.role == "user"), "")
    own = language_of(cleaned, default=language_of(before) if before else language or "en")
    standalone = make_standalone(cleaned, before, own, glossary)
    return Question(
        text=cleaned,
        standalone=standalone,
        language=language or own,
        wants=frozenset(kind for kind, pattern in _PATTERNS.items() if pattern.search(cleaned))
        or frozenset(kind for kind, pattern in _PATTERNS.items() if pattern.search(standalone)),
        names=names(standalone, own, glossary),
        filters=filters,
    )


def make_standalone(text: str, before: str, language: Language, glossary: Glossary) -> str:
    """A follow-up made understandable without the conversation; any other question as it is.

    "What about AMD?" after "How much did Nvidia book?" becomes the earlier question about AMD; a question that points back
    ("And who said that?") or names nothing of its own gets the earlier one beside it.

    Args:
        text: the question.
        before: the user's question before it, or "".
    """
    if not before:
        return text
    own = [(entry, words) for entry, words in glossary.mentions(text, language) if entry.kind != "term"]
    continues = _CONTINUES.match(text)
    if continues and own and len(tokens(text)) <= SHORT_FOLLOW_UP:
        earlier = [
            (e, w) for e, w in glossary.mentions(before, language_of(before, language)) if e.kind == own[0][0].kind
        ]
        if earlier:
            return before.replace(earlier[0][1], own[0][1])
    named = names(text, language, glossary)
    if (
        (continues and len(tokens(text)) <= SHORT_FOLLOW_UP)
        or (not named and _POINTS_BACK.search(text))
        or (not own and not named)
    ):
        return f"{text} ({before})"
    return text


def names(text: str, language: Language, glossary: Glossary) -> tuple[str, ...]:
    """Names, model numbers and codes in `text`, as written, without repeats.

    English capitals inside a sentence mark names; in German every noun has one, so there only glossary names, codes
    ("R2", "H20") and capitals inside a word ("DeepSeek", "TSMC") count.
    """
    found = [words for entry, words in glossary.mentions(text, language) if entry.kind != "term"]
    found += _CODE.findall(text)
    words = tokens(text)
    stop = {fold(word) for word in STOPWORDS[language]}
    for position, word in enumerate(words):
        capitals = len(_CAPITAL.findall(word))
        inner = capitals >= 2 and not word.isdigit()
        english_name = language == "en" and capitals and position > 0
        if (inner or english_name) and fold(word) not in stop:
            found.append(word)
    kept: list[str] = []
    for name in dict.fromkeys(found):
        inside_another = any(name != other and name in other.split() for other in found)
        if not inside_another and not _YEAR.match(name):
            kept.append(name)
    return tuple(kept)
