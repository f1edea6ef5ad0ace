"""What a session of the sink says: what is usual, or what the script wants."""

from collections.abc import Callable
from typing import Final

from angarium.core.reply import Reply
from angarium.testing.sink.conduct import Conduct
from angarium.testing.sink.mail import SinkMail
from angarium.testing.sink.script import Deed, SinkStage
from angarium.testing.sink.wire import SinkWire

_GREYLISTED: Final = Reply(450, "4.2.0", "greylisted, come back later").encode()


class SinkAnswers:
    """Answers over *wire*, about *mail*, by *conduct*. *peer* is the address of the client."""

    def __init__(self, conduct: Conduct, wire: SinkWire, mail: SinkMail) -> None:
        self.peer = ""
        self._conduct = conduct
        self._wire = wire
        self._mail = mail

    def answer(
        self,
        stage: SinkStage,
        usual: bytes,
        then: Callable[[], None] | None = None,
        recipients: list[str] | None = None,
    ) -> None:
        """Answer *usual*, or what the script wants; *then* is done if that is a yes."""
        conduct, sender = self._conduct, self._mail.sender
        rule = None
        if conduct.has_rules(stage):
            rule = conduct.choose(stage, sender, recipients or self._mail.recipients)
        if rule is None:
            self._wire.output.append(usual)
            self._note(usual, then)
            return
        deed = rule.deed
        if deed.keep and then is not None:
            then()
            then = None
        reply = usual if deed.reply is None else deed.reply.encode()
        if recipients and conduct.is_greylisted(deed, self.peer, sender, recipients[0]):
            reply = _GREYLISTED
        self.obey(deed, reply, then)

    def obey(self, deed: Deed, reply: bytes, then: Callable[[], None] | None = None) -> None:
        """Say *reply* as *deed* wants it said."""
        self._wire.later(deed, lambda: self._carry_out(deed, reply, then))

    def _carry_out(self, deed: Deed, reply: bytes, then: Callable[[], None] | None) -> None:
        if deed.is_silent:
            self._wire.close()
            return
        self._wire.say(deed, reply)
        self._note(reply, then)

    def _note(self, reply: bytes, then: Callable[[], None] | None) -> None:
        if reply[0] >= 52:
            self._conduct.counters.refusals += 1
        elif then is not None:
            then()
