"""Keeps the credentials of one cluster fresh: by age before they expire, and once for all when a 401 comes.

Token files (in-cluster accounts, `tokenFile`) are read again; exec plugins and auth providers run through kr8s, which is
imported for them alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import time
import warnings
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.clusters import expiry

if TYPE_CHECKING:
    from collections.abc import Callable

    from appdelivery.clusters.credentials import Credentials

FILE_AGE = 60.0  # seconds after which a token file is read again
PLUGIN_AGE = 600.0  # of plugin tokens that do not say when they expire
EARLY = 30.0  # seconds before expiry


class Identity:
    def __init__(self, cluster: str, given: Credentials, clock: Callable[[], float] = time.time) -> None:
        self.generation = 0  # counts renewals, so that of many who saw a 401 only the first renews
        self._cluster, self._given, self._clock = cluster, given, clock
        self._now = given
        self._until = 0.0 if given.renewable else float("inf")
        self._lock = asyncio.Lock()

    async def current(self) -> Credentials:
        if self._clock() >= self._until:
            await self.renew(self.generation)
        return self._now

    async def fresh(self) -> int:
        """The generation of the credentials that the next request uses."""
        await self.current()
        return self.generation

    async def renew(self, generation: int) -> None:
        """New credentials, unless somebody else renewed after `generation` was read."""
        async with self._lock:
            if generation != self.generation:
                return
            if self._given.token_file:
                self._now = dataclasses.replace(self._given, token=self._from_file())
                self._until = self._clock() + FILE_AGE
            elif self._given.plugin:
                self._now = await self._from_plugin()
                self._until = self._clock() + self._age(expiry.of_token(self._now.token))
            self.generation += 1

    def _age(self, end: float) -> float:
        """How long a plugin's credential is used; a plugin that gives short-lived ones is not run for every request."""
        left = end - self._clock()
        return max(left - EARLY, left / 2) if end else PLUGIN_AGE

    def _from_file(self) -> str:
        try:
            with open(self._given.token_file, encoding="utf-8") as file:
                return file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise self._failed(f"cannot read token file {self._given.token_file}", error) from error

    async def _from_plugin(self) -> Credentials:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # kr8s warns about servers newer than its object layer knows
            # Made directly: `kr8s.api()` may hand out the cached client of another cluster.
            from kr8s._auth import KubeAuth
        auth = KubeAuth(kubeconfig=json.loads(self._given.plugin), serviceaccount="")
        try:
            await auth.reauthenticate()
            certificate, key = _taken(auth.client_cert_file), _taken(auth.client_key_file)
        # A plugin is any program and kr8s passes on whatever it raises: all of it means "no credentials".
        except Exception as error:
            raise self._failed("its credential plugin failed", error) from error
        finally:
            for left in (auth.client_cert_file, auth.client_key_file):
                if left:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(left)
        if not auth.token and not certificate:
            raise self._failed("its credential plugin gave neither token nor certificate", None)
        return dataclasses.replace(
            self._given,
            token=auth.token or "",
            certificate=certificate or self._given.certificate,
            key=key or self._given.key,
        )

    def _failed(self, what: str, error: BaseException | None) -> errors.Unauthorized:
        return errors.Unauthorized(
            f"log in to cluster {self._cluster}: {what}" + (f": {error}" if error else ""),
            code="cluster.credentials",
            hint="run the plugin by hand, or log in again with your provider's tool",
        )


def _taken(path: Any) -> str:
    """The content of a key file that kr8s wrote; the caller removes it."""
    if not path:
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()
