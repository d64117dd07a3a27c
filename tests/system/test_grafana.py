"""The board "Group drill": its JSON holds together, and each of its queries gives rows, by group,
drill and phase, from a database that the daemon filled from a class of the example gym.

Queries are filled in as Grafana does it for InfluxQL. Must never change a query to make it pass.
"""

import json
import re

from gym import Gym, push, utc
from harness import TREE, expect, expect_true, now_ms, wait_for_totals
from processes import Failure, wait_until

FOLDER = TREE / "configs" / "grafana"
BOARD = FOLDER / "dashboards" / "backstep" / "group-drill.json"
DATASOURCE = {"type": "influxdb", "uid": "backstep-influxdb"}
COLUMNS = 24


def read_board():
    return json.loads(BOARD.read_text())


def variables(board):
    return board["templating"]["list"]


def overlap(a, b):
    return a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] \
        and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]


def test_structure(case):
    board = read_board()
    expect(board["title"], "Group drill", "title")
    panels = board["panels"]
    ids = [panel["id"] for panel in panels]
    expect(sorted(set(ids)), sorted(ids), "panel ids, each once")
    for panel in panels:
        place = panel["gridPos"]
        expect_true(place["x"] + place["w"] <= COLUMNS, f"{panel['title']} is within the grid")
        crossed = [p["title"] for p in panels if p is not panel and overlap(p["gridPos"], place)]
        expect(crossed, [], f"panels that cover {panel['title']}")
        references = [target["refId"] for target in panel["targets"]]
        expect(sorted(set(references)), sorted(references), f"refIds of {panel['title']}")
    for each in [*panels, *(t for p in panels for t in p["targets"]), *variables(board)]:
        expect(each["datasource"], DATASOURCE, "data source")
    provisioned = (FOLDER / "datasources" / "backstep.yaml").read_text()
    expect(re.findall(r"^ +uid: (\S+)$", provisioned, re.M), [DATASOURCE["uid"]], "provisioned uid")
    expect_known_variables(board)
    case.notes.append(f"{len(panels)} panels")


def expect_known_variables(board):
    names = {variable["name"] for variable in variables(board)}
    names |= {"timeFilter", "__interval", "tag_direction", "tag_group", "tag_drill",
              "tag_phase"}
    used = set(re.findall(r"\$(\w+)", json.dumps(board["panels"])))
    used |= set(re.findall(r"\$(\w+)", json.dumps(variables(board))))
    expect(sorted(used - names - {"__all"}), [], "variables that nobody defines")


def as_regex(value):
    """How the InfluxDB data source writes a variable's value into a query."""
    if isinstance(value, str):
        return value
    return "(" + "|".join(re.escape(each).replace(r"\-", "-") for each in value) + ")"


def fill(query, values, range_ms):
    now = now_ms()
    query = query.replace("$timeFilter", f"time >= {now - range_ms}ms and time <= {now}ms")
    query = query.replace("$__interval", "10s")
    for name, value in values.items():
        query = re.sub(rf"\${name}\b", lambda _: as_regex(value), query)
    return query


def milliseconds(text):
    number, unit = re.fullmatch(r"(?:now-)?(\d+)([smh])", text).groups()
    return int(number) * {"s": 1000, "m": 60_000, "h": 3_600_000}[unit]


def choose_all(influx, board):
    """{variable: value} with everything chosen, as on opening the board."""
    values = {}
    for variable in variables(board):
        rows = influx.rows(fill(variable["query"], values, 0))
        found = sorted(row["value"] for row in rows)
        expect_true(found, f"values of variable {variable['name']}")
        if not variable["includeAll"]:
            values[variable["name"]] = found[0]
        else:
            values[variable["name"]] = variable.get("allValue") or found
    return values


def expect_rows(influx, panel, target, values, range_ms):
    query = fill(target["query"], values, range_ms)
    rows = influx.rows(query)
    if not rows:
        raise Failure(f"no rows for {panel['title']}: {query}")
    empty = [name for name in rows[0] if all(row[name] is None for row in rows)]
    expect(empty, [], f"columns without any value in {panel['title']}: {query}")
    return rows


