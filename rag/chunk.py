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

VERSION: Final = 1
"""Raised whenever the same article would give other chunks, so that an index with older ones is rebuilt."""
LONGEST_SENTENCE: Final = 1_000
"""Characters; text without any full stop (tables, logs) is cut at spaces, because 512 tokens is all the model reads."""

_ALWAYS_INSIDE: Final = frozenset(
    # never the last word of a sentence, in either language
    "dr prof dipl ing mr mrs ms st hr fr nr no nos vgl bzw ca cf vs approx est dt engl frz geb gest sog bspw max min "
    "abs art kap s p pp fig abb tab gen sen rep gov col lt sgt rev hon zzgl inkl exkl einschl ggf evtl allg insb "
    "jan feb mär apr jun jul aug sep sept okt oct nov dez dec z u d h i e g o v a b m".split()
)
_SOMETIMES_INSIDE: Final = frozenset(
    # may end a sentence: decided by the next word
    "inc corp co ltd llc plc jr sr etc usw mrd mio tsd bn mn tr bil std sek dgl ff f u.s u.k e.u u.n u.s.a a.m p.m".split()
)
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
_BEGINNING = re.compile(r"[\"'»«„“”‚‘(\[]*[^\W_a-zäöüß]|[\"'»«„“”‚‘(\[]*[a-z]{1,2}[A-Z]", re.UNICODE)
_WORD_BEFORE = re.compile(r"[^\s(\[„“\"'»]+$")
_NEXT_WORD = re.compile(r"[\"'»«„“”‚‘(\[]*([\w-]+)", re.UNICODE)


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
    if text[match.start()] != "." or text.startswith("..", match.start()):
        return True
    before = _WORD_BEFORE.search(text, max(0, match.start() - 40), match.start())
    word = before[0] if before else ""
    following = _NEXT_WORD.match(text, rest, end)
    next_word = following[1] if following else ""
    return _word_can_end(word, next_word, language)


def _word_can_end(word: str, next_word: str, language: Language) -> bool:
    low = word.casefold()
    last = low.rsplit(".", 1)[-1]  # "z.B" -> b
    if len(last) == 1 and last.isalpha() and low != last:
        return next_word in _STARTERS and low not in ("z.b", "d.h", "u.a", "i.e", "e.g", "o.ä", "v.a", "u.u", "m.e")
    if low in _SOMETIMES_INSIDE:
        return next_word in _STARTERS
    if low in _ALWAYS_INSIDE or (len(word) == 1 and word.isalpha()):
        return False
    if low.isdigit() and language == "de":
        # "3. Oktober", "2. Quartal"; but "um 20. Das Unternehmen", "im Jahr 2025. Nvidia"
        if next_word.casefold() in _ORDINAL_NOUNS:
            return False
        return len(low) > 2 or next_word in _STARTERS
    return True


def _bounded(text: str, start: int, end: int, *, quotable: bool) -> Iterator[Span]:
    """The span itself, or pieces of it cut at spaces where it is too long to be a sentence anyone would quote."""
    while end - start > LONGEST_SENTENCE:
        cut = text.rfind(" ", start + LONGEST_SENTENCE // 2, start + LONGEST_SENTENCE)
        cut = cut if cut > 0 else start + LONGEST_SENTENCE
        yield Span(start, cut, quotable=False)
        start = cut + (text[cut] == " ")
    if start < end:
        yield Span(start, end, quotable)
