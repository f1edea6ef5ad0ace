"""The personalisation language, as a table of templates (smtpeter.md §3.15)."""

# ruff: noqa: E501

from typing import Any

import pytest

from angarium.render.languages.compiled import compile_template
from angarium.render.languages.problem import TemplateFailure, TemplateProblems

DATA: dict[str, Any] = {
    "name": "ann",
    "html": "<a href='x'>&\"",
    "x": 5,
    "half": 0.5,
    "text": "hello big wide world",
    "lines": "one\ntwo\n\nthree",
    "no": False,
    "yes": True,
    "zero": 0,
    "blank": "",
    "nothing": None,
    "seven": "7",
    "first-name": "Dash",
    "a": {"b": [1, {"c": "deep"}], "d-e": "f"},
    "key": "b",
    "list": ["q", "r"],
    "object": {"b": 1, "a": 2},
    "none": [],
}

RENDERED = [
    ("{$name} {$a.b[1].c} {$a[$key][0]} {$list[0]} {$a.d-e} {$first-name}", "ann deep 1 q f Dash"),
    ("[{$missing}{$nothing}{$list}{$a}{$list[9]}{$object[0]}{$Name}]", "[]"),
    ("{$html}", "<a href='x'>&\""),
    ("{$x + 1} {$x - 1} {$x * 2} {$x / 2} {$x % 3} {$half + 1} {$seven + 1} {$name + 1} {7 - 2}", "6 4 10 2 2 1.5 8 1 {7 - 2}"),
    ("{$yes} {$no} {$half} {$zero}", "true false 0.5 0"),
    ("{if $x > 3 AND not $no}a{else}b{/if}{if $x eq 5 && !$zero}c{endif}{if $blank || $none}d{/if}", "ac"),
    ("{if $x > 9}a{elseif $x >= 5}b{else}c{/if}", "b"),
    ("{if $seven == 7}as numbers{/if} {if $name == 'ann'}as text{/if} {if $name == 0}x{/if}", "as numbers as text "),
    ("{if $x gte 5}{if $x lte 5}{if $x gt 4}{if $x lt 6}{if $x ne 4}{if $x <> 4}all{/if}{/if}{/if}{/if}{/if}{/if}", "all"),
    ("{foreach $i in $list}{$i},{/foreach} {foreach $list as $i}{$i};{/foreach}", "q,r, q;r;"),
    ("{foreach $object as $k => $v}{$k}={$v};{/foreach}{foreach $list as $k => $v}{$k}{$v}{/foreach}", "a=2;b=1;0q1r"),
    ("{foreach $none as $i}{$i}{foreachelse}none{/foreach}{foreach $missing as $i}{foreachelse}none{endforeach}", "nonenone"),
    ("{assign $x + 1 to $y}{$y} {$z = $y * 2}{$z} {foreach $y in $list}{$y}{/foreach}{$y}", "6 12 qr6"),
    ("{ldelim}x{rdelim} [ldelim]x[rdelim] {literal}{$name}{/literal} a{* gone {$x} *}b", "{x} {x} {$name} ab"),
    ("<style>a{color:red} b { color: {$name} }\n@media{a{b:c}}</style>", "<style>a{color:red} b { color: ann }\n@media{a{b:c}}</style>"),
    ('{"json": 1} { $x } {}', '{"json": 1} { $x } {}'),
    ("{hash($name,'md5')} {hash($name)|substr:0:4}", "7e0d7f8a5d96c24ffcc840f31bce72b2 4991"),
    ("{$name|toupper} {$name|ucfirst|cat:'!'} {$missing|default:'you'} {$blank|default:'you'} {$zero|default:'you'}", "ANN Ann! you you 0"),
    ("{$html|escape} {$html|escape:'url'} {$name|escape:'base64'}", "&lt;a href=&apos;x&apos;&gt;&amp;&quot; %3Ca%20href%3D%27x%27%3E%26%22 YW5u"),
    ("{$text|truncate:12} {$text|truncate:12:'…':true} {$text|truncate:5:''} {$text|truncate}", "hello big... hello big w… hello hello big wide world"),
    ("{$text|count_words} {$text|count_characters} {$text|strlen} {$lines|count_paragraphs} {$list|count} {$name|count}", "4 17 20 3 2 0"),
    ("{$text|replace:'big':'small'} {$text|regex_replace:'(b)(i)':'$2\\1'} {$text|strpos:'big'}", "hello small wide world hello ibg wide world 6"),
    ("{$text|range:7:3} {$text|substr:6:3} {$text|substr:-5} {$text|strstr:'wide'} {$text|strstr:' big':true}", "big big world wide world hello"),
    ("{$name|indent:2:'-'} {$name|indent} {$name|spacify:'.'} {$lines|nl2br}", "--ann     ann a.n.n one<br />\ntwo<br />\n<br />\nthree"),
    ("{$text|urlencode} {'a+b%21'|urldecode}", "hello+big+wide+world {'a+b%21'|urldecode}"),
    ("{$text|capitalize} {$list|toupper}{$name|md5|truncate:5:'':true}", "Hello Big Wide World 7e0d7"),
    ("{$x|number_format:2} {$big|number_format} {$x|number_format:1:',':'.'}", "5.00 0 5,0"),
    ("{$x|date_format:'%Y-%m-%d %H:%M:%S'}", "1970-01-01 00:00:05"),
    ("{if $list|count > 1}many{/if}", "many"),
]  # fmt: skip


