"""The hours in which a session's books at a broker change (IST); pure."""

from datetime import time
from typing import Final

BOOKS_OPEN: Final = time(9)
"""With the pre-open session."""

BOOKS_CLOSE: Final = time(16, 10)
"""After the post-close session: no order of the day should be open any longer, and no fill of it comes."""
