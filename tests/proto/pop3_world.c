/* pop3_world.c - a client and a driver around one POP3 session, for tests. */
#include "pop3_world.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 160 octets, as in RFC 1939's examples. */
static const char mail_1[] = "From: bob@b.test\r\n"
                             "To: ada@a.test\r\n"
                             "Subject: the walk\r\n"
                             "\r\n"
                             "Dear Ada,\r\n"
                             ".hidden\r\n"
                             "..\r\n"
                             ".\r\n"
                             "The tide is low at twelve; bring boots, bread, salt,\r\n"
                             "and a pair of glasses.\r\n";
_Static_assert(sizeof mail_1 - 1 == 160, "as the tests say");
static const char mail_2[] = "Subject: no dots, no body lines worth a name, but a long header\r\n"
                             "X-Folded: one\r\n"
                             "\ttwo\r\n"
                             "X-Padding: 0123456789012345678901234567890123456789\r\n"
                             "\r\n"
                             "end of the line\r\n\r\n";
_Static_assert(sizeof mail_2 - 1 == 160, "as the tests say");
/* No header, and no line end: what cannot be stored must not break the framing either. */
static const char mail_3[] = "\r\nno line end";

static const struct mail {
    struct text content;
    bool dot_lines;
} mails[] = {
    { TEXT(mail_1), true },
    { TEXT(mail_2), false },
    { TEXT(mail_3), false },
    { TEXT(""), false },
};
enum { MAILS = sizeof mails / sizeof *mails };

struct world {
    const struct pop3_habits *habits;
    struct pop3_server_config config;
    struct pop3_server_peer peer;
    uint32_t mail_count;
    struct pop3_server *session;
    struct pop3_message messages[MAILS];
    struct buffer record;
    struct buffer input; /* said by the client, not yet taken */
    size_t given;        /* of it, so much has reached the driver */
    size_t cut;          /* of it, so much comes first; 0: the cut was made */
    uint64_t now_ms;
    size_t seen; /* octets of output that are in the record already */
    bool in_line, closed;
    enum pop3_verdict next_verdict; /* of the next request but READ; POP3_ACCEPT: as it deserves */
    struct text next_words;
    struct text trouble; /* a verdict, or content that does not fit; empty: none */
    uint64_t trouble_from;
    unsigned auth_step;
};

static const struct {
    const char *name;
    enum pop3_verdict verdict;
} verdicts[] = {
    { "WRONG", POP3_WRONG },           { "IN_USE", POP3_IN_USE },
    { "DELAYED", POP3_LOGIN_DELAYED }, { "TEMPORARY", POP3_TEMPORARY },
    { "PERMANENT", POP3_PERMANENT },   { "DAMAGED", POP3_DAMAGED },
};

_Noreturn static void give_up(const char *why)
{
    fprintf(stderr, "pop3_world: %s\n", why);
    abort();
}

static enum pop3_verdict verdict_named(struct text name)
{
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
        if (text_equal(name, text_of(verdicts[i].name)))
            return verdicts[i].verdict;
    give_up("a verdict is unknown");
}

/* --- The record --- */

static void record_output(struct world *w)
{
    struct bytes out = pop3_server_output(w->session);
    for (size_t i = w->seen; i < out.len; i++) {
        if (!w->in_line)
            buffer_text(&w->record, T("S: "));
        w->in_line = out.at[i] != '\n';
        if (out.at[i] != '\r')
            buffer_byte(&w->record, out.at[i]);
    }
    w->seen = out.len;
}

static void record_event(struct world *w, const char *words)
{
    if (w->in_line)
        buffer_text(&w->record, T("~\n"));
    w->in_line = false;
    buffer_printf(&w->record, "R: %s\n", words);
}

/* A NUL cannot stand in a script: it becomes a bar. */
static void record_auth(const struct pop3_step *step, char *words, size_t size)
{
    int n = snprintf(words, size, "auth %.*s %s", TEXT_ARGS(step->mechanism),
                     step->initial ? "initial " : "");
    CHECK((size_t)n + step->words.len < size);
    for (size_t i = 0; i < step->words.len; i++)
        words[n++] = step->words.at[i] ? step->words.at[i] : '|';
    words[n] = '\0';
}

