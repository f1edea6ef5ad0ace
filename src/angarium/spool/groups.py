"""Records that count together or not at all.

A group is written in one stretch and synced as a whole, and its last record closes it. Without that, nothing of it
counts: the end is where the group begins, and its bytes are those of an unfinished write.
"""

from collections.abc import Iterable, Iterator

from angarium.spool.codec import CLOSES, GROUP, INSIDE, OPENS, Damage, End, Record

Found = Record | Damage | End


def whole(found: Iterable[Found]) -> Iterator[Found]:
    """Yield what was found in a stretch, with each group only when its last record is there.

    What is damaged had been durable, and so had all of the group that it is in: of that only the damage is missing.
    """
    held: list[Record] = []
    is_durable = False
    for item in found:
        if isinstance(item, Record):
            if not (item.flags & GROUP or held):
                is_durable = False
                yield item
                continue
            place = item.flags & GROUP
            is_durable = is_durable and place not in (0, OPENS)
            if place not in (0, CLOSES) and not is_durable:
                held.append(item)
                continue
        elif isinstance(item, Damage):
            is_durable = True
        elif held:
            yield End(held[0].offset, item.offset - held[0].offset + item.torn_bytes)
            return
        yield from held
        held = []
        yield item


def marks(count: int) -> tuple[int, ...]:
    """Return the flags of *count* records that are a group; one alone is whole anyway."""
    return (OPENS, *(INSIDE,) * (count - 2), CLOSES) if count > 1 else (0,) * count
