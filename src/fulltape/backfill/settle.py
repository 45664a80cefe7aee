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


def settle(stores: Stores, source: str, work: Work, result: Result, now: Instant) -> None:
    """Record what was learned and pass every task on: to seal if pages are durable, else back to the queue."""
    with stores.ledger.write():
        for symbol in result.confirmed:
            _learn(stores, source, work.ask.dataset, symbol, "ok", _FOR_EVER, "a reference answer", now)
        for symbol, (outcome, reason) in result.refused.items():
            until = now + stores.rules.cooldown
            if outcome in _STATES:
                _learn(stores, source, work.ask.dataset, symbol, _STATES[outcome], until, reason, now)
        if plan.effect(result.outcome) == "refuse":
            _refused(stores, source, work, result, now)
        for task_id, attempt in work.tasks.items():
            _pass_on(stores, source, result, task_id, attempt, now)


def _pass_on(stores: Stores, source: str, result: Result, task_id: int, attempt: int, now: Instant) -> None:
    queue = stores.ledger.queue
    task = queue.get(task_id)
    if task is None:
        return
    effect = plan.effect(result.outcome)
    failed = effect == "fail" and not result.unreachable
    if effect == "hold":
        queue.hold_back(task_id, source, not_before=now + _NOT_YET)
    elif failed:
        queue.hold_back(task_id, source, not_before=now + plan.backoff(task.failures) * SECOND)
    elif effect == "refuse":
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
        until = now + stores.rules.cooldown
        for symbol in work.ask.symbols:
            _learn(stores, source, work.ask.dataset, symbol, "not entitled", until, result.reason, now)
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
    until: Instant,
    reason: str,
    now: Instant,
) -> None:
    stores.ledger.eligibility.record(
        Eligible(
            source=source, dataset=dataset, symbol=symbol, state=state, until=until, reason=reason, since=now
        )
    )
