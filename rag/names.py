"""Names in a question: what its answer must be about, as far as spelling and the glossary tell."""

from __future__ import annotations

import re

from rag.glossary import Glossary
from rag.types import Language
from rag.words import STOPWORDS, fold, tokens

_CODE = re.compile(r"\b(?=\w*\d)(?=\w*[A-Za-z])[\w-]+\b")
_CAPITAL = re.compile(r"[A-ZÄÖÜ]")
_YEAR = re.compile(r"(?:19|20)\d\d\Z")


def names(text: str, language: Language, glossary: Glossary) -> tuple[str, ...]:
    """Names, model numbers and codes in `text`, as written, without repeats.

    English capitals inside a sentence mark names; in German every noun has one, so there only glossary names, codes
    ("R2", "H20") and capitals inside a word ("DeepSeek", "TSMC") count.
    """
    found = [words for entry, words in glossary.mentions(text, language) if entry.kind != "term"]
    found += _CODE.findall(text)
    words = tokens(text)
    stop = {fold(word) for word in STOPWORDS[language]}
    for position, word in enumerate(words):
        capitals = len(_CAPITAL.findall(word))
        inner = capitals >= 2 and not word.isdigit()
        english_name = language == "en" and capitals and position > 0
        if (inner or english_name) and fold(word) not in stop:
            found.append(word)
    kept: list[str] = []
    for name in dict.fromkeys(found):
        inside_another = any(name != other and name in other.split() for other in found)
        if not inside_another and not _YEAR.match(name):
            kept.append(name)
    return tuple(kept)
