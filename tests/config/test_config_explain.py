"""What the operator is told: checks, single values with their source, the whole configuration in force."""

from dataclasses import replace
from pathlib import Path

import pytest

from angarium.config.docs import options_page
from angarium.config.explain import (
    BadQuestion,
    check,
    evaluate,
    needs_restart,
    read_question,
    show_effective,
)
from angarium.config.load import load_config, parse_config
from angarium.config.model import Config, UnknownOption
from angarium.config.problems import ConfigProblem

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "angarium.conf"
TEXT = """Outbound_Throttle_Messages = 100
Binding_Group g {
  Outbound_Throttle_Messages = "10/60"
  Binding b { Domain "/x/" { Max_Outbound_Connections = 2 } }
}
"""


@pytest.fixture
def config() -> Config:
    return parse_config(TEXT)


def ask(config: Config, words: str) -> str:
    return evaluate(config, read_question(words.split())).text


def test_a_value_is_told_with_the_place_that_set_it(config: Config) -> None:
    assert ask(config, "binding b domain ax.com max_outbound_connections") == (
        "Max_Outbound_Connections = 2    angarium.conf:4 (binding_group g::binding b::domain /x/)"
    )


def test_a_shared_limit_says_who_shares_it_and_what_it_goes_before(config: Config) -> None:
    assert ask(config, "binding_group g binding b Outbound_Throttle_Messages") == (
        'Outbound_Throttle_Messages = "10/60"    angarium.conf:3 (binding_group g)\n'
        "    one counter for all that fall back to binding_group g\n"
        "    instead of 100    angarium.conf:1 (global)"
    )


def test_a_default_says_that_it_is_one(config: Config) -> None:
    assert (
        ask(config, "domain x.com Max_Outbound_Connections")
        == "Max_Outbound_Connections = 32    built-in default"
    )
    assert (
        ask(config, "Scope_Max_Outbound_Connections")
        == "Scope_Max_Outbound_Connections = unset    built-in default"
    )
    assert (
        ask(config, "host mx.x.com Max_Outbound_Connections")
        == "Max_Outbound_Connections = -1    built-in default"
    )


