"""Names that mean something to SparkPost and Momentum: the one user name of all API keys."""

import re
from typing import Final

SMTP_INJECTION: Final = "SMTP_Injection"
"""User name under which an API key is used as password."""

INJECTION: Final = re.compile(rf"{SMTP_INJECTION}(?::X-MSYS-SUBACCOUNT=(\d{{1,18}}))?", re.IGNORECASE)
"""The same, with the number of the account that is meant in the first group, if one is named."""
