"""True sentences of the corpus and the same with one thing wrong: what the checker has to let pass and what to catch.

True are a sentence against its own article, and a sentence against the article that tells the same event in the other
language, where both tell it: two sentences that are each other's nearest by meaning, clearly. Wrong are sentences with one
change made by rule, against their own article. Everything is drawn with a seed from the event's name, so that two runs on
one corpus give the same cases.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np

from rag.ask import Chipdesk
from rag.check import check
from rag.dates import MONTHS
from rag.evaluate.metrics import mean
from rag.evaluate.questions import read_questions
from rag.evaluate.run import Result
from rag.figures import Figure, figures
from rag.glossary import Glossary
from rag.memory import Recent
from rag.stance import negators
from rag.types import LANGUAGES, Article, Checked, Evidence, Language, Span, Vectors

Kind = Literal["true", "sibling", "number", "unit", "date", "name", "role", "negation", "hedge", "quote"]
KINDS: Final[tuple[Kind, ...]] = ("number", "unit", "date", "quote", "name", "role", "negation", "hedge")
PARALLEL: Final = 0.93
"""Least cosine of two sentences that are taken for one statement in two languages. Looked at on training events: above it
nearly all pairs say the same, below it one often says more."""
AHEAD: Final = 0.01
"""How far the nearest must be ahead of the second nearest: otherwise it is not clear which sentence says the same."""
EACH: Final = 40
"""Most cases of one kind in one language."""
SEED: Final = "corruptions 1"


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence, what it is checked against, and what is wrong with it."""

    kind: Kind
    text: str
    language: Language
    original: str
    evidence: tuple[Evidence, ...]
    """All sentences of one article."""
    across: bool = False
    """Whether a corrupted sentence is checked against the article in the other language."""

    @property
    def wrong(self) -> bool:
        return self.kind not in ("true", "sibling")


# --- making cases ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """The quotable sentences of one article with their vectors, (n, dimension)."""

    article: Article
    spans: tuple[Span, ...]
    vectors: Vectors

    @property
    def sentences(self) -> list[str]:
        return [self.article.text[span.start : span.end] for span in self.spans]

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return tuple(Evidence(self.article, span, 0.0) for span in self.spans)


def told(desk: Chipdesk, events: frozenset[str]) -> dict[str, dict[Language, Told]]:
    """The articles of these events: event -> language -> sentences. Of several articles in one language the first."""
    index = desk.index
    found: dict[str, dict[Language, Told]] = {}
    for article in sorted(index.catalog.articles(), key=lambda each: each.id):
        if article.event in events and article.language not in found.get(article.event, {}):
            spans: list[Span] = []
            rows: list[Vectors] = []
            for chunk, first in index.chunks(index.catalog.rows_of(article.id)).values():
                vectors = index.sentence_vectors(first, len(chunk.sentences))
                for span, vector in zip(chunk.sentences, vectors, strict=True):
                    if span.quotable:
                        spans.append(span)
                        rows.append(vector)
            if spans:
                found.setdefault(article.event, {})[article.language] = Told(article, tuple(spans), np.stack(rows))
    return found


def events_of_split(*splits: str) -> frozenset[str]:
    """The events that the questions of these splits are about."""
    return frozenset(event for split in splits for item in read_questions(split) for event in item.events)


def events_to_fit_on() -> frozenset[str]:
    """Those that only training questions are about: a question of dev or test may be about several events."""
    return events_of_split("train") - events_of_split("dev", "test")


def parallel(one: Told, other: Told, *, least: float = PARALLEL) -> list[tuple[int, int]]:
    """Positions of sentences that say the same in both: each other's nearest, near, and clearly ahead."""
    cosines = one.vectors @ other.vectors.T
    found = []
    for i in range(len(one.spans)):
        j = int(cosines[i].argmax())
        rest = [*np.delete(cosines[i], j), *np.delete(cosines[:, j], i)]
        if cosines[i, j] >= least and all(cosines[i, j] >= other_one + AHEAD for other_one in rest):
            found.append((i, j))
    return found


def cases(desk: Chipdesk, stories: dict[str, dict[Language, Told]]) -> list[Case]:
    """True sentences and corrupted ones, at most EACH of a kind and language."""
    glossary = desk.index.glossary
    found: dict[tuple[Kind, Language, bool], list[Case]] = {}
    for event in sorted(stories, key=lambda event: random.Random(f"{SEED} {event}").random()):  # noqa: S311
        chance = random.Random(f"{SEED} {event}")  # noqa: S311 - sampling, not secrets
        for language, story in sorted(stories[event].items()):
            for case in _of_article(story, stories[event], glossary, chance):
                kept = found.setdefault((case.kind, language, case.across), [])
                if len(kept) < EACH and not any(other.original == case.original for other in kept):
                    kept.append(case)
    return [case for kept in found.values() for case in kept]


