"""The failing requests of the edge with their records at gateway and application, in Polars.

Lazy and streaming; lines are one column, ids are sliced by position, and only joined lines are split.
"""

import polars as pl

from engine import begin

LINE = pl.col("line")


def scan(paths):
    """Lines of some files."""
    return pl.scan_lines(paths, name="line")


def after(text, length):
    """The `length` bytes after the first `text`; all logs are ASCII."""
    return LINE.str.slice(LINE.str.find(text, literal=True) + len(text), length)


def word(number, separator=" "):
    """A field, from 0."""
    return LINE.str.split(separator).list.get(number, null_on_oob=True)


def main():
    """The failures first, since they are few; then both other hops against them."""
    out, files = begin()
    failed = (
        scan(files["edge"])
        .filter(LINE.str.contains(" 502 ", literal=True) | LINE.str.contains(" 504 ", literal=True))
        .with_columns(status=word(10), ms=word(9).str.split("/").list.get(4))
        .filter(pl.col("status").is_in(["502", "504"]))
        .select(LINE.str.slice(-36).alias("id"), "status", "ms")
        .collect(engine="streaming")
    )
    keys = failed.lazy().select("id")
    gateway = (
        scan(files["gateway"])
        .with_columns(after('" rid=', 36).alias("id"))
        .join(keys, on="id", how="semi")
        .select(
            "id",
            after(' HTTP/1.1" ', 3).alias("gateway_status"),
            (after(" rt=", 20).str.split(" ").list.get(0).cast(pl.Float64) * 1000).round().cast(pl.Int64)
            .alias("gateway_ms"),
        )
    )
    app = (
        scan(files["app"])
        .with_columns(LINE.str.strip_suffix("\r"))
        .with_columns(LINE.str.slice(-36).alias("id"))
        .join(keys, on="id", how="semi")
        .select("id", word(14).alias("app_status"), word(17).alias("app_ms"))
    )
    gateway, app = pl.collect_all([gateway, app], engine="streaming")
    joined = failed.join(gateway, on="id", how="left").join(app, on="id", how="left")
    joined.write_csv(out, include_header=False, separator="\t", quote_style="never")


main()
