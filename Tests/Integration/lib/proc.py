# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""What the kernel says about a process."""

import contextlib
import os
import time

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of all threads so far, as (user, system)."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) / TICK, int(fields[12]) / TICK


def cpu_time(pid):
    """User and system time of all threads so far, those that ended included, in seconds; exact to the nanosecond."""
    process_clock = ~pid << 3 | 2  # How Linux numbers the CPU clock of another process: CPUCLOCK_SCHED.
    return time.clock_gettime(process_clock)


def _status(pid, key):
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
    raise KeyError(key)


def resident_bytes(pid):
    return _status(pid, "VmRSS")


def peak_resident_bytes(pid):
    """The highest resident size since the start or the last forget_peak."""
    return _status(pid, "VmHWM")


def forget_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def voluntary_switches(pid):
    """How often the threads that are alive had to wait for something so far."""
    count = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status") as file:
            count += next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches:"))
    return count


def connections_to(pid, address):
    """How many established connections of the process lead to an IPv4 address and port, with those that are being opened."""
    return _sockets(pid, address, remote=True, states=("01", "02"))


def connections_at(pid, address):
    """How many connections the process holds that came in at an IPv4 address and port, whatever has become of the other side."""
    return _sockets(pid, address, remote=False, states=("01", "04", "05", "08"))


def _sockets(pid, address, remote, states):
    host = "".join(f"{int(part):02X}" for part in reversed(address[0].split(".")))
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[1 + remote] == f"{host}:{address[1]:04X}" and row[3] in states}
    return sum(target in inodes for target in _open_files(pid))


def _open_files(pid):
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(entry.path)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
