"""Where a statement comes from: the outlets that carry it, counted by the agency or paper that they go back to.

Independence cannot be seen in a text, dependence often can: an outlet marks agency copy ("onvista/dpa-AFX", the byline), a
headline or the sentence itself says who reported it ("the FT reported"), an article is a copy of another, or two outlets
have the same words. All of that counts to one origin. What is left over is the most there can be, not what there is: two
outlets may have asked the same person. So an answer says "at most 2 independent origins".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from rag.duplicates import near, runs
from rag.glossary import Glossary
from rag.types import Article, Citation, Language, Origin, Sentence, Source
from rag.words import fold, tokens

AGENCIES: Final = (
    "AFP", "ANP", "ANSA", "AP", "APA", "AWP", "Bloomberg", "Dow Jones", "dpa", "dpa-AFX", "dts", "EFE", "Europa Press",
    "IANS", "Jiji", "KNA", "Kyodo", "MT Newswires", "PTI", "Reuters", "RTTNews", "SID", "TASS", "UPI", "Xinhua", "Yonhap",
)  # fmt: skip
"""News agencies, whose texts stand in many outlets. Others, and papers that are quoted, are learnt from the glossary."""
SAME_WORDS: Final = 0.6
"""Share of common runs of four words above which two quotations are one text: independent reports share hardly any."""

_COPY = re.compile(
    r"^(?P<origin>.+?)\s*(?:\((?:copy|mirror|reprint|proxy|excerpt|via|collector)\b[:\s]*(?P<in>[^)]*)\)"
    r"|\bvia\s+(?P<via>.+)|\b(?:copy|excerpt)(?:\s*\((?P<at>[^)]*)\))?)$",
    re.IGNORECASE,
)
"""Reuters (copy: Yahoo), CNBC (via X), AFP via X, heise copy (X): the paper first, then who has its text."""
_TAKEN = re.compile(
    r"^(?P<carrier>.+?)\s*\((?:(?:after|citing|quoting|based on|nach)\s+(?P<cited>[^)]+)"
    r"|(?P<text>[A-Z][^)]+?)\s+(?:copy|text|summary|translation))\)$"
)
"""SectorHQ (after Tom's Hardware), Pak Gazette (TechRadar text): who has the text first, then whose it is."""
_PAIR = re.compile(r"^(?P<one>.+?)\s*(?:/\s*(?P<other>.+)|\((?P<inner>[^)]+)\).*)$")
"""MarketScreener/Reuters, Reuters/Yahoo, cash.ch (Reuters): either may be the agency."""
_ARTICLE = r"(?:(?:the|a|der|die|das|dem|des|den)\s+)?"
_KIND = r"(?:(?:news\s+agency|newspaper|Nachrichtenagentur|Agentur|Zeitung|Magazin|Wirtschaftszeitung)\s+)?"
_BEFORE: Final = re.compile(
    r"(?:\b(?:according to|sources (?:of|for)|reported by|first reported by|cit(?:ing|es|ed)|quot(?:ing|es)|quoted by|told|reports? (?:by|from|in)|"
    r"laut|zufolge|berichte[nt]e?|meldete[n]?|schrieb|nannte|schätzte?|zitiert|unter Berufung auf|beruf\w* sich auf|gegenüber|"
    r"(?:nach|mit|einem|einen|ein|Material|Angaben|Informationen|Recherchen|Quellen|Bericht(?:e[ns]?|s)?)\s+(?:von|der|des|aus)|"
    rf"Bericht(?:s|es|en)?)\s+){_ARTICLE}{_KIND}$",
    re.IGNORECASE,
)
_AFTER: Final = re.compile(
    r"^(?:['’]s?)?\s*,?\s*(?:first\s+|has\s+|had\s+|hat\s+|zuerst\s+)?(?:report(?:s|ed)?\b|estimate[sd]?\b|schätz\w*|wrote\b|writes\b|says\b|said\b|revealed\b|"
    r"learned\b|learnt\b|zufolge\b|bericht\w*|meldet\w*|schrieb\b|schreibt\b|erfuhr\b|cit(?:es|ed)\b|quot(?:es|ed)\b|zitiert\w*)|^-(?:Bericht|Informationen|Recherche)",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:den(?:y|ies|ied)|reject(?:s|ed)?|disput\w+|contradict\w*|dementier\w*|bestreit\w*|bestritt\w*|widersprach\w*|"
    r"widerspr(?:icht|echen)|zurückgewiesen|(?:wies|wiesen|weist|weisen)\b.*\bzurück)\b",
    re.IGNORECASE,
)
"""A sentence that denies a report does not come from it."""


def credit(
    sentences: Sequence[Sentence],
    citations: Sequence[Citation],
    article: Callable[[str], Article | None],
    glossary: Glossary,
    language: Language,
) -> tuple[list[Sentence], list[Citation]]:
    """The same sentences and citations with their origins.

    Args:
        sentences, citations: of an answer.
        article: gives the article with an id, None where there is none.
        glossary: whose outlets are known by all their names.
        language: of the answer; outlets are named in it.
    """
    names = names_of(glossary)
    credited = []
    texts: dict[int, str] = {}
    for citation in citations:
        cited = article(citation.article)
        original = article(cited.copy_of) if cited and cited.copy_of else None
        texts[citation.number] = original.id if original else citation.article
        found = origins(citation.quote, citation.title, citation.sources, language, names)
        if original:
            # whatever the copy says of itself, it has what it says from there
            first = origins(citation.quote, original.title, original.sources, language, names)
            carriers = [outlet for origin in found for outlet in origin.outlets]
            found = tuple(replace(one, outlets=_once((*one.outlets, *carriers))) for one in first) or found
        credited.append(replace(citation, origins=found))
    by_number = {citation.number: citation for citation in credited}
    return [
        replace(sentence, origins=_together([by_number[number] for number in sentence.citations], texts))
        for sentence in sentences
    ], credited


def origins(quote: str, title: str, sources: Sequence[Source], language: Language, names: Names) -> tuple[Origin, ...]:
    """What the sources of one quotation go back to, each origin with the outlets that carry it.

    Args:
        quote: a sentence; who it names as having reported it is its origin.
        title: of its article; counts for outlets that say nothing of their own.
        sources: the outlets behind the sentence.
        language: in which outlets are named.
        names: of outlets.
    """
    own = names.with_more(name for source in sources for name in _parts(source.publisher))
    named, mentioned = own.reporters(quote), own.mentioned(quote)
    headline = () if mentioned else own.reporters(title)
    found: dict[str, Origin] = {}
    for source in sources:
        carrier, origin = _publisher(source, own)
        # "GMX says one thing, while RedCensor reports another": each stands for itself
        stands = own.key(carrier) in mentioned - {own.key(name) for name in named}
        told = () if stands else named or own.reporters(source.title or "") or (() if _is_agency(origin) else headline)
        for one in told or (origin,):
            before = found.get(own.key(one), Origin(own.shown(one, language), ()))
            found[own.key(one)] = replace(before, outlets=_once((*before.outlets, own.shown(carrier, language))))
    return tuple(found.values())


# --- names -----------------------------------------------------------------------------------------------------------


class Names:
    """Names of outlets and agencies, and who of them a text says has reported it.

    Args:
        entries: (key, German names, English names) of each outlet; the first name is the one to show.
        more: further outlets, known by one name each.
    """

    def __init__(self, entries: Sequence[_Entry], more: Iterable[str] = ()) -> None:
        self._entries = entries
        self._by_name = {fold(name): entry for entry in reversed(entries) for name in (*entry[1], *entry[2])}
        self._written = {name for _, de, en in entries for name in (*de, *en)} | {name for name in more if name[1:]}

    def with_more(self, names: Iterable[str]) -> Names:
        """With outlets that may not be known; "trend" is too common a word to be told from the outlet."""
        return Names(self._entries, (name for name in names if not name.islower() or "." in name))

    def knows(self, name: str) -> bool:
        return fold(name.strip()) in self._by_name

    def key(self, name: str) -> str:
        """The same for all names of one outlet."""
        entry = self._by_name.get(fold(name.strip()))
        return entry[0] if entry else " ".join(map(fold, tokens(name))) or name

    def shown(self, name: str, language: Language) -> str:
        entry = self._by_name.get(fold(name.strip()))
        return entry[1 if language == "de" else 2][0] if entry else name.strip()

    def mentioned(self, text: str) -> frozenset[str]:
        """Keys of all outlets that `text` names."""
        pattern = self._pattern(text)
        return frozenset(self.key(match) for match in pattern.findall(text)) if pattern else frozenset()

    def reporters(self, text: str) -> tuple[str, ...]:
        """The names that `text` gives for who reported what it tells, in order; none where it denies a report."""
        one = None if _DENIES.search(text) else self._pattern(text)
        if one is None:
            return ()
        found = []
        for match in re.finditer(rf"{one.pattern}(?:(?:,| and| und| sowie)\s+{_ARTICLE}{one.pattern})*", text):
            if _BEFORE.search(text[: match.start()]) or _AFTER.search(text[match.end() :]):
                found += one.findall(match.group())
        return tuple({self.key(name): name for name in found}.values())

    def _pattern(self, text: str) -> re.Pattern[str] | None:
        """One of the names that stand in `text`, in their own case: "FT", not "ft"; "Mint", not "mint"."""
        there = sorted((name for name in self._written if name in text), key=len, reverse=True)
        return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, there))})(?!\w)") if there else None


