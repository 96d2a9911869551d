"""The failing requests of the edge with their records at gateway and application, in DuckDB.

Tuned: lines are read as one column without sniffing, fields are cut by position and not by regular expression, and
only lines that can matter are cut.
"""

import duckdb

from engine import begin

LINES = """read_csv({}, columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '', header = false,
                    auto_detect = false, strict_mode = false, parallel = true)"""
FAILED = """create temp table failed as
    select right(line, 36) as id, split_part(line, ' ', 11) as status,
           split_part(split_part(line, ' ', 10), '/', 5) as ms
    from {edge}
    where (contains(line, ' 502 ') or contains(line, ' 504 ')) and split_part(line, ' ', 11) in ('502', '504')"""
JOINED = """copy (
    with gateway as (
        select substring(line, strpos(line, '" rid=') + 6, 36) as id, line from {gateway}
        where substring(line, strpos(line, '" rid=') + 6, 36) in (select id from failed)),
    app as (
        select right(rtrim(line, '\r'), 36) as id, line from {app}
        where right(rtrim(line, '\r'), 36) in (select id from failed))
    select failed.id, failed.status, failed.ms,
           substring(gateway.line, strpos(gateway.line, ' HTTP/1.1" ') + 11, 3),
           round(1000 * split_part(substring(gateway.line, strpos(gateway.line, ' rt=') + 4), ' ', 1)::double)::int,
           split_part(app.line, ' ', 15), split_part(app.line, ' ', 18)
    from failed left join gateway using (id) left join app using (id)
) to '{out}' (header false, delimiter '\t')"""


def main():
    """Two statements: the failures, then what belongs to them."""
    out, files = begin()
    lines = {hop: LINES.format(paths) for hop, paths in files.items()}
    connection = duckdb.connect()
    connection.execute("set preserve_insertion_order = false")
    connection.execute(FAILED.format(**lines))
    connection.execute(JOINED.format(out=out, **lines))


main()
