/* test_pop3_limits.c - what is too long, too much, too big or no text; time; memory.
 *
 * Linked with --wrap for malloc and its kin, so that what a session allocates is counted, can be
 * made to fail, and is searched for secrets when it is given back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "proto/pop3_server.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Memory: counted while a function of the session runs --- */

static const char password[] = "open sesame";
static struct {
    bool counting;
    size_t held;              /* octets */
    unsigned until_failure;   /* the n-th allocation from now fails; 0: none */
    unsigned failures, leaks; /* blocks given back with the password in them */
} memory;

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void __real_free(void *);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void __wrap_free(void *);

static bool fails(void)
{
    if (!memory.counting || memory.until_failure == 0 || --memory.until_failure > 0)
        return false;
    memory.failures++;
    return true;
}

static void *took(void *block)
{
    if (memory.counting && block)
        memory.held += malloc_usable_size(block);
    return block;
}

static void gives_back(void *block)
{
    if (!memory.counting || !block)
        return;
    size_t size = malloc_usable_size(block);
    memory.held -= size;
    memory.leaks += memmem(block, size, password, sizeof password - 1) != NULL;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : took(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : took(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    if (fails())
        return NULL;
    gives_back(block);
    return took(__real_realloc(block, size));
}

void __wrap_free(void *block)
{
    gives_back(block);
    __real_free(block);
}

/* --- A session and its driver --- */

enum { SAID_MAX = 4 << 20 };

struct driver {
    struct pop3_server_config config;
    struct pop3_server_peer peer;
    const struct pop3_message *messages;
    uint32_t count;
    struct bytes content; /* of each message */
    size_t slice_max;

    struct pop3_server *session;
    struct pop3_step step; /* the last */
    uint64_t now_ms;
    char *said; /* by the server, terminated */
    size_t said_len;
    size_t drain_max, output_most;
    unsigned reads, writes, updates;
    uint32_t updated;
};

static void open_session(struct driver *d)
{
    d->config.hostname = T("mx.test");
    d->config.mechanisms = T("LOGIN");
    d->config.offer_tls = true;
    d->config.idle_ms = 600000;
    d->peer.cleartext = true;
    d->said = malloc(SAID_MAX);
    assert_non_null(d->said);
    d->said[0] = '\0';
    memory.counting = true;
    d->session = pop3_server_new(&d->config, &d->peer, d->now_ms);
    memory.counting = false;
}

static void close_session(struct driver *d)
{
    memory.counting = true;
    pop3_server_free(&d->session);
    memory.counting = false;
    free(d->said);
    d->said = NULL;
}

static void write_output(struct driver *d)
{
    struct bytes out = pop3_server_output(d->session);
    if (out.len > d->output_most)
        d->output_most = out.len;
    if (out.len == 0)
        return;
    if (d->drain_max > 0 && out.len > d->drain_max)
        out.len = d->drain_max;
    assert_true(d->said_len + out.len < SAID_MAX);
    memcpy(d->said + d->said_len, out.at, out.len);
    d->said_len += out.len;
    d->said[d->said_len] = '\0';
    d->writes++;
    memory.counting = true;
    pop3_server_drained(d->session, out.len);
    memory.counting = false;
}

static void take_update(struct driver *d)
{
    d->updates++;
    d->updated = d->step.deleted_count;
    for (uint32_t i = 0; i < d->updated; i++) {
        assert_true(d->step.deleted[i] < d->count);
        assert_true(i == 0 || d->step.deleted[i] > d->step.deleted[i - 1]);
    }
}

static struct pop3_answer answer_to(struct driver *d)
{
    struct pop3_answer a = { .count = d->count, .messages = d->messages };
    const struct pop3_step *step = &d->step;
    switch (step->kind) {
    case POP3_LOGIN:
        a.verdict = text_equal(step->password, T("open sesame")) ? POP3_ACCEPT : POP3_WRONG;
        for (uint32_t i = 0; i < d->count; i++)
            a.octets += d->messages[i].octets;
        break;
    case POP3_AUTH_STEP:
        a.verdict = step->mechanism.len > 0                     ? POP3_CONTINUE
                    : text_equal(step->words, T("open sesame")) ? POP3_ACCEPT
                                                                : POP3_WRONG;
        break;
    case POP3_READ:
        d->reads++;
        a.content = bytes_of_text(text_skip(text_of_bytes(d->content), step->offset));
        if (d->slice_max > 0 && a.content.len > d->slice_max)
            a.content.len = d->slice_max;
        break;
    case POP3_UPDATE:
        take_update(d);
        break;
    default:
        assert_int_equal(step->kind, POP3_LIST);
    }
    return a;
}

/* One step, and what it asks for; false when it waits for input or is over. */
static bool turn(struct driver *d, struct bytes *in)
{
    memory.counting = true;
    d->step = pop3_server_step(d->session, in, d->now_ms);
    memory.counting = false;
    switch (d->step.kind) {
    case POP3_NEED_INPUT:
    case POP3_CLOSE:
    case POP3_START_TLS:
    case POP3_NEED_DRAIN:
        write_output(d);
        return d->step.kind == POP3_NEED_DRAIN;
    default:
        break;
    }
    struct pop3_answer a = answer_to(d);
    memory.counting = true;
    pop3_server_answer(d->session, d->step.request, a, d->now_ms);
    memory.counting = false;
    return true;
}

/* Gives the session input until it waits for more; returns how much of it is left. */
static size_t give(struct driver *d, struct text words)
{
    struct bytes in = bytes_of_text(words);
    while (turn(d, &in))
        continue;
    return in.len;
}

/* The same, after forgetting what was said before. */
static const char *ask(struct driver *d, const char *words)
{
    d->said_len = 0;
    give(d, text_of(words));
    while (pop3_server_output(d->session).len > 0)
        write_output(d);
    return d->said;
}

static void log_in(struct driver *d)
{
    assert_non_null(strstr(ask(d, "USER ada\r\nPASS open sesame\r\n"), "+OK maildrop has "));
}

/* --- Lines --- */

static void test_lines_have_a_maximum(void **state)
{
    (void)state;
    struct driver d = { .config.line_octets_max = 1000 };
    char line[1001];
    open_session(&d);
    ask(&d, "");
    assert_int_equal(pop3_server_input_max(d.session), 1000);
    memset(line, ' ', sizeof line);
    memcpy(line, "CAPA", 4);
    line[998] = '\r';
    line[999] = '\n';
    assert_int_equal(give(&d, (struct text){ line, 999 }), 999); /* kept by the driver */
    assert_int_equal(give(&d, (struct text){ line, 1000 }), 0);
    assert_non_null(strstr(d.said, "+OK capabilities"));
    d.said_len = 0;
    line[998] = ' ';
    line[999] = '\r';
    line[1000] = '\n';
    assert_int_equal(give(&d, (struct text){ line, 1000 }), 0); /* too long by now: thrown away */
    assert_int_equal(d.said_len, 0);
    assert_string_equal(ask(&d, "\n"), "-ERR the line is too long\r\n");
    give(&d, (struct text){ line, 1001 });
    assert_string_equal(d.said, "-ERR the line is too long\r\n-ERR the line is too long\r\n");
    assert_string_equal(ask(&d, "LANG\r\n") + 1, "OK languages follow\r\nen English\r\n"
                                                 "i-default Default (English)\r\n.\r\n");
    close_session(&d);
}

static void test_line_maximum_is_bounded_itself(void **state)
{
    (void)state;
    static const struct {
        uint32_t configured;
        size_t used;
    } cases[] = { { 0, 16384 }, { 1, 512 }, { 512, 512 }, { 65536, 16384 }, { UINT32_MAX, 16384 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct driver d = { .config.line_octets_max = cases[i].configured };
        open_session(&d);
        assert_int_equal(pop3_server_input_max(d.session), cases[i].used);
        close_session(&d);
    }
}

static void test_an_endless_line_costs_nothing(void **state)
{
    (void)state;
    struct driver d = { 0 };
    static char line[65536];
    open_session(&d);
    ask(&d, "");
    size_t before = memory.held;
    memset(line, 'A', sizeof line);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(give(&d, (struct text){ line, sizeof line }), 0);
    assert_int_equal(memory.held, before);
    assert_int_equal(d.said_len, strlen("+OK mx.test POP3 server ready\r\n"));
    assert_string_equal(ask(&d, "\r\nNOOP\r\n"),
                        "-ERR the line is too long\r\n-ERR log in first\r\n");
    close_session(&d);
}

static void test_a_long_response_ends_the_exchange(void **state)
{
    (void)state;
    struct driver d = { 0 };
    static char line[20000];
    open_session(&d);
    ask(&d, "AUTH LOGIN\r\n");
    assert_true(pop3_server_line_is_secret(d.session));
    memset(line, 'A', sizeof line);
    give(&d, (struct text){ line, sizeof line });
    assert_true(pop3_server_line_is_secret(d.session)); /* its end too */
    assert_string_equal(ask(&d, "AA\r\n"), "-ERR the line is too long\r\n");
    assert_false(pop3_server_line_is_secret(d.session));
    assert_string_equal(ask(&d, "NOOP\r\n"), "-ERR log in first\r\n");
    close_session(&d);
}

static void test_octets_that_are_no_text(void **state)
{
    (void)state;
    static const struct {
        struct text said;
        const char *reply;
    } cases[] = {
        { TEXT("QUIT\0\r\n"), "-ERR a command has no NUL\r\n" },
        { TEXT("\0\r\n"), "-ERR a command has no NUL\r\n" },
        { TEXT("QUIT\xff\r\n"), "-ERR unknown command\r\n" },
        { TEXT("USER \xc3\r\n"), "-ERR a name is UTF-8\r\n" },
        { TEXT("USER a\r\nPASS \xed\xa0\x80\r\n"),
          "+OK send PASS\r\n-ERR [AUTH] wrong user name or password\r\n" },
        { TEXT("PASS x\r\n"), "-ERR say USER first\r\n" },
        { TEXT("USER a\nPASS x\n"),
          "+OK send PASS\r\n-ERR [AUTH] wrong user name or password\r\n" },
        { TEXT("CAPA\r\r\n"), "-ERR unknown command\r\n" },
        { TEXT("\r\n"), "-ERR unknown command\r\n" },
    };
    struct driver d = { 0 };
    open_session(&d);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(&d, "");
        d.said_len = 0;
        give(&d, cases[i].said);
        assert_string_equal(d.said, cases[i].reply);
    }
    close_session(&d);
}

static void test_a_name_has_a_maximum(void **state)
{
    (void)state;
    struct driver d = { 0 };
    char line[1200] = "USER ";
    open_session(&d);
    memset(line + 5, 'a', 1024);
    memcpy(line + 5 + 1024, "\r\n", 3);
    assert_non_null(strstr(ask(&d, line), "+OK send PASS\r\n"));
    memcpy(line + 5 + 1024, "a\r\n", 4);
    assert_string_equal(ask(&d, line), "-ERR USER needs a name of at most 1024 octets\r\n");
    close_session(&d);
}

/* RFC 2595 4, CVE-2011-0411 and its kin: what comes with STLS is never executed after it. */
static void test_what_comes_with_stls_is_thrown_away(void **state)
{
    (void)state;
    struct driver d = { 0 };
    struct bytes in = bytes_of_text(T("STLS\r\nUSER eve\r\nPASS x\r\n"));
    open_session(&d);
    ask(&d, "");
    while (turn(&d, &in))
        continue;
    assert_int_equal(d.step.kind, POP3_START_TLS);
    assert_int_equal(in.len, 0);
    give(&d, T("USER eve\r\n")); /* a driver that steps too early */
    assert_int_equal(d.step.kind, POP3_NEED_INPUT);
    pop3_server_tls_started(d.session, d.now_ms);
    assert_string_equal(ask(&d, "PASS x\r\n"), "-ERR say USER first\r\n");
    close_session(&d);
}

/* --- Sizes --- */

static void test_a_maildrop_over_4_gib(void **state)
{
    (void)state;
    static const struct pop3_message messages[] = {
        { .octets = 5000000000, .uidl_message = INT64_MAX, .uidl_placement = UINT32_MAX },
        { .octets = UINT64_C(1) << 63 },
    };
    struct driver d = { .messages = messages, .count = 2 };
    open_session(&d);
    log_in(&d);
    assert_string_equal(ask(&d, "STAT\r\nLIST\r\nDELE 2\r\nSTAT\r\nUIDL 1\r\n"),
                        "+OK 2 9223372041854775808\r\n"
                        "+OK 2 messages\r\n1 5000000000\r\n2 9223372036854775808\r\n.\r\n"
                        "+OK message 2 deleted\r\n"
                        "+OK 1 5000000000\r\n"
                        "+OK 1 7zzzzzzzzzzzz.4294967295\r\n");
    close_session(&d);
}

enum { MANY = 100000 };

static struct pop3_message *many_messages(uint64_t octets)
{
    struct pop3_message *messages = calloc(MANY, sizeof *messages);
    assert_non_null(messages);
    for (uint32_t i = 0; i < MANY; i++)
        messages[i] = (struct pop3_message){ .octets = octets, .uidl_message = i };
    return messages;
}

static void test_a_long_list_is_printed_in_pieces(void **state)
{
    (void)state;
    struct pop3_message *messages = many_messages(5000);
    struct driver d = { .messages = messages, .count = MANY };
    open_session(&d);
    log_in(&d);
    const char *said = ask(&d, "UIDL\r\nNOOP\r\n");
    assert_non_null(strstr(said, "\r\n100000 00000000031mz.0\r\n.\r\n+OK still here\r\n"));
    assert_true(d.output_most <= 256 * 1024);
    assert_true(d.writes > 5);
    assert_true(d.writes < 20);
    close_session(&d);
    free(messages);
}

static void test_all_are_deleted_by_one_update(void **state)
{
    (void)state;
    struct pop3_message *messages = many_messages(5000);
    struct driver d = { .messages = messages, .count = MANY };
    char line[32];
    open_session(&d);
    log_in(&d);
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(line, sizeof line, "DELE %" PRIu32 "\r\n", i + 1);
        give(&d, text_of(line));
        d.said_len = 0;
    }
    assert_string_equal(ask(&d, "STAT\r\n"), "+OK 0 0\r\n");
    assert_string_equal(ask(&d, "QUIT\r\n"), "+OK mx.test POP3 server signing off\r\n");
    assert_int_equal(d.step.kind, POP3_CLOSE);
    assert_int_equal(d.updates, 1);
    assert_int_equal(d.updated, MANY);
    close_session(&d);
    free(messages);
}

/* A megabyte of lines, each beginning with a dot. */
static struct bytes dotted_content(void)
{
    static char content[1 << 20];
    for (size_t i = 0; i < sizeof content; i += 8)
        memcpy(content + i, ".line.\r\n", 8);
    return bytes_of_text((struct text){ content, sizeof content });
}

static void test_a_long_message_comes_back(void **state)
{
    (void)state;
    static const size_t slices[] = { 0, 1000, 65536, 100000 };
    struct bytes content = dotted_content();
    struct pop3_message message = { .octets = content.len, .dot_lines = true };
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++) {
        struct driver d = { .messages = &message,
                            .count = 1,
                            .content = content,
                            .slice_max = slices[i],
                            .drain_max = 30000 };
        open_session(&d);
        log_in(&d);
        const char *said = ask(&d, "RETR 1\r\n");
        assert_memory_equal(said, "+OK 1048576 octets\r\n", 20);
        assert_int_equal(d.said_len, 20 + content.len / 8 * 9 + 3);
        for (size_t at = 20; at + 3 < d.said_len; at += 9)
            assert_memory_equal(said + at, "..line.\r\n", 9);
        assert_string_equal(said + d.said_len - 3, ".\r\n");
        assert_true(d.output_most <= 256 * 1024);
        close_session(&d);
    }
}

