"""How the index grows: an invented corpus of any size is built, asked and updated, and what that costs is measured.

The articles are short (two chunks) and say nothing about the world; they are made by rules from invented names, the same
ones for the same number. Embedding 40,000 of them takes an hour or two, so the vectors may be made up too: real sentence
vectors of the index with noise, unit length, one for each text. Sizes and times are then real but for the embedding;
what is found is not, and is not measured here.
"""

from __future__ import annotations

import hashlib
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from rag.embed import open_embedder
from rag.evaluate import speed
from rag.index import read_manifest
from rag.settings import Settings, load
from rag.store import SENTENCES
from rag.types import Embedder, Language, Vectors

Kind = Literal["real", "synthetic"]
NOISE: Final = 0.3
"""Length of the noise against the vector's: two texts from one real vector then have a cosine of .92, as neighbouring news."""
QUESTIONS: Final = 40
TOPICS: Final = ("chips", "memory", "export_controls", "factories", "data_centres", "deals", "research", "energy")
_SYLLABLES: Final = (
    "bal cor den dra fen gal hol kar lim mor nad ost pel qua ros sel tar umb vel wer xan yor zim".split()
)
_PLACES: Final = "Aarl Brunn Calden Dorn Elms Farn Grev Hagen Ilmen Jork Kelt Lunden Marl Norden Olm Pries".split()
_ENDS: Final[dict[str, tuple[str, ...]]] = {
    "company": ("tech", "ium", "chip", "data", "works", "sys"),
    "place": ("burg", "stad", "haven", "field", "au"),
}
_SENTENCES: Final[dict[Language, tuple[str, ...]]] = {
    "en": (
        "{company} will make the accelerator {chip} in {place}, its chief executive {person} said on {day}.",
        "The plant in {place} costs {money} million euros and is to open in the {season} of {year}.",
        "{company} ships {count} modules a month and wants to double that within {months} months.",
        "The {chip} draws {watts} watts and has {memory} gigabytes of memory, according to {other}.",
        "Regulators asked {company} for the names of all buyers in {place} before they grant a licence.",
        "{other} has ordered {count} units for its data centre in {place}, {person} told investors.",
        "Yield of the first wafers was {percent} per cent, two people who know the line said.",
        "The order replaces one with {other} that was cancelled because memory stacks came late.",
        "Shares of {company} rose by {percent} per cent after the announcement and fell back on the next day.",
        "Analysts doubt that {place} has enough power for a hall with {count} cards.",
        "A court in {place} will hear the claim of {other} over the interconnect of the {chip} in {year}.",
        "Training on the {chip} took {months} weeks instead of the {watts} hours that {company} had promised.",
    ),
    "de": (
        "{company} fertigt den Beschleuniger {chip} in {place}, sagte Vorstandschefin {person} am {day}.",
        "Das Werk in {place} kostet {money} Millionen Euro und soll im {season} {year} öffnen.",
        "{company} liefert im Monat {count} Module aus und will die Menge binnen {months} Monaten verdoppeln.",
        "Der {chip} nimmt {watts} Watt auf und hat {memory} Gigabyte Speicher, wie {other} mitteilte.",
        "Die Behörde verlangt von {company} die Namen aller Käufer in {place}, bevor sie eine Lizenz erteilt.",
        "{other} hat {count} Stück für das Rechenzentrum in {place} bestellt, sagte {person} vor Anlegern.",
        "Die Ausbeute der ersten Wafer lag bei {percent} Prozent, sagten zwei Personen, die die Linie kennen.",
        "Der Auftrag ersetzt einen von {other}, der wegen verspäteter Speicherstapel gekündigt worden war.",
        "Die Aktie von {company} stieg nach der Mitteilung um {percent} Prozent und gab am Folgetag wieder nach.",
        "Fachleute bezweifeln, dass {place} genug Strom für eine Halle mit {count} Karten hat.",
        "Ein Gericht in {place} verhandelt {year} die Klage von {other} wegen der Verbindungstechnik des {chip}.",
        "Das Training auf dem {chip} dauerte {months} Wochen statt der {watts} Stunden, die {company} zugesagt hatte.",
    ),
}
_TITLES: Final[dict[Language, str]] = {
    "en": "{company} makes the {chip} in {place}",
    "de": "{company} fertigt den {chip} in {place}",
}
_QUESTIONS: Final[dict[Language, str]] = {
    "en": "Where does {company} make the {chip}?",
    "de": "Wo fertigt {company} den {chip}?",
}
_SEASONS: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("spring", "summer", "autumn"),
    "de": ("Frühjahr", "Sommer", "Herbst"),
}


