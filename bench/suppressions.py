"""What a look costs: `.venv/bin/python -m bench.suppressions [--entries N] [--looks N]`.

A file of made-up entries is written and mapped, and looked into alone and beside a thread that is busy.
"""

import argparse
import resource
import tempfile
import threading
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from random import Random

from angarium.spool.disk import RealDisk
from angarium.suppressions.decide import MailFacts
from angarium.suppressions.index.file import MappedIndex, Stamp, write_index
from angarium.suppressions.index.picture import Picture
from angarium.suppressions.index.rules import Rules

FACTS = MailFacts(1, 7, "outbound")


def made_up(count: int, random: Random) -> Iterator[bytes]:
    """Yield *count* entries in order."""
    numbers = array("Q", random.randbytes(8 * count))
    numbers = array("Q", sorted(numbers))
    numbers.byteswap()
    yield numbers.tobytes()


def looked(picture: Picture, addresses: list[str]) -> tuple[float, float]:
    """Return microseconds of CPU and of the clock that a look takes."""
    wall, cpu = time.perf_counter(), time.thread_time()
    for address in addresses:
        if picture.knows(address):
            picture.may_stop(address, FACTS)
    each = len(addresses) / 1e6
    return (time.thread_time() - cpu) / each, (time.perf_counter() - wall) / each


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--looks", type=int, default=200_000)
    args = parser.parse_args()
    random = Random(1)
    addresses = [f"user{random.randrange(1 << 30)}@example{n % 97}.com" for n in range(args.looks)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        began = time.perf_counter()
        write_index(path, Stamp("0" * 16, 1, 0.0), args.entries, made_up(args.entries, random), RealDisk())
        written_s = time.perf_counter() - began
        began = time.perf_counter()
        index = MappedIndex(path)
        mapped_s = time.perf_counter() - began
        picture = Picture(index, Rules())
        alone = looked(picture, addresses)
        stop = threading.Event()
        busy = threading.Thread(target=lambda: any(stop.is_set() for _ in iter(int, 1)))
        busy.start()
        beside = looked(picture, addresses)
        stop.set()
        busy.join()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{index.count} entries, {index.size_bytes >> 20} MB")
    print(f"written in {written_s:.1f} s, mapped and checked in {mapped_s:.2f} s")
    print(f"a look: {alone[0]:.2f} µs of CPU, {alone[1]:.2f} µs")
    print(f"beside a busy thread: {beside[0]:.2f} µs of CPU, {beside[1]:.2f} µs")
    print(f"this process had {peak} MB at most, sorting included")


if __name__ == "__main__":
    main()
