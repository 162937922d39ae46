"""Send rows to `isthmus serve` at a fixed rate, and report latencies and errors.

usage: scripts/bench serve [--rate 500] [--seconds 30] [--rows 1] [--model detector|autoencoder]
           [--format json|arrow|npy] [--cpus SERVER CLIENT] [--mix]

A detector, or an autoencoder, of a table of 8 numbers and a category is fitted and served in a
process of its own. Another process sends requests when they are due, whether or not earlier ones
were answered (an open loop): 200 different ones, of rows like those of the fit. A slow answer
delays no request, and its latency counts in full: it begins when the request is due, not when it
is sent. `--cpus` pins the two processes to sets of cores, such as 0 1; by default both use all.
`--mix` sends a faulty request for each hundred good ones. Shown are also the cores that both
processes use, and the batches in which the rows were computed.
"""

import argparse
import asyncio
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import httptools
import numpy as np

SIZE = 8
HEAD = "POST /v1/models/{model}/{operation} HTTP/1.1\r\nhost: 127.0.0.1\r\n"


class Plan(NamedTuple):
    """Which requests are sent, and how often."""

    port: int
    requests: list[bytes]
    bad: bytes | None
    rate: float
    seconds: float


class Answer(NamedTuple):
    """What became of a request; the status is 0 if the connection was lost."""

    seconds: float
    status: int
    good: bool


class Connection(asyncio.Protocol):
    """A connection that sends one request at a time."""

    def connection_made(self, transport):
        self.transport = transport
        self._reset()

    def _reset(self):
        self.parser = httptools.HttpResponseParser(self)
        self.answer = None

    async def ask(self, request: bytes) -> int:
        self._reset()
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answer

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_message_complete(self):
        if not self.answer.done():
            self.answer.set_result(self.parser.get_status_code())

    def connection_lost(self, _):
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(0)


async def send_all(plan: Plan) -> list[Answer]:
    """Send each request when it is due, on a free connection or a new one."""
    loop, free, answers = asyncio.get_running_loop(), [], []
    start = time.perf_counter() + 0.5

    async def one(due: float, request: bytes, *, good: bool) -> None:
        while free and free[-1].transport.is_closing():
            free.pop()
        try:
            if free:
                connection = free.pop()
            else:
                _, connection = await loop.create_connection(Connection, "127.0.0.1", plan.port)
            status = await asyncio.wait_for(connection.ask(request), 10)
            free.append(connection)
        except OSError:
            status = 0
        except TimeoutError:
            connection.transport.abort()
            status = 0
        answers.append(Answer(time.perf_counter() - due, status, good))

    tasks = set()
    for number in range(round(plan.rate * plan.seconds)):
        due = start + number / plan.rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        good = plan.bad is None or number % 100 != 99
        content = plan.requests[number % len(plan.requests)] if good else plan.bad
        task = asyncio.create_task(one(due, content, good=good))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return answers


def client(plan: Plan) -> None:
    """Send the requests, and print a line of figures as JSON."""
    answers = asyncio.run(send_all(plan))
    good = [answer for answer in answers if answer.good]
    took = 1000 * np.array([answer.seconds for answer in good])
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "requests": len(good),
        "errors": sum(answer.status != 200 for answer in good),
        "statuses": dict(Counter(str(answer.status or "lost") for answer in good)),
        "faulty": [len(answers) - len(good), sum(a.status in (400, 422) for a in answers)],
        **{f"p{q:g}": round(float(np.percentile(took, q)), 2) for q in (50, 90, 99, 99.9)},
        "most": round(float(took.max()), 2),
        "cores": round((used.ru_utime + used.ru_stime) / plan.seconds, 2),
    }
    print(json.dumps(figures))


