"""Draft to checked sentences and citations: quotes exist, numbers point somewhere, nothing unsupported passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.types import Citation, Draft, Evidence, Sentence


def numbered(evidence: Sequence[Evidence]) -> dict[int, Citation]:
    """Citations, by position, of the evidence that stands, numbered from 1: what can be shown before anything is written."""
    standing = [i for i, item in enumerate(evidence) if _stands(item)]
    return {i: cite(number, evidence[i]) for number, i in enumerate(standing, start=1)}


def verify(
    draft: Draft, evidence: Sequence[Evidence], shown: Mapping[int, Citation] | None = None
) -> tuple[list[Sentence], list[Citation]]:
    """The sentences that stand and the citations they use, in order of appearance.

    A sentence stands if it cites at least one piece of evidence that exists, and if each quote is found at its offsets in
    a stored article that is not withdrawn. Whether evidence is supported enough was decided when it was chosen.

    Args:
        draft: what a writer made of the evidence.
        evidence: what the writer was given; the draft's numbers are positions in it.
        shown: citations that the asker sees already, from `numbered`: they keep their numbers. Without them citations are
            numbered from 1 in order of appearance.
    """
    used: dict[int, Citation] = {}
    sentences: list[Sentence] = []
    for text, cited in draft.sentences:
        good = [i for i in cited if 0 <= i < len(evidence) and _stands(evidence[i])]
        if not text.strip() or not good or len(good) < len(cited):
            continue
        for i in good:
            if i not in used:
                used[i] = shown[i] if shown else cite(len(used) + 1, evidence[i])
        support = min(1.0, max(evidence[i].support for i in good))
        sentences.append(Sentence(text, tuple(used[i].number for i in good), round(support, 4)))
    return sentences, list(used.values())


def _stands(item: Evidence) -> bool:
    """Within the article, not blank, not withdrawn."""
    start, end = item.span.start, item.span.end
    inside = 0 <= start < end <= len(item.article.text)
    return inside and bool(item.quote.strip()) and item.article.status != "withdrawn"


def cite(number: int, item: Evidence) -> Citation:
    """A piece of evidence as a citation with this number."""
    article, span = item.article, item.span
    return Citation(
        number=number,
        article=article.id,
        event=article.event,
        title=article.title,
        language=article.language,
        published=article.published,
        date_precision=article.precision,
        quote=article.text[span.start : span.end],
        start=span.start,
        end=span.end,
        sources=article.sources_of(span.start, span.end),
        status=article.status,
        reason=article.reason,
        since=article.since,
    )
