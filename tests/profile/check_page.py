#!/usr/bin/env python3
"""Opens a profile's page in headless Chromium and holds it against the profile's JSON.

    check_page.py CHROMIUM PAGE.html PROFILE.json

Fails, saying why, unless the page loads without a message on the console, asks nobody for anything, shows in its table the numbers of the JSON, and draws
timelines, roofline and graphs. Only Python's own library is used.
"""

import html.parser
import json
import pathlib
import re
import subprocess
import sys
import tempfile

FIELDS = {"time_us": 1e-6, "kernels": 1, "bytes": 1, "flops": 1, "peak_bytes": 1}
UNITS = {"µs": 1e-6, "ms": 1e-3, "s": 1, "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "FLOP": 1, "kFLOP": 1e3, "MFLOP": 1e6, "GFLOP": 1e9, "TFLOP": 1e12, "": 1}


class Page(html.parser.HTMLParser):
    """The cells of the table by side and field, and how many elements of each kind every place of the page holds."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.cells, self.counts = {}, {}
        self.cell, self.place = None, ""

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag in ("div", "table", "section") and "id" in attributes:
            self.place = attributes["id"]
        self.counts[self.place, tag] = self.counts.get((self.place, tag), 0) + 1
        if tag == "td" and "data-field" in attributes:
            self.cell = (attributes["data-side"], attributes["data-field"])
            self.cells[self.cell] = [attributes["data-value"], ""]

    def handle_endtag(self, tag):
        if tag == "td":
            self.cell = None

    def handle_data(self, text):
        if self.cell:
            self.cells[self.cell][1] += text


def shown_number(text):
    number, _, unit = text.strip().partition(" ")
    return float(number) * UNITS[unit]


def open_page(chromium, page):
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--enable-logging=stderr", "--virtual-time-budget=4000",
             "--window-size=1280,2400", "--dump-dom", page.resolve().as_uri()],
            capture_output=True, text=True, timeout=120, check=False)
    if run.returncode != 0:
        sys.exit(f"{chromium} ended with status {run.returncode}:\n{run.stderr}")
    return run.stdout, [line for line in run.stderr.splitlines() if "CONSOLE" in line]


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    chromium, page_file, json_file = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    profile = json.loads(json_file.read_text())
    faults = []
    source = page_file.read_text()
    for loaded in re.findall(r'(?:src|href)\s*=\s*"(?!data:)([^"]*)"|url\(([^)]*)\)|@import|fetch\(|XMLHttpRequest', source):
        faults.append(f"the page loads something: {loaded}")

    dom, messages = open_page(chromium, page_file)
    faults += [f"on the console: {message}" for message in messages]
    page = Page()
    page.feed(dom)
    for side in ("fused", "unfused"):
        for field, unit in FIELDS.items():
            expected = profile[side][field]
            value, text = page.cells.get((side, field), (None, ""))
            if value is None:
                faults.append(f"the table has no {field} of {side}")
            elif float(value) != expected:
                faults.append(f"{side} {field} is {value} in the table, {expected} in the JSON")
            elif abs(shown_number(text) - expected * unit) > 0.006 * expected * unit:
                faults.append(f'{side} {field} is shown as "{text}", the JSON has {expected}')
    least = {("timeline", "rect"): 2 * profile["machine"]["threads"] + 2, ("roofline", "circle"): 2, ("graph", "path"): 1, ("graph", "rect"): 3,
             ("kernels", "tr"): 1 + len(profile["fused"]["kernel_list"])}
    for (place, tag), number in least.items():
        found = page.counts.get((place, tag), 0)
        if found < number:
            faults.append(f"{found} <{tag}> in #{place}, of at least {number}")
    if faults:
        sys.exit("\n".join(faults))
    print(f"{page_file.name} opens without a message, its table has the JSON's numbers: {profile['unfused']['kernels']} kernels unfused, {profile['fused']['kernels']} fused")


if __name__ == "__main__":
    main()
