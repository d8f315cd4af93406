"""One attempt of a step: the action is called, whatever it answers or raises becomes a Result.  Called by reconcile.

The memory of calls that must not be made twice (workflow.md section 8) is kept here too: noted, called, kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery.ports import EffectNoted
from appdelivery.model import canonical, redact
from appdelivery.model.record import changed
from appdelivery.model.run import Effect
from appdelivery.workflow import results
from appdelivery.workflow.model import Fail, StepContext

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from appdelivery.delivery.ports import Fact, Journal
    from appdelivery.model.history import Actor
    from appdelivery.model.run import Run
    from appdelivery.workflow.dag import Dag
    from appdelivery.workflow.model import Action, Result
    from appdelivery.workflow.results import Recorded
    from appdelivery.workflow.work import Start


class Unsure(errors.RequestError):
    code = "step.unsure"


@dataclass(slots=True)
class Attempt:
    """In flight.  now: the store's clock, as far as this process knows it."""

    run: Run
    start: Start
    actor: Actor
    journal: Journal
    record: Callable[[Sequence[Fact]], Awaitable[None]]
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    now: Callable[[], datetime]
    world: Any
    log: Callable[[str], None] = lambda _: None
    cancelled: bool = False
    secrets: list[str] = field(default_factory=list)

    async def carry_out(self, find: Callable[[str], Action]) -> tuple[Result | None, bool]:
        """(result, whether it stands for an error of the world); None: a person has to say whether the call was made.
        LostLease passes, so does the end of the process."""
        start = self.start
        at = StepContext(
            self.run,
            start.row.name,
            start.properties,
            start.inputs,
            start.cursor,
            start.attempt,
            self.now(),
            self.actor,
            self._effect,
            self.world,
            app=self.run.app,
            answer=start.answer,
            cancelled=lambda: self.cancelled,
            log=self.log,
            secrets=self.secrets,
        )
        try:
            return self._masked(await find(start.step.use)(at)), False
        except errors.LostLease:
            raise
        except Unsure:
            return None, False
        except errors.WorldError as error:
            after = None if error.after is None else timedelta(seconds=error.after)
            return self._masked(Fail(error.code, _text(error), error.retryable, after)), True
        except errors.RequestError as error:
            return self._masked(Fail(error.code, _text(error), retryable=False)), False
        except Exception as error:  # a bug of one step must not take the others with it; it is recorded
            text = f"our bug in step {start.row.name}: {type(error).__name__}: {error}"
            return self._masked(Fail("internal", text, retryable=start.row.failures == 0)), False

    def recorded(self, dag: Dag, result: Result | None, rows: Sequence[Any], *, same_try: bool) -> Recorded:
        if result is None:
            return results.unsure(self.start, "it may have been called: a person has to say (appctl retry, appctl skip)")
        return results.recorded(dag, self.run, self.start, result, now=self.now(), rows=rows, same_try=same_try)

    async def _effect(self, key: str, request: Any, call: Callable[[str], Awaitable[Any]]) -> Any:
        run, step = self.run.id, self.start.row.name
        known = await self.in_thread(lambda: self.journal.effect(run, step, key))
        if known is not None and known.done_at is not None:
            return known.result
        once = self.start.step.once
        if known is not None and once and (self.start.answer or {}).get("signal") != "retry":
            raise Unsure(f"step {step}: the call {key} was begun at {known.noted_at:%H:%M:%S} and may have been made")
        noted = known or Effect(step, key, canonical.digest(request), once, self.now())
        if known is None:
            await self.record([EffectNoted(run, noted)])
        result = await call(f"{run}.{step}.{key}")
        await self.record([EffectNoted(run, changed(noted, result=result, done_at=self.now()))])
        return result

    def _masked(self, result: Result) -> Result:
        """Messages never quote a secret that the step has read."""
        if not self.secrets:
            return result

        def mask(text: str) -> str:
            return redact.text(text, self.secrets)

        return changed(result, message=mask(result.message))


def _text(error: errors.AppError) -> str:
    return error.message + (f" ({error.hint})" if error.hint else "")
