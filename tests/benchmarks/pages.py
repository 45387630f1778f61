"""Every page over the filled database, asked one after the other in this process, as an operator."""

import time

from django.contrib.auth import get_user_model
from django.test import Client

from market_data.models import PipelineRun
from tests.benchmarks.bare_copy import execute
from tests.benchmarks.market import Market
from tests.benchmarks.measuring import Figure
from tests.benchmarks.place import Place
from tests.pages import addresses, open_page, publish_largest

_SECONDS = 0.3


def figures(place: Place, market: Market, rounds: int) -> list[Figure]:
    """The time of each page against 300 ms, without the way through a socket and without kept answers."""
    market.fill(place)
    session = market.offered()[-1]
    symbol = publish_largest(session)
    # As autovacuum leaves them some minutes after a load.
    execute("VACUUM ANALYZE")
    client = Client(SERVER_NAME="localhost")
    client.force_login(get_user_model().objects.create_superuser("bench"))
    pages = addresses(symbol, session, PipelineRun.objects.latest("pk"))
    return [_page(place, client, name, address, rounds) for name, address in pages.items()]


def _page(place: Place, client: Client, name: str, address: str, rounds: int) -> Figure:
    times = [_timed(client, name, address) for _ in range(rounds + 1)][1:]
    place.say(f"{name}: {', '.join(f'{1000 * seconds:.0f}' for seconds in times)} ms")
    return Figure(
        f"page {name} / 300 ms",
        tuple(seconds / _SECONDS for seconds in times),
        f"{1000 * sorted(times)[len(times) // 2]:.0f} ms",
        "300 ms",
        target=1.0,
        at_least=False,
        note=address,
    )


def _timed(client: Client, name: str, address: str) -> float:
    begun = time.perf_counter()
    open_page(client, name, address)
    return time.perf_counter() - begun
