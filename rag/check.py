"""A sentence against evidence: is it borne out, contradicted, not told at all, or is a quotation in it altered?

Two things are asked. What can be compared exactly is compared by rules: figures and times, quotations, names, who does what
to whom, negation, hedges; each disagreement is a `Problem`. Whether the sentence is told at all, rather than something near
it, is a probability: a logistic model of cheap measurements, of those disagreements and of the judgements of two trained
networks (`python -m rag.evaluate.fit_check`), fitted on claims that these have not seen: the reader knows best what is
mentioned, the entailer what is said of it. The entailer also has a veto: it sees wrong details that no rule knows. And where
it is sure that a sentence is told, a negator or a reservation that stands on one side only is taken for another way to say
the same.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property, lru_cache
from typing import Final

from rag.dates import headed
from rag.figures import FEW, Figure, agrees, counts_a_list, figures, fits_unit, nearest, same_number, same_value
from rag.glossary import Entry, Glossary
from rag.names import names
from rag.roles import Token, mentions, placed, swapped
from rag.stance import Marker, denials, hedges, negators, opposites, refuses
from rag.types import Checked, Embedder, Entailer, Evidence, Language, Passage, Problem, Reader, Verdict
from rag.words import STOPWORDS, fold, language_of, terms, tokens

FEATURES: Final = (
    "entailed", "read", "cosine", "coverage", "cross_coverage", "cross_coverage_all", "figures_missing", "figures_met", "names_missing", "polarity", "roles_crossed", "same_language",
)  # fmt: skip
LOGIT_SCALE: Final = 4.0
"""The entailer's logits lie between about -6 and 6, the reader's between -10 and 10."""
WEIGHTS: Final[dict[str, float]] = {
    # printed by `python -m rag.evaluate.fit_check`, on 3,751 claims that neither network has seen
    "entailed": 1.249,
    "read": 2.160,
    "cosine": -0.276,
    "coverage": 4.200,
    "cross_coverage": 2.232,
    "cross_coverage_all": 0.823,
    "figures_missing": -1.157,
    "figures_met": 0.325,
    "names_missing": -2.131,
    "polarity": -1.120,
    "roles_crossed": -0.939,
    "same_language": -0.821,
    "bias": 1.297,
}
TOPIC_FEATURES: Final = (
    "read", "cosine", "coverage", "cross_coverage", "cross_coverage_all", "claim_length", "same_language",
)  # fmt: skip
TOPIC: Final[dict[str, float]] = {
    # printed by the same command: claims before their own article against those before one that tells of something else
    "read": 3.598,
    "cosine": 1.258,
    "coverage": 4.374,
    "cross_coverage": 2.091,
    "cross_coverage_all": 2.275,
    "claim_length": -3.750,
    "same_language": -2.238,
    "bias": 3.027,
}
SUPPORTED: Final = 0.5
"""Least probability of a supported sentence: the classes were balanced for fitting."""
TOPICAL: Final = 0.3
"""Probability of being about the same thing below which the evidence is shown as none. On held-out claims 1 % of those about
their article's matter lie below it, and 96 % of the others."""
VETO: Final = -4.0
"""Logit of the entailer below which a sentence is not supported, whatever the score. On held-out claims written by hand it
costs 1 point of the told ones and catches 1 or 2 of those with one thing wrong, 6 about texts of other subjects. Evidence of
several articles lowers the logit of true paraphrases to -3.6, so that a stricter veto is no gain."""
SAYING: Final = 3
"""Words that carry meaning below which a sentence says too little for its words, met in the evidence, to prove anything."""
OVERRULES: Final = 2.0
"""Logit of the entailer from which what it reads counts more than a negator or a reservation that is on one side only: the
other side may say it in other words. In near copies the words decide."""
READ: Final = 5
"""Pieces of evidence, the nearest, that the entailer reads together: as many as in its training."""
JOINT: Final = 3
"""Most pieces of evidence that a sentence may rest on together: more is no longer one statement."""
ALSO: Final = 1.0
"""How far behind the nearest piece of evidence, in nearness, another one is still shown."""
COSINE_CENTRE: Final = 0.88
COSINE_SCALE: Final = 0.04
"""Cosines of news sentences lie in .88 +- .08; this brings them to about -2..2 for the logistic model."""
NEAR_COPY: Final = 0.75
"""Share of words in the same order from which two sentences are compared word by word."""
CLOSE: Final = 0.55
"""Share of equal characters from which a passage is the original of an altered quotation."""
AROUND: Final = 0.3
"""Share of the words around a figure that must be met for it to be found in another sentence than the nearest one."""
NEIGHBOURS: Final = 5
"""Words looked at on each side of such a figure."""


