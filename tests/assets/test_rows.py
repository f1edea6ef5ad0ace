"""Rows of files as recipients: what is read, what is wrong with which line, and what was written is read again."""

import csv
import io
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.assets.lists.duplicates import DuplicateFinder
from angarium.assets.lists.pages import mark_of, packed, read_marks, unpacked, written_marks
from angarium.assets.lists.records import DuplicateRule, ListedRecipient
from angarium.assets.lists.rows import COLUMNS, read_rows, recipient_of, row_of_csv, row_of_json
from angarium.sql.errors import Invalid

ANN = ListedRecipient("ann@example.com", "Ann", "", ("vip", "de"), b'{"plan":"x"}', b'{"city":"Ulm"}')


@pytest.mark.parametrize(
    "text",
    [
        'Email Address,Full Name,Tags,metadata.plan,city\nann@example.com,Ann,"vip, de",x,Ulm\n',
        '\ufeffaddress,name,tags,metadata,data\r\nann@example.com,Ann,vip;de,"{""plan"":""x""}","{""city"":""Ulm""}"\r\n',
        'data.city, recipient, name, tags, metadata.plan\nUlm, ann@example.com, Ann, "[""vip"",""de""]", x\n',
    ],
)
def test_columns_of_csv_are_found_by_their_names_and_others_are_values(text: str) -> None:
    (row,) = read_rows(io.StringIO(text, newline=""), "csv")
    assert (row.number, row.problem, row.recipient) == (2, "", ANN)


def test_a_file_without_names_has_addresses_in_its_first_column() -> None:
    rows = list(read_rows(["ann@example.com,whatever\n", "\n", "bob@example.com\n"], "csv"))
    assert [(row.number, row.recipient and row.recipient.address) for row in rows] == [
        (1, "ann@example.com"),
        (3, "bob@example.com"),
    ]


def test_a_file_whose_columns_name_no_address_is_none() -> None:
    with pytest.raises(Invalid, match="call one `address`"):
        list(read_rows(["name,city\n"], "csv"))


@pytest.mark.parametrize(
    "line",
    [
        '{"address":"ann@example.com","name":"Ann","tags":["vip","de"],"metadata":{"plan":"x"},"data":{"city":"Ulm"}}',
        '{"address":{"email":"ann@example.com","name":"Ann"},"tags":["vip","de"],"metadata":{"plan":"x"},'
        '"substitution_data":{"city":"Ulm"}, "header_to": null}',
    ],
)
def test_lines_of_json_are_read_as_ours_and_as_sparkposts(line: str) -> None:
    (row,) = read_rows([line], "jsonl")
    assert (row.problem, row.recipient) == ("", ANN)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"address":"ann"}', "address: 'ann' is no address"),
        ('{"name":"Ann"}', "address: is missing"),
        ('{"adress":"a@example.com"}', "adress: no field is called so; did you mean address?"),
        ('{"address":"a@example.com","data":[1]}', "data: write an object"),
        ('{"address":"a@example.com","tags":"x"}', "tags: write a list of texts"),
        ('{"address":"a@example.com","name":7}', "name: write a text"),
        ('{"address":["a@example.com"]}', "address: is missing"),
        ("[", "row: write an object in each line"),
        ("nonsense", "JSON is malformed"),
        ('{"address":"a@example.com","data":{"a":"%s"}}' % ("x" * 100_001), "data: 100,009 bytes"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_and_the_others_are_read(line: str, said: str) -> None:
    wrong, good = read_rows([line, '{"address":"ok@example.com"}'], "jsonl")
    assert (wrong.number, wrong.recipient) == (1, None)
    assert said in wrong.problem
    assert good.recipient == ListedRecipient("ok@example.com")


def test_wrong_lines_of_csv_are_told_with_their_number() -> None:
    text = 'address,data\nann,\n"bob@example.com","{"\n\ncy@example.com,"{""a"":1}"\n'
    found = [(row.number, row.problem[:24]) for row in read_rows(io.StringIO(text), "csv")]
    assert found == [(2, "address: 'ann' is no add"), (3, "Input data was truncated"), (5, "")]


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Cf", "Zs", "Co", "Cn")), max_size=9)
OBJECT = st.dictionaries(TEXT, st.none() | TEXT | st.integers(-9, 9) | st.lists(TEXT, max_size=2), max_size=3)
RECIPIENTS = st.builds(
    recipient_of,
    st.sampled_from(["a@example.com", "b.c@d.example", '"a b"@example.com', "ü@example.com"]),
    name=TEXT,
    tags=st.lists(TEXT, max_size=3),
    metadata=OBJECT,
    data=OBJECT,
)


@given(st.lists(RECIPIENTS, max_size=5))
def test_what_is_written_is_read_again(recipients: list[ListedRecipient]) -> None:
    assert unpacked(packed(recipients)) == recipients
    lines = [msgspec.json.encode(row_of_json(each)).decode() for each in recipients]
    assert [row.recipient for row in read_rows(lines, "jsonl")] == recipients
    assert all(isinstance(json.loads(line), dict) for line in lines)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(row_of_csv, recipients))
    file.seek(0)
    assert [row.recipient for row in read_rows(file, "csv")] == recipients


@given(
    st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5), max_size=40),
    st.sampled_from(["first", "last", "all"]),
    st.sampled_from([2, 6, 4_096]),
)
def test_of_rows_with_one_mark_one_stays(marks: list[int], keep: DuplicateRule, spilled: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("angarium.assets.lists.duplicates._SPILLED", spilled)
        finder = DuplicateFinder()
        for mark in marks:
            finder.add(mark)
        dropped = finder.dropped(keep)
        finder.close()
    left = [row for row in range(len(marks)) if row not in dropped]
    wanted = {
        "first": sorted(marks.index(mark) for mark in set(marks)),
        "last": sorted(len(marks) - 1 - marks[::-1].index(mark) for mark in set(marks)),
        "all": list(range(len(marks))),
    }
    assert left == wanted[keep]
    assert dropped.count == len(marks) - len(left)
    assert list(read_marks(written_marks(marks))) == marks


def test_addresses_that_are_compared_as_the_same_have_one_mark() -> None:
    assert mark_of("Ann@Example.COM") == mark_of("ann@example.com") != mark_of("ann+x@example.com")
