"""Cinder driver of the test bed: each volume is a raw file. No hypervisor reads it, the tests may."""

import os
import shutil
from pathlib import Path

import govpool_bed_faults as faults
from cinder import exception, interface
from cinder.volume import driver

GIB = 1024**3
OWN_TARGET = {"shared_targets": False}
# Cinder writes down whether a target is shared, and whose it is, after the volume is available. A server that
# gets the volume in between fails in Nova, unless the driver says at once that nothing is shared.


@interface.volumedriver
class FileDriver(driver.VolumeDriver):
    VERSION = "1.0"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.folder = Path(os.environ["GOVPOOL_BED_RUN"]) / "volumes"

    def check_for_setup_error(self):
        self.folder.mkdir(parents=True, exist_ok=True)

    def _path(self, thing):
        return self.folder / thing.id

    def _fill(self, thing, source, size):
        shutil.copyfile(source, self._path(thing))
        self._grow(thing, size)

    def _grow(self, thing, size):
        os.truncate(self._path(thing), size * GIB)

    def create_volume(self, volume):
        if faults.strikes("volume-fail", volume.display_name or ""):
            raise exception.VolumeBackendAPIException(data="the bed was told to fail this volume")
        self._path(volume).touch()
        self._grow(volume, volume.size)
        return dict(OWN_TARGET)

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        if faults.strikes("volume-fail", volume.display_name or ""):
            raise exception.VolumeBackendAPIException(data="the bed was told to fail this volume")
        with self._path(volume).open("wb") as file:
            image_service.download(context, image_meta["id"], file)
        self._grow(volume, volume.size)
        return dict(OWN_TARGET), True

    def create_cloned_volume(self, volume, src_vref):
        self._fill(volume, self._path(src_vref), volume.size)
        return dict(OWN_TARGET)

    def create_volume_from_snapshot(self, volume, snapshot):
        self._fill(volume, self._path(snapshot), volume.size)
        return dict(OWN_TARGET)

    def create_snapshot(self, snapshot):
        self._fill(snapshot, self._path(snapshot.volume), snapshot.volume_size)

    def delete_snapshot(self, snapshot):
        self._path(snapshot).unlink(missing_ok=True)

    def delete_volume(self, volume):
        faults.hold("volume-delete-hang", volume.display_name or "")
        self._path(volume).unlink(missing_ok=True)

    def extend_volume(self, volume, new_size):
        self._grow(volume, new_size)

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        with self._path(volume).open("rb") as file:
            image_service.update(context, image_meta["id"], {}, file)

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector):
        return {"driver_volume_type": "local", "data": {"device_path": str(self._path(volume))}}

    def terminate_connection(self, volume, connector, **kwargs):
        pass

    def _update_volume_stats(self):
        room = os.statvfs(self.folder)
        free = room.f_bavail * room.f_frsize / GIB
        self._stats = {
            "volume_backend_name": "files",
            "vendor_name": "govpool",
            "driver_version": self.VERSION,
            "storage_protocol": "local",
            "total_capacity_gb": room.f_blocks * room.f_frsize / GIB,
            "free_capacity_gb": free,
            "reserved_percentage": 0,
            "thin_provisioning_support": True,
            "thick_provisioning_support": False,
            "max_over_subscription_ratio": 100.0,
            "online_extend_support": True,
            **OWN_TARGET,
        }
