from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import chipdesk

from rag.errors import CorpusError
from rag.evaluate.run import evaluate
from rag.settings import Settings

PAIRS = (
    ("1", "ENTAILMENT", "Huawei sent engineers to DeepSeek.", "Huawei schickte Ingenieure zu DeepSeek."),
    ("2", "NONENTAILMENT", "The bakery sells pretzels.", "Die Bäckerei verkauft Brezeln."),
)
TEXT = {
    "English": "Huawei sent engineers to DeepSeek in May. They stayed.",
    "German": "Huawei schickte im Mai Ingenieure zu DeepSeek. Sie blieben.",
}


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """Two claims in the format of each benchmark."""
    for language, text in TEXT.items():
        pairs = "".join(
            f'<pair id="{n}" entailment="{label}" task="IE"><t>{text}</t><h>{english if language == "English" else german}</h></pair>'
            for n, label, english, german in PAIRS
        )
        (tmp_path / "rte3").mkdir(exist_ok=True)
        (tmp_path / "rte3" / f"{language}_dev.xml").write_text(
            f"<entailment-corpus>{pairs}</entailment-corpus>", "utf-8"
        )
    sentences = ["TITLE: Help", *TEXT["English"].split(" T"), "Something else."]
    lines = [
        {"label": "supported", "supporting_sentences": [[1]], "claim": PAIRS[0][2], "evidence": sentences},
        {"label": "not_supported", "supporting_sentences": [[]], "claim": PAIRS[1][2], "evidence": sentences},
    ]
    (tmp_path / "wice").mkdir()
    (tmp_path / "wice" / "dev.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    return tmp_path


def test_claims_are_scored_by_language(settings: Settings, bench: Path) -> None:
    result = evaluate("rte3", settings, data=bench, progress=lambda _: None)
    assert list(result.groups) == ["de text, de claim", "en text, en claim", "de text, en claim"]
    assert {group["n"] for group in result.groups.values()} == {2}
    assert result.groups["en text, en claim"]["accuracy"] == 1.0


def test_wice_is_scored_with_the_marked_sentences(settings: Settings, bench: Path) -> None:
    result = evaluate("wice", settings, data=bench, progress=lambda _: None)
    assert (result.overall["n"], result.overall["balanced"], result.overall["AUROC"]) == (2, 1.0, 1.0)


@pytest.mark.parametrize("suite", ["rte3", "wice"])
def test_missing_data_is_named(settings: Settings, tmp_path: Path, suite: str) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):
        evaluate(suite, settings, data=tmp_path, progress=lambda _: None)
    done = chipdesk("eval", "--suite", suite)
    assert done.returncode == 2
    assert "--data" in done.stderr
