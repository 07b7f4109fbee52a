"""Turns the numbers of the blocks into one table, beside what the project asks of itself."""

from statistics import median, quantiles

import stores
from loads import KEPT, LARGE, MANY, ONCE

COLUMNS = ("what", "target", "godwit", "smtp-sink", "Postfix", "Dovecot", "verdict")


def number(value):
    """Three figures are as much as such a measurement knows."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def middle(runs, key):
    return median(run[key] for run in runs) if runs else None


def ratio(runs, others, key):
    """The median of the ratios of neighbours in time."""
    pairs = [a[key] / b[key] for a, b in zip(runs or [], others or []) if b[key]]
    return median(pairs) if pairs else None


def met(holds):
    return {True: "met", False: "**short**", None: ""}[holds]


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, target="", verdict=None, **values):
        """`values`: numbers by column; `verdict`: whether the target holds, if it can be told."""
        cells = {name.replace("_", "-"): value for name, value in values.items()}
        self.rows.append([what, target] +
                         [c if isinstance(c, str) else number(c)
                          for c in (cells.get(name) for name in COLUMNS[2:-1])] + [met(verdict)])

    def section(self, words):
        self.rows.append([f"*{words}*"] + [""] * (len(COLUMNS) - 1))

    def markdown(self):
        rows = [list(COLUMNS)] + self.rows
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
                 for row in rows]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join(lines)


def bound_row(table, load, sync_ms, sink_per_s):
    """What no server exceeds that answers after a sync: each session waits for one with each
    message.  Said where it bites."""
    bound = load.sessions / min(sync_ms.values()) * 1e3
    if bound < 4 * sink_per_s:
        table.add(f"- bound: {load.sessions} sessions / time of a sync", godwit=bound,
                  smtp_sink=f"x {bound / sink_per_s:.2f}")


def smtp_rows(table, smtp, sync_ms):
    plan = ((ONCE, 8, 100), (KEPT, 14, 70))
    for load, times_postfix, cpu_us in plan:
        runs = {name: loads.get(load.name) for name, loads in smtp.items()}
        own, sink, postfix = runs.get("godwit"), runs.get("smtp-sink"), runs.get("Postfix")
        table.add(f"messages/s, {load.name}", **{
            name.replace("-", "_"): middle(runs.get(name), "delivered_per_s")
            for name in COLUMNS[2:-1]})
        of_sink, of_postfix = (ratio(own, other, "delivered_per_s") for other in (sink, postfix))
        table.add("- as a part of smtp-sink", "0.75", godwit=of_sink, verdict=of_sink >= 0.75)
        if of_postfix:
            table.add("- as a multiple of Postfix", f"(about {times_postfix})", godwit=of_postfix)
        bound_row(table, load, sync_ms, middle(sink, "delivered_per_s"))
        own_cpu = middle(own, "cpu_us")
        table.add("- CPU us/message", f"< {cpu_us}", verdict=own_cpu < cpu_us, **{
            name.replace("-", "_"): middle(runs.get(name), "cpu_us") for name in COLUMNS[2:-1]})
        table.add("- as a multiple of smtp-sink's", godwit=ratio(own, sink, "cpu_us"))
        table.add("- of it by threads", godwit=thread_words(own))
        table.add("- context switches/message", **{
            name.replace("-", "_"): middle(runs.get(name), "switches") for name in COLUMNS[2:-1]})
    many = smtp.get("godwit", {}).get(MANY.name)
    table.add(f"messages/s, {MANY.name}", godwit=middle(many, "delivered_per_s"),
              smtp_sink=middle(smtp["smtp-sink"].get(MANY.name), "delivered_per_s"))
    table.add("- CPU us/message", godwit=middle(many, "cpu_us"),
              smtp_sink=middle(smtp["smtp-sink"].get(MANY.name), "cpu_us"))


def thread_words(runs):
    """CPU for a message by the names of threads, the largest first, what matters of it."""
    names = {name for run in runs for name in run["threads_us"]}
    middles = {name: median(run["threads_us"].get(name, 0) for run in runs) for name in names}
    return ", ".join(f"{name} {number(middles[name])}"
                     for name in sorted(middles, key=middles.get, reverse=True)
                     if middles[name] >= 0.5)


def log_rows(table, log):
    for name, ratios in log.items():
        first, more, last = (f"{(part - 1) * 100:.0f}%" for part in quantiles(ratios, n=4))
        table.add(f"more CPU with the log of commands, {name}", "<= 15%",
                  godwit=f"{more} (half of the runs: {first} to {last})",
                  verdict=median(ratios) <= 1.15)


def pop3_rows(table, pop3):
    for count, factors in (("10000", (2, 3)), ("1000", (1.2, 1.2))):
        own, other = pop3[count]["godwit"], pop3[count].get("Dovecot")
        what = f"POP3, {int(count):,} messages"

        def pair(key, own=own, other=other):
            return {"godwit": middle(own, key), "Dovecot": middle(other, key)}
        for key, words in (("stat_first_ms", "login + STAT ms, first time"),
                           ("stat_ms", "login + STAT ms, again")):
            values = pair(key)
            target = ("< 10", values["godwit"] < 10) if count == "10000" else ("", None)
            table.add(f"{what}: {words}", target[0], verdict=target[1], **values)
        for window, factor in zip((1, 64), factors):
            key = f"retr_{window}_per_s"
            table.add(f"{what}: RETR/s, {window} in flight", **pair(key))
            faster = ratio(own, other, key)
            if faster:
                table.add("- as a multiple of Dovecot", str(factor), godwit=faster,
                          verdict=faster >= factor)
        table.add(f"{what}: NOOP/s, the bound of 1 in flight", **pair("noop_per_s"))
        values = pair("dele_quit_ms")
        target = ("< 100", values["godwit"] < 100) if count == "10000" else ("", None)
        table.add(f"{what}: DELE all + QUIT ms", target[0], verdict=target[1], **values)
    sessions = pop3["sessions"]
    own, other = sessions["godwit"], sessions.get("Dovecot")
    table.add("POP3 sessions/s: login, STAT, QUIT", godwit=median(own),
              Dovecot=median(other) if other else None)
    if other:
        faster = median(a / b for a, b in zip(own, other))
        table.add("- as a multiple of Dovecot", "3", godwit=faster, verdict=faster >= 3)


def large_rows(table, large):
    if not large:
        return
    runs = {name: found["runs"] for name, found in large.items()}
    table.add(f"{LARGE.name}: MB/s", **{
        name.replace("-", "_"): middle(runs.get(name), "mb_per_s") for name in COLUMNS[2:-1]})
    part = ratio(runs["godwit"], runs["smtp-sink"], "mb_per_s")
    table.add("- as a part of smtp-sink", "0.9", godwit=part, verdict=part >= 0.9)
    table.add("- CPU ms/message", **{
        name.replace("-", "_"): middle(runs.get(name), "cpu_us") / 1e3
        for name in COLUMNS[2:-1] if name in runs})
    memory = large["godwit"]["memory_kb"]
    peak = max(after for _, after in memory) / 1024
    table.add("- highest memory, MB", "flat", godwit=peak, verdict=peak < 100)


def idle_rows(table, idle):
    for name in ("godwit SMTP", "godwit POP3", "godwit POP3, logged in"):
        if name in idle:
            found = idle[name]
            peer = idle.get("Postfix SMTP" if "SMTP" in name else
                            "Dovecot POP3, logged in" if "logged" in name else "", {})
            column = "Postfix" if "SMTP" in name else "Dovecot"
            table.add(f"KB for an idle connection, {name.split(' ', 1)[1]}"
                      f" ({found['connections']:,})", "<= 10", godwit=found["kb_each"],
                      verdict=found["kb_each"] <= 10, **{column: peer.get("kb_each")})
            table.add("- greeting of one more, ms (median)", "at once",
                      godwit=found["newcomer_ms"], verdict=found["newcomer_ms"] < 10)


def count_rows(table, counts):
    for load, found in counts.items():
        table.add(f"{load}: messages in a batch", godwit=found["batch"])
        total = sum(found["syscalls"].values())
        if total:
            table.add("- system calls/message", godwit=total)
        table.add("- allocations/message", godwit=found["allocations"])
        table.add("- octets allocated/message", godwit=found["allocated_octets"])
        table.add("- syncs besides the journal's/message", godwit=found["other_syncs"])


def growth_rows(table, growth):
    for load in (ONCE, KEPT):
        empty, full = growth["empty"][load.name], growth["full"][load.name]
        same = ratio(full, empty, "delivered_per_s")
        table.add(f"1,000,000 messages stored: rate against an empty store, {load.name}", "1",
                  godwit=same, verdict=same > 0.9)
        table.add("- CPU us/message: empty, full", godwit=f"{number(middle(empty, 'cpu_us'))}, "
                  f"{number(middle(full, 'cpu_us'))}")
    table.add("- POP3 sessions/s: empty, full",
              godwit=", ".join(number(median(growth[k]["sessions_per_s"]))
                               for k in ("empty", "full")))
    table.add("- seconds to start: empty, full",
              godwit=", ".join(number(growth[k]["start_s"]) for k in ("empty", "full")))


def relay_rows(table, relay):
    for load, runs in relay["loads"].items():
        own, postfix, straight = runs["godwit"], runs.get("Postfix"), runs["next hop"]
        table.add(f"messages/s, {load}", godwit=middle(own, "delivered_per_s"),
                  smtp_sink=middle(straight, "delivered_per_s"),
                  Postfix=middle(postfix, "delivered_per_s"))
        table.add("- as a part of what goes straight to the next hop", godwit=ratio(
            own, straight, "delivered_per_s"))
        faster = ratio(own, postfix, "delivered_per_s")
        if faster:
            table.add("- as a multiple of Postfix", "6", godwit=faster, verdict=faster >= 6)
        cpu = middle(own, "cpu_us")
        table.add("- CPU us/message", "< 200", godwit=cpu, Postfix=middle(postfix, "cpu_us"),
                  smtp_sink=middle(straight, "cpu_us"), verdict=cpu < 200)
    domains, deferred = relay["domains"], relay["deferred"]
    slower = domains["with_s"] / domains["without_s"]
    table.add("45,000 messages to 900 domains: seconds, alone and beside 100 dead ones",
              godwit=f"{number(domains['without_s'])}, {number(domains['with_s'])}")
    table.add("- beside dead ones as a multiple", "1.2", godwit=slower, verdict=slower <= 1.2)
    same = ratio(deferred["deferred"], deferred["empty"], "accepted_per_s")
    table.add(f"acceptance with {deferred['waiting']:,} deferred as a part of without", "0.95",
              godwit=same, verdict=same >= 0.95)
    table.add("- CPU us/message: without, with",
              godwit=", ".join(number(middle(deferred[k], "cpu_us"))
                               for k in ("empty", "deferred")))
    table.add("- seconds to start with them", "< 2", godwit=deferred["start_s"],
              verdict=deferred["start_s"] < 2)


TLS_LOADS = (("submit", "messages/s, submissions with AUTH, a connection for each", "Postfix", 3),
             ("pop3", "POP3 sessions/s under TLS: login, STAT, QUIT", "Dovecot", 2))


def tls_rows(table, tls):
    for load, words, peer, factor in TLS_LOADS:
        for kind, runs in tls[load].items():
            own, other = runs["godwit"], runs.get(peer)
            how = "full handshakes" if kind == "new" else "sessions resumed"
            table.add(f"{words}, {how}", godwit=middle(own, "per_s"),
                      **{peer: middle(other, "per_s")})
            faster = ratio(own, other, "per_s")
            if faster:
                table.add(f"- as a multiple of {peer}", str(factor), godwit=faster,
                          verdict=faster >= factor)
            table.add("- CPU us for each", godwit=middle(own, "cpu_us"),
                      **{peer: middle(other, "cpu_us")})
    for what, found in tls.get("idle", {}).items():
        own = found["godwit"]
        table.add(f"KB for an idle TLS connection, {what} ({own['connections']:,})", "<= 40",
                  godwit=own["kb_each"], Dovecot=found.get("Dovecot", {}).get("kb_each"),
                  verdict=own["kb_each"] <= 40)
        table.add("- handshake and greeting of one more, ms (median)", godwit=own["newcomer_ms"])


def agent_rows(table, agent):
    def multiple(kind, of, target, what):
        own, other = agent[kind].get("godwit"), agent[kind].get(of)
        if own and other:
            times = median(a / b for a, b in zip(own, other))
            table.add(f"- as a multiple of {of}'s ({number(median(other))}){what}", str(target),
                      godwit=times, verdict=times >= target)
    if agent["fetch"]:
        table.add("godwit fetch: messages/s from Dovecot to a Maildir", godwit=median(
            agent["fetch"]["godwit"]))
        multiple("fetch", "mpop", 3, "")
        multiple("fetch", "fetchmail", 10, "")
    table.add("godwit send: messages/s over one connection", godwit=median(agent["send"]["godwit"]))
    multiple("send", "msmtp", 3, ", in a loop")
    starts = agent["starts_ms"]
    table.add("ms from the call to the end of godwit version", "< 5", godwit=starts["godwit"],
              verdict=starts["godwit"] < 5)
    if "msmtp" in starts:
        table.add("- of msmtp --version, of true",
                  godwit=f"{number(starts['msmtp'])}, {number(starts['true'])}")


ROWS = {"log": log_rows, "large": large_rows, "pop3": pop3_rows, "idle": idle_rows,
        "counts": count_rows, "relay": relay_rows, "tls": tls_rows, "agent": agent_rows,
        "growth": growth_rows, "check": stores.check_rows, "compaction": stores.compaction_rows}


def table_of(result):
    table = Table()
    for name, place in result["places"].items():
        sync = place["sync_ms"]
        table.section(f"data {name}: a sync takes {sync['append']:.3g} ms after an append, "
                      f"{sync['prepared']:.3g} ms over blocks written before")
        if "smtp" in place:
            smtp_rows(table, place["smtp"], place["sync_ms"])
        for block, rows in ROWS.items():
            if block in place:
                rows(table, place[block])
    return table


def call_lines(result):
    """System calls by name, for each load of each place."""
    for name, place in result["places"].items():
        for load, found in place.get("counts", {}).items():
            calls = ", ".join(f"{call} {count:.2f}" for call, count in found["syscalls"].items()
                              if count >= 0.05)
            if calls:
                yield f"{name}, {load}: {calls}"
