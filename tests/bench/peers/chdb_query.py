"""The failing requests of the edge with their records at gateway and application, in embedded ClickHouse.

Lines as strings, string functions on bytes, one query: both other hops are filtered by the set of failing ids.
"""

import chdb

from engine import begin

QUERY = """
with failed as (
    select right(line, 36) as id, splitByChar(' ', line) as f from {edge}
    where (position(line, ' 502 ') > 0 or position(line, ' 504 ') > 0) and f[11] in ('502', '504'))
select failed.id, failed.f[11], splitByChar('/', failed.f[10])[5],
       g.status, if(g.took = '', '', toString(round(1000 * toFloat64OrZero(g.took)))), a.f[15], a.f[18]
from failed
left join (
    select substring(line, position(line, '" rid=') + 6, 36) as id,
           substring(line, position(line, ' HTTP/1.1" ') + 11, 3) as status,
           splitByChar(' ', substring(line, position(line, ' rt=') + 4, 20))[1] as took
    from {gateway} where id in (select id from failed)) as g on g.id = failed.id
left join (
    select right(trimRight(line, '\\r'), 36) as id, splitByChar(' ', line) as f
    from {app} where id in (select id from failed)) as a on a.id = failed.id
into outfile '{out}' truncate format TSVRaw
"""


def main():
    """One query."""
    out, files = begin()

    def lines(paths):
        names = "{" + ",".join(paths) + "}" if len(paths) > 1 else paths[0]
        return f"file('{names}', 'LineAsString', 'line String')"

    result = chdb.query(QUERY.format(out=out, **{hop: lines(paths) for hop, paths in files.items()}))
    if result.has_error():
        raise SystemExit(result.error_message())


main()
