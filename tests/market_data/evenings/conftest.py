"""The calendar of the console's tests."""

from tests.tradingsite.operations.conftest import weekdays as weekdays
