/* smtp_message.c - a message in an SMTP session: its place, its body, and whether it is taken.
 *
 * The octets go to serve/delivery.c.  What is not taken is refused before anything of it counts.
 */
#include "serve/smtp_conn_inner.h"

#include <stdio.h>

/* Who sends as <> is the author of what he sends. */
static bool mend_header(struct smtp_conn *s)
{
    const struct address *sender = smtp_server_sender(s->machine);
    return delivery_amend(s->delivery, address_text(sender->len ? sender : &s->peer.login));
}

void smtp_conn_open_message(struct smtp_conn *s, const struct smtp_step *step)
{
    const struct smtp_mail *mail = smtp_server_mail(s->machine);
    struct trace_received trace = {
        .hello = s->account ? text_of(s->account->name) : smtp_server_hello(s->machine),
        .peer = s->conn.peer,
        .hostname = s->conn.settings->config->hostname,
        .esmtp = smtp_server_is_esmtp(s->machine),
        .utf8 = mail && mail->smtputf8,
        .tls = s->conn.tls,
        .authenticated = smtp_server_is_authenticated(s->machine),
    };
    if (s->delivery && mail && mail->body == SMTP_BODY_BINARYMIME)
        delivery_is_binary(s->delivery);
    if (!s->delivery || (s->peer.authenticated && !mend_header(s)) ||
        !delivery_open(s->delivery, &trace, &s->only, smtp_server_recipient_count(s->machine))) {
        smtp_conn_answer(s, step->request, smtp_conn_no_memory);
        return;
    }
    smtp_conn_accept(s, step->request);
}

void smtp_conn_append_body(struct smtp_conn *s, const struct smtp_step *step)
{
    bool wait;
    delivery_body(s->delivery, step->body, &wait);
    s->body_waits = wait;
}

static void body_ready(void *owner)
{
    struct smtp_conn *s = owner;
    s->body_waits = false;
    conn_resume(&s->conn);
}

static void refuse_message(struct smtp_conn *s, const struct smtp_answer *a)
{
    smtp_conn_log_refused(s, smtp_server_sender(s->machine), "message", a);
    smtp_conn_answer(s, s->commit_request, *a);
    smtp_conn_end_delivery(s);
}

/* RFC 3463 3.7: conversion is required and cannot be done. */
static void refuse_binary(struct smtp_conn *s)
{
    char room[200];
    struct buffer words = buffer_over(room, sizeof room);
    buffer_text(&words, T("binary content that cannot be made into lines: "));
    buffer_text(&words, convert_obstacle_words(delivery_obstacle(s->delivery)));
    refuse_message(s, &(struct smtp_answer){ SMTP_REJECT, 554, "5.6.3", buffer_as_text(&words) });
}

static void commit_message(struct smtp_conn *s)
{
    static const struct smtp_answer refusals[] = {
        [DELIVERY_LOOPS] = { SMTP_REJECT, 554, "5.4.6",
                             TEXT("a loop: its Delivered-To names its recipients") },
        [DELIVERY_NO_MEMORY] = { SMTP_DEFER, 452, "4.3.1",
                                 TEXT("no room for this message, try again later") },
    };
    enum delivery_end end = DELIVERY_NO_MEMORY;
    if (delivery_is_whole(s->delivery))
        end = delivery_commit(s->delivery, smtp_server_sender(s->machine),
                              smtp_server_mail(s->machine), s->commit_facts);
    if (end == DELIVERY_NOT_LINES)
        refuse_binary(s);
    else if (end != DELIVERY_COMMITTING)
        refuse_message(s, &refusals[end]);
}

static void judge_author(struct smtp_conn *s, enum author_verdict verdict)
{
    if (verdict == AUTHOR_FINE) {
        commit_message(s);
    } else if (verdict == AUTHOR_REFUSED) {
        struct smtp_answer a = author_answer(s->author);
        refuse_message(s, &a);
    }
}

static void author_checked(void *owner, enum author_verdict verdict)
{
    struct smtp_conn *s = owner;
    judge_author(s, verdict);
    conn_resume(&s->conn);
}

static void check_author(struct smtp_conn *s)
{
    enum author_verdict verdict;
    struct author_ask ask = {
        .home = s->conn.home,
        .peer = &s->peer,
        .author = delivery_author(s->delivery),
        .done = author_checked,
        .owner = s,
    };
    s->author = author_check_new(&ask, &verdict);
    if (s->author)
        judge_author(s, verdict);
    else
        refuse_message(s, &smtp_conn_no_memory);
}

static void judge_message(struct smtp_conn *s)
{
    if (s->peer.authenticated && s->conn.settings->config->submission_from == SUBMISSION_FROM_CHECK)
        check_author(s);
    else
        commit_message(s);
}

static void body_complete(void *owner)
{
    struct smtp_conn *s = owner;
    judge_message(s);
    conn_resume(&s->conn);
}

void smtp_conn_end_message(struct smtp_conn *s, const struct smtp_step *step)
{
    s->commit_request = step->request;
    s->commit_facts = step->facts;
    if (delivery_body_end(s->delivery))
        judge_message(s);
}

static void log_accepted(struct smtp_conn *s, const struct delivery *d)
{
    struct log *log = conn_log(&s->conn);
    struct text session = conn_session(&s->conn);
    char size[24], peer[ENDPOINT_TEXT_MAX];
    snprintf(size, sizeof size, "%llu", (unsigned long long)delivery_octets(d));
    LOG_EVENT(log, LOG_INFO, session, "accepted", { "id", delivery_id(d) },
              { "from", address_text(smtp_server_sender(s->machine)) }, { "size", text_of(size) },
              { "peer", endpoint_print(&s->conn.peer, peer) });
    const struct recipients *r = delivery_recipients(d);
    for (size_t i = 0; i < r->place_count; i++) {
        const struct place *place = &r->places[i];
        const char *event = place->lost ? "looped" : place->mailbox ? "delivered" : "queued";
        LOG_EVENT(log, LOG_INFO, session, event, { "id", delivery_id(d) },
                  { "to", place->address });
    }
}

static void committed(void *owner, struct delivery *d)
{
    struct smtp_conn *s = owner;
    struct smtp_answer a = { .verdict = SMTP_ACCEPT, .code = 250, .status = "2.0.0" };
    switch (delivery_verdict(d)) {
    case STORE_STORED:
        log_accepted(s, d);
        a.words = delivery_words(d);
        break;
    case STORE_REFUSED: /* store rules 13 and 14: nothing of it counts */
        a = (struct smtp_answer){ SMTP_DEFER, 451, "4.3.0",
                                  T("could not be stored, nothing is kept, try again later") };
        break;
    case STORE_UNKNOWN:
        a = (struct smtp_answer){ .verdict = SMTP_VANISH };
        break;
    }
    if (delivery_verdict(d) != STORE_STORED)
        LOG_EVENT(conn_log(&s->conn), LOG_ERROR, conn_session(&s->conn), "not-stored",
                  { "id", delivery_id(d) }, { "why", error_text(delivery_error(d)) });
    smtp_conn_answer(s, s->commit_request, a);
    smtp_conn_end_delivery(s);
    conn_resume(&s->conn);
}

const struct delivery_events smtp_conn_delivery_events = { body_ready, body_complete, committed };
