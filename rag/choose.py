"""Evidence to a Selection: the sentences an answer is made of, or the reason to decline where too little is supported.

The best supported sentence leads and others join while they are nearly as good. A statement made in several places is told
once with all its citations; where accounts differ, both sides are told; who asks for the latest is told the newest first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Final

from rag.period import fits, mentions
from rag.support import answered, how_far
from rag.types import Evidence, Question, Selection
from rag.words import STOPWORDS, fold, tokens

WEAK: Final = 0.005
"""Support below which no further sentence joins."""
FOREIGN_LEAD: Final = 3.0
"""How many times better supported a sentence must be to lead in the other language, where its event is told in both."""
JOINS: Final = 0.06
"""Share of the best sentence's support that a further one needs: a reader would rather skip a sentence than miss the answer."""
CONTRASTS: Final = 0.03
"""The same for a sentence that says, of the same event, that somebody tells it differently: a news desk must not miss it. And
for all sentences where the question is how accounts differ (recall of the gold sentences of 68 such questions of train and dev
.949, .941 without)."""
CAUSE: Final = 0.02
"""The same for an article's first sentence that says "because" to lead the answer to a "why": sentences about where the cause
was reported win on words."""
SOURCED: Final = 0.3
"""The same for leading in place of a sentence that only says what a report rests on."""
NEWEST: Final = 0.4
"""The same for leading an answer to "what is the latest?" as the newest."""
REPEATS: Final = 3
"""Most citations of one statement."""
SAME: Final = 0.8
"""Share of common content words above which two sentences with the same figures make the same statement."""

CORRECTS: Final = 0.5
"""Probability that a sentence contradicts what the question takes as given, from which it is named as the reason to decline.
It declines nothing by itself: on questions that others wrote it is right too seldom (AUC .70 on dev)."""
NEAREST: Final = 3
"""Events named where a question is declined."""

_CONTRAST = re.compile(
    r"\b(?:differ(?:s|ed|ently|ing)?|different (?:accounts|dates|directions|figures|numbers|reasons|sums|versions)|unlike|by contrast|in contrast|"
    # no "up to 50 different rules", "dispute over Nexperia", "conflict of interest", "rejected the idea"
    r"contradict\w*|conflict(?!s? of interest)\w*|disput(?:ed|ing|es (?:that|the|this))|den(?:y|ies|ied)|reject\w*(?! the (?:idea|view)\b)|"
    r"disagree\w*|at odds|whereas|other (?:accounts|sources|reports|outlets)|some coverage|"
    r"dagegen|hingegen|widerspr\w*|bestreit\w*|bestritt\w*|stritt\w*|dementier\w*|unterschiedlich\w*|auseinander|anders dar|"
    r"im unterschied zu|andere[nr]? (?:quellen|berichte|medien|angaben)|abweich\w*|uneinig\w*|wies\w* .{0,40}zurück)\b",
    re.IGNORECASE,
)


_BECAUSE = re.compile(
    r"\b(?:because|due to|owing to|weil|wegen|aufgrund|infolge|um \S+(?: \S+){0,6} zu)\b", re.IGNORECASE
)

_SOURCING = re.compile(
    r"\b(?:unnamed|anonymous\w*|rests? (?:solely |only )?on|known only from|goes back to|declined to comment|for comment|"
    r"beruh\w*|namentlich nicht|ungenannt\w*|anonym\w*|(?:geht|gehen) (?:laut .{1,30} )?auf|stütz\w* sich)\b",
    re.IGNORECASE,
)


