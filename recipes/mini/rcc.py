"""Read the files inside a Qt resource archive (``.rcc``)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

ZLIB, FOLDER, ZSTD = 1, 2, 4  # flags of an entry


def read_rcc(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of every file in the archive.

    Raises:
        ValueError: The file is not a Qt resource archive, or holds an entry packed with zstd.
    """
    packed = archive.read_bytes()
    magic, version, tree, data, names = struct.unpack_from(">4s4I", packed)
    if magic != b"qres":
        raise ValueError(f"not a Qt resource archive: {archive}")
    size = 14 if version == 1 else 22  # from version 2 on entries also hold a time

    def walk(number: int, folder: str) -> Iterator[tuple[str, bytes]]:
        name_at, flags, first, second = struct.unpack_from(">IHII", packed, tree + number * size)
        path = folder
        if number:  # the root has no name
            length = struct.unpack_from(">H", packed, names + name_at)[0]
            start = names + name_at + 6
            path = f"{folder}/{packed[start : start + 2 * length].decode('utf-16-be')}".lstrip("/")
        if flags & FOLDER:
            for child in range(second, second + first):
                yield from walk(child, path)
            return
        if flags & ZSTD:
            raise ValueError(f"packed with zstd, which is not read here: {archive}: {path}")
        start = data + second
        length = struct.unpack_from(">I", packed, start)[0]
        content = packed[start + 4 : start + 4 + length]
        yield path, zlib.decompress(content[4:]) if flags & ZLIB else content

    return walk(0, "")
