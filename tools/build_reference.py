"""Writes docs/settings.md from the settings' own declarations, and the tables of docs/vendors.md from the vendors' own and
from what other people's clients parse; `make reference` runs it, tests compare."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from fulltape import vendors
from fulltape.contract.plans import Limits
from fulltape.contract.streams import Subscription
from fulltape.contract.vendor import Capability, Source, VendorSpec
from fulltape.market import datasets
from fulltape.settings.model import SECTIONS

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "settings.md"
VENDORS = ROOT / "docs" / "vendors.md"
HEAD = """\
# Settings

`<node>/fulltape.toml`, found by `--node`, then by `FULLTAPE_NODE`, then in the working folder. Unknown keys are refused
with file, line and the nearest known key. `${VAR}` and `${VAR:-default}` are replaced by the environment in any text
value; a vendor's `key` and `secret` may come from a file (`key_file`, `secret_file`, relative to the node). Durations
are text with a unit ("250ms", "30s", "15m", "2h", "7d"), sizes too ("100MB"), dates are written 2016-01-04.

`fulltape config show` prints every setting and where it comes from, `fulltape config check` validates all of it
without starting.

Exit codes of every command: 0 complete · 1 finished, with gaps or RED cells · 2 usage or configuration · 3 vendor or
credentials · 4 storage · 70 a defect of fulltape · 75 another one is running · 130 interrupted.

This page is made from the code (`make reference`).
"""


def text() -> str:
    """The page."""
    pieces = [HEAD]
    for name, section in SECTIONS.items():
        pieces.append(f"\n## [{name}]\n\n| key | default | meaning |\n| --- | --- | --- |\n")
        pieces += [_row(key, field) for key, field in section.model_fields.items()]
    return "".join(pieces)


def _row(key: str, field: FieldInfo) -> str:
    default = "required" if field.is_required() else _shown(field.default)
    return f"| `{field.alias or key}` | {default} | {field.description} |\n"


def _shown(value: Any) -> str:
    if value in (None, "", ()):
        return "none"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def vendors_table() -> str:
    """Every source and dataset with what it declares."""
    lines = [
        "| source | scope | dataset | since | symbols a request | rows a page | stamp | prices | needs |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in vendors.names():
        spec = vendors.load(name).SPEC
        sources = spec.sources or (
            [found] if spec.any_source and (found := spec.any_source("exchange")) else []
        )
        for source in sources:
            lines += [_served(spec, source, capability) for capability in source.capabilities]
    return "\n".join(lines)


def _served(spec: VendorSpec, source: Source, capability: Capability) -> str:
    since = (
        f"the last {capability.history_days} days"
        if capability.history_days
        else capability.history_from.isoformat()
    )
    timestamp = (
        "date" if capability.timestamp == "date" else f"{capability.timestamp}, {capability.timestamp_zone}"
    )
    prices = "adjusted: " + capability.adjustment if capability.adjustment != "raw" else "as traded"
    prices = capability.price_kind if capability.price_kind != "trade" else prices
    grouped = (
        f" (or a whole day of {capability.symbols_per_grouped_day:,})"
        if capability.symbols_per_grouped_day
        else ""
    )
    needs = " and ".join(spec.secrets) or "no key"
    return (
        f"| `{source.name}` | {source.scope} | `{capability.dataset}` | {since} | "
        f"{capability.symbols_per_request}{grouped} | {capability.rows_per_page:,} | {timestamp} | {prices} | {needs} |"
    )


def streams_table() -> str:
    """Every source that streams, with the datasets that it streams."""
    lines = ["| source | live datasets | address |", "| --- | --- | --- |"]
    for name in vendors.names():
        vendor = vendors.load(name)
        if not vendor.SPEC.stream_hosts:
            continue
        for source in vendor.SPEC.sources:
            found = [
                f"`{dataset}`" for dataset in datasets.DATASETS if _streams(vendor, source.name, dataset)
            ]
            if found:
                hosts = ", ".join(f"`{url}`" for url in vendor.SPEC.stream_hosts.values())
                lines.append(f"| `{source.name}` | {', '.join(found)} | {hosts} |")
    return "\n".join(lines)


def _streams(vendor: Any, source: str, dataset: str) -> bool:
    try:
        return bool(
            vendor.streams(
                source, [Subscription(dataset=dataset, symbol=datasets.get(dataset).asset_class.sample)]
            )
        )
    except ValueError:
        return False


def plans_table() -> str:
    """Every plan with its limits."""
    lines = ["| vendor | plan | limits |", "| --- | --- | --- |"]
    for name in vendors.names():
        spec = vendors.load(name).SPEC
        for plan, limits in spec.plans.items():
            default = " (default)" if plan == spec.default_plan else ""
            lines.append(f"| {spec.title} (`{name}`) | `{plan}`{default} | {_limits(limits)} |")
    return "\n".join(lines)


def _limits(limits: Limits) -> str:
    words = {
        "per_second": "{} requests a second",
        "per_minute": "{} requests a minute",
        "per_hour": "{} requests an hour",
        "per_day": "{} requests a day",
        "weight_per_minute": "{} weight a minute",
        "history_days": "the last {} days",
    }
    found = [text.format(f"{getattr(limits, key):,}") for key, text in words.items() if getattr(limits, key)]
    return ", ".join([*found, "counted by address"] if limits.counted_by == "ip" else found)


def between(page: str, begin: str, end: str, inside: str) -> str:
    """A page with what stands between two marks replaced."""
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}\n{inside}\n{end}{tail}"


MARKS = {
    name: (f"<!-- {name}: begin -->", f"<!-- {name}: end -->") for name in ("sources", "plans", "streams")
}


def vendors_page(page: str) -> str:
    """docs/vendors.md with its tables made anew from the vendors' declarations."""
    page = between(page, *MARKS["sources"], vendors_table())
    page = between(page, *MARKS["streams"], streams_table())
    return between(page, *MARKS["plans"], plans_table())


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "vendors"), str(ROOT / "tests" / "interop")]
    import proof

    TARGET.write_text(text())
    page = vendors_page(VENDORS.read_text())
    told = [proof.ask(client) for client in proof.CLIENTS]
    VENDORS.write_text(between(page, proof.BEGIN, proof.END, proof.table(told)))
