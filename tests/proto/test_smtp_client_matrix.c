/* test_smtp_client_matrix.c - every kind of reply to everything that the client says, with DATA in
 * lockstep, with DATA in groups and with BDAT; and replies in the middle of content.
 *
 * A small server answers each command well, but one of them as the table wants.  What becomes of
 * the recipient, and of the session, is the table's cell.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "base/buffer.h"
#include "base/check.h"
#include "proto/smtp_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mode { LOCKSTEP, GROUPS, CHUNKS, MODES };
static const char *const offers[MODES] = {
    "250 mx\r\n",
    "250-mx\r\n250 PIPELINING\r\n",
    "250-mx\r\n250-CHUNKING\r\n250 PIPELINING\r\n",
};

/* What is said instead of a good reply. */
static const char *const replies[] = { "250 ok\r\n",    "354 go\r\n",  "451 later\r\n",
                                       "550 never\r\n", "421 bye\r\n", "221 bye\r\n",
                                       "what?\r\n",     "END",         "SILENCE" };
enum { REPLIES = sizeof replies / sizeof *replies };

/* "ok" is a delivered message; otherwise the message's result ("!" is permanent), then "/" and the
 * session's if it failed.  A session that lives delivers a second message, which is checked too. */
static const struct {
    const char *command;
    const char *outcome[REPLIES];
} rows[] = {
    /*            250   354     451     550     421        221    junk   end    silence */
    { "greeting", { "ok", "/0", "/451", "/550!", "/421", "/0", "/0", "/0", "/0" } },
    { "EHLO", { "ok", "/0", "/451", "ok", "/421", "/0", "/0", "/0", "/0" } },
    { "MAIL", { "ok", "0/0", "451", "550!", "421/421", "0/0", "0/0", "0/0", "0/0" } },
    { "RCPT", { "ok", "0/0", "451", "550!", "421/421", "0/0", "0/0", "0/0", "0/0" } },
    { "DATA", { "0/0", "ok", "451", "550!", "421/421", "0/0", "0/0", "0/0", "0/0" } },
    { "end", { "ok", "0/0", "451", "550!", "421/421", "0/0", "0/0", "0/0", "0/0" } },
    { "QUIT", { "ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok", "ok" } },
};

/* ---- the server ---- */

struct server {
    enum mode mode;
    const char *spoiled; /* the command that is answered differently, once */
    const char *reply;
    struct buffer said; /* by the client, not yet understood */
    struct buffer in;   /* for the client */
    bool has_sender, has_recipient, in_data;
    bool mute, ended;
    uint64_t octets; /* of a chunk that are still to come */
    bool last;
};

static void answer(struct server *s, const char *command, const char *good)
{
    if (s->mute || s->ended)
        return;
    if (!s->spoiled || strcmp(s->spoiled, command) != 0) {
        buffer_text(&s->in, text_of(good));
        return;
    }
    s->spoiled = NULL;
    if (strcmp(s->reply, "END") == 0)
        s->ended = true;
    else if (strcmp(s->reply, "SILENCE") == 0)
        s->mute = true;
    else
        buffer_text(&s->in, text_of(s->reply));
}

/* Whether the reply that was just made is a yes. */
static bool agreed(const struct server *s, size_t before)
{
    return s->in.len > before && (s->in.at[before] == '2' || s->in.at[before] == '3');
}

static void understand_chunk(struct server *s, struct text line)
{
    struct text rest = text_skip(line, 5), number;
    assert_true(text_cut(&rest, ' ', &number) || rest.len == 0);
    assert_true(text_to_u64(number, &s->octets));
    s->last = text_equal(rest, T("LAST"));
}

static void understand(struct server *s, struct text line)
{
    size_t before = s->in.len;
    if (s->in_data) {
        if (!text_equal(line, T(".")))
            return;
        s->in_data = s->has_sender = false;
        answer(s, "end", s->has_recipient ? "250 ok\r\n" : "554 nobody\r\n");
    } else if (text_starts(line, T("EHLO "))) {
        answer(s, "EHLO", offers[s->mode]);
    } else if (text_starts(line, T("HELO "))) {
        answer(s, "HELO", "250 mx\r\n");
    } else if (text_starts(line, T("RSET"))) {
        s->has_sender = false;
        answer(s, "RSET", "250 ok\r\n");
    } else if (text_starts(line, T("MAIL FROM:<"))) {
        assert_false(s->has_sender);
        answer(s, "MAIL", "250 ok\r\n");
        s->has_sender = agreed(s, before);
        s->has_recipient = false;
    } else if (text_starts(line, T("RCPT TO:<"))) {
        answer(s, "RCPT", s->has_sender ? "250 ok\r\n" : "503 no sender\r\n");
        s->has_recipient = agreed(s, before);
    } else if (text_equal(line, T("DATA"))) {
        answer(s, "DATA", s->has_recipient ? "354 go\r\n" : "503 nobody\r\n");
        s->in_data = s->in.len > before && s->in.at[before] == '3';
    } else if (text_starts(line, T("BDAT "))) {
        assert_true(s->has_recipient);
        understand_chunk(s, line);
    } else {
        assert_true(text_equal(line, T("QUIT")));
        answer(s, "QUIT", "221 bye\r\n");
    }
}

