"""The pages, the API and the metrics: by a real service over a real node, and by what a stranger could ask."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from benchmarks.browser import CHROMIUM, Browser, browser
from serving import NO_WAIT, Service, serving, until

import fulltape
from fulltape import errors
from fulltape.bundle import sources
from fulltape.lake import files
from fulltape.pull import run as pull
from fulltape.service.config import WebSettingsConfig, encode
from fulltape.simulator import market as markets
from nodes import CANARY, DAYS_2012, MINUTES_2012, simulated

CELL = "dataset=equities_bars_minute&symbol=AAPL&session=2012-11-23"
PAGES = (
    "/", "/streams", "/vendors", "/schedule", "/log", "/coverage", "/data", "/tasks", "/quality", "/bundles", f"/cell?{CELL}",
)  # fmt: skip
API = (
    "/api/v1/coverage", "/api/v1/coverage/equities_bars_day", f"/api/v1/cell?{CELL}", "/api/v1/findings", "/api/v1/tasks",
    "/api/v1/bundles", "/api/v1/bars?dataset=equities_bars_day&symbol=AAPL",
)  # fmt: skip
TOKEN = "t0ken-" + "x" * 40
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
        assert service.ask(do="run", name="heatmap").ok
        service.until(lambda: service.idle() and drawn(url) == {"green"})
        yield service, url


def answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/healthz").status_code == 200
    except httpx2.HTTPError:
        return False


def drawn(url: str) -> set[str]:
    """States of the cells that the map shows."""
    datasets = httpx2.get(f"{url}/api/v1/coverage").json()["datasets"]
    return {state for dataset in datasets for state in dataset["counts"]}


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
    assert {path.partition("?")[0] for path in API} <= {
        path.replace("{dataset}", "equities_bars_day") for path in described["paths"]
    }
    for path in API:
        answer = httpx2.get(f"{url}{path}")
        assert answer.status_code == 200, path
        kind = path.partition("?")[0].replace("equities_bars_day", "{dataset}")
        content = described["paths"][kind]["get"]["responses"]["200"]["content"]["application/json"]
        name = content["schema"]["$ref"].rpartition("/")[2]
        required = described["components"]["schemas"][name]["required"]
        assert set(required) <= set(answer.json()), path
    node = httpx2.get(f"{url}/api/v1/node").json()
    assert set(node) == {"headline", "nights", "node"}
    required = described["components"]["schemas"]["Snapshot"]["required"]
    assert set(required) <= set(node["node"])
    runs = httpx2.get(f"{url}/api/v1/runs", params={"entry": "export"}).json()["runs"]
    assert [run["entry"] for run in runs] == ["export"]
    assert CANARY not in json.dumps(node)


def test_whatever_the_api_is_asked_it_answers_as_described(
    served: tuple[Service, str], tmp_path: Path
) -> None:
    """A symbol that is well formed and that the node has not is refused: that check is left out."""
    _, url = served
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/api/v1/openapi.json", "--max-examples", "25",
            "--seed", "1", "--no-color", "--checks", "all", "--exclude-checks", "positive_data_acceptance",
        ],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3_000:]
    assert "Tested: 10" in done.stdout


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
        answer = httpx2.request(method, url)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
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
        assert httpx2.get(f"{url}/cell", params={"dataset": "x"}).status_code == 400
        days = CELL.replace("minute", "day")
        for page in (*PAGES[:-1], f"/cell?{days}", *API[1:2], *API[3:], "/metrics"):
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


def test_tiles_are_sent_once_and_packed(served: tuple[Service, str]) -> None:
    _, url = served
    index = httpx2.get(f"{url}/api/v1/coverage/equities_bars_day").json()
    assert index["counts"] == {"green": 1155}
    for tile in index["tiles"]:
        path = f"{url}/api/v1/coverage/equities_bars_day/{tile['name']}/{tile['digest']}"
        packed = httpx2.get(path)
        assert packed.headers["content-encoding"] == "gzip"
        assert "immutable" in packed.headers["cache-control"]
        plain = httpx2.get(path, headers={"Accept-Encoding": "identity"})
        assert plain.content == packed.content
        assert len(plain.content) == len(index["instruments"]) * len(tile["columns"])
        again = httpx2.get(path, headers={"If-None-Match": packed.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        for digest in ("0" * 32, "a" * 300, "%2e%2e"):
            assert httpx2.get(path.replace(tile["digest"], digest)).status_code == 404
    assert httpx2.get(f"{url}/api/v1/coverage/..%2f..%2funiverse").status_code == 404
    assert httpx2.get(f"{url}/api/v1/coverage/nope").status_code == 404


def test_a_bundle_is_fetched_file_by_file_and_in_ranges(served: tuple[Service, str]) -> None:
    service, url = served
    (bundle,) = httpx2.get(f"{url}/api/v1/bundles").json()["bundles"]
    (bundle,) = httpx2.get(f"{url}/api/v1/bundles", params={"day": bundle["day"]}).json()["bundles"]
    place = service.folder / "lake" / "exports" / "nightly" / bundle["day"]
    file = bundle["files"][0]["path"]
    whole = (place / file).read_bytes()
    assert httpx2.get(f"{url}/bundles/{bundle['day']}/{file}").content == whole
    part = httpx2.get(f"{url}/bundles/{bundle['day']}/{file}", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])
    for name in ("manifest.json", "SHA256SUMS"):
        assert httpx2.get(f"{url}/bundles/{bundle['day']}/{name}").content == (place / name).read_bytes()
    assert httpx2.head(f"{url}/bundles/{bundle['day']}/{file}").headers["content-length"] == str(len(whole))
    for path in ("nothing", "%2e%2e/%2e%2e/node.json", "../../../node.json", "%2fetc%2fpasswd"):
        assert httpx2.get(f"{url}/bundles/{bundle['day']}/{path}").status_code == 404
    assert httpx2.get(f"{url}/bundles/..%2f..%2f/fulltape.toml").status_code == 404
    assert httpx2.get(f"{url}/bundles/yesterday/manifest.json").status_code == 404


def test_a_training_machine_pulls_it(served: tuple[Service, str], tmp_path: Path) -> None:
    service, url = served
    done = pull.run(sources.of(url, ""), tmp_path / "bundles")
    place = service.folder / "lake" / "exports" / "nightly" / done.day
    assert {
        path.relative_to(tmp_path / "bundles" / "latest"): path.read_bytes()
        for path in files.tree(tmp_path / "bundles" / "latest")
    } == {path.relative_to(place): path.read_bytes() for path in files.tree(place)}


def test_the_certificate_of_a_bundle_is_a_page_of_its_own(served: tuple[Service, str], tab: Browser) -> None:
    service, url = served
    (day,) = sorted(path.name for path in (service.folder / "lake" / "exports" / "nightly").iterdir())
    assert f'href="/bundles/{day}/gaps.html"' in httpx2.get(f"{url}/bundles").text
    tab.open(f"{url}/bundles/{day}/gaps.html", width=400, height=800)
    assert "was wanted" in str(tab.run("document.querySelector('h1').textContent"))
    assert tab.run("getComputedStyle(document.querySelector('table')).borderCollapse") == "collapse"
    assert tab.run("document.documentElement.scrollWidth <= window.innerWidth")
    assert tab.complaints == []


def test_rows_are_read_over_the_pages(
    served: tuple[Service, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, url = served
    monkeypatch.setenv("FULLTAPE_CACHE", str(tmp_path / "cache"))
    (day,) = sorted(path.name for path in (service.folder / "lake" / "exports" / "nightly").iterdir())
    expected = fulltape.open(service.folder).scan("equities_bars_day", symbols="AAPL").collect()
    for address in (url, f"{url}/", f"{url}/bundles/{day}"):
        bundle = fulltape.open(address)
        assert repr(bundle) == f"fulltape.open('{url}/bundles/{day}')"
        assert bundle.scan("equities_bars_day", symbols="AAPL").collect().equals(expected)
    with pytest.raises(errors.BundleError, match="no bundle of 1999-01-04"):
        fulltape.open(f"{url}/bundles/1999-01-04")


def test_what_cannot_be_shown_is_a_page_that_says_why(served: tuple[Service, str]) -> None:
    _, url = served
    answer = httpx2.get(
        f"{url}/cell", params={"dataset": "equities_bars_day", "symbol": "<b>", "session": "x"}
    )
    assert answer.status_code == 400
    assert "&lt;b&gt; is not in its universe" in answer.text
    assert "<b>" not in answer.text.replace("<b>node</b>", "")
    assert httpx2.get(f"{url}/tasks?state=late").status_code == 400
    assert httpx2.get(f"{url}/api/v1/bars").status_code == 400


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("chromium is not installed")
    with browser() as opened:
        yield opened


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("page", PAGES)
def test_a_browser_shows_every_page_without_a_complaint(
    served: tuple[Service, str], tab: Browser, page: str, width: int
) -> None:
    _, url = served
    tab.complaints.clear()
    tab.open(f"{url}{page}", width=width)
    tab.until("document.querySelector('main').innerText.trim().length > 20")
    assert tab.run("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the window"
    assert tab.complaints == []


def test_a_click_on_the_map_tells_of_the_cell(served: tuple[Service, str], tab: Browser) -> None:
    _, url = served
    tab.complaints.clear()
    tab.open(f"{url}/coverage?dataset=equities_bars_day&sort=name&from=2012-05-01&to=2012-06-29")
    tab.until("document.getElementById('key').textContent.includes('1,155 GREEN')")
    box = tab.run(
        "(({x, y, width}) => ({x, y, width}))(document.getElementById('map').getBoundingClientRect())"
    )
    rows = {"FB": box["y"] + 22 + 26 * 1.5, "AAPL": box["y"] + 22 + 13}
    tab.click(box["x"] + box["width"] - 5, rows["FB"])
    tab.until("!!document.querySelector('#cell dl')")
    assert tab.run("document.getElementById('readout').textContent") == "FB 2012-06-29: GREEN"
    assert tab.run("document.querySelector('#cell h1').textContent") == "FB 2012-06-29"
    tab.click(box["x"] + 80, rows["FB"])
    tab.until("document.getElementById('readout').textContent === 'FB 2012-05-01: not wanted'")
    tab.click(box["x"] + 80, rows["AAPL"])
    tab.until("document.getElementById('readout').textContent === 'AAPL 2012-05-01: GREEN'")
    for _ in range(8):
        tab.wheel(box["x"] + 200, rows["AAPL"], 300)
    tab.until("!new URLSearchParams(location.search).has('from')")
    assert tab.complaints == []


def test_one_bad_month_of_sixty_years_is_to_be_seen_on_a_phone(
    served: tuple[Service, str], tab: Browser
) -> None:
    """And a tile of which bytes are missing is not painted."""
    _, url = served
    tab.open(f"{url}/coverage")
    script = """
    import('/static/tiles.js').then(({ strip, bytesOf, ranked }) => {
      const many = 720, bytes = new Uint8Array(many).fill(1), drawn = [];
      bytes[333] = 9;
      const columns = Array.from({ length: many }, (_, at) => ({ start: at * 21, stop: at * 21 + 21 }));
      const pen = { fillRect(x, y, width) { drawn.push([this.fillStyle, width]); } };
      const place = { x: 0, pixel: 300 / (many * 21), left: 76, width: 300, y: 0, thick: 3 };
      strip(pen, ['none', 'green', '', '', '', '', '', '', '', 'red'], { bytes, many, columns, start: 0 }, 0, place);
      let refused = '';
      try { bytesOf(new ArrayBuffer(5), { instruments: ['A', 'B'] }, { name: '2012', columns: ['01-03', '01-04'] }); } catch (error) { refused = error.message; }
      const index = { instruments: ['A', 'B'], states: ['not_wanted', 'green', 'empty', 'unchecked', 'missing'], tiles: [{ columns: ['2012-01'] }] };
      return JSON.stringify([drawn, refused, ranked(index, 'worst', new Uint8Array([1, 4]))]);
    })
    """
    drawn, refused, order = json.loads(tab.run(script))
    assert ["red", 1] in drawn
    assert sum(width for _, width in drawn) == 300
    assert refused == "The tile 2012 is not whole."
    assert order == [1, 0]


def test_a_newer_drawing_shows_its_newest_sessions(served: tuple[Service, str], tab: Browser) -> None:
    """A tab that is open overnight must not end with the session of yesterday."""
    _, url = served
    tab.open(f"{url}/coverage?dataset=equities_bars_day&sort=name")
    tab.until("document.getElementById('key').textContent.includes('1,155 GREEN')")
    later = """
    (() => {
      const real = window.fetch;
      window.fetch = async (path, options) => {
        const answer = await real(path, options);
        if (!path.endsWith('/coverage/equities_bars_day')) return answer;
        const index = await answer.json();
        index.tiles.push({ name: '2013', digest: '0'.repeat(32), columns: ['01-02', '01-03'] });
        index.tiles[0].columns.push('2013-01');
        index.tiles[0].digest = '1'.repeat(32);
        const months = index.instruments.map(() => index.tiles[0].columns.map((_, at, all) => at === all.length - 1 ? 8 : 1)).flat();
        const fetched = window.fetch;
        window.fetch = async (other, more) => other.includes('/months/') ? new Response(new Uint8Array(months)) : fetched(other, more);
        return new Response(JSON.stringify(index));
      };
      document.dispatchEvent(new Event('changed'));
    })()
    """
    tab.run(later)
    tab.until("performance.getEntriesByType('resource').some((one) => one.name.includes('/2013/'))")
    box = tab.run(
        "(({x, y, width}) => ({x, y, width}))(document.getElementById('map').getBoundingClientRect())"
    )
    tab.hover(box["x"] + box["width"] - 3, box["y"] + 35)
    tab.until("document.getElementById('readout').textContent.startsWith('AAPL 2013')")
    assert tab.run("document.getElementById('readout').textContent").startswith("AAPL 2013-01-03")


def test_a_chart_shows_what_is_held_and_zooming_in_asks_for_more(
    served: tuple[Service, str], tab: Browser
) -> None:
    _, url = served
    tab.complaints.clear()
    tab.open(f"{url}/data?dataset=equities_bars_minute&symbol=AAPL&start=2012-11-01&end=2012-12-31")
    words = "document.getElementById('readout').textContent"
    tab.until(f"{words}.includes(' bars of 15m, 2012-11-01 to 2012-12-31')")
    assert tab.run("document.querySelectorAll('#chart canvas').length") > 0
    assert "every='15m'" in tab.run("document.getElementById('python').textContent")
    box = tab.run(
        "(({x, y, width, height}) => ({x, y, width, height}))(document.getElementById('chart').getBoundingClientRect())"
    )
    tab.until("(() => { scrollTo(0, 0); return true; })()")
    for _ in range(60):
        tab.wheel(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3, -240)
        if tab.run(f"!{words}.includes('of 15m')"):
            break
    tab.until(f"/ bars of (1m|5m), 2012-1/.test({words})")
    assert tab.complaints == []
