# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Child processes that end with us, whatever happens: normal end, failure, Ctrl-C, even SIGKILL of this process."""

import atexit
import os
import pwd
import signal
import subprocess

_alive = []
_afterwards = []


def unprivileged():
    """The user servers run as: postgres when we are root (servers refuse root), otherwise ourselves."""
    return pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def command_as(user, arguments, parent_death_signal=None):
    """`arguments` wrapped so that they run as `user` and get a signal when the starting thread dies."""
    wrapped = ["setpriv"]
    if user is not None and user.pw_uid != os.geteuid():
        wrapped += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups"]
    if parent_death_signal:
        wrapped += ["--pdeathsig", parent_death_signal]
    return wrapped + ["--", *map(str, arguments)] if len(wrapped) > 1 else [str(a) for a in arguments]


class Child:
    """A server process in a process group of its own, with its output in a file."""

    def __init__(self, arguments, output, user=None, stop_signal=signal.SIGTERM, death_signal="KILL", **options):
        self.arguments = [str(a) for a in arguments]
        self.output = output
        self.stop_signal = stop_signal
        with open(output, "ab") as sink:
            self.process = subprocess.Popen(
                command_as(user, arguments, death_signal), stdin=subprocess.DEVNULL, stdout=sink,
                stderr=subprocess.STDOUT, start_new_session=True, **options)
        self.pid = self.process.pid
        _alive.append(self)

    @property
    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.running:
            self.process.send_signal(number)

    def stop(self, timeout=15):
        """Asks it to end, twice if need be, and ends what is left of its group.

        The second signal is for servers that let running work finish after the first one. Returns the exit code,
        negative when a signal ended it.
        """
        for _ in range(2):
            if self.running:
                self.process.send_signal(self.stop_signal)
                try:
                    self.process.wait(timeout / 2)
                except subprocess.TimeoutExpired:
                    pass
        self.kill()
        return self.process.returncode

    def kill(self):
        if self in _alive:
            _alive.remove(self)
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def text(self):
        with open(self.output, errors="replace") as file:
            return file.read()


def when_all_ended(action):
    """Has `action` called at exit, after the last child is gone."""
    _afterwards.append(action)


@atexit.register
def _end_all():
    for child in list(reversed(_alive)):
        child.stop(timeout=5)
    for action in _afterwards:
        action()
