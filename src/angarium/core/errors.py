"""The root of the errors that have a sentence for the person who reads them."""


class AngariumError(Exception):
    """Something went wrong that a person can act on. `str()` is the sentence; details are attributes."""