def test_an_answer_is_also_a_record(config: Config) -> None:
    answer = evaluate(config, read_question(["binding", "b", "Outbound_Throttle_Messages"]))
    assert answer.record == {
        "option": "Outbound_Throttle_Messages",
        "value": "10/60",
        "unit": "messages",
        "where": "angarium.conf:3",
        "scope": "binding_group g",
        "shared": True,
        "instead_of": [{"value": "100", "where": "angarium.conf:1", "scope": "global"}],
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "which option?"),
        ("binding Retry_Interval", "binding has no value"),
        ("color red Retry_Interval", "color is no scope to look from"),
        ("binding x Retry_Interval", "there is no binding x; there are default, b"),
        ("group x Retry_Interval", "there is no binding group x; there are default, g"),
        ("group default binding b Retry_Interval", "binding b is in the group g, not in default"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(config: Config, words: str, sentence: str) -> None:
    with pytest.raises(BadQuestion, match=sentence.replace("?", r"\?")):
        ask(config, words)


def test_an_unknown_option_is_told_apart_from_one_that_is_not_served_yet(config: Config) -> None:
    with pytest.raises(UnknownOption, match=r"unknown option Retry_Intervall; did you mean Retry_Interval\?"):
        ask(config, "Retry_Intervall")
    with pytest.raises(
        UnknownOption, match="Blackhole is known from Momentum and not served: mail is not thrown away"
    ):
        ask(config, "Blackhole")


def test_a_check_says_good_or_every_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    looked: list[Config] = []
    unwise: list[ConfigProblem] = []

    def further(config: Config) -> list[ConfigProblem]:
        looked.append(config)
        return unwise

    path.write_text("Retry_Interval = 3\n")
    assert check(path, further).text == f"{path} is good: 1 options set"
    assert [config.outbound("b", "d.example").retry_interval for config in looked] == [3]
    unwise.append(ConfigProblem("a.conf", 1, 0, "too short", "write 30"))
    warned = check(path, further)
    assert (warned.ok, warned.record["warnings"][0]["hint"]) == (True, "write 30")
    assert warned.text == f"warning: a.conf:1: too short\n    write 30\n{path} is good: 1 options set"
    path.write_text("Foo = 1\nBar = 2\n")
    bad = check(path, further)
    assert not bad.ok
    assert bad.text.endswith("2 problems")
    assert [problem["line"] for problem in bad.record["problems"]] == [1, 2]


RULE = """ESMTP_Listener in { Listen "/run/in.sock" { Peer 10.0.0.0/8 { Lane = bulk } } File_Mode = 0600 }
Binding_Rule "a rule" {
  Listener = ( in )
  Peer = ( 10.0.0.0/8 )
  Sender_Domain = ( "*.x.com" )
  Header = [ "X-A" = "\\"quoted\\" [a-z]" ]
  Use_Binding = default
}
"""


@pytest.mark.parametrize("text", ["", TEXT, RULE, EXAMPLE])
def test_what_is_shown_is_a_configuration_with_the_same_effect(text: str | Path) -> None:
    config = load_config(text) if isinstance(text, Path) else parse_config(text)
    again = parse_config(show_effective(config).text)
    assert again.globals == config.globals
    assert list(again.bindings) == list(config.bindings)
    assert [replace(rule, where=None) for rule in again.binding_rules] == [
        replace(rule, where=None) for rule in config.binding_rules
    ]
    assert [listener.digest for listener in again.listeners] == [
        listener.digest for listener in config.listeners
    ]
    for binding in config.bindings:
        for domain in ("x.com", "local.example.com", "gmail.com", "mail.example.net"):
            old, new = config.outbound(binding, domain), again.outbound(binding, domain)
            assert show_fields(old) == show_fields(new)


def show_fields(options: object) -> list[str]:
    return [str(getattr(options, name)) for name in options.__slots__]  # type: ignore[attr-defined]


def test_the_page_of_options_is_as_the_table_says() -> None:
    page = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert page == options_page(), "run: python -m angarium.config.docs > docs/options.md"


def test_the_example_is_good_and_does_what_its_comments_say() -> None:
    config = load_config(EXAMPLE)
    relayed = config.outbound("default", "example.org")
    assert str(relayed.gateway) == "smarthost.example.net"
    local = config.outbound("default", "local.example.com")
    assert local.gateway is None
    assert [str(route) for route in local.routes] == ["smtp://192.0.2.25?port=24"]
    assert local.delivery_method == "LMTP"
    assert config.groups["campaigns"] == ("campaign-1", "campaign-2")
    throttles = [
        config.outbound(name, "x.com").outbound_throttle_messages for name in config.groups["campaigns"]
    ]
    assert [throttle.scope for throttle in throttles if throttle] == ["binding_group campaigns"] * 2
    assert config.outbound("default", "yahoo.co.uk").max_outbound_connections == 4
    assert config.where("Max_Outbound_Connections", domain="yahoo.co.uk") is not None


def test_a_reload_names_what_takes_a_restart() -> None:
    before = parse_config("")
    after = parse_config('Workers = 3 Log_Level = debug HTTP_Listener "h" { Listen "127.0.0.1:8088" { } }')
    assert needs_restart(before, after) == ["Workers", "HTTP_Listener"]
    assert needs_restart(before, parse_config("Log_Level = debug")) == []


PASSWORDS = """Outbound_SMTP_AUTH_Pass = "pw-of-the-relay"
Identity_Store = "postgresql://me:pw-of-the-store@db.test/{}"
Domain "a.test" {{ Outbound_SMTP_AUTH_Pass = "pw-of-a-domain" }}
"""


@pytest.mark.parametrize("database", ["mail", "mail?sslmode=require&password=pw-as-parameter"])
@pytest.mark.parametrize("defaults", [True, False])
def test_no_password_is_shown(database, defaults):
    config = parse_config(PASSWORDS.format(database), "a.conf")
    answers = [
        show_effective(config, defaults=defaults),
        evaluate(config, read_question(["Identity_Store"])),
        evaluate(config, read_question(["domain", "a.test", "Outbound_SMTP_AUTH_Pass"])),
    ]
    assert "pw-" not in "".join(f"{answer.text}{answer.record}" for answer in answers) + repr(config.globals)
    assert "//me:***@db.test/mail" in answers[0].text
    assert config.globals.identity_store.value.endswith(f":pw-of-the-store@db.test/{database}")
