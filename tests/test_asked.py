"""Questions about texts that are in no corpus, for the reader to learn from."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rag.errors import CorpusError
from rag.evaluate.asked import CHARS, NO_ANSWER, RIVALS, Asked, read_asked, rivals
from rag.evaluate.questions import read_questions
from rag.evaluate.train import gather_asked

RECORD: dict[str, Any] = {
    "id": "asked-0-1",
    "language": "en",
    "title": "The lighthouse",
    "date": "2019-05-02",
    "sentences": ["The lighthouse was built in 1871.", "Its keeper was called Ines Mohr.", "It stands on a rock."],
    "questions": [
        {"question": "Who kept the lighthouse?", "language": "en", "kind": "factoid", "answerable": True, "gold": [1]},
        {"question": "Wie hoch ist er?", "language": "de", "kind": NO_ANSWER, "answerable": False, "gold": []},
    ],
}


@pytest.fixture(scope="module")
def asked() -> list[Asked]:
    return read_asked()


def written(folder: Path, record: dict[str, Any]) -> Path:
    (folder / "asked.jsonl").write_text(json.dumps(record) + "\n", "utf-8")
    return folder


def test_there_are_many_of_all_kinds_in_both_languages(asked: list[Asked]) -> None:
    assert len(asked) > 3_000
    assert len({each.text for each in asked}) > 400
    for language in ("de", "en"):
        assert 0.4 < sum(each.language == language for each in asked) / len(asked) < 0.6
    assert 0.55 < sum(each.answerable for each in asked) / len(asked) < 0.7
    assert min(Counter(each.kind for each in asked).values()) >= 100


def test_no_question_is_asked_twice_or_elsewhere(asked: list[Asked]) -> None:
    texts = [each.question.casefold() for each in asked]
    assert len(set(texts)) > 0.995 * len(texts)
    assert not set(texts) & {item.question.casefold() for item in read_questions("all")}


def test_the_texts_are_not_about_chips(asked: list[Asked]) -> None:
    words = " ".join(" ".join(p.sentences) for each in asked for p in each.passages)
    assert not re.findall(r"(?i)\b(?:nvidia|tsmc|deepseek|asml|hbm|halbleiter\w*|semiconductors?)\b", words)


def test_a_text_is_cut_into_passages_of_whole_sentences(tmp_path: Path, asked: list[Asked]) -> None:
    who, height = read_asked(written(tmp_path, RECORD))
    assert [p.sentences for p in who.passages] == [tuple(RECORD["sentences"])]
    assert who.passages[0].context == "The lighthouse (2 May 2019)"
    assert (who.gold, height.gold) == (((False, True, False),), ((False,) * 3,))
    assert (who.answerable, height.answerable) == (True, False)
    for each in asked:
        assert all(len(p.sentences) == 1 or len(" ".join(p.sentences)) <= CHARS for p in each.passages)
        assert [len(p.sentences) for p in each.passages] == [len(gold) for gold in each.gold]


@pytest.mark.parametrize(
    "change",
    [{"gold": [3]}, {"gold": [-1]}, {"gold": []}, {"kind": "conflict"}, {"kind": NO_ANSWER}],
    ids=lambda change: str(change),
)
def test_what_is_no_question_is_refused_with_its_line(tmp_path: Path, change: dict[str, Any]) -> None:
    record = RECORD | {"questions": [RECORD["questions"][0] | change]}
    with pytest.raises(CorpusError, match=r"asked\.jsonl:1: cannot be used"):
        read_asked(written(tmp_path, record))


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="is missing"):
        read_asked(tmp_path)


def test_other_texts_stand_beside_a_question_the_same_each_time(asked: list[Asked]) -> None:
    for each in asked[::500]:
        beside = rivals(each, asked)
        assert beside == rivals(each, asked)
        assert len({name for name, _ in beside}) == RIVALS
        assert each.text not in {name for name, _ in beside}
    assert rivals(asked[0], asked) != rivals(asked[1], asked)


def test_a_question_is_shown_with_its_own_text_first(asked: list[Asked]) -> None:
    some = asked[:40]
    for each, example in zip(some, gather_asked(some), strict=True):
        own = example.shown[: len(each.passages)]
        assert {shown.event for shown in own} == {each.text}
        assert tuple(shown.gold for shown in own) == each.gold
        assert example.answerable == each.answerable == any(any(shown.gold) for shown in example.shown)
