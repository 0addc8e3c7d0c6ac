"""What can go wrong, as a tree. Every message says what happened; `repair` says what to do next.

ChipdeskError
+-- BadRequest (422)        the question or a filter cannot be used as given
+-- UnknownArticle (404)    no article with that id
+-- CorpusError (500)       a corpus folder that cannot be read at all
|   +-- ArticleError        one article file that cannot be used: names file, line and field
+-- NotReady (503)       questions cannot be answered right now
|   +-- IndexMissing        nothing has been built yet
|   +-- IndexMismatch       built by another model, dimension or chunker
|   +-- IndexDamaged        files of the build are gone or do not fit together
|   +-- IndexBusy (409)     another process is building
+-- ModelError (503)        the embedding model cannot be loaded
+-- LlmError (502)          the language model does not answer, or not usably
+-- SettingsError (500)     an unknown or impossible setting
+-- PortInUse (500)         the server's address is taken
+-- ExtractError (422)      a page or document with no article in it that could be used
+-- FeedError (422)         feeds.toml, or what a feed sent, cannot be used
+-- DiskError (507)         corpus or index could not be written; they are as they were before
+-- InboxError (404)        no such item in the inbox, or its place is taken
+-- FetchError (502)        a web address that could not be read this time
    +-- FetchRefused (403)  one that is not read at all: not public, or closed to programs
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal


class ChipdeskError(Exception):
    """Base of everything Chipdesk raises on purpose.

    Args:
        message: what happened, a full sentence that names the offending value.
        repair: what to do next, a full sentence; empty where the message says it already.
    """

    status: ClassVar[int] = 500
    """HTTP status a door answers with."""
    title: ClassVar[str] = "Chipdesk could not do this"

    def __init__(self, message: str, repair: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.repair = repair

    def __str__(self) -> str:
        return f"{self.message} {self.repair}".strip()


class BadRequest(ChipdeskError):
    status = 422
    title = "The request cannot be used as it is"


class UnknownArticle(ChipdeskError):
    status = 404
    title = "No such article"


class CorpusError(ChipdeskError):
    title = "The corpus cannot be read"


class ArticleError(CorpusError):
    """One article file that cannot be used; the others stay available."""

    def __init__(self, path: Path, message: str, *, line: int | None = None, field: str | None = None) -> None:
        where = f"{path}:{line}" if line else str(path)
        super().__init__(f"{where}: {field}: {message}" if field else f"{where}: {message}")
        self.path = path
        self.line = line
        self.field = field
        self.problem = message


class NotReady(ChipdeskError):
    status = 503
    title = "The index is not ready"


class IndexMissing(NotReady):
    pass


class IndexMismatch(NotReady):
    pass


class IndexDamaged(NotReady):
    def __init__(self, message: str, repair: str = "Rebuild the index with `chipdesk build --fresh`.") -> None:
        super().__init__(message, repair)


class IndexBusy(NotReady):
    status = 409
    title = "The index is being built"


class ModelError(ChipdeskError):
    status = 503
    title = "The embedding model cannot be loaded"


Trouble = Literal[
    "not_installed", "no_file", "not_gguf", "unreachable", "too_slow", "key_refused", "model_unknown", "refused", "failed",
    "broke_off", "empty", "nonsense",
]  # fmt: skip
"""What can be wrong with a language model; `rag.phrases` says it in a reader's words."""


class LlmError(ChipdeskError):
    status = 502
    title = "The language model does not answer"

    def __init__(self, trouble: Trouble, message: str, repair: str = "") -> None:
        super().__init__(message, repair)
        self.trouble: Trouble = trouble


class SettingsError(ChipdeskError):
    title = "A setting is wrong"


class PortInUse(ChipdeskError):
    title = "The address is taken"


class ExtractError(ChipdeskError):
    status = 422
    title = "There is no article in it"


class FeedError(ChipdeskError):
    status = 422
    title = "The feed cannot be used"


class DiskError(ChipdeskError):
    """Something could not be written; what is there stays as it was."""

    status = 507
    title = "It could not be written"

    def __init__(self, where: Path, why: str) -> None:
        super().__init__(
            f"{where} cannot be written: {why}.",
            "Nothing that was there before is lost. Make room, or make it writable, and do the same again.",
        )


class InboxError(ChipdeskError):
    status = 404
    title = "The inbox does not allow this"


class FetchError(ChipdeskError):
    status = 502
    title = "The address could not be read"

    def __init__(self, message: str, repair: str = "", answered: int | None = None) -> None:
        super().__init__(message, repair)
        self.answered = answered
        """HTTP status of the other server, where it answered."""


class FetchRefused(FetchError):
    status = 403
    title = "The address is not read"
