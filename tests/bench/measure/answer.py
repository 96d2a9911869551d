"""Whether an answer is right: against the corpus's truth, and one peer's against another's."""

# How certain the program must be: shares of the failing requests.
LEAST_FOUND, LEAST_RIGHT = 1.0, 0.95


def judge(corpus, findings, say):
    """Every failing id found once, with the right cause, and no finding beside them: the complaints."""
    rows, seen, wrong, extra = corpus.truth, {}, {}, []
    for finding in findings:
        one = next((one for one in finding["request"]["ids"] if one in rows), None)
        if one is None or one in seen:
            extra.append(finding["id"])
            continue
        seen[one] = finding
        row = rows[one]
        if finding["cause"] != row["cause"]:
            key = (row["cause"], row["subtype"], finding["cause"], finding["subtype"])
            wrong[key] = wrong.get(key, 0) + 1
    sub = sum(one["subtype"] in (rows[key]["subtype"], *rows[key]["alternatives"]) for key, one in seen.items())
    missed = {}
    for key in rows.keys() - seen.keys():
        label = rows[key]["cause"], rows[key]["subtype"]
        missed[label] = missed.get(label, 0) + 1
    right = len(seen) - sum(wrong.values())
    for label, count in sorted(missed.items()):
        say(f"  missed: {count} x {'/'.join(label)}")
    for key, count in sorted(wrong.items()):
        say(f"  wrong: {count} x {key[0]}/{key[1]} taken for {key[2]}/{key[3]}")
    share = 100 / max(1, len(rows))
    say(f"  found {len(seen)} of {len(rows)} ({len(seen) * share:.2f} %), right cause {right * share:.2f} %, "
        f"right subtype {sub * share:.2f} %, extra {len(extra)}")
    complaints = []
    if len(seen) < LEAST_FOUND * len(rows):
        complaints.append(f"why502: {len(rows) - len(seen)} failing requests not found")
    if right < LEAST_RIGHT * len(rows):
        complaints.append(f"why502: right cause for {right} of {len(rows)} only")
    if extra:
        complaints.append(f"why502: {len(extra)} findings that are no failure, first {extra[0]}")
    return complaints


def compare(answers):
    """Complaints about answers (name -> rows) that are not the first one's."""
    (own, wanted), *others = answers.items()
    complaints = []
    for name, rows in others:
        if rows != wanted:
            only, lacks = sorted(rows - wanted), sorted(wanted - rows)
            complaints.append(f"{name}: {len(only)} rows that {own} has not, {len(lacks)} that it lacks: "
                              f"{(only or [()])[0]} / {(lacks or [()])[0]}")
    return complaints