def choose(
    question: Question,
    evidence: Sequence[Evidence],
    *,
    most: int,
    least: float,
    sure: Callable[[Sequence[Evidence], int], float] = answered,
) -> Selection:
    """The statements of an answer in the order they are told, or the reason why there is none.

    An event that is told in the question's language is not quoted in the other one as well. Where the question names a
    time, only evidence of that time counts: an article from it, or a sentence that speaks of it.

    Args:
        question: its language comes first; "latest", "why" and "conflict" among its wants change what joins and in which order.
        evidence: best supported first.
        most: most statements.
        least: probability that there is an answer, below which the question is declined.
        sure: tells that probability for the evidence that counts, best first, and the number of sentences looked at.
    """
    timely = [item for item in evidence if _in_period(question, item)]
    if sure(timely, len(evidence)) < least:
        if len(timely) < len(evidence) and sure(evidence, len(evidence)) >= least:
            return Selection((), reason="outside_filters")
        correcting = max(evidence, key=lambda item: item.corrects, default=None)
        if correcting and correcting.corrects >= CORRECTS:
            return Selection(((correcting,),), reason="false_premise")
        return Selection((), reason="no_coverage")
    evidence = timely
    told = {item.article.event for item in evidence if item.article.language == question.language}
    usable = [item for item in evidence if item.article.language == question.language or item.article.event not in told]
    best = evidence[0]
    if best not in usable and usable and usable[0].support >= best.support / FOREIGN_LEAD:
        best = usable[0]
    if _SOURCING.search(best.quote) and not _SOURCING.search(question.standalone):
        best = next((item for item in usable if _leads_instead(item, best)), best)
    if "latest" in question.wants:
        fit = [item for item in usable if item.support >= NEWEST * best.support]
        best = max(fit, key=lambda item: (item.article.published, item.support), default=best)
    strength = best.support
    if "why" in question.wants:
        best = next((item for item in usable if _says_why_at_once(item, best)), best)
    statements = [[best]]
    differ = False
    for item in usable:
        contrast = item.article.event == best.article.event and bool(_CONTRAST.search(item.quote))
        enough = CONTRASTS * strength if contrast or "conflict" in question.wants else max(JOINS * strength, WEAK)
        if item is best or item.support < enough:
            continue
        same = next((told for told in statements if _same_statement(told[0].quote, item.quote)), None)
        if same is not None:
            if len(same) < REPEATS and all(item.article.id != other.article.id for other in same):
                same.append(item)
        elif len(statements) < most:
            statements.append([item])
            differ = differ or contrast
    return Selection(
        tuple(tuple(told) for told in sorted(statements, key=lambda told: _place(told[0], best, question))),
        differ=(differ or bool(_CONTRAST.search(best.quote))) and len(statements) > 1,
    )


def _says_why_at_once(item: Evidence, best: Evidence) -> bool:
    """Whether the article's first sentence gives the cause itself: the reader still rates it below sentences about the cause
    (dev: "why" .78 with this rule, .74 without)."""
    first = item.span.start == 0 and item.article.event == best.article.event
    return first and bool(_BECAUSE.search(item.quote)) and item.support >= CAUSE * best.support


def together(selections: Sequence[Selection], *, most: int) -> Selection:
    """The selections for the parts of a question as one, in their order: the first statement of each, then the second of each, as
    long as there is room. Where all decline, the last one, which is that of the whole question."""
    answering = [selection for selection in selections if selection.reason is None]
    if not answering:
        return selections[-1]
    told: list[tuple[int, tuple[Evidence, ...]]] = []
    seen = set()
    for row in zip_longest(*(selection.statements for selection in answering)):
        for number, statement in enumerate(row):
            if statement and len(told) < most and (place := (statement[0].article.id, statement[0].span)) not in seen:
                seen.add(place)
                told.append((number, statement))
    told.sort(key=lambda each: each[0])
    return Selection(tuple(statement for _, statement in told), differ=any(each.differ for each in answering))


def _leads_instead(item: Evidence, best: Evidence) -> bool:
    return item.support >= SOURCED * best.support and not _SOURCING.search(item.quote)


def nearest(question: Question, evidence: Sequence[Evidence]) -> tuple[tuple[Evidence, ...], ...]:
    """The best sentence of each of the nearest events, in the question's language where the event is told in it; nothing where
    all found is about something else."""
    best: dict[str, Evidence] = {}
    for item in filter(lambda item: not how_far(item.features), evidence):
        known = best.get(item.article.event)
        if known is None:
            if len(best) < NEAREST:
                best[item.article.event] = item
        elif known.article.language != question.language == item.article.language:
            best[item.article.event] = item
    return tuple((item,) for item in best.values())


def _in_period(question: Question, item: Evidence) -> bool:
    if question.period is None:
        return True
    article = item.article
    named = mentions(item.quote, article.language, article.published, year_ends=question.period.year_ends)
    return fits(question.period, article.published, article.precision, named)


def _place(item: Evidence, best: Evidence, question: Question) -> tuple[object, ...]:
    """The lead first, then its own article in reading order, then the others by date; newest first for the latest."""
    age = item.article.published.toordinal()
    return (
        item is not best,
        item.article.id != best.article.id,
        -age if "latest" in question.wants else age,
        item.article.id,
        item.span.start,
    )


def _same_statement(one: str, other: str) -> bool:
    a, b = _content(one), _content(other)
    if {word for word in a if word.isdigit()} != {word for word in b if word.isdigit()}:
        return False
    return len(a & b) >= SAME * min(len(a), len(b))


def _content(text: str) -> set[str]:
    stop = STOPWORDS["de"] | STOPWORDS["en"]
    return {fold(word) for word in tokens(text) if word.casefold() not in stop}
