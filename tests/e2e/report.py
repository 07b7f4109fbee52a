"""report - reads a delivery report as other software does: Python's email package, and the rules
of RFC 3464, 3834 and 6522 that it does not know."""

import email
import email.policy
import email.utils
import re

from harness import check, equal

POLICY = email.policy.SMTP.clone(utf8=True)
STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
RETURNED_TYPES = ("text/rfc822-headers", "message/rfc822", "message/global-headers",
                  "message/global")
DATES = ("Arrival-Date", "Last-Attempt-Date", "Will-Retry-Until")
STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


class Report:
    """`fields` of the message, `recipients` with the fields of each, `words` for people,
    `returned` what it is about, in octets, and whether that is `whole`."""

    def __init__(self, octets):
        self.octets = octets
        self.message = message = email.message_from_bytes(octets, policy=POLICY)
        self.check_header()
        parts = list(message.iter_parts())
        equal(len(parts), 3, "parts")
        check(all(not part.defects for part in (message, *parts)), "defects in the report")
        equal(parts[0].get_content_type(), "text/plain", "the first part")
        check(parts[1].get_content_type() in STATUS_TYPES, parts[1].get_content_type())
        check(parts[2].get_content_type() in RETURNED_TYPES, parts[2].get_content_type())
        self.words = parts[0].get_content()
        self.returned_type = parts[2].get_content_type()
        self.whole = self.returned_type in ("message/rfc822", "message/global")
        self.is_global = parts[1].get_content_type() == STATUS_TYPES[1]
        boundary = message.get_boundary().encode()
        raw = octets.split(b"\r\n--" + boundary)
        equal(raw[-1], b"--\r\n", "the end")
        self.returned = raw[3].removeprefix(b"\r\n").split(b"\r\n\r\n", 1)[1]
        self.returned = self.returned.removesuffix(b"\r\n") + b"\r\n"
        self.read_status(raw[2].removeprefix(b"\r\n").split(b"\r\n\r\n", 1)[1])

    def check_header(self):
        message = self.message
        check(self.octets.startswith(b"Return-Path: <>\r\n"), f"{self.octets[:100]!r}")
        equal(message["MIME-Version"], "1.0", "MIME-Version")
        equal(message["Auto-Submitted"], "auto-replied", "Auto-Submitted")
        equal(message.get_content_type(), "multipart/report", "type")
        equal(message.get_param("report-type"), "delivery-status", "report-type")
        for field in ("From", "To", "Date", "Message-ID", "Subject"):
            equal(len(message.get_all(field, [])), 1, field)
        check(message["From"].addresses[0].username == "postmaster", f"From: {message['From']}")
        check(message["Date"].datetime.tzinfo, "Date")
        check(not message.defects, f"defects: {message.defects}")
        for line in self.octets.split(b"\r\n"):
            check(len(line) <= 998 and b"\n" not in line and b"\r" not in line, f"{line[:99]!r}")

    def read_status(self, body):
        groups = []
        for block in body.removesuffix(b"\r\n").split(b"\r\n\r\n"):
            lines = re.sub(rb"\r\n(?=[ \t])", b"", block).split(b"\r\n")
            pairs = [line.decode().split(": ", 1) for line in lines if line]
            equal(len({name for name, _ in pairs}), len(pairs), "fields, each once")
            groups.append(dict(pairs))
        self.fields, self.recipients = groups[0], groups[1:]
        check(self.fields["Reporting-MTA"].startswith("dns; "), "Reporting-MTA")
        check(self.recipients, "no recipients")
        for fields in self.recipients:
            check({"Final-Recipient", "Action", "Status"} <= set(fields), f"fields: {fields}")
            check(STATUS.fullmatch(fields["Status"]), fields["Status"])
            for date in set(DATES) & set(fields):
                check(email.utils.parsedate_to_datetime(fields[date]).tzinfo, date)

    @property
    def to(self):
        return self.message["To"].addresses[0].addr_spec

    @property
    def subject(self):
        return self.message["Subject"]

    def about(self, address):
        """The fields of one recipient, who is there once."""
        found = [fields for fields in self.recipients
                 if fields["Final-Recipient"].split("; ", 1)[1] == address]
        equal(len(found), 1, f"groups about {address}")
        return found[0]

    def expect(self, address, action, status):
        fields = self.about(address)
        equal((fields["Action"], fields["Status"]), (action, status), f"what became of {address}")
        return fields
