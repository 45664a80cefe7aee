"""What the end of an ask means for the queue and for the source's eligibility."""

from __future__ import annotations

from fulltape.backfill import plan
from fulltape.backfill.fetch import Result, Work
from fulltape.core.time import MINUTE, SECOND, Instant
from fulltape.core.vendor import Outcome
from fulltape.ledger.coverage import CoverageFact
from fulltape.ledger.eligibility import EligibilityState, Eligible
from fulltape.stores import Stores

_STATES: dict[Outcome, EligibilityState] = {
    Outcome.NOT_ENTITLED: "not entitled",
    Outcome.NOT_SUPPORTED: "not supported",
    Outcome.UNKNOWN_SYMBOL: "unknown symbol",
    Outcome.BAD_REQUEST: "not supported",
}
_FOR_EVER: Instant = 2**62
_NOT_YET = 15 * MINUTE


def settle(
    stores: Stores, source: str, work: Work, result: Result, now: Instant, *, blame_tasks: bool = True
) -> None:
    """Record what was learned and pass every task on: to seal if pages are durable, else back to the queue.

    A failure counts against the tasks only if `blame_tasks`: a source that answers nobody says nothing about them.
    """
    with stores.ledger.write():
        for symbol in result.confirmed:
            _learn(stores, source, work.ask.dataset, symbol, "ok", _FOR_EVER, "a reference answer", now)
        for symbol, (outcome, reason) in result.refused.items():
            if outcome in _STATES:
                _learn(stores, source, work.ask.dataset, symbol, _STATES[outcome], None, reason, now)
        if result.outcome is Outcome.ROWS:
            _heal(stores, source, work, result, now)
        if plan.effect(result.outcome) == "refuse":
            _refused(stores, source, work, result, now)
        for task_id, attempt in work.tasks.items():
            _pass_on(stores, source, result, task_id, attempt, now, blame_tasks=blame_tasks)


def _pass_on(
    stores: Stores,
    source: str,
    result: Result,
    task_id: int,
    attempt: int,
    now: Instant,
    *,
    blame_tasks: bool,
) -> None:
    queue = stores.ledger.queue
    task = queue.get(task_id)
    if task is None:
        return
    effect = plan.effect(result.outcome)
    failed = effect == "fail" and blame_tasks and not result.unreachable
    if effect == "hold":
        queue.hold_back(task_id, source, not_before=now + _NOT_YET)
    elif failed:
        queue.hold_back(task_id, source, not_before=now + plan.backoff(task.failures) * SECOND)
    if effect == "refuse" or task.symbol in result.refused:
        queue.set_takers({task_id: tuple(one for one in task.takers if one != source)})
    if effect == "refuse":
        queue.hold_back(task_id, source, refusal=result.reason or result.outcome.value)
    if result.pages:
        queue.fetched(task_id, attempt)
    elif failed and task.failures + 1 >= stores.rules.max_failures:
        queue.finish(task_id, attempt, "stalled", now=now, error=result.reason)
    else:
        reason = result.refused.get(task.symbol, (None, result.reason))[1]
        queue.release(task_id, attempt, error=f"{source}: {reason}" if reason else "", failed=failed)


def _refused(stores: Stores, source: str, work: Work, result: Result, now: Instant) -> None:
    """The whole ask was refused: not entitled holds for its symbols, everything else for just these sessions."""
    if result.outcome is Outcome.NOT_ENTITLED:
        for symbol in work.ask.symbols:
            _learn(stores, source, work.ask.dataset, symbol, "not entitled", None, result.reason, now)
        return
    wanted = stores.wanted[work.ask.dataset]
    stores.ledger.coverage.record(
        (
            CoverageFact(
                dataset=work.ask.dataset,
                instrument=work.instruments[symbol],
                source=source,
                first=work.ask.first,
                last=work.ask.last,
                fact="refused",
                sound=False,
                final=True,
                since=now,
                evidence=work.ask_id,
                reason=result.reason,
            )
            for symbol in work.ask.symbols
            if symbol not in result.refused
        ),
        wanted.next_session,
    )


def _learn(
    stores: Stores,
    source: str,
    dataset: str,
    symbol: str,
    state: EligibilityState,
    until: Instant | None,
    reason: str,
    now: Instant,
) -> None:
    """Remember what a source showed; `until` None: for a cooldown that grows each time it refuses again."""
    before = stores.ledger.eligibility.of(source, dataset, symbol)
    strikes = 0 if until else 1 + (before.strikes if before else 0)
    stores.ledger.eligibility.record(
        Eligible(
            source=source,
            dataset=dataset,
            symbol=symbol,
            state=state,
            until=until or now + plan.cooldown(stores.rules.cooldown, strikes),
            reason=reason,
            since=now,
            strikes=strikes,
        )
    )


def _heal(stores: Stores, source: str, work: Work, result: Result, now: Instant) -> None:
    """Symbols that were refused once and are served again are as good as any."""
    for symbol in work.ask.symbols:
        if symbol not in result.refused:
            known = stores.ledger.eligibility.of(source, work.ask.dataset, symbol)
            if known and known.state != "ok":
                _learn(stores, source, work.ask.dataset, symbol, "ok", _FOR_EVER, "served again", now)
