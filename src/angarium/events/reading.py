"""One day as it is asked, in whatever database its tables are."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from angarium.core.ids import MessageId, format_id
from angarium.core.records import Attempt
from angarium.events.catalogue import BY_NUMBER, KINDS, STATES
from angarium.events.conditions import Conditions, scoped
from angarium.events.day_sql import Ask, Condition, DaySql, Lead, Said
from angarium.events.forgetting import FORGOTTEN
from angarium.events.port import Extent, FoundMail, Happening, Timeline, Whose
from angarium.events.rollups.counting import DayCounter
from angarium.events.rows import INDEX_BITS, WHOLE, EventDetail, of_account
from angarium.query.nodes import Everything, Node
from angarium.query.words import folded

Leads = Callable[[Node, Whose], Sequence[Lead]]
"""Returns how what a query asks for is found: it is what one of them finds."""

_AT_ONCE = 500

_detail = msgspec.msgpack.Decoder(EventDetail).decode
_metadata = msgspec.msgpack.Decoder(dict[str, Any]).decode


class Span(NamedTuple):
    """Events numbered above *after* and below *before* (None: all those), of *types* (empty: of all)."""

    after: int
    before: int | None = None
    types: Sequence[str] = ()

    def has(self, number: int) -> bool:
        """Whether a number is within its bounds."""
        return self.after < number and (self.before is None or number < self.before)

    def overlaps(self, extent: Extent) -> bool:
        """Whether something of a day may be within its bounds."""
        return self.after < extent.last and (self.before is None or extent.first < self.before)

    def condition(self) -> Condition:
        """Return the condition that an event `e` is in it."""
        parts, values = ["e.no > ?"], [self.after]
        if self.before is not None:
            parts.append("e.no < ?")
            values.append(self.before)
        if self.types:
            parts.append(f"e.kind IN ({','.join('?' * len(self.types))})")
            values += [KINDS[name].number for name in self.types]
        return " AND ".join(parts), values


class DayReader:
    """Asks *ask* for what is in a day's tables, as *sql* wants it. Raises what *ask* raises."""

    def __init__(self, ask: Ask, sql: DaySql, leads: Leads | None = None, said: Said | None = None) -> None:
        self._ask = ask
        self._sql = sql
        self._conditions = Conditions(sql)
        self._all = f"{sql.prefix}recipient r JOIN {sql.prefix}message m ON m.no = r.no >> {INDEX_BITS}"
        self._leads = leads or self._lead
        self._said = said or said_in_full
        self.counter = DayCounter(ask, sql, self._said)

    def mail(self, node: Node, scope: Whose, below: int, limit: int) -> list[tuple[int, FoundMail]]:
        """Return the newest of what *node* finds, each with its number, all of which are below *below*."""
        found: dict[int, FoundMail] = {}
        for source, values, (where, wanted), number, is_newest in self._leads(node, scope):
            sql = f"{self._mail(source)} WHERE {number} < ? AND {where} ORDER BY {number} DESC LIMIT ?"
            rows = self._ask(sql, [*values, below, *wanted, limit])
            found |= {row[0]: _found(row) for row in rows if row[0] not in found}
            if is_newest and len(found) >= limit:
                break
        return sorted(found.items(), reverse=True)[:limit]

    def count(self, node: Node, scope: Whose, most: int) -> int:
        """Return how many *node* finds, counting up to *most*."""
        leads = self._leads(node, scope)
        each = " UNION ".join(f"SELECT r.no FROM {lead.source} WHERE {lead.where[0]}" for lead in leads)
        asked = [value for lead in leads for value in (*lead.values, *lead.where[1])]
        return int(self._ask(f"SELECT count(*) FROM ({each} LIMIT ?) counted", [*asked, most])[0][0])

    def _lead(self, node: Node, scope: Whose) -> Sequence[Lead]:
        """Find by a condition and nothing else, as the database can."""
        return [Lead(self._all, [], self._conditions.scoped(node, scope))]

    def timeline(self, message: MessageId, scope: Whose) -> Timeline | None:
        """Return all that is known of a message; None when it is not there, or not in *scope*."""
        where, values = scoped(("m.id = ?", [message]), scope)
        found = self._ask(f"SELECT m.no FROM {self._sql.prefix}message m WHERE {where}", values)
        if not found:
            return None
        first = found[0][0] << INDEX_BITS
        recipients = f"{self._mail(self._all)} WHERE r.no BETWEEN ? AND ? ORDER BY r.no"
        happenings = f"{self._event()} WHERE e.recipient BETWEEN ? AND ? ORDER BY e.at, e.no"
        return Timeline(
            [_found(row) for row in self._ask(recipients, [first, first + WHOLE])],
            [self._happening(row) for row in self._ask(happenings, [first, first + WHOLE])],
        )

    @property
    def extent(self) -> Extent:
        """The numbers of what was stored first and last."""
        ends = (f"(SELECT {end}(no) FROM {self._sql.prefix}event)" for end in ("min", "max"))
        first, last = self._ask(f"SELECT {', '.join(ends)}", [])[0]
        return Extent(first or 0, last or 0)

    def nearest(self, span: Span, *, newest: bool) -> int | None:
        """Return the first number in *span*, or the last where *newest*, of whatever type; None: there is none."""
        within, values = span._replace(types=()).condition()
        sql = f"SELECT {'max' if newest else 'min'}(e.no) FROM {self._sql.prefix}event e WHERE {within}"
        found: int | None = self._ask(sql, values)[0][0]
        return found

    def numbers(self, node: Node, scope: Whose, span: Span, limit: int, *, newest: bool) -> list[int]:
        """Return the numbers of what is in *span* and of mail that *node* finds: the first so many, or the *newest*."""
        condition, values = self._sql.everything, list[Any]()
        if node != Everything() or scope != Whose():
            where, values = self._conditions.scoped(node, scope)
            condition, values = self._either(where), values * 2
            if node == Everything() and scope.account is not None and scope.servers is None:
                condition, values = f"({condition}) OR e.recipient = ?", [*values, of_account(scope.account)]
        order = "DESC" if newest else "ASC"
        within, bounds = span.condition()
        sql = f"SELECT e.no {self._happened()} WHERE {within} AND ({condition}) ORDER BY e.no {order} LIMIT ?"
        return [number for (number,) in self._ask(sql, [*bounds, *values, limit])]

    def happenings(self, numbers: Sequence[int]) -> list[Happening]:
        """Return what has these *numbers*, which are in their order."""
        found: list[Happening] = []
        for start in range(0, len(numbers), _AT_ONCE):
            some = numbers[start : start + _AT_ONCE]
            sql = f"{self._event()} WHERE e.no IN ({', '.join('?' * len(some))}) ORDER BY e.no"
            found += map(self._happening, self._ask(sql, some))
        return found

    def _mail(self, source: str) -> str:
        word, text = self._word, self._sql.text
        return f"""
            SELECT r.no, m.id, m.at, r.address, {text("m.sender")}, {text("m.author")}, {text("m.subject")},
              m.message_id, m.size, m.account, m.server, {word("m.stream")}, {word("m.campaign")}, {self._sql.tags},
              m.metadata, {word("r.home")}, {word("r.binding")}, {word("m.listener")}, r.state, r.at, r.due, r.attempts,
              {self._sql.reply}, {word("r.reason")}, {self._sql.is_forgotten}
            FROM {source}"""

    def _event(self) -> str:
        return f"""
            SELECT e.no, m.id, e.recipient, r.address, e.at, e.kind, e.reply, {self._word("e.reason")}, e.detail,
              coalesce(m.account, -(e.recipient >> {INDEX_BITS})), e.server, {self._word("e.stream")},
              {self._word("r.domain")},
              {self._word("e.binding")}, {self._word("e.provider")}, e.seq {self._happened()}"""

    def _happened(self) -> str:
        """Return the tables: events, with the message and the recipient that they are of, where there is one."""
        prefix = self._sql.prefix
        return f"""FROM {prefix}event e LEFT JOIN {prefix}message m ON m.no = e.recipient >> {INDEX_BITS}
            LEFT JOIN {prefix}recipient r ON r.no = e.recipient"""

    def _word(self, column: str) -> str:
        return f"(SELECT text FROM {self._sql.prefix}word WHERE no = {column})"

    def _either(self, where: str) -> str:
        """Return the condition that an event is of a recipient of interest, or of all of a message with one."""
        return f"""(r.no IS NOT NULL AND {where}) OR ((e.recipient & {WHOLE}) = {WHOLE} AND EXISTS (
            SELECT 1 FROM {self._sql.prefix}recipient r
            WHERE r.no BETWEEN m.no << {INDEX_BITS} AND (m.no << {INDEX_BITS}) + {WHOLE} AND ({where})))"""

    def _happening(self, row: tuple[Any, ...]) -> Happening:
        (number, message, recipient, address, at, kind, reply, reason, detail, account, server, stream, domain, binding,
         provider, sequence) = row  # fmt: skip
        index = recipient & WHOLE
        return Happening(
            number=number,
            type=BY_NUMBER[kind].name,
            at=at,
            message=None if message is None else format_id(message),
            index=None if index == WHOLE else index,
            address=address or "",
            reply=reply,
            reason=reason,
            details={} if detail is None else self._said(detail, at),
            account=account,
            server=server,
            stream=stream,
            domain=domain or "",
            binding=binding,
            provider=provider,
            sequence=sequence,
        )


