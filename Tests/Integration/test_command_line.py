# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""The command line that unit files for PgBouncer have: carom [-q] [-d] [-v] [-u user] [-R] FILE.ini."""

import os
import pwd
import signal
import subprocess

import pytest

from lib.places import free_address
from lib.pooler import carom_binary
from lib.process import unprivileged
from lib.waiting import wait_until
from lib.wire import Wire

pytestmark = pytest.mark.own


def carom(*arguments):
    return subprocess.run([carom_binary(), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=30, cwd="/")


class Ini:
    def __init__(self, directory, servers):
        self.directory, self.address = directory, free_address()
        self.pid_file, self.log_file = (os.path.join(directory, name) for name in ("pid", "log"))
        self.path, self.users = os.path.join(directory, "pgbouncer.ini"), os.path.join(directory, "users")
        with open(self.users, "w") as file:
            file.write('"bench" ""\n')
        self.write(f"""[databases]
            * = host={servers[0]} port={servers[1]}
            [pgbouncer]
            listen_addr = {self.address[0]}
            listen_port = {self.address[1]}
            unix_socket_dir =
            auth_type = trust
            auth_file = {self.users}
            admin_users = bench
            logfile = {self.log_file}
            pidfile = {self.pid_file}
            """)

    def write(self, text):
        self.text = text
        with open(self.path, "w") as file:
            file.write(text)

    def pid(self):
        try:
            with open(self.pid_file) as file:
                return int(file.read() or 0)
        except FileNotFoundError:
            return 0

    def log(self):
        with open(self.log_file) as file:
            return file.read()

    def asks(self, sql="select 1"):
        with Wire.open(self.address, user="bench", database="bench") as wire:
            return wire.value(sql)


@pytest.fixture
def ini(place, postgres, request):
    found = Ini(place.directory(f"command-{request.node.name[:30]}"), postgres.address)
    yield found
    if found.pid():
        os.kill(found.pid(), signal.SIGKILL)


def uid(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(line.split()[1:5] for line in status if line.startswith("Uid:"))


def test_it_goes_into_the_background(ini):
    user = unprivileged()
    done = carom("-d", "-q", "-v", "-u", user.pw_name, ini.path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    wait_until(ini.pid, "it has written its number")
    pid = ini.pid()
    wait_until(lambda: "listening on" in ini.log(), "it listens")
    assert ini.asks() == "1"
    assert uid(pid) == [str(user.pw_uid)] * 4 and os.getsid(pid) != os.getsid(0)
    assert os.readlink(f"/proc/{pid}/fd/1") == "/dev/null" and os.readlink(f"/proc/{pid}/cwd") == "/"
    # What the command line says holds after a reload, too.
    ini.write(ini.text + "query_timeout = 7\n")
    os.kill(pid, signal.SIGHUP)
    wait_until(lambda: "reload: done" in ini.log(), "the file is read again")
    assert "log_debug" not in ini.log() and "process_user" not in ini.log(), ini.log()
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not os.path.exists(ini.pid_file), "it has ended in order")


@pytest.mark.parametrize("arguments, reason", [
    (["-d"], "a pooler in the background needs pid_file"),
    (["--user", "nobody_at_all"], "become user nobody_at_all"),
    (["-R"], "upgrade_socket is not set"),
])
def test_what_cannot_be_is_said(ini, arguments, reason):
    ini.write(ini.text.replace("pidfile", "; pidfile"))
    done = carom(*arguments, ini.path)
    assert done.returncode == 1 and reason in done.stderr and not ini.pid()


def test_only_root_becomes_another(ini):
    user = unprivileged()
    other = next(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid not in (0, user.pw_uid))
    command = [carom_binary(), "-u", other, ini.path]
    if os.geteuid() == 0:
        command = ["setpriv", f"--reuid={user.pw_uid}", "--clear-groups", "--", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and f"become user {other}: Operation not permitted" in done.stderr
