"""What is asked: the question's language, the kinds of answer it wants, and the names it must not lose."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Final

from rag.errors import BadRequest
from rag.followup import make_standalone
from rag.glossary import Glossary
from rag.names import names
from rag.parts import parts
from rag.period import find_period, with_months
from rag.types import Filters, Language, Period, Question, Turn
from rag.words import language_of

_WANTS: Final = {
    # kind of answer -> what a question for it contains, in either language
    "why": r"\b(why|how come|what (?:caused|led|explains)|reasons?|causes?|warum|weshalb|wieso|weswegen|wodurch|woran|grund|gründe[nr]?|gruende[nr]?|ursachen?)\b",
    "who": r"\b(who|whom|whose|which (?:company|firm|person|group|competitor|country|state|agency|outlet)|by whom|wer|wem|wen|wessen|welche[rsmn]? (?:unternehmen|firma|konzern|person|konkurrent\w*|hersteller|behörde|land))\b",
    "when": r"\b(when|what (?:day|date|month|year)|since when|how long ago|wann|seit wann|bis wann|an welchem (?:tag|datum)|in welchem (?:jahr|monat|quartal)|datum)\b",
    "where": r"\b(where|in which (?:city|country|state|place)|wo|woher|wohin|in welche[rmn] (?:stadt|land|staat|ort))\b",
    "how_many": r"\b(how (?:many|much|large|big|high|fast|long|far|often|expensive|strong)|what (?:share|percentage|percent|price|amount|number|size|capacity|cost|sum)|number of|wie ?(?:viel|viele|vielen|vieler|groß|gross|hoch|teuer|schnell|lange|lang|oft|stark|schwer)|wieviele?|welcher (?:anteil|preis|betrag)|welche (?:summe|zahl|menge|höhe|leistung|kapazität)|um wie ?viel|anzahl|prozent|percent)\b",
    "how": r"\b(how|in what way|wie|auf welche weise)\b",
    "said": r"\b(said|says?|told|according to|claim(?:ed|s)?|comment(?:ed)?|reported|denied|sagte?n?|sagt|laut|behauptete?|erklärte?|berichtete?|meldete?|bestritt|dementierte?)\b",
    "latest": (
        r"\b(?:latest|newest|most recent(?:ly)?|currently|current(?! (?:fiscal|financial|quarter|year|month|week|draw|density|limit)\b)(?= [a-z])|so far|right now|at the moment|at present|these days|nowadays|as of now|"
        # "now" in "may now buy" and "today" in "announced today" tell when something happened, not that news are wanted
        r"as things stand|now(?=\s*[?.,–-]|\s*\Z)|stand now|today(?=\s*[?.]|\s*\Z)|"
        r"aktuell\w*|inzwischen|mittlerweile|derzeit\w*|gegenwärtig\w*|momentan|jetzt(?=\s*[?.]|\s*\Z)|zuletzt|neueste\w*|jüngste[nrs]?|"
        r"letzte[rn]? stand|stand der dinge|heute(?! (?:bekannt|angekündigt|mitgeteilt|gemeldet|vorgestellt)))\b"
        # "is it still banned?", but not "had it still been sold?" or "wer war noch dabei?"
        r"|\A(?:and |und )?(?:is|are|does|do|can|may)\b.{2,80}\b(?:still|now)\b"
        r"|\A(?:and |und )?who (?:is|are|runs|leads|owns|heads) now\b"
        r"|\A(?:und )?(?:ist|sind|gilt|gelten|darf|dürfen|kann|können|besteht|bestehen)\b.{2,80}\bnoch\b(?! (?:ein\w*|mal|mehr|weitere\w*|etwas)\b)"
        r"|\A(?:und )?(?:wer |was |wie |wo |wem )?(?:ist|sind|gilt|gelten|darf|dürfen|kann|können|führt|leitet|gehört|hat|haben)\b.{0,80}\bjetzt\b"
    ),
    "conflict": (
        r"\b(?:reports?|reporting|accounts?|(?:news )?sources?|outlets?|media|newspapers?|papers|articles?|figures?|numbers?|estimates?|versions?)\b"
        r".{0,60}\b(?:agree|disagree|differ|contradict|conflict|diverge|vary|at odds)\b"
        r"|\b(?:agree|disagree|differ|contradict)\b.{0,40}\b(?:reports|accounts|sources|outlets|media|papers|figures|numbers)\b"
        r"|\b(?:different|differing|conflicting|contradictory|diverging) (?:\w+ )?(?:reports|accounts|sources|outlets|figures|numbers|dates|sums|"
        r"amounts|percentages|values|versions|stories)\b"
        r"|\b(?:who|which (?:outlet|source|site|paper|report)s?) (?:says|say|reports|report|gives|give) (?:what|which)\b"
        r"|\bwhat do the (?:different )?(?:media|sources|reports|outlets) say\b|\bhow far apart\b|\bcontradicts? (?:one another|each other|itself)\b"
        r"|\bwiderspr(?:echen|icht|ach|achen|üch\w*|uech\w*)\b"
        r"|\b(?:unterschiedliche|verschiedene|abweichende)[nrs]? (?:\w+ )?(?:angaben|zahlen|daten|quellen|summen|werte|tage|beträge|berichte|darstellungen)\b"
        r"|\b(?:sind|waren) sich .{2,60}\b(?:einig|uneins|uneinig)\b|\bstimmen .{2,80}\büberein\b|\b(?:gehen|weichen) .{2,60}\b(?:auseinander|ab)\b"
        r"|\bunterscheiden sich\b.{0,40}\b(?:angaben|zahlen|berichte|quellen|meldungen)\b|\bpassen nicht zusammen\b|\bje nach quelle\b"
        r"|\bwas (?:schreiben|sagen|melden|berichten) die (?:medien|quellen|zeitungen|berichte)\b"
        r"|\bwelche (?:quellen|medien|zeitungen|blätter) (?:nennen|geben|sagen|schreiben|melden)\b"
    ),
}  # fmt: skip
_PATTERNS: Final = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _WANTS.items()}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def understand(
    text: str,
    *,
    most_chars: int,
    filters: Filters,
    glossary: Glossary,
    language: Language | None = None,
    history: Sequence[Turn] = (),
    today: date | None = None,
    dates: bool = True,
    joined: bool = False,
) -> Question:
    """A question as typed to a Question.

    Args:
        text: what the user typed.
        most_chars: longest question that is accepted.
        filters: what is allowed as evidence.
        glossary: tells names from other words.
        language: the answer's language; None to use the question's own.
        history: the conversation so far, oldest first; decides the language of a bare name.
        today: what "last week" is seen from; None for the day it is.
        dates: whether a time that the question names is read from it. `since` and `until` of the filters come first.
        joined: whether it belongs to the conversation even where nothing in it points back.

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
    today = today or date.today()
    own = language_of(cleaned, default=language_of(before) if before else language or "en")
    standalone = make_standalone(cleaned, history, own, glossary, today, joined=joined)
    apart = parts(standalone, own, glossary, today)
    period = None
    if dates and not (filters.since or filters.until):
        read = partial(find_period, language=own, today=today, year_ends=glossary.year_ends(standalone, own))
        # a follow-up's own time comes before that of the question it continues
        period = _all_of([read(part.text) for part in apart]) or read(cleaned) or read(standalone)
    return Question(
        text=cleaned,
        standalone=with_months(standalone, period, own, today),
        language=language or own,
        wants=frozenset(kind for kind, pattern in _PATTERNS.items() if pattern.search(cleaned))
        or frozenset(kind for kind, pattern in _PATTERNS.items() if pattern.search(standalone)),
        names=names(standalone, own, glossary),
        filters=filters,
        asked=today,
        period=period,
        parts=apart,
    )


def _all_of(periods: Sequence[Period | None]) -> Period | None:
    """The times that are compared as one, from the first to the last; None where one of them is not read or has no end."""
    named = list(dict.fromkeys(period for period in periods if period and period.since and period.until))
    if None in periods or not named:
        return None
    since, until = min(each.since or date.min for each in named), max(each.until or date.max for each in named)
    return Period(", ".join(each.words for each in named), since, until, named[0].year_ends)
