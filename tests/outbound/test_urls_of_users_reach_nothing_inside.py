"""The guarded client: addresses inside are refused however they are spelled, redirects are judged anew, limits hold."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from appdelivery import errors, outbound

HERE = outbound.limits({"APPCTL_ALLOW_HTTP": "true", "APPCTL_ALLOW_PRIVATE_HTTP": "127.0.0.1/32"})


@contextlib.asynccontextmanager
async def server(answer):
    """answer: of a raw request to raw bytes, None to say nothing for ever.  Gives the port and the requests."""
    seen = []

    async def talk(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head.decode())
        said = answer(head.decode())
        with contextlib.suppress(ConnectionError):
            if said is None:
                await reader.read()
            else:
                writer.write(said)
                await writer.drain()
            writer.close()

    made = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield made.sockets[0].getsockname()[1], seen
    finally:
        made.close()


def answered(body=b"fine", status="200 OK", **headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *[f"{k}: {v}" for k, v in headers.items()], "", ""]
    return "\r\n".join(lines).encode() + body


def names(**known):
    async def resolve(host, port):
        return known.get(host.replace(".", "_"), ["127.0.0.1"])

    return resolve


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/",
        "https://localhost/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
        "https://[::127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[fe80::1]/",
        "https://[fd00::1]/", "https://[::]/", "https://0.0.0.0/", "https://0/", "https://10.1.2.3/",
        "https://172.16.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data", "https://100.64.0.1/",
        "https://224.0.0.1/", "https://255.255.255.255/", "https://[ff02::1]/",
    ],
)  # fmt: skip
async def test_an_address_inside_is_refused_in_every_spelling(url):
    with pytest.raises(errors.Refused) as caught:
        await outbound.Client().send(outbound.Request("GET", url))
    assert caught.value.code == "outbound.private"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.com/", "outbound.scheme"), ("file:///etc/passwd", "outbound.scheme"),
        ("gopher://example.com/", "outbound.scheme"), ("https://ana:pass@example.com/", "outbound.url"),
        ("https:///path", "outbound.url"), ("https://exa mple.com/", "outbound.url"),
        ("https://example.com/\r\nX: y", "outbound.url"), ("https://example.com:99999/", "outbound.url"),
    ],
)  # fmt: skip
async def test_other_schemes_and_broken_urls_are_refused(url, code):
    with pytest.raises(errors.Refused) as caught:
        await outbound.Client(resolve=names()).send(outbound.Request("GET", url))
    assert caught.value.code == code
    assert "pass" not in caught.value.message.replace("password", "")


async def test_one_inner_address_among_public_ones_refuses_the_name():
    client = outbound.Client(resolve=names(evil_example=["93.184.216.34", "10.0.0.1"]))
    with pytest.raises(errors.Refused, match=r"10\.0\.0\.1"):
        await client.send(outbound.Request("GET", "https://evil.example/"))


async def test_a_name_is_resolved_once_and_the_judged_address_is_spoken_to():
    asked = []

    async def rebinding(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async with server(lambda _: answered()) as (port, seen):
        client = outbound.Client(HERE, rebinding)
        answer = await client.send(outbound.Request("GET", f"http://hooks.example:{port}/a?b=c"))
    assert (answer.status, answer.body, asked) == (200, b"fine", ["hooks.example"])
    assert seen[0].startswith("GET /a?b=c HTTP/1.1\r\n")
    assert f"host: hooks.example:{port}" in seen[0].lower()


async def test_a_redirect_is_judged_like_the_first_address():
    to = "http://inside.example/secret"
    async with server(lambda _: answered(status="302 Found", Location=to)) as (port, _):
        client = outbound.Client(HERE, names(inside_example=["169.254.169.254"]))
        with pytest.raises(errors.Refused, match="inside"):
            await client.send(outbound.Request("GET", f"http://hooks.example:{port}/"))


async def test_three_redirects_are_followed_and_no_more():
    hops = iter(range(100))
    async with server(lambda _: answered(status="302 Found", Location=f"/{next(hops)}")) as (port, seen):
        with pytest.raises(errors.WorldError, match="more than 3 redirects"):
            await outbound.Client(HERE, names()).send(outbound.Request("GET", f"http://hooks.example:{port}/"))
        assert len(seen) == 4
    said = iter([answered(status="302 Found", Location="/there"), answered(b"there")])
    async with server(lambda _: next(said)) as (port, _):
        answer = await outbound.Client(HERE, names()).send(outbound.Request("GET", f"http://hooks.example:{port}/"))
    assert answer.body == b"there"


@pytest.mark.parametrize(("method", "headers"), [("POST", {}), ("GET", {"Authorization": "x"}), ("GET", {"X-Token": "x"})])
async def test_no_credential_and_no_body_follows_a_redirect(method, headers):
    async with server(lambda _: answered(status="307 Temporary Redirect", Location="/b")) as (port, seen):
        with pytest.raises(errors.Refused, match="not followed"):
            await outbound.Client(HERE, names()).send(
                outbound.Request(method, f"http://hooks.example:{port}/", headers, b"x" if method == "POST" else None)
            )
        assert len(seen) == 1


async def test_an_answer_has_an_end_in_bytes_and_in_time():
    small = outbound.Limits(body=10, total_s=0.3, plain=True, networks=HERE.networks)
    async with server(lambda _: answered(b"x" * 11)) as (port, _):
        with pytest.raises(errors.WorldError, match="more than 10 bytes"):
            await outbound.Client(small, names()).send(outbound.Request("GET", f"http://a.example:{port}/"))
    async with server(lambda _: None) as (port, _):
        with pytest.raises(errors.WorldError) as caught:
            await outbound.Client(small, names()).send(outbound.Request("GET", f"http://a.example:{port}/"))
        assert caught.value.retryable
        assert caught.value.code == "outbound.timed-out"
    async with server(lambda _: answered(b"bomb", **{"Content-Encoding": "gzip"})) as (port, _):
        with pytest.raises(errors.WorldError, match="packed"):
            await outbound.Client(small, names()).send(outbound.Request("GET", f"http://a.example:{port}/"))


async def test_nothing_of_the_environment_goes_along(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://10.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://10.0.0.1:1")
    async with server(lambda _: answered()) as (port, seen):
        request = outbound.Request("POST", f"http://a.example:{port}/", {"Host": "other.example"}, b"{}")
        assert (await outbound.Client(HERE, names()).send(request)).status == 200
    assert f"host: a.example:{port}\r\n" in seen[0].lower()
    assert "other.example" not in seen[0]


async def test_the_next_address_is_tried_and_messages_hold_no_path():
    async with server(lambda _: answered()) as (port, _):
        both = outbound.limits({"APPCTL_ALLOW_HTTP": "true", "APPCTL_ALLOW_PRIVATE_HTTP": "true"})
        client = outbound.Client(both, names(a_example=["127.0.0.9", "127.0.0.1"]))
        assert (await client.send(outbound.Request("GET", f"http://a.example:{port}/"))).status == 200
    with pytest.raises(errors.WorldError) as caught:
        await client.send(outbound.Request("GET", f"http://b.example:{port}/T0KEN?k=T0KEN"))
    assert caught.value.retryable
    assert "T0KEN" not in caught.value.message


def test_what_an_operator_allows_is_no_more_than_said():
    client = outbound.Client(outbound.limits({"APPCTL_ALLOW_PRIVATE_HTTP": "true"}))
    import ipaddress

    allowed = {
        text: client._allowed(ipaddress.ip_address(text))
        for text in ("10.0.0.1", "127.0.0.1", "::1", "169.254.169.254", "0.0.0.0")
    }
    assert allowed == {"10.0.0.1": True, "127.0.0.1": True, "::1": True, "169.254.169.254": False, "0.0.0.0": False}
    with pytest.raises(errors.UsageError, match="neither true nor a network"):
        outbound.limits({"APPCTL_ALLOW_PRIVATE_HTTP": "everything"})
