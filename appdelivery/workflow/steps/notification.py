"""`notification`: messages to Slack, Lark, DingTalk and by e-mail.  Each channel is noted before it is used, so that a
repeated run sends no message twice that is known to have been sent.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from appdelivery.workflow.model import Done, Fail
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from appdelivery.workflow.model import Result, StepContext

HOOKS = ("slack", "lark", "dingding")


async def run(at: StepContext) -> Result:
    sent: list[str] = []
    for channel in (*HOOKS, "email"):
        given = at.properties.get(channel)
        if given is None:
            continue
        if at.cancelled():
            return Fail("step.cancelled", f"cancelled; sent to {', '.join(sent) or 'nobody'}", retryable=False)
        await (_mail(at, given) if channel == "email" else _hook(at, channel, given))
        sent.append(channel)
    return Done({}, f"sent to {', '.join(sent)}")


async def _hook(at: StepContext, channel: str, given: dict[str, Any]) -> None:
    async def call(idempotency_key: str) -> dict[str, Any]:
        url = await world.secret_value(at, given["url"], f"the address of {channel}")
        at.secrets.append(url)  # whoever knows the address of a hook may write to it
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        body = json.dumps(given["message"], ensure_ascii=False).encode()
        answer = await world.ask(at, world.HttpRequest("POST", url, headers, body), f"send to {channel}")
        return {"status": answer.status}

    await at.effect(channel, {"channel": channel, "message": given["message"]}, call)


async def _mail(at: StepContext, given: dict[str, Any]) -> None:
    sender, content = given["from"], given["content"]

    async def call(idempotency_key: str) -> dict[str, Any]:
        mail = world.Email(
            host=sender["host"],
            port=sender["port"],
            sender=sender["address"],
            alias=sender.get("alias") or "",
            password=await world.secret_value(at, sender["password"], "the password of the mail account"),
            to=tuple(given["to"]),
            subject=content["subject"],
            body=content["body"],
            key=idempotency_key,
        )

        async def send() -> None:
            await world.of(at).email(mail)

        await world.unless_cancelled(at, send())
        return {"to": given["to"]}

    await at.effect("email", {"to": given["to"], "subject": content["subject"]}, call)
