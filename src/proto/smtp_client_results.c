/* smtp_client_results.c - what becomes of each recipient.
 *
 * A recipient is settled once, by the first of: the refusal of MAIL or of his RCPT, the reply to
 * DATA or to the end, the failure of the session.  Nothing that comes later changes that.
 */
#include "proto/smtp_client_internal.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct outgoing *client_outgoing_new(const struct smtp_client_message *m)
{
    size_t slots;
    CHECK(m->recipient_count > 0);
    if (__builtin_mul_overflow(m->recipient_count, sizeof(struct slot), &slots))
        return NULL;
    struct outgoing *o = calloc(1, sizeof *o + slots);
    if (!o)
        return NULL;
    o->message = m;
    o->where = AT_MAIL;
    o->at_line_start = true;
    arena_init(&o->arena, CLIENT_WORDS_MAX);
    return o;
}

void client_forget(struct outgoing **o)
{
    if (!*o)
        return;
    arena_reset(&(*o)->arena);
    free(*o);
    *o = NULL;
}

struct smtp_client_result client_result(enum smtp_client_where where, const char *status,
                                        struct text sentence)
{
    struct smtp_client_result result = { .where = where, .reply = sentence };
    snprintf(result.status, sizeof result.status, "%s", status);
    return result;
}

/* Many recipients often get the same reply: it is kept once.  Without room the words are lost. */
static struct text keep_words(struct outgoing *o, struct text words)
{
    struct text copy;
    if (!text_equal(words, o->words) && arena_text(&o->arena, words, &copy))
        o->words = copy;
    return text_equal(words, o->words) ? o->words : T("");
}

struct smtp_client_result client_reply_result(const struct smtp_client *c,
                                              enum smtp_client_where where, struct text words)
{
    const struct reply_reader *r = &c->reader;
    const char made_up[] = { (char)('0' + r->code / 100), '.', '0', '.', '0', 0 };
    struct smtp_client_result result =
        client_result(where, r->status[0] ? r->status : made_up, words);
    result.code = r->code;
    result.permanent = r->code >= 500;
    return result;
}

struct smtp_client_result client_message_result(const struct smtp_client *c, struct outgoing *o)
{
    struct text words = buffer_as_text(&c->reader.kept);
    return client_reply_result(c, o->where, keep_words(o, words));
}

void client_result_soften(struct smtp_client_result *result, const char *status)
{
    result->permanent = false;
    snprintf(result->status, sizeof result->status, "%s", status);
}

void client_settle(struct outgoing *o, uint32_t recipient, const struct smtp_client_result *result)
{
    struct slot *slot = &o->slots[recipient];
    if (slot->settled)
        return;
    slot->settled = true;
    slot->result = *result;
}

void client_settle_all(struct outgoing *o, const struct smtp_client_result *result)
{
    for (uint32_t i = 0; i < o->message->recipient_count; i++)
        client_settle(o, i, result);
}
