"""Mail to a stored list: whose it is, and how many are on it."""

from typing import Protocol

from angarium.core.submission import ListSource, Problem, Reason
from angarium.identity.principal import Principal
from angarium.sql.errors import NotFound, StoreError
from angarium.submission.requests.mail import Mail
from angarium.submission.requests.templates import name_of


class SendersLists(Protocol):
    """Lists of senders; `node.recipient_lists.WorkerLists` is one."""

    async def get(self, account: int, name: int | str) -> ListSource:
        """Return a list of an account by its id or alias. Raises NotFound, StoreError."""
        ...


async def source_of(
    mail: Mail, principal: Principal, lists: SendersLists | None
) -> ListSource | Problem | None:
    """Return the list that *mail* goes to, None for mail that names its recipients; or what is wrong with the list."""
    if mail.recipient_list is None:
        return None
    if lists is None:
        return _wrong("is not known here")
    try:
        found = await lists.get(principal.account.id, name_of(mail.recipient_list))
    except NotFound as error:
        return _wrong(f"is not known: {error}")
    except StoreError:
        return Problem(Reason.LOGIN_UNCHECKED)
    if not found.size and mail.due_at is None:
        return _wrong("has nobody on it")
    return found


def _wrong(why: str) -> Problem:
    return Problem(Reason.FIELD, "recipient_list", facts={"why": why})
