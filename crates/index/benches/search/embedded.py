"""DuckDB or ClickHouse (chdb) in this process, for the benchmark of the index.

Arguments: the engine, a folder with flows.csv. Each line of the input is {"sql": ..., "values": [...]}; each line of the
output the rows. The first line of the output says that the flows are there.
"""

import json
import re
import sys

COLUMNS = "app {i}, created {l}, id {u}, status {i}, term {i}, types {i}, recipient {t}, backwards {t}"


class DuckDb:
    def __init__(self, folder):
        import duckdb

        self.connection = duckdb.connect(f"{folder}/flows.duckdb")
        columns = COLUMNS.format(i="TINYINT", l="BIGINT", u="UUID", t="VARCHAR")
        # In the order of time within an application, so that its zone maps help.
        for sql in [
            "SET memory_limit = '8GB'",
            f"CREATE TABLE given ({columns})",
            f"COPY given FROM '{folder}/flows.csv' (DELIMITER '\t', HEADER false)",
            "CREATE TABLE flows AS SELECT * FROM given ORDER BY app, created, id",
            "DROP TABLE given",
            "CREATE TABLE rollup AS SELECT app, created // 3600000 AS hour, status, term, types, count(*) AS n"
            " FROM flows GROUP BY ALL ORDER BY app, hour",
            "CREATE TABLE recipients AS SELECT DISTINCT recipient FROM flows WHERE app = 0",
            "ANALYZE",
        ]:
            self.connection.execute(sql)

    def rows(self, sql, values):
        return self.connection.execute(sql, values).fetchall()


class ClickHouse:
    def __init__(self, folder):
        from chdb import session

        self.session = session.Session(f"{folder}/clickhouse")
        columns = COLUMNS.format(i="UInt8", l="Int64", u="FixedString(16)", t="String")
        given = COLUMNS.format(i="UInt8", l="Int64", u="String", t="String")
        for sql in [
            f"""CREATE TABLE flows ({columns},
                    PROJECTION by_recipient (SELECT * ORDER BY app, recipient, created, id),
                    PROJECTION by_end (SELECT * ORDER BY app, backwards, created, id))
                ENGINE = MergeTree ORDER BY (app, created, id) SETTINGS index_granularity = 1024""",
            f"""INSERT INTO flows SELECT app, created, unhex(id), status, term, types, recipient, backwards
                FROM file('{folder}/flows.csv', TSV, '{given}')""",
            "OPTIMIZE TABLE flows FINAL",
            """CREATE TABLE rollup ENGINE = MergeTree ORDER BY (app, hour) AS SELECT app,
                intDiv(created, 3600000) AS hour, status, term, types, count() AS n FROM flows GROUP BY ALL""",
            """CREATE TABLE recipients ENGINE = MergeTree ORDER BY recipient AS SELECT DISTINCT recipient FROM flows
                WHERE app = 0""",
        ]:
            self.session.query(sql)

    def rows(self, sql, values):
        for at in range(len(values), 0, -1):
            value = values[at - 1]
            sql = sql.replace(f"?{at}", str(value) if isinstance(value, int) else f"'{value}'")
        sql = re.sub(r"types & (\d+) <> 0", r"bitAnd(types, \1) <> 0", sql).replace("AS MATERIALIZED", "AS")
        sql = re.sub(r"^SELECT id FROM", "SELECT hex(id) FROM", sql)
        answer = json.loads(str(self.session.query(sql, "JSONCompact")))
        return [[cell if len(str(cell)) == 32 else int(cell) for cell in row] for row in answer["data"]]


def main():
    engine, folder = sys.argv[1:]
    database = {"duckdb": DuckDb, "clickhouse": ClickHouse}[engine](folder)
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(database.rows(asked["sql"], asked["values"]), default=str), flush=True)


main()
