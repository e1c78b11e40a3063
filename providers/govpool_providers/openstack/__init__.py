"""The OpenStack provider: Keystone, Nova, Cinder, Neutron and Glance, through openstacksdk."""

from govpool_providers.openstack.cleanup import leftovers, purge
from govpool_providers.openstack.provider import OpenStackProvider

__all__ = ["OpenStackProvider", "leftovers", "purge"]
