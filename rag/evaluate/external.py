"""Public benchmarks that others wrote: for measuring only, nothing is fitted on them.

XQuAD (Artetxe, Ruder and Yogatama 2020): 240 Wikipedia paragraphs and 1,190 questions, parallel in German and English;
passage retrieval. XQuAD-R (LAReQA, Roy et al. 2020): the same with sentence boundaries; choosing the sentence. Both run
through our own lines: chunk, embed, fuse, measure.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, Final

from rag.ask import Chipdesk
from rag.build import build
from rag.errors import CorpusError
from rag.evaluate.metrics import hit_at, mean, ndcg_at, reciprocal_rank
from rag.evaluate.run import Result
from rag.evidence import find_evidence
from rag.settings import Settings
from rag.types import LANGUAGES, Hit, Language, Span, Vectors

PUBLISHED: Final = "2016-01-01"
"""Date given to all paragraphs; none is known, and one for all favours none."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph with its questions: (question, offset of the answer in the text)."""

    number: int
    title: str
    text: str
    questions: tuple[tuple[str, int], ...]


def evaluate_passages(settings: Settings, data: Path, *, progress: Callable[[str], None]) -> Result:
    """XQuAD: is the paragraph that answers a question ranked first? For all four language pairs.

    The first figures are of the retrieval alone; "read" orders what it found by the support of the best sentence.

    Args:
        settings: model and retrieval settings; corpus and index are temporary.
        data: folder with xquad/xquad.{de,en}.json.

    Raises:
        CorpusError: the data is not there.
    """
    paragraphs = {language: _read(data / "xquad" / f"xquad.{language}.json") for language in LANGUAGES}
    groups: dict[str, dict[str, Any]] = {}
    for corpus_language in LANGUAGES:
        with _desk(settings, paragraphs[corpus_language], corpus_language, progress) as desk:
            for asked in LANGUAGES:
                progress(f"XQuAD, {asked} questions on {corpus_language} paragraphs")
                found: list[list[str]] = []
                read: list[list[str]] = []
                wanted: list[set[str]] = []
                for paragraph in paragraphs[asked]:
                    for question, _ in paragraph.questions:
                        retrieved, supported = _rankings(desk, question)
                        found.append(retrieved)
                        read.append(supported)
                        wanted.append({_name(paragraph)})
                groups[f"{asked}>{corpus_language}"] = {
                    "n": len(wanted),
                    "hit@1": mean(map(hit_at, found, wanted, repeat(1))),
                    "hit@5": mean(map(hit_at, found, wanted, repeat(5))),
                    "MRR": mean(map(reciprocal_rank, found, wanted)),
                    "nDCG@10": mean(map(ndcg_at, found, wanted, repeat(10))),
                    "read hit@1": mean(map(hit_at, read, wanted, repeat(1))),
                    "read nDCG@10": mean(map(ndcg_at, read, wanted, repeat(10))),
                }
    progress("")
    return _result("xquad", groups)


def evaluate_sentences(settings: Settings, data: Path, *, progress: Callable[[str], None]) -> Result:
    """XQuAD-R: inside the right paragraph, is the sentence that answers the best supported one? For all four pairs.

    Beside our support the plain cosine is reported: what similarity alone would choose.

    Args:
        settings: model settings; corpus and index are temporary.
        data: folder with xquad-r/{de,en}.json.

    Raises:
        CorpusError: the data is not there.
    """
    paragraphs = {language: _read(data / "xquad-r" / f"{language}.json") for language in LANGUAGES}
    groups: dict[str, dict[str, Any]] = {}
    for corpus_language in LANGUAGES:
        with _desk(settings, paragraphs[corpus_language], corpus_language, progress) as desk:
            for asked in LANGUAGES:
                progress(f"XQuAD-R, {asked} questions on {corpus_language} sentences")
                by_support: list[float] = []
                by_cosine: list[float] = []
                for mine, theirs in zip(paragraphs[asked], paragraphs[corpus_language], strict=True):
                    for (question, _), (_, answer_at) in zip(mine.questions, theirs.questions, strict=True):
                        read, vector = desk.read(question)
                        evidence = find_evidence(read, vector, _inside(desk, vector, theirs), desk.index, desk.reader)
                        by_support.append(_contains(evidence[0].span, answer_at) if evidence else 0.0)
                        nearest = max(evidence, key=lambda e: e.features["sentence_cosine"], default=None)
                        by_cosine.append(_contains(nearest.span, answer_at) if nearest else 0.0)
                groups[f"{asked}>{corpus_language}"] = {
                    "n": len(by_support), "support": mean(by_support), "cosine": mean(by_cosine),
                }  # fmt: skip
    progress("")
    return _result("xquad-r", groups)