def numbers_and_kinds(n: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """Return rows near a space of 3 dimensions, always the same one, and a category for each."""
    rng, plane = np.random.default_rng(seed), np.random.default_rng(0).normal(size=(3, SIZE))
    X = rng.normal(size=(n, 3)) @ plane + 0.1 * rng.normal(size=(n, SIZE))
    return X, np.array(["a", "b", "c"])[rng.integers(3, size=n)].tolist()


def fit(kind: str, folder: Path) -> Path:
    import pyarrow as pa

    import isthmus as ist

    X, kinds = numbers_and_kinds(2000, seed=1)
    table = pa.table({**{f"x{i}": column for i, column in enumerate(X.T)}, "kind": kinds})
    if kind == "detector":
        model = ist.AnomalyDetector(random_state=0).fit(table)
    else:
        model = ist.Autoencoder(latent_dim=3, epochs=20, random_state=0, verbose=0).fit(
            table if kind == "autoencoder" else X
        )
    model.save(folder / "model.isthmus")
    return folder / "model.isthmus"


def body(form: str, rows: int, seed: int) -> tuple[str, bytes]:
    """Return the content-type and body of rows like those that the model was fitted to."""
    X, kinds = numbers_and_kinds(rows, seed)
    if form == "npy":
        written = io.BytesIO()
        np.save(written, X)
        return "application/x-npy", written.getvalue()
    table = [
        {**{f"x{i}": value for i, value in enumerate(row)}, "kind": kind}
        for row, kind in zip(X.round(3).tolist(), kinds, strict=True)
    ]
    if form == "json":
        return "application/json", json.dumps({"rows": table}).encode()
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    made = pa.Table.from_pylist(table)
    with pa.ipc.new_stream(sink, made.schema) as writer:
        writer.write_table(made)
    return "application/vnd.apache.arrow.stream", sink.getvalue().to_pybytes()


def request(operation: str, content_type: str, content: bytes) -> bytes:
    head = HEAD.format(model="model", operation=operation)
    head += f"content-type: {content_type}\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


def started(model: Path, cpus: str | None) -> tuple[subprocess.Popen, int]:
    """Start the service, and return it with its port."""
    command = [sys.executable, "-m", "isthmus", "serve", str(model), "--port", "0"]
    service = subprocess.Popen(pinned(command, cpus), stderr=subprocess.PIPE, text=True)
    for line in service.stderr:
        if '"listening"' in line:
            return service, int(re.search(r'"port": (\d+)', line)[1])
    raise SystemExit("the service did not start")


def pinned(command: list[str], cpus: str | None) -> list[str]:
    return command if cpus is None else ["taskset", "-c", cpus, *command]


def measure(options: argparse.Namespace, folder: Path) -> None:
    server_cpus, client_cpus = options.cpus or (None, None)
    service, port = started(fit(options.model, folder), server_cpus)
    # The log must be read, or the service would wait for it.
    drain = subprocess.Popen(["wc", "-l"], stdin=service.stderr, stdout=subprocess.DEVNULL)
    command = [sys.executable, __file__, *sys.argv[1:], "--port", str(port)]
    before = seconds_of(service.pid)
    try:
        out = subprocess.run(pinned(command, client_cpus), check=True, stdout=subprocess.PIPE)
        used = (seconds_of(service.pid) - before) / options.seconds
        report(json.loads(out.stdout), options, used, port)
    finally:
        service.send_signal(signal.SIGTERM)
        print(f"after SIGTERM: exit code {service.wait(60)}")
        drain.wait(10)


def seconds_of(pid: int) -> float:
    """Return the seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(figures: dict, options: argparse.Namespace, used: float, port: int) -> None:
    from urllib.request import urlopen

    metrics = urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    batches = {
        name: float(value)
        for name, value in re.findall(
            r'isthmus_batch_rows_(sum|count)\{model="model"\} (\S+)', metrics
        )
    }
    faulty, refused = figures["faulty"]
    print(
        f"{options.rate:g} requests/s of {options.rows} row(s) as {options.format} to "
        f"{options.model}, {options.seconds:g} s: {figures['requests']:,} requests, "
        f"{figures['errors']} errors {figures['statuses']}; "
        f"{refused} of {faulty} faulty ones refused"
    )
    print(
        f"latency in ms: p50 {figures['p50']}, p90 {figures['p90']}, p99 {figures['p99']}, "
        f"p99.9 {figures['p99.9']}, most {figures['most']}"
    )
    print(
        f"cores used: service {used:.2f}, client {figures['cores']:.2f}, of {os.cpu_count()}; "
        f"load {os.getloadavg()[0]:.1f}; rows per batch "
        f"{batches['sum'] / max(1, batches['count']):.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument(
        "--model", choices=("detector", "autoencoder", "arrays"), default="detector"
    )
    parser.add_argument("--format", choices=("json", "arrow", "npy"), default="json")
    parser.add_argument("--cpus", nargs=2, metavar=("SERVER", "CLIENT"))
    parser.add_argument("--mix", action="store_true")
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.port is None:
        with tempfile.TemporaryDirectory() as folder:
            measure(options, Path(folder))
        return
    operation = "detect" if options.model == "detector" else "encode"
    good = [request(operation, *body(options.format, options.rows, 2 + i)) for i in range(200)]
    bad = request(operation, "application/json", b'{"rows": [{"x0": "?"}]}')
    client(Plan(options.port, good, bad if options.mix else None, options.rate, options.seconds))


if __name__ == "__main__":
    main()