/* Takes what the client wrote. */
static void hear(struct server *s, struct bytes out)
{
    assert_true(buffer_append(&s->said, out.at, out.len));
    for (;;) {
        struct text said = buffer_as_text(&s->said), line;
        if (s->octets) {
            size_t take = said.len < s->octets ? said.len : (size_t)s->octets;
            s->octets -= take;
            buffer_take(&s->said, take);
            if (s->octets)
                return;
            answer(s, "end", "250 ok\r\n");
            s->has_sender = !s->last;
            continue;
        }
        if (!text_cut(&said, '\n', &line))
            return;
        assert_true(line.len > 0 && line.at[line.len - 1] == '\r');
        understand(s, text_first(line, line.len - 1));
        buffer_take(&s->said, line.len + 1);
    }
}

/* ---- the driver ---- */

struct world {
    struct server server;
    struct smtp_client *client;
    struct smtp_client_config config;
    struct text content;
    const struct smtp_client_message *large; /* the one that is stopped in its middle */
    uint64_t now_ms;
    char outcome[200]; /* of the first message, and of the session */
    unsigned sent;
    bool quit, ended;
};

static const struct smtp_client_recipient bob = { .address = TEXT("bob@b.example") };
static const struct smtp_client_message letters[2] = {
    { .sender = TEXT("a@a.example"), .octets = 4, .recipients = &bob, .recipient_count = 1 },
    { .sender = TEXT("a@a.example"), .octets = 4, .recipients = &bob, .recipient_count = 1 },
};

static void note(struct world *w, const struct smtp_client_result *r)
{
    size_t len = strlen(w->outcome);
    if (r->delivered)
        snprintf(w->outcome + len, sizeof w->outcome - len, "ok");
    else
        snprintf(w->outcome + len, sizeof w->outcome - len, "%u%s", r->code,
                 r->permanent ? "!" : "");
    assert_true(r->status[0] == (r->delivered ? '2' : r->permanent ? '5' : '4'));
    assert_int_equal(r->delivered, r->code / 100 == 2);
    assert_true(r->reply.len > 0);
}

static void work(struct world *w)
{
    if (w->sent < 2 && smtp_client_may_send(w->client)) {
        assert_true(smtp_client_send(w->client, &letters[w->sent], w->now_ms));
    } else {
        smtp_client_quit(w->client, w->now_ms);
        w->quit = true;
    }
}

static void wait_for_server(struct world *w)
{
    struct bytes out = smtp_client_output(w->client);
    hear(&w->server, out);
    smtp_client_drained(w->client, out.len);
    if (w->server.in.len)
        return;
    if (w->server.ended)
        smtp_client_input_ended(w->client, T(""));
    else
        w->now_ms = smtp_client_deadline_ms(w->client);
    assert_true(w->now_ms != UINT64_MAX);
}

static void told(struct world *w, const struct smtp_client_step *step)
{
    assert_ptr_equal(step->message, &letters[w->sent]);
    const struct smtp_client_result *r = smtp_client_result(w->client, 0);
    if (w->sent++ == 0)
        note(w, r);
    else
        assert_true(r->delivered);
}

/* Plays until the client hangs up. */
static void play(struct world *w)
{
    for (;;) {
        struct bytes in = buffer_bytes(&w->server.in);
        size_t before = in.len;
        struct smtp_client_step step = smtp_client_step(w->client, &in, w->now_ms);
        buffer_take(&w->server.in, before - in.len);
        switch (step.kind) {
        case SMTP_CLIENT_READY:
            work(w);
            break;
        case SMTP_CLIENT_NEED_INPUT:
            wait_for_server(w);
            break;
        case SMTP_CLIENT_READ_BODY:
            smtp_client_body(w->client, bytes_of_text(w->content), w->now_ms);
            break;
        case SMTP_CLIENT_MAY_FINISH:
            smtp_client_finish(w->client, w->now_ms);
            break;
        case SMTP_CLIENT_SENT:
            told(w, &step);
            break;
        default:
            assert_int_equal(step.kind, SMTP_CLIENT_CLOSE);
            return;
        }
    }
}