static void test_small_messages_share_a_write(void **state)
{
    (void)state;
    struct bytes content = { dotted_content().at, 5000 };
    struct pop3_message message = { .octets = content.len, .dot_lines = true };
    struct driver d = { .messages = &message, .count = 1, .content = content };
    char commands[8 * 200 + 1] = "";
    open_session(&d);
    log_in(&d);
    for (int i = 0; i < 200; i++)
        memcpy(commands + 8 * i, "RETR 1\r\n", 9);
    d.writes = 0;
    ask(&d, commands);
    assert_int_equal(d.said_len, 200 * (17 + 5000 / 8 * 9 + 3));
    assert_true(d.writes <= 6); /* 1.1 MB in pieces of nearly 256 KB */
    close_session(&d);
}

static void test_top_reads_no_more_than_it_sends(void **state)
{
    (void)state;
    static const char header[] = "From: a@b.test\r\n\r\n";
    static char content[200000];
    memset(content, 'x', sizeof content);
    memcpy(content, header, sizeof header - 1);
    memcpy(content + 150, "\r\n", 2);
    struct pop3_message message = { .octets = sizeof content };
    struct driver d = { .messages = &message,
                        .count = 1,
                        .content = { (const uint8_t *)content, sizeof content },
                        .slice_max = 100 };
    open_session(&d);
    log_in(&d);
    assert_int_equal(strlen(ask(&d, "TOP 1 0\r\n")), 28 + 18 + 3);
    assert_int_equal(d.reads, 1);
    assert_int_equal(strlen(ask(&d, "TOP 1 1\r\n")), 28 + 152 + 3);
    assert_int_equal(d.reads, 3);
    close_session(&d);
}

