/* fuzz_dsn.c - whatever senders and peers say, a report stays one message of three parts.
 *
 * Input: an octet of flags, then values separated by 0x1E: recipient, ORCPT, status, remote MTA,
 * reply, reason, HELO, envelope id, and last the original, whatever it holds.
 */
#include "base/check.h"
#include "mail/address.h"
#include "mail/dsn.h"
#include "mail/encode.h"
#include "mail/header.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    FLAG_ACTION = 7,
    FLAG_UTF8 = 8,
    FLAG_SEVEN_BIT = 16,
    FLAG_WHOLE = 32,
    FLAG_TO_UTF8 = 64,
    FLAG_TWO = 128,
    VALUE_MAX = 6000, /* of a value that the program bounds */
    ZONE = 5400,
};

static const char boundary[] = "b-0";

static struct text next_value(struct text *rest)
{
    struct text value;
    text_cut(rest, 0x1E, &value);
    return text_first(value, VALUE_MAX);
}

static void check_lines(struct text rest)
{
    struct text line;
    while (text_cut(&rest, '\n', &line)) {
        CHECK(line.len >= 1);
        CHECK(line.len <= 999);
        CHECK(text_find(line, '\r') == line.len - 1);
        CHECK(text_find(line, 0) == line.len);
    }
    CHECK(rest.len == 0);
}

static void check_header(struct text *rest)
{
    static const char names[] = " From To Date Message-ID Subject In-Reply-To References "
                                "Auto-Submitted MIME-Version Content-Type "
                                "Content-Transfer-Encoding ";
    struct header_field field;
    size_t count = 0;
    while (header_next(rest, &field)) {
        CHECK(memmem(names, sizeof names, field.name.at, field.name.len));
        count++;
    }
    CHECK(count == 9 || count == 11);
    CHECK(text_starts(*rest, T("\r\n")));
}

/* Counts the lines that are delimiters and gives the second part. */
static size_t count_parts(struct text rest, struct text *second_out)
{
    struct text line;
    size_t count = 0;
    const char *begin = rest.at;
    while (text_cut(&rest, '\n', &line)) {
        if (!text_starts(line, T("--")) || !text_starts(text_skip(line, 2), text_of(boundary)))
            continue;
        if (++count == 3)
            *second_out = (struct text){ begin, (size_t)(line.at - begin) };
        begin = rest.at;
    }
    return count;
}

/* Every group of fields is whole, and there is one for each recipient. */
static void check_status(struct text part, size_t recipients)
{
    struct header_field field;
    size_t groups = 0, finals = 0;
    while (part.len) {
        size_t fields = 0;
        while (header_next(&part, &field)) {
            fields++;
            finals += text_equal(field.name, T("Final-Recipient"));
        }
        CHECK(fields >= 3 || (groups == 1 && fields == 2));
        CHECK(part.len == 0 || text_starts(part, T("\r\n")));
        part = text_skip(part, 2);
        groups++;
    }
    CHECK(groups == recipients + 2); /* the part's own header, and the message's fields */
    CHECK(finals == recipients);
}

static void check_report(const struct dsn_report *r)
{
    struct buffer b;
    buffer_init(&b, dsn_octets_max(r));
    CHECK(dsn_write(&b, r));
    struct text rest = buffer_as_text(&b), second = { 0 };
    check_lines(rest);
    if (r->seven_bit && !dsn_needs_smtputf8(r))
        CHECK(text_is_ascii(rest));
    check_header(&rest);
    size_t parts = count_parts(rest, &second);
    CHECK(parts == 3 || parts == 4);
    check_status(second, r->recipient_count);
    buffer_clear(&b);
}

static struct dsn_recipient read_recipient(struct text *rest, uint8_t flags,
                                           struct address *address)
{
    if (address_parse(next_value(rest), ADDRESS_UTF8, address) != ADDRESS_OK)
        address_parse(T("bob@example.com"), 0, address);
    struct dsn_recipient r = {
        .final_recipient = address_text(address),
        .action = (enum dsn_action)((flags & FLAG_ACTION) % DSN_ACTIONS),
        .last_attempt_ms = 1795246887000,
        .will_retry_until_ms = 1795246887000,
    };
    r.original_recipient = next_value(rest);
    r.status = next_value(rest);
    r.remote_mta = next_value(rest);
    r.diagnostic = next_value(rest);
    r.reason = next_value(rest);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t flags = data[0];
    struct text rest = { (const char *)data + 1, size - 1 };
    struct address address;
    struct dsn_recipient recipients[2];
    recipients[0] = read_recipient(&rest, flags, &address);
    recipients[1] = recipients[0];
    recipients[1].action = DSN_RELAYED;
    struct dsn_report r = {
        .reporting_mta = T("mx.example.org"),
        .from_domain = T("example.org"),
        .to = flags & FLAG_TO_UTF8 ? T("\xC3\xBC@example.org") : T("a@example.org"),
        .message_id = T("1"),
        .original_id = T("2"),
        .now_ms = 1795246887000,
        .zone_seconds = ZONE,
        .recipients = recipients,
        .recipient_count = flags & FLAG_TWO ? 2 : 1,
        .original_is_whole = flags & FLAG_WHOLE,
        .utf8 = flags & FLAG_UTF8,
        .seven_bit = flags & FLAG_SEVEN_BIT,
        .boundary = text_of(boundary),
    };
    r.received_from = next_value(&rest);
    r.envid = next_value(&rest);
    r.original = rest;
    check_report(&r);
    return 0;
}
