#!/usr/bin/env python3
"""read_reports.py - an independent reader of the reports: Python's email package and RFC grammars.

usage: read_reports.py WRITER     WRITER FOLDER writes NAME.eml for each sample (write_reports.c)
"""

import email
import email.policy
import email.utils
import pathlib
import quopri
import re
import subprocess
import sys
import tempfile

POLICY = email.policy.SMTP.clone(utf8=True)
DATES = ("Arrival-Date", "Last-Attempt-Date", "Will-Retry-Until")
PER_MESSAGE = ["Original-Envelope-Id", "Reporting-MTA", "Received-From-MTA", "Arrival-Date"]
PER_RECIPIENT = ["Original-Recipient", "Final-Recipient", "Action", "Status", "Remote-MTA",
                 "Diagnostic-Code", "Last-Attempt-Date", "Final-Log-ID", "Will-Retry-Until"]
STATUS = re.compile(r"[245]\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})")
# RFC 3461 9.2, unfolded.
SMTP_CODE = re.compile(r"(\d{3}-.*? )*\d{3} .*", re.S)

TEXT, HEADERS, WHOLE = "text/plain", "text/rfc822-headers", "message/rfc822"
STATUS_PART, GLOBAL_STATUS = "message/delivery-status", "message/global-delivery-status"
GLOBAL_HEADERS, GLOBAL = "message/global-headers", "message/global"
SEVEN, EIGHT, QUOTED = "7bit", "8bit", "quoted-printable"

# What the report must be: (type, encoding) of the second and third part, the actions in it.
EXPECTED = {
    "plain": [(STATUS_PART, SEVEN), (HEADERS, SEVEN)],
    "everything": [(STATUS_PART, SEVEN), (HEADERS, SEVEN)],
    "only_delayed": [(STATUS_PART, SEVEN), (HEADERS, SEVEN)],
    "whole": [(STATUS_PART, SEVEN), (WHOLE, SEVEN)],
    "whole_without_last_line_end": [(STATUS_PART, SEVEN), (WHOLE, SEVEN)],
    "whole_eight_bit": [(STATUS_PART, SEVEN), (WHOLE, EIGHT)],
    "whole_seven_bit_way": [(STATUS_PART, SEVEN), (HEADERS, SEVEN)],
    "whole_long_line": [(STATUS_PART, SEVEN), (HEADERS, SEVEN)],
    "whole_with_boundary": [(STATUS_PART, SEVEN), (HEADERS, SEVEN)],
    "header_with_boundary": [(STATUS_PART, SEVEN)],
    "header_eight_bit": [(STATUS_PART, SEVEN), (HEADERS, EIGHT)],
    "header_seven_bit_way": [(STATUS_PART, SEVEN), (HEADERS, QUOTED)],
    "no_header": [(STATUS_PART, SEVEN)],
    "peer_speaks_utf8": [(STATUS_PART, SEVEN), (HEADERS, SEVEN)],
    "global": [(GLOBAL_STATUS, EIGHT), (GLOBAL_HEADERS, EIGHT)],
    "global_whole": [(GLOBAL_STATUS, EIGHT), (GLOBAL, EIGHT)],
    "global_to_ascii": [(GLOBAL_STATUS, EIGHT), (GLOBAL_HEADERS, EIGHT)],
    "global_seven_bit_way": [(STATUS_PART, SEVEN), (GLOBAL_HEADERS, QUOTED)],
    "odd_values": [(STATUS_PART, SEVEN), (HEADERS, SEVEN)],
}
ACTIONS = {"everything": ["failed", "delayed", "relayed", "expanded", "delivered"],
           "only_delayed": ["delayed"]}
SENDERS = {"global": "jürgen@xn--bcher-kva.example",
           "global_whole": "jürgen@xn--bcher-kva.example"}
SUBJECTS = {"only_delayed": "Delayed mail: carol@slow.example",
            "global": "Undelivered mail: 用户@example.com",
            "global_whole": "Undelivered mail: 用户@example.com",
            "global_to_ascii": "Undelivered mail: 用户@example.com",
            "global_seven_bit_way": "Undelivered mail: 用户@example.com",
            "odd_values": 'Undelivered mail: "a  (b\\""@example.com'}


class Wrong(Exception):
    pass


def want(condition, words):
    if not condition:
        raise Wrong(words)


def same(got, wanted, what):
    want(got == wanted, f"{what}: {got!r}, wanted {wanted!r}")


def utf8(words):
    """A header field as RFC 6532 has it: Python keeps octets over 0x7F as surrogates."""
    return str(words).encode("utf-8", "surrogateescape").decode("utf-8")


