"""Puts settings, vendors, ledger and lake together, and refuses a configuration that cannot work before anything starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from fulltape import context as opening
from fulltape import errors, log, vendors
from fulltape.calendars import rules
from fulltape.context import ConfiguredDataset, ConfiguredSource, NodeContext, members, ownership
from fulltape.context.members import near
from fulltape.contract.plans import Limits
from fulltape.contract.streams import StreamingVendor, Subscription
from fulltape.contract.vendor import Source, Vendor, VendorSpec
from fulltape.lake.layout import Layout
from fulltape.ledger.ledger import Ledger
from fulltape.market import datasets, reference
from fulltape.market.dataset import Dataset
from fulltape.market.reference import ReferenceEntry
from fulltape.market.sessions import Calendar
from fulltape.market.time import SECOND
from fulltape.node import calendars
from fulltape.node import rules as rules_of
from fulltape.settings.load import Loaded
from fulltape.settings.model import DatasetSettings, VendorSettings
from fulltape.transport import http


def check(loaded: Loaded) -> None:
    """Raise `ConfigError` for everything that cannot work, a line each: key, file and line."""
    problems = list(dict.fromkeys(map(str, _problems(loaded))))
    if problems:
        raise errors.ConfigError("\n".join(problems))


def _problems(loaded: Loaded) -> Iterator[errors.ConfigError]:
    values = loaded.values
    yield from rules_of.problems(loaded)
    specs: dict[str, Vendor] = {}
    for name in values.vendor:
        try:
            specs.update(_specs(loaded, name))
            _feeds(loaded, {name: specs[name]})
        except errors.ConfigError as error:
            yield error
    if not values.dataset:
        yield _no_dataset(loaded)
    for name, settings in values.dataset.items():
        try:
            wanted = _one_wanted(loaded, specs, name, settings, None)
        except errors.ConfigError as error:
            yield error
            continue
        for symbol in (
            dated.symbol for instrument in wanted.instruments.values() for dated in instrument.symbols
        ):
            if right := datasets.get(name).asset_class.meant(symbol):
                words = f"{name} covers [universe.{settings.universe}], where {symbol} is written {right}."
                yield errors.ConfigError(words, where=loaded.where(f"universe.{settings.universe}"))
    for name, listed in values.universe.items():
        twice = sorted({symbol for symbol in listed.symbols if listed.symbols.count(symbol) > 1})
        if twice:
            words = f"universe.{name}.symbols names {', '.join(twice)} more than once."
            yield errors.ConfigError(words, where=loaded.where(f"universe.{name}.symbols"))


def _no_dataset(loaded: Loaded) -> errors.ConfigError:
    return errors.ConfigError(
        "no dataset is configured.",
        where=str(loaded.where("dataset")),
        hint="Add a table like [dataset.equities_bars_day].",
    )


def open_context(
    loaded: Loaded, *, asking: bool = True, owning: bool = True, reading: Ledger | None = None
) -> NodeContext:
    """Everything that the stages need; who asks no vendor needs no secrets. Only who mends the ledger works without `owning` the
    lake; who only reads brings a ledger opened for `reading`."""
    specs = _specs(loaded)
    feeds = _feeds(loaded, specs, asking=asking)
    _wanted(loaded, specs)  # what cannot work is refused before anything is created
    ledger = reading or opening.open_ledger(loaded.folder, loaded.ledger_url)
    layout = Layout(root=loaded.folder / loaded.values.node.lake)
    try:
        if owning and not reading:
            ownership.claim(ledger, layout)
        listings = ledger.reference.listings()
        wanted = _wanted(loaded, specs, listings)
        if not reading:
            calendars.keep(loaded, ledger, wanted)
    except errors.FulltapeError:
        ledger.close()
        raise
    used = {source for dataset in wanted.values() for source in (*dataset.sources, *dataset.live)}
    return NodeContext(
        folder=loaded.folder,
        ledger=ledger,
        layout=layout,
        wanted=wanted,
        feeds={name: feeds[name] for name in _by_preference(wanted) if name in used},
        vendors=dict(specs),
        accounts={name: _account(loaded, name, vendor.SPEC) for name, vendor in specs.items()},
        rules=rules_of.rules(loaded),
        universes={
            loaded.values.dataset[name].universe: tuple(dataset.instruments)
            for name, dataset in wanted.items()
        },
        spellings={source: reference.spelled(listings, source) for source in used},
    )


def open_for(loaded: Loaded, vendor: str) -> NodeContext:
    """The context with all sources of one vendor, whether a dataset asks them or not; needs that vendor's secrets only."""
    if vendor not in loaded.values.vendor:
        raise errors.UsageError(
            f"there is no [vendor.{vendor}] in {loaded.folder / 'fulltape.toml'}.{near(vendor, loaded.values.vendor)}",
            hint=f"Add it, with its key; vendors are {', '.join(vendors.names())}.",
        )
    specs = _specs(loaded)
    only = {vendor: specs[vendor]}
    feeds = _feeds(loaded, only)
    return replace(
        open_context(loaded, asking=False),
        feeds=feeds,
        accounts={vendor: _account(loaded, vendor, specs[vendor].SPEC)},
    )