def _of_article(
    story: Told, all_told: dict[Language, Told], glossary: Glossary, chance: random.Random
) -> Iterator[Case]:
    language, evidence = story.article.language, story.evidence
    sentences = story.sentences
    yield Case("true", (pick := chance.choice(sentences)), language, pick, evidence)
    for other_language, other in all_told.items():
        if other_language != language:
            pairs = parallel(story, other)
            for i, _ in pairs[:2]:
                yield Case("sibling", sentences[i], language, sentences[i], other.evidence)
            for kind, make in MAKERS.items():
                for i, _ in pairs if kind != "quote" else ():  # a quotation cannot be compared with a translation
                    wrong = make(sentences[i], story.article, glossary, chance)
                    if wrong and wrong != sentences[i]:
                        yield Case(kind, wrong, language, sentences[i], other.evidence, across=True)
                        break
    order = list(sentences)
    chance.shuffle(order)
    for kind, make in MAKERS.items():
        for sentence in order:
            wrong = make(sentence, story.article, glossary, chance)
            if wrong and wrong not in sentences and wrong != sentence:
                yield Case(kind, wrong, language, sentence, evidence)
                break


_Make = Callable[[str, Article, Glossary, random.Random], str | None]


def _number(text: str, article: Article, _: Glossary, chance: random.Random) -> str | None:
    """Another first digit."""
    found = [
        f
        for f in _figures(text, article)
        if f.kind == "amount" and re.search(r"\d", f.words) and f.unit not in ("quarter", "half-year")
    ]
    if not found:
        return None
    figure = chance.choice(found)
    at = figure.start + re.search(r"\d", figure.words).start()  # type: ignore[union-attr]
    digit = chance.choice([d for d in "123456789" if d != text[at]])
    return text[:at] + digit + text[at + 1 :]


def _figures(text: str, article: Article) -> list[Figure]:
    return figures(text, article.language, article.published)


_UNITS: Final = (
    ("million", "billion"), ("Millionen", "Milliarden"), ("Mio.", "Mrd."), ("billion", "trillion"), ("Milliarden", "Billionen"),
    ("dollars", "euros"), ("Dollar", "Euro"), ("$", "€"), ("percent", "percentage points"), ("Prozent", "Prozentpunkte"), ("GB", "TB"), ("TB", "PB"),
    ("megawatts", "gigawatts"), ("megawatt", "gigawatt"), ("Megawatt", "Gigawatt"), ("gigawatts", "megawatts"), ("gigawatt", "megawatt"), ("Gigawatt", "Megawatt"),
    ("nanometre", "micrometre"), ("nanometer", "micrometer"), ("Nanometer", "Mikrometer"), ("weeks", "months"), ("Wochen", "Monate"), ("months", "years"), ("Monaten", "Jahren"),
    ("Monate", "Jahre"), ("years", "months"), ("Jahren", "Monaten"), ("Jahre", "Monate"), ("days", "weeks"), ("Tage", "Wochen"), ("hours", "days"), ("Stunden", "Tage"), ("yuan", "dollars"),
    ("Yuan", "Dollar"), ("teraflops", "petaflops"), ("Teraflops", "Petaflops"), ("petaflops", "teraflops"), ("watts", "kilowatts"), ("Watt", "Kilowatt"),
)  # fmt: skip


def _unit(text: str, article: Article, _: Glossary, chance: random.Random) -> str | None:
    """Another unit or scale behind the same number."""
    options = []
    for figure in _figures(text, article):
        if figure.kind == "amount" and re.search(r"\d", figure.words):
            for one, other in _UNITS:
                edge = r"(?![^\W\d_])" if one[-1].isalpha() else ""
                if match := re.search(rf"(?<![^\W\d_]){re.escape(one)}{edge}", figure.words):
                    at = figure.start + match.start()
                    options.append(text[:at] + other + text[at + len(one) :])
    return chance.choice(options) if options else None


