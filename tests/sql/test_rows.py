"""What is kept of a record is the record when it is read again."""

import json
from typing import Annotated

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.options import NO_OPTIONS, Options
from angarium.sql.rows import columns, record_of, said


class Size(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record within another."""

    width: int = 0
    height: int | None = None


class Picture(msgspec.Struct, frozen=True):
    """One of each kind of field that a table may have."""

    id: int
    name: str
    size: Annotated[Size, "said"] = Size()
    frame: Size | None = None
    tags: tuple[str, ...] = ()
    colours: tuple[str, ...] | None = None
    options: Options = NO_OPTIONS
    sold_at: float | None = None


words = st.lists(st.text(), max_size=3).map(tuple)
sizes = st.builds(Size, st.integers(0, 9), st.none() | st.integers(0, 9))
options = st.builds(
    Options, stream=st.none() | st.text(), tags=st.none() | words, track_opens=st.none() | st.booleans()
)
pictures = st.builds(
    Picture,
    id=st.integers(1),
    name=st.text(),
    size=sizes,
    frame=st.none() | sizes,
    tags=words,
    colours=st.none() | words,
    options=options,
    sold_at=st.none() | st.floats(0, 2**40),
)


@given(pictures)
def test_a_record_is_read_as_it_was_kept(picture):
    row = json.loads(json.dumps(columns(msgspec.structs.asdict(picture))))
    assert record_of({**row, "secret": "stays behind"}, Picture) == picture


def test_what_is_null_is_the_default():
    row = dict.fromkeys(Picture.__struct_fields__) | {"id": 1, "name": "a"}
    assert record_of(row, Picture) == Picture(1, "a")


def test_the_audit_log_is_told_what_says_anything():
    assert said(Picture(1, "a", Size(3), tags=("x",)), "tags") == {"name": "a", "size": {"width": 3}}