def raw_parts(raw, boundary):
    """The parts as octets by RFC 2046 alone: [(header, body)]."""
    pieces = (b"\r\n" + raw.split(b"\r\n\r\n", 1)[1]).split(b"\r\n--" + boundary.encode())
    same(pieces[0], b"", "preamble")
    same(pieces[-1], b"--\r\n", "end")
    return [tuple(p.removeprefix(b"\r\n").split(b"\r\n\r\n", 1)) for p in pieces[1:-1]]


def field_groups(body):
    """The groups of a status part: lists of (name, unfolded value)."""
    groups = []
    for block in body.split(b"\r\n\r\n"):
        lines = re.sub(rb"\r\n(?=[ \t])", b"", block.removesuffix(b"\r\n")).split(b"\r\n")
        fields = [line.decode().split(":", 1) for line in lines]
        groups.append([(name, value.removeprefix(" ")) for name, value in fields])
    return groups


def check_order(fields, order):
    """Every field known, at most once, in the order of the grammar."""
    places = [order.index(name) for name, _ in fields]
    want(places == sorted(set(places)), f"order of fields: {[name for name, _ in fields]}")


def check_header(name, message, raw):
    same(message["MIME-Version"], "1.0", "MIME-Version")
    same(message["Auto-Submitted"], "auto-replied", "Auto-Submitted")
    same(message.get_content_type(), "multipart/report", "type")
    same(message.get_param("report-type"), "delivery-status", "report-type")
    same(message["From"].addresses[0].addr_spec, "postmaster@example.org", "From")
    same(message["From"].addresses[0].display_name, "Mail Delivery System", "From")
    sender = SENDERS.get(name, "alice@example.org")
    same(utf8(message["To"].addresses[0].addr_spec), sender, "To")
    want(message["Date"].datetime.timestamp() == 1795246947, "Date")
    want(re.fullmatch(r"<4Kq1Zr9t@(mx\.example\.org|vm)>", message["Message-ID"]), "Message-ID")
    subject = SUBJECTS.get(name, "Undelivered mail: bob@example.com")
    same(utf8(message["Subject"]), subject, "Subject")
    if name not in ("no_header", "header_with_boundary"):
        same(message["References"], "<lunch.1@example.org>", "References")
        same(message["In-Reply-To"], "<lunch.1@example.org>", "In-Reply-To")
    header = raw.split(b"\r\n\r\n", 1)[0]
    want(header.isascii() or sender.startswith("j"), "the header has more than ASCII")
    same(message["Content-Transfer-Encoding"], SEVEN if raw.isascii() else EIGHT, "encoding")
    for field in ("Return-Path", "Sender", "Received", "Bcc"):
        want(field not in message, f"{field} has no place here")


def check_words(part, message):
    """The part for people: text that any reader shows, in lines that fit."""
    same(part.get_content_type(), TEXT, "first part")
    want(part["Content-Transfer-Encoding"] in (SEVEN, QUOTED), "the words are not 7-bit")
    words = part.get_content()
    for line in words.splitlines():
        want(len(line) <= 76, f"does not fit: {line!r}")
    want("\x1b" not in words and "\r" not in words.replace("\r\n", ""), "control characters")
    want(utf8(message["Subject"]).split(": ", 1)[1].split(" and ")[0] in words, "no address")


def check_typed(fields, field, types):
    if field in fields:
        kind, _, value = fields[field].partition("; ")
        want(kind in types and value.strip(), f"{field}: {fields[field]!r}")


def check_recipient(fields, is_global):
    fields = dict(fields)
    want({"Final-Recipient", "Action", "Status"} <= set(fields), "a field is missing")
    want(STATUS.fullmatch(fields["Status"]), f"Status: {fields['Status']}")
    success = fields["Action"] in ("delivered", "relayed", "expanded")
    same(fields["Status"][0] == "2", success, "class of the status")
    check_typed(fields, "Final-Recipient", ("rfc822", "utf-8"))
    check_typed(fields, "Original-Recipient", ("rfc822", "utf-8", "unknown"))
    check_typed(fields, "Remote-MTA", ("dns",))
    check_typed(fields, "Diagnostic-Code", ("smtp", "x-godwit"))
    code = fields.get("Diagnostic-Code", "")
    want(not code.startswith("smtp;") or SMTP_CODE.fullmatch(code[6:]), code)
    want("Will-Retry-Until" not in fields or fields["Action"] == "delayed", "Will-Retry-Until")
    want(is_global or all(v.isascii() for v in fields.values()), "more than ASCII")
    for date in set(DATES) & set(fields):
        want(email.utils.parsedate_to_datetime(fields[date]).tzinfo, f"{date} has no zone")
    return fields


def check_status(name, header, body):
    groups = field_groups(body)
    check_order(groups[0], PER_MESSAGE)
    for group in groups[1:]:
        check_order(group, PER_RECIPIENT)
    is_global = b"global" in header
    recipients = [check_recipient(group, is_global) for group in groups[1:]]
    same([r["Action"] for r in recipients], ACTIONS.get(name, ["failed"]), "actions")
    return dict(groups[0]), recipients


