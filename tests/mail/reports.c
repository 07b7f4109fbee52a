/* reports.c - a report for each form, as plain values. */
#include "reports.h"

#include <string.h>

#define HEADER                                                                                     \
    "Received: from pc ([192.0.2.7]) by mx.example.org with ESMTPSA id 4Kq1Zr8s;\r\n"              \
    "\tSat, 21 Nov 2026 07:41:27 +0000\r\n"                                                        \
    "From: Alice <alice@example.org>\r\n"                                                          \
    "To: bob@example.com\r\n"                                                                      \
    "Subject: lunch\r\n"                                                                           \
    "Message-ID: <lunch.1@example.org>\r\n"

#define MINUTE_MS 60000
#define DAY_MS    86400000LL
#define ARRIVED   1795246887000 /* Sat, 21 Nov 2026 07:41:27 +0000 */

static struct dsn_recipient failed(void)
{
    return (struct dsn_recipient){
        .final_recipient = T("bob@example.com"),
        .action = DSN_FAILED,
        .status = T("5.1.1"),
        .remote_mta = T("mx.example.com"),
        .diagnostic = T("550-5.1.1 <bob@example.com>: no such user here;\n"
                        "550 5.1.1 see https://example.com/help"),
        .last_attempt_ms = ARRIVED + MINUTE_MS,
    };
}

static struct dsn_recipient delayed(void)
{
    return (struct dsn_recipient){
        .final_recipient = T("carol@slow.example"),
        .action = DSN_DELAYED,
        .status = T("4.4.1"),
        .remote_mta = T("mx.slow.example"),
        .reason = T("Nobody answered at 192.0.2.9, port 25: connection timed out."),
        .last_attempt_ms = ARRIVED + 240 * MINUTE_MS,
        .will_retry_until_ms = ARRIVED + 5 * DAY_MS,
    };
}

static struct dsn_recipient done(enum dsn_action action, struct text address)
{
    return (struct dsn_recipient){
        .final_recipient = address,
        .original_recipient = T("rfc822;D+2Bana@Example.org"),
        .action = action,
        .status = T("2.0.0"),
        .last_attempt_ms = ARRIVED,
    };
}

static struct dsn_report common(void)
{
    return (struct dsn_report){
        .reporting_mta = T("mx.example.org"),
        .from_domain = T("example.org"),
        .to = T("alice@example.org"),
        .message_id = T("4Kq1Zr9t"),
        .original_id = T("4Kq1Zr8s"),
        .arrived_ms = ARRIVED,
        .now_ms = ARRIVED + MINUTE_MS,
        .original = T(HEADER "\r\nHow about noon?\r\n"),
        .boundary = T("4Kq1Zr9t-f00dfeedf00dfeed"),
        .recipient_count = 1,
    };
}

static void add(struct sample *s, struct dsn_recipient r)
{
    s->recipients[s->report.recipient_count++] = r;
}

static void plain(struct sample *s)
{
    (void)s;
}

static void everything(struct sample *s)
{
    s->report.envid = T("QQ 31+41=59");
    s->report.received_from = T("client.example");
    endpoint_parse_address(T("2001:db8::7"), &s->report.received_peer);
    s->report.zone_seconds = -5 * 3600 - 1800;
    add(s, delayed());
    struct dsn_recipient dana = done(DSN_RELAYED, T("dana@far.example"));
    dana.remote_mta = T("mx.far.example");
    add(s, dana);
    add(s, done(DSN_EXPANDED, T("team@example.org")));
    struct dsn_recipient erik = done(DSN_DELIVERED, T("erik@example.org"));
    erik.original_recipient = T("");
    add(s, erik);
}

static void only_delayed(struct sample *s)
{
    s->recipients[0] = delayed();
    s->report.original_is_whole = true; /* but nothing failed */
}

static void whole(struct sample *s)
{
    s->report.original_is_whole = true;
}

static void whole_without_last_line_end(struct sample *s)
{
    s->report.original_is_whole = true;
    s->report.original = T(HEADER "\r\nno end");
}

static void whole_eight_bit(struct sample *s)
{
    s->report.original_is_whole = true;
    s->report.original = T(HEADER "Content-Type: text/plain; charset=iso-8859-1\r\n"
                                  "\r\nGr\xFC\xDF"
                                  "e\r\n");
}

static void whole_seven_bit_way(struct sample *s)
{
    whole_eight_bit(s);
    s->report.seven_bit = true;
}

