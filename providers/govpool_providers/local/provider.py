"""The local pool: machines of this host, as a :class:`~govpool_providers.base.Provider`."""

from __future__ import annotations

from govpool_providers.base import (
    Machine,
    MachineWant,
    Size,
)
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.local import cgroups, image, network, nspawn, seed
from govpool_providers.local.disks import LocalDisks, check_disks
from govpool_providers.local.pool import acting, check_limit, looking, valid_key
from govpool_providers.local.settings import SUITES
from govpool_providers.local.store import MachineRecord, Phase


class LocalProvider(LocalDisks):
    """A pool on this host: systemd-nspawn machines, disks as image files.

    Opened with a :class:`~govpool_providers.base.PoolConnection`. See ``docs/local-pool.md`` for the
    settings and for what is real.
    """

    # -- machines -----------------------------------------------------------------------------------
    @looking
    def find_machine(self, key: str) -> Machine | None:
        """See :class:`Provider`."""
        self.check_whole()
        record = self.store.machine(valid_key(key))
        return None if record is None else self.seen(record, nspawn.supervisors())

    @looking
    def list_machines(self, request_uid: str | None = None) -> tuple[Machine, ...]:
        """See :class:`Provider`."""
        self.check_whole()
        running = nspawn.supervisors()
        return tuple(
            self.seen(record, running)
            for record in self.store.machines()
            if request_uid is None or record.owner.request_uid == request_uid
        )

    @acting
    def ensure_machine(self, want: MachineWant) -> Machine:
        """See :class:`Provider`. Waits up to ``boot_wait`` seconds for the first boot."""
        suite = self._check(want)
        with self.locked(want.key):
            record = self.store.machine(want.key) or self._reserve(want, suite)
            if record.owner.request_uid != want.owner.request_uid:
                raise ProviderError(ErrorCode.CONFLICT, f"Machine {want.key} belongs to another request.")
            if record.phase is Phase.RELEASING:
                raise ProviderError(
                    ErrorCode.CONFLICT, f"Machine {want.key} is being released: go on with release_machine."
                )
            if record.phase is Phase.BUILDING:
                self._build(record, want)
            return self.seen(record, nspawn.supervisors())

    def _check(self, want: MachineWant) -> str:
        valid_key(want.key)
        if want.image not in SUITES:
            raise ProviderError(
                ErrorCode.INVALID, f"Image {want.image!r} is not one of {', '.join(sorted(SUITES))}."
            )
        check_size(want.size)
        if sum(disk.root for disk in want.disks) != 1:
            raise ProviderError(ErrorCode.INVALID, f"Machine {want.key} must have exactly one root disk.")
        check_disks(want.disks)
        seed.check(want)
        return SUITES[want.image]

    def _reserve(self, want: MachineWant, suite: str) -> MachineRecord:
        """Write the machine's record, with an address of its own, before anything else."""
        self.host.step("reserve")
        with self.store.lock("pool"):
            machines = self.store.machines()
            self._check_room(machines, want.size)
            self.check_storage(want.disks)
            free = network.free_addresses(self.settings, (machine.address for machine in machines))
            if not free:
                raise ProviderError(
                    ErrorCode.QUOTA_EXCEEDED, f"Subnet {self.settings.subnet} has no free address."
                )
            record = MachineRecord(
                key=want.key,
                hostname=want.hostname,
                owner=want.owner,
                size=want.size,
                image=want.image,
                network=want.network,
                item=want.item,
                address=str(free[0]),
                mac=network.mac_of(free[0]),
                base=image.image_name(suite),
            )
            self.store.put_machine(record)
        return record

    def _check_room(self, others: list[MachineRecord], size: Size) -> None:
        vcpu = size.vcpu + sum(machine.size.vcpu for machine in others)
        memory = size.memory_gib + sum(machine.size.memory_gib for machine in others)
        check_limit("vCPU", vcpu, self.settings.vcpu)
        check_limit("GiB of memory", memory, self.settings.memory_gib)

    def _build(self, record: MachineRecord, want: MachineWant) -> None:
        if record.fault:
            self._clear_fault(record)
        self.make_disks(record, want.disks)
        self.host.step("base-image")
        base = self.settings.images / record.base
        if not base.is_dir():
            base = image.build(self.settings.images, SUITES[record.image])
            record.base = base.name
            self.store.put_machine(record)
        self.host.mount_all(record, base)
        self.host.seed(record, want)
        self.host.start(record)
        if self.host.await_boot(record):
            record.phase, record.fresh_root = Phase.BUILT, False
        elif not self.host.runs(record.key):
            said = nspawn.last_words(self.host.folder(record.key).log)
            record.fault = f"systemd-nspawn ended before the machine had booted: {said}"
        self.store.put_machine(record)

    def _clear_fault(self, record: MachineRecord) -> None:
        """Undo a failed build; a root disk that holds nothing but that build is made anew."""
        self.host.take_down(record)
        for disk in self.store.disks():
            if disk.machine_key == record.key and disk.root and record.fresh_root:
                disk.formatted = False
                self.store.put_disk(disk)
        record.fault, record.seeded = "", False
        self.store.put_machine(record)

    @acting
    def resize_machine(self, key: str, size: Size) -> Machine:
        """See :class:`Provider`. Takes effect in the running machine at once."""
        check_size(size)
        with self.locked(key):
            record = self.built(key)
            if record.size != size:
                with self.store.lock("pool"):
                    others = [machine for machine in self.store.machines() if machine.key != key]
                    self._check_room(others, size)
                    self.host.step("limit")
                    cgroups.limit(self.host.unit(key), size)
                    record.size = size
                    self.store.put_machine(record)
            return self.seen(record, nspawn.supervisors())

    @acting
    def set_power(self, key: str, *, on: bool) -> Machine:
        """See :class:`Provider`. Starting waits up to ``boot_wait`` seconds for sshd."""
        with self.locked(key):
            record = self.built(key)
            if record.power != on:
                record.power = on
                self.store.put_machine(record)
            if not on:
                self.host.stop(record)
            elif not self.host.runs(key):
                self.host.finish_growth(record)
                self.host.mount_all(record, self.base_image(record))
                self.host.start(record)
                self.host.await_boot(record)
            return self.seen(record, nspawn.supervisors())

    @acting
    def set_isolated(self, key: str, *, isolated: bool) -> Machine:
        """See :class:`Provider`."""
        with self.locked(key):
            record = self.require(key)
            if record.isolated != isolated:
                record.isolated = isolated
                self.store.put_machine(record)
            self.host.step("cable")
            self.host.set_cable(record)
            return self.seen(record, nspawn.supervisors())

    @acting
    def release_machine(self, key: str) -> None:
        """See :class:`Provider`. Shuts the machine down first, so that its file systems are whole."""
        with self.locked(key):
            record = self.store.machine(key)
            if record is None:
                self.check_whole()
                return
            if record.phase is not Phase.RELEASING:
                self.host.step("releasing")
                record.phase = Phase.RELEASING
                self.store.put_machine(record)
            self.host.take_down(record)
            with self.store.lock("pool"):
                if len(self.store.machines()) == 1:
                    self.host.step("bridge-remove")
                    network.remove_bridge(self.settings)
                self.host.step("forget")
                self.store.drop_machine(key)


def check_size(size: Size) -> None:
    """Refuse (Invalid) a machine of nothing."""
    if size.vcpu < 1 or size.memory_gib < 1:
        raise ProviderError(ErrorCode.INVALID, f"Size {size.vcpu} vCPU, {size.memory_gib} GiB is too small.")