class SyntheticVectors:
    """An embedder whose passages are real vectors of other texts with noise. Not for finding anything.

    Args:
        real: the embedder whose place it takes; questions are embedded by it.
        pool: unit vectors to start from, shape (n, dimension).
    """

    def __init__(self, real: Embedder, pool: Vectors) -> None:
        self._real = real
        self._pool = pool
        self.identity = real.identity

    def questions(self, texts: Sequence[str]) -> Vectors:
        return self._real.questions(texts)

    def passages(
        self, texts: Sequence[str], progress: Callable[[int], None] | None = None, *, few: bool = False
    ) -> Vectors:
        del few
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) for text in texts]
        noise = np.random.default_rng(seeds[0]).normal(size=(len(texts), self._pool.shape[1]))
        noise *= NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
        vectors = self._pool[[seed % len(self._pool) for seed in seeds]] + noise
        if progress:
            progress(len(texts))
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def article(number: int) -> tuple[str, str, Language, str]:
    """The invented article of that number: (id, its file, language, a question that it answers)."""
    chance = random.Random(number)  # noqa: S311, nobody is to be surprised
    language: Language = ("en", "de")[number % 2]
    day = date(2015, 1, 1) + timedelta(days=chance.randrange(4000))
    names = {
        "company": _name(chance, "company"),
        "other": _name(chance, "company"),
        "person": f"{_name(chance, 'place')[:6]} {_name(chance, 'company')}",
        "place": _name(chance, "place"),
        "chip": f"{chance.choice('ABDEFGKMNPRSTVX')}{chance.randrange(100, 10_000)}{chance.choice(('', '', 'X', 'L'))}",
        "day": day.isoformat(),
        "year": day.year + 1,
        "season": chance.choice(_SEASONS[language]),
        "money": chance.randrange(12, 900),
        "count": chance.randrange(200, 90_000),
        "months": chance.randrange(2, 30),
        "watts": chance.randrange(80, 1_400),
        "memory": chance.randrange(16, 400),
        "percent": chance.randrange(2, 95),
    }
    said = [sentence.format(**names) for sentence in chance.sample(_SENTENCES[language][1:], 8)]
    title = _TITLES[language].format(**names)
    identity = f"{day.isoformat()}-made-{number:06d}.{language}"
    head = {
        "id": identity,
        "language": language,
        "title": json.dumps(title),
        "published": day.isoformat(),
        "topics": f"[{', '.join(chance.sample(TOPICS, 2))}]",
        "entities": f"[{names['company']}, {names['chip']}]",
        "sources": f'[{{publisher: {_name(chance, "place")} Post, url: "https://made.example/{number}"}}]',
    }
    lines = "\n".join(f"{name}: {value}" for name, value in head.items())
    first = _SENTENCES[language][0].format(**names)
    body = " ".join([first, *said[:4]]) + "\n\n" + " ".join(said[4:])
    return identity, f"---\n{lines}\n---\n{body}\n", language, _QUESTIONS[language].format(**names)


def _name(chance: random.Random, kind: str) -> str:
    if kind == "place":
        return chance.choice(_PLACES) + chance.choice(_ENDS[kind])
    return "".join(chance.choices(_SYLLABLES, k=3)).capitalize() + chance.choice(_ENDS[kind])


