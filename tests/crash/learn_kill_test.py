# SPDX-License-Identifier: Apache-2.0
"""Kill the program between curate and predict, run the same command again: the same bytes.

    learn_kill_test.py TILEWRIGHT FOLDER [KILLS]

The counterpart of crash_test.cpp for the half that trains. Three kinds of death: the whole group (a
power cut), the program alone (its trainer is left behind), the trainer alone (its parent sees it).
"""

import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest

TILEWRIGHT, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
KILLS = int(sys.argv[3]) if len(sys.argv) > 3 else 18
QUARANTINED = 3  # the region breaks one scene on purpose
# Times of day and speeds are no results.
WITH_TIMES = ("metrics.jsonl", "events.out.tfevents")
CLOCKS = ("wall_s", "samples_per_s")
HITS = (1, 4)


def start(*options):
    """Errors go to a file: a pipe would be held open by the trainer that a dead program leaves behind."""
    command = [TILEWRIGHT, "run", str(FOLDER / "job.yaml"), "-j", "1", "-q", *options]
    with open(FOLDER / "errors.txt", "w") as errors:
        return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=errors)


def finish(*options):
    code = start(*options).wait(timeout=300)
    assert code == QUARANTINED, f"exit {code}: {(FOLDER / 'errors.txt').read_text()}"


def results():
    """Relative path -> SHA-256 of every file of datasets, runs and predictions, but those with times."""
    hashes = {}
    for folder in ("datasets", "runs", "predictions"):
        for file in sorted((FOLDER / "work" / folder).rglob("*")):
            if file.is_file() and not file.name.startswith(WITH_TIMES):
                hashes[str(file.relative_to(FOLDER))] = hashlib.sha256(file.read_bytes()).hexdigest()
    return hashes


def tree():
    answer = subprocess.run([TILEWRIGHT, "verify", str(FOLDER / "work"), "--json", "-q"], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return json.loads(answer.stdout)["tree_hash"]


def trainers(parent):
    """Process ids of the parent's children."""
    listed = pathlib.Path(f"/proc/{parent}/task/{parent}/children")
    return [int(pid) for pid in listed.read_text().split()] if listed.exists() else []


def kill(process, kind):
    if kind == "group":
        os.killpg(process.pid, signal.SIGKILL)
    elif kind == "program":
        process.kill()
    else:
        for pid in trainers(process.pid):
            os.kill(pid, signal.SIGKILL)


def metrics():
    """Rows of every metrics.jsonl without clocks: nothing doubled, nothing torn, nothing lost."""
    rows = {}
    for file in sorted((FOLDER / "work/runs").rglob("metrics.jsonl")):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        rows[file.parent.name] = [{key: value for key, value in row.items() if key not in CLOCKS} for row in lines]
    return rows


def outcome():
    return {"files": results(), "tree": tree(), "metrics": metrics(), "left": [str(p) for p in (FOLDER / "work").rglob(".tmp-*")]}


class LearnKill(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        shutil.rmtree(FOLDER, ignore_errors=True)
        subprocess.run([TILEWRIGHT, "synth", "region", str(FOLDER), "--tiny"], check=True, stdout=subprocess.DEVNULL)
        finish("--to", "split")
        cls.prepared = FOLDER.with_name(FOLDER.name + "-prepared")
        shutil.rmtree(cls.prepared, ignore_errors=True)
        shutil.copytree(FOLDER / "work", cls.prepared)
        begin = time.monotonic()
        finish()
        cls.seconds = time.monotonic() - begin
        cls.golden = outcome()
        assert any("weights.safetensors" in name for name in cls.golden["files"])
        assert any(name.endswith(".tif") for name in cls.golden["files"])
        assert cls.golden["left"] == [] and all(cls.golden["metrics"].values())

    def setUp(self):
        shutil.rmtree(FOLDER / "work")
        shutil.copytree(self.prepared, FOLDER / "work")

    def test_a_kill_at_any_moment_leaves_no_trace(self):
        chance, met = random.Random(5), 0
        for i in range(KILLS):
            kind = ("group", "program", "trainer")[i % 3]
            self.setUp()
            process = start()
            after = chance.uniform(0.02, 1.0) * self.seconds
            time.sleep(after)
            kill(process, kind)
            process.wait(timeout=300)
            met += process.returncode != QUARANTINED
            finish()
            with self.subTest(kind=kind, after_s=round(after, 3)):
                self.assertEqual(outcome(), self.golden)
        print(f"{met} of {KILLS} kills met a running program; a whole run takes {self.seconds:.1f} s")
        self.assertGreater(met, KILLS // 3)

    def test_a_kill_at_any_failpoint_leaves_no_trace(self):
        """The trainer inherits the failpoint: whichever of the two gets there first dies."""
        listed = subprocess.run([TILEWRIGHT, "doctor", "--list-failpoints"], check=True, capture_output=True, text=True).stdout.split()
        met = 0
        for name in listed:
            for hit in HITS if KILLS > 3 else HITS[:1]:
                self.setUp()
                os.environ["TILEWRIGHT_FAILPOINT"] = f"{name}@{hit}:kill"
                process = start()
                del os.environ["TILEWRIGHT_FAILPOINT"]
                process.wait(timeout=300)
                met += process.returncode != QUARANTINED
                finish()
                with self.subTest(failpoint=name, hit=hit):
                    self.assertEqual(outcome(), self.golden)
        print(f"{met} kills at {len(listed)} failpoints")
        self.assertGreater(met, len(listed))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
