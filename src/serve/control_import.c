/* control_import.c - mail that the command line brings into a mailbox of the running server.
 *
 * On loop 0.  One import a mailbox at a time, others wait for its end: so whoever begins sees all
 * that those before him have stored, also of one whose process was killed, and can leave out what
 * is there already.
 *
 *   state     what holds                                           leaves by
 *   WAITING   another import into this mailbox is under way         its end
 *   RUNNING   parcels go into the deposit; while that is full the   `end`, trouble, the caller
 * goes, rest is held and the stream paused                    the server stops ENDING    nothing
 * more is taken; commits are under way          the last of them
 */
#include "proto/parcel.h"
#include "serve/control_inner.h"
#include "store/deposit.h"

#include <stdlib.h>
#include <string.h>

enum { HELD_MAX = 256 * 1024 };

enum import_state { WAITING, RUNNING, ENDING };

struct import {
    struct caller *caller;
    enum import_state state;
    mailbox_id mailbox;
    struct deposit *deposit;
    struct parcel_reader reader;
    struct buffer held; /* input that waits for the deposit */
    bool paused, ok;    /* ok: the caller has said that it was all */
    struct error error; /* when not ok */
    struct text address;
    char address_room[];
};

static void start(struct import *);

/* --- The end --- */

static struct import *next_waiting(const struct import *done)
{
    struct list *callers = done->caller->control ? control_callers(done->caller->control) : NULL;
    for (struct list *at = callers ? callers->next : NULL; at && at != callers; at = at->next) {
        struct import *i = OWNER_OF(at, struct caller, link)->import;
        if (i && i->state == WAITING && i->mailbox == done->mailbox)
            return i;
    }
    return NULL;
}

static json_t *last_words(const struct import *i)
{
    json_int_t stored = i->deposit ? (json_int_t)deposit_stored(i->deposit) : 0;
    if (i->ok)
        return json_pack("{s:b,s:I}", "ok", 1, "stored", stored);
    return json_pack("{s:b,s:s,s:s,s:I}", "ok", 0, "kind",
                     i->error.kind == ERROR_REFUSED ? "refused" : "temporary", "words",
                     i->error.words, "stored", stored);
}

/* Frees the import and its caller. */
static void conclude(struct import *i)
{
    struct caller *c = i->caller;
    struct server *server = c->server;
    struct import *next = next_waiting(i);
    json_t *words = last_words(i);
    c->import = NULL;
    deposit_close(&i->deposit);
    buffer_clear(&i->held);
    free(i);
    control_answer(c, words);
    if (next)
        start(next);
    server_loop_release(&server->loops[0]);
}

/* With an error unless all came and was taken. */
static void end(struct import *i, const struct error *why)
{
    i->state = ENDING;
    if (why) {
        i->ok = false;
        i->error = *why;
    }
    if (i->deposit)
        deposit_drop(i->deposit);
    if (!i->deposit || deposit_is_idle(i->deposit))
        conclude(i);
}

static void end_with(struct import *i, enum error_kind kind, const char *words)
{
    struct error error;
    error_set(&error, kind, "%s", words);
    end(i, &error);
}

/* --- Parcels --- */

static enum deposit_state put(struct import *i, const struct parcel *p)
{
    switch (p->kind) {
    case PARCEL_DATA:
        return deposit_append(i->deposit, p->data);
    case PARCEL_KEEP:
        return deposit_keep(i->deposit, p->date_ms, p->flags);
    default:
        deposit_drop(i->deposit);
        return deposit_look(i->deposit);
    }
}

/* Takes parcels until the deposit is full, the input is used up, or it ends: false, and the import
 * may be freed. */
static bool take(struct import *i, struct bytes *in)
{
    struct parcel p;
    enum deposit_state state = deposit_look(i->deposit);
    while (state == DEPOSIT_OPEN && parcel_read(&i->reader, in, &p) != PARCEL_NEED_INPUT) {
        if (p.kind == PARCEL_END) {
            i->ok = true;
            end(i, NULL);
            return false;
        }
        if (p.kind == PARCEL_BROKEN) {
            end_with(i, ERROR_REFUSED, "what came is no parcel; is godwit of another version?");
            return false;
        }
        state = put(i, &p);
    }
    i->paused = state == DEPOSIT_WAIT;
    if (state != DEPOSIT_FAILED)
        return true;
    struct error error = *deposit_error(i->deposit);
    end(i, &error);
    return false;
}

