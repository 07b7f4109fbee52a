/* foreign.c - hosts outside that take mail by SMTP: they defer, refuse, and hang up.
 *
 * Most speak TLS, with the certificates that they should have or with others (sim/zone.h).  What
 * they have taken goes to the ledger at once: the message is with its recipient, whether the
 * one who brought it hears so or not.  Nothing is ever sent on from here.
 */
#include "sim/foreign.h"

#include "base/check.h"
#include "sim/peer.h"
#include "sim/stream_inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OFFICES = 5, BOXES_MAX = 4, SHAKE_MS = 30 * 1000, RECIPIENTS_MAX = 100 };

/* A host, or the one that refuses whatever comes. */
struct office {
    struct town *town;
    struct place *place; /* NULL: it refuses */
    struct listener *listeners[MACHINES];
};

struct foreign {
    struct office offices[OFFICES];
    struct office refuser;
};

struct visit {
    struct peer peer;
    const struct office *office;
    bool offers_tls, is_secure, is_right; /* ... with the certificate that it should have */
    bool greeted, has_sender, is_required, in_text;
    uint64_t begun_us;
    char sender[BOX_ADDRESS_MAX];
    struct box *boxes[RECIPIENTS_MAX];
    size_t count;
    struct buffer text;
};

/* --- Its end --- */

static void clear(struct peer *p)
{
    struct visit *v = OWNER_OF(p, struct visit, peer);
    buffer_clear(&v->text);
    free(v);
}

/* --- Replies --- */

