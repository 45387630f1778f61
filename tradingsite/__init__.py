"""The composition root."""

import sys

# structlog imports Twisted where it is installed (with kiteconnect): a fifth of a second at each start, for nothing.
sys.modules.setdefault("structlog.twisted", None)  # type: ignore[arg-type]
