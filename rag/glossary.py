"""Entities and terms with their names in both languages: "BIS" is "US-Exportkontrollbehörde" is "Bureau of Industry …".

The corpus brings its own `glossary.yaml`, a list of entries
`- {id: bis, kind: agency, en: [Bureau of Industry and Security, BIS], de: [US-Exportkontrollbehörde, BIS]}`; the first
name of each language is the one to show, `case: true` makes all names match in their own case only, `year_ends: 1` says that
a company's fiscal year ends in January. A text that uses
any of the names gets the entry's id as an additional index term, so that keywords find articles in the other language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import yaml

from rag.errors import ArticleError
from rag.read import compose, plain
from rag.types import LANGUAGES, Language
from rag.words import fold, stem, tokens

KINDS: Final = ("agency", "chip", "company", "model", "outlet", "person", "place", "product", "rule", "term")
FILE: Final = "glossary.yaml"
_REQUIRED: Final = frozenset({"id", "kind", "de", "en"})
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entity or term."""

    id: str
    kind: str
    de: tuple[str, ...]
    en: tuple[str, ...]
    case: bool = False
    """True where a name is also an everyday word, so that only its own spelling counts ("Arm")."""
    year_ends: int | None = None
    """Month in which a company's fiscal year ends, 1..12, where that is not the calendar year; it is named for the year in
    which it ends."""

    def names(self, language: Language) -> tuple[str, ...]:
        return self.de if language == "de" else self.en


@dataclass(frozen=True, eq=False)
class Glossary:
    """All entries, with lookup by name. Matching is by word stems, the longest name first."""

    entries: tuple[Entry, ...] = ()

    def concepts(self, text: str, language: Language) -> list[str]:
        """Ids of the entries that `text` names, in order of appearance, with repeats."""
        return [entry.id for entry, _ in self.mentions(text, language)]

    def mentions(self, text: str, language: Language) -> Iterator[tuple[Entry, str]]:
        """(entry, words as written) for each name in `text`; names do not overlap."""
        written = tokens(text)
        stems = [stem(fold(word), language) for word in written]
        at = 0
        while at < len(stems):
            for size in range(min(self._longest[language].get(stems[at], 0), len(stems) - at), 0, -1):
                words = written[at : at + size]
                entry = self._match(tuple(stems[at : at + size]), words, language)
                if entry:
                    yield entry, " ".join(words)
                    at += size
                    break
            else:
                at += 1

    def year_ends(self, text: str, language: Language) -> int | None:
        """Month in which the fiscal year ends of whom `text` names; None where that is nobody, or where they differ."""
        named = dict(self.mentions(text, language))
        inside = [
            entry for words in named.values() for word in words.split() for entry, _ in self.mentions(word, language)
        ]
        months = {entry.year_ends for entry in (*named, *inside) if entry.year_ends}  # "Nvidia H20" names Nvidia
        return months.pop() if len(months) == 1 else None

    def _match(self, stems: tuple[str, ...], written: list[str], language: Language) -> Entry | None:
        for entry, exact in self._by_stems[language].get(stems, ()):
            if not entry.case or written == exact:
                return entry
        return None

    @cached_property
    def _by_stems(self) -> dict[Language, dict[tuple[str, ...], list[tuple[Entry, list[str]]]]]:
        # names of both languages are looked up with the stems of the text's language: German articles say "export
        # controls" too
        found: dict[Language, dict[tuple[str, ...], list[tuple[Entry, list[str]]]]] = {"de": {}, "en": {}}
        for entry in self.entries:
            for name in dict.fromkeys((*entry.en, *entry.de)):
                words = tokens(name)
                for language in LANGUAGES:
                    key = tuple(stem(fold(word), language) for word in words)
                    found[language].setdefault(key, []).append((entry, words))
        return found

    @cached_property
    def _longest(self) -> dict[Language, dict[str, int]]:
        """How many words the longest name has that begins with a stem: most words of a text begin none."""
        found: dict[Language, dict[str, int]] = {"de": {}, "en": {}}
        for language, names in self._by_stems.items():
            for key in names:
                found[language][key[0]] = max(len(key), found[language].get(key[0], 0))
        return found


def read_glossary(corpus: Path) -> tuple[Glossary, list[ArticleError]]:
    """The corpus' glossary and what is wrong with it; a corpus without one has an empty glossary."""
    path = corpus / FILE
    if not path.is_file():
        return Glossary(), []
    try:
        root = compose(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        return Glossary(), [ArticleError(path, f"is broken: {error}", line=mark.line + 1 if mark else None)]
    if root is None:
        return Glossary(), []
    if not isinstance(root, yaml.SequenceNode):
        return Glossary(), [ArticleError(path, "must be a list of entries `- {id, kind, en: [names], de: [names]}`")]
    problems: list[ArticleError] = []
    entries: list[Entry] = []
    ids: set[str] = set()
    names: dict[str, str] = {}
    seen: set[int] = set()
    for node in root.value:
        try:
            entry = _entry(plain(node, seen))
            _no_repeats(entry, ids, names)
            ids.add(entry.id)
        except ValueError as error:
            problems.append(ArticleError(path, str(error), line=node.start_mark.line + 1))
        else:
            entries.append(entry)
    return Glossary(tuple(entries)), problems


def _entry(value: object) -> Entry:
    if not isinstance(value, dict) or not _REQUIRED <= value.keys() <= _REQUIRED | {"case", "year_ends"}:
        raise ValueError(
            "an entry is {id, kind, en: [names], de: [names]}, perhaps with case: true and year_ends: month"
        )
    identity, kind, case = value["id"], value["kind"], str(value.get("case", "false")).lower()
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        raise ValueError(f"id {identity!r} must be words in lower case joined by '-'")
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    if case not in ("true", "false"):
        raise ValueError(f"{identity}: case {case!r} must be true or false")
    ends = str(value.get("year_ends", "12"))
    if ends not in map(str, range(1, 13)):
        raise ValueError(f"{identity}: year_ends {ends!r} must be a month, 1 to 12")
    year_ends = int(ends) if "year_ends" in value else None
    return Entry(
        identity, kind, _names(identity, value["de"]), _names(identity, value["en"]), case == "true", year_ends
    )


def _names(identity: str, names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not names:
        raise ValueError(f"{identity}: each language needs at least one name")
    for name in names:
        if not isinstance(name, str) or not tokens(name):
            raise ValueError(f"{identity}: {name!r} is not a name; names are words, lists are not")
    return tuple(names)


def _no_repeats(entry: Entry, ids: set[str], names: dict[str, str]) -> None:
    if entry.id in ids:
        raise ValueError(f"id {entry.id!r} is used twice")
    own = {fold(name) for name in (*entry.de, *entry.en)}
    for name in own:
        if name in names:
            raise ValueError(f"{name!r} is a name of {names[name]} already")
    names |= dict.fromkeys(own, entry.id)
