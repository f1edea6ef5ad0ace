"""What keeps the keys of the identity store from being used. What a store refuses is in `sql.errors`."""

from angarium.core.errors import AngariumError


class KeyRingError(AngariumError):
    """The key file cannot be used, or a secret cannot be decrypted with the keys in it."""
