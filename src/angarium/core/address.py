"""Where a connection goes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """One address of one host. *ip* is numeric, without brackets; *port* is TCP."""

    host: str
    ip: str
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"