def check(
    text: str,
    evidence: Sequence[Evidence],
    *,
    glossary: Glossary,
    embedder: Embedder,
    entailer: Entailer,
    reader: Reader,
    question: str = "",
    language: Language | None = None,
    start: int = 0,
) -> Checked:
    """Check one sentence.

    Args:
        text: the sentence; its language need not be that of the evidence.
        evidence: sentences it may rest on, in any order; a few dozen at most, each costs an embedding.
        glossary: names in both languages.
        embedder: compares meanings; all texts are embedded as passages.
        entailer: judges whether the nearest evidence tells the sentence, and may object.
        reader: sees whether that evidence is what the sentence speaks of, in either language.
        question: what was asked, if the sentence is an answer: its names need no evidence.
        language: of the sentence; None to find out.
        start: where the sentence stands in the text it is from.
    """
    compared = measure(
        text,
        evidence,
        glossary=glossary,
        embedder=embedder,
        entailer=entailer,
        reader=reader,
        question=question,
        language=language,
    )
    return compared.judged(start)


def measure(
    text: str,
    evidence: Sequence[Evidence],
    *,
    glossary: Glossary,
    embedder: Embedder,
    entailer: Entailer,
    reader: Reader,
    question: str = "",
    language: Language | None = None,
) -> Comparison:
    """The comparison behind `check`: its `features` are what the weights are fitted on. Arguments as there."""
    own = language or language_of(text)
    told = [_told(item, glossary) for item in evidence]
    cosines: list[float] = []
    if told:
        vectors = embedder.passages([text, *(each.text for each in told)], few=True)
        cosines = [float(value) for value in vectors[1:] @ vectors[0]]
    claim = _Claim(text, own, glossary)
    ranked = sorted(zip(told, cosines, strict=True), key=lambda pair: -_nearness(claim, *pair))
    return Comparison(claim, ranked[:READ], glossary, entailer, reader, question)


@dataclass(frozen=True, eq=False)
class _Claim:
    text: str
    language: Language
    glossary: Glossary

    @cached_property
    def terms(self) -> frozenset[str]:
        return frozenset(term for term in terms(self.text, self.language) if not term[:1].isdigit())

    @cached_property
    def entries(self) -> tuple[tuple[Entry, str], ...]:
        return tuple(self.glossary.mentions(self.text, self.language))

    @cached_property
    def concepts(self) -> frozenset[str]:
        return frozenset(entry.id for entry, _ in self.entries)

    @cached_property
    def words(self) -> frozenset[str]:
        """Its words that carry meaning, folded: what is compared letter by letter across languages."""
        stop = STOPWORDS[self.language]
        return frozenset(fold(word) for word in tokens(self.text) if word.lower() not in stop and len(word) > 2)


class _Told(_Claim):
    """A piece of evidence."""

    def __init__(self, item: Evidence, glossary: Glossary) -> None:
        super().__init__(item.quote, item.article.language, glossary)
        object.__setattr__(self, "item", item)

    item: Evidence

    @cached_property
    def around(self) -> str:
        """What its article says around it: the title and the outlets behind the sentence."""
        article = self.item.article
        outlets = (s.publisher for s in article.sources_of(self.item.span.start, self.item.span.end))
        return " . ".join((article.title, *outlets))

    @cached_property
    def named(self) -> frozenset[str]:
        return self.concepts | frozenset(self.glossary.concepts(self.around, self.language))

    @cached_property
    def spelled(self) -> frozenset[str]:
        return frozenset(_plain(word) for word in tokens(f"{self.text} {self.around}"))


@lru_cache(maxsize=4096)
def _told(item: Evidence, glossary: Glossary) -> _Told:
    """Sentences of the corpus are checked against again and again: what they mention is found once."""
    return _Told(item, glossary)