/* --- Time --- */

static void test_a_slow_reader_is_not_idle(void **state)
{
    (void)state;
    struct bytes content = dotted_content();
    struct pop3_message message = { .octets = content.len, .dot_lines = true };
    struct driver d = { .messages = &message, .count = 1, .content = content, .drain_max = 200000 };
    struct bytes in = bytes_of_text(T("RETR 1\r\n"));
    open_session(&d);
    log_in(&d);
    unsigned waits = 0;
    while (turn(&d, &in))
        if (d.step.kind == POP3_NEED_DRAIN) {
            waits++;
            d.now_ms += 599999;
        }
    assert_true(waits > 3);
    assert_int_equal(d.step.kind, POP3_NEED_INPUT);
    d.now_ms = pop3_server_deadline_ms(d.session);
    give(&d, T(""));
    assert_int_equal(d.step.kind, POP3_CLOSE);
    close_session(&d);
}

static void test_a_reader_that_stopped_is_idle(void **state)
{
    (void)state;
    struct bytes content = dotted_content(), in = bytes_of_text(T("RETR 1\r\n"));
    struct pop3_message message = { .octets = content.len };
    struct driver d = { .messages = &message, .count = 1, .content = content };
    open_session(&d);
    log_in(&d);
    while (d.step.kind != POP3_NEED_DRAIN) {
        d.step = pop3_server_step(d.session, &in, d.now_ms);
        if (d.step.kind != POP3_NEED_DRAIN)
            pop3_server_answer(d.session, d.step.request, answer_to(&d), d.now_ms);
    }
    d.now_ms = pop3_server_deadline_ms(d.session);
    assert_int_equal(pop3_server_step(d.session, &in, d.now_ms - 1).kind, POP3_NEED_DRAIN);
    assert_int_equal(pop3_server_step(d.session, &in, d.now_ms).kind, POP3_CLOSE);
    assert_int_equal(pop3_server_step(d.session, &in, d.now_ms).kind, POP3_CLOSE);
    close_session(&d);
}