static void ready(void *owner)
{
    struct import *i = owner;
    if (i->state == ENDING) {
        if (i->ok && deposit_error(i->deposit)->kind != ERROR_NONE) {
            i->ok = false;
            i->error = *deposit_error(i->deposit);
        }
        if (deposit_is_idle(i->deposit))
            conclude(i);
        return;
    }
    bool was_paused = i->paused;
    struct bytes in = buffer_bytes(&i->held);
    if (!take(i, &in))
        return;
    buffer_take(&i->held, i->held.len - in.len);
    if (was_paused && !i->paused)
        stream_resume(i->caller->stream);
}

void control_import_input(struct caller *c, struct bytes octets)
{
    struct import *i = c->import;
    if (i->state == ENDING)
        return;
    if (i->state == RUNNING && !i->paused && !take(i, &octets))
        return;
    if (octets.len > 0 && !buffer_append(&i->held, octets.at, octets.len))
        end_with(i, ERROR_REFUSED, "more came than was asked for");
    else if (i->paused)
        stream_pause(c->stream);
}

void control_import_gone(struct caller *c)
{
    if (c->import->state != ENDING)
        end_with(c->import, ERROR_TEMPORARY, "the caller has gone");
}

void control_import_stop(struct caller *c)
{
    if (c->import->state != ENDING)
        end_with(c->import, ERROR_TEMPORARY, "the server stops; try again");
}

/* --- The beginning --- */

static void start(struct import *i)
{
    struct caller *c = i->caller;
    struct deposit_options options = {
        .store = c->server->store,
        .home = c->server->loops[0].loop,
        .mailbox = i->mailbox,
        .address = i->address,
        .ready = ready,
        .owner = i,
    };
    i->state = RUNNING;
    i->deposit = deposit_open(&options);
    if (!i->deposit)
        end_with(i, ERROR_TEMPORARY, "memory is short");
    else
        stream_write(c->stream, bytes_of_text(T("{\"ok\":true}\n")));
}

static bool is_busy(const struct caller *c, mailbox_id mailbox)
{
    struct list *callers = control_callers(c->control);
    for (struct list *at = callers->next; at != callers; at = at->next) {
        const struct import *i = OWNER_OF(at, struct caller, link)->import;
        if (i && i->mailbox == mailbox)
            return true;
    }
    return false;
}

static struct import *import_new(struct caller *c, mailbox_id mailbox, const json_t *address)
{
    size_t len = json_string_length(address);
    struct import *i = calloc(1, sizeof *i + len);
    if (!i)
        return NULL;
    *i = (struct import){ .caller = c, .mailbox = mailbox, .address = { i->address_room, len } };
    memcpy(i->address_room, json_string_value(address), len);
    parcel_reader_init(&i->reader);
    buffer_init(&i->held, HELD_MAX);
    return i;
}

void control_ask_import(struct caller *c, const json_t *request, struct bytes behind)
{
    struct error error;
    const char *words = json_string_value(json_object_get(request, "mailbox"));
    const json_t *address = json_object_get(request, "address");
    char *rest = NULL;
    mailbox_id mailbox = words ? strtoull(words, &rest, 16) : 0;
    if (!mailbox || *rest || !json_is_string(address) || behind.len > 0) {
        error_set(&error, ERROR_REFUSED, "import wants a mailbox and its address");
        control_fail(c, &error);
        return;
    }
    bool waits = is_busy(c, mailbox);
    struct import *i = import_new(c, mailbox, address);
    if (!i) {
        error_set(&error, ERROR_TEMPORARY, "memory is short");
        control_fail(c, &error);
        return;
    }
    c->busy = true;
    c->import = i;
    server_loop_hold(&c->server->loops[0]);
    if (!waits)
        start(i);
}
