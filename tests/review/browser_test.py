# SPDX-License-Identifier: Apache-2.0
"""A person at the review page: 200 verdicts by keys, one reload, one kill of the server, nothing lost.

    browser_test.py TILEWRIGHT MAKE_REVIEW_WORLD FOLDER

Needs chromium, chromedriver and selenium. Screenshots are left in FOLDER.
"""

import collections
import contextlib
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

TILEWRIGHT, MAKE_WORLD, FOLDER = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
LOCATIONS, VERDICTS = 2000, 200
WAIT_S = 60   # the longest that anything may take on a busy machine
WORDS = {"a": "accept", "r": "reject", "s": "skip"}

CONTRASTS = """
const luminance = (rgb) => { const [r, g, b] = rgb.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
const ground = (element) => { for (let e = element; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] === 1) return c.slice(0, 3); } return [255, 255, 255]; };
const found = [];
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || !element.checkVisibility() || element.closest('.unseen, datalist, option, noscript, script') || element.disabled || element.closest('button:disabled')) continue;
  const a = luminance(numbers(getComputedStyle(element).color).slice(0, 3)), b = luminance(ground(element));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) found.push(`${element.tagName} "${element.textContent.trim().slice(0, 30)}" ${ratio.toFixed(2)}`);
}
return found;
"""

NAMELESS = """
return [...document.querySelectorAll('button, input, select, textarea, canvas, progress, [role=listbox]')].filter((element) => {
  const labels = element.labels ? [...element.labels].map((label) => label.textContent).join('') : '';
  const by = (element.getAttribute('aria-labelledby') || '').split(' ').map((id) => (document.getElementById(id) || {}).textContent || '').join('');
  return !(labels + by + (element.getAttribute('aria-label') || '') + (element.tagName === 'BUTTON' ? element.textContent : '')).trim();
}).map((element) => element.outerHTML.slice(0, 80));
"""

SCROLL = """
const done = arguments[0], box = document.getElementById('rows'), gaps = [];
let last = performance.now(), step = 0, most = 0;
const frame = () => {
  const now = performance.now();
  gaps.push(now - last);
  last = now;
  most = Math.max(most, document.querySelectorAll('.row').length);
  if (++step > 120) { gaps.shift(); gaps.sort((a, b) => a - b); return done({ median: gaps[gaps.length >> 1], p95: gaps[Math.floor(gaps.length * 0.95)], most }); }
  box.scrollTop = (box.scrollHeight - box.clientHeight) * step / 120;
  requestAnimationFrame(frame);
};
requestAnimationFrame(frame);
"""

PICTURE = "return document.getElementById('stage').toDataURL()"


class Server:
    def __init__(self):
        self.process = subprocess.Popen([TILEWRIGHT, "review", str(FOLDER / "job.yaml")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().strip()

    def end(self, how):
        self.process.send_signal(how)
        return self.process.wait(timeout=20)


def make_browser():
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1440,900", "--force-device-scale-factor=1",
                 "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--disable-background-networking", f"--user-data-dir={FOLDER / 'profile'}"):
        options.add_argument(flag)
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))


class ReviewPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run([MAKE_WORLD, str(FOLDER), str(LOCATIONS)], check=True, stdout=subprocess.DEVNULL)
        cls.server = Server()
        cls.browser = make_browser()
        cls.given = collections.OrderedDict()   # word by location, as the person saw it

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()
        if cls.server.process.poll() is None:
            cls.server.end(signal.SIGKILL)

    # -- what a person does and sees

    def until(self, condition, what):
        WebDriverWait(self.browser, WAIT_S, poll_frequency=0.02).until(lambda _: condition(), what)

    def data(self, name):
        return self.browser.execute_script("return document.body.dataset[arguments[0]] || ''", name)

    def text(self, element):
        return self.browser.find_element(By.ID, element).text

    def press(self, key):
        self.browser.switch_to.active_element.send_keys(key)

    def open(self):
        begin = time.monotonic()
        self.browser.get(self.server.address)
        self.until(lambda: self.data("started") and self.data("ready"), "the page shows a location")
        return time.monotonic() - begin

    def judge(self, key):
        location, saved = self.data("ready"), self.data("saved")
        self.assertNotEqual(location, "")
        self.press(key)
        self.until(lambda: self.data("saved") != saved and self.data("ready") not in ("", location), f"{key} on {location} is saved and the next one shown")
        self.given[location] = WORDS[key]

    def judge_until(self, count):
        while len(self.given) < count:
            self.judge("arars"[len(self.given) % 5])

    def counts(self):
        return dict(collections.Counter(self.given.values()))

    def shot(self, name):
        self.browser.save_screenshot(str(FOLDER / f"{name}.png"))

    def problems(self):
        return [entry["message"] for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]

    # -- in this order

    def test_1_asks_who_reviews(self):
        seconds = self.open()
        print(f"the page shows its first location after {seconds:.2f} s")
        self.assertTrue(self.browser.execute_script("return document.getElementById('who-dialog').open"))
        self.shot("1-name")
        self.press("Ann")
        self.press(Keys.ENTER)
        self.assertFalse(self.browser.execute_script("return document.getElementById('who-dialog').open"))
        self.assertIn("Ann", self.text("who"))
        self.assertEqual(self.text("total").replace("\u202f", ""), f"{LOCATIONS} locations")
        self.shot("2-first")

    def test_2_layers_views_and_zoom_change_the_picture(self):
        seen = {self.browser.execute_script(PICTURE)}
        for key in ("1", "e", Keys.ARROW_RIGHT, "+", "+"):
            before = self.browser.execute_script(PICTURE)
            self.press(key)
            self.until(lambda: self.browser.execute_script(PICTURE) != before, f"{key} changes the picture")
            seen.add(self.browser.execute_script(PICTURE))
        self.assertEqual(len(seen), 6)
        for key in ("1", "e", Keys.ARROW_LEFT, "0"):
            self.press(key)
        self.until(lambda: self.browser.execute_script(PICTURE) in seen, "the same picture again")
        self.assertEqual(len(self.browser.find_elements(By.CSS_SELECTOR, "#dates button")), 3)

    def test_3_verdicts_by_keys_and_undo(self):
        self.judge_until(80)
        location, word = list(self.given.items())[-1]
        undone = self.data("undone")
        self.press("u")
        self.until(lambda: self.data("undone") != undone and self.data("ready") == location, "undo goes back to the location")
        self.assertIn("79 of", self.text("progress-text"))
        del self.given[location]
        self.judge("r" if word != "reject" else "a")
        self.assertIn("80 of", self.text("progress-text"))
        self.assertIn("80 of", self.browser.find_element(By.ID, "say").get_attribute("textContent"))
        self.shot("3-eighty")

    def test_4_a_reload_goes_on(self):
        self.open()
        self.assertIn("Ann", self.text("who"))
        self.assertIn("80 of", self.text("progress-text"))
        self.assertEqual(self.text("total").replace("\u202f", ""), f"{LOCATIONS - 80} locations")
        self.assertNotIn(self.data("ready"), self.given)
        self.judge_until(140)

    def test_5_a_killed_server_is_told_and_nothing_is_lost(self):
        self.assertEqual(self.problems(), [])
        location = self.data("ready")
        self.server.end(signal.SIGKILL)
        self.press("a")
        self.until(lambda: "Not saved" in self.text("alert"), "the page says that the verdict is not kept")
        self.assertEqual(self.data("ready"), location)
        self.assertIn(location, self.text("alert"))
        self.shot("4-killed")
        type(self).server = Server()
        self.open()
        self.press("Ann" if self.browser.execute_script("return document.getElementById('who-dialog').open") else "")
        self.press(Keys.ENTER)
        self.problems()   # those of the dead server
        self.assertIn("140 of", self.text("progress-text"))
        self.judge_until(VERDICTS)

    def test_6_every_verdict_is_a_row(self):
        self.assertEqual(len(self.given), VERDICTS)
        with contextlib.closing(sqlite3.connect(f"file:{FOLDER / 'work/manifest.gpkg'}?mode=ro", uri=True)) as manifest:
            rows = manifest.execute("SELECT location_id, layer, verdict, who, at FROM verdict").fetchall()
        self.assertEqual(len(rows), VERDICTS)
        self.assertEqual({row[0]: row[2] for row in rows}, dict(self.given))
        self.assertEqual({(row[1], row[3]) for row in rows}, {("buildings", "Ann")})
        self.assertTrue(all(len(row[4]) == 24 for row in rows))

    def test_7_lists_sort_and_filter(self):
        choose = "const e = document.getElementById(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event('change'))"
        total = lambda: self.text("total").replace("\u202f", "")
        for word, count in self.counts().items():
            self.browser.execute_script(choose, "verdict", word)
            self.until(lambda: total() == f"{count} locations", f"{count} {word}")
        self.browser.execute_script(choose, "verdict", "any")
        self.until(lambda: total() == f"{LOCATIONS} locations", "all")
        self.press("/")
        self.press("split = val and edge_agreement > 1.9")
        self.press(Keys.ENTER)
        self.until(lambda: total() != f"{LOCATIONS} locations", "the rule filters")
        matching = sum(1 for n in range(LOCATIONS) if n % 5 == 0 and n % 10 != 9 and n % 7 == 0)
        self.assertEqual(total(), f"{matching} locations")
        field = self.browser.find_element(By.ID, "where")
        field.clear()
        field.send_keys("combined >", Keys.ENTER)
        self.until(lambda: "position" in self.text("where-error"), "a rule that means nothing is told")
        self.shot("5-rule")
        self.assertTrue(any("400" in problem for problem in self.problems()))
        field.clear()
        field.send_keys(Keys.ENTER)
        self.until(lambda: total() == f"{LOCATIONS} locations", "all")
        field.send_keys(Keys.ESCAPE)

    def test_8_two_thousand_rows_scroll(self):
        self.browser.set_script_timeout(60)
        self.browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})   # of a core: not how busy the machine is
        busy = lambda: next(metric["value"] for metric in self.browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"] if metric["name"] == "TaskDuration")
        before = busy()
        found = self.browser.execute_async_script(SCROLL)
        work = 1000 * (busy() - before) / 120
        print(f"scrolling {LOCATIONS} rows: {work:.1f} ms of work a frame, {found['median']:.1f} ms from frame to frame, 95 % within {found['p95']:.1f} ms, {found['most']} rows in the page")
        self.assertLess(found["most"], 40)
        self.assertLess(work, 1000 / 60)
        self.until(lambda: self.browser.execute_script("return [...document.querySelectorAll('.row:not([hidden]) img')].every((image) => image.complete && image.naturalWidth > 0)"), "pictures of the last rows")
        self.shot("6-end")

    def test_9_for_everyone(self):
        self.assertEqual(self.browser.execute_script(NAMELESS), [])
        self.assertEqual(self.browser.execute_script(CONTRASTS), [])
        self.press("?")
        self.shot("7-keys")
        self.assertEqual(self.browser.execute_script(CONTRASTS), [])
        self.press(Keys.ESCAPE)
        origin = self.server.address.rsplit("/", 2)[0]
        addresses = self.browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
        self.assertTrue(addresses)
        self.assertEqual([address for address in addresses if not address.startswith(origin)], [])
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.server.end(signal.SIGTERM), 0)
        self.assertFalse(os.path.exists(FOLDER / "work/manifest.gpkg-wal"))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"], failfast=True)
