"""Many clients at once: no error but a full queue, and nothing is lost."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from clipsonic.interfaces.serve.metrics import resident_bytes

CLIENTS, REQUESTS = 20, 200


@pytest.mark.slow
def test_twenty_clients_and_two_hundred_requests(serve) -> None:
    served = serve(queue=8)
    statuses: Counter[int] = Counter()

    def client(number: int) -> list[str]:
        """Asks until its requests are taken, follows each to its end and fetches it."""
        ended = []
        with httpx.Client(base_url=served.url, timeout=60) as session:
            for place in range(REQUESTS // CLIENTS):
                body = {"prompt": ["rain"], "seed": place, "steps": 1 + number % 2, "seconds": 0.2}
                while (answer := session.post("/v1/sounds", json=body)).status_code == 429:
                    statuses[429] += 1
                    time.sleep(
                        0.02 * int(answer.headers["retry-after"])
                    )  # sooner than asked: that is the test
                statuses[answer.status_code] += 1
                here = answer.json()["links"]["self"]
                while (page := session.get(here).json())["state"] in ("waiting", "running"):
                    time.sleep(0.1)
                ended.append(page["state"])
                assert len(session.get(page["clips"][0]["wav"]).content) == 6_444
        return ended

    client(0)
    before = resident_bytes()
    with ThreadPoolExecutor(CLIENTS) as pool:
        ended = [state for states in pool.map(client, range(CLIENTS)) for state in states]
    assert Counter(ended) == {"done": REQUESTS}
    assert set(statuses) == {202, 429}
    assert statuses[202] == REQUESTS + REQUESTS // CLIENTS
    stats = served.desk.stats
    assert stats.ended == {"done": statuses[202]}
    assert stats.refused == statuses[429]
    assert stats.batches < 0.7 * stats.ended["done"]  # they were made together
    assert resident_bytes() - before < 60e6  # of which what is kept is 8 MB
