"""What a User-Agent tells of the program, the system and the device."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.dialects.agents import read_agent

KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {KIT} Chrome/120.0.0.0 Safari/537.36"
ANDROID = f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {KIT} Chrome/120.0.0.0 Mobile Safari/537.36"
THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Thunderbird/115.5.0"
APPLE = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {KIT}"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.mark.parametrize(
    ("said", "client", "system", "device"),
    [
        (CHROME, "Chrome 120", "Windows", "Desktop"),
        (f"{CHROME} Edg/120.0.2210.91", "Edge 120", "Windows", "Desktop"),
        (THUNDERBIRD, "Thunderbird 115", "Linux", "Desktop"),
        (APPLE, "Apple Mail", "OS X 10.15", "Desktop"),
        (ANDROID, "Chrome 120", "Android 14", "Mobile"),
        (GMAIL, "Gmail", "", "WebMail"),
        ("curl/8.0", "", "", "Unknown"),
        ("", "", "", "Unknown"),
    ],
)
def test_what_it_tells(said, client, system, device):
    agent = read_agent(said)
    assert (agent.client.name, agent.system.name, agent.device) == (client, system, device)


@given(st.text())
def test_any_text_is_read(said):
    assert read_agent(said).device in ("Desktop", "Mobile", "WebMail", "Unknown")
