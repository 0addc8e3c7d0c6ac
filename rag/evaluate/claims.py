"""Public benchmarks of claims against texts, that others wrote: for measuring the checker only, nothing is fitted on them.

RTE-3 (Giampiccolo et al. 2007; German by Zeller and Padó 2013), development part: 800 pairs of a text and a claim that it
entails or not, with the same numbers in both languages, so that German texts with English claims can be asked too. WiCE
(Kamoi et al. 2023), development part: 349 sentences of Wikipedia against pages they cite; given are the sentences marked as
supporting ("oracle"), or, where none is, as many words of the page as look most like the claim. Supported counts against
partially or not supported. Both are decided at the checker's own line, which comes from our corpus.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from rag.check import SUPPORTED, measure
from rag.chunk import sentences
from rag.embed import open_embedder
from rag.errors import CorpusError
from rag.evaluate.metrics import mean
from rag.evaluate.run import Result
from rag.glossary import read_glossary
from rag.memory import Recent
from rag.reader import OnnxEntailer, OnnxReader
from rag.settings import Settings
from rag.types import Article, Embedder, Evidence, Language, Span
from rag.words import terms

RTE_PAIRS: Final[tuple[tuple[Language, Language], ...]] = (("de", "de"), ("en", "en"), ("de", "en"))
"""(language of the text, language of the claim)."""
CHUNK: Final = 8
"""Sentences given where none is marked: about the 256 tokens that WiCE's authors use."""
BATCH: Final = 64
"""Texts embedded between two signs of progress."""


def evaluate_rte(settings: Settings, data: Path, *, progress: Callable[[str], None]) -> Result:
    """RTE-3: accuracy for German, for English, and for German texts with English claims.

    Args:
        settings: the model, and the corpus whose glossary is used.
        data: folder with rte3/{German,English}_dev.xml.

    Raises:
        CorpusError: the data is not there.
    """
    pairs = {"de": _rte(data / "rte3" / "German_dev.xml"), "en": _rte(data / "rte3" / "English_dev.xml")}
    asked = []
    for told, claimed in RTE_PAIRS:
        for number in sorted(pairs[told].keys() & pairs[claimed].keys(), key=int):
            text, _, entailed = pairs[told][number]
            made = _article(text, told)
            spans = [Span(s.start, s.end) for s in sentences(text, told)] or [Span(0, len(text))]
            evidence = [Evidence(made, span, 0.0) for span in spans]
            asked.append((f"{told} text, {claimed} claim", pairs[claimed][number][1], claimed, evidence, entailed))
    return _scored("rte3", settings, asked, progress)


def evaluate_wice(settings: Settings, data: Path, *, progress: Callable[[str], None]) -> Result:
    """WiCE: balanced accuracy of supported against the rest, with the supporting sentences given.

    Args:
        settings: the model, and the corpus whose glossary is used.
        data: folder with wice/dev.jsonl.

    Raises:
        CorpusError: the data is not there.
    """
    path = data / "wice" / "dev.jsonl"
    try:
        items = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise CorpusError(
            f"{path} cannot be read: {error}.", "Name the folder that holds wice/ with --data."
        ) from error
    asked = []
    for item in items:
        numbers = sorted({n for group in item["supporting_sentences"] for n in group}) or _likest(item)
        evidence = []
        for number in numbers:
            text = item["evidence"][number]
            evidence.append(Evidence(_article(text, "en"), Span(0, len(text)), 0.0))
        asked.append(("en", item["claim"], "en", evidence, item["label"] == "supported"))
    return _scored("wice", settings, asked, progress)


Asked = tuple[str, str, Language, Sequence[Evidence], bool]
"""Group, claim, its language, evidence, whether it is told."""


