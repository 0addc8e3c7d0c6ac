"""Follow-ups made understandable without the conversation: by rules, in German and English.

The reader sees the result, and it is what is searched for. Two faults are possible: a follow-up that stays alone finds
nothing; a new question that drags the old topic along finds the wrong thing and does not show why. The second is worse,
so a question counts as a follow-up only for a reason that can be pointed at: it continues ("and ..."), points back to
something it does not name ("did he deny that?"), or says too little to be searched for ("why?"). Half of the follow-ups
do none of these; what is found for them decides (`rag.continues`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from rag.dates import NUMBER_OF_MONTH
from rag.glossary import Entry, Glossary
from rag.names import names
from rag.period import in_quarter, spots
from rag.types import Language, Turn
from rag.words import STOPWORDS, fold, language_of, tokens

TURNS: Final = 8
"""Messages looked back at: a chain of follow-ups is resolved from its first question on."""
READ: Final = 600
"""Characters read of each message: a question, or the first sentences of an answer."""
MUCH: Final = 3
"""Words with a meaning before "that" or "dabei", above which the question itself is what they point to."""
LONG: Final = 24
"""Words from which an earlier question is cut down to its names and topic words, or it would drown the follow-up."""

_OPENER = re.compile(
    r"(?:(?:and|but|so|then|okay|ok|und|aber|also|dann)\b,?\s*)*"
    r"(?:(?:what about|how about|what of|was ist mit|wie (?:sieht|steht) es (?:bei|mit|für|fuer)|wie ist es (?:bei|mit)|auch bei)\b\s*)?",
    re.IGNORECASE,
)
_GENERIC: Final = frozenset(
    # words of asking and telling that name no topic of their own, folded
    "say says said saying tell tells told report reports reported happen happened happening react reacted reaction respond "
    "responded response answer answered comment commented know known think thought mean means meant explain explained give "
    "gave given get got make made date day days time times year years month months amount figure figures number exactly really "
    "else still yet ever afterwards later before since earlier meanwhile first last next long big high large much many often "
    "source sources outlet reason reasons detail details further other others new old one ones thing things anything something "
    "someone anyone everyone ago back come came go went going do done many part due well way "
    "sagen sagt sagte sagten gesagt berichten berichtet berichtete reagieren reagiert reagierte reagierten reaktion passieren "
    "passiert passierte geschehen geschah antworten antwortete geantwortet wissen weiss bekannt meinen meinte gemeint erklaeren "
    "erklaerte erklaert geben gibt gab genau eigentlich denn wirklich schon jemals danach spaeter vorher zuvor davor seitdem "
    "zuerst zuletzt naechste naechsten erste ersten letzte letzten quelle quellen grund gruende folgen einzelheiten datum tag "
    "tage zeit jahr jahre monat monate zahl zahlen viel viele hoch gross lange weiter weitere weiteren andere anderen neue "
    "neuen alte alten etwas jemand dazu davon dabei damit darauf dafuer dagegen daran darueber dort da damals wann wodurch "
    "wozu wofuer worauf woran wovon womit wohin woher wieviel wieviele kam kommen kommt ging gehen geht machen macht machte "
    "gemacht tun tat getan".split()
)
_THING: Final = (
    # what "the ..." points back to unless a name or an explanation follows
    r"(?:company|firm|group|manufacturer|chipmaker|start-?up|chip|processor|deal|agreement|takeover|merger|order|model|report|"
    r"story|study|plan|project|ban|rule|law|bill|court|judge|lawsuit|fine|penalty|tariff|investment|plant|factory|fab|site|"
    r"product|share|stock|boss|chief|ceo|founder|minister|government|authority|agency|outlook|forecast|decision|verdict)s?"
)
_DING: Final = (
    r"(?:firma|unternehmen|konzern|konzerns|hersteller|start-?up|chip|prozessor|vertrag|geschäft|geschaeft|übernahme|uebernahme|"
    r"fusion|auftrag|modell|bericht|studie|plan|projekt|verbot|regel|regeln|gesetz|gericht|richterin|richter|klage|strafe|zoll|"
    r"investition|werk|fabrik|standort|produkt|aktie|chef|chefin|gründer|gruender|minister|ministerin|regierung|behörde|behoerde|"
    r"ausblick|prognose|entscheidung|urteil)"
)
_OBJECT_END: Final = (
    # what may follow an object without making it something else
    r"(?=\s*(?:[?.!,]|\Z)|\s+(?:on|in|at|for|to|by|from|with|about|over|after|before|during|since|up|down|back|out|off|"
    r"afterwards|later|then|publicly|exactly|first)\b)"
)
_ALWAYS: Final = {
    # points back whatever else the question names: what is spoken of cannot be the subject of the same clause
    "en": re.compile(
        r"\A(?:did|does|do|has|have|had|will|would|can|could|was|were|is|are|isn't|wasn't|didn't|weren't) (?:it|they)\b"
        r"(?! (?:true|possible|clear|likely|known|legal|allowed|hard|take)\b)(?!.*\bthat\b)"
        rf"|\b(?:(?:to|about|on|with|of|by|for|from|like|after|before|than|into) (?:that|this|these|those){_OBJECT_END}"
        rf"|(?:say|said|says|do|did|does|deny|denied|confirm|confirmed|announce|announced|explain|know|think|mean|claim|claimed) (?:so|that|this){_OBJECT_END}"
        r"|(?:is|was|are|were|did|does|has|will|would|could|can|should|why|how) (?:that|this)(?! (?:year|month|week|quarter)\b)"
        rf"|(?<!all )(?:that|this|those|these) (?:{_THING}|money|time|sum|amount|figure|number|claim|warning|idea|step|move)\b"
        r"|at that time|back then|since then|the same(?=\s*[?.!]|\s*\Z)|the former|the latter|do it|instead(?! of\b))\b",
        re.IGNORECASE,
    ),
    "de": re.compile(
        r"\b(?:davon|dazu|damit|dabei|darauf|dagegen|dafür|dafuer|daran|darüber|darueber|dadurch|daraus|danach|davor|seitdem|damals|dort)"
        # "hingewiesen darauf, dass", "wies darauf hin", "im Jahr davor", "war auch dabei"
        r"\b(?!,? (?:dass|daß|ob|wie|wo|zu)\b)(?!.*\bhin\b)(?<!\b(?i:jahr) davor)(?<!\b(?i:quartal) davor)(?<!\b(?i:tag) davor)(?<!\b(?i:monat) davor)"
        r"(?<!dabei(?=[?.!]))(?<!dabei\Z)"
        r"|\bdas(?=\s*(?:[?.!,]|\Z)|\s+(?:\w*ge\w+(?:t|en)|\w+(?:iert|igt|tet|ärt|aert|uptet|prochen|nommen|eutet))\s*[?.!]?\Z)"
        r"|\bdas(?= (?:alles?|beide|denn|genau|eigentlich|für|fuer|bei|in|von|auf|zu|auch|nicht)\b)"
        r"|\b(?:betrifft|bedeutet|heißt|heisst|stimmt|ist|war|kostet|hat|hatte|wurde|wird|warum|wieso|weshalb|wie|wer) das\b(?! \w+ \w)(?! [A-ZÄÖÜ])"
        rf"|\bdiese[mnrs]? (?:{_DING}|summe|zahl|geld|aussage|warnung|schritt|angabe)n?\b"
        r"|\bmacht da\b",
        re.IGNORECASE,
    ),
}  # fmt: skip
_UNNAMED: Final = {
    # points back where nothing before it in the question can be meant
    "en": re.compile(
        r"\b(?:he|she|they|his|their|him|them|hers|theirs|her"
        r"|its|it(?! (?:true|possible|clear|likely|known|legal|allowed|certain|takes?|rain)\b)(?! costs? \w)"
        r"|there(?<!is there)(?<!are there)(?<!was there)(?<!were there)(?! (?:is|are|was|were|been|be)\b)"
        rf"|the {_THING}(?! (?:that|which|who|behind|of|in|for|from|by|to|with|on|between|against|called|act)\b))\b",
        re.IGNORECASE,
    ),
    "de": re.compile(
        r"\b(?:er|ihm|ihn|(?-i:sie)|ihnen|ihr|ihre[mnrs]?|seine?[mnrs]?(?! (?:wird|soll|kann)\b)"
        r"|es(?<!gibt es)(?<!gab es)(?<!geht es)(?<!ging es)(?<!handelt es)(?<!kommt es)(?<!kam es)(?<!dauert es)(?<!heißt es)"
        r"(?! (?:gibt|gab|geht|ging|handelt|kam|kommt|sich|dass|zu)\b)"
        rf"|(?:die|der|das|dem|den|des) {_DING}(?! (?:der|des|von|zwischen|mit|für|fuer|gegen|hinter|namens|in|aus|über|um)\b)(?!, (?:der|die|das|dem|deren|dessen|denen|wo)\b))\b",
        re.IGNORECASE,
    ),
}  # fmt: skip
_PERSON: Final = {
    "en": re.compile(r"\b(?:he|him|she)\b", re.IGNORECASE),
    "de": re.compile(r"\b(?:er|ihn|ihm)\b", re.IGNORECASE),
}
_SELF: Final = frozenset("it they them es sie".split())
_CLAUSE = re.compile(r"\w{3,}.*(?:[,;:–]| and | or | und | oder )", re.IGNORECASE)
_ASKED = re.compile(r"\b(?:which|welche[rsnm]?|who|wer)\b", re.IGNORECASE)
_ASKED_PERSON = re.compile(
    r"\b(?:who|wer|(?:which|welche[rsnm]?)(?: \w+)? (?:\w*(?:chef|chief|boss|manager|minister|analyst|gründer|founder)(?:in)?|ceo|"
    r"executive|politician|politiker(?:in)?|official|judge|richter(?:in)?|person))\b",
    re.IGNORECASE,
)
_COMPANY: Final = {
    "en": re.compile(r"\bthe (?:company|firm)\b(?![’'])", re.IGNORECASE),
    "de": re.compile(r"\b(?:(?:die|der) firma|(?:das|dem) unternehmen|(?:der|den|dem) konzern)\b", re.IGNORECASE),
}
_BESIDE_NAMES: Final = frozenset(
    "a an the at in on by for from of to with about also too then that time as well der die das dem den bei beim in im am an von vom "
    "mit fuer zu zum zur auch dann damals und and or oder".split()
)
"""Words that may stand beside names in a follow-up that only exchanges names."""
_YEAR = re.compile(r"\b20\d\d\b")
_MONTH = re.compile(rf"\b(?:{'|'.join(NUMBER_OF_MONTH)})\b", re.IGNORECASE)
_BESIDE = re.compile(
    r"\b(?:at|with|by|from|for|of|to|against|through|bei|beim|von|vom|mit|durch|für|fuer|gegen|an|aus|zu|laut)\s+\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Topic:
    """What the conversation is about."""

    text: str
    """The question that began it, or what later ones made of it; "" before the first question."""
    answer: str
    language: Language


def make_standalone(
    text: str, history: Sequence[Turn], language: Language, glossary: Glossary, today: date, *, joined: bool = False
) -> str:
    """A follow-up with what it leaves out; a question that stands on its own as it is.

    "What about AMD?" becomes the earlier question about AMD, "und 2024?" the earlier one for that year; any other
    follow-up gets the earlier question, or its names where that was in the other language, in brackets behind it.

    Args:
        text: the question as typed.
        history: the conversation so far, oldest first.
        language: of the question, and so of the result.
        glossary: tells names and knows them in both languages.
        today: decides which numbers are years that have come.
        joined: take the topic along even where nothing points back to it.
    """
    topic = _Topic("", "", language)
    for turn in history[-TURNS:]:
        said = " ".join(turn.content[:READ].split())
        if turn.role == "assistant":
            topic = _Topic(topic.text, said, topic.language)
        elif said:
            spoken = language_of(said, default=topic.language)
            topic = _Topic(_Reading(said, spoken, topic, glossary, today).next_topic(), "", spoken)
    return _Reading(text, language, topic, glossary, today, joined).standalone()


@dataclass(frozen=True)
class _Reading:
    """A question read against the conversation before it."""

    text: str
    language: Language
    topic: _Topic
    glossary: Glossary
    today: date
    joined: bool = False

    def standalone(self) -> str:
        if not self.topic.text or not (self.joined or self.depends()):
            return self.text
        return self.exchanged() or f"{self.named()} ({self.context()})"

    def next_topic(self) -> str:
        """What the conversation is about after this question. One that names nothing does not change that."""
        if not self.topic.text or (self.own_names and not self.depends()):
            return self.text
        if exchanged := self.exchanged():
            return exchanged
        new = [words for words in self.own_names if words.casefold() not in self.topic.text.casefold()]
        return ", ".join([self.context(), *new])

    # --- does it need the conversation? ---

    def depends(self) -> bool:
        """Whether the question cannot be understood alone."""
        back = _ALWAYS[self.language].search(self.rest)
        if back and self._stands_alone(self.rest[: back.start()]):
            return True
        for match in _UNNAMED[self.language].finditer(self.text):
            if not self._could_be_meant(self.text[: match.start()], match[0]):
                return self._stays_unnamed(match)
        if self.opener and (not self.own_names or self.only_names):
            return True
        return len(self.content) <= 1 and (bool(self.opener) or (not self.own_names and not self.mentions))

    def _stands_alone(self, lead: str) -> bool:
        """Whether "that" or "dazu" has no clause before it that it could sum up: "wie viel kostet X, und was ist damit gemeint?"."""
        return not _CLAUSE.search(lead) and len(self._content_of(lead)) <= MUCH

    def _stays_unnamed(self, match: re.Match[str]) -> bool:
        """Whether a pronoun is not explained behind it: "What share of its sales did AMD make in China?"."""
        later = self.text[match.end() :]
        if _PERSON[self.language].fullmatch(match[0]):
            # "Before he left, what did Pat Gelsinger say?"
            clause = re.match(r"[^,]*,", later)
            begins = re.match(
                r"(?:and |but )?(?:before|after|when|if|while|bevor|nachdem|als|wenn|während)\b",
                self.text,
                re.IGNORECASE,
            )
            return not (clause and begins and names(later, self.language, self.glossary))
        if not names(later, self.language, self.glossary):
            return True
        return bool(self.opener) or (match[0].lower() in _SELF and len(self.content) <= 1)

    def _could_be_meant(self, lead: str, pronoun: str) -> bool:
        """Whether what stands before a pronoun can be what it stands for: a name, "which company", two words with a meaning."""
        if names(lead, self.language, self.glossary) or len(self._content_of(lead)) >= 2:
            return True
        asked = _ASKED_PERSON if _PERSON[self.language].fullmatch(pronoun) else _ASKED
        return bool(asked.search(lead))

    @property
    def opener(self) -> str:
        """ "And", "und was ist mit": what only joins the question to the conversation."""
        found = _OPENER.match(self.text)
        return found[0] if found else ""

    @property
    def rest(self) -> str:
        return self.text[len(self.opener) :]

    @property
    def mentions(self) -> list[tuple[Entry, str]]:
        return list(self.glossary.mentions(self.text, self.language))

    @property
    def own_names(self) -> tuple[str, ...]:
        return names(self.text, self.language, self.glossary)

    @property
    def content(self) -> list[str]:
        """The question's words that name a topic, without names and times."""
        return self._content_of(self.rest)

    @property
    def only_names(self) -> bool:
        """ "Und Meta?", "und 2024?": nothing but names and times, which stand for those of the earlier question."""
        return all(word in _BESIDE_NAMES for word in self._nameless(self.rest))

    def _content_of(self, text: str) -> list[str]:
        return [word for word in self._nameless(text) if word not in _STOP[self.language]]

    def _nameless(self, text: str) -> list[str]:
        """The folded words of `text` without names, times and numbers."""
        for spot in reversed(spots(text, self.language, self.today)):
            text = f"{text[: spot.start]} {text[spot.end :]}"
        named = {fold(word) for name in names(text, self.language, self.glossary) for word in tokens(name)}
        return [word for word in map(fold, tokens(text)) if word not in named and not word.isdigit()]

    # --- what it becomes ---

    def exchanged(self) -> str | None:
        """The earlier question with the new names and times in the place of the old ones, or None where that cannot be."""
        if not self.opener or self.topic.language != self.language:
            return None
        question = self.topic.text
        if quarter := in_quarter(question, self.rest, self.language, self.today):
            return quarter
        if not self.only_names:
            return None
        done = False
        kinds = [entry.kind for entry, _ in self.mentions]
        if len(set(kinds)) < len(kinds):
            return None  # "And Intel and AMD?": the second would take the place of the first
        for entry, words in self.mentions:
            words = words.removesuffix("'s").removesuffix("’s")
            old = self._to_exchange(entry, question)
            if old is None:
                return None
            place = re.search(r"\W+".join(map(re.escape, old.split())), question)
            if place is None:
                return None
            question = question[: place.start()] + words + _possessive(place[0]) + question[place.end() :]
            done = True
        for spot in spots(self.rest, self.language, self.today):
            question = self._at_time(self.rest[_with_preposition(self.rest, spot.start) : spot.end], question)
            done = True
        return question if done else None

    def _to_exchange(self, entry: Entry, question: str) -> str | None:
        """The words of the earlier question that `entry` takes the place of: the first of its kind that no preposition holds."""
        same = [
            (found, words)
            for found, words in self.glossary.mentions(question, self.language)
            if found.kind == entry.kind
        ]
        if not same or entry.id in {found.id for found, _ in same}:
            return None
        free = [words for _, words in same if not _BESIDE.search(question[: question.find(words.split()[0])])]
        return free[0] if free else same[0][1]

    def _at_time(self, words: str, question: str) -> str:
        """The earlier question for another time."""
        old = spots(question, self.language, self.today)
        start = _with_preposition(question, old[0].start) if old else len(question)
        if self.language == "en" and re.match(r"\d", words) and (not old or start < old[0].start):
            words = f"in {words}"
        if old:
            # "und im August?" is that of the year spoken of
            year = _YEAR.search(question[start : old[0].end])
            if year and _MONTH.search(words) and not _YEAR.search(words):
                words = f"{words} {year[0]}"
            return question[:start] + words + question[old[0].end :]
        return f"{question.rstrip(' ?.!')} {words}?"

    def named(self) -> str:
        """The question without "and", and with the person or company it points to in the place of a pronoun."""
        text = self.rest or self.text
        if person := self._only("person"):
            text = _PERSON[self.language].sub(person, text, count=1)
        if company := self._only("company"):
            text = _COMPANY[self.language].sub(company, text, count=1)
        return text[:1].upper() + text[1:] if self.text[:1].isupper() else text

    def _only(self, kind: str) -> str | None:
        """The one person or company of the earlier question and its answer, in this question's language; None where there are several."""
        found: dict[str, str] = {}
        for text in (self.topic.text, self.topic.answer):
            spoken = language_of(text, default=self.topic.language)
            if kind == "company":
                # "Huawei-Chips" do not make Huawei what "the company" is
                text = re.sub(r"\w+-(?=\w)", " ", text)
            found |= {
                e.id: e.names(self.language)[0] for e, _ in self.glossary.mentions(text, spoken) if e.kind == kind
            }
        return next(iter(found.values())) if len(found) == 1 else None

    def context(self) -> str:
        """What the conversation is about, in this question's language."""
        if self.topic.language == self.language and len(tokens(self.topic.text)) <= LONG:
            return self.topic.text.rstrip(" ?.!")
        found = [
            entry.names(self.language)[0] for entry, _ in self.glossary.mentions(self.topic.text, self.topic.language)
        ]
        return ", ".join(dict.fromkeys(found)) or self.topic.text.rstrip(" ?.!")


def _with_preposition(text: str, start: int) -> int:
    """Where "in August 2025" begins if "August 2025" begins at `start`."""
    before = re.search(r"\b(?:in|im|on|am)(?: jahr| the year)?\s+\Z", text[:start], re.IGNORECASE)
    return before.start() if before else start


def _possessive(written: str) -> str:
    """The "'s" of a name as written, if it has one."""
    return "’s" if written.endswith("’s") else "'s" if written.endswith("'s") else ""


_STOP: Final[dict[Language, frozenset[str]]] = {
    language: frozenset(map(fold, STOPWORDS[language])) | _GENERIC for language in ("de", "en")
}
