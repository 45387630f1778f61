"""The Content Security Policy of every answer: strict, and by path looser where a library's pages need it.

The admin's theme (Alpine) evaluates the expressions of its attributes, and both it and the pages of the API (browsable
API, Swagger) set styles inline. Nothing runs an inline script, and a policy forbids it everywhere.
"""

from typing import Any, Final

from csp.middleware import CSPMiddleware, PolicyParts

_INLINE_STYLES: Final = {"style-src": ["'self'", "'unsafe-inline'"]}
BY_PREFIX: Final[dict[str, dict[str, list[str]]]] = {
    "/admin/": {**_INLINE_STYLES, "script-src": ["'self'", "'unsafe-eval'"]},
    "/api/": _INLINE_STYLES,
}
"""What differs from `CONTENT_SECURITY_POLICY` below a path."""


class ContentPolicy(CSPMiddleware):
    """The first middleware, so that what others answer has a policy too."""

    def get_policy_parts(self, request: Any, response: Any, report_only: bool = False) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        differing = next((own for path, own in BY_PREFIX.items() if request.path_info.startswith(path)), None)
        if differing and not report_only:
            parts.replace = differing | (parts.replace or {})
        return parts