/* --- Memory --- */

static void test_an_idle_session_is_small(void **state)
{
    (void)state;
    struct pop3_message *messages = many_messages(5);
    struct driver d = { .messages = messages,
                        .count = MANY,
                        .content = bytes_of_text(T("a\r\n\r\n")) };
    memory.held = 0;
    open_session(&d);
    ask(&d, "");
    assert_in_range(memory.held, 1, 800);
    ask(&d, "CAPA\r\nUSER ada@example.org\r\n");
    assert_in_range(memory.held, 1, 1024);
    log_in(&d);
    ask(&d, "LIST\r\nRETR 1\r\n");
    assert_in_range(memory.held, 1, 1024);
    ask(&d, "DELE 100000\r\n");
    assert_in_range(memory.held, 1, 1024 + MANY / 8 + 64);
    close_session(&d);
    assert_int_equal(memory.held, 0);
    free(messages);
}

static void test_secrets_are_wiped(void **state)
{
    (void)state;
    static const char *const ways[] = {
        "USER ada\r\nPASS open sesame\r\n",
        "USER ada\r\nPASS it is open sesame!\r\n",
        "AUTH LOGIN\r\n*\r\nAUTH LOGIN\r\nb3BlbiBzZXNhbWU=\r\n",
        "AUTH LOGIN b3BlbiBzZXNhbWU=\r\nb3BlbiBzZXNhbWUh\r\n",
    };
    memory.leaks = 0;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct driver d = { 0 };
        open_session(&d);
        ask(&d, ways[i]);
        close_session(&d);
    }
    /* The session ends while the request is open. */
    struct driver d = { 0 };
    struct bytes in = bytes_of_text(T("USER ada\r\nPASS open sesame\r\n"));
    open_session(&d);
    d.step = pop3_server_step(d.session, &in, 0);
    assert_int_equal(d.step.kind, POP3_LOGIN);
    assert_memory_equal(d.step.password.at, password, sizeof password - 1);
    close_session(&d);
    assert_int_equal(memory.leaks, 0);
}

