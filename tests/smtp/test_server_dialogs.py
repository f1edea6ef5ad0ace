"""Each dialog in dialogs/server is one behaviour of the server machine."""

from pathlib import Path

import pytest

from angarium.testing.dialog import play, read_dialog
from angarium.testing.server_peer import ServerPeer

DIALOGS = sorted((Path(__file__).parent / "dialogs" / "server").glob("*.smtp"))


@pytest.mark.parametrize("path", DIALOGS, ids=lambda path: path.stem)
def test_the_server_keeps_to_the_dialog(path: Path) -> None:
    dialog = read_dialog(path)
    play(dialog, ServerPeer(*dialog.settings))
