"""Draft to checked sentences and citations: quotes exist, numbers point somewhere, nothing unsupported passes."""

from __future__ import annotations

from collections.abc import Sequence

from rag.types import Citation, Draft, Evidence, Sentence


def verify(draft: Draft, evidence: Sequence[Evidence]) -> tuple[list[Sentence], list[Citation]]:
    """The sentences that stand, renumbered, and the citations they use, numbered from 1 in order of appearance.

    A sentence stands if it cites at least one piece of evidence that exists, and if each quote is found at its offsets in
    a stored article that is not withdrawn. Whether evidence is supported enough was decided when it was chosen.

    Args:
        draft: what a writer made of the evidence.
        evidence: what the writer was given; the draft's numbers are positions in it.
    """
    numbers: dict[int, int] = {}
    citations: list[Citation] = []
    sentences: list[Sentence] = []
    for text, cited in draft.sentences:
        good = [i for i in cited if 0 <= i < len(evidence) and _stands(evidence[i])]
        if not text.strip() or not good or len(good) < len(cited):
            continue
        for i in good:
            if i not in numbers:
                numbers[i] = len(citations) + 1
                citations.append(cite(numbers[i], evidence[i]))
        support = min(1.0, max(evidence[i].support for i in good))
        sentences.append(Sentence(text, tuple(numbers[i] for i in good), round(support, 4)))
    return sentences, citations


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
    )