/* Every allocation fails once: the session then says -ERR [SYS/TEMP] or ends, never crashes, and
 * deletes exactly what it said it would. */
static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    static const struct pop3_message messages[3] = { { .octets = 5 },
                                                     { .octets = 5 },
                                                     { .octets = 5 } };
    static const char session[] = "AUTH LOGIN\r\nbm8hYQ==\r\nUSER ada\r\nPASS open sesame\r\n"
                                  "CAPA\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 2 0\r\nDELE 1\r\n"
                                  "DELE 3\r\nSTAT\r\nQUIT\r\n";
    unsigned n = 0, failures;
    memory.held = 0;
    do {
        struct driver d = { .messages = messages,
                            .count = 3,
                            .content = bytes_of_text(T("a\r\n\r\n")) };
        memory.until_failure = ++n;
        memory.failures = 0;
        open_session(&d);
        if (d.session) {
            struct text rest = T(session), line;
            while (d.step.kind != POP3_CLOSE && text_cut(&rest, '\n', &line)) {
                line.len++;
                give(&d, line);
            }
            assert_int_equal(d.step.kind, POP3_CLOSE);
            uint32_t promised = 0;
            for (const char *at = d.said; (at = strstr(at, " deleted\r\n")) != NULL; at++)
                promised++;
            if (d.updates > 0)
                assert_int_equal(d.updated, promised);
            if (memory.failures > 0 && strstr(d.said, "signing off"))
                assert_non_null(strstr(d.said, "-ERR [SYS/TEMP]"));
        }
        failures = memory.failures;
        memory.until_failure = 0;
        close_session(&d);
        assert_int_equal(memory.held, 0);
    } while (failures > 0);
    assert_true(n > 7);
}

