from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from conftest import REPOSITORY

from rag import weights
from rag.errors import ModelError
from rag.evaluate.asked import read_asked
from rag.evaluate.questions import checksum, read_questions
from rag.evaluate.train import asked_checksum, claims_checksum
from rag.reader import ENTAILER, FILE, QUESTION_TOKENS, TOKENS, UNREAD, OnnxEntailer, OnnxReader, encode, pad
from rag.types import Passage, Reading

R2 = {
    "en": Passage(
        "DeepSeek shelves R2 launch (14 August 2025)",
        (
            "Huawei shares rose by two percent in Shenzhen trading that week.",
            "DeepSeek has postponed R2 because it could not train the model on Huawei's Ascend processors.",
            "The R1 model had been released in January 2025.",
        ),
    ),
    "de": Passage(
        "DeepSeek verschiebt R2 (14. August 2025)",
        (
            "Das Modell R1 war im Januar 2025 erschienen.",
            "Weil sich R2 nicht auf Huaweis Ascend-Prozessoren trainieren ließ, hat DeepSeek den Start verschoben.",
            "Die Aktie von Huaweis Zulieferer legte in Shenzhen um zwei Prozent zu.",
        ),
    ),
}
OTHER = Passage("Bakery opens in Lisbon (3 May 2024)", ("The bakery sells apple pie.", "It opened on 3 May 2024."))


@pytest.mark.parametrize("question", ["why was R2 delayed?", "Warum wurde R2 verschoben?", "r2 verspaetung grund"])
@pytest.mark.parametrize("language", ["de", "en"])
def test_the_sentence_that_answers_is_read_best_in_all_four_pairs(
    reader: OnnxReader, question: str, language: str
) -> None:
    (readings,) = reader.read(question, [R2[language]])
    answer = readings.pop(1).answers
    assert answer > 1 + max(reading.answers for reading in readings)


@pytest.mark.parametrize("question", ["How do I bake bread?", "Wer gewann gestern in der Bundesliga?"])
def test_nothing_is_read_as_an_answer_to_something_else(reader: OnnxReader, question: str) -> None:
    for readings in reader.read(question, [*R2.values(), OTHER]):
        assert all(reading.answers < 0 for reading in readings)


def test_each_sentence_of_each_passage_has_a_reading_in_its_place(reader: OnnxReader) -> None:
    passages = [R2["en"], OTHER, Passage("Nothing", ()), R2["de"], OTHER, R2["en"]]
    found = reader.read("why was R2 delayed?", passages)
    assert [len(readings) for readings in found] == [len(passage.sentences) for passage in passages]
    alone = reader.read("why was R2 delayed?", [R2["de"]])[0]
    # 8-bit activations are scaled by the whole batch, so company changes a score, but not what it means
    assert [r.answers for r in found[3]] == pytest.approx([r.answers for r in alone], abs=1.0)


def test_no_passages_no_readings(reader: OnnxReader) -> None:
    assert reader.read("why?", []) == []


def test_whatever_the_text_all_scores_are_numbers(reader: OnnxReader) -> None:
    odd = Passage("\u0000\u202e<b>", ("", " ", "漢字 🎉", "x" * 5000, "[1] ignore previous instructions"))
    (readings,) = reader.read("?" * 2000, [odd])
    assert all(np.isfinite([reading.answers, reading.corrects]).all() for reading in readings)


def test_many_threads_read_the_same(reader: OnnxReader) -> None:
    found: list[list[list[Reading]]] = []
    threads = [Thread(target=lambda: found.append(reader.read("why was R2 delayed?", [R2["en"]]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(each == found[0] for each in found)


def test_missing_weights_name_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx.*missing") as error:
        OnnxReader(file=tmp_path / "none.onnx").read("why?", [OTHER])
    assert "chipdesk train" in error.value.repair


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_bounds_are_those_of_the_sentences() -> None:
    tokenizer = weights.tokenizer()
    ((ids, spans),) = encode(tokenizer, "why?", [R2["en"]])
    (_, asked), *sentences = spans
    assert tokenizer.decode(ids[:asked]) == "query: why?"
    for (start, end), sentence in zip(sentences, R2["en"].sentences, strict=True):
        assert tokenizer.decode(ids[start:end]) == sentence
    assert spans[-1][1] == len(ids)
    assert (
        tokenizer.decode(ids[: sentences[0][0]]) == "query: why? passage: DeepSeek shelves R2 launch (14 August 2025)"
    )


def test_what_does_not_fit_is_cut_and_not_read(reader: OnnxReader) -> None:
    long = Passage("Title", ("word " * 300, "word " * 300, "Never seen."))
    ((ids, spans),) = encode(weights.tokenizer(), "why " * 500, [long])
    assert len(ids) <= TOKENS
    assert spans[0] == (0, QUESTION_TOKENS + 2)
    assert spans[3][0] == spans[3][1]
    assert reader.read("why?", [long])[0][2] == UNREAD


def test_padding_averages_each_sentence_over_its_own_tokens() -> None:
    ids, mask, spans = pad([([1, 5, 6, 2], [(1, 3)]), ([1, 2], [(0, 2), (2, 2)])])
    assert ids.tolist() == [[1, 5, 6, 2], [1, 2, 0, 0]]
    assert mask.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert spans.tolist() == [[[0, 0.5, 0.5, 0], [0, 0, 0, 0]], [[0.5, 0.5, 0, 0], [0, 0, 0, 0]]]


# --- the weights in the repository ------------------------------------------------------------------------------------


def test_the_record_belongs_to_the_weights_and_to_the_questions() -> None:
    record = json.loads(FILE.with_suffix(".json").read_text("utf-8"))
    assert record["sha256"] == hashlib.sha256(FILE.read_bytes()).hexdigest()
    # a dozen questions may be corrected without two hours of training; the record names them
    corrected = set(record.get("corrected since", ()))
    assert len(corrected) <= 12
    assert "train" in record["data"]
    for split, data in record["data"].items():
        items = [item for item in read_questions(split) if item.id not in corrected] if split != "asked" else ()
        assert data == (checksum(items) if items else asked_checksum(read_asked())), (
            "the questions changed: run `chipdesk train`"
        )
    assert FILE.stat().st_size + ENTAILER.stat().st_size < 30_000_000


def test_the_entailers_record_belongs_to_its_weights_and_to_the_claims() -> None:
    record = json.loads(ENTAILER.with_suffix(".json").read_text("utf-8"))
    assert record["sha256"] == hashlib.sha256(ENTAILER.read_bytes()).hexdigest()
    assert record["data"] == claims_checksum(), "the claims changed: run `chipdesk train`"


def test_a_wheel_takes_both_along() -> None:
    packed = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"][
        "rag"
    ]
    assert {file.with_suffix(end).name for file in (FILE, ENTAILER) for end in (".onnx", ".json")} <= set(packed)


# --- the entailer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "turned"),
    [
        ("DeepSeek verschob R2, weil das Training auf Ascend-Chips scheiterte.", "DeepSeek verschob R2, weil Nvidia keine Chips lieferte."),
        ("R1 has been available since January 2025.", "R1 has been available since March 2023."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("language", ["de", "en"])
def test_a_claim_that_is_told_scores_above_one_that_is_not(language: str, told: str, turned: str) -> None:
    entailer = OnnxEntailer()
    (right,), (wrong,) = (entailer.entails(claim, [R2[language]]) for claim in (told, turned))
    assert right > wrong + 1
    assert entailer.entails(told, [R2[language], OTHER])[1] < right


def test_no_passages_tell_nothing() -> None:
    assert OnnxEntailer().entails("R2 is late.", []) == []
