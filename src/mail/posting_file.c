/* posting_file.c - a posting as a file: written, and read with suspicion. */
#include "mail/posting.h"

#include "mail/address.h"
#include "mail/notify.h"

#include <inttypes.h>
#include <string.h>

static const struct text first_line = TEXT("godwit-posting 1");

bool posting_is_file_name(struct text name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (!text_is_letter(c) && !text_is_digit(c) && c != '-')
            return false;
    }
    return name.len > 0 && name.len <= POSTING_FILE_NAME_MAX && name.at[0] != '-';
}

bool posting_begins(struct text file)
{
    struct text line;
    return text_cut(&file, '\n', &line) && text_equal(line, first_line);
}

/* --- Writing --- */

static bool put(struct buffer *b, const char *key, struct text value)
{
    return buffer_printf(b, "%s %.*s\n", key, TEXT_ARGS(value));
}

static bool put_unless_empty(struct buffer *b, const char *key, struct text value)
{
    return value.len == 0 || put(b, key, value);
}

bool posting_write_head(const struct posting *l, struct text file_name, struct buffer *b)
{
    bool ok = buffer_printf(b, "%.*s\n", TEXT_ARGS(first_line)) && put(b, "file", file_name) &&
              (!l->has_user || buffer_printf(b, "user %" PRIu32 "\n", l->user)) &&
              (l->since_ms <= 0 || buffer_printf(b, "since %" PRId64 "\n", l->since_ms)) &&
              (!l->has_sender || put(b, "sender", l->sender)) &&
              put_unless_empty(b, "name", l->name) && put_unless_empty(b, "ret", l->ret) &&
              put_unless_empty(b, "envid", l->envid) &&
              (l->notify == NOTIFY_DEFAULT || buffer_printf(b, "notify %u\n", l->notify));
    for (size_t i = 0; ok && i < l->to_count; i++)
        ok = put(b, "to", l->to[i]);
    return ok && buffer_printf(b, "content %zu\n\n", l->content.len);
}

/* --- Reading --- */

struct reading {
    struct posting *posting;
    struct arena *arena;
    struct text file_name;
    bool named, has_content;
    uint64_t octets;
    enum posting_verdict verdict;
    const char *why;
};

static bool malformed(struct reading *r, const char *why)
{
    r->verdict = POSTING_MALFORMED;
    r->why = why;
    return false;
}

/* Every value comes from the file as it is and goes into commands: one character more than a line
 * has could be a command of its own. */
static bool is_clean(struct text value)
{
    for (size_t i = 0; i < value.len; i++)
        if ((uint8_t)value.at[i] < ' ' || value.at[i] == 0x7F)
            return false;
    return true;
}

static bool read_file(struct reading *r, struct text value)
{
    r->named = text_equal(value, r->file_name);
    return r->named || malformed(r, "it is the posting of another name");
}

static bool verdict(struct reading *r, enum posting_verdict verdict)
{
    if (verdict == POSTING_MALFORMED)
        return malformed(r, "an address in it is none");
    r->verdict = verdict;
    r->why = verdict == POSTING_TOO_MANY ? "it has too many recipients" : "memory is short";
    return verdict == POSTING_OK;
}

static bool read_user(struct reading *r, struct text value)
{
    uint64_t uid;
    if (!text_to_u64(value, &uid) || uid >= UINT32_MAX)
        return malformed(r, "its user is no number");
    r->posting->has_user = true;
    r->posting->user = (uint32_t)uid;
    return true;
}

static bool read_since(struct reading *r, struct text value)
{
    uint64_t ms;
    if (!text_to_u64(value, &ms) || ms > INT64_MAX)
        return malformed(r, "the time since which it waits is no number");
    r->posting->since_ms = (int64_t)ms;
    return true;
}

static bool read_sender(struct reading *r, struct text value)
{
    return verdict(r, posting_set_sender(r->posting, r->arena, value));
}

static bool read_name(struct reading *r, struct text value)
{
    r->posting->name = value;
    return value.len <= POSTING_NAME_MAX || malformed(r, "the name in it is too long");
}

static bool read_notify(struct reading *r, struct text value)
{
    uint64_t bits;
    if (!text_to_u64(value, &bits) || bits > (NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY) ||
        (bits & NOTIFY_NEVER && bits != NOTIFY_NEVER))
        return malformed(r, "its notify is none");
    r->posting->notify = (unsigned)bits;
    return true;
}

static bool read_ret(struct reading *r, struct text value)
{
    r->posting->ret = value;
    return text_equal(value, T("FULL")) || text_equal(value, T("HDRS")) ||
           malformed(r, "its ret is neither FULL nor HDRS");
}

/* RFC 3461 4.4: printable, and at most 100 octets. */
static bool read_envid(struct reading *r, struct text value)
{
    r->posting->envid = value;
    for (size_t i = 0; i < value.len; i++)
        if (value.at[i] <= ' ' || value.at[i] > '~' || value.at[i] == '=')
            return malformed(r, "its envid is none");
    return value.len <= 100 || malformed(r, "its envid is too long");
}

static bool read_to(struct reading *r, struct text value)
{
    return verdict(r, posting_add(r->posting, r->arena, value));
}

static bool read_content(struct reading *r, struct text value)
{
    r->has_content = text_to_u64(value, &r->octets);
    return r->has_content || malformed(r, "it does not say how long its content is");
}

static bool read_line(struct reading *r, struct text line)
{
    static const struct {
        const char *key;
        bool (*read)(struct reading *, struct text value);
    } lines[] = {
        { "file", read_file },       { "user", read_user },   { "since", read_since },
        { "sender", read_sender },   { "name", read_name },   { "notify", read_notify },
        { "ret", read_ret },         { "envid", read_envid }, { "to", read_to },
        { "content", read_content },
    };
    struct text value = line, key;
    text_cut(&value, ' ', &key);
    if (!is_clean(line))
        return malformed(r, "a line of it has control characters");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (text_equal(key, text_of(lines[i].key)))
            return lines[i].read(r, value);
    return malformed(r, "a line of it is not known");
}

static bool read_head(struct reading *r, struct text *rest)
{
    struct text line;
    size_t before = rest->len;
    if (!text_cut(rest, '\n', &line) || !text_equal(line, first_line))
        return malformed(r, "it does not begin as a posting");
    while (!r->has_content) {
        if (!text_cut(rest, '\n', &line) || before - rest->len > POSTING_HEAD_MAX)
            return malformed(r, "its head has no end");
        if (!read_line(r, line))
            return false;
    }
    return (text_cut(rest, '\n', &line) && line.len == 0) ||
           malformed(r, "no empty line stands in front of its content");
}

enum posting_verdict posting_read(struct text file, struct text file_name, struct arena *arena,
                                  struct posting *out, const char **why_out)
{
    struct reading r = { .posting = out, .arena = arena, .file_name = file_name };
    *out = (struct posting){ 0 };
    r.why = "";
    if (read_head(&r, &file)) {
        out->content = file;
        if (!r.named)
            malformed(&r, "it does not say its name");
        else if (file.len != r.octets)
            malformed(&r, "its content is not as long as it says");
        else if (out->to_count == 0)
            malformed(&r, "it is for nobody");
    }
    *why_out = r.why;
    return r.verdict;
}
