"""One attempt at delivery, in lines: the connection, how long it took, and what it showed of itself."""

from typing import Any

from angarium.cli.times import moment


def attempt_lines(attempt: dict[str, Any]) -> list[str]:
    """Return one attempt: the connection, and how long each answer of the peer was waited for."""
    tls = f", {attempt['tls']}" if attempt["tls"] else ""
    peer = f"{attempt['host']} {attempt['peer']}".strip() or "no connection"
    source = f" from {attempt['source']}" if attempt["source"] else ""
    first = f"    {attempt['method']} to {peer}{source}{tls}, session {attempt['session'] or '-'}"
    steps = ", ".join(f"{stage} {ms:.1f} ms" for stage, ms in attempt["timings"])
    lines = [first, f"    reached {attempt['stage']}" + (f": {steps}" if steps else "")]
    lines += tls_lines(facts) if (facts := attempt.get("tls_facts")) else []
    return lines + [f"      {line}" for line in attempt.get("dialogue") or ()]


def tls_lines(facts: dict[str, Any]) -> list[str]:
    """Return what an encrypted connection has shown, or why it was none."""
    proved = {"host": "the certificate proves the host", "ca": "the certificate proves its issuer"}
    names = ", ".join(facts["names"])
    words = [
        proved.get(facts["verified"], ""),
        facts["problem"],
        f"certificate for {names}" if names else "",
        f"until {moment(facts['not_after'])}" if facts["not_after"] else "",
        "session resumed" if facts["resumed"] else "",
    ]
    said = "; ".join(word for word in words if word)
    return [f"    TLS: {said}"] if said else []
