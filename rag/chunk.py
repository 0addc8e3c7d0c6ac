"""Article to Chunks: whole sentences with exact offsets, grouped to a size that one embedding can hold.

The sentence splitter is ours because citations stand on it and the common ones cut German at ordinals ("3. Oktober"),
abbreviations ("z. B.") and months ("Okt."). It works with rules: a full stop ends a sentence unless what precedes it is
an abbreviation, an ordinal or an initial, or what follows does not look like a beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rag.types import Article, Chunk, Language, Span
from rag.words import STOPWORDS

VERSION: Final = 2
"""Raised whenever the same article would give other chunks, so that an index with older ones is rebuilt."""
LONGEST_SENTENCE: Final = 1_000
"""Characters; text without any full stop (tables, logs) is cut at spaces, because 512 tokens is all the model reads."""

_ALWAYS_INSIDE: Final[dict[Language, frozenset[str]]] = {
    # never the last word of a sentence
    "de": frozenset(
        "dr prof dipl ing med jur phil rer nat habil hr fr st nr nrn vgl bzw ca rd mind ehem ggü ggue gegr vs dt "
        "engl frz amerik europ chin geb gest verh sog bspw abs kap s p pp fig abb tab ziff gen sen rep gov zzgl inkl "
        "exkl einschl abzgl ggf evtl allg insb insbes jährl monatl durchschn vorauss voraussichtl urspr zw bes gem "
        "lfd stv stellv vors mr mrs ms".split()
    ),
    "en": frozenset(
        "dr prof mr mrs ms messrs st mt sen sens rep reps gov govs gen col lt sgt capt cmdr adm maj pres rev hon "
        "vs cf approx p pp nos eq dept".split()
    ),
}
_SOMETIMES_INSIDE: Final = frozenset(
    # may end a sentence: decided by the next word
    "inc corp co ltd llc plc jr sr al etc usw mrd mio tsd bn mn tr bil std sek dgl ff f est u.s u.k e.u u.n u.s.a a.m "
    "p.m jan feb mar mär mrz apr jun jul aug sep sept oct okt nov dec dez".split()
)
_INSIDE_BEFORE_A_NUMBER: Final[dict[Language, frozenset[str]]] = {
    # abbreviations where a number follows, words otherwise: "No. 1", "the answer was no."
    "de": frozenset("no art max min".split()),
    "en": frozenset("no fig figs vol ch sec max min".split()),
}
_LOUD_NAMES: Final = frozenset("yahoo yum joomla jeopardy".split())
"""Names that are written with an exclamation mark."""
_ORDINAL_NOUNS: Final = frozenset(
    # German nouns that a number with a full stop counts: "3. Quartal", "14. August"
    "januar februar märz april mai juni juli august september oktober november dezember jan feb mär apr jun jul aug sep "
    "sept okt nov dez quartal quartals halbjahr halbjahrs halbjahres geschäftsjahr jahr jahres jahrhundert jahrhunderts "
    "jahrestag generation platz rang mal tag woche monat stock etage auflage ausgabe kapitel artikel absatz klasse "
    "lesung runde phase stufe version juror liga bundesliga senat weltkrieg us-präsident präsident".split()
)
_STARTERS: Final = frozenset(
    word.capitalize() for language in ("de", "en") for word in STOPWORDS[language] if len(word) > 1
) | frozenset(
    "A I Laut Dem Allerdings Zudem Auch Trotz Während Wegen Seitdem Dennoch Damals Insgesamt Zuvor Später According "
    "However Meanwhile Although Since Despite Earlier Later Last Under".split()
)
_END = re.compile(r"[.!?…]+[\"'»«”“’)\]]*(?=\s|\Z)")
_BEGINNING = re.compile(r"[\"'»«„“”‚‘(\[]*(?:[^\W_a-zäöüß]|[$€£¥](?=\d))|[\"'»«„“”‚‘(\[]*[a-z]{1,2}[A-Z]", re.UNICODE)
_WORD_BEFORE = re.compile(r"[^\s(\[„“\"'»]+$")
_NEXT_WORD = re.compile(r"[\"'»«„“”‚‘(\[]*([\w-]+)", re.UNICODE)
_TITLE = re.compile(r"Under[ -]Secretar")
"""A title that begins like a sentence: "U.S. Under Secretary"."""


def chunk(article: Article, *, chunk_chars: int) -> list[Chunk]:
    """Whole sentences of neighbouring paragraphs, grouped while they fit into `chunk_chars`.

    Args:
        article: any article; text without a single full stop becomes one or more chunks as well.
        chunk_chars: characters a chunk aims at; only a single longer sentence exceeds it.

    Returns:
        Chunks in reading order. Every sentence is in exactly one; each chunk's bounds are those of its sentences.
    """
    groups: list[list[Span]] = []
    for paragraph in paragraphs(article.text):
        spans = list(sentences(article.text, article.language, *paragraph))
        for span in spans:
            fits = groups and span.end - groups[-1][0].start <= chunk_chars
            # a heading opens a new chunk: it belongs to what follows
            opens = not span.quotable and groups and any(member.quotable for member in groups[-1])
            if fits and not opens:
                groups[-1].append(span)
            else:
                groups.append([span])
    return [
        Chunk(f"{article.id}#{number}", article.id, group[0].start, group[-1].end, tuple(group))
        for number, group in enumerate(groups)
    ]


def paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Bounds of the blocks between blank lines, and of list items within them, without surrounding white space."""
    for match in re.finditer(r"\S(?:.*\S)?", text):
        yield match.span()