enum { LARGE = 300000 };
static const struct smtp_client_message large = {
    .sender = TEXT("a@a.example"), .octets = LARGE, .recipients = &bob, .recipient_count = 1
};

static void open_world(struct world *w, enum mode mode, const char *spoiled, const char *reply)
{
    *w = (struct world){ .now_ms = 1000, .content = T("hi\r\n"), .large = &large };
    w->server.mode = mode;
    w->server.spoiled = spoiled;
    w->server.reply = reply;
    buffer_init(&w->server.said, 1 << 24);
    buffer_init(&w->server.in, 1 << 16);
    w->config = (struct smtp_client_config){
        .hostname = T("client"),
        .greeting_ms = 1,
        .command_ms = 2,
        .data_ms = 3,
        .block_ms = 4,
        .dot_ms = 5,
    };
    w->client = smtp_client_new(&w->config, w->now_ms);
    assert_non_null(w->client);
}

static void close_world(struct world *w)
{
    smtp_client_free(&w->client);
    buffer_clear(&w->server.said);
    buffer_clear(&w->server.in);
}

static void test_every_reply_everywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t j = 0; j < REPLIES * MODES; j++) {
            struct world w;
            enum mode mode = (enum mode)(j / REPLIES);
            const char *expected = rows[i].outcome[j % REPLIES];
            if (mode == CHUNKS && strcmp(rows[i].command, "DATA") == 0)
                continue; /* never said */
            open_world(&w, mode, rows[i].command, replies[j % REPLIES]);
            answer(&w.server, "greeting", "220 mx\r\n");
            play(&w);
            const struct smtp_client_result *failure = smtp_client_failure(w.client);
            if (failure) {
                strcat(w.outcome, "/");
                note(&w, failure);
            } else {
                assert_int_equal(w.sent, 2);
            }
            if (strcmp(w.outcome, expected) != 0)
                print_error("%s answered with %s, mode %d\n", rows[i].command, replies[j % REPLIES],
                            mode);
            assert_string_equal(w.outcome, expected);
            close_world(&w);
        }
    }
}

/* ---- in the middle of content ---- */

static char *large_content(void)
{
    char *content = malloc(LARGE);
    assert_non_null(content);
    memset(content, 'x', LARGE);
    return content;
}

static struct smtp_client_step step_with(struct world *w, const char *input)
{
    struct bytes in = bytes_of_text(text_of(input));
    return smtp_client_step(w->client, &in, w->now_ms);
}

/* Goes on until the first piece of content waits to be written. */
static void play_to_the_middle(struct world *w)
{
    for (;;) {
        struct bytes in = buffer_bytes(&w->server.in);
        size_t before = in.len;
        struct smtp_client_step step = smtp_client_step(w->client, &in, w->now_ms);
        buffer_take(&w->server.in, before - in.len);
        if (step.kind == SMTP_CLIENT_READY)
            assert_true(smtp_client_send(w->client, w->large, w->now_ms));
        else if (step.kind == SMTP_CLIENT_NEED_INPUT)
            wait_for_server(w);
        else if (step.kind == SMTP_CLIENT_MAY_FINISH)
            smtp_client_finish(w->client, w->now_ms);
        else if (step.kind == SMTP_CLIENT_READ_BODY)
            smtp_client_body(w->client, bytes_of_text(w->content), w->now_ms);
        else
            break;
    }
    size_t waiting = smtp_client_output(w->client).len;
    assert_in_range(waiting, 65536, 65536 + 100);
}

static void expect_failure(struct world *w, unsigned code, bool permanent)
{
    const struct smtp_client_result *r = smtp_client_result(w->client, 0);
    assert_int_equal(r->code, code);
    assert_int_equal(r->permanent, permanent);
    assert_int_equal(r->where, AT_DATA);
    assert_int_equal(step_with(w, "").kind, SMTP_CLIENT_CLOSE);
    assert_non_null(smtp_client_failure(w->client));
    assert_int_equal(smtp_client_output(w->client).len, 0); /* the rest is never written */
}

