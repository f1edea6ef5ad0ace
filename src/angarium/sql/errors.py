"""What a store refuses, and what keeps it from answering.

    AngariumError
    ├── StoreError      the database cannot be asked, or is not what it should be
    ├── NotFound        there is nothing of that id or name
    ├── Conflict        it cannot be done as things stand
    └── Invalid         a value that cannot be taken, with the name of its field

No text holds a secret, or the value of a field that may be one.
"""

from angarium.core.errors import AngariumError


class StoreError(AngariumError):
    """The database does not answer as it should; nothing was changed."""


class NotFound(AngariumError):
    """There is no such thing. *what* names it: `template 7`."""

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no {what}; list what there is to find the right number or name")
        self.what = what


class Conflict(AngariumError):
    """Something there already is stands against it. *what* is the whole sentence, with what to do instead."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Invalid(AngariumError):
    """A value that cannot be taken. *message* says what to write instead."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field, self.message = field, message
