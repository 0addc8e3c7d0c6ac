"""Files that are there whole or not at all, also after a kill or a power cut."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.errors import DiskError


@contextmanager
def writing(where: Path) -> Iterator[None]:
    """What the operating system and SQLite say about a full or read-only disk, in our words.

    Args:
        where: file or folder that is written, for the message.

    Raises:
        DiskError: a write failed.
    """
    try:
        yield
    except OSError as error:
        raise DiskError(where, error.strerror or str(error)) from error
    except sqlite3.Error as error:
        raise DiskError(where, str(error)) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write or replace a file in one step; its folder is made.

    Raises:
        DiskError: it cannot be written; what was there is still there.
    """
    scratch = path.with_name(f".{path.name}.new")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with scratch.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            move(scratch, path)
        finally:
            scratch.unlink(missing_ok=True)


def move(path: Path, target: Path) -> None:
    """Move a file within a file system in one step, over whatever is at `target`; its folder is made.

    Raises:
        DiskError: it cannot be moved, and is where it was.
    """
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def append_line(path: Path, line: str) -> None:
    """Add one line to a file; after a kill it is there whole, or as a last line without its end.

    Raises:
        DiskError: it cannot be written, and the file is as it was.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # unbuffered: what a buffer could not write it would try again when the file is closed
        with path.open("a+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            start = b""
            if size:
                file.seek(-1, os.SEEK_END)
                start = b"" if file.read(1) == b"\n" else b"\n"
            rest = start + line.encode() + b"\n"
            try:
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise
