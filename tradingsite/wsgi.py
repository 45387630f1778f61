"""WSGI entry for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

from tradingsite.audit.origin import declare_service

declare_service()
os.umask(0o077)  # what the system writes is for its account alone; exports are opened explicitly
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")
application = get_wsgi_application()
