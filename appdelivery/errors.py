"""Every error raised on purpose.  Raised by all rooms; turned into text and exit codes by cli alone.

AppError                      code, message, hint, problems; the cause is kept for --debug
├── RequestError              the request is wrong: the caller acts                  exit 2
│   ├── SpecError             documents: carries a list of Problem
│   ├── UsageError            command line or parameters of a call                   exit 64
│   ├── NotFound, Denied      the same answer to the caller
│   ├── Conflict              stale precondition, plan out of date, name taken
│   └── Refused               a guard said no (deletion budget, consent, policy)
├── WorldError                the world said no: retry or tell an operator           exit 2
│   ├── ClusterError          Unreachable, Unauthorized, Forbidden, Missing, NotServed,
│   │                         FieldConflict, Stale, Rejected, Throttled, TimedOut
│   ├── StoreError            Busy, LostLease, Full, Corrupt, TooNew, ReadOnly
│   └── SourceError           a file or folder that cannot be read
└── Bug                       our fault: an invariant does not hold                  exit 70

Outcomes are values, not exceptions: a failed health check or a conflict that was given up is a
Health or a Change.  Exceptions are for "could not find out" and "must not go on".
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.model.problem import Problem


class AppError(Exception):
    """message says what was being done, to what, and what stopped it; hint says what to do."""

    code = "error"

    def __init__(self, message: str, *, code: str = "", hint: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problems = tuple(problems)
        if code:
            self.code = code


class RequestError(AppError):
    code = "request"


class SpecError(RequestError):
    """Documents are wrong; problems says where.  The message is a summary for logs."""

    code = "spec"

    def __init__(self, problems: Sequence[Problem], message: str = "") -> None:
        first = problems[0].message if problems else "the document is wrong"
        super().__init__(message or first, problems=problems)


class UsageError(RequestError):
    code = "usage"


class NotFound(RequestError):
    code = "not-found"


class Denied(RequestError):
    code = "denied"


class Conflict(RequestError):
    code = "conflict"


class Refused(RequestError):
    code = "refused"


class WorldError(AppError):
    """Nothing but retryable and after (seconds) decides about retries."""

    code = "world"
    retryable = False

    def __init__(
        self, message: str, *, code: str = "", hint: str = "", retryable: bool | None = None, after: float | None = None
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        if retryable is not None:
            self.retryable = retryable
        self.after = after


class ClusterError(WorldError):
    code = "cluster"


class Unreachable(ClusterError):
    code = "cluster.unreachable"
    retryable = True


class Unauthorized(ClusterError):
    code = "cluster.unauthorized"


class Forbidden(ClusterError):
    code = "cluster.forbidden"


class Missing(ClusterError):
    """The object, or the namespace it should stand in, does not exist."""

    code = "cluster.missing"


class NotServed(ClusterError):
    code = "cluster.not-served"


class FieldConflict(ClusterError):
    """Server-side apply met fields of other managers.  owners holds (manager, operation, subresource, path)."""

    code = "cluster.field-conflict"

    def __init__(self, message: str, owners: Sequence[tuple[str, str, str, str]]) -> None:
        super().__init__(message)
        self.owners = tuple(owners)


class Stale(ClusterError):
    """A resourceVersion or uid precondition does not hold: somebody was faster."""

    code = "cluster.stale"


class Rejected(ClusterError):
    """400 or 422: the object is wrong.  immutable names the fields that cannot change, if that is why."""

    code = "cluster.rejected"

    def __init__(
        self, message: str, *, code: str = "", hint: str = "", status: int = 422, fields: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.status = status
        self.fields = tuple(fields)  # (field path, message) as the server names them

    @property
    def immutable(self) -> bool:
        return any(
            "immutable" in text or "may not change" in text or "Forbidden: updates to" in text for _, text in self.fields
        )


class Throttled(ClusterError):
    code = "cluster.throttled"
    retryable = True


class TimedOut(ClusterError):
    code = "cluster.timed-out"
    retryable = True


class StoreError(WorldError):
    code = "store"


class Busy(StoreError):
    code = "store.busy"
    retryable = True


class LostLease(StoreError):
    """The fence is not the current one: another worker owns the application now."""

    code = "store.lost-lease"


class Full(StoreError):
    code = "store.full"


class Corrupt(StoreError):
    code = "store.corrupt"


class TooNew(StoreError):
    code = "store.too-new"


class ReadOnly(StoreError):
    code = "store.read-only"


class SourceError(WorldError):
    code = "source"


class Bug(AppError):
    """An invariant of ours does not hold."""

    code = "bug"
