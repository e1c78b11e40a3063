"""Nova driver of the test bed: the in-tree fake driver, whose spawns fail or hang on demand.

Where servers have bodies (tests.openstack.bodies), it waits for them as a real driver waits for its guests.
"""

import govpool_bed_bodies as bodies
import govpool_bed_faults as faults
from nova import exception
from nova.virt import fake, node


class FakeServers(fake.FakeLiveMigrateDriver):
    def get_nodenames_by_uuid(self, refresh=False):
        # the fake driver draws a new id at each start, and nova-compute refuses to start with it
        return {node.get_local_node_uuid(): self.get_available_nodes()[0]}

    def get_available_resource(self, nodename):
        return super().get_available_resource(nodename) | {"uuid": node.get_local_node_uuid()}

    def spawn(self, context, instance, *args, **kwargs):
        faults.hold("spawn-hang", instance.display_name)
        if faults.strikes("spawn-fail", instance.display_name):
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason="the bed was told to fail this server"
            )
        return super().spawn(context, instance, *args, **kwargs)

    def power_off(self, instance, timeout=0, retry_interval=0):
        bodies.released(instance.uuid)
        return super().power_off(instance, timeout, retry_interval)

    def migrate_disk_and_power_off(self, context, instance, *args, **kwargs):
        bodies.released(instance.uuid)
        return super().migrate_disk_and_power_off(context, instance, *args, **kwargs)

    def destroy(self, context, instance, *args, **kwargs):
        bodies.released(instance.uuid)
        return super().destroy(context, instance, *args, **kwargs)

    def attach_volume(self, context, connection_info, instance, *args, **kwargs):
        bodies.taken(instance.uuid, connection_info["serial"])
        return super().attach_volume(context, connection_info, instance, *args, **kwargs)

    def detach_volume(self, context, connection_info, instance, *args, **kwargs):
        bodies.released(connection_info["serial"])
        return super().detach_volume(context, connection_info, instance, *args, **kwargs)