def _date(text: str, article: Article, _: Glossary, chance: random.Random) -> str | None:
    """Another month, or another year."""
    found = [f for f in _figures(text, article) if f.kind == "time"]
    if not found:
        return None
    figure = chance.choice(found)
    names = MONTHS[article.language]
    month = next((m for m in names if m in figure.words), None)
    if month and chance.random() < 0.5:
        words = figure.words.replace(month, chance.choice([m for m in names if m != month]))
    else:
        year = re.search(r"20\d\d", figure.words)
        if year is None:
            return None
        words = figure.words.replace(year[0], str(int(year[0]) + chance.choice((-2, -1, 1, 2))))
    return text[: figure.start] + words + text[figure.end :]


def _spots(text: str, language: Language, glossary: Glossary, kinds: Sequence[str]) -> list[tuple[str, str, int]]:
    """(id, name, where) of the names in their plain form: a genitive cannot be exchanged by rule."""
    found = []
    at = 0
    for entry, words in glossary.mentions(text, language):
        where = text.find(words, at)
        if where < 0:
            continue
        at = where + len(words)
        plain = words.removesuffix("'s").removesuffix("’s")
        if entry.kind in kinds and plain in entry.names(language):
            found.append((entry.id, plain, where))
    return found


def _name(text: str, article: Article, glossary: Glossary, chance: random.Random) -> str | None:
    """Another company: every second time one of the same article, otherwise any."""
    here = _spots(text, article.language, glossary, ("company",))
    if not here:
        return None
    _id, words, at = chance.choice(here)
    inside = {i for i, _, _ in here}
    near = {i: w for i, w, _ in _spots(article.text, article.language, glossary, ("company",)) if i not in inside}
    far = {
        e.id: e.names(article.language)[0]
        for e in glossary.entries
        if e.kind == "company" and e.id not in near and e.id not in inside
    }
    chosen = near if near and chance.random() < 0.5 else far
    return text[:at] + chance.choice(sorted(chosen.values())) + text[at + len(words) :]


_SYMMETRIC = re.compile(r"\b(?:between|zwischen|with|mit|sowohl|both|and|und|or|oder|sowie|versus)\b", re.IGNORECASE)


def _role(text: str, article: Article, glossary: Glossary, chance: random.Random) -> str | None:
    """Two names exchanged that are no mere list and do nothing together."""
    spots = _spots(text, article.language, glossary, ("company", "agency", "person"))
    pairs = []
    for (one, words, at), (two, others, there) in pairwise(spots):
        between = text[at + len(words) : there]
        if one != two and len(between.split()) >= 2 and not _SYMMETRIC.search(between):
            pairs.append(text[:at] + others + between + words + text[there + len(others) :])
    return chance.choice(pairs) if pairs else None


_AUXILIARY = re.compile(r"\b(?:was|were|is|are|has|have|had|will|would|could|can|must|should)\b(?! not)")
_GERMAN_AUXILIARY = re.compile(
    r"\b(?:wurde|wurden|hat|haben|hatte|hatten|wird|werden|soll|sollen|will|wollen|kann|können|ist|sind|war|waren|darf|dürfen|sei)\b"
)


def _negation(text: str, article: Article, _: Glossary, _chance: random.Random) -> str | None:
    """A negator taken out, or put in."""
    german = article.language == "de"
    for pattern, instead in (
        (r" nicht\b", ""), (r"\bkeine([nrms]?)\b", r"eine\1"), (r"\bkein\b", "ein"), (r" not\b", ""), (r"\bno longer\b", "still"), (r"\bcannot\b", "can"),
    ):  # fmt: skip
        if re.search(pattern, text):
            return re.sub(pattern, instead, text, count=1)
    if not german:
        match = None if negators(text) else _AUXILIARY.search(text)
        return f"{text[: match.end()]} not{text[match.end() :]}" if match else None
    if not _GERMAN_AUXILIARY.search(text) or "," in text or negators(text):
        return None
    *first, last = text.split(" ")
    return " ".join([*first, "nicht", last])


_TAIL = re.compile(
    r",\s+(?:(?:[\w'’.&-]+\s+){1,4}?(?:said|reported|wrote|says|reports|writes)\b|(?:berichtete|schrieb|sagte|meldete|erklärte|heißt es|so)\b|according to\b)[^,]*\.\Z"
)
_DROPPED: Final = (
    (r" (?:reportedly|allegedly|apparently)\b", ""), (r"\b(?:angeblich|mutmaßlich|offenbar|voraussichtlich) ", ""), (r" (?:laut|according to) (?:[A-Z][\w.&-]+ ?){1,3}(?=[ ,.])", " "),
    (r"\b(?:may|might|could)\b", "will"), (r"\bsoll\b", "wird"), (r"\bsollen\b", "werden"), (r"\b(?:dürfte|könnte)\b", "wird"), (r"\b(?:dürften|könnten)\b", "werden"),
    (r"\b(?:is|are) (?:said|expected|reported) to\b", "will"), (r"\b(?:plans|intends|wants) to\b", "will"),
)  # fmt: skip