def walk(case, broker, daemon, gym, group, begin_ms, seconds):
    sender = case.send("simulate", broker, daemon, name=f"class-{group}", gym=gym.folder,
                       group=group, start=begin_ms, duration=seconds, speed=0)
    return gym.sent(sender.wait(), "member")


def add(totals, more):
    for member, directions in more.items():
        mine = totals.setdefault(member, {})
        for direction, steps in directions.items():
            mine[direction] = mine.get(direction, 0) + steps


def fill_database(case):
    """Two classes of the example gym, one after the other: back and forth by the clock 240 to 120 s
    ago, and up the risers by hand from 100 s ago until now. Gives who went back and forth."""
    broker, influx = case.broker(), case.influx()
    daemon = case.daemon(broker.uri, influx).start_online(broker)
    gym = Gym().copy(case.folder / "gym")
    now = now_ms()
    phases = [{**phase, "duration_s": 30} for phase in gym.read("drill", "back-twenty")["phases"]]
    gym.change("drill", "back-twenty", phases=phases)
    gym.change("session", "tue-track", start=utc(now / 1000 - 240), end=utc(now / 1000 - 120))
    gym.change("session", "thu-steps", start=utc(now / 1000 - 100))
    push(case.build, broker, daemon, gym.folder)
    back_and_forth = walk(case, broker, daemon, gym, "tue-track", now - 240_000, 120)
    up = walk(case, broker, daemon, gym, "thu-steps", now - 100_000, 98)
    both = {member: {**back_and_forth.get(member, {}), **up.get(member, {})}
            for member in {*back_and_forth, *up}}
    wait_for_totals(influx, both, 60, daemon)
    wait_until(lambda: {row["group"] for row in influx.rows(
        'SELECT sum(steps) FROM group_window GROUP BY "group"')} == {"tue-track", "thu-steps"},
        30, "rows of both groups", pause=0.5)
    return influx, sorted(back_and_forth)


def shows(panel, value):
    """What a panel is for: the class that is on now (by hand, up the risers), or the comparison of
    backward and forward, which is in the other one alone, or both."""
    on_now = value in ("thu-steps", "step-ups", "one riser")
    compares = any('"direction" =' in target["query"] for target in panel["targets"])
    return not compares if on_now else "timeFrom" not in panel


def test_queries(case):
    influx, back_and_forth = fill_database(case)
    board = read_board()
    values = choose_all(influx, board)
    whole_ms = milliseconds(board["time"]["from"])
    for panel in board["panels"]:
        range_ms = milliseconds(panel["timeFrom"]) if "timeFrom" in panel else whole_ms
        for target in panel["targets"]:
            expect_rows(influx, panel, target, values, range_ms)
            for member in back_and_forth if "repeat" in panel else []:
                expect_rows(influx, panel, target, {**values, "member": member}, range_ms)
    for name in ("group", "drill", "phase"):
        expect_choices(influx, board, name, values, whole_ms)
    case.notes.append(f"{sum(len(panel['targets']) for panel in board['panels'])} queries")


def expect_choices(influx, board, name, values, whole_ms):
    """Each value of a variable alone, all else as it was."""
    query = next(v["query"] for v in variables(board) if v["name"] == name)
    found = sorted(row["value"] for row in influx.rows(fill(query, values, 0)))
    expect_true(len(found) >= 2, f"values of {name}")
    for value in found:
        chosen = {**values, name: [value]}
        for variable in variables(board):
            rows = influx.rows(fill(variable["query"], chosen, 0))
            expect_true(rows, f"values of {variable['name']} where {name} is {value}")
        for panel in (panel for panel in board["panels"] if shows(panel, value)):
            range_ms = milliseconds(panel["timeFrom"]) if "timeFrom" in panel else whole_ms
            rows = [influx.rows(fill(target["query"], chosen, range_ms))
                    for target in panel["targets"]]
            expect_true(any(rows), f"rows of {panel['title']} where {name} is {value}")
