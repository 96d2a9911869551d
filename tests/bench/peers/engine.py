"""What the scripts that ask a query engine share: their arguments, and what their own start has cost.

Arguments: the result, the file that takes the CPU seconds used before the query, then `edge=FILE`,
`gateway=FILE`, `app=FILE`.
"""

import resource
import sys


def begin():
    """Notes what importing the engine has cost, so that it is not held against it. Result and files by hop."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    with open(sys.argv[2], "w", encoding="ascii") as out:
        out.write(str(usage.ru_utime + usage.ru_stime))
    files = {"edge": [], "gateway": [], "app": []}
    for argument in sys.argv[3:]:
        hop, path = argument.split("=", 1)
        files[hop].append(path)
    return sys.argv[1], files
