"""Gives kernels that are started here ports that no other program takes meanwhile."""

from jupyter_client import LocalPortCache

from channels_live.server.ports import free_port

KERNELS = range(10_000, 20_000)  # apart from those of servers


class KernelPorts(LocalPortCache):
    """Ports for kernels.

    Jupyter looks for those that are free among what the system hands out to every connection. One
    that is taken before the kernel listens ends it, or leaves it mute for ever.
    """

    def find_available_port(self, ip: str) -> int:
        """Return a port of 127.0.0.1 on which a kernel may listen. ip: is not looked at."""
        return free_port(KERNELS)


def keep_ports_for_kernels() -> None:
    """Let all kernels that this process starts from now on have such ports."""
    if not isinstance(LocalPortCache.instance(), KernelPorts):
        LocalPortCache.clear_instance()
        KernelPorts.instance()
