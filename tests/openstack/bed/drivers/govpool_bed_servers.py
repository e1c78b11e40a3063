"""Nova driver of the test bed: the in-tree fake driver, whose spawns fail or hang on demand."""

import govpool_bed_faults as faults
from nova import exception
from nova.virt import fake


class FakeServers(fake.FakeLiveMigrateDriver):
    def spawn(self, context, instance, *args, **kwargs):
        faults.hold("spawn-hang", instance.display_name)
        if faults.strikes("spawn-fail", instance.display_name):
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason="the bed was told to fail this server"
            )
        return super().spawn(context, instance, *args, **kwargs)
