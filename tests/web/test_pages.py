"""The pages, the API and the metrics: by a real service over a real node, and by what a stranger could ask."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from serving import NO_WAIT, Service, serving, until

from fulltape.service.config import WebSettingsConfig, encode
from fulltape.simulator import market as markets
from nodes import CANARY, DAYS_2012, MINUTES_2012, simulated

PAGES = ("/", "/streams", "/vendors", "/schedule", "/log")
TOKEN = "t0ken-" + "x" * 40
CHROMIUM = shutil.which("chromium")
# Real processes, on a machine that may be busy: each wait has an end of its own.
pytestmark = pytest.mark.timeout(400)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def settings(port: int, more: str = "") -> str:
    return NO_WAIT.replace("[web]\nenabled = false\n", f"[web]\nport = {port}\n{more}")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """A service whose node is finished, and the address of its pages."""
    port = free_port()
    with (
        simulated(
            tmp_path_factory.mktemp("web"),
            markets.sample(),
            [DAYS_2012, MINUTES_2012],
            universe=markets.sample_universe(),
            extra=settings(port),
        ) as (folder, _),
        serving(folder) as service,
    ):
        url = f"http://127.0.0.1:{port}"
        service.until(lambda: answers(url))
        service.until(
            lambda: service.last("check").succeeded and service.idle() and headline(url)["tone"] == "well"
        )
        assert service.ran("export").outcome == "done"
        service.until(lambda: httpx2.get(f"{url}/api/v1/runs", params={"entry": "export"}).json()["runs"])
        yield service, url


def answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/healthz").status_code == 200
    except httpx2.HTTPError:
        return False


def headline(url: str) -> dict[str, str]:
    found: dict[str, str] = httpx2.get(f"{url}/api/v1/node").json()["headline"]
    return found


def test_a_finished_node_is_well_and_every_page_is_there(served: tuple[Service, str]) -> None:
    _, url = served
    assert headline(url)["text"] == "Everything is held and checked to Monday, 31 December 2012."
    for page in PAGES:
        answer = httpx2.get(f"{url}{page}")
        assert answer.status_code == 200, page
        assert "Content-Security-Policy" in answer.headers
        assert "<script>" not in answer.text
        assert CANARY not in answer.text
    assert "equities_bars_minute" in httpx2.get(url).text
    assert httpx2.get(f"{url}/readyz").text == "ok\n"
    assert httpx2.get(f"{url}/nix").status_code == 404


def test_the_api_sends_what_it_describes(served: tuple[Service, str]) -> None:
    _, url = served
    described = httpx2.get(f"{url}/api/v1/openapi.json").json()
    assert set(described["paths"]) == {"/api/v1/node", "/api/v1/runs"}
    node = httpx2.get(f"{url}/api/v1/node").json()
    assert set(node) == {"headline", "nights", "node"}
    required = described["components"]["schemas"]["Snapshot"]["required"]
    assert set(required) <= set(node["node"])
    runs = httpx2.get(f"{url}/api/v1/runs", params={"entry": "export"}).json()["runs"]
    assert [run["entry"] for run in runs] == ["export"]
    assert CANARY not in json.dumps(node)


def test_the_metrics_are_bounded_and_in_base_units(served: tuple[Service, str]) -> None:
    _, url = served
    answer = httpx2.get(f"{url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert 'fulltape_cells{dataset="equities_bars_day",state="held"} 1155.0' in lines
    assert 'fulltape_coverage_ratio{dataset="equities_bars_day"} 1.0' in lines
    assert any(
        line.startswith('fulltape_job_last_success_timestamp_seconds{entry="export"} 1.') for line in lines
    )
    assert not any("AAPL" in line for line in lines), "no label grows with symbols"
    assert CANARY not in answer.text


def test_strangers_get_nothing_and_nothing_can_be_changed(served: tuple[Service, str]) -> None:
    _, url = served
    assert httpx2.get(url, headers={"Host": "evil.example"}).status_code == 421
    assert httpx2.get(url, headers={"Host": "127.0.0.1.evil.example"}).status_code == 421
    assert httpx2.get(url, headers={"Host": "LOCALHOST:1"}).status_code == 200
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert httpx2.request(method, url).status_code == 405
    assert httpx2.get(f"{url}/static/../guard.py").status_code == 404
    assert httpx2.get(f"{url}/static/%2e%2e/guard.py").status_code == 404


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a node: when it was written, and what it holds."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_pages_write_nothing_into_the_node(tmp_path: Path) -> None:
    with simulated(tmp_path, markets.sample(), [DAYS_2012], extra=NO_WAIT) as (folder, _):
        with serving(folder) as service:
            service.until(lambda: service.last("check").succeeded and service.idle())
        before, port = tree(folder), free_port()
        order = WebSettingsConfig(
            folder=str(folder),
            text=(folder / "fulltape.toml").read_text(),
            host="127.0.0.1",
            port=port,
            hosts=("127.0.0.1",),
        )
        process = subprocess.Popen([sys.executable, "-m", "fulltape.web"], stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(encode(order))
        process.stdin.flush()
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(url))
        until(lambda: httpx2.get(f"{url}/api/v1/node").json()["node"]["counts"])
        for page in (*PAGES, "/metrics"):
            assert httpx2.get(f"{url}{page}").status_code == 200
        assert httpx2.get(f"{url}/readyz").status_code == 503
        assert headline(url)["text"] == "No service runs."
        process.stdin.close()
        assert process.wait(20) == 0
        assert tree(folder) == before


def test_what_moves_is_told_and_a_stream_does_not_delay_the_end(tmp_path: Path) -> None:
    port = free_port()
    with (
        simulated(tmp_path, markets.sample(), [DAYS_2012], extra=settings(port)) as (folder, _),
        serving(folder) as service,
    ):
        url = f"http://127.0.0.1:{port}"
        service.until(lambda: answers(url))
        with httpx2.stream("GET", f"{url}/events", timeout=60) as stream:
            lines = (line for line in stream.iter_lines() if line.startswith("data:"))
            first = next(lines)
            assert service.ask(do="run", name="sweep").ok
            assert next(lines) != first
        # `serving` waits for the end, with the stream's connection still there.


def test_beyond_this_machine_a_token_is_wanted(tmp_path: Path) -> None:
    port = free_port()
    more = f'host = "0.0.0.0"\nhosts = ["node.local"]\ntoken = "{TOKEN}"\n'
    with (
        simulated(tmp_path, markets.sample(), [DAYS_2012], extra=settings(port, more)) as (folder, _),
        serving(folder) as service,
    ):
        url = f"http://127.0.0.1:{port}"
        service.until(lambda: answers(url))
        refused = httpx2.get(url)
        assert (refused.status_code, refused.headers["location"]) == (303, "/login")
        assert "Token" in httpx2.get(f"{url}/login").text
        assert httpx2.get(f"{url}/metrics").status_code == 401
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert httpx2.get(f"{url}/metrics", headers=bearer).status_code == 200
        assert httpx2.get(f"{url}/api/v1/node", headers={"Authorization": "Bearer no"}).status_code == 401
        wrong = httpx2.post(f"{url}/login", data={"token": "no"})
        assert "wrong" in wrong.headers["location"]
        right = httpx2.post(f"{url}/login", data={"token": TOKEN}, headers={"Host": f"node.local:{port}"})
        cookie = right.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert httpx2.get(url, headers={"Cookie": cookie.partition(";")[0]}).status_code == 200
        assert TOKEN not in service.said()
        everything = "".join(path.read_text() for path in (folder / "service").iterdir() if path.is_file())
        assert TOKEN not in everything


def test_an_open_node_without_a_token_is_refused(tmp_path: Path) -> None:
    with simulated(tmp_path, markets.sample(), [DAYS_2012], extra=settings(1, 'host = "0.0.0.0"\n')) as (
        folder,
        _,
    ):
        done = subprocess.run(
            [sys.executable, "-m", "fulltape.service", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "web.token is missing" in done.stderr


@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("page", PAGES)
def test_a_browser_shows_every_page_without_a_complaint(
    served: tuple[Service, str], page: str, width: int
) -> None:
    _, url = served
    with tempfile.TemporaryDirectory() as profile:
        shot = Path(profile) / "shot.png"
        done = subprocess.run(
            [
                str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
                f"--user-data-dir={profile}/user", f"--window-size={width},900", "--timeout=2000", "--enable-logging=stderr",
                "--log-level=0", f"--screenshot={shot}", f"{url}{page}",
            ],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert shot.stat().st_size > 5_000
        assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]