static void record_request(struct world *w, const struct pop3_step *step)
{
    char words[512] = "list";
    if (step->kind == POP3_LOGIN)
        snprintf(words, sizeof words, "login %.*s/%.*s", TEXT_ARGS(step->user),
                 TEXT_ARGS(step->password));
    if (step->kind == POP3_AUTH_STEP)
        record_auth(step, words, sizeof words);
    if (step->kind == POP3_UPDATE) {
        size_t n = (size_t)snprintf(words, sizeof words, "update");
        for (uint32_t i = 0; i < step->deleted_count; i++)
            n += (size_t)snprintf(words + n, sizeof words - n, " %" PRIu32, step->deleted[i] + 1);
    }
    record_event(w, words);
}

/* --- The driver's answers --- */

static struct pop3_answer login(struct world *w, bool right)
{
    struct pop3_answer a = { .verdict = right ? POP3_ACCEPT : POP3_WRONG,
                             .words = T("told to the log only"),
                             .count = w->mail_count };
    for (uint32_t i = 0; i < a.count; i++)
        a.octets += mails[i].content.len;
    return a;
}

static struct pop3_answer auth(struct world *w, const struct pop3_step *step)
{
    static const struct text user = TEXT("ada"), password = TEXT("open sesame");
    if (step->mechanism.len > 0)
        w->auth_step = text_equal(step->mechanism, T("LOGIN")) ? 1 : 0;
    if (w->auth_step == 0) { /* PLAIN */
        if (step->mechanism.len > 0 && !step->initial)
            return (struct pop3_answer){ .verdict = POP3_CONTINUE };
        return login(w, text_equal(step->words, T("\0ada\0open sesame")));
    }
    switch (w->auth_step++) {
    case 1:
        return (struct pop3_answer){ .verdict = POP3_CONTINUE, .words = T("Username:") };
    case 2:
        if (!text_equal(step->words, user))
            return login(w, false);
        return (struct pop3_answer){ .verdict = POP3_CONTINUE, .words = T("Password:") };
    default:
        return login(w, text_equal(step->words, password));
    }
}

static struct pop3_answer list(struct world *w)
{
    for (uint32_t i = 0; i < w->mail_count; i++)
        w->messages[i] = (struct pop3_message){ .octets = mails[i].content.len,
                                                .uidl_message = 1000 + i,
                                                .uidl_placement = i,
                                                .dot_lines = mails[i].dot_lines };
    return (struct pop3_answer){ .messages = w->messages };
}

static struct pop3_answer read_content(struct world *w, const struct pop3_step *step)
{
    struct text rest = text_skip(mails[step->message].content, step->offset);
    bool trouble = w->trouble.len > 0 && step->offset >= w->trouble_from;
    if (trouble && text_equal(w->trouble, T("SHORT")))
        return (struct pop3_answer){ 0 };
    if (trouble && text_equal(w->trouble, T("LONG")))
        rest = text_first(mails[0].content, rest.len + 1);
    else if (trouble)
        return (struct pop3_answer){ .verdict = verdict_named(w->trouble) };
    else if (w->trouble.len > 0)
        rest = text_first(rest, w->trouble_from - step->offset);
    if (w->habits->slice_max > 0 && !text_equal(w->trouble, T("LONG")))
        rest = text_first(rest, w->habits->slice_max);
    return (struct pop3_answer){ .content = bytes_of_text(rest) };
}

static struct pop3_answer decide(struct world *w, const struct pop3_step *step)
{
    if (step->kind == POP3_READ)
        return read_content(w, step);
    if (w->next_verdict != POP3_ACCEPT) {
        struct pop3_answer a = { .verdict = w->next_verdict, .words = w->next_words };
        w->next_verdict = POP3_ACCEPT;
        return a;
    }
    if (step->kind == POP3_LOGIN)
        return login(w, text_equal(step->user, T("ada")) &&
                            text_equal(step->password, T("open sesame")));
    if (step->kind == POP3_AUTH_STEP)
        return auth(w, step);
    return step->kind == POP3_LIST ? list(w) : (struct pop3_answer){ 0 };
}