static void reply(struct visit *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void reply(struct visit *v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    peer_vsay(&v->peer, format, args);
    va_end(args);
}

static bool defers(struct visit *v)
{
    if (!fault_strikes(FAULT_DEFER, world_now()->weather.defer))
        return false;
    reply(v, "451 4.3.2 not now\r\n");
    return true;
}

static bool hangs_up(struct visit *v)
{
    if (!fault_strikes(FAULT_HANG_UP, world_now()->weather.hang_up))
        return false;
    peer_leave(&v->peer);
    return true;
}

static void forget_mail(struct visit *v)
{
    v->has_sender = v->in_text = false;
    v->count = 0;
    buffer_clear(&v->text);
}

/* --- Commands --- */

static void hear_hello(struct visit *v, struct text rest)
{
    (void)rest;
    forget_mail(v);
    v->greeted = true;
    reply(v, "250-%s\r\n250-PIPELINING\r\n250-8BITMIME\r\n%s250 ENHANCEDSTATUSCODES\r\n",
          v->office->place->machines[0],
          v->is_secure    ? "250-REQUIRETLS\r\n"
          : v->offers_tls ? "250-STARTTLS\r\n"
                          : "");
}

/* --- TLS --- */

static void shaken(void *owner, const struct error *why)
{
    struct visit *v = owner;
    if (why) {
        peer_leave(&v->peer);
        return;
    }
    v->is_secure = true;
    v->greeted = false;
}

/* Which of the place's machines was called. */
static unsigned machine_of(const struct visit *v)
{
    struct endpoint at = stream_local(v->peer.talk.stream);
    return !endpoint_equal_address(&at, &v->office->place->at[0]);
}

static void hear_tls(struct visit *v, struct text rest)
{
    struct tls_options options = { .timeout_ms = SHAKE_MS, .shaken = shaken, .owner = v };
    struct certificate certificate;
    (void)rest;
    if (!v->offers_tls || v->is_secure) {
        reply(v, "502 5.5.1 there is none\r\n");
        return;
    }
    zone_certificate(v->office->place, machine_of(v), &certificate);
    v->is_right = !zone_is_wrong(v->office->place);
    forget_mail(v);
    reply(v, "220 2.0.0 go on\r\n");
    tls_accept_as(v->peer.talk.stream, &certificate, &options);
}

/* --- Mail --- */

/* "<s@d.test> SIZE=90": what stands in the brackets. */
static bool take_path(struct text rest, char out[BOX_ADDRESS_MAX])
{
    size_t end = text_find(rest, '>');
    if (!text_starts(rest, T("<")) || end >= rest.len || end > BOX_ADDRESS_MAX)
        return false;
    snprintf(out, BOX_ADDRESS_MAX, "%.*s", (int)end - 1, rest.at + 1);
    return true;
}

static void hear_sender(struct visit *v, struct text rest)
{
    if (!v->greeted || v->has_sender || !take_path(rest, v->sender)) {
        reply(v, "503 5.5.1 not like this\r\n");
    } else if (!defers(v)) {
        v->has_sender = true;
        v->is_required = text_ends_nocase(rest, T(" REQUIRETLS"));
        reply(v, "250 2.1.0 ok\r\n");
    }
}

static bool is_ours(const struct visit *v, const char *address)
{
    return text_equal(ledger_domain_of(text_of(address)), text_of(v->office->place->domain));
}

static void hear_recipient(struct visit *v, struct text rest)
{
    char address[BOX_ADDRESS_MAX];
    if (!v->has_sender || v->count == RECIPIENTS_MAX || !take_path(rest, address)) {
        reply(v, "503 5.5.1 not like this\r\n");
        return;
    }
    if (defers(v))
        return;
    struct box *box = ledger_find_foreign(v->office->town->ledger, address);
    if (!is_ours(v, address)) {
        reply(v, "550 5.7.1 this is not the place\r\n");
    } else if (!box) {
        reply(v, "550 5.1.1 nobody of that name\r\n");
    } else {
        v->boxes[v->count++] = box;
        reply(v, "250 2.1.5 ok\r\n");
    }
}

static void hear_data(struct visit *v, struct text rest)
{
    (void)rest;
    if (v->count == 0) {
        reply(v, "503 5.5.1 nobody to send it to\r\n");
    } else if (!defers(v)) {
        v->in_text = true;
        reply(v, "354 go on\r\n");
    }
}

static void hear_reset(struct visit *v, struct text rest)
{
    (void)rest;
    forget_mail(v);
    reply(v, "250 2.0.0 forgotten\r\n");
}

static void hear_quit(struct visit *v, struct text rest)
{
    (void)rest;
    reply(v, "221 2.0.0 bye\r\n");
    peer_leave(&v->peer);
}

static void hear_command(struct visit *v, struct text line)
{
    static const struct {
        struct text words;
        void (*hear)(struct visit *, struct text rest);
    } commands[] = {
        { TEXT("EHLO "), hear_hello },       { TEXT("HELO "), hear_hello },
        { TEXT("MAIL FROM:"), hear_sender }, { TEXT("RCPT TO:"), hear_recipient },
        { TEXT("DATA"), hear_data },         { TEXT("RSET"), hear_reset },
        { TEXT("QUIT"), hear_quit },         { TEXT("STARTTLS"), hear_tls },
    };
    if (!v->office->place) {
        reply(v, "554 5.3.2 no mail is taken here\r\n");
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (text_take_nocase(&line, commands[i].words)) {
            commands[i].hear(v, line);
            return;
        }
    reply(v, "500 5.5.2 what?\r\n");
}

/* --- The message --- */

/* Where a place publishes that it speaks TLS, and the host that called can know it, nothing comes
 * in clear, nor to who might be anybody. */
static void expect_secure(const struct visit *v)
{
    struct endpoint from = stream_peer(v->peer.talk.stream);
    const struct place *p = v->office->place;
    if (zone_demands_tls(p, from.octets[3], v->begun_us))
        world_expect(CHECK_SECURE, v->is_secure && v->is_right, "n%u.test brings mail for %s %s",
                     from.octets[3], p->domain,
                     v->is_secure ? "to a host with a wrong certificate" : "in clear");
}

static void deliver(struct visit *v)
{
    expect_secure(v);
    for (size_t i = 0; i < v->count; i++) {
        struct arrival arrival = { v->boxes[i], v->sender, buffer_as_text(&v->text),
                                   v->is_required && v->is_right &&
                                       v->office->place->security != PLACE_OPEN };
        ledger_arrived(v->office->town->ledger, &arrival);
    }
}

/* Whoever hangs up now may have taken it or not. */
static void end_text(struct visit *v)
{
    v->in_text = false;
    if (defers(v)) {
        forget_mail(v);
        return;
    }
    bool deaf = fault_strikes(FAULT_HANG_UP, world_now()->weather.hang_up);
    if (!deaf || chance_below(2))
        deliver(v);
    if (deaf) {
        peer_leave(&v->peer);
        return;
    }
    forget_mail(v);
    reply(v, "250 2.0.0 it is with its recipients\r\n");
}

static void hear_text(struct visit *v, struct text line)
{
    if (text_equal(line, T("."))) {
        end_text(v);
        return;
    }
    if (text_starts(line, T(".")))
        line = text_skip(line, 1);
    CHECK(buffer_text(&v->text, line) && buffer_text(&v->text, T("\r\n")));
}

static void heard(struct peer *p, struct text line)
{
    struct visit *v = OWNER_OF(p, struct visit, peer);
    if (v->in_text) {
        hear_text(v, line);
        return;
    }
    trace_show("%s hears: %.*s", p->who, TEXT_ARGS(line));
    if (!hangs_up(v))
        hear_command(v, line);
}

/* --- Listening --- */

static void accepted(void *owner, struct stream *stream)
{
    static const struct peer_kind kind = { .heard = heard, .clear = clear };
    struct office *office = owner;
    struct visit *v = calloc(1, sizeof *v);
    CHECK(v);
    v->office = office;
    v->begun_us = world_time_us();
    v->offers_tls = office->place && !fault_strikes(FAULT_STRIPPED, world_now()->weather.stripped);
    buffer_init(&v->text, 2 * LETTER_OCTETS_MAX);
    peer_came(&v->peer, office->town, &kind, office->place ? office->place->domain : "the refuser");
    talk_take(&v->peer.talk, office->town->loop, stream);
    if (!office->place)
        reply(v, "554 5.3.2 no mail is taken here\r\n");
    else if (!defers(v))
        reply(v, "220 %s\r\n", office->place->machines[0]);
}

static void listen_at(struct office *o, const struct endpoint *at, struct listener **out)
{
    static const struct listener_events events = { .accepted = accepted };
    struct error e;
    int socket;
    bool in_use, no_family;
    CHECK(listener_bind(at, NULL, &socket, &in_use, &no_family, &e));
    CHECK(listener_start(o->town->loop, socket, &events, o, out, &e));
}

static void settle(struct office *o, const char *letter)
{
    char address[BOX_ADDRESS_MAX];
    for (unsigned i = 0; i < MACHINES; i++)
        listen_at(o, &o->place->at[i], &o->listeners[i]);
    for (unsigned i = 0; i < BOXES_MAX; i++) {
        snprintf(address, sizeof address, "%s%u@%s", letter, i, o->place->domain);
        ledger_add_foreign(o->town->ledger, address);
    }
}

struct foreign *foreign_open(struct town *t)
{
    static const char *const domains[OFFICES] = { OUTSIDE, "f1.test", "f2.test", SIGNED, POLICED };
    static const enum place_security securities[OFFICES] = { [OFFICES - 2] = PLACE_SIGNED,
                                                             [OFFICES - 1] = PLACE_POLICED };
    struct endpoint refuser = zone_refuser();
    struct foreign *f = calloc(1, sizeof *f);
    CHECK(f);
    t->world->current = &t->world->hosts[0];
    for (unsigned i = 0; i < OFFICES; i++) {
        struct office *o = &f->offices[i];
        o->town = t;
        o->place = zone_add_outside(t->world->zone, i, domains[i]);
        settle(o, i ? "w" : "s");
        o->place->security = securities[i];
    }
    zone_add_dead(t->world->zone);
    f->refuser.town = t;
    listen_at(&f->refuser, &refuser, &f->refuser.listeners[0]);
    t->world->current = NULL;
    return f;
}

static void close_office(struct office *o)
{
    for (unsigned i = 0; i < MACHINES; i++)
        listener_close(&o->listeners[i]);
}

void foreign_close(struct foreign **foreign)
{
    struct foreign *f = *foreign;
    *foreign = NULL;
    for (unsigned i = 0; i < OFFICES; i++)
        close_office(&f->offices[i]);
    close_office(&f->refuser);
    free(f);
}
