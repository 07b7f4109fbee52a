/* script_steps.c - the verbs of a script: each a row of what stands behind it. */
#include "lab/script_steps.h"

enum { WAIT_SECONDS = 30, WORDS_MAX = 4096 };

/* --- Reading a line --- */

enum part {
    PART_NONE,
    PART_SENDER,
    PART_RECIPIENT,
    PART_MAILBOX,
    PART_NUMBER,
    PART_SECONDS,
    PART_SECONDS_MAYBE,
    PART_TEXT,
    PART_TEXT_MAYBE
};

static const struct {
    const char *name;
    enum part parts[4];
    const char *usage;
} verbs[] = {
    [STEP_SEND] = { "send",
                    { PART_SENDER, PART_RECIPIENT, PART_TEXT_MAYBE },
                    "send FROM TO [SUBJECT]" },
    [STEP_REFUSED] = { "refused",
                       { PART_SENDER, PART_RECIPIENT, PART_TEXT_MAYBE },
                       "refused FROM TO [SUBJECT]" },
    [STEP_WAIT] = { "wait",
                    { PART_NUMBER, PART_MAILBOX, PART_SECONDS_MAYBE },
                    "wait COUNT ADDRESS [SECONDS]" },
    [STEP_EXPECT] = { "expect", { PART_MAILBOX, PART_NUMBER, PART_TEXT }, "expect ADDRESS N TEXT" },
    [STEP_POP] = { "pop", { PART_MAILBOX, PART_TEXT }, "pop ADDRESS COMMAND" },
    [STEP_PAUSE] = { "pause", { PART_SECONDS }, "pause SECONDS" },
};

static bool read_sender(const struct lab_plan *plan, struct text word, struct step *out)
{
    out->from = word;
    return address_parse(word, ADDRESS_UTF8, &out->address) == ADDRESS_OK &&
           plan_host_of(plan, &out->address);
}

static bool read_recipient(struct text word, struct step *out)
{
    struct address address;
    out->to = word;
    return address_parse(word, ADDRESS_UTF8, &address) == ADDRESS_OK;
}

static bool read_mailbox(struct lab_plan *plan, struct text word, struct step *out)
{
    if (address_parse(word, ADDRESS_UTF8, &out->address) != ADDRESS_OK)
        return false;
    out->user = plan_user(plan, &out->address);
    return out->user != NULL;
}

static bool read_part(struct lab_plan *plan, enum part part, struct text *rest, struct step *out)
{
    struct text word = { NULL, 0 };
    if (part == PART_TEXT || part == PART_TEXT_MAYBE) {
        out->rest = text_trim(*rest);
        *rest = word;
        return out->rest.len > 0 || part == PART_TEXT_MAYBE;
    }
    if (!text_word(rest, &word))
        return part == PART_SECONDS_MAYBE;
    switch (part) {
    case PART_SENDER:
        return read_sender(plan, word, out);
    case PART_RECIPIENT:
        return read_recipient(word, out);
    case PART_MAILBOX:
        return read_mailbox(plan, word, out);
    case PART_NUMBER:
        return text_to_u64(word, &out->number);
    default:
        return text_to_u64(word, &out->seconds) && out->seconds < UINT32_MAX;
    }
}

static bool read_parts(struct lab_plan *plan, const enum part *parts, struct text rest,
                       struct step *out, struct error *error)
{
    for (size_t i = 0; parts[i] != PART_NONE; i++) {
        struct text at = rest;
        if (!read_part(plan, parts[i], &rest, out))
            return error_set(error, ERROR_USAGE, "wrong from \"%.*s\" on",
                             TEXT_ARGS(text_first(text_trim(at), 100)));
    }
    return text_trim(rest).len == 0 || error_set(error, ERROR_USAGE, "too many words: \"%.*s\"",
                                                 TEXT_ARGS(text_first(text_trim(rest), 100)));
}

