"""Debian's Chromium without a window, and what it did with a page."""
import json
import time
from base64 import b64decode

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

REBOUND = "evil.example"
DESKTOP, WIDE, PHONE = (1280, 900), (1440, 900), (360, 740)


class Browser:
    def __init__(self, chromium, chromedriver):
        options = Options()
        options.binary_location = chromium
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                         "--hide-scrollbars", "--disable-extensions"):
            options.add_argument(argument)
        # A name that leads to this machine, as one does whose owner points it here (DNS rebinding).
        options.add_argument(f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        options.set_capability("unhandledPromptBehavior", "ignore")
        self.driver = webdriver.Chrome(options=options, service=Service(chromedriver))
        # The check of accessibility takes long on a long page, and other programs may run beside this one.
        self.driver.set_script_timeout(100)

    def open(self, page, size=DESKTOP, dark=False, script=True):
        """Opens a file or an address; forgets what was logged before."""
        self.command("Emulation.setScriptExecutionDisabled", value=not script)
        self.command("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1,
                     mobile=size is PHONE)
        self.command("Emulation.setEmulatedMedia",
                     features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(page if isinstance(page, str) else page.resolve().as_uri())
        time.sleep(0.2)

    def command(self, name, **arguments):
        return self.driver.execute_cdp_cmd(name, arguments)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def requests(self):
        """Addresses asked for since `open`, data: ones left out."""
        addresses = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                address = message["params"]["request"]["url"]
                if not address.startswith("data:"):
                    addresses.append(address)
        return addresses

    def complaints(self):
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def picture(self, path):
        """The whole page, as high as it is."""
        height = self.run("return Math.min(6000, document.documentElement.scrollHeight)")
        width = self.run("return document.documentElement.clientWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        data = self.command("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        path.write_bytes(b64decode(data))

    def quit(self):
        self.driver.quit()