static void answer(struct world *w, const struct pop3_step *step, struct bytes *in)
{
    if (step->kind != POP3_READ)
        record_request(w, step);
    for (unsigned i = 0; i < w->habits->patience; i++) {
        struct bytes before = *in;
        struct pop3_step waits = pop3_server_step(w->session, in, w->now_ms);
        CHECK(waits.kind == POP3_NEED_ANSWER);
        CHECK(in->at == before.at);
        CHECK(in->len == before.len);
        CHECK(pop3_server_deadline_ms(w->session) == UINT64_MAX);
    }
    pop3_server_answer(w->session, step->request, decide(w, step), w->now_ms);
    record_output(w);
}

/* --- The loop --- */

static bool drain(struct world *w)
{
    size_t len = pop3_server_output(w->session).len;
    if (w->habits->drain_max > 0 && len > w->habits->drain_max)
        len = w->habits->drain_max;
    pop3_server_drained(w->session, len);
    w->seen -= len;
    return len > 0;
}

/* Brings more of what the client said; false when there is no more. */
static bool deliver(struct world *w)
{
    size_t more = w->input.len - w->given;
    if (w->habits->input_max > 0 && more > w->habits->input_max)
        more = w->habits->input_max;
    if (w->cut > 0 && more > w->cut)
        more = w->cut;
    if (more > 0)
        w->cut = 0;
    w->given += more;
    return more > 0;
}

/* The reply to a mistake is held back: nothing is shown or taken before its time. */
static void rest(struct world *w, struct bytes in)
{
    char words[64];
    uint64_t until_ms = pop3_server_deadline_ms(w->session);
    snprintf(words, sizeof words, "rest %" PRIu64 " ms", until_ms - w->now_ms);
    record_event(w, words);
    while (drain(w))
        continue;
    struct bytes left = in;
    CHECK(until_ms > w->now_ms);
    CHECK(pop3_server_step(w->session, &left, until_ms - 1).kind == POP3_NEED_TIME);
    CHECK(left.len == in.len);
    CHECK(pop3_server_output(w->session).len == 0);
    w->now_ms = until_ms;
}

/* Until the session waits for input that is not there, or is closed. */
static void run(struct world *w)
{
    while (!w->closed) {
        struct bytes in = { w->input.at, w->given };
        struct pop3_step step = pop3_server_step(w->session, &in, w->now_ms);
        size_t taken = w->given - in.len;
        record_output(w);
        switch (step.kind) {
        case POP3_NEED_INPUT:
            CHECK(in.len < pop3_server_input_max(w->session));
            drain(w);
            break;
        case POP3_NEED_DRAIN:
            CHECK(drain(w));
            break;
        case POP3_NEED_TIME:
            rest(w, in);
            break;
        case POP3_NEED_ANSWER:
            give_up("a request was forgotten");
            break;
        case POP3_START_TLS:
            record_event(w, "tls");
            pop3_server_tls_started(w->session, w->now_ms);
            break;
        case POP3_CLOSE:
            record_event(w, "close");
            w->closed = true;
            break;
        default:
            answer(w, &step, &in);
            break;
        }
        buffer_take(&w->input, taken);
        w->given -= taken;
        if (step.kind == POP3_NEED_INPUT && !deliver(w))
            return;
    }
}

/* --- Scripts --- */

/* K: lines; "no" takes away. */
static void configure(struct world *w, struct text words)
{
    struct text key;
    uint64_t number = 0;
    text_word(&words, &key);
    words = text_trim(words);
    text_to_u64(words, &number);
    if (text_equal(key, T("cleartext")))
        w->peer.cleartext = false;
    else if (text_equal(key, T("stranger")))
        w->peer.stranger = true;
    else if (text_equal(key, T("tls")))
        w->peer.tls = true;
    else if (text_equal(key, T("offer-tls")))
        w->config.offer_tls = false;
    else if (text_equal(key, T("mechanisms")))
        w->config.mechanisms = T("");
    else if (text_equal(key, T("implementation")))
        w->config.implementation = T("");
    else if (text_equal(key, T("mails")))
        w->mail_count = (uint32_t)number;
    else if (text_equal(key, T("errors")))
        w->config.errors_max = (uint32_t)number;
    else if (text_equal(key, T("logins")))
        w->config.logins_max = (uint32_t)number;
    else if (text_equal(key, T("delay")))
        w->config.login_delay_s = (uint32_t)number;
    else if (text_equal(key, T("idle")))
        w->config.idle_ms = number;
    else
        give_up("a K: line is unknown");
    CHECK(w->mail_count <= MAILS);
}