@dataclass(frozen=True, eq=False)
class Comparison:
    """A claim beside what is told, the nearest first, with the cosine of each."""

    claim: _Claim
    near: Sequence[tuple[_Told, float]]
    glossary: Glossary
    entailer: Entailer
    reader: Reader
    question: str

    @property
    def told(self) -> Sequence[tuple[_Told, float]]:
        """What the claim may rest on."""
        return self.near[:JOINT]

    def judged(self, start: int = 0) -> Checked:
        """The verdict."""
        text = self.claim.text
        if not self.told:
            return Checked(text, start, start + len(text), "unsupported", 0.0, (), ())
        score, problems = self.score, self.problems
        enough = len(self.claim.words) >= SAYING and self.entailed >= VETO
        borne_out = score >= SUPPORTED and not problems and (self.copied or enough)
        verdict: Verdict = "supported" if borne_out else "unsupported"
        if any(p.kind == "quote" and p.expected for p in problems):
            verdict = "quote_altered"
        elif any(p.expected for p in problems) and self.topical >= TOPICAL:
            verdict = "contradicted"
        if verdict != "supported":
            score = min(score, SUPPORTED)
        nearest_by = _nearness(self.claim, *self.told[0])
        shown = tuple(
            told.item
            for told, cosine in self.told
            if self.topical >= TOPICAL and _nearness(self.claim, told, cosine) >= nearest_by - ALSO
        )
        return Checked(text, start, start + len(text), verdict, round(score, 4), tuple(problems), shown)

    @property
    def copied(self) -> bool:
        """Whether the claim is the nearest evidence word for word. A part of it may say something else."""
        return tokens(self.claim.text) == tokens(self.told[0][0].text)

    @cached_property
    def entailed(self) -> float:
        """The entailer's logit: whether what is near tells the claim."""
        (logit,) = self.entailer.entails(self.claim.text, [self._passage])
        return logit

    @cached_property
    def read(self) -> float:
        """The reader's best logit, were the claim a question: whether what is near speaks of what the claim speaks of."""
        (readings,) = self.reader.read(self.claim.text, [self._passage])
        return max(reading.answers for reading in readings)

    @cached_property
    def _passage(self) -> Passage:
        return Passage(headed(self.near[0][0].item.article), tuple(told.text for told, _ in self.near))

    @property
    def score(self) -> float:
        """Estimated probability that the claim is told rather than not mentioned, 0..1, were both equally frequent."""
        return _probability(self.features, WEIGHTS)

    @property
    def topical(self) -> float:
        """Estimated probability that what is told is about the same thing, whether it tells the claim or not, 0..1."""
        return _probability(self.features, TOPIC)

    @cached_property
    def features(self) -> dict[str, float]:
        """The measurements by name."""
        claim, (best, cosine) = self.claim, self.told[0]
        same = claim.language == best.language
        missing = [p for p in self.measured if p.kind in ("number", "unit", "date")]
        claimed = [figure for figure in self._figures if not figure.loose]
        return {
            "entailed": self.entailed / LOGIT_SCALE,
            "read": self.read / LOGIT_SCALE,
            "cosine": (cosine - COSINE_CENTRE) / COSINE_SCALE,
            "coverage": _coverage(claim, [t for t, _ in self.told]) if same else 0.0,
            "cross_coverage": 0.0 if same else _cross(claim, [best]),
            "cross_coverage_all": 0.0 if same else _cross(claim, [t for t, _ in self.told]),
            "figures_missing": len(missing) / max(1, len(self._figures)),
            "figures_met": math.log(1 + max(0, len(claimed) - len(missing))),
            "names_missing": len([p for p in self.measured if p.kind == "name"]) / max(1, self._names),
            "polarity": float(any(p.kind == "negation" for p in self.measured)),
            "roles_crossed": float(any(p.kind == "role" for p in self.measured)),
            "claim_length": math.log(1 + len(tokens(claim.text))) - math.log(1 + len(tokens(best.text))),
            "same_language": float(same),
        }

    @cached_property
    def problems(self) -> list[Problem]:
        """Everything the claim says otherwise."""
        dated = [] if any(p.kind == "date" for p in self.measured) else self._dated_by_the_report()
        return [*self.measured, *dated, *self._bounds()]

    @cached_property
    def measured(self) -> list[Problem]:
        """Those of its problems that the features count: the weights are fitted on them."""
        found = [*self._quotations(), *self._amounts_and_times(), *self._unknown_names()]
        found += self._roles()
        if self.entailed < OVERRULES:
            found += [*self._negation(), *self._hedges()]
        # what was found with its context comes first; the comparison word by word adds what nothing else has seen
        return found + [edit for edit in self._edits() if not any(edit.kind == other.kind for other in found)]

    # --- quotations --------------------------------------------------------------------------------------------------

    def _quotations(self) -> Iterator[Problem]:
        texts = [told.item.article.text for told, _ in self.told]
        everything = " ".join([*map(_bare, texts), *(_bare(t.around) for t, _ in self.told), _bare(self.question)])
        here = [t for t, _ in self.told if t.language == self.claim.language]
        for _, _, quote in [*quotations(self.claim.text), *halves(self.claim.text)]:
            if _bare(quote) in everything:
                continue
            if not here and any(quotations(told.text) for told, _ in self.told):
                continue  # a translated quotation cannot be compared word by word
            best, ratio = max((_original(quote, t.text) for t, _ in self.told), key=lambda pair: pair[1])
            yield Problem("quote", quote, best if ratio >= CLOSE else None)

    # --- figures -----------------------------------------------------------------------------------------------------

    @cached_property
    def _figures(self) -> list[Figure]:
        published = self.told[0][0].item.article.published
        return figures(self.claim.text, self.claim.language, published)

    @cached_property
    def _told_figures(self) -> list[list[Figure]]:
        return [figures(told.text, told.language, told.item.article.published) for told, _ in self.told]

    def _borne_out(self, figure: Figure) -> bool:
        """Whether what is told has the figure: the nearest sentence, or another one beside the same words."""
        return any(agrees(figure, each) for each in self._told_figures[0]) or any(
            agrees(figure, each) and self._beside(figure, told, each)
            for (told, _), others in zip(self.told[1:], self._told_figures[1:], strict=True)
            for each in others
        )

    def _amounts_and_times(self) -> Iterator[Problem]:
        best = self._told_figures[0]
        for figure in self._figures:
            if figure.loose or self._is_published(figure) or self._borne_out(figure):
                continue
            instead = nearest(figure, [each for each in best if not any(agrees(f, each) for f in self._figures)])
            if counts_a_list(figure) and not (instead and counts_a_list(instead)):
                continue
            kind = "date" if figure.kind == "time" else "number"
            same_number = instead is not None and kind == "number" and instead.bare == figure.bare
            if same_number and instead and not fits_unit(figure, instead):
                kind = "unit"
            elif same_number and instead and not same_value(figure, instead):
                kind = "unit"  # a scale: millions for billions
            yield Problem(kind, figure.words, instead.words if instead else None)  # type: ignore[arg-type]

    def _is_published(self, figure: Figure) -> bool:
        days = (told.item.article for told, _ in self.told)
        return figure.kind == "time" and any(
            a.precision == "day" and figure.since <= a.published <= figure.until for a in days
        )

    def _dated_by_the_report(self) -> Iterator[Problem]:
        """Times that only the day of the article bears out, where the nearest sentence dates the same thing otherwise."""
        best = self.told[0][0]
        own = [figure for figure in self._figures if figure.kind == "time"]
        left = [
            each
            for each in self._told_figures[0]
            if each.kind == "time" and not any(f.since <= each.until and each.since <= f.until for f in own)
        ]
        for figure in own:
            clause = _clause(self.claim.text, figure)
            alone = not any(clause.start <= each.start < clause.end for each in own if each is not figure)
            if not alone or not self._is_published(figure) or self._borne_out(figure):
                continue
            instead = nearest(figure, [each for each in left if self._dates_the_same(figure, best, each)])
            if instead:
                yield Problem("date", figure.words, instead.words)

    def _dates_the_same(self, figure: Figure, told: _Told, other: Figure) -> bool:
        """Whether two times belong to one thing: not one to the report, or to what was planned, the other to what happened."""
        here, there = _clause(self.claim.text, figure), _clause(told.text, other)
        planned = _is_planned(here)
        if planned != _is_planned(there):
            return False
        if not planned and any("says" in marker.kinds for marker in hedges(here.text, self.claim.language)):
            return False
        if self.claim.language != told.language:
            return not here.aside and not there.aside
        said = frozenset(terms(there.without_time, told.language))
        return bool(said) and len(said & self.claim.terms) >= SAME_CLAUSE * len(said)

    def _bounds(self) -> Iterator[Problem]:
        """Amounts whose limit is turned round or left out: "more than" for "nearly", "805,000" for "up to 805,000"."""
        best = self.told[0][0]
        for figure in self._figures:
            few = not figure.unit and figure.values[:1] <= (FEW,) and self.claim.language != best.language
            if figure.kind != "amount" or figure.loose or few:
                continue
            near = [e for e in self._told_figures[0] if same_number(figure, e) and self._beside(figure, best, e)]
            told = [e for others in self._told_figures for e in others if same_number(figure, e)]
            turned = [e for e in near if figure.bound and e.bound and e.bound != figure.bound]
            if turned and not any(e.bound == figure.bound for e in told):
                yield Problem("number", figure.lead + figure.words, turned[0].lead + turned[0].words)
                continue
            lost = [e for e in near if e.firm and not figure.bound and not figure.about]
            if lost and all(e.firm for e in told) and not _limited(self.claim.text, figure, lost[0]):
                yield Problem("hedge", figure.words, lost[0].lead + lost[0].words)

    def _beside(self, figure: Figure, told: _Told, other: Figure) -> bool:
        """Whether a figure of another sentence is about the same: words around it are met around the other, or across
        languages, where words do not meet, the sentences speak of one thing."""
        if self.claim.language != told.language:
            return bool(self.claim.concepts & told.named)
        here = self._around(self.claim, figure)
        there = self._around(told, other)
        return bool(here & there) and len(here & there) >= AROUND * min(len(here), len(there))

    def _around(self, said: _Claim, figure: Figure) -> set[str]:
        before = tokens(said.text[: figure.start])[-NEIGHBOURS:]
        after = tokens(said.text[figure.end :])[:NEIGHBOURS]
        around = set()
        for part in (" ".join(before), " ".join(after)):
            around |= set(self.glossary.concepts(part, said.language))
            around |= {term for term in terms(part, said.language) if len(term) > 2}
        return around

    # --- names -------------------------------------------------------------------------------------------------------

    @cached_property
    def _claimed_names(self) -> list[tuple[Entry | None, str]]:
        known: list[tuple[Entry | None, str]] = [(e, words) for e, words in self.claim.entries if e.kind != "term"]
        stop = STOPWORDS[self.claim.language]
        known = [(entry, words) for entry, words in known if words.lower() not in stop]
        words = {part for _, name in self.claim.entries for part in tokens(name)}
        # a name between single marks is one like any other: they set off titles and terms as well
        quoted = {part for _, _, quote in _marked(_QUOTED, self.claim.text) for part in tokens(quote)}
        quoted |= {part for figure in self._figures for part in tokens(figure.words)}
        others: list[tuple[Entry | None, str]] = [
            (None, name)
            for name in names(self.claim.text, self.claim.language, self.glossary)
            if not set(tokens(name)) & (words | quoted) and fold(name) not in _NO_NAMES
        ]
        return known + others

    @property
    def _names(self) -> int:
        return len(self._claimed_names)

    def _unknown_names(self) -> Iterator[Problem]:
        named = frozenset[str]().union(*(told.named for told, _ in self.told))
        spelled = frozenset[str]().union(*(told.spelled for told, _ in self.told))
        asked_language = language_of(self.question) if self.question else self.claim.language
        named |= frozenset(self.glossary.concepts(self.question, asked_language))
        spelled |= frozenset(_plain(word) for word in tokens(self.question))
        best = self.told[0][0]
        same = best.language == self.claim.language
        taken = [entry.id for entry, _ in self.claim.entries]
        told_of: set[str] = set()
        for entry, words in self._claimed_names:
            if entry is None and not same and len(re.findall(r"[A-ZÄÖÜ\d]", words)) < 2:
                continue  # a word with a capital may be another word in the other language: "French", "Frankreichs"
            if words in told_of or all(_plain(part) in spelled for part in tokens(words)):
                continue
            if entry is not None and entry.kind in ("place", "rule", "agency", "outlet") and self._in_articles(entry):
                continue
            if entry is not None and (entry.id in named or _within(entry, named)) and not self._displaced(entry):
                continue
            told_of.add(words)
            instead = None
            if entry is not None:
                instead = next((w for e, w in best.entries if e.kind == entry.kind and e.id not in taken), None)
            elif any(c.isdigit() for c in words):
                instead = next((n for n in names(best.text, best.language, self.glossary) if any(c.isdigit() for c in n) and n not in self.claim.text), None)  # fmt: skip
            yield Problem("name", words, instead)

    def _in_articles(self, entry: Entry) -> bool:
        """Whether one of the articles mentions it anywhere: "China's" in a sentence that tells where a company sits."""
        articles = {told.item.article.id: told.item.article for told, _ in self.told}
        return any(entry.id in self.glossary.concepts(a.text, a.language) for a in articles.values())

    def _displaced(self, entry: Entry) -> bool:
        """Whether a company is not in the nearest sentence, which names another one that the claim does not."""
        best = self.told[0][0]
        if entry.kind != "company" or entry.id in best.concepts or self.question:
            return False
        others = [e for e, _ in best.entries if e.kind == "company"]
        return bool(others) and not any(e.id in self.claim.concepts for e in others)

    # --- near copies -------------------------------------------------------------------------------------------------

    def _edits(self) -> Iterator[Problem]:
        """Of a sentence that is nearly one of the evidence: what was exchanged, put in or taken out in its place."""
        claim, best = self.claim, self.told[0][0]
        if claim.language != best.language:
            return
        new = placed(claim.text, claim.language, self.glossary)
        old = placed(best.text, best.language, self.glossary)
        matcher = SequenceMatcher(None, [t.key for t in old], [t.key for t in new], autojunk=False)
        met = sum(block.size for block in matcher.get_matching_blocks())
        shortened = met >= 0.9 * len(new)
        if matcher.ratio() < NEAR_COPY and not shortened:
            return
        ids = {token.id for token in old}
        for operation, a, b, c, d in matcher.get_opcodes():
            if operation == "equal":
                continue
            before, now = _slice(best.text, old[a:b]), _slice(claim.text, new[c:d])
            # a clause that is left out takes its own negator along
            whole_clause = not now and len(set(terms(before, best.language))) >= CLAUSE
            if len(negators(now)) != len(negators(before)) and not whole_clause:
                yield Problem("negation", now or claim.text, before or best.text)
            elif _denies_what_follows(before, best.language) and b < len(old) and not refuses(now):
                yield Problem("negation", now or claim.text, before)
            gone = {t.id: t for t in old[a:b] if t.kind}
            come = {t.id: t for t in new[c:d] if t.kind}
            for identity in come.keys() - gone.keys():
                other = next((t for i, t in gone.items() if i not in come), None)
                if other is not None:
                    yield Problem(
                        "role" if identity in ids else "name",
                        claim.text[come[identity].start : come[identity].end],
                        best.text[other.start : other.end],
                    )
            yield from self._exchanged(before, now)
            strong = [m for m in hedges(before, best.language) if m.strong]
            if matcher.ratio() < NEAR_COPY:  # whole clauses are gone: only who says it matters to what is left
                strong = [m for m in strong if "says" in m.kinds]
            left = [m for m in hedges(now, claim.language) if m.words.lower() not in _FIRM]
            if strong and not any(m.kinds & strong[0].kinds for m in left):
                yield Problem("hedge", now or claim.text, before)

    def _exchanged(self, before: str, now: str) -> Iterator[Problem]:
        """Figures that stand in each other's place."""
        day = self.told[0][0].item.article.published
        here, there = (figures(text, self.claim.language, day) for text in (now, before))
        for figure in here:
            instead = nearest(figure, there)
            if instead and not figure.loose and not any(agrees(figure, each) for each in there):
                yield Problem("date" if figure.kind == "time" else "number", figure.words, instead.words)

    # --- roles, negation, hedges -------------------------------------------------------------------------------------

    def _roles(self) -> Iterator[Problem]:
        best = self.told[0][0]
        same = best.language == self.claim.language
        mine = mentions(self.claim.text, self.claim.language, self.glossary)
        theirs = mentions(best.text, best.language, self.glossary)
        doings = (self._doings(self.claim), self._doings(best))
        crossed = swapped(mine, theirs, same_language=same, same_verb=bool(doings[0] & doings[1]))
        if crossed:
            one, two = crossed
            yield Problem("role", f"{one.words} … {two.words}", best.text)

    @staticmethod
    def _doings(said: _Claim) -> frozenset[str]:
        """Terms of the small words that carry meaning: verbs and adjectives, in German no nouns."""
        small = " ".join(word for word in tokens(said.text) if word.islower() and len(word) > 3)
        return frozenset(terms(small, said.language))

    def _negation(self) -> Iterator[Problem]:
        claim, best = self.claim, self.told[0][0]
        mine = [*negators(claim.text), *denials(claim.text)]
        theirs = [*negators(best.text), *denials(best.text)]
        same = claim.language == best.language
        if same:
            denied = [m for m in mine if self._turned(claim, m, best, theirs)]
            affirmed = [m for m in theirs if self._turned(best, m, claim, mine)]
            if denied:
                yield Problem("negation", self._phrase(claim, denied[0]), best.text)
            elif affirmed:
                yield Problem("negation", claim.text, self._phrase(best, affirmed[0]))
        elif bool(mine) != bool(theirs):
            silent = best if mine else claim
            longer = len(tokens(best.text)) > 1.6 * len(tokens(claim.text))
            if not refuses(silent.text) and not (theirs and longer):
                yield Problem(
                    "negation", mine[0].words if mine else claim.text, theirs[0].words if theirs else best.text
                )
        for here, there in opposites(claim.text, best.text):
            if same and _coverage(claim, [best]) > 0.5:
                yield Problem("negation", here, there)
                return

    def _turned(self, said: _Claim, marker: Marker, other: _Claim, others: Sequence[Marker]) -> bool:
        """Whether what the marker denies is told in the other sentence without being denied."""
        scope = _scope(said, marker)
        if not scope or len(scope & other.terms) < 0.6 * len(scope):
            return False
        return not any(_scope(other, each) & scope for each in others) and not refuses(other.text)

    def _elsewhere(self, said: _Claim, marker: Marker) -> bool:
        """Whether the marker stands in a clause of its own that the claim does not speak of."""
        before = re.split(r"[,;:–]", said.text[: marker.start])[-1]
        after = re.split(r"[,;:–]", said.text[marker.end :])[0]
        clause = frozenset(terms(f"{before} {after}", said.language)) - {
            term for entry, words in said.entries if entry.kind == "outlet" for term in terms(words, said.language)
        }
        return len(clause) >= CLAUSE and len(clause & self.claim.terms) < FOREIGN * len(clause)

    def _phrase(self, said: _Claim, marker: Marker) -> str:
        """The marker with a few words around it."""
        before = said.text[: marker.start].split()[-2:]
        after = said.text[marker.end :].split()[:3]
        return " ".join([*before, marker.words, *after]).rstrip(".,;")

    def _hedges(self) -> Iterator[Problem]:
        claim, best = self.claim, self.told[0][0]
        mine = frozenset(kind for marker in hedges(claim.text, claim.language) for kind in marker.kinds)
        for other, _ in self.told:
            # a firm account elsewhere is enough
            if (
                other is not best
                and not any(m.strong for m in hedges(other.text, other.language))
                and _nearly(claim, other)
            ):
                return
        same = claim.language == best.language
        for marker in hedges(best.text, best.language):
            if not marker.strong or mine & marker.kinds or (mine and not same):
                continue
            if (
                same
                and marker.kinds == {"may"}
                and len(_scope(best, marker) & claim.terms) < 0.5 * len(_scope(best, marker))
            ):
                continue
            yield Problem("hedge", claim.text, self._phrase(best, marker))
            return


