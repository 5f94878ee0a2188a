"""One peer at one case, in a process of its own: `contender.py PEER CASE THREADS FILE WARM_UP_FILE time|check`.

Prints JSON: for `time` the seconds that each way of asking took, for `check` the digest of the rows. What is timed begins with the query and
ends when its whole result was there as Arrow; importing, connecting and a first query over a small file come before. Whoever starts this has
pinned it to cores already, so that pools of threads are no larger than them.

This file must not know about other contenders.
"""

import json
import sys
import time

from cases import CASES, sql

ROWS_PER_BATCH = 122_880


def _types(names, struct):
    """Writes a schema in a peer's words."""

    def ty(value):
        return struct({key: ty(inner) for key, inner in value.items()}) if isinstance(value, dict) else names[value]

    return lambda schema: {key: ty(value) for key, value in schema.items()}


def duckdb_ways(case, threads):
    import duckdb

    connection = duckdb.connect(config={"threads": threads})
    # Nobody asks for an order.
    connection.execute("set preserve_insertion_order = false")
    members = lambda types: ", ".join(f'"{name}" {ty}' for name, ty in types.items())
    names = {"int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN", "text": "VARCHAR", "text or null": "VARCHAR"}
    columns = _types(names, lambda types: f"STRUCT({members(types)})")(case.schema)

    def query(path):
        return f"select {sql(case, 'duckdb')} from read_ndjson('{path}', columns={columns})"

    return {
        "reader": lambda path: connection.sql(query(path)).to_arrow_reader(ROWS_PER_BATCH),
        "table": lambda path: connection.sql(query(path)).to_arrow_table().to_batches(),
    }


def chdb_ways(case, threads):
    from chdb import session

    made = session.Session()
    members = lambda types: ", ".join(f"{name} {ty}" for name, ty in types.items())
    names = {"int": "Int64", "float": "Float64", "bool": "Bool", "text": "String", "text or null": "Nullable(String)"}
    columns = members(_types(names, lambda types: f"Tuple({members(types)})")(case.schema))

    def query(path):
        return (
            f"select {sql(case, 'chdb')} from file('{path}', JSONEachRow, '{columns}') settings max_threads = {threads}, "
            f"input_format_parallel_parsing = {int(threads > 1)}, output_format_arrow_string_as_string = 1"
        )

    def stream(path):
        yield from made.send_query(query(path), "Arrow").record_batch(rows_per_batch=ROWS_PER_BATCH)

    return {"stream": stream, "table": lambda path: made.query(query(path), "ArrowTable").to_batches()}


def datafusion_ways(case, threads):
    import pyarrow as pa
    from datafusion import SessionConfig, SessionContext

    context = SessionContext(SessionConfig().with_target_partitions(threads))
    text = pa.string_view()
    names = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "text": text, "text or null": text}
    types = _types(names, lambda types: pa.struct(list(types.items())))(case.schema)
    known = set()
    member = lambda path: f'"{path[0]}"' + "".join(f"['{key}']" for key in path[1:])

    def frame(path):
        table = f"t{abs(hash(path))}"
        if table not in known:
            known.add(table)
            context.register_json(table, path, schema=pa.schema(list(types.items())), file_extension=".jsonl")
        return context.sql(f"select {sql(case, 'datafusion', member)} from {table}")

    def stream(path):
        for batch in frame(path).execute_stream():
            yield batch.to_pyarrow()

    return {"stream": stream, "collect": lambda path: frame(path).collect()}


def polars_ways(case, threads):
    import polars as pl

    assert pl.thread_pool_size() == threads, "the pool has a thread for each core"
    names = {"int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean, "text": pl.String, "text or null": pl.String}
    schema = _types(names, pl.Struct)(case.schema)

    def columns():
        if case.expressions:
            found = case.expressions["polars"](pl)
        else:
            found = []
            for name, ty in case.schema.items():
                column = pl.col(name)
                found.extend([column.struct.field(inner) for inner in ty] if isinstance(ty, dict) else [column])
        return [column.alias(name) for column, name in zip(found, case.columns)]

    def scan(path, engine):
        return pl.scan_ndjson(path, schema=schema).select(columns()).collect(engine=engine).to_arrow().to_batches()

    return {
        "streaming": lambda path: scan(path, "streaming"),
        "in memory": lambda path: scan(path, "in-memory"),
    }


PEERS = {"duckdb": duckdb_ways, "chdb": chdb_ways, "datafusion": datafusion_ways, "polars": polars_ways}


def main():
    peer, name, threads, path, warm_up, mode = sys.argv[1:]
    case = next(case for case in CASES if case.name == name)
    ways = PEERS[peer](case, int(threads))
    if mode == "check":
        from digest import Digest

        digest = Digest()
        for batch in next(iter(ways.values()))(path):
            digest.add(batch)
        print(json.dumps(digest.data()))
        return
    seconds = {}
    for way, ask in ways.items():
        sum(batch.num_rows for batch in ask(warm_up))
        start = time.perf_counter()
        rows = sum(batch.num_rows for batch in ask(path))
        seconds[way] = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "rows": rows}))


if __name__ == "__main__":
    main()
