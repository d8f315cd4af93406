"""Replicas pass from their author to an autoscaler and back, and nobody ever sees another number in between."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import parts
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import laboratory

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(420), pytest.mark.xdist_group("plane-three")]


def web(lab: laboratory.Laboratory, *traits: dict[str, Any], image: str = "example/web:1") -> str:
    return parts.application(lab, "shop", parts.component("webservice", traits=traits, image=image))


def scaler(replicas: int) -> dict[str, Any]:
    return {"type": "scaler", "properties": {"replicas": replicas}}


def hpa(least: int, most: int = 6) -> dict[str, Any]:
    return {"type": "hpa", "properties": {"min": least, "max": most}}


class Watched:
    """Every number of replicas that a watch has shown, without repetitions in a row."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def hear(self, line: str) -> None:
        if line.strip() and self.numbers[-1:] != [int(line)]:
            self.numbers.append(int(line))

    def until(self, number: int) -> list[int]:
        """The numbers so far, once the last one is this."""
        parts.until(lambda: self.numbers[-1:] == [number])
        return list(self.numbers)


@contextlib.contextmanager
def watching(lab: laboratory.Laboratory) -> Iterator[Watched]:
    command = [lab.kubectl_program, "--kubeconfig", lab.kubeconfig, "--context", lab.context, "-n", lab.namespace]
    command += ["get", "deployment", "web", "--watch", "-o", r'jsonpath={.spec.replicas}{"\n"}']
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    watched = Watched()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            watched.hear(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        parts.until(lambda: watched.numbers)
        yield watched
    finally:
        process.kill()
        process.wait()
        reader.join()
        assert process.stdout is not None
        process.stdout.close()


def scaled_by_hand(lab: laboratory.Laboratory, number: int) -> None:
    """Through the scale subresource, as an autoscaler does it."""
    lab.kubectl("scale", "deployment/web", f"--replicas={number}")


def replicas(lab: laboratory.Laboratory) -> int:
    return lab.get("deployment", "web")["spec"]["replicas"]


def test_replicas_go_to_an_autoscaler_and_back_without_another_number(lab: laboratory.Laboratory) -> None:
    lab.appctl("up", web(lab, scaler(3)), "--create-namespace")
    with watching(lab) as watched:
        lab.appctl("up", web(lab, hpa(2)))
        assert watched.until(3) == [3]

        scaled_by_hand(lab, 5)
        lab.appctl("up", web(lab, hpa(2), image="example/web:2"))
        assert watched.until(5) == [3, 5]
        assert "nothing to do" in lab.appctl("up", web(lab, hpa(2), image="example/web:2")).err

        lab.appctl("up", web(lab, scaler(4), image="example/web:2"), "--yes")
        assert lab.names("hpa") == []
        assert watched.until(4) == [3, 5, 4]
        assert "nothing to do" in lab.appctl("up", web(lab, scaler(4), image="example/web:2")).err

        # What is nobody's but the author's again is the author's to change.
        lab.appctl("up", web(lab, scaler(2), image="example/web:2"))
        assert watched.until(2) == [3, 5, 4, 2]
    managers = {one["manager"] for one in lab.get("deployment", "web")["metadata"].get("managedFields", ())}
    assert not any("handover" in name for name in managers)


def test_the_first_update_of_what_was_created_under_an_autoscaler_resets_nothing(lab: laboratory.Laboratory) -> None:
    lab.appctl("up", web(lab, hpa(2)), "--create-namespace")
    assert replicas(lab) == 2
    scaled_by_hand(lab, 4)
    with watching(lab) as watched:
        compared = lab.appctl("diff", web(lab, hpa(2), image="example/web:2"), code=1)
        assert "/spec/replicas" not in compared.out
        lab.appctl("up", web(lab, hpa(2), image="example/web:2"))
        lab.appctl("up", web(lab, hpa(2, most=8), image="example/web:3"))
        assert watched.until(4) == [4]
    lab.appctl("rollback", f"{lab.namespace}/shop", "--to", "1")
    assert replicas(lab) == 4


def test_an_autoscaler_of_somebody_else_keeps_its_number(lab: laboratory.Laboratory) -> None:
    lab.appctl("up", web(lab, scaler(3)), "--create-namespace")
    lab.kubectl("apply", "-f", "-", stdin=json.dumps(parts.autoscaler("web", least=2, most=6)))
    scaled_by_hand(lab, 5)
    with watching(lab) as watched:
        lab.appctl("up", web(lab, scaler(3), image="example/web:2"), "--force-conflicts")
        lab.appctl("up", web(lab, scaler(4), image="example/web:2"))
        assert watched.until(5) == [5]
    lab.appctl("delete", f"{lab.namespace}/shop", "--yes")
    assert lab.names("hpa") == ["horizontalpodautoscaler.autoscaling/web"]


def test_a_number_set_by_hand_holds_until_the_author_writes_another(lab: laboratory.Laboratory) -> None:
    name = f"{lab.namespace}/shop"
    lab.appctl("up", web(lab, scaler(2)), "--create-namespace")
    scaled_by_hand(lab, 4)
    done = lab.appctl("up", web(lab, scaler(2)))
    assert "left to kubectl: .spec.replicas" in done.err
    assert replicas(lab) == 4
    assert "left to kubectl: .spec.replicas of Deployment" in lab.appctl("status", name).out

    again = lab.appctl("up", web(lab, scaler(2)))
    assert "nothing to do" in again.err
    lab.appctl("up", web(lab, scaler(2), image="example/web:2"))
    assert replicas(lab) == 4
    lab.appctl("diff", web(lab, scaler(2), image="example/web:2"), code=0)

    lab.appctl("up", web(lab, scaler(3), image="example/web:2"))
    assert replicas(lab) == 3
    assert "left to" not in lab.appctl("status", name).out

    scaled_by_hand(lab, 5)
    lab.appctl("up", web(lab, scaler(3), image="example/web:2"), "--force-conflicts")
    assert replicas(lab) == 3