def _specs(loaded: Loaded, *only: str) -> Mapping[str, Vendor]:
    known = (*vendors.names(), vendors.TAKEN_IN)
    for name in only or loaded.values.vendor:
        if name not in known:
            today = vendors.FORMER.get(name)
            hint = f" It is called {today} now: [vendor.{today}]." if today else near(name, known)
            raise errors.ConfigError(
                f"there is no vendor {name!r}.{hint}", where=loaded.where(f"vendor.{name}")
            )
    return {name: vendors.load(name) for name in only or loaded.values.vendor}


def _feeds(
    loaded: Loaded, specs: Mapping[str, Vendor], *, asking: bool = True
) -> dict[str, ConfiguredSource]:
    feeds = {}
    for name, vendor in specs.items():
        settings = loaded.values.vendor[name]
        for secret in vendor.SPEC.secrets if asking else ():
            if getattr(settings, secret) is None or not getattr(settings, secret).get_secret_value():
                raise errors.ConfigError(
                    f"vendor.{name}.{secret} is missing; {vendor.SPEC.title} cannot be asked without it.",
                    where=loaded.where(f"vendor.{name}.{secret}"),
                    hint=f'Add {secret} = "${{{name.upper()}_{secret.upper()}}}" or {secret}_file.',
                )
        limits = _limits(loaded, name, vendor.SPEC, settings)
        _held_to_scheme(loaded, name, vendor.SPEC, settings)
        for source in _sources(loaded, name, vendor.SPEC):
            feeds[source.name] = ConfiguredSource(
                source=source,
                vendor=name,
                limits=limits,
                history_from=settings.history_from,
                preference=settings.preference,
            )
    return feeds


def _held_to_scheme(loaded: Loaded, name: str, spec: VendorSpec, settings: VendorSettings) -> None:
    """A vendor that talks over a websocket needs an address of one, any other one of HTTP."""
    plain = {"https": "http", "wss": "ws"}
    kinds = {plain.get(url.partition("://")[0], "") for url in spec.hosts.values()}
    scheme = settings.base_url.partition("://")[0]
    kind = plain.get(scheme, scheme)
    if settings.base_url and kinds and kind not in kinds:
        wanted = " or ".join(f"{protocol}:// or {protocol}s://" for protocol in sorted(kinds))
        raise errors.ConfigError(
            f"vendor.{name}.base_url = {settings.base_url}: {spec.title} is asked at {wanted}.",
            where=loaded.where(f"vendor.{name}.base_url"),
        )


def _sources(loaded: Loaded, vendor: str, spec: VendorSpec) -> list[Source]:
    """The sources of a vendor: those that it lists, and those that the datasets name of one that has any number."""
    named = {
        source
        for settings in loaded.values.dataset.values()
        for source in (*settings.sources, *settings.live)
    }
    resolved = [spec.source(name) for name in sorted(named) if name.partition(".")[0] == vendor]
    listed = {source.name for source in spec.sources}
    return [*spec.sources, *(source for source in resolved if source and source.name not in listed)]