def _scored(suite: str, settings: Settings, asked: Sequence[Any], progress: Callable[[str], None]) -> Result:
    embedder = Recent(open_embedder(settings), most=100_000)
    _embed(
        embedder,
        [text for _, claim, _, evidence, _ in asked for text in (claim, *(e.quote for e in evidence))],
        progress,
    )
    glossary, _ = read_glossary(settings.corpus)
    entailer, reader = OnnxEntailer(threads=settings.threads), OnnxReader(threads=settings.threads)
    rows: dict[str, list[tuple[bool, float, bool]]] = {}
    for number, (group, claim, language, evidence, is_told) in enumerate(asked, start=1):
        progress(f"claim {number} of {len(asked)}")
        compared = measure(
            claim,
            evidence,
            glossary=glossary,
            embedder=embedder,
            entailer=entailer,
            reader=reader,
            language=language,
        )
        verdict = compared.judged().verdict == "supported"
        rows.setdefault(group, []).append((is_told, compared.score, verdict))
    progress("")
    groups = {group: _figures(each) for group, each in rows.items()}
    everything = [row for each in rows.values() for row in each]
    return Result(suite, {"line": SUPPORTED}, _figures(everything), groups)


def _embed(embedder: Embedder, texts: Sequence[str], progress: Callable[[str], None]) -> None:
    each = sorted(dict.fromkeys(texts), key=len)
    for at in range(0, len(each), BATCH):
        progress(f"embedding {at} of {len(each)}")
        embedder.passages(each[at : at + BATCH], few=len(each) <= BATCH)


def _figures(rows: Sequence[tuple[bool, float, bool]]) -> dict[str, Any]:
    """Of the score at its line, and of the verdict, which no problem may contradict."""
    by_score = [(told, score >= SUPPORTED) for told, score, _ in rows]
    by_verdict = [(told, verdict) for told, _, verdict in rows]
    return {
        "n": len(rows),
        "accuracy": mean(float(told == called) for told, called in by_score),
        "balanced": _balanced(by_score),
        "AUROC": _area(rows),
        "verdict acc.": mean(float(told == called) for told, called in by_verdict),
        "verdict bal.": _balanced(by_verdict),
    }


def _balanced(rows: Sequence[tuple[bool, bool]]) -> float | None:
    """Mean of the shares of told and of other claims that are called right; None where one kind is missing."""
    shares = [mean(float(called == told) for told, called in rows if told == kind) for kind in (True, False)]
    return None if None in shares else mean(share for share in shares if share is not None)


def _area(rows: Sequence[tuple[bool, float, bool]]) -> float | None:
    """Chance that a told claim has the higher score than one that is not; None where one kind is missing."""
    yes, no = [s for told, s, _ in rows if told], [s for told, s, _ in rows if not told]
    return mean(1.0 if a > b else 0.5 if a == b else 0.0 for a in yes for b in no)


def _rte(path: Path) -> dict[str, tuple[str, str, bool]]:
    """Number -> (text, claim, whether it is entailed)."""
    try:
        root = ElementTree.fromstring(path.read_text("utf-8"))  # noqa: S314 - a local file that the user names
    except (OSError, ElementTree.ParseError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"{path} cannot be read: {error}.", "Name the folder that holds rte3/ with --data."
        ) from error
    return {
        pair.attrib["id"]: (
            " ".join((pair.findtext("t") or "").split()),
            " ".join((pair.findtext("h") or "").split()),
            pair.attrib["entailment"] in ("ENTAILMENT", "YES"),
        )
        for pair in root.iter("pair")
    }


def _likest(item: dict[str, Any]) -> list[int]:
    """Neighbouring sentences of a page that share the most terms with the claim."""
    wanted = set(terms(item["claim"], "en"))
    shared = [len(wanted & set(terms(sentence, "en"))) for sentence in item["evidence"]]
    first = max(range(len(shared)), key=lambda i: (sum(shared[i : i + CHUNK]), -i))
    return [i for i in range(first, min(first + CHUNK, len(shared))) if item["evidence"][i].strip()]


def _article(text: str, language: Language) -> Article:
    return Article(
        "claim", "claim", language, "", date(2006, 1, 1), "year", (), (), "current", (), (), text, ""
    )  # fmt: skip