def meta(metadata: bytes | None, name: str) -> str:
    """Return the value of a name in a message's metadata, folded; empty for none."""
    return folded_meta(_metadata(metadata).get(name, "")) if metadata else ""


def folded_meta(value: Any) -> str:
    """Return a value of the metadata as it is searched."""
    return folded(value if isinstance(value, str) else json.dumps(value))


def _found(row: tuple[Any, ...]) -> FoundMail:
    (number, message, at, address, sender, author, subject, message_id, size, account, server, stream, campaign, tags,
     metadata, domain, binding, listener, state, changed_at, due, attempts, reply, reason, forgotten) = row  # fmt: skip
    return FoundMail(
        message=format_id(message),
        index=number & WHOLE,
        at=at,
        address=address,
        sender=sender,
        author=author,
        subject=subject,
        message_id=message_id,
        size=size,
        account=account,
        server=server,
        stream=stream,
        campaign=campaign,
        tags=json.loads(tags),
        metadata=_metadata(metadata) if metadata else {},
        domain=domain,
        binding=binding,
        listener=listener,
        state=STATES[state],
        changed_at=changed_at,
        due_at=due,
        attempts=attempts,
        reply=reply,
        reason=reason,
        note=FORGOTTEN if forgotten else "",
    )


def said_in_full(data: bytes, at: float) -> dict[str, Any]:
    """Return what an `EventDetail` says, by name, without what it does not say."""
    detail = _detail(data)
    fields = {name: getattr(detail, name) for name in ("attempts", "due_at", "note")}
    if detail.attempt is not None:
        fields["attempt"] = msgspec.to_builtins(_by_name(msgspec.convert(detail.attempt, Attempt)))
    return {**{name: value for name, value in fields.items() if value}, **detail.fields}


def _by_name(attempt: Attempt) -> dict[str, Any]:
    facts = attempt.tls_facts
    return {
        **msgspec.structs.asdict(attempt),
        "tls_facts": None if facts is None else msgspec.structs.asdict(facts),
    }