SAME_CLAUSE: Final = 0.6
"""Share of the words of a dated clause that a claim must have to tell the same thing."""
FOREIGN: Final = 0.34
"""Share of a clause's terms below which a claim does not speak of it; a clause with fewer than CLAUSE terms only says who."""
CLAUSE: Final = 3
_FIRM: Final = frozenset("wird werden will".split())
"""Say that something comes: in the place of "soll" or "plans to" they turn a plan into a fact."""
_NO_NAMES: Final = frozenset("i us u.s ceo ki ai pc it cfo cto".split())


def _probability(features: Mapping[str, float], weights: Mapping[str, float]) -> float:
    x = weights["bias"] + sum(weight * features[name] for name, weight in weights.items() if name != "bias")
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, x))))


def _nearness(claim: _Claim, told: _Told, cosine: float) -> float:
    covered = _coverage(claim, [told]) if claim.language == told.language else _cross(claim, [told])
    return (cosine - COSINE_CENTRE) / COSINE_SCALE + 3.0 * covered


def _coverage(claim: _Claim, told: Sequence[_Claim]) -> float:
    """Share of the claim's terms, 0..1, that are met in the same word or in another name of the same thing."""
    met = frozenset[str]().union(*(each.terms for each in told))
    concepts = frozenset[str]().union(*(each.concepts for each in told))
    synonyms = {term for entry, words in claim.entries if entry.id in concepts for term in terms(words, claim.language)}
    return len(claim.terms & (met | synonyms)) / len(claim.terms) if claim.terms else 0.0


