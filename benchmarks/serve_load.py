"""What a running server does under load: python -m benchmarks.serve_load [URL] [--clients 20] [--minutes 5].

Each client asks for a sound, follows it to its end, fetches it, and asks for the next; a full queue is tried again
as the server says. Prints answers by status, how the jobs ended, which were lost, how long it took from asking to
the file, and the server's memory over the time. Begin with: clipsonic serve --no-page
"""

import argparse
import json
import os
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

WORDS = ("a photo of a dog", "rain", "a violin", "sea waves", "a train", "wind")
LOOK = 0.2  # seconds between two looks at a job


class Client:
    """One that asks for sounds, one after another, and counts what it is answered."""

    def __init__(self, url: str, token: str | None, body: dict[str, Any]) -> None:
        self.url, self.body = url, body
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.statuses: Counter[int] = Counter()
        self.ended: Counter[str] = Counter()
        self.times: list[float] = []

    def call(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes, dict[str, str]]:
        """Status, content and headers of an answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, self.headers | {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                status, content, headers = answer.status, answer.read(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            status, content, headers = error.code, error.read(), dict(error.headers)
        except OSError:  # no answer at all
            status, content, headers = 0, b"", {}
        self.statuses[status] += 1
        return status, content, headers

    def work(self, number: int, until: float, most: int | None) -> None:
        """Asks until the time or the number of sounds has come."""
        place = 0
        while time.monotonic() < until and (most is None or place < most):
            began = time.monotonic()
            words = WORDS[(number + place) % len(WORDS)]
            while True:
                status, content, headers = self.call("/v1/sounds", self.body | {"prompt": [words]})
                if status != 429:
                    break
                time.sleep(float(headers["retry-after"]))
            place += 1
            if status != 202:
                self.ended[f"refused with {status}"] += 1
                continue
            self.ended[self.follow(json.loads(content))] += 1
            self.times.append(time.monotonic() - began)

    def follow(self, page: dict[str, Any]) -> str:
        """What becomes of a job; `lost` if the server does not know it any more or gives no sound."""
        while page["state"] in ("waiting", "running"):
            time.sleep(LOOK)
            status, content, _ = self.call(page["links"]["self"])
            if status != 200:
                return "lost"
            page = json.loads(content)
        if page["state"] == "done":
            status, content, _ = self.call(page["clips"][0]["flac"])
            if status != 200 or not content.startswith(b"fLaC"):
                return "lost"
        return str(page["state"])

    def memory(self) -> float:
        """Of the server, in MB."""
        lines = self.call("/metrics")[1].decode().splitlines()
        return (
            next(
                float(line.split()[1])
                for line in lines
                if line.startswith("clipsonic_resident_memory_bytes ")
            )
            / 1e6
        )


def main() -> None:
    """Runs the clients and prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:7860")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--each", type=int, help="sounds a client asks for at the most")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--length", type=float, default=1.0, help="of a sound, seconds")
    asked = parser.parse_args()
    body = {"steps": asked.steps, "seconds": asked.length}
    token = os.environ.get("CLIPSONIC_TOKEN")
    clients = [Client(asked.url, token, body) for _ in range(asked.clients)]
    first = Client(asked.url, token, body)
    first.work(0, time.monotonic() + 60, 10)  # what is made at the first requests is no growth
    memory, began = [(0.0, first.memory())], time.monotonic()
    until = began + 60 * asked.minutes
    with ThreadPoolExecutor(asked.clients) as pool:
        running = [pool.submit(each.work, number, until, asked.each) for number, each in enumerate(clients)]
        while wait(running, timeout=60).not_done:
            memory.append(((time.monotonic() - began) / 60, first.memory()))
        for each in running:
            each.result()
    took = time.monotonic() - began
    memory.append((took / 60, first.memory()))
    statuses = sum((client.statuses for client in clients), Counter[int]())
    ended = sum((client.ended for client in clients), Counter[str]())
    times = sorted(each for client in clients for each in client.times)
    print(f"{asked.clients} clients, {took:.0f} s; {asked.steps} steps, {asked.length:g} s of sound")
    print("answers by status:", ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items())))
    print("jobs:", ", ".join(f"{how}: {count}" for how, count in sorted(ended.items())))
    print(f"lost: {ended['lost']}; {len(times) / took:.2f} sounds a second")
    shares = {share: times[min(len(times) - 1, int(share * len(times)))] for share in (0.5, 0.95, 0.99)}
    said = ", ".join(f"{share:.0%} within {seconds:.1f} s" for share, seconds in shares.items())
    print(f"from asking to the file, waiting for a place included: {said}; the longest {times[-1]:.1f} s")
    said = ", ".join(f"{size:.0f} MB at {minute:.0f} min" for minute, size in memory)
    print(f"memory of the server: {said}")


if __name__ == "__main__":
    main()
