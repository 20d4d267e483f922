"""A headless Chromium, driven over chromedriver's HTTP protocol (W3C WebDriver); nothing but the two programs."""

import base64
import json
import shutil
import subprocess
import urllib.request
from contextlib import contextmanager

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1300,800",
]


def missing():
    """Why there is no browser to test with; empty where there is one."""
    names = ("chromium", "chromedriver")
    return ", ".join(f"no {name} on this machine" for name in names if not shutil.which(name))


class Page:
    """An open browser window."""

    def __init__(self, driver, session):
        self._driver, self._session = driver, session

    def _ask(self, method, path, **body):
        return ask(self._driver, method, f"/session/{self._session}{path}", **body)

    def open(self, address):
        """Load a page."""
        self._ask("POST", "/url", url=address)

    def run(self, script, *arguments):
        """What a script's ``return`` gives."""
        return self._ask("POST", "/execute/sync", script=script, args=arguments)

    def pointer(self, x, y, *, click=False):
        """Move the mouse to a place in the window, and click there if asked."""
        actions = [{"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0}]
        if click:
            actions += [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self._ask("POST", "/actions", actions=[{"type": "pointer", "id": "mouse", "actions": actions}])

    def wheel(self, x, y, dy):
        """Turn the wheel over a place in the window."""
        action = {"type": "scroll", "x": round(x), "y": round(y), "deltaX": 0, "deltaY": dy, "origin": "viewport"}
        self._ask("POST", "/actions", actions=[{"type": "wheel", "id": "wheel", "actions": [action]}])

    def key(self, character):
        """Press a key."""
        actions = [{"type": "keyDown", "value": character}, {"type": "keyUp", "value": character}]
        self._ask("POST", "/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def complaints(self):
        """What the console was told since the last call."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", type="browser")]

    def screenshot(self, path):
        """Write what the window shows as a PNG."""
        path.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))

    def prefer(self, scheme):
        """Make the reader's preferred colour scheme ``light`` or ``dark``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        command = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}}
        self._ask("POST", "/goog/cdp/execute", **command)


@contextmanager
def browser(profile):
    """A window with a new profile in the folder `profile`."""
    options = {"args": [*ARGUMENTS, f"--user-data-dir={profile}"], "binary": shutil.which("chromium")}
    wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
    with subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            driver = f"http://127.0.0.1:{port(process.stdout)}"
            session = ask(driver, "POST", "/session", capabilities={"alwaysMatch": wanted})["sessionId"]
            try:
                yield Page(driver, session)
            finally:
                ask(driver, "DELETE", f"/session/{session}")
        finally:
            process.terminate()


def port(lines):
    """The port that chromedriver says it listens on."""
    for line in lines:
        if "on port " in line and "success" in line:
            return int(line.rsplit(" ", 1)[1].strip(" .\n"))
    raise RuntimeError("chromedriver ended before it listened.")


def ask(driver, method, path, **body):
    """The value that chromedriver answers."""
    data = json.dumps(body).encode() if method == "POST" else None
    request = urllib.request.Request(driver + path, data, {"Content-Type": "application/json"}, method=method)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=60) as answer:
        return json.load(answer)["value"]
