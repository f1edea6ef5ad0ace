"""The shelf of orders: a folder for each, read by all workers of a node.

    order              what it is, once it is there for good
    form               its content
    sheaf-FIRST-SIZE-RECIPIENTS-UPTO
                       slices, in files of some: the number of the first, how many, with how many recipients, and up to
                       which position of its list the order has been cut with them
    extent             how many slices there are; missing while they are still being cut from a list
    share-N            how far part N has come
    paused, cancelled  what was commanded

A folder under construction begins with a dot; its name is the last thing that is made. What is written here is durable
when the call returns. Everything blocks, and raises OSError: call it in threads.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from angarium.core.ids import MessageId, format_id, parse_id
from angarium.core.orders import MailOrder, OrderSlice, Share
from angarium.spool.disk import Disk, RealDisk
from angarium.spool.files.orders.sheaf import bound, read_slice
from angarium.spool.orders import Mark, OrderExtent, Sheaf

SLICES_IN_SHEAF: Final = 16
_LARGEST_RECORD: Final = 16 << 20
_encode = msgspec.msgpack.Encoder().encode
_decode_order = msgspec.msgpack.Decoder(MailOrder).decode
_decode_share = msgspec.msgpack.Decoder(Share).decode

T = TypeVar("T")


def orders_folder(data: Path) -> Path:
    """Return where the orders of a node lie, by its data folder."""
    return data / "orders"


_decode_extent = msgspec.msgpack.Decoder(OrderExtent).decode


class OrderShelf:
    """Implements `OrderStore` in *folder*."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self.folder = folder
        self._disk: Disk = disk or RealDisk()

    # -- an order comes

    def place(
        self, order: MailOrder, form: bytes, slices: Sequence[OrderSlice] = (), *, is_whole: bool = True
    ) -> None:
        """See `OrderStore.place`."""
        disk, building = self._disk, self.folder / f".{format_id(order.id)}"
        disk.make_folder(self.folder)
        self._remove(building)
        disk.make_folder(building)
        self._write(building / "order", [_encode(order)])
        self._write(building / "form", [form])
        for first in range(0, len(slices), SLICES_IN_SHEAF):
            some = slices[first : first + SLICES_IN_SHEAF]
            self._write(_sheaf_path(building, first, len(some), _recipients(some), 0), bound(some))
        if is_whole:
            extent = OrderExtent(len(slices), _recipients(slices))
            self._write(building / "extent", [_encode(extent)])
        disk.fsync_dir(building)
        disk.rename(building, self._place(order.id))
        try:
            disk.fsync_dir(self.folder)
        except OSError:
            self.remove(order.id)  # it is said to be refused: nothing must be made of it
            raise

    def add(self, order: MessageId, first: int, slices: Sequence[OrderSlice], upto: int) -> None:
        """See `OrderStore.add`."""
        path = _sheaf_path(self._place(order), first, len(slices), _recipients(slices), upto)
        self._replace(path, bound(slices))

    def complete(self, order: MessageId, extent: OrderExtent) -> None:
        """See `OrderStore.complete`."""
        self._replace(self._place(order) / "extent", [_encode(extent)])

    # -- and is read

    def ids(self) -> list[MessageId]:
        """See `OrderStore.ids`."""
        try:
            names = self._disk.listdir(self.folder)
        except FileNotFoundError:
            return []
        return [parse_id(name) for name in names if len(name) == 32 and not name.startswith(".")]

    def order(self, order: MessageId) -> MailOrder:
        """See `OrderStore.order`."""
        return _decoded(self._read(self._place(order) / "order"), _decode_order)

    def form(self, order: MessageId) -> bytes:
        """See `OrderStore.form`."""
        return (self._place(order) / "form").read_bytes()

    def extent(self, order: MessageId) -> OrderExtent | None:
        """See `OrderStore.extent`."""
        found = self._read_if_there(self._place(order) / "extent")
        return None if found is None else _decoded(found, _decode_extent)

    def sheaves(self, order: MessageId) -> list[Sheaf]:
        """See `OrderStore.sheaves`."""
        place = self._place(order)
        found = (name.split("-") for name in self._disk.listdir(place) if name.startswith("sheaf-"))
        sizes = ((int(first), int(size), int(many), int(upto)) for _, first, size, many, upto in found)
        return [Sheaf(*each) for each in sorted(sizes)]

    def slice(self, order: MessageId, number: int) -> OrderSlice | None:
        """See `OrderStore.slice`."""
        for sheaf in self.sheaves(order):
            if number in sheaf:
                return read_slice(self._disk, _sheaf_path(self._place(order), *sheaf), number - sheaf.first)
        return None

    # -- how far it has come

    def share(self, order: MessageId, number: int) -> Share | None:
        """See `OrderStore.share`."""
        found = self._read_if_there(self._place(order) / f"share-{number}")
        return None if found is None else _decoded(found, _decode_share)

    def advance(self, order: MessageId, number: int, share: Share) -> None:
        """See `OrderStore.advance`."""
        self._replace(self._place(order) / f"share-{number}", [_encode(share)])

    def marks(self, order: MessageId) -> set[Mark]:
        """See `OrderStore.marks`."""
        names = self._disk.listdir(self._place(order))
        marks: tuple[Mark, ...] = ("paused", "cancelled")
        return {mark for mark in marks if mark in names}

    def mark(self, order: MessageId, mark: Mark) -> None:
        """See `OrderStore.mark`."""
        self._replace(self._place(order) / mark, [b""])

    def unmark(self, order: MessageId, mark: Mark) -> None:
        """See `OrderStore.unmark`."""
        self._disk.unlink(self._place(order) / mark)
        self._disk.fsync_dir(self._place(order))

    # -- and ends

    def clear(self, order: MessageId) -> None:
        """See `OrderStore.clear`."""
        for sheaf in self.sheaves(order):
            self._disk.unlink(_sheaf_path(self._place(order), *sheaf))
        self._disk.unlink(self._place(order) / "form")

    def remove(self, order: MessageId) -> None:
        """See `OrderStore.remove`."""
        gone = self.folder / f".gone-{format_id(order)}"
        self._disk.rename(self._place(order), gone)
        self._remove(gone)

    def sweep(self) -> None:
        """See `OrderStore.sweep`."""
        if self.folder.exists():
            for name in self._disk.listdir(self.folder):
                if name.startswith("."):
                    self._remove(self.folder / name)

    # -- files

    def _place(self, order: MessageId) -> Path:
        return self.folder / format_id(order)

    def _remove(self, folder: Path) -> None:
        if folder.exists():
            for name in self._disk.listdir(folder):
                self._disk.unlink(folder / name)
            folder.rmdir()

    def _replace(self, path: Path, pieces: Iterable[bytes]) -> None:
        new = path.with_name(f".{path.name}")
        self._write(new, pieces)
        self._disk.rename(new, path)
        self._disk.fsync_dir(path.parent)

    def _write(self, path: Path, pieces: Iterable[bytes]) -> None:
        disk = self._disk
        disk.unlink(path)
        fd = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            offset = 0
            for piece in pieces:
                offset = self._write_whole(fd, piece, offset)
            disk.fdatasync(fd)
        finally:
            disk.close(fd)

    def _write_whole(self, fd: int, piece: bytes, offset: int) -> int:
        view = memoryview(piece)
        while view:
            written = self._disk.pwritev(fd, [view], offset)
            view, offset = view[written:], offset + written
        return offset

    def _read_if_there(self, path: Path) -> bytes | None:
        try:
            return self._read(path)
        except FileNotFoundError:
            return None

    def _read(self, path: Path) -> bytes:
        fd = self._disk.open(path, os.O_RDONLY)
        try:
            return self._disk.pread(fd, _LARGEST_RECORD, 0)
        finally:
            self._disk.close(fd)


def _sheaf_path(place: Path, first: int, size: int, recipients: int, upto: int) -> Path:
    return place / f"sheaf-{first:07}-{size}-{recipients}-{upto}"


def _recipients(slices: Iterable[OrderSlice]) -> int:
    return sum(len(each.recipients) for each in slices)


def _decoded(data: bytes, decode: Callable[[bytes], T]) -> T:
    try:
        return decode(data)
    except msgspec.MsgspecError as error:
        raise OSError(f"a record of an order is damaged: {error}") from error