def make_corpus(folder: Path, articles: int, glossary: Path) -> None:
    """Write that many invented articles into a new corpus, with the glossary of a real one."""
    for number in range(articles):
        identity, content, _, _ = article(number)
        path = folder / "articles" / identity[:4] / f"{identity}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    if (glossary / "glossary.yaml").is_file():
        shutil.copy(glossary / "glossary.yaml", folder / "glossary.yaml")


def bench(
    settings: Settings, *, articles: int, vectors: Kind, rounds: int, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Make, build, ask and update a corpus of that size in a folder that is removed afterwards.

    Args:
        settings: names the index whose vectors are the pool for synthetic ones, and the glossary.
        articles: how many.
        vectors: "real" embeds every text; "synthetic" makes the vectors up.
        rounds: times each question is asked over HTTP after a first, unmeasured round.
        progress: told what is being done.
    """
    figures: dict[str, Any] = {"machine": speed.machine(), "vectors": vectors, "articles": articles}
    with tempfile.TemporaryDirectory(prefix="chipdesk-scale-") as scratch:
        root = Path(scratch)
        here = settings.model_copy(update={"corpus": root / "corpus", "index": root / "index"})
        progress(f"writing {articles:,} articles")
        make_corpus(here.corpus, articles, settings.glossary)
        progress("building")
        figures |= _built(settings, here, vectors)
        figures |= {"disk_corpus_MiB": _size(here.corpus)} | _disk(here)
        progress("asking over HTTP")
        questions = [article(articles * n // QUESTIONS)[3] for n in range(QUESTIONS)]
        figures |= speed.asking(here, rounds, questions)
        progress("asking cold")
        figures |= speed.cold(here)
        progress("accepting an article")
        figures |= speed.accepting(here)
    progress("")
    return figures


def _built(settings: Settings, here: Settings, vectors: Kind) -> dict[str, Any]:
    """In a process of its own, so that the memory is the build's."""
    command = [
        sys.executable, "-m", "rag.evaluate.scale", vectors, str(settings.index), str(here.corpus), str(here.index)
    ]  # fmt: skip
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _build_here(vectors: Kind, pool: Path, corpus: Path, index: Path) -> dict[str, Any]:
    from rag.build import build

    settings = load(corpus=corpus, index=index)
    embedder: Embedder = open_embedder(settings)
    if vectors == "synthetic":
        source = load(index=pool)
        stored = np.load(source.index / read_manifest(source).base / SENTENCES)
        embedder = SyntheticVectors(embedder, stored)
    times: dict[str, float] = {}
    started = time.perf_counter()

    def clock(stage: str, done: int, total: int) -> None:
        times.setdefault(f"{stage} began", time.perf_counter() - started)
        if done == total:
            times[f"{stage} ended"] = time.perf_counter() - started

    manifest = build(settings, embedder=embedder, progress=clock).manifest
    took = time.perf_counter() - started
    again = time.perf_counter()
    build(settings, embedder=embedder)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "chunks": manifest.chunks,
        "sentences": manifest.sentences,
        "build_s": took,
        "build_read_s": times["embed began"],
        "build_embed_s": times["embed ended"] - times["embed began"],
        "build_store_s": took - times["embed ended"],
        "build_cpu_s": usage.ru_utime + usage.ru_stime,
        "build_peak_memory_MiB": usage.ru_maxrss / 1024,
        "build_unchanged_s": time.perf_counter() - again,
    }


def _disk(settings: Settings) -> dict[str, float]:
    folder = settings.index / read_manifest(settings).build
    return {
        "disk_vectors_chroma_MiB": _size(folder / "chroma"),
        "disk_vectors_sentences_MiB": _size(folder / SENTENCES),
        "disk_catalog_MiB": _size(folder / "catalog.db"),
        "disk_remembered_MiB": _size(settings.index / "vectors.db"),
    }


def _size(path: Path) -> float:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 2**20


if __name__ == "__main__":
    kind, *folders = sys.argv[1:]
    print(json.dumps(_build_here("real" if kind == "real" else "synthetic", *map(Path, folders))))
