"""How long a daemon folds that finds five million steps in its log. Must never take the time of a
fold that did not count every one of them.
"""

import json
import re
import statistics
import subprocess
from pathlib import Path

from subscribers import WARM_STEPS, Failure, Feed, Scene, stop_and_read_books, write_daemon_conf

from processes import wait_until

FOLDED = re.compile(r"folded (\d+) records of the log in ([\d.]+) s")


def fold_seconds(scene, build, state, steps, start):
    """The start-th start on that state, from 1, without a snapshot: (seconds, records)."""
    for snapshot in state.glob("snapshot-*"):
        snapshot.unlink()
    name = f"backstepd-{start}"
    with Feed(build, messages=1, site="gym") as feed:
        conf = scene.folder / f"{name}.conf"
        write_daemon_conf(conf, state, feed.port, site="gym")
        child = scene.start(name, [Path(build) / "backstepd", "--config", conf])
        wait_until(lambda: FOLDED.search(child.text()) or not child.running(), 120, "the fold")
        found = FOLDED.search(child.text())
        if not found:
            raise Failure(child.text()[-2000:])
        feed.expect("ready")
        books = stop_and_read_books(child, feed)
    # The feed's own warm-up is new at the first start and a duplicate at every other.
    expected = {"steps_received": steps + start * WARM_STEPS, "steps_counted": steps + WARM_STEPS}
    if any(books[key] != value for key, value in expected.items()):
        raise Failure(f"expected {expected}, found {json.dumps(books)}")
    return float(found[2]), int(found[1])


def measure(build, steps, restarts=3):
    """The first start writes every row to the outbox, too; a restart finds them there."""
    with Scene("backstep-bench-") as scene:
        state = scene.folder / "state"
        subprocess.run([Path(build) / "tests" / "bench_record", state, str(steps)], check=True,
                       capture_output=True)
        first, records = fold_seconds(scene, build, state, steps, 1)
        runs = [fold_seconds(scene, build, state, steps, 2 + i)[0] for i in range(restarts)]
    return {"restart_s": statistics.median(runs), "restarts_s": runs, "rows_too_s": first,
            "steps": steps, "records": records}
