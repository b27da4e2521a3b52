"""Run the app on an address of this machine."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

from saferec_core.errors import ConfigError, RunError
from saferec_core.serve.desk import Desk

__all__ = ["check_installed", "is_loopback", "listening", "serve"]


def check_installed() -> None:
    """Refuse to start without the server's packages.

    Raises:
        ConfigError: One is missing.
    """
    try:
        import fastapi  # noqa: F401 - only whether it is there
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"serving a policy needs the package {error.name}: install saferec[serve]"
        ) from error


def listening(host: str, port: int) -> socket.socket:
    """Take an address before anything is loaded; port 0 takes any that is free.

    Raises:
        RunError: It is in use, or not an address of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        made = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _unusable(host, port, error) from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen()
    except OSError as error:
        made.close()
        raise _unusable(host, port, error) from error
    return made


def _unusable(host: str, port: int, error: OSError) -> RunError:
    reason = error.strerror or str(error)
    return RunError(f"cannot listen on {host}:{port} ({reason}); choose another --port or --host")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach *host*."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(desk: Desk, address: socket.socket, host: str, *, ready: Callable[[str], None]) -> None:
    """Answer requests until the process is interrupted.

    Args:
        desk: Answers.
        address: Where to listen.
        host: Its name.
        ready: Called with the address of the page, once it can be opened.
    """
    import uvicorn

    from saferec_core.serve.app import app_of

    hosts = ["localhost", "127.0.0.1", "[::1]"] if is_loopback(host) else ["*"]
    settings = uvicorn.Config(
        app_of(desk, hosts=hosts), log_level="warning", access_log=False, limit_concurrency=64
    )
    port = address.getsockname()[1]
    ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    uvicorn.Server(settings).run(sockets=[address])
