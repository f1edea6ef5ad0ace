"""Slices in one file: a table of where each ends, then each with a checksum, so that any is read without the others."""

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from angarium.core.orders import OrderSlice
from angarium.spool.disk import Disk

_COUNT: Final = struct.Struct("<I")
_ENTRY: Final = struct.Struct("<QI")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(OrderSlice).decode


def bound(slices: Sequence[OrderSlice]) -> list[bytes]:
    """Return what a file with *slices* consists of."""
    pieces = [_encode(each) for each in slices]
    table, end = [_COUNT.pack(len(pieces))], _COUNT.size + _ENTRY.size * len(pieces)
    for piece in pieces:
        end += len(piece)
        table.append(_ENTRY.pack(end, crc32(piece)))
    return [b"".join(table), *pieces]


def read_slice(disk: Disk, path: Path, number: int) -> OrderSlice:
    """Return slice *number* of a file, counted from 0. Raises OSError, also for one that is damaged."""
    fd = disk.open(path, os.O_RDONLY)
    try:
        (count,) = _COUNT.unpack(disk.pread(fd, _COUNT.size, 0))
        first = _COUNT.size + _ENTRY.size * count
        before = max(0, number - 1)
        wanted = disk.pread(fd, _ENTRY.size * 2, _COUNT.size + _ENTRY.size * before)
        begin = _ENTRY.unpack_from(wanted)[0] if number else first
        end, checksum = _ENTRY.unpack_from(wanted, _ENTRY.size if number else 0)
        piece = disk.pread(fd, end - begin, begin)
        if number >= count or len(piece) != end - begin or crc32(piece) != checksum:
            raise OSError(f"slice {number} of {path} is damaged")
        return _decode(piece)
    except (struct.error, msgspec.MsgspecError) as error:
        raise OSError(f"slice {number} of {path} is damaged: {error}") from error
    finally:
        disk.close(fd)