def _limits(loaded: Loaded, name: str, spec: VendorSpec, settings: VendorSettings) -> Limits:
    plan = settings.plan or spec.default_plan
    if plan not in spec.plans:
        raise errors.ConfigError(
            f'vendor.{name}.plan = "{plan}" is no plan of {spec.title}: {", ".join(spec.plans)}.',
            where=loaded.where(f"vendor.{name}.plan"),
        )
    standard = spec.plans[plan]
    return replace(
        standard,
        per_minute=settings.requests_per_minute or standard.per_minute,
        per_second=settings.requests_per_second or standard.per_second,
        per_hour=settings.requests_per_hour or standard.per_hour,
        per_day=settings.requests_per_day or standard.per_day,
        weight_per_minute=settings.weight_per_minute or standard.weight_per_minute,
        credits_per_day=settings.credits_per_day or standard.credits_per_day,
        concurrency=settings.concurrency or standard.concurrency,
        identical_after=settings.identical_after or standard.identical_after,
    )


def _wanted(
    loaded: Loaded, specs: Mapping[str, Vendor], listings: Sequence[ReferenceEntry] | None = None
) -> dict[str, ConfiguredDataset]:
    """The datasets; without `listings` the reference table was not read."""
    if not loaded.values.dataset:
        raise _no_dataset(loaded)
    return {
        name: _one_wanted(loaded, specs, name, settings, listings)
        for name, settings in loaded.values.dataset.items()
    }


def _one_wanted(
    loaded: Loaded,
    specs: Mapping[str, Vendor],
    name: str,
    settings: DatasetSettings,
    listings: Sequence[ReferenceEntry] | None,
) -> ConfiguredDataset:
    key = f"dataset.{name}"
    if name not in datasets.DATASETS:
        raise errors.ConfigError(
            f"there is no dataset {name!r}.{near(name, datasets.DATASETS)}", where=loaded.where(key)
        )
    dataset = datasets.DATASETS[name]
    if settings.calendar:
        dataset = _on(loaded, dataset, settings.calendar)
    if settings.until and settings.until < settings.from_:
        raise errors.ConfigError(
            f"{key}.until = {settings.until} lies before {key}.from = {settings.from_}.",
            where=loaded.where(f"{key}.until"),
        )
    calendar = opening.calendar(dataset.calendar, loaded.folder)
    _held_to_calendar(loaded, key, settings, calendar)
    _held_to_streams(loaded, specs, key, name, settings.live)
    if dataset.live_only and settings.sources:
        raise errors.ConfigError(
            f"{key}.sources: no source has a history of {name}.",
            where=loaded.where(f"{key}.sources"),
            hint="Leave sources empty; live names the sources that are captured.",
        )
    sources = settings.sources or settings.live
    serving = [
        source for source in sources if source in settings.sources or _has_history(specs, name, source)
    ]
    delay = max((_delay(loaded, specs, key, name, source) for source in serving), default=0)
    if not sources:
        able = [source.name for vendor in specs.values() for source in vendor.SPEC.sources if source.of(name)]
        hint = f"name some, such as {', '.join(able[:4])}" if able else f"no configured vendor serves {name}"
        raise errors.ConfigError(f"{key}.sources is empty; {hint}.", where=loaded.where(f"{key}.sources"))
    if len(set(sources)) < len(sources):
        raise errors.ConfigError(f"{key}.sources names a source twice.", where=loaded.where(f"{key}.sources"))
    covered = members.of_universe(loaded, name, settings.universe, listings)
    return ConfiguredDataset(
        dataset=dataset,
        calendar=calendar,
        instruments={member.instrument: member for member in covered},
        sources=sources,
        first=settings.from_,
        until=settings.until,
        final_after=int(max(settings.final_after, delay) * SECOND),
        synthetic=settings.synthetic,
        live=settings.live,
        by_instrument=settings.by_instrument,
        recheck=tuple(sorted({int(wait * SECOND) for wait in settings.recheck})),
        unserved=not serving,
    )


def _held_to_calendar(loaded: Loaded, key: str, settings: DatasetSettings, calendar: Calendar) -> None:
    for limit, day in (("from", settings.from_), ("until", settings.until)):
        if day and not calendar.known_from <= day <= calendar.known_to:
            raise errors.ConfigError(
                f"{key}.{limit} = {day} lies outside the calendar {calendar.name}, which knows "
                f"{calendar.known_from} to {calendar.known_to}.",
                where=loaded.where(f"{key}.{limit}"),
            )