static void whole_long_line(struct sample *s)
{
    static char text[2000];
    size_t used = sizeof HEADER - 1;
    memset(text, 'x', sizeof text);
    memcpy(text, HEADER "\r\n", used + 2);
    s->report.original_is_whole = true;
    s->report.original = (struct text){ text, sizeof text };
}

static void whole_with_boundary(struct sample *s)
{
    s->report.original_is_whole = true;
    s->report.original = T(HEADER "\r\n--4Kq1Zr9t-f00dfeedf00dfeed--\r\n");
}

static void header_with_boundary(struct sample *s)
{
    s->report.original = T("--4Kq1Zr9t-f00dfeedf00dfeed: a field\r\n" HEADER "\r\n");
}

static void header_eight_bit(struct sample *s)
{
    s->report.original = T("Subject: Gr\xFC\xDF"
                           "e\r\n" HEADER);
}

static void header_seven_bit_way(struct sample *s)
{
    header_eight_bit(s);
    s->report.seven_bit = true;
}

static void no_header(struct sample *s)
{
    s->report.original = T("\r\nonly words\r\n");
}

static void peer_speaks_utf8(struct sample *s)
{
    s->recipients[0].diagnostic = T("550 \xE7\x94\xA8\xE6\x88\xB7\xE4\xB8\x8D\xE5\xAD\x98\xE5\x9C"
                                    "\xA8 = \x1B[2J \\ \xFF");
}

/* An SMTPUTF8 message: sender, recipient and header beyond ASCII. */
static void global(struct sample *s)
{
    s->report.utf8 = true;
    s->report.to = T("j\xC3\xBCrgen@xn--bcher-kva.example");
    s->report.original = T("Subject: Gr\xC3\xBC\xC3\x9F"
                           "e\r\n" HEADER "\r\n\xC3\xBC\r\n");
    s->recipients[0].final_recipient = T("\xE7\x94\xA8\xE6\x88\xB7@example.com");
    s->recipients[0].original_recipient = T("utf-8;\\x{7528}\\x{6237}@Example.com");
    s->recipients[0].diagnostic = T("550 5.1.1 \xE7\x94\xA8\xE6\x88\xB7?");
}

static void global_whole(struct sample *s)
{
    global(s);
    s->report.original_is_whole = true;
}

/* The sender is ASCII, so the report's own header is, too. */
static void global_to_ascii(struct sample *s)
{
    global(s);
    s->report.to = T("alice@example.org");
}

static void global_seven_bit_way(struct sample *s)
{
    global_to_ascii(s);
    s->report.seven_bit = true;
    s->recipients[0].original_recipient = T("utf-8;\xE7\x94\xA8@Example.com");
}

static void odd_values(struct sample *s)
{
    s->report.reporting_mta = T("vm");
    s->report.received_from = T("bad name)\r\nX: y");
    s->recipients[0].final_recipient = T("\"a  (b\\\"\"@example.com");
    s->recipients[0].original_recipient = T("no type at all");
    s->recipients[0].status = T("5.01.1");
    s->recipients[0].diagnostic = T("\n\n550  two  spaces\n");
}

static const struct {
    const char *name;
    void (*make)(struct sample *);
} samples[] = {
    { "plain", plain },
    { "everything", everything },
    { "only_delayed", only_delayed },
    { "whole", whole },
    { "whole_without_last_line_end", whole_without_last_line_end },
    { "whole_eight_bit", whole_eight_bit },
    { "whole_seven_bit_way", whole_seven_bit_way },
    { "whole_long_line", whole_long_line },
    { "whole_with_boundary", whole_with_boundary },
    { "header_with_boundary", header_with_boundary },
    { "header_eight_bit", header_eight_bit },
    { "header_seven_bit_way", header_seven_bit_way },
    { "no_header", no_header },
    { "peer_speaks_utf8", peer_speaks_utf8 },
    { "global", global },
    { "global_whole", global_whole },
    { "global_to_ascii", global_to_ascii },
    { "global_seven_bit_way", global_seven_bit_way },
    { "odd_values", odd_values },
};

bool sample_report(size_t index, struct sample *out)
{
    if (index >= sizeof samples / sizeof *samples)
        return false;
    *out = (struct sample){ .name = samples[index].name, .report = common() };
    out->recipients[0] = failed();
    out->report.recipients = out->recipients;
    samples[index].make(out);
    return true;
}
