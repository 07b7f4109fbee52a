/* fuzz_compose.c - whatever people give, what is composed is mail: lines of CRLF and at most 998
 * octets, ASCII where SMTPUTF8 is not needed, a header in which nothing stands that was not meant,
 * and parts that hold what went in.
 *
 * The input is cut at its NULs into from, to, cc, subject, a further field's value, a file's name,
 * its content, HTML and text; a first octet has the options.
 */
#include "base/check.h"
#include "base/escape.h"
#include "mail/compose.h"
#include "mail/flowed.h"
#include "mail/header.h"
#include "mail/mime.h"
#include "mail/transfer.h"
#include "mail/word.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 64 << 20 };

static bool read_content(void *context, uint8_t *to, size_t room, size_t *len_out, struct error *e)
{
    struct text *rest = context;
    struct text slice = text_first(*rest, room < 1000 ? room : 1000);
    (void)e;
    memcpy(to, slice.at ? slice.at : "", slice.len);
    *len_out = slice.len;
    *rest = text_skip(*rest, slice.len);
    return true;
}

static void check_octets(struct text t, bool utf8)
{
    size_t line = 0;
    CHECK(t.len >= 2);
    CHECK(t.at[t.len - 1] == '\n');
    for (size_t i = 0; i < t.len; i++) {
        uint8_t c = (uint8_t)t.at[i];
        bool line_end = i > 0 && t.at[i - 1] == '\r';
        CHECK((c == '\n') == line_end);
        CHECK(c >= ' ' || c == '\t' || c == '\r' || c == '\n');
        CHECK(c < 0x7F || (utf8 && c >= 0x80));
        line = c == '\n' ? 0 : line + 1;
        CHECK(line <= 999); /* with its CR */
    }
}

static const struct text fields[] = {
    TEXT("Date"),
    TEXT("From"),
    TEXT("To"),
    TEXT("Cc"),
    TEXT("Subject"),
    TEXT("Message-ID"),
    TEXT("X-Extra"),
    TEXT("User-Agent"),
    TEXT("MIME-Version"),
    TEXT("Content-Type"),
    TEXT("Content-Transfer-Encoding"),
};

/* Each field is one that was meant, and stands once. */
static void check_fields(struct text message)
{
    unsigned seen = 0;
    struct header_field f;
    struct text rest = message;
    while (header_next(&rest, &f)) {
        size_t i = 0;
        while (i < sizeof fields / sizeof *fields && !text_equal(fields[i], f.name))
            i++;
        CHECK(i < sizeof fields / sizeof *fields);
        CHECK(!(seen & 1u << i));
        seen |= 1u << i;
    }
    CHECK(text_starts(rest, T("\r\n")));
}

static void check_subject(struct text message, struct text want)
{
    char line[4 * COMPOSE_FIELD_MAX];
    struct header_field f;
    struct buffer got;
    buffer_init(&got, 4 * COMPOSE_FIELD_MAX);
    CHECK(header_find(message, T("Subject"), &f));
    struct text value = header_unfold(f.value, line, sizeof line);
    CHECK(words_decode(NULL, value, &got));
    CHECK(text_equal(buffer_as_text(&got), want));
    buffer_clear(&got);
}

static void decode(struct text message, const struct mime_part *p, struct buffer *out)
{
    struct transfer t;
    transfer_init(&t, p->encoding);
    struct text body = text_first(text_skip(message, p->body_at), p->end_at - p->body_at);
    CHECK(transfer_feed(&t, bytes_of_text(body), out));
    CHECK(transfer_end(&t, out));
}

/* The text as it stood: its lines, whatever ends them, each with an LF. */
static void put_lines(struct text t, struct buffer *out)
{
    while (t.len) {
        struct text line;
        if (text_cut(&t, '\n', &line) && line.len && line.at[line.len - 1] == '\r')
            line.len--;
        buffer_text(out, line);
        buffer_byte(out, '\n');
    }
}

static void check_text(struct text message, const struct mime_part *p, struct text given)
{
    struct buffer octets, got, want;
    buffer_init(&octets, OUT_MAX);
    buffer_init(&got, OUT_MAX);
    buffer_init(&want, OUT_MAX);
    decode(message, p, &octets);
    const struct mime_param *format = mime_param(&p->type, T("format"));
    if (format)
        flowed_undo(&got, buffer_as_text(&octets), false);
    else
        put_lines(buffer_as_text(&octets), &got);
    put_lines(given, &want);
    CHECK(text_equal(buffer_as_text(&got), buffer_as_text(&want)));
    buffer_clear(&octets);
    buffer_clear(&got);
    buffer_clear(&want);
}

static void check_file(struct text message, const struct mime_part *p, const struct text given[2])
{
    struct buffer got, name;
    const struct mime_param *param = mime_param(&p->disposition, T("filename"));
    buffer_init(&got, OUT_MAX);
    buffer_init(&name, OUT_MAX);
    decode(message, p, &got);
    CHECK(text_equal(buffer_as_text(&got), given[1]));
    CHECK(charset_to_utf8(NULL, T("utf-8"), text_first(given[0], COMPOSE_FILE_NAME_MAX), &name));
    CHECK(text_equal(param ? param->value : T(""), buffer_as_text(&name)));
    buffer_clear(&got);
    buffer_clear(&name);
}

static const struct mime_part *next_leaf(const struct mime_part *p)
{
    do
        p = mime_next(p);
    while (p && p->kind != MIME_LEAF);
    return p;
}

static void check_message(struct text message, const struct compose *c, const struct text file[2])
{
    struct mime *m = mime_new();
    CHECK(m);
    check_octets(message, compose_needs_smtputf8(c));
    check_fields(message);
    check_subject(message, c->subject);
    mime_feed(m, bytes_of_text(message));
    const struct mime_part *p = mime_end(m);
    CHECK(p);
    p = p->kind == MIME_LEAF ? p : next_leaf(p);
    CHECK(p);
    check_text(message, p, c->text);
    p = next_leaf(p);
    if (c->html.len) {
        CHECK(p);
        check_text(message, p, c->html);
        p = next_leaf(p);
    }
    if (c->file_count) {
        CHECK(p);
        check_file(message, p, file);
        p = next_leaf(p);
    }
    CHECK(!p);
    mime_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = { (const char *)data, size }, part[9];
    uint8_t options = size ? data[0] : 0;
    input = text_skip(input, 1);
    for (size_t i = 0; i < 8; i++)
        text_cut(&input, 0, &part[i]);
    part[8] = input;
    struct text content = part[6];
    const struct compose_field extra = { T("X-Extra"), part[4] };
    const struct compose_file file = { .name = part[5], .context = &content, .read = read_content };
    const struct compose c = {
        .from = part[0],
        .to = &part[1],
        .to_count = 1,
        .cc = &part[2],
        .cc_count = 1,
        .subject = part[3],
        .extra = &extra,
        .extra_count = options & 1,
        .message_id = T("<1@a>"),
        .boundary = T("0123456789abcdef"),
        .html = part[7],
        .text = part[8],
        .files = &file,
        .file_count = options >> 1 & 1,
        .smtputf8 = options & 4,
        .force_base64 = options & 8,
    };
    struct buffer b;
    struct error e = { 0 };
    buffer_init(&b, OUT_MAX);
    bool good = compose_check(&c, &e);
    CHECK(compose_write(&c, sink_of_buffer(&b), &e) == good);
    if (good)
        check_message(buffer_as_text(&b), &c, &part[5]);
    else
        CHECK(e.kind == ERROR_USAGE && b.len == 0 && utf8_valid(error_text(&e)));
    buffer_clear(&b);
    return 0;
}
