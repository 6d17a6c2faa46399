# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium, driven by its DevTools protocol."""

import base64
import json
import os
import urllib.request

from websockets.sync.client import connect

from .process import Child
from .waiting import wait_until


class Browser:
    """A browser that reaches this machine only, with a profile of its own."""

    def __init__(self, place):
        profile = place.directory("chromium")
        self.child = Child(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.*", "--no-proxy-server",
             "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            os.path.join(profile, "output"), env={**os.environ, "HOME": profile})
        port_file = os.path.join(profile, "DevToolsActivePort")
        wait_until(lambda: os.path.exists(port_file) or not self.child.running, "Chromium listens", timeout=60)
        assert self.child.running, self.child.text()
        # The file is there a moment before its two lines are.
        wait_until(lambda: open(port_file).read().count("\n"), "Chromium says where it listens")
        with open(port_file) as file:
            self.address = f"127.0.0.1:{file.readline().strip()}"

    def open(self, url, width, height, phone=False):
        asked = urllib.request.Request(f"http://{self.address}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(asked, timeout=30) as answer:
            page = Page(json.load(answer)["webSocketDebuggerUrl"])
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        page.call("Page.navigate", url=url)
        return page

    def stop(self):
        self.child.stop()


class Page:
    """One page. `events` has what it has said so far, by the names of the protocol."""

    def __init__(self, address):
        self.socket = connect(address, max_size=None, open_timeout=30)
        self.calls = 0
        self.events = []
        for domain in ("Runtime", "Log", "Page", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self.calls += 1
        self.socket.send(json.dumps({"id": self.calls, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=60))
            if message.get("id") == self.calls:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            self.events.append((message["method"], message["params"]))

    def value(self, expression):
        """What an expression is in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def complaints(self):
        """Errors and warnings: of scripts, of the console and of the browser."""
        self.value("0")
        return [
            (method, said) for method, said in self.events
            if method == "Runtime.exceptionThrown"
            or method == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning", "assert")
            or method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning")]

    def requests(self):
        """The addresses that it has asked for."""
        self.value("0")
        return {said["request"]["url"] for method, said in self.events if method == "Network.requestWillBeSent"}

    def prefers(self, scheme):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path):
        """A screenshot of what is visible."""
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        self.call("Page.close")
        self.socket.close()