@pytest.mark.parametrize(("template", "rendered"), RENDERED)
def test_what_a_template_renders_to(template: str, rendered: str) -> None:
    assert compile_template("smarty", template, "html").render(DATA) == rendered


def test_a_header_field_stays_one() -> None:
    data = {"x": "a\r\nBcc: all@example.com"}
    assert compile_template("smarty", "{$x}", "header").render(data) == "a Bcc: all@example.com"


WRONG = [
    ("{if $x}", 1, 1, "never ended: write {/if}"),
    ("\n {iff $x}", 2, 2, "there is no tag 'iff': write {if"),
    ("{name}", 1, 1, "write {$name} for a value"),
    ("{/if}", 1, 5, "nothing is open"),
    ("{if $x}{/foreach}{/if}", 1, 17, "closes another block"),
    ("{else}", 1, 6, "stands in no if"),
    ("{if $x}{foreachelse}{/if}", 1, 20, "stands in no foreach"),
    ("{if $x}{else}{elseif $y}{/if}", 1, 22, "stands in no if"),
    ("{foreach x in $y}{/foreach}", 1, 10, "write $x"),
    ("{foreach $x.y in $y}{/foreach}", 1, 10, "write {foreach $item in $list}"),
    ("{foreach $x}{/foreach}", 1, 12, "as is missing"),
    ("{assign 1 to x}", 1, 14, "write $name"),
    ("{$x|truncate:1:2:3:4}", 1, 5, "takes 3 arguments"),
    ("{$x|trim:1}", 1, 5, "takes no arguments"),
    ("{$x|}", 1, 5, "the name of a modifier is missing"),
    ("{$x|replace:'a}", 1, 13, "no second one"),
    ("{$x", 1, 2, "never ended"),
    ("{literal}{$x}", 1, 1, "never ended: write {/literal}"),
    ("{* x", 1, 1, "never ended: write *}"),
    ("{$x $y}", 1, 5, "not understood"),
    ("{if $x}" * 51 + "{/if}" * 51, 1, 355, "more than 50 deep"),
]


@pytest.mark.parametrize(("template", "line", "column", "problem"), WRONG)
def test_what_is_wrong_is_told_with_its_place(template: str, line: int, column: int, problem: str) -> None:
    with pytest.raises(TemplateProblems) as raised:
        compile_template("smarty", template, "html")
    found = next(found for found in raised.value.problems if problem in str(found))
    assert found.place == (line, column)


FAILING = [
    ("\n{$x / 0}", "line 2, column 5: division by zero"),
    ("{$x % 0}", "division by zero"),
    ("{$x|escape:'java'}", "there is no escape for 'java'"),
    ("{hash($x,'crc')}", "there is no hash 'crc'"),
    ("{$x|regex_replace:'(':''}", "the pattern of regex_replace is none"),
    ("{$name|regex_replace:'a':'$7'}", "names no group"),
    ("{$x|date_format:'%Y'|date_format}{$huge|date_format}", "date_format wants seconds"),
    ("{$name|indent:1000000000}", "1000000 characters at most"),
    ("{$name" + "|replace:'n':'nnnnnnnnnnnnnnnnnnnn'" * 20 + "}", "1000000 characters at most"),
    ("{$name" + "|regex_replace:'n':'nnnnnnnnnnnnnnnnnnnn'" * 20 + "}", "1000000 characters at most"),
]


@pytest.mark.parametrize(("template", "problem"), FAILING)
def test_what_fails_for_a_recipient(template: str, problem: str) -> None:
    with pytest.raises(TemplateFailure) as raised:
        compile_template("smarty", template, "html").render({**DATA, "huge": 1e300})
    assert problem in str(raised.value)


def test_a_modifier_that_is_not_known_does_nothing_and_is_told() -> None:
    template = compile_template("smarty", "{$name|touper}", "html")
    assert template.render(DATA) == "ann"
    assert [str(warning) for warning in template.warnings] == [
        "line 1, column 8: there is no modifier 'touper', and it does nothing: did you mean toupper?"
    ]


def test_a_strict_template_wants_every_value_that_it_writes() -> None:
    template = compile_template("smarty", "{if $a}x{/if}{$a|default:'you'}{$b}", "text", is_strict=True)
    assert template.render({"b": None}) == "you"
    with pytest.raises(TemplateFailure, match="not in the data"):
        template.render({})
