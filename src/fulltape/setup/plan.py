"""What a new node's files say, out of the answers of a person or the options of a command."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fulltape import errors
from fulltape.contract.streams import streamed
from fulltape.contract.vendor import Source, Vendor
from fulltape.market import assets, datasets
from fulltape.market.assets import AssetClass
from fulltape.market.dataset import Dataset
from fulltape.schedule import cron

KEYS = "keys"
"""The folder of files with one secret each, in the node's folder."""
_MOST_LISTED = 50
"""So many symbols stand in the settings; more in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorChoice:
    """A vendor that is to be asked, or a source of one that has any number (`ccxt.okx`). `secrets` are those that were given; of the
    others the settings name a variable of the environment."""

    name: str
    plan: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)

    @property
    def vendor(self) -> str:
        """The vendor's name."""
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a node is to hold: `datasets` of `symbols` from `first` to `last` (None: on and on), both inclusive, from `vendors` in order of preference; `live`: captured
    too, where they have streams. `lake`: where the data lies, '' in the node's folder. `export`: a cron expression in `zone` for the
    bundle, '' the usual one."""

    vendors: Sequence[VendorChoice]
    datasets: Sequence[str]
    symbols: Sequence[str]
    first: dt.date
    last: dt.date | None = None
    live: bool = False
    lake: str = ""
    export: str = ""
    zone: str = "UTC"
    webhook: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFiles:
    """Contents by name in the node's folder; `secrets` only for their owner."""

    files: Mapping[str, str]
    secrets: Mapping[str, str]


def sources(choices: Iterable[VendorChoice], specs: Mapping[str, Vendor]) -> list[Source]:
    """The sources of the vendors that were chosen, in their order; `UsageError` for one that there is not."""
    out: list[Source] = []
    for choice in choices:
        spec = specs[choice.vendor].SPEC
        if "." not in choice.name:
            if not spec.sources:
                raise errors.UsageError(
                    f"{choice.name} is many sources: say which one.", hint=f"Like {choice.name}.okx."
                )
            out += spec.sources
            continue
        source = spec.source(choice.name)
        if source is None:
            raise errors.UsageError(f"{spec.title} has no source {choice.name}.")
        out.append(source)
    return out


def offered(served_by: Iterable[Source]) -> list[str]:
    """The datasets that some of these sources serve, in the order of the registry."""
    served = {capability.dataset for source in served_by for capability in source.capabilities}
    return [name for name in datasets.DATASETS if name in served]


def serving(dataset: str, served_by: Iterable[Source]) -> list[str]:
    """The sources that serve a dataset, of each vendor the first: a second feed of the same vendor is another opinion."""
    by_vendor: dict[str, str] = {}
    for source in served_by:
        if source.of(dataset):
            by_vendor.setdefault(source.name.partition(".")[0], source.name)
    return list(by_vendor.values())


def universes(answers: Answers) -> dict[str, list[str]]:
    """The symbols of each class of assets of the datasets, as each writes them; `UsageError` for symbols that none does, and for datasets
    without any."""
    classes = {
        datasets.get(name).asset_class.name: datasets.get(name).asset_class for name in answers.datasets
    }
    members: dict[str, list[str]] = {name: [] for name in classes}
    for symbol in dict.fromkeys(answers.symbols):
        fit = assets.fitting(symbol, classes.values())
        if not fit:
            reasons = [_misspelled(asset_class, symbol) for asset_class in classes.values()]
            raise errors.UsageError(f"{'; '.join(dict.fromkeys(reasons))}.")
        for name in fit:
            members[name].append(symbol)
    for name, listed in members.items():
        if not listed:
            raise errors.UsageError(
                f"no symbol is one of {name}.", hint=f"They are written like {classes[name].sample}."
            )
    return members


def _misspelled(asset_class: AssetClass, symbol: str) -> str:
    try:
        asset_class.spelling(symbol)
    except ValueError as error:
        return str(error)
    return ""


def files(answers: Answers, specs: Mapping[str, Vendor], *, most_listed: int = _MOST_LISTED) -> NodeFiles:
    """The node's files, more than so many symbols in one of their own; `UsageError` for answers that do not go together."""
    served_by = sources(answers.vendors, specs)
    members = universes(answers)
    if answers.export and (problem := cron.problem(answers.export, answers.zone)):
        raise errors.UsageError(f"the bundle's time, {answers.export}: {problem}.")
    contents: dict[str, str] = {}
    lines = [
        "# A fulltape node. Every key is described in docs/settings.md; `fulltape config check` validates this file."
    ]
    if answers.lake:
        lines += ["", "[node]", f"lake = {quoted(answers.lake)}"]
    for name, listed in members.items():
        lines += ["", f"[universe.{name}]"]
        if len(listed) <= most_listed:
            lines.append(f"symbols = [{', '.join(map(quoted, listed))}]")
        else:
            contents[f"{name}.csv"] = "\n".join(
                ["symbol,listed_from,listed_to,instrument", *(f"{symbol},,," for symbol in listed), ""]
            )
            lines.append(f'file = "{name}.csv"')
    for name in answers.datasets:
        lines += ["", *_dataset(datasets.get(name), answers, served_by, specs)]
    secrets: dict[str, str] = {}
    for vendor, choices in _by_vendor(answers.vendors).items():
        lines += ["", f"[vendor.{vendor}]"]
        lines += [f"plan = {quoted(choice.plan)}" for choice in choices if choice.plan]
        given = {name: value for choice in choices for name, value in choice.secrets.items() if value}
        for secret in specs[vendor].SPEC.secrets:
            if secret in given:
                path = f"{KEYS}/{vendor}_{secret}"
                secrets[path] = f"{given[secret]}\n"
                lines.append(f"{secret}_file = {quoted(path)}")
            else:
                lines.append(f'{secret} = "${{{vendor.upper()}_{secret.upper()}}}"')
    if answers.export:
        lines += [
            "",
            "[schedule.export]",
            f"cron = {quoted(answers.export)}",
            f"zone = {quoted(answers.zone)}",
        ]
    if answers.webhook:
        lines += ["", "[notify]", f"webhook = {quoted(answers.webhook)}"]
    contents["fulltape.toml"] = "\n".join([*lines, ""])
    return NodeFiles(files=contents, secrets=secrets)


def _dataset(
    dataset: Dataset, answers: Answers, served_by: Sequence[Source], specs: Mapping[str, Vendor]
) -> list[str]:
    asked = serving(dataset.name, served_by)
    live = [
        source
        for source in asked
        if answers.live and streamed(specs[source.partition(".")[0]], source, dataset)
    ]
    if not asked:
        raise errors.UsageError(
            f"none of {', '.join(choice.name for choice in answers.vendors)} serves {dataset.name}.",
            hint=f"They serve {', '.join(offered(served_by))}.",
        )
    lines = [
        f"[dataset.{dataset.name}]",
        f'universe = "{dataset.asset_class.name}"',
        f"sources = [{', '.join(map(quoted, asked))}]",
        f"from = {answers.first.isoformat()}",
        *([f"until = {answers.last.isoformat()}"] if answers.last else []),
    ]
    return [*lines, f"live = [{', '.join(map(quoted, live))}]"] if live else lines


def _by_vendor(choices: Iterable[VendorChoice]) -> dict[str, list[VendorChoice]]:
    out: dict[str, list[VendorChoice]] = {}
    for choice in choices:
        out.setdefault(choice.vendor, []).append(choice)
    return out


def quoted(value: str) -> str:
    """A TOML string; what JSON escapes TOML does too."""
    return json.dumps(value, ensure_ascii=False)