def sentences(text: str, language: Language, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """The sentences of text[start:end] in order. A stretch that ends without punctuation is not quotable.

    Footnote marks must have been removed before.
    """
    end = len(text) if end is None else end
    begin = start
    for match in _END.finditer(text, start, end):
        if match.end() >= end or _ends_here(text, match, language, end):
            yield from _bounded(text, begin, match.end(), quotable=True)
            begin = match.end()
            while begin < end and text[begin].isspace():
                begin += 1
    if begin < end:
        yield from _bounded(text, begin, end, quotable=False)


def _ends_here(text: str, match: re.Match[str], language: Language, end: int) -> bool:
    rest = match.end()
    while rest < end and text[rest].isspace():
        rest += 1
    if not _BEGINNING.match(text, rest, end):
        return False
    before = _WORD_BEFORE.search(text, max(0, match.start() - 40), match.start())
    word = before[0] if before else ""
    following = _NEXT_WORD.match(text, rest, end)
    next_word = following[1] if following and not _TITLE.match(text, rest, end) else ""
    if match[0] == "!" and word.casefold() in _LOUD_NAMES:
        return next_word in _STARTERS
    if text[match.start()] != "." or text.startswith("..", match.start()):
        return True
    return _word_can_end(word, next_word, language)


def _word_can_end(word: str, next_word: str, language: Language) -> bool:
    """Whether a full stop after `word` can end a sentence that `next_word` would follow."""
    low = word.casefold()
    last = low.rsplit(".", 1)[-1].removeprefix("-")  # "z.B" -> b, "Dr.-Ing" -> ing
    if len(last) == 1 and last.isalpha() and low != last:
        return next_word in _STARTERS and low not in ("z.b", "d.h", "u.a", "i.e", "e.g", "o.ä", "v.a", "u.u", "m.e")
    if low in _SOMETIMES_INSIDE:
        return next_word in _STARTERS
    if low in _INSIDE_BEFORE_A_NUMBER[language]:
        return not next_word[:1].isdigit()
    acronym = len(word) > 1 and word.isupper()  # "the FT", "the MS": words, whatever they look like in small letters
    if (last in _ALWAYS_INSIDE[language] and not acronym) or (len(word) == 1 and word.isalpha()):
        return False
    if low.isdigit() and language == "de":
        # "3. Oktober", "2. Quartal"; but "um 20. Das Unternehmen", "im Jahr 2025. Nvidia"
        if next_word.casefold() in _ORDINAL_NOUNS:
            return False
        return len(low) > 2 or next_word in _STARTERS
    return True


def _bounded(text: str, start: int, end: int, *, quotable: bool) -> Iterator[Span]:
    """The span itself; of a span too long to be a sentence anyone would quote the pieces, cut at spaces."""
    if end - start <= LONGEST_SENTENCE:
        yield Span(start, end, quotable)
        return
    while start < end:
        cut = end
        if end - start > LONGEST_SENTENCE:
            space = text.rfind(" ", start + LONGEST_SENTENCE // 2, start + LONGEST_SENTENCE)
            cut = space if space > 0 else start + LONGEST_SENTENCE
        yield Span(start, start + len(text[start:cut].rstrip()), quotable=False)
        start = cut
        while start < end and text[start].isspace():
            start += 1
