"""Addresses of the web pages."""

from django.urls import path

from portfolio import views

app_name = "portfolio"

urlpatterns = [
    path("", views.picks, name="picks"),
    path("state/", views.run_state, name="run-state"),
]
