"""What the tests run on: real servers, one database per worker, and no network."""

import socket

import pytest
from django.core.cache import cache
from django.db import connection
from django_redis import get_redis_connection
from pytest_socket import SocketConnectBlockedError


@pytest.mark.django_db
def test_the_database_is_a_postgresql_of_our_own():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('fsync'), current_database()")
        fsync, name = cursor.fetchone()
    assert fsync == "off"
    assert name.startswith("test_trading_system")


def test_the_cache_is_a_real_valkey():
    cache.set("key", 1)
    assert cache.get("key") == 1
    assert get_redis_connection().info("server")["server_name"] == "valkey"


def test_the_network_is_closed():
    with socket.socket() as outside, pytest.raises((SocketConnectBlockedError, UserWarning)):
        outside.connect(("192.0.2.1", 80))
