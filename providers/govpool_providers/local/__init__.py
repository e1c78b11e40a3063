"""The local provider: real servers on this host, without a hypervisor.

Machines are systemd-nspawn containers with a booted systemd; disks are image files on loop devices,
so that SSH, Ansible, backup and wiping are the real thing. Made for trying out, for tests and for a
single-box site.
"""

from govpool_providers.local.cleanup import leftovers, purge
from govpool_providers.local.provider import LocalProvider

__all__ = ["LocalProvider", "leftovers", "purge"]
