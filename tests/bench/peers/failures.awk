# The failing requests of the edge with their records at gateway and application: one pass, ids kept in a table.
# mawk splits fields only where one is asked for, so lines of no interest cost a search and a look-up.
# Files in the order edge, gateway, application. Output: id, then status and milliseconds of each hop.

FNR == 1 { hop = FILENAME ~ /edge-haproxy/ ? 1 : FILENAME ~ /gateway-nginx/ ? 2 : 3 }

hop == 1 {
    if ((index($0, " 502 ") || index($0, " 504 ")) && ($11 == "502" || $11 == "504")) {
        split($10, timers, "/")
        failed[substr($0, length($0) - 35)] = $11 "\t" timers[5]
    }
    next
}

hop == 2 {
    id = substr($0, index($0, "\" rid=") + 6, 36)
    if (id in failed) {
        at = index($0, " HTTP/1.1\" ")
        rest = substr($0, index($0, " rt=") + 4)
        gateway[id] = substr($0, at + 11, 3) "\t" int(1000 * substr(rest, 1, index(rest, " ") - 1) + 0.5)
    }
    next
}

{
    sub(/\r$/, "")
    id = substr($0, length($0) - 35)
    if (id in failed) app[id] = $15 "\t" $18
}

END {
    for (id in failed) {
        print id "\t" failed[id] "\t" (id in gateway ? gateway[id] : "\t") "\t" (id in app ? app[id] : "\t")
    }
}
