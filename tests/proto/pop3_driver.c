/* pop3_driver.c - a POP3 session with a driver that answers at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "pop3_driver.h"

#include <stdlib.h>
#include <string.h>

bool driver_in_session;

enum { SAID_MAX = 4 << 20 };

void open_session(struct driver *d)
{
    d->config.hostname = T("mx.test");
    d->config.mechanisms = T("LOGIN");
    d->config.offer_tls = true;
    d->config.idle_ms = 600000;
    d->peer.cleartext = true;
    d->said = malloc(SAID_MAX);
    assert_non_null(d->said);
    d->said[0] = '\0';
    driver_in_session = true;
    d->session = pop3_server_new(&d->config, &d->peer, d->now_ms);
    driver_in_session = false;
}

void close_session(struct driver *d)
{
    driver_in_session = true;
    pop3_server_free(&d->session);
    driver_in_session = false;
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
    driver_in_session = true;
    pop3_server_drained(d->session, out.len);
    driver_in_session = false;
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

struct pop3_answer answer_to(struct driver *d)
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
bool turn(struct driver *d, struct bytes *in)
{
    driver_in_session = true;
    d->step = pop3_server_step(d->session, in, d->now_ms);
    driver_in_session = false;
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
    driver_in_session = true;
    pop3_server_answer(d->session, d->step.request, a, d->now_ms);
    driver_in_session = false;
    return true;
}

/* Gives the session input until it waits for more; returns how much of it is left. */
size_t give(struct driver *d, struct text words)
{
    struct bytes in = bytes_of_text(words);
    while (turn(d, &in))
        continue;
    return in.len;
}

/* The same, after forgetting what was said before. */
const char *ask(struct driver *d, const char *words)
{
    d->said_len = 0;
    give(d, text_of(words));
    while (pop3_server_output(d->session).len > 0)
        write_output(d);
    return d->said;
}

void log_in(struct driver *d)
{
    assert_non_null(strstr(ask(d, "USER ada\r\nPASS open sesame\r\n"), "+OK maildrop has "));
}

struct pop3_message *many_messages(uint64_t octets)
{
    struct pop3_message *messages = calloc(MANY, sizeof *messages);
    assert_non_null(messages);
    for (uint32_t i = 0; i < MANY; i++)
        messages[i] = (struct pop3_message){ .octets = octets, .uidl_message = i };
    return messages;
}