def _on(loaded: Loaded, dataset: Dataset, calendar: str) -> Dataset:
    """The dataset over another market's sessions."""
    key = f"dataset.{dataset.name}.calendar"
    if {dataset.calendar, calendar} & set(rules.names()):
        raise errors.ConfigError(
            f"{key} = {calendar!r}: only tables of exchanges can stand for each other.",
            where=loaded.where(key),
        )
    try:
        opening.calendar(calendar, loaded.folder)
    except errors.UsageError as error:
        raise errors.ConfigError(
            f"{key}: {error.message}", where=loaded.where(key), hint=error.hint
        ) from error
    return replace(dataset, calendar=calendar)


def _has_history(specs: Mapping[str, Vendor], dataset: str, source: str) -> bool:
    source_spec = specs[source.partition(".")[0]].SPEC.source(source)
    return source_spec is not None and source_spec.of(dataset) is not None


def _delay(loaded: Loaded, specs: Mapping[str, Vendor], key: str, dataset: str, source: str) -> int:
    """The source's own delay in seconds; refuses sources that do not exist or do not serve the dataset."""
    where = loaded.where(f"{key}.sources")
    vendor = source.partition(".")[0]
    if vendor not in specs:
        known = vendor in (*vendors.names(), vendors.TAKEN_IN)
        hint = f"Add a table [vendor.{vendor}]." if known else f"Vendors: {', '.join(vendors.names())}."
        hint += "" if known else near(vendor, vendors.names())
        raise errors.ConfigError(
            f"{key}.sources names {source}, but no vendor {vendor} is configured.", where=where, hint=hint
        )
    spec = specs[vendor].SPEC
    source_spec = spec.source(source)
    if source_spec is None:
        names = [candidate.name for candidate in spec.sources]
        raise errors.ConfigError(
            f"{spec.title} has no source {source}; it has {', '.join(names)}.{near(source, names)}",
            where=where,
        )
    capability = source_spec.of(dataset)
    if capability is None:
        able = [
            candidate.name
            for each in vendors.names()
            for candidate in vendors.load(each).SPEC.sources
            if candidate.of(dataset) is not None
        ]
        raise errors.ConfigError(
            f"{source} does not serve {dataset}.", where=where, hint=f"These do: {', '.join(able)}."
        )
    return capability.delay


def _held_to_streams(
    loaded: Loaded, specs: Mapping[str, Vendor], key: str, dataset: str, live: Sequence[str]
) -> None:
    """Refuse a source of live data that does not exist or does not stream the dataset."""
    where = loaded.where(f"{key}.live")
    for source in live:
        vendor = source.partition(".")[0]
        if vendor not in specs:
            raise errors.ConfigError(
                f"{key}.live names {source}, but no vendor {vendor} is configured.",
                where=where,
                hint=f"Add a table [vendor.{vendor}].",
            )
        spec = specs[vendor].SPEC
        if spec.source(source) is None or not hasattr(specs[vendor], "streams"):
            able = [name for name in vendors.names() if hasattr(vendors.load(name), "streams")]
            raise errors.ConfigError(
                f"{key}.live names {source}, which has no live stream here.",
                where=where,
                hint=f"These vendors have: {', '.join(able)}.",
            )
        try:
            sample = Subscription(dataset=dataset, symbol=datasets.get(dataset).asset_class.sample)
            cast("StreamingVendor", specs[vendor]).streams(source, [sample])
        except ValueError as error:
            raise errors.ConfigError(f"{key}.live: {error}.", where=where) from None


def _account(loaded: Loaded, name: str, spec: VendorSpec) -> http.Account:
    settings = loaded.values.vendor[name]
    secrets = {}
    for secret in spec.secrets:
        value = getattr(settings, secret)
        secrets[secret] = value.get_secret_value() if value else ""
    log.keep_secret(*secrets.values())
    return http.account(spec, base_url=settings.base_url, secrets=secrets, timeout=settings.timeout)


def _by_preference(wanted: Mapping[str, ConfiguredDataset]) -> list[str]:
    """Sources in the order in which the datasets prefer them."""
    return list(
        dict.fromkeys(source for dataset in wanted.values() for source in (*dataset.sources, *dataset.live))
    )