def check_values(name, message, recipients):
    """What single samples must say."""
    first = recipients[0]
    if name == "plain":
        same(first["Diagnostic-Code"], "smtp; 550-5.1.1 <bob@example.com>: no such user here; "
             "550 5.1.1 see https://example.com/help", "Diagnostic-Code")
        same(first["Remote-MTA"], "dns; mx.example.com", "Remote-MTA")
        want("Original-Recipient" not in first, "Original-Recipient")
    if name == "everything":
        same(message["Original-Envelope-Id"], "QQ 31+41=59", "Original-Envelope-Id")
        same(message["Received-From-MTA"], "dns; client.example ([IPv6:2001:db8::7])", "from")
        same(recipients[2]["Original-Recipient"], "rfc822; D+ana@Example.org", "original")
        same(recipients[1]["Will-Retry-Until"], "Thu, 26 Nov 2026 02:11:27 -0530", "until")
        want(recipients[1]["Diagnostic-Code"].startswith("x-godwit; Nobody answered"), "reason")
        want(all("Will-Retry-Until" not in recipients[i] for i in (0, 2, 3, 4)), "until")
    if name == "peer_speaks_utf8":
        same(first["Diagnostic-Code"], "smtp; 550 \\u{7528}\\u{6237}\\u{4E0D}\\u{5B58}\\u{5728} = "
             "\\x1B[2J \\\\ \\xFF", "Diagnostic-Code")
    if name in ("global", "global_whole", "global_to_ascii"):
        same(first["Final-Recipient"], "utf-8; 用户@example.com", "final")
        same(first["Original-Recipient"], "utf-8; 用户@Example.com", "original")
        same(first["Diagnostic-Code"], "smtp; 550 5.1.1 用户?", "Diagnostic-Code")
    if name == "global_seven_bit_way":
        same(first["Final-Recipient"], "utf-8; \\x{7528}\\x{6237}@example.com", "final")
        same(first["Original-Recipient"], "utf-8; \\x{7528}@Example.com", "original")
    if name == "odd_values":
        same(message["Reporting-MTA"], "x-local-hostname; vm", "Reporting-MTA")


def check_returned(name, header, body):
    """What came back is what was sent."""
    part = email.message_from_bytes(header + b"\r\n\r\n" + body, policy=email.policy.compat32)
    content = body
    if b"quoted-printable" in header:
        want(body.isascii(), "quoted-printable has more than ASCII")
        content = quopri.decodestring(body)
    want(b"Message-ID: <lunch.1@example.org>\r\n" in content, "the Message-ID is missing")
    want("charset" not in part["Content-Type"], "a charset has no place here")
    whole = part.get_content_type() in (WHOLE, GLOBAL)
    same(b"\r\n\r\n" in content, whole, "a body")
    if name == "whole_without_last_line_end":
        want(content.endswith(b"\r\n\r\nno end"), "not as it was")
    if name == "whole_eight_bit":
        want(content.endswith(b"\r\n\r\nGr\xfc\xdfe\r\n"), "not as it was")
    if name.startswith("header_") and "boundary" not in name:
        want(content.startswith(b"Subject: Gr\xfc\xdfe\r\n"), "not as it was")
    if name.startswith("global"):
        want(content.startswith("Subject: Grüße\r\n".encode()), "not as it was")


def check_report(name, raw):
    message = email.message_from_bytes(raw, policy=POLICY)
    want(not message.defects, f"defects: {message.defects}")
    check_header(name, message, raw)
    parts = list(message.iter_parts())
    for part in parts:
        want(not part.defects, f"defects: {part.defects}")
    same([(p.get_content_type(), p["Content-Transfer-Encoding"]) for p in parts[1:]],
         EXPECTED[name], "parts")
    check_words(parts[0], message)
    octets = raw_parts(raw, message.get_boundary())
    same(len(octets), len(parts), "number of parts")
    check_values(name, *check_status(name, *octets[1]))
    if EXPECTED[name][0][0] == STATUS_PART:
        # Python's own reader of this type gives a message for each group.
        same(len(parts[1].get_payload()), 1 + len(ACTIONS.get(name, ["failed"])), "groups")
    if len(octets) == 3:
        check_returned(name, *octets[2])


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        files = sorted(pathlib.Path(folder).iterdir())
        same(sorted(EXPECTED), [f.stem for f in files], "samples")
        for file in files:
            try:
                check_report(file.stem, file.read_bytes())
                print(f"ok {file.stem}")
            except Exception as why:  # whatever a reader stumbles over
                print(f"FAIL {file.stem}: {why!r}")
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
