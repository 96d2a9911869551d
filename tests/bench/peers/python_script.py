"""The failing requests of the edge with their records at gateway and application, as a careful script finds them.

Arguments: the result, then `edge=FILE`, `gateway=FILE`, `app=FILE` in that order.
"""

import sys


def edge(path, failed):
    """Failing requests: id -> status, milliseconds."""
    with open(path, "rb", buffering=1 << 20) as file:
        for line in file:
            if b" 502 " in line or b" 504 " in line:
                fields = line.split(b" ", 11)
                if fields[10] in (b"502", b"504"):
                    failed[line[-37:-1]] = [fields[10], fields[9].rsplit(b"/", 1)[1], b"", b"", b"", b""]


def gateway(path, failed):
    """What the gateway says of them."""
    with open(path, "rb", buffering=1 << 20) as file:
        for line in file:
            at = line.find(b'" rid=')
            row = failed.get(line[at + 6:at + 42])
            if row:
                status = line.index(b' HTTP/1.1" ') + 11
                took = line.index(b" rt=", at) + 4
                row[2] = line[status:status + 3]
                row[3] = b"%d" % round(1000 * float(line[took:line.index(b" ", took)]))


def app(path, failed):
    """What the application says of them."""
    with open(path, "rb", buffering=1 << 20) as file:
        for line in file:
            row = failed.get(line[-38:-2] if line.endswith(b"\r\n") else line[-37:-1])
            if row:
                fields = line.split(b" ", 18)
                row[4], row[5] = fields[14], fields[17]


def main():
    """Reads hop by hop, writes one row a request."""
    failed = {}
    for argument in sys.argv[2:]:
        hop, path = argument.split("=", 1)
        {"edge": edge, "gateway": gateway, "app": app}[hop](path, failed)
    with open(sys.argv[1], "wb") as out:
        out.writelines(b"\t".join([key, *row]) + b"\n" for key, row in failed.items())


main()
