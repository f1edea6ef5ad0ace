"""Why a recipient gets nothing of a message, and never will."""

from angarium.core.errors import AngariumError


class GenerationFailure(AngariumError):
    """There is no text for this recipient, and there will be none. Says why; it says nothing of the others."""


class GenerationRejection(GenerationFailure):
    """What there would be may not be sent, or nothing can be made of the form for anybody."""