static void direct(struct world *w, char what, struct text words)
{
    struct text name;
    uint64_t number = 0;
    text_word(&words, &name);
    w->cut = w->habits->cut;
    switch (what) {
    case 'W':
        break;
    case 'T':
        CHECK(text_to_u64(name, &number));
        w->now_ms += number;
        break;
    case 'E':
        pop3_server_input_ended(w->session);
        break;
    case 'X':
        pop3_server_shut_down(w->session, "the server is going down");
        break;
    case 'A':
        w->next_verdict = verdict_named(name);
        w->next_words = text_trim(words);
        break;
    case 'D':
        CHECK(text_to_u64(text_trim(words), &w->trouble_from));
        w->trouble = name;
        break;
    default:
        give_up("a line is unknown");
    }
    run(w);
}

/* What the script says must have happened by now: a reply that comes only with the next line of
 * the client is late. */
static void check_in_time(struct world *w, const struct buffer *expected)
{
    if (!text_equal(buffer_as_text(&w->record), buffer_as_text(expected)))
        buffer_text(&w->record, T("(until here the transcript differs)\n"));
}

static void play(struct world *w, struct text script)
{
    struct text line;
    struct buffer expected;
    buffer_init(&expected, SIZE_MAX / 2);
    while (text_cut(&script, '\n', &line)) {
        char what = line.len >= 2 ? line.at[0] : ' ';
        bool said = what == 'C' || what == 'P';
        struct text words = text_skip(line, 3);
        if (what == 'S' || what == 'R') {
            buffer_text(&expected, line);
            buffer_byte(&expected, '\n');
        } else if (what != 'K' && what != ' ') {
            if (w->habits->in_step || !said)
                run(w);
            if (w->habits->in_step && !w->closed)
                check_in_time(w, &expected);
            if (!said)
                direct(w, what, words);
        }
        if (said)
            buffer_text(&w->input, words);
        if (what == 'C')
            buffer_text(&w->input, T("\r\n"));
    }
    buffer_clear(&expected);
    run(w);
}

char *pop3_play(struct text script, const struct pop3_habits *habits)
{
    struct world w = { .habits = habits,
                       .cut = habits->cut,
                       .now_ms = 1000,
                       .config = { .hostname = TEXT("mx.test"),
                                   .implementation = TEXT("godwit"),
                                   .line_octets_max = 600,
                                   .idle_ms = 600000,
                                   .offer_tls = true,
                                   .mechanisms = TEXT("PLAIN LOGIN") },
                       .peer = { .cleartext = true },
                       .mail_count = 2 };
    struct text rest = script, line;
    buffer_init(&w.record, SIZE_MAX / 2);
    buffer_init(&w.input, SIZE_MAX / 2);
    while (text_cut(&rest, '\n', &line))
        if (text_starts(line, T("K:")))
            configure(&w, text_skip(line, 2));
    w.session = pop3_server_new(&w.config, &w.peer, w.now_ms);
    if (w.session) {
        record_output(&w);
        play(&w, script);
    }
    pop3_server_free(&w.session);
    buffer_clear(&w.input);
    buffer_byte(&w.record, '\0');
    return (char *)w.record.at;
}

char *pop3_expected(struct text script)
{
    struct text line;
    struct buffer out;
    buffer_init(&out, SIZE_MAX / 2);
    while (text_cut(&script, '\n', &line))
        if (text_starts(line, T("S:")) || text_starts(line, T("R:"))) {
            buffer_text(&out, line);
            buffer_byte(&out, '\n');
        }
    buffer_byte(&out, '\0');
    return (char *)out.at;
}

size_t pop3_said(struct text script)
{
    struct text line;
    size_t octets = 0;
    while (text_cut(&script, '\n', &line))
        if (text_starts(line, T("C:")) || text_starts(line, T("P:")))
            octets += line.len - 3 + 2;
    return octets;
}
