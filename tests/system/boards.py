"""The boards of configs/grafana: their JSON, whether it holds together, and their queries, filled
in as Grafana does it for InfluxQL.

Must never change a query to make it pass.
"""

import json
import re

from harness import TREE, expect, expect_true, now_ms
from processes import Failure

FOLDER = TREE / "configs" / "grafana"
DATASOURCE = {"type": "influxdb", "uid": "backstep-influxdb"}
COLUMNS = 24
# What Grafana knows besides a board's own variables.
GIVEN = {"timeFilter", "__interval", "__all", "col"}


def names():
    return sorted(path.stem for path in (FOLDER / "dashboards" / "backstep").glob("*.json"))


def read(name):
    return json.loads((FOLDER / "dashboards" / "backstep" / f"{name}.json").read_text())


def variables(board):
    return board["templating"]["list"]


# The JSON.

def overlap(a, b):
    return a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] \
        and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]


def expect_whole(board):
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
    expect_known_variables(board)


def expect_known_variables(board):
    known = GIVEN | {variable["name"] for variable in variables(board)}
    for panel in board["panels"]:
        grouped = re.findall(r'"(\w+)"', " ".join(
            target["query"].rpartition("GROUP BY")[2] for target in panel["targets"]))
        used = set(re.findall(r"\$(\w+)", json.dumps(panel)))
        unknown = used - known - {f"tag_{name}" for name in grouped}
        expect(sorted(unknown), [], f"variables of {panel['title']} that nobody defines")
    used = set(re.findall(r"\$(\w+)", json.dumps(variables(board))))
    expect(sorted(used - known), [], "variables that nobody defines")


# The queries.

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


def range_of(board, panel):
    return milliseconds(panel.get("timeFrom", board["time"]["from"]))


def choices(influx, variable, values):
    return sorted(row["value"] for row in influx.rows(fill(variable["query"], values, 0)))


def choose_all(influx, board):
    """{variable: value} with everything chosen, as on opening the board."""
    values = {}
    for variable in variables(board):
        found = choices(influx, variable, values)
        expect_true(found, f"values of variable {variable['name']}")
        if not variable["includeAll"]:
            values[variable["name"]] = found[0]
        else:
            values[variable["name"]] = variable.get("allValue") or found
    return values


def rows_of(influx, board, panel, values):
    """The rows of all queries of a panel."""
    return [row for target in panel["targets"]
            for row in influx.rows(fill(target["query"], values, range_of(board, panel)))]


def expect_rows(influx, board, panel, values, may_be_empty=()):
    """Each query has rows, and each column a value somewhere."""
    for target in panel["targets"]:
        query = fill(target["query"], values, range_of(board, panel))
        rows = influx.rows(query)
        if not rows:
            raise Failure(f"no rows for {panel['title']}: {query}")
        empty = [name for name in rows[0] if all(row[name] is None for row in rows)]
        expect(sorted(set(empty) - set(may_be_empty)), [],
               f"columns without any value in {panel['title']}: {query}")
