"""A page as it is read: title, sections, anchors, links."""

from angarium.documentation.markdown import Reader, anchor_of
from angarium.documentation.page import DocSource

TEXT = """# The `queue`

How mail waits.

## Why?

See [routes](routing.md#gateway), [the file](examples/angarium.conf), `Gateway = none` and `angarium queue --json`.

| a | b |
|---|---|
| one | two |

## Why?

```
$ angarium queue
```
"""
KNOWN = ("queue", "routing", "options/Gateway")


def read(text, name="queue"):
    about = {"Gateway = none": "options/Gateway"}.get
    return Reader(KNOWN, about).read(DocSource(name, text))


def test_a_page_has_a_title_and_a_section_for_each_heading():
    page = read(TEXT)
    assert page.title == "The queue"
    assert [(section.heading, section.anchor, section.level) for section in page.sections] == [
        ("The queue", "the-queue", 1),
        ("Why?", "why", 2),
        ("Why?", "why-1", 2),
    ]
    assert page.sections[0].text == "How mail waits."
    assert "one  two" in page.sections[1].text
    assert page.sections[2].text == "$ angarium queue"


def test_anchors_are_those_of_github():
    assert anchor_of("What is refused, and what to do") == "what-is-refused-and-what-to-do"
    assert anchor_of("AUTH_Without_TLS (in)") == "auth_without_tls-in"


def test_links_lead_to_pages_of_the_site_and_what_is_no_page_is_no_link():
    html = read(TEXT).html
    assert '<a href="routing.html#gateway">routes</a>' in html
    assert "examples" not in html
    assert "the file" in html


def test_what_has_a_page_is_a_link_where_it_is_written_as_code():
    assert '<a href="options/Gateway.html"><code>Gateway = none</code></a>' in read(TEXT).html
    below = read("`Gateway = none` and [all](../queue.md)", "commands/x").html
    assert '<a href="../options/Gateway.html">' in below
    assert '<a href="../queue.html">all</a>' in below


def test_code_in_a_heading_or_in_a_link_stays_as_it_is():
    assert "<h1 id=" in read("# `Gateway = none`").html
    assert "options/" not in read("# `Gateway = none`").html
    assert read("[`Gateway = none`](routing.md)").html.count("<a ") == 1


def test_what_may_be_wider_than_the_page_can_be_moved_by_the_keyboard():
    html = read(TEXT).html
    assert '<div class="table" tabindex="0"><table>' in html
    assert '<pre tabindex="0">' in html


def test_text_before_the_first_heading_is_a_section_too():
    (first, second) = read("Hello.\n\n# One\n").sections
    assert (first.heading, first.anchor, first.text) == ("", "", "Hello.")
    assert second.heading == "One"