_Entry = tuple[str, tuple[str, ...], tuple[str, ...]]


@lru_cache(maxsize=4)
def names_of(glossary: Glossary) -> Names:
    """The agencies and the glossary's outlets."""
    entries = [(entry.id, entry.de, entry.en) for entry in glossary.entries if entry.kind == "outlet"]
    known = {fold(name) for _, de, en in entries for name in (*de, *en)}
    return Names([*entries, *((fold(name), (name,), (name,)) for name in AGENCIES if fold(name) not in known)])


def _publisher(source: Source, names: Names) -> tuple[str, str]:
    """(who carries it, whose text it is) of one source; mostly the same."""
    publisher = source.publisher
    if match := _COPY.match(publisher):
        carrier = match["in"] or match["via"] or match["at"] or publisher
        return carrier, _publisher(Source(match["origin"]), names)[1]
    if match := _TAKEN.match(publisher):
        carrier, origin = match["carrier"], match["cited"] or match["text"]
        # "Financial Times (German machine translation)" is a remark
        return (carrier, origin) if names.knows(origin) or not names.knows(carrier) else (carrier, carrier)
    if agency := _AGENCY.search(source.author or ""):
        return publisher, agency.group()
    if match := _PAIR.match(publisher):
        one, other = match["one"], match["other"] or match["inner"]
        for origin, carrier in ((other, one), (one, other)):
            if _is_agency(origin):
                return carrier, origin
        # of "inkl / Tom's Hardware" and "Mint (WSJ)" the paper that is known; else of "Mitrade / Cryptopolitan" the last,
        # and of "IT Magazine (Swiss)" the first, which the brackets only explain
        last = not names.knows(one) and (match["other"] or names.knows(other))
        return (one, other) if last else (one, one)
    return publisher, publisher


