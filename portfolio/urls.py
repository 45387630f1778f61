"""Addresses of the web pages."""

from django.urls import URLPattern

app_name = "portfolio"

urlpatterns: list[URLPattern] = []
