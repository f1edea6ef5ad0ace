"""What a problem is called as SparkPost and Momentum would: by the member of the JSON object that it is in."""

from typing import Final

from angarium.core.submission import Problem, Reason
from angarium.dialects.sentences import Sentence, sentence_of, shown


def _json(problem: Problem) -> str:
    hint = "; encoded words may stand in its strings only, better write \\uXXXX"
    return (
        f"JSON parsing error in X-MSYS-API: {problem.facts['error']}"
        f"{hint if problem.facts['has_encoded_words'] else ''}"
    )


def _metadata_size(problem: Problem) -> str:
    found = "more" if problem.found is None else problem.found
    return f"X-MSYS-API 'metadata' is limited to {problem.limit} bytes of JSON; this has {found}"


def _address(problem: Problem) -> str:
    error = problem.facts.get("error")
    why = f": {error}" if error else ", which is not one e-mail address"
    return f"X-MSYS-API '{problem.field}' has {shown(problem.value)}{why}"


_OF_TYPE: Final = "X-MSYS-API '{field}' must be of type 'json {type}'"

_SENTENCES: Final[dict[Reason, Sentence]] = {
    Reason.COPIES_SIZE: "{found} copies of {size} bytes in X-MSYS-API 'bcc' are more than the {limit} bytes that one "
    "message may take; use 'archive', or send it in parts",
    Reason.UNKNOWN_BINDING: "X-MSYS-API 'ip_pool' names {shown}, which is no binding or binding group here",
    Reason.BINDING: "X-MSYS-API 'ip_pool' must be {shown} or a binding of that group here; leave it out",
    Reason.JSON: _json,
    Reason.JSON_TYPE: 'JSON parsing error in X-MSYS-API: it must be one object, as in {{"campaign_id": "a"}}',
    Reason.METADATA_TYPE: _OF_TYPE,
    Reason.METADATA_SIZE: _metadata_size,
    Reason.METADATA_DEPTH: "X-MSYS-API 'metadata' may be nested {limit} levels deep",
    Reason.METADATA_NUMBER: "X-MSYS-API 'metadata' has a number beyond 64 bits; write it as a string",
    Reason.OPTION_TYPE: _OF_TYPE,
    Reason.OPTION_REPEATED: "X-MSYS-API may stand in a message once; put all into one JSON object",
    Reason.OPTION_ADDRESS: _address,
    Reason.OPTION_LENGTH: "X-MSYS-API '{field}' is limited to {limit} characters; this has {found}",
    Reason.OPTION_OCTETS: "X-MSYS-API '{field}' is limited to {limit} bytes; this one has {found}",
    Reason.OPTION_COUNT: "X-MSYS-API may name {limit} addresses in 'cc', 'bcc' and 'archive' together, not {found}; "
    "send the rest in another message",
}


def sentence(problem: Problem) -> str:
    """Return the sentence for a reply."""
    return sentence_of(problem, _SENTENCES)
