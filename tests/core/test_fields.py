"""What recipients have of their own: packed in one piece, and read one at a time."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.fields import NOBODY, Attachment, Fields, Form, NamedMailbox, Personal, packed, personal_at

people = st.lists(
    st.builds(
        Personal, st.text(max_size=20), st.binary(max_size=60), st.sampled_from(["", "list@b.example"])
    ),
    max_size=40,
)


@given(people)
def test_each_recipient_gets_what_is_its_own(personal: list[Personal]) -> None:
    data = packed(personal)
    assert [personal_at(data, index) for index in range(len(personal))] == personal


def test_what_nobody_has_takes_no_room() -> None:
    assert packed([NOBODY] * 1000) == b""
    sizes = [len(packed([Personal("A"), *[NOBODY] * count])) for count in range(3)]
    assert {after - before for before, after in pairwise(sizes)} == {4}


def test_a_recipient_that_there_is_not_is_told() -> None:
    with pytest.raises(ValueError, match="data of 1 recipients, and none of number 1"):
        personal_at(packed([Personal("A")]), 1)
    with pytest.raises(ValueError, match="no data"):
        personal_at(b"xx", 0)


def test_a_form_is_the_same_after_it_was_stored() -> None:
    author = (NamedMailbox("a@b.example", "Ann"),)
    fields = Fields(author=author, subject="Hi {{name}}", attachments=(Attachment("f", "x/y", b"\0"),))
    form = Form(fields=fields, language="mustachio", shared=b"{}", snippets={"foot": {"html": "<hr>"}})
    assert msgspec.msgpack.Decoder(Form).decode(msgspec.msgpack.encode(form)) == form