def _hedge(text: str, _article: Article, _: Glossary, _chance: random.Random) -> str | None:
    """An attribution or a reservation taken out."""
    if match := _TAIL.search(text):
        return f"{text[: match.start()]}."
    for pattern, instead in _DROPPED:
        if re.search(pattern, text):
            return re.sub(r"\s+([,.])", r"\1", re.sub(pattern, instead, text, count=1))
    return None


def _quote(text: str, article: Article, _: Glossary, chance: random.Random) -> str | None:
    """Eight words between quotation marks, one of them exchanged for another of the article."""
    words = text.split(" ")
    if len(words) < 12:
        return None
    first = chance.randrange(2, len(words) - 9)
    inside = words[first : first + 8]
    at = chance.randrange(1, 7)
    others = [w for w in re.findall(r"[^\W\d_]{5,}", article.text) if w not in text]
    if not others:
        return None
    inside[at] = chance.choice(others)
    marks = "„“" if article.language == "de" else "“”"
    return " ".join([*words[:first], f"{marks[0]}{' '.join(inside)}{marks[1]}", *words[first + 8 :]])


MAKERS: Final[dict[Kind, _Make]] = {
    "number": _number, "unit": _unit, "date": _date, "quote": _quote, "name": _name, "role": _role, "negation": _negation, "hedge": _hedge,
}  # fmt: skip
"""How each kind is made; each gives None where the sentence has nothing of the kind."""


# --- measuring -------------------------------------------------------------------------------------------------------


def recalling(desk: Chipdesk, stories: dict[str, dict[Language, Told]]) -> Recent:
    """The desk's embedder, knowing the vectors of these articles."""
    recent = Recent(desk.embedder, most=100_000)
    for languages in stories.values():
        for story in languages.values():
            recent.know(story.sentences, story.vectors)
    return recent


def evaluate_corruptions(
    desk: Chipdesk, *, progress: Callable[[str], None], splits: Sequence[str] = ("dev", "test")
) -> Result:
    """Check every case; groups are the kinds, in either language. "Across" are corrupted sentences against the article in the
    other language, which do not count in the figures of all.

    `caught` is the share of corrupted sentences that are not called supported, `named` the share where the kind of the
    corruption is among the problems, `alarms` the share of true sentences that are not called supported.
    """
    stories = told(desk, events_of_split(*splits))
    made = cases(desk, stories)
    embedder = recalling(desk, stories)
    scored: list[tuple[Case, Checked]] = []
    for number, case in enumerate(made, start=1):
        progress(f"sentence {number} of {len(made)}")
        checked = check(
            case.text,
            case.evidence,
            glossary=desk.index.glossary,
            embedder=embedder,
            entailer=desk.entailer,
            reader=desk.reader,
            language=case.language,
        )
        scored.append((case, checked))
    progress("")
    groups: dict[str, dict[str, Any]] = {}
    for across in (False, True):
        for kind in ("true", "sibling", *KINDS):
            for language in (None, *LANGUAGES):
                part = [
                    (case, checked)
                    for case, checked in scored
                    if (case.kind, case.across) == (kind, across) and language in (None, case.language)
                ]
                if part:
                    name = f"{kind} {language}" if language else kind
                    groups[f"{name} across" if across else name] = _figures_of(part)
    own = [pair for pair in scored if not pair[0].across]
    wrong = [pair for pair in own if pair[0].wrong]
    about = {"events": len(stories), "corrupted": len(wrong), "true": len(own) - len(wrong)}
    return Result("corruptions", about | {"index": desk.index.manifest.identity}, _figures_of(own), groups)


def _figures_of(part: Sequence[tuple[Case, Checked]]) -> dict[str, Any]:
    wrong = [(c, r) for c, r in part if c.wrong]
    true = [r for c, r in part if not c.wrong]
    return {
        "n": len(part),
        "caught": mean(float(r.verdict != "supported") for _, r in wrong) if wrong else None,
        "named": mean(float(any(p.kind == c.kind for p in r.problems)) for c, r in wrong) if wrong else None,
        "alarms": mean(float(r.verdict != "supported") for r in true) if true else None,
    }
