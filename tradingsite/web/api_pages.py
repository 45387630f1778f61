"""The API's description, and the page that shows it: for whoever may read the picks."""

from collections.abc import Mapping
from typing import ClassVar

from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.authentication import SessionAuthentication

from stocks.api import MayRead
from stocks.api.reading_limit import ReadingThrottle


class SchemaView(SpectacularAPIView):
    """The description as OpenAPI."""

    permission_classes = [MayRead]
    throttle_classes = [ReadingThrottle]
    token_scopes: ClassVar[Mapping[str, str]] = {"GET": "read"}


class DocumentationView(SpectacularSwaggerSplitView):
    """The description as a page, whose script is a file of its own: inline it would be forbidden."""

    url_name = "api-schema"
    permission_classes = [MayRead]
    # A page for people: a wrong token would be rejected again while the error page is being rendered.
    authentication_classes = [SessionAuthentication]
