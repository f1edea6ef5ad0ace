"""`x-smtpeter-*`: what each field means, and what is wrong with some."""

import pytest

from angarium.core.options import NO_OPTIONS, Options
from angarium.mime.header import HeaderBlock, cut
from angarium.submission.replies import reply_to
from angarium.testing.dialects import read_options


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("x-smtpeter-inlinecss: true", Options(inline_css=True)),
        ("X-SMTPeter-InlineCSS: FALSE", Options(inline_css=False)),
        ("x-smtpeter-inlinecss: 1", Options(inline_css=True)),
        ("x-smtpeter-trackclicks: true", Options(track_links="all")),
        ("x-smtpeter-trackclicks: false", Options(track_links="none")),
        ("x-smtpeter-trackopens: yes", Options(track_opens=True)),
        ("x-smtpeter-trackbounces: off", Options(track_bounces=False)),
        ("x-smtpeter-preventscam: true", Options(prevent_scam=True)),
        ("x-smtpeter-images: hosted", Options(host_images=True)),
        ("x-smtpeter-images: Default", Options(host_images=False)),
        ("x-smtpeter-tags: news, june ,, news,\r\n vip", Options(tags=("news", "june", "vip"))),
        ("x-smtpeter-tags: =?utf-8?b?Z3LDvG4=?=,rot", Options(tags=("grün", "rot"))),
        ("x-smtpeter-tags: =?utf-8?q?a=2Cb?=, =?utf-8?q?c,d?= e", Options(tags=("a,b", "c,d e"))),
        ("x-smtpeter-tags: ,", NO_OPTIONS),
        ("x-smtpeter-trackopens:", NO_OPTIONS),
        ("x-smtpeter-template: 12", NO_OPTIONS),
        # as they were called in earlier days
        ("x-smtpeter-inlinizecss: true", Options(inline_css=True)),
        ("x-smtpeter-clicktracking: true", Options(track_links="all")),
        ("x-smtpeter-openstracking: true", Options(track_opens=True)),
        ("x-smtpeter-bouncetracking: true", Options(track_bounces=True)),
        ("x-smtpeter-embedded: hosted", Options(host_images=True)),
    ],
)
def test_one_field(line: str, options: Options) -> None:
    found = read_options(HeaderBlock.scan(line.encode() + b"\r\n\r\n"))
    assert (found.options, found.problems) == (options, ())


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "x-smtpeter-trackclicks: maybe",
            "option_syntax: 550 5.6.0 x-smtpeter-trackclicks must be true or false, not 'maybe'",
        ),
        (
            "x-smtpeter-images: all",
            "option_syntax: 550 5.6.0 x-smtpeter-images must be hosted or default, not 'all'",
        ),
        (
            "x-smtpeter-tags: " + ",".join(f"t{n}" for n in range(101)),
            "option_limit: 550 5.6.0 x-smtpeter-tags may name 100 tags, not 101",
        ),
        (
            "x-smtpeter-tags: " + "t" * 256,
            "option_limit: 550 5.6.0 x-smtpeter-tags: 'ttttttttttttttttttttttttttttttttttttt...' is longer than 255 "
            "characters",
        ),
    ],
)
def test_what_cannot_be_obeyed(line: str, sentence: str) -> None:
    (problem,) = read_options(HeaderBlock.scan(line.encode() + b"\r\n\r\n")).problems
    assert f"{problem.reason.label}: {reply_to(problem)}" == sentence
    assert problem.dialect == "smtpeter"


def test_all_fields_of_the_prefix_are_taken_out() -> None:
    text = b"x-smtpeter-tags: a\r\nSubject: x\r\nX-SMTPETER-NOBODY-KNOWS: b\r\n c\r\n\r\nbody\r\n"
    found = read_options(HeaderBlock.scan(text))
    assert cut(text, found.spans) == b"Subject: x\r\n\r\nbody\r\n"