def _parts(publisher: str) -> Iterator[str]:
    """The names in a publisher's field under which a sentence may speak of it."""
    yield from (part.strip() for part in re.split(r"[/()]|\bvia\b", publisher) if part.strip())


def _is_agency(name: str) -> bool:
    return fold(name.strip()) in _AGENCY_NAMES


_AGENCY = re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(AGENCIES, key=len, reverse=True))})(?!\w)")
_AGENCY_NAMES: Final = frozenset(map(fold, AGENCIES))


# --- counting --------------------------------------------------------------------------------------------------------


def _together(citations: Sequence[Citation], texts: Mapping[int, str]) -> tuple[Origin, ...]:
    """The origins of a statement that several citations make; what has the same words counts once.

    Args:
        citations: of one sentence.
        texts: citation number -> id of the article whose text it is.
    """
    found: list[Origin] = []
    for at, citation in enumerate(citations):
        same = any(
            texts[each.number] == texts[citation.number] or _same_words(each, citation) for each in citations[:at]
        )
        for origin in citation.origins:
            known = next((one for one in found if fold(one.name) == fold(origin.name)), None)
            if known is None and same and found:
                known = found[0]
            if known is None:
                found.append(origin)
            else:
                found[found.index(known)] = replace(known, outlets=_once((*known.outlets, *origin.outlets)))
    return tuple(found)


def _same_words(one: Citation, other: Citation) -> bool:
    alike = near(one.quote, {"": runs(other.quote)})
    return one.language == other.language and bool(alike) and alike[0].overlap >= SAME_WORDS


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple({fold(name): name for name in names if name}.values())