static void test_values_follow_a_reload(void **state)
{
    (void)state;
    struct driver d = { 0 };
    open_session(&d);
    ask(&d, "");
    struct pop3_server_config other = d.config;
    other.offer_tls = false;
    other.errors_max = 1;
    pop3_server_reconfigure(d.session, &other);
    assert_string_equal(ask(&d, "STLS\r\n"), "-ERR too many errors\r\n");
    assert_int_equal(d.step.kind, POP3_CLOSE);
    close_session(&d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_have_a_maximum),
        cmocka_unit_test(test_line_maximum_is_bounded_itself),
        cmocka_unit_test(test_an_endless_line_costs_nothing),
        cmocka_unit_test(test_a_long_response_ends_the_exchange),
        cmocka_unit_test(test_octets_that_are_no_text),
        cmocka_unit_test(test_a_name_has_a_maximum),
        cmocka_unit_test(test_what_comes_with_stls_is_thrown_away),
        cmocka_unit_test(test_a_maildrop_over_4_gib),
        cmocka_unit_test(test_a_long_list_is_printed_in_pieces),
        cmocka_unit_test(test_all_are_deleted_by_one_update),
        cmocka_unit_test(test_a_long_message_comes_back),
        cmocka_unit_test(test_small_messages_share_a_write),
        cmocka_unit_test(test_top_reads_no_more_than_it_sends),
        cmocka_unit_test(test_a_slow_reader_is_not_idle),
        cmocka_unit_test(test_a_reader_that_stopped_is_idle),
        cmocka_unit_test(test_an_idle_session_is_small),
        cmocka_unit_test(test_secrets_are_wiped),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_values_follow_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
