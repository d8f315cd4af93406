"""Protobuf bodies, as kubectl 1.37 sent them, beside the JSON that the same commands print."""

from __future__ import annotations

import base64
import contextlib
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_process import MAPS, Client, cluster

from appdelivery.sandbox import status
from appdelivery.sandbox.http import protobuf

with open(os.path.join(os.path.dirname(__file__), "kubectl_protobuf.json"), encoding="utf-8") as file:
    RECORDED = json.load(file)
TYPE = "application/vnd.kubernetes.protobuf"


def bare(tree):
    """Without what is null: Go's JSON writes it where nothing was set."""
    if isinstance(tree, dict):
        return {key: bare(value) for key, value in tree.items() if value is not None}
    return [bare(value) for value in tree] if isinstance(tree, list) else tree


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded["means"]["kind"])
def test_a_body_of_kubectl_means_what_its_json_says(recorded):
    assert bare(protobuf.read(base64.b64decode(recorded["sent"]))) == recorded["means"]


async def test_an_object_can_be_created_from_protobuf():
    sent = next(one["sent"] for one in RECORDED if one["means"]["kind"] == "ConfigMap")
    reply = await Client(cluster()).ask("POST", MAPS, base64.b64decode(sent), type=TYPE)
    assert (reply.status, reply.json["data"]) == (201, {"a": "b"})


async def test_what_is_no_envelope_or_of_an_unknown_kind_gets_415():
    for body in (b"hello", b"k8s\0\n\x0b\n\x02v1\x12\x05Alien"):
        reply = await Client(cluster()).ask("POST", MAPS, body, type=TYPE)
        assert reply.status == 415
        assert reply.message.startswith("the body of the request was in an unknown format - accepted media types include:")


@settings(max_examples=100, deadline=None)
@given(recorded=st.sampled_from(RECORDED), cut=st.integers(5, 400), flip=st.integers(0, 255))
def test_a_damaged_body_is_refused_or_read_but_never_breaks(recorded, cut, flip):
    text = bytearray(base64.b64decode(recorded["sent"]))
    text[cut % len(text)] ^= flip
    with contextlib.suppress(status.Refusal):
        found = protobuf.read(bytes(text))
        assert found is None or isinstance(found, dict)