def _cross(claim: _Claim, told: Sequence[_Claim]) -> float:
    """Share of the claim's concepts, names and codes, 0..1, that are met in the other language."""
    concepts = frozenset[str]().union(*(each.concepts for each in told))
    words = frozenset[str]().union(*(each.words for each in told))
    covered = {part for entry, name in claim.entries for part in map(fold, tokens(name))}
    found = len(claim.concepts & concepts)
    rest = claim.words - covered
    alike = sum(1.0 for word in rest if word in words or any(_cognate(word, other) for other in words))
    wanted = len(claim.concepts) + len(rest)
    return (found + alike) / wanted if wanted else 0.0


def _cognate(one: str, two: str) -> bool:
    """Whether two words of different languages look like one: "technologie", "technology"."""
    if min(len(one), len(two)) < 5 or one[:2] != two[:2]:
        return False
    length = len(one) if len(one) < len(two) else len(two)
    same = next((i for i in range(length) if one[i] != two[i]), length)
    return same >= 4 and same >= 0.6 * length


def _nearly(claim: _Claim, told: _Claim) -> bool:
    return claim.language == told.language and _coverage(claim, [told]) > 0.7


def _scope(said: _Claim, marker: Marker) -> frozenset[str]:
    """Terms of the words that a negator stands among: what precedes it closely and what follows, up to a comma."""
    before = re.split(r"[,;:–]", said.text[: marker.start])[-1]
    after = re.split(r"[,;:–.]\s|\b(?:and|und|but|aber)\b", said.text[marker.end :])[0]
    words = [*tokens(before)[-4:], *tokens(after)[:6]]
    return frozenset(terms(" ".join(words), said.language))


