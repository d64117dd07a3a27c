"""The board "Group drill": its JSON holds together, and each of its queries gives rows from a
database that the daemon filled.

Queries are filled in as Grafana does it for InfluxQL. Must never change a query to make it pass.
"""

import json
import re

from harness import TREE, expect, expect_true, now_ms, wait_for_totals
from daemon import guest_totals
from processes import Failure

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
    names |= {"timeFilter", "__interval", "tag_alias", "tag_direction"}
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


def test_queries(case):
    members = 12
    broker, influx, daemon = case.line()
    walked_s = 120
    truth = case.send("simulate", broker, daemon, members=members, devices=1, speed=0, back=20,
                      forward=20, duration=walked_s, start=now_ms() - walked_s * 1000).wait()
    wait_for_totals(influx, guest_totals(truth), 60, daemon)
    board = read_board()
    values = choose_all(influx, board)
    expect(len(values["member"]), members, "members to choose from")
    whole_ms = milliseconds(board["time"]["from"])
    for panel in board["panels"]:
        range_ms = milliseconds(panel["timeFrom"]) if "timeFrom" in panel else whole_ms
        for target in panel["targets"]:
            expect_rows(influx, panel, target, values, range_ms)
            for member in values["member"] if "repeat" in panel else []:
                expect_rows(influx, panel, target, {**values, "member": member}, range_ms)
    case.notes.append(f"{sum(len(panel['targets']) for panel in board['panels'])} queries")
