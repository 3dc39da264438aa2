# SQLite alone: inserts the flows of a server's database into a fresh one, with the same tables and settings.
# Arguments: the server's database, the fresh one, flows of a commit. Prints the rate and the core time of a flow.
import json, resource, sqlite3, sys, time

source, fresh, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
server = sqlite3.connect(source)
# A table comes before its indexes.
schema = server.execute(
    "SELECT sql FROM sqlite_master WHERE tbl_name = 'flows' AND sql IS NOT NULL ORDER BY type DESC"
).fetchall()
rows = server.execute("SELECT * FROM flows ORDER BY row").fetchall()

alone = sqlite3.connect(fresh, isolation_level=None)
# As store/src/sqlite/schema.rs has them.
for setting in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4000", "secure_delete = ON",
                "cache_size = -16384", "temp_store = MEMORY"):
    alone.execute("PRAGMA " + setting)
for (sql,) in schema:
    alone.execute(sql)
insert = "INSERT INTO flows VALUES (" + ", ".join("?" * len(rows[0])) + ")"


def core_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


started, used = time.monotonic(), core_seconds()
for first in range(0, len(rows), batch):
    alone.execute("BEGIN IMMEDIATE")
    alone.executemany(insert, rows[first:first + batch])
    alone.execute("COMMIT")
seconds, core = time.monotonic() - started, core_seconds() - used
print(json.dumps({"per_second": len(rows) / seconds, "core_us": core * 1e6 / len(rows)}))
