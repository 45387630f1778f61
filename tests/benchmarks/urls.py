"""The product's addresses and, before them, the empty page."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from tradingsite import urls
from tradingsite.urls import handler400, handler403, handler404, handler500  # noqa: F401


def empty(request: HttpRequest) -> HttpResponse:
    """Answer with nothing."""
    return HttpResponse()


urlpatterns = [path("empty/", empty), *urls.urlpatterns]
