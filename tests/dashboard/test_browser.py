"""The pages of the real node in Debian's Chromium: nothing fails, nothing is asked of another host, axe finds nothing.

Each run leaves pictures of all pages in the folder `.cache/pages`, to be looked at.
"""

import json
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from angarium.testing.lab import submit
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.peers import find_program

pytestmark = [pytest.mark.peer, pytest.mark.process]

ROOT = Path(__file__).parents[2]
AXE = ROOT / ".cache/node/node_modules/axe-core/axe.min.js"
PICTURES = ROOT / ".cache/pages"
PAGES = {
    "overview": "/ui/",
    "messages": "/ui/messages",
    "found": "/ui/messages?query=status:expired",
    "nothing found": "/ui/messages?query=xyzzy",
    "wrong query": "/ui/messages?query=red%5E4",
    "message": "",
    "suppressions": "/ui/suppressions",
    "reports": "/ui/reports",
    "keys": "/ui/keys",
    "documentation": "/ui/docs",
    "page": "/ui/docs/queue.html",
    "documentation found": "/ui/docs/find?query=retry+AND+interv*",
    "me": "/ui/me",
    "missing": "/ui/nothing",
}


def made(node, *words, text=""):
    done = subprocess.run(
        [ANGARIUM, *words, "--data", node.data, "--json"], input=text, capture_output=True, text=True
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def node():
    with Node('Gateway = "127.0.0.1:9"\nRetry_Interval = 1\nMax_Retries = 0\n', workers=1) as node:
        made(node, "init")
        made(
            node, "people", "create", "ann@example.com", "--role", "operator", text="correct horse battery\n"
        )
        for number in range(3):
            text = (
                f"From: Shop <me@example.org>\r\nSubject: <b>Order</b> {number} {'long ' * 20}\r\n\r\nHi.\r\n"
            )
            submit(node.smtp_port, "me@example.org", [f"you{number}@example.com"], text.encode())
        submit(node.smtp_port, "me@example.org", ["x" * 60 + "@" + "d" * 60 + ".example.com"])
        made(node, "suppressions", "add", "eve@example.com", "--note", "asked by letter")
        node.program.wait_until(
            lambda: "expired" in json.dumps(made(node, "search")), "an end that is recorded"
        )
        yield node


@pytest.fixture(scope="module")
def pages(node):
    message = made(node, "search", "status:expired")["found"][0]["message"]
    return {name: path or f"/ui/m/{message}" for name, path in PAGES.items()}


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_program("chromium", "chromium"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def state(node, chromium):
    """What a browser has kept in which somebody has logged in by a link."""
    link = made(node, "people", "link", "ann@example.com")["link"]
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{node.http_port}{urlsplit(link).path}?{urlsplit(link).query}")
        assert page.title() == "Overview · Angarium"
        return context.storage_state()


@pytest.mark.parametrize(
    ("width", "height", "scheme"),
    [
        (1280, 900, "light"),
        (360, 800, "dark"),
        pytest.param(1280, 900, "dark", marks=pytest.mark.long),
        pytest.param(360, 800, "light", marks=pytest.mark.long),
    ],
)
def test_every_page_is_whole(node, pages, chromium, state, width, height, scheme):
    faults = []
    viewport = {"width": width, "height": height}
    with chromium.new_context(viewport=viewport, color_scheme=scheme, storage_state=state) as context:
        page = context.new_page()
        page.on("console", lambda said: faults.append(said.text) if not _is_status(said) else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda request: faults.append(request.url) if _is_elsewhere(node, request.url) else None,
        )
        for name, path in pages.items():
            answer = page.goto(f"http://127.0.0.1:{node.http_port}{path}")
            assert answer.status < 500
            PICTURES.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=PICTURES / f"{name.replace(' ', '-')}-{width}-{scheme}.png")
            if page.evaluate("document.documentElement.scrollWidth") > width:
                faults.append(f"{name}: wider than the window")
            faults += [f"{name}: {fault}" for fault in _axe(page)]
    assert faults == []


def _is_status(said):
    """Whether the browser tells of an answer of 400 or 404, which is as it should be."""
    return said.text.startswith("Failed to load resource") and "50" not in said.text


def _is_elsewhere(node, url):
    return not url.startswith((f"http://127.0.0.1:{node.http_port}/", "data:"))


def _axe(page):
    """Return what axe finds that keeps somebody out; by `evaluate`, which the policy of the pages does not stop."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def test_a_search_and_a_suppression_by_keyboard_alone(node, chromium, state):
    with chromium.new_context(storage_state=state) as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{node.http_port}/ui/messages")
        page.get_by_role("searchbox").focus()
        page.keyboard.type("to:you1")
        page.keyboard.press("Enter")
        page.wait_for_url("**/messages?query=to%3Ayou1")
        assert page.locator("tbody tr").count() == 1
        page.goto(f"http://127.0.0.1:{node.http_port}/ui/suppressions")
        page.get_by_label("Address, domain or pattern").fill("bob@example.com")
        page.keyboard.press("Enter")
        page.get_by_text("bob@example.com is suppressed").wait_for()
        page.get_by_role("row").filter(has_text="bob@example.com").get_by_role("button", name="Lift").press(
            "Enter"
        )
        page.get_by_text("bob@example.com may get mail again").wait_for()
