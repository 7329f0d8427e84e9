"""Secrets in the keyring of the operating system, where there is one that works unattended."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

#: The service under which a keyring lists our entries.
SERVICE = "jupyterlab-pipelines"
#: Seconds after which a keyring that does not answer is held for locked.
PATIENCE = 3.0
#: Keyrings of operating systems; others write files of their own, or ask for a password.
_TRUSTED = frozenset({"SecretService", "Windows", "kwallet", "libsecret", "macOS"})


class VaultLocked(Exception):
    """The keyring did not answer in time, or refused."""


@dataclass
class _Turn:
    """Who asks a keyring at present; `overdue` is the thread that got no answer in time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    overdue: threading.Thread | None = None


_turns: weakref.WeakKeyDictionary[object, _Turn] = weakref.WeakKeyDictionary()
_turns_lock = threading.Lock()


class Vault:
    """Named bundles of secrets in one keyring. Raises VaultLocked, never with a secret in it."""

    def __init__(self, keyring: KeyringBackend) -> None:
        self._keyring = keyring

    def put(self, name: str, secrets: dict[str, str]) -> None:
        """Keeps a bundle, and makes sure that it can be read again."""
        text = json.dumps(secrets)
        _within(self._keyring, lambda: self._keyring.set_password(SERVICE, name, text))
        if self.get(name) != secrets:
            raise VaultLocked

    def get(self, name: str) -> dict[str, str]:
        """A bundle that was kept."""
        text = _within(self._keyring, lambda: self._keyring.get_password(SERVICE, name))
        try:
            content = json.loads(text or "")
        except ValueError:
            raise VaultLocked from None
        return {str(key): str(value) for key, value in content.items()}

    def forget(self, name: str) -> None:
        """Deletes a bundle; one that cannot be deleted is left, named by nothing."""
        with contextlib.suppress(VaultLocked):
            _within(self._keyring, lambda: self._keyring.delete_password(SERVICE, name))


def os_vault() -> Vault | None:
    """The operating system's keyring; null where there is none that needs nobody's hand."""
    if sys.platform.startswith("linux") and not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return None  # no desktop, and so nobody who could be asked: not worth an import
    try:
        found = _within(_find, _find)
    except VaultLocked:
        return None
    return None if found is None else Vault(found)


def _find() -> KeyringBackend | None:
    try:
        import keyring
    except ImportError:
        return None
    chosen: Any = keyring.get_keyring()
    for one in [chosen, *getattr(chosen, "backends", [])]:
        package, _, module = type(one).__module__.rpartition(".")
        if package == "keyring.backends" and module in _TRUSTED:
            backend: KeyringBackend = one
            return backend
    return None


def _within(asked: object, call: Callable[[], T]) -> T:
    """What a call gives that may wait for ever, for instance for a dialog nobody sees.

    One call at a time for each `asked`: while one is overdue, others are refused at once.
    """
    with _turns_lock:
        turn = _turns.setdefault(asked, _Turn())
    if turn.overdue is not None and turn.overdue.is_alive():
        raise VaultLocked
    if not turn.lock.acquire(timeout=PATIENCE):
        raise VaultLocked
    answers: queue.Queue[tuple[bool, Any]] = queue.Queue()

    def run() -> None:
        try:
            answers.put((True, call()))
        except Exception:
            answers.put((False, None))  # its text may quote what was to be kept
        finally:
            turn.lock.release()

    thread = threading.Thread(target=run, name="keyring", daemon=True)
    thread.start()
    try:
        done, value = answers.get(timeout=PATIENCE)
    except queue.Empty:
        turn.overdue = thread
        raise VaultLocked from None
    if not done:
        raise VaultLocked
    result: T = value
    return result
