"""Ports that a run listens on."""

from __future__ import annotations

import socket

from saferec_core.errors import ConfigError

__all__ = ["check_port"]


def check_port(port: int, setting: str) -> None:
    """Refuse a port of this machine that another process listens on.

    Args:
        port: The port.
        setting: The flag that names another.

    Raises:
        ConfigError: It cannot be listened on.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as torch does
        try:
            probe.bind(("", port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigError(
                f"port {port} cannot be used ({reason}); choose another with {setting}"
            ) from error
