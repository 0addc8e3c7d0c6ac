"""Chipdesk: answers about AI-chip news with exact citations.

>>> from rag import Chipdesk, load
>>> answer = Chipdesk(load()).ask("why was R2 delayed?")

Importing this package loads no model, no database and no network library; `Chipdesk` is resolved when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rag.errors import ChipdeskError
from rag.types import Answer, Article, Citation, Filters, Sentence, Source, Turn

if TYPE_CHECKING:
    from rag.ask import Chipdesk
    from rag.settings import Settings, load

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "Article",
    "Chipdesk",
    "ChipdeskError",
    "Citation",
    "Filters",
    "Sentence",
    "Settings",
    "Source",
    "Turn",
    "load",
]
_LATER = {"Chipdesk": "rag.ask", "Settings": "rag.settings", "load": "rag.settings"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
