"""How surely an article is about AI chips: a number that sorts a curator's inbox, not a verdict.

It counts names. The glossary knows the companies, chips, rules and terms of the field in both languages, and news of the
field is full of them: at the beginning of each of the corpus' 672 briefs stand at least 6 different ones (half have 17 or
more), in the invented neighbours of tests/data/neighbours.yaml (crisps, dogs' microchips, telephones, interest rates) at
most 3. That separates better than one name that must be there: "chip" and "Apple" stand in both.

The glossary was made for these very briefs, so news of companies that it does not know scores lower than measured here.
The embedder was left out: it would cost a second per article and a loaded model, for a list that a person reads anyway.
"""

from __future__ import annotations

import math
from typing import Final

from rag.glossary import Glossary
from rag.types import Language

READ_CHARS: Final = 900
"""The beginning says what an article is about; a brief of the corpus has about so many."""
MIDDLE: Final = 4.5
"""Different names at which both are equally likely: between the most of a neighbour and the least of a brief."""


def relevance(title: str, text: str, language: Language, glossary: Glossary) -> float:
    """Between 0 (something else) and 1 (AI chips), with two decimals."""
    names = set(glossary.concepts(f"{title}. {text[:READ_CHARS]}", language))
    return round(1 / (1 + math.exp(MIDDLE - len(names))), 2)
