"""Checks of kernel parameters and modules: what is configured for the next boot, and what is in force now."""

from __future__ import annotations

import os

from .base import Finding, kind, listed

DROP_IN = "/etc/sysctl.d/99-zz-govpool-baseline.conf"
_FOLDERS = ("/usr/lib/sysctl.d", "/usr/local/lib/sysctl.d", "/run/sysctl.d", "/etc/sysctl.d")


def configured(system):
    """Return what systemd-sysctl will set, sysctl.d(5): by file name, and a name in /etc hides one in /usr/lib."""

    def find():
        files = {}
        for folder in _FOLDERS:
            for name in system.glob(folder + "/*.conf"):
                files[os.path.basename(name)] = name
        values = {}
        for base in sorted(files):
            for line in system.lines(files[base]):
                key, separator, value = line.lstrip("-").partition("=")
                if separator:
                    values[key.strip().replace("/", ".")] = value.strip()
        return values

    return system.once("sysctl", find)


def _proc(key):
    return "/proc/sys/" + key.replace(".", "/")


def _settable(path):
    """Tell whether the kernel would let this machine set it (opening writes nothing)."""
    try:
        os.close(os.open(path, os.O_WRONLY))
    except OSError:
        return False
    return True


@kind("sysctl")
class Sysctl:
    """Kernel parameters, both in sysctl.d and in the kernel; ``at_least`` accepts stricter (greater) values."""

    def __init__(self, values, at_least=False):
        self.values = {key: str(value) for key, value in values.items()}
        self.at_least = at_least

    def _meets(self, found, wanted):
        if found is None:
            return False
        if self.at_least and found.isdigit():
            return int(found) >= int(wanted)
        return found.split() == wanted.split()

    def check(self, system):
        """Compare both; a kernel that is not the machine's own can't be set from within and is said to be so."""
        expected = ", ".join("%s=%s" % pair for pair in sorted(self.values.items()))
        wrong, foreign, seen = [], [], 0
        for key, wanted in sorted(self.values.items()):
            written = configured(system).get(key)
            if not self._meets(written, wanted):
                wrong.append("%s %s in sysctl.d" % (key, "=" + written if written is not None else "not set"))
            now = system.read(_proc(key)) if system.live else None
            if now is None:
                continue  # this kernel was built without it, or the machine does not run
            seen += 1
            if not self._meets(now.strip(), wanted):
                if _settable(_proc(key)):
                    wrong.append("%s=%s in the kernel" % (key, now.strip()))
                else:
                    foreign.append("%s=%s" % (key, now.strip()))
        detail = ""
        if wrong:
            return Finding(False, expected, listed(wrong))
        if foreign:
            detail = "configured; the kernel's own value is not settable here: " + ", ".join(foreign)
        elif system.live and seen < len(self.values):
            detail = "configured; this kernel lacks %d of the parameters" % (len(self.values) - seen)
        return Finding(True, expected, "as configured" if detail else "as expected", detail, effective=not detail)

    def mend(self, system):
        """Write our file, which sorts last, and set the kernel where it lets us."""
        kept = [line for line in system.lines(DROP_IN) if line.partition("=")[0].strip() not in self.values]
        kept += ["%s = %s" % pair for pair in sorted(self.values.items())]
        if not all(self._meets(configured(system).get(key), wanted) for key, wanted in self.values.items()):
            system.write(DROP_IN, "\n".join(kept) + "\n")
        for key, wanted in sorted(self.values.items()):
            now = system.read(_proc(key)) if system.live else None
            if now is not None and not self._meets(now.strip(), wanted) and _settable(_proc(key)):
                system.changing(key)
                with open(_proc(key), "w") as file:
                    file.write(wanted)


@kind("modules")
class Modules:
    """Kernel modules that must not be loadable, modprobe.d(5)."""

    FILE = "/etc/modprobe.d/govpool-baseline.conf"

    def __init__(self, names):
        self.names = names

    def check(self, system):
        """Each needs ``install NAME /bin/false``, and must not be loaded."""
        expected = "not loadable: %s" % listed(self.names, 20)
        off = set()
        for name in system.globs(["/etc/modprobe.d/*.conf", "/usr/lib/modprobe.d/*.conf"]):
            for line in system.lines(name):
                words = line.split()
                if len(words) >= 3 and words[0] == "install" and words[2] in ("/bin/false", "/bin/true"):
                    off.add(words[1].replace("_", "-"))
        loadable = [name for name in self.names if name.replace("_", "-") not in off]
        loaded = {line.split()[0].replace("_", "-") for line in system.lines("/proc/modules")} if system.live else set()
        present = [name for name in self.names if name.replace("_", "-") in loaded]
        if loadable:
            return Finding(False, expected, "loadable: " + listed(loadable))
        if present and system.container():
            detail = "configured; the host's kernel has loaded %s" % listed(present)
            return Finding(True, expected, "as configured", detail, effective=False)
        return Finding(not present, expected, "loaded: " + listed(present) if present else "none loadable")

    def mend(self, system):
        """Write our file; what is loaded goes with the next boot."""
        system.write(self.FILE, "".join("install %s /bin/false\nblacklist %s\n" % (n, n) for n in self.names))