def _denies_what_follows(text: str, language: Language) -> bool:
    """Whether words end in a denial of what comes after them: "Huawei denied that it", not "which denied wrongdoing"."""
    return any(not terms(text[denial.end :], language) for denial in denials(text))


def _within(entry: Entry, named: frozenset[str]) -> bool:
    """Whether a longer name of the same thing was told: the H20 where the claim says H20 chip."""
    return any(entry.id.startswith(f"{other}-") or other.startswith(f"{entry.id}-") for other in named)


def _slice(text: str, part: Sequence[Token]) -> str:
    return text[part[0].start : part[-1].end] if part else ""


def _plain(word: str) -> str:
    return re.sub(r"(?:['’]s|['’])\Z", "", fold(word)).removesuffix("s")


# --- figures ---------------------------------------------------------------------------------------------------------

_PLANNED = re.compile(
    r"\b(?:plan(?:ned|s|t|te|ten|en)?|geplant\w*|scheduled?|slated|due|set for|expected|erwartet\w*|vorgesehen|angesetzt|targeted|"
    r"angepeilt|anvisiert|sollte[n]?|was to|were to|intended)\b",
    re.IGNORECASE,
)
_PLANNED_FOR = re.compile(r"\b(?:for|für)\s+(?:early|mid|late|the|anfang|mitte|ende|den)?[\s-]*\Z", re.IGNORECASE)
_ASIDE: Final = (
    r"after|since|when|while|before|until|which|who|where|whose|although|though|because|nachdem|seit|seitdem|als|während|bevor|bis|"
    r"obwohl|weil|compared|verglichen|gegenüber|nach|vor|from|than"
)
_CLAUSE_ENDS = re.compile(rf"[,;:–(]|\b(?:that|dass|and|und|but|aber)\b|(?=\b(?:{_ASIDE})\b)", re.IGNORECASE)
_OPENS_ASIDE = re.compile(rf"\s*(?:{_ASIDE}|der|die|das|dessen|deren)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Clause:
    """The words around a time, up to what separates them from the rest of the sentence."""

    before: str
    time: str
    after: str
    aside: bool
    """Whether it says something beside what the sentence tells: "after", "which"."""

    start: int
    end: int

    @property
    def text(self) -> str:
        return self.before + self.time + self.after

    @property
    def without_time(self) -> str:
        return f"{self.before} {self.after}"


def _clause(text: str, time: Figure) -> _Clause:
    ends = [match.end() for match in _CLAUSE_ENDS.finditer(text, 0, time.start)]
    following = _CLAUSE_ENDS.search(text, time.end)
    start, end = ends[-1] if ends else 0, following.start() if following else len(text)
    before, after = text[start : time.start], text[time.end : end]
    return _Clause(before, time.words, after, bool(ends) and _OPENS_ASIDE.match(before) is not None, start, end)


def _is_planned(clause: _Clause) -> bool:
    return _PLANNED.search(clause.text) is not None or _PLANNED_FOR.search(clause.before) is not None


_LIMITS: Final = {
    "below": re.compile(r"\b(?:maxim\w*|limit\w*|cap|caps|capped|capacity|\w*kapazität\w*|ceiling|\w*grenze\w*|höchst\w*|at most|up to|upper|peak|"
                        r"spitzen\w*|potential\w*|begrenz\w*|deckel\w*|between|zwischen|or (?:less|fewer)|oder weniger)\b", re.IGNORECASE),
    "above": re.compile(r"\b(?:minim\w*|mindest\w*|wenigstens|at least|floor|or more|oder mehr|and more|und mehr|more than|mehr als|\w*grenze\w*|between|zwischen)\b", re.IGNORECASE),
}  # fmt: skip
_RANGE_BEFORE = re.compile(r"(?:\d[^.;]{0,12}?(?:to|[-–])|\bbis)\s*\Z", re.IGNORECASE)


def _limited(text: str, figure: Figure, told: Figure) -> bool:
    """Whether the text gives the limit in other words: "a maximum of", "805,000 or more", the end of a range."""
    if told.bound == "":
        return False
    in_words = _LIMITS[told.bound].search(text) is not None
    return in_words or _RANGE_BEFORE.search(text[: figure.start]) is not None


# --- quotations ------------------------------------------------------------------------------------------------------

_QUOTED = re.compile(r"„([^“”\"]{2,}?)[“”\"]|“([^“”\"]{2,}?)[”\"]|«([^«»]{2,}?)»|»([^«»]{2,}?)«|\"([^\"“”„]{2,}?)\"")


_SINGLE = re.compile(
    # "‘" opens no quotation in "‘90s" and "’n’"; "’" closes none within a word and is no mark behind "companies" either
    r"(?<!\w)‘(?!\d0s|n’|em\b|tis\b)([^‘„“”]{2,}?)’(?!\w)|(?<!\w)‚([^‚‘„“”]{2,}?)‘(?!\w)|›([^‹›]{2,}?)‹|‹([^‹›]{2,}?)›"
)
_OPENING = re.compile(r"(?:(?<=[\s(\[])|\A)(?:[„“”\"«»‚›‹]|‘(?!\d0s|n’|em\b|tis\b))(?=\S)")
_CLOSING = re.compile(r"(?<=\S)(?<!\d\")(?:[“”«»›‹]|(?<!\d)\"|(?<=[.,!?…])[’‘])(?!\w)")
HALF: Final = 2
"""Fewest words of a quotation of which only one mark is seen."""


def quotations(text: str) -> list[tuple[int, int, str]]:
    """(start, end, words) of what stands between quotation marks, German, English or Swiss, without the marks."""
    double = _marked(_QUOTED, text)
    within = [(start, end) for start, end, _ in double]
    single = [each for each in _marked(_SINGLE, text) if not any(start <= each[0] < end for start, end in within)]
    return sorted([*double, *single])


def _marked(pattern: re.Pattern[str], text: str) -> list[tuple[int, int, str]]:
    found = []
    for match in pattern.finditer(text):
        group = next(i for i in range(1, pattern.groups + 1) if match[i] is not None)
        found.append((match.start(group), match.end(group), match[group]))
    return found


def halves(text: str) -> list[tuple[int, int, str]]:
    """The same of a quotation that begins in the sentence before, or goes on in the next one: the text is one sentence."""
    rest = list(text)
    for start, end, _ in quotations(text):
        rest[start - 1 : end + 1] = "_" * (end - start + 2)
    blanked = "".join(rest)
    found = []
    closing = _CLOSING.search(blanked)
    if closing and "_" not in blanked[: closing.start()] and not _OPENING.search(blanked, 0, closing.start()):
        found.append((0, closing.start(), text[: closing.start()]))
    *_, opening = [None, *_OPENING.finditer(blanked)]
    if opening and "_" not in blanked[opening.end() :] and not _CLOSING.search(blanked, opening.end()):
        found.append((opening.end(), len(text), text[opening.end() :]))
    return [each for each in found if len(each[2].split()) >= HALF]


def _bare(text: str) -> str:
    """A text as quotations are compared: case and marks at the end left aside, one kind of space and apostrophe."""
    plain = unicodedata.normalize("NFKC", text).replace("’", "'").replace("‑", "-").replace("–", "-")
    plain = re.sub(r"(?<!\w)['‘‚]|['‘](?!\w)", "", plain)  # "'" is a mark there, and within a word an apostrophe
    return " ".join(re.sub(r"[„“”\"«»‹›]", "", plain).split()).rstrip(" .,;:!?…").casefold()


def _original(quote: str, text: str) -> tuple[str, float]:
    """The passage of `text` that comes nearest to `quote`, and how near, 0..1."""
    words = list(re.finditer(r"\S+", text))
    size = len(quote.split())
    best, ratio = "", 0.0
    wanted = _bare(quote)
    for first in range(len(words)):
        for length in range(max(1, size - 1), size + 2):
            if first + length > len(words):
                continue
            passage = text[words[first].start() : words[first + length - 1].end()]
            matcher = SequenceMatcher(None, wanted, _bare(passage), autojunk=False)
            if matcher.real_quick_ratio() > ratio and matcher.quick_ratio() > ratio and (r := matcher.ratio()) > ratio:
                best, ratio = passage, r
    return best.strip('„“”"«»‚‘’›‹.,;:'), ratio