/* What the server says while content waits to be written. */
static void test_replies_in_content(void **state)
{
    (void)state;
    static const struct {
        enum mode mode;
        const char *reply;
        unsigned code;
        bool permanent;
    } cases[] = {
        { GROUPS, "552 5.3.4 too large\r\n", 552, true },
        { GROUPS, "452 full\r\n", 452, false },
        { GROUPS, "421 bye\r\n", 421, false },
        { GROUPS, "250 ok\r\n", 0, false },
        { GROUPS, "354 go on\r\n", 0, false },
        { GROUPS, "hm\r\n", 0, false },
        { CHUNKS, "250 ok\r\n", 0, false },
        { CHUNKS, "421 bye\r\n", 421, false },
        { CHUNKS, "hm\r\n", 0, false },
    };
    char *content = large_content();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        open_world(&w, cases[i].mode, NULL, NULL);
        w.content = (struct text){ content, LARGE };
        answer(&w.server, "greeting", "220 mx\r\n");
        play_to_the_middle(&w);
        assert_int_equal(step_with(&w, cases[i].reply).kind, SMTP_CLIENT_SENT);
        expect_failure(&w, cases[i].code, cases[i].permanent);
        close_world(&w);
    }
    free(content);
}

/* A chunk that is not the last one is not taken before it was said either. */
static void test_chunk_taken_in_its_middle(void **state)
{
    (void)state;
    static const struct smtp_client_message huge = { .octets = 3 << 20,
                                                     .recipients = &bob,
                                                     .recipient_count = 1 };
    struct world w;
    char *content = large_content();
    open_world(&w, CHUNKS, NULL, NULL);
    w.content = (struct text){ content, LARGE };
    w.large = &huge;
    answer(&w.server, "greeting", "220 mx\r\n");
    play_to_the_middle(&w);
    assert_int_equal(step_with(&w, "250 ok\r\n").kind, SMTP_CLIENT_SENT);
    expect_failure(&w, 0, false);
    close_world(&w);
    free(content);
}

/* RFC 3030 2: a chunk that is refused in its middle is completed, and the session goes on. */
static void test_chunk_refused_in_its_middle(void **state)
{
    (void)state;
    struct world w;
    char *content = large_content();
    open_world(&w, CHUNKS, NULL, NULL);
    w.content = (struct text){ content, LARGE };
    answer(&w.server, "greeting", "220 mx\r\n");
    play_to_the_middle(&w);
    size_t written = 0;
    struct smtp_client_step step = step_with(&w, "552 5.3.4 too large\r\n");
    for (; step.kind != SMTP_CLIENT_SENT; step = step_with(&w, "")) {
        size_t len = smtp_client_output(w.client).len;
        if (step.kind == SMTP_CLIENT_READ_BODY) {
            struct bytes rest = { (const uint8_t *)content, LARGE - (size_t)step.offset };
            smtp_client_body(w.client, rest, w.now_ms);
            continue;
        }
        assert_int_equal(step.kind, SMTP_CLIENT_NEED_DRAIN);
        written += len;
        smtp_client_drained(w.client, len);
    }
    written += smtp_client_output(w.client).len;
    assert_int_equal(written, strlen("BDAT 300000 LAST\r\n") + LARGE);
    assert_int_equal(smtp_client_result(w.client, 0)->code, 552);
    assert_true(smtp_client_result(w.client, 0)->permanent);
    assert_int_equal(step_with(&w, "").kind, SMTP_CLIENT_READY);
    close_world(&w);
    free(content);
}

/* A peer that takes no content: three minutes a block, and nothing more is queued meanwhile. */
static void test_content_that_nobody_takes(void **state)
{
    (void)state;
    for (enum mode mode = GROUPS; mode <= CHUNKS; mode++) {
        struct world w;
        char *content = large_content();
        open_world(&w, mode, NULL, NULL);
        w.content = (struct text){ content, LARGE };
        answer(&w.server, "greeting", "220 mx\r\n");
        play_to_the_middle(&w);
        assert_int_equal(smtp_client_deadline_ms(w.client), w.now_ms + w.config.block_ms);
        smtp_client_drained(w.client, 1);
        w.now_ms += w.config.block_ms - 1;
        assert_int_equal(step_with(&w, "").kind, SMTP_CLIENT_NEED_DRAIN);
        w.now_ms += 1;
        assert_int_equal(step_with(&w, "").kind, SMTP_CLIENT_SENT);
        expect_failure(&w, 0, false);
        close_world(&w);
        free(content);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_reply_everywhere),
        cmocka_unit_test(test_replies_in_content),
        cmocka_unit_test(test_chunk_taken_in_its_middle),
        cmocka_unit_test(test_chunk_refused_in_its_middle),
        cmocka_unit_test(test_content_that_nobody_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