@contextmanager
def _desk(
    settings: Settings, paragraphs: Sequence[Paragraph], language: Language, progress: Callable[[str], None]
) -> Iterator[Chipdesk]:
    """A desk over a temporary corpus with one article per paragraph."""
    with tempfile.TemporaryDirectory(prefix="chipdesk-") as folder:
        articles = Path(folder) / "corpus" / "articles"
        articles.mkdir(parents=True)
        for paragraph in paragraphs:
            (articles / f"{_name(paragraph)}.md").write_text(
                f"---\nid: {_name(paragraph)}\nlanguage: {language}\ntitle: {json.dumps(paragraph.title, ensure_ascii=False)}\n"
                f"published: {PUBLISHED}\n---\n{paragraph.text}\n",
                "utf-8",
            )
        here = settings.model_copy(update={"corpus": articles.parent, "index": Path(folder) / "index"})
        build(here, progress=lambda stage, done, total: progress(f"{stage} {done} of {total} ({language})"))
        yield Chipdesk(here)


def _rankings(desk: Chipdesk, question: str) -> tuple[list[str], list[str]]:
    """The paragraphs as retrieval ranks them, and as they rank after reading."""
    read, vector = desk.read(question)
    retrieved = list(dict.fromkeys(hit.article.id for hit in desk.retrieve(read, vector)))
    supported = [item.article.id for item in desk.evidence(read, vector)]
    return retrieved, list(dict.fromkeys([*supported, *retrieved]))


def _inside(desk: Chipdesk, vector: Vectors, paragraph: Paragraph) -> list[Hit]:
    """All chunks of one paragraph as hits, the nearest first."""
    article = desk.article(_name(paragraph))
    rows = desk.index.catalog.rows_of(article.id)
    chunks = desk.index.chunks(rows)
    cosines = desk.index.cosines(vector, rows)
    hits = [
        Hit(chunks[row][0], article, row, chunks[row][1], 1.0, float(cosine), 0.0)
        for row, cosine in zip(rows, cosines, strict=True)
    ]
    return sorted(hits, key=lambda hit: -hit.cosine)


def _contains(span: Span, offset: int) -> float:
    return float(span.start <= offset < span.end)


def _name(paragraph: Paragraph) -> str:
    return f"p{paragraph.number:04d}"


def _read(path: Path) -> list[Paragraph]:
    try:
        content = json.loads(path.read_text("utf-8"))["data"]
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(
            f"{path} cannot be read: {error}.", "Name the folder that holds xquad/ and xquad-r/ with --data."
        ) from error
    found: list[Paragraph] = []
    for article in content:
        for paragraph in article["paragraphs"]:
            # our reader joins lines and trims: offsets are kept where the text is already that way
            text = paragraph["context"]
            questions = tuple((qa["question"], int(qa["answers"][0]["answer_start"])) for qa in paragraph["qas"])
            found.append(Paragraph(len(found), article["title"].replace("_", " "), text, questions))
    return found


def _result(suite: str, groups: dict[str, dict[str, Any]]) -> Result:
    columns = next(iter(groups.values())).keys()
    overall = {name: mean(group[name] for group in groups.values()) for name in columns if name != "n"}
    return Result(
        suite,
        {"pairs": "question language > text language"},
        {"n": sum(g["n"] for g in groups.values())} | overall,
        groups,
    )
