"""WSGI entry for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

from tradingsite.audit.origin import declare_service

declare_service()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
application = get_wsgi_application()