bool step_parse(struct lab_plan *plan, struct text line, struct step *out, struct error *error)
{
    struct text rest = line, verb;
    struct error why;
    text_word(&rest, &verb);
    out->words = line;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!text_equal(verb, text_of(verbs[i].name)))
            continue;
        out->verb = (enum step_verb)i;
        out->seconds = WAIT_SECONDS;
        return read_parts(plan, verbs[i].parts, rest, out, &why) ||
               error_set(error, ERROR_USAGE, "%s: write %s", why.words, verbs[i].usage);
    }
    return error_set(error, ERROR_USAGE,
                     "no such verb: %.*s; there are send, refused, wait, expect, pop, pause",
                     TEXT_ARGS(text_first(verb, 50)));
}

/* --- What is said for it --- */

struct writer {
    struct arena *memory;
    struct dialogue_script *out;
    bool failed;
};

static void add(struct writer *w, const char *wanted, bool many, struct buffer *words)
{
    struct exchange *x = &w->out->exchanges[w->out->count++];
    *x = (struct exchange){ .wanted = text_of(wanted), .many = many };
    w->failed |= words->failed || !arena_text(w->memory, buffer_as_text(words), &x->say);
    buffer_clear(words);
}

#define SAY(w, wanted, many, ...)                                                                  \
    do {                                                                                           \
        struct buffer words_;                                                                      \
        buffer_init(&words_, WORDS_MAX);                                                           \
        buffer_printf(&words_, __VA_ARGS__);                                                       \
        add(w, wanted, many, &words_);                                                             \
    } while (0)

static void say_message(struct writer *w, const struct step *s)
{
    struct text subject = s->rest.len ? s->rest : T("first flight");
    SAY(w, "220", false, "%s", "");
    SAY(w, "250", false, "EHLO lab.invalid\r\n");
    SAY(w, "250", false, "MAIL FROM:<%.*s>\r\n", TEXT_ARGS(s->from));
    SAY(w, "250", false, "RCPT TO:<%.*s>\r\n", TEXT_ARGS(s->to));
    SAY(w, "354", false, "DATA\r\n");
    SAY(w, "250", false, "From: <%.*s>\r\nTo: <%.*s>\r\nSubject: %.*s\r\n\r\nhello\r\n.\r\n",
        TEXT_ARGS(s->from), TEXT_ARGS(s->to), TEXT_ARGS(subject));
    w->out->kept = w->out->count - 1;
    SAY(w, "221", false, "QUIT\r\n");
}

static void log_in(struct writer *w, const struct step *s)
{
    SAY(w, "+OK", false, "%s", "");
    SAY(w, "+OK", false, "USER %.*s\r\n", TEXT_ARGS(address_text(&s->user->address)));
    SAY(w, "+OK", false, "PASS %s\r\n", s->user->password);
}

/* Whether the answer to this command has many lines (RFC 1939 3). */
static bool has_many_lines(struct text command)
{
    static const struct text always[] = { TEXT("CAPA"), TEXT("RETR"), TEXT("TOP") };
    static const struct text alone[] = { TEXT("LIST"), TEXT("UIDL") };
    struct text verb;
    text_word(&command, &verb);
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (text_equal_nocase(verb, always[i]))
            return true;
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        if (text_equal_nocase(verb, alone[i]))
            return text_trim(command).len == 0;
    return false;
}

bool step_exchanges(const struct lab_plan *plan, const struct step *s, struct arena *memory,
                    struct dialogue_script *out)
{
    struct writer w = { .memory = memory, .out = out };
    const struct lab_host *host = plan_host_of(plan, &s->address);
    bool sends = s->verb == STEP_SEND || s->verb == STEP_REFUSED;
    out->to = sends ? plan_entrance(plan, host) : plan_endpoint(plan, host, ROLE_POP3);
    if (sends) {
        say_message(&w, s);
        return !w.failed;
    }
    log_in(&w, s);
    if (s->verb == STEP_WAIT)
        SAY(&w, "+OK", false, "STAT\r\n");
    else if (s->verb == STEP_EXPECT)
        SAY(&w, "+OK", true, "RETR %llu\r\n", (unsigned long long)s->number);
    else
        SAY(&w, "+OK", has_many_lines(s->rest), "%.*s\r\n", TEXT_ARGS(s->rest));
    out->kept = out->count - 1;
    SAY(&w, "+OK", false, "QUIT\r\n"); /* only now are deletions carried out */
    return !w.failed;
}
