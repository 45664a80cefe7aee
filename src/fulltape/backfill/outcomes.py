"""What the end of a fetch means for the queue and for the source's eligibility."""

from __future__ import annotations

from dataclasses import dataclass

from fulltape.backfill import plan
from fulltape.backfill.work import Result, Work
from fulltape.context import NodeContext
from fulltape.contract.vendor import Outcome
from fulltape.coverage.facts import CoverageFact
from fulltape.ledger.eligibility import EligibilityState, Eligible
from fulltape.ledger.task import Task
from fulltape.market.time import MINUTE, SECOND, Instant

_STATES: dict[Outcome, EligibilityState] = {
    Outcome.NOT_ENTITLED: "not entitled",
    Outcome.NOT_SUPPORTED: "not supported",
    Outcome.UNKNOWN_SYMBOL: "unknown symbol",
    Outcome.BAD_REQUEST: "not supported",
}
_FOR_EVER: Instant = 2**62
_NOT_YET = 15 * MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """What a fetch's bad end counts against. Not against the `tasks` if the source answers no request; not against the
    `symbols` while it is not known which of them was meant."""

    tasks: bool = True
    symbols: bool = True


ALL_OF_THEM = Blame()


def settle(
    context: NodeContext, source: str, work: Work, result: Result, now: Instant, blame: Blame = ALL_OF_THEM
) -> None:
    """Record what was learned and pass every task on: to seal if pages are durable, else back to the queue."""
    with context.ledger.write():
        context.ledger.changes.begin()
        for symbol in result.confirmed:
            _learn(context, source, work, symbol, "ok", "a reference answer", now)
        for symbol, (outcome, reason) in result.refused.items():
            if outcome in _STATES:
                _learn(context, source, work, symbol, _STATES[outcome], reason, now)
        if result.outcome is Outcome.ROWS:
            _heal(context, source, work, result, now)
        if refuses(result) and blame.symbols:
            _refused(context, source, work, result, now)
        for task_id, attempt in work.tasks.items():
            task = context.ledger.tasks.get(task_id)
            if task is not None:
                _pass_on(context, source, result, task, attempt, now, blame)


def refuses(result: Result) -> bool:
    """Whether the whole fetch was refused for good."""
    return plan.effect(result.outcome) == "refuse"


def _pass_on(
    context: NodeContext, source: str, result: Result, task: Task, attempt: int, now: Instant, blame: Blame
) -> None:
    queue, task_id = context.ledger.queue, task.task_id
    effect = plan.effect(result.outcome)
    failed = effect == "fail" and blame.tasks and not result.unreachable
    refused = effect == "refuse" and blame.symbols
    if effect == "hold":
        queue.hold_back(task_id, source, not_before=now + _NOT_YET)
    elif failed:
        queue.hold_back(task_id, source, not_before=now + plan.backoff(task.failures) * SECOND)
    if refused or task.symbol in result.refused:
        others = tuple(other for other in task.eligible_sources if other != source)
        if others:
            queue.set_eligible_sources({task_id: others})
    if refused:
        queue.hold_back(task_id, source, refusal=result.reason or result.outcome.value)
    if result.pages:
        queue.fetched(task_id, attempt)
    elif failed and task.failures + 1 >= context.rules.max_failures:
        queue.finish(task_id, attempt, "stalled", now=now, error=result.reason)
    elif refused and task.purpose != "fill":
        # It was for this source alone, and this is its answer.
        queue.finish(task_id, attempt, "done", now=now, error=result.reason)
    else:
        reason = result.refused.get(task.symbol, (None, result.reason))[1]
        queue.release(task_id, attempt, error=f"{source}: {reason}" if reason else "", failed=failed)


def _refused(context: NodeContext, source: str, work: Work, result: Result, now: Instant) -> None:
    """The whole fetch was refused: not entitled holds for its symbols, everything else for just these sessions, and for
    none of them where only a span of one was asked for."""
    if work.fetch.narrow:
        return
    if result.outcome is Outcome.NOT_ENTITLED:
        for symbol in work.fetch.symbols:
            _learn(context, source, work, symbol, "not entitled", result.reason, now)
        return
    wanted = context.wanted[work.fetch.dataset]
    context.ledger.coverage.record(
        (
            CoverageFact(
                dataset=work.fetch.dataset,
                instrument=work.instruments[symbol],
                source=source,
                first=work.fetch.first,
                last=work.fetch.last,
                fact="refused",
                sound=False,
                final=True,
                since=now,
                evidence=work.fetch_id,
                reason=result.reason,
            )
            for symbol in work.fetch.symbols
            if symbol not in result.refused
        ),
        wanted.next_session,
    )


def _learn(
    context: NodeContext,
    source: str,
    work: Work,
    symbol: str,
    state: EligibilityState,
    reason: str,
    now: Instant,
) -> None:
    """Remember what a source showed of a symbol. A refusal lasts for a cooldown that grows each time one has run out
    and the source refuses again."""
    dataset = work.fetch.dataset
    before = context.ledger.eligibility.of(source, dataset, symbol)
    if state == "ok":
        strikes, until = 0, _FOR_EVER
    elif before is not None and before.forbids(now):
        strikes, until = before.strikes, before.until
    else:
        strikes = 1 + (before.strikes if before else 0)
        until = now + plan.cooldown(context.rules.cooldown, strikes)
    context.ledger.eligibility.record(
        Eligible(
            source=source,
            dataset=dataset,
            symbol=symbol,
            state=state,
            until=until,
            reason=reason,
            since=now,
            strikes=strikes,
        )
    )
    context.ledger.touched.add(dataset, [work.instruments.get(symbol, symbol)])


def _heal(context: NodeContext, source: str, work: Work, result: Result, now: Instant) -> None:
    """Symbols that were refused once and are served again are as good as any."""
    for symbol in work.fetch.symbols:
        if symbol not in result.refused:
            known = context.ledger.eligibility.of(source, work.fetch.dataset, symbol)
            if known and known.state != "ok":
                _learn(context, source, work, symbol, "ok", "served again", now)
