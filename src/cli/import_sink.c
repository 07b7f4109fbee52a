/* import_sink.c - where imported messages go: over the control socket to the running server, or
 * into the store itself when none runs. */
#include "cli/import.h"
#include "cli/out.h"
#include "cli/remote.h"
#include "proto/parcel.h"
#include "store/deposit.h"

#include <stdlib.h>
#include <string.h>

enum { SEND_OCTETS = 256 * 1024, OUT_MAX = 1024 * 1024, BODY_MEMORY = 128 * 1024 * 1024 };

struct sink {
    bool is_remote;
    uint64_t stored; /* as the server said */
    struct remote_talk talk;
    struct buffer out; /* parcels for the server */

    struct loop *loop;
    struct store *store;
    struct deposit *deposit;
    struct text address;
    char address_room[];
};

/* --- The store itself --- */

static void ready(void *owner)
{
    loop_stop(((struct sink *)owner)->loop);
}

static void notice(void *owner, bool is_trouble, const char *words)
{
    (void)owner;
    if (is_trouble)
        cli_warn("%s", words);
}

static bool open_store(struct sink *s, const char *data, mailbox_id mailbox, struct error *e)
{
    struct store_options store = {
        .path = data, .create = true, .body_memory = BODY_MEMORY, .notice = notice
    };
    if (!loop_new(&s->loop, e))
        return false;
    if (!store_open(&store, &s->store, e)) {
        if (e->kind == ERROR_REFUSED) /* the lock, which will be free again */
            e->kind = ERROR_TEMPORARY;
        return false;
    }
    struct deposit_options options = {
        .store = s->store,
        .home = s->loop,
        .mailbox = mailbox,
        .address = s->address,
        .ready = ready,
        .owner = s,
    };
    s->deposit = deposit_open(&options);
    return s->deposit || error_set(e, ERROR_TEMPORARY, "memory is short");
}

static void close_store(struct sink *s)
{
    while (s->deposit && !deposit_is_idle(s->deposit))
        loop_run(s->loop);
    deposit_close(&s->deposit);
    if (s->store)
        store_close(&s->store);
    if (s->loop)
        loop_free(&s->loop);
}

/* Waits until the deposit takes more. */
static bool settle(struct sink *s, enum deposit_state state, struct error *e)
{
    for (; state == DEPOSIT_WAIT; state = deposit_look(s->deposit))
        loop_run(s->loop);
    if (state == DEPOSIT_FAILED)
        *e = *deposit_error(s->deposit);
    return state == DEPOSIT_OPEN;
}

static bool end_store(struct sink *s, struct error *e)
{
    while (!deposit_is_idle(s->deposit))
        loop_run(s->loop);
    return settle(s, deposit_look(s->deposit), e);
}

/* --- The server --- */

/* The last answer: how much is stored; and why not all, if so. */
static bool hear(struct sink *s, struct error *e)
{
    json_t *answer;
    bool ok = remote_talk_answer(&s->talk, &answer, e);
    s->stored = (uint64_t)json_integer_value(json_object_get(answer, "stored"));
    json_decref(answer);
    return ok;
}

static bool flush(struct sink *s, struct error *e)
{
    bool ok = remote_talk_send(&s->talk, buffer_bytes(&s->out), e);
    s->out.len = 0;
    /* A server that listens no more has said why. */
    struct error why;
    if (!ok && !hear(s, &why))
        *e = why;
    return ok;
}

static bool put(struct sink *s, const struct parcel *p, struct error *e)
{
    if (!parcel_write(&s->out, p))
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    return s->out.len < SEND_OCTETS || flush(s, e);
}

/* --- Both --- */

bool sink_open(const char *data, mailbox_id mailbox, struct text address, struct sink **out,
               struct error *e)
{
    char id[OUT_MAILBOX_MAX];
    struct sink *s = *out = calloc(1, sizeof *s + address.len);
    if (!s)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    memcpy(s->address_room, address.at, address.len);
    s->address = (struct text){ s->address_room, address.len };
    s->talk.socket = -1;
    buffer_init(&s->out, OUT_MAX);
    json_t *request = json_pack("{s:s,s:s,s:s%}", "do", "import", "mailbox",
                                out_mailbox(mailbox, id), "address", address.at, address.len);
    enum remote_state state = remote_talk_open(&s->talk, data, request, e);
    s->is_remote = state == REMOTE_DONE;
    bool ok = s->is_remote || (state == REMOTE_NOBODY && open_store(s, data, mailbox, e));
    if (!ok)
        sink_close(out);
    return ok;
}

void sink_close(struct sink **sink)
{
    struct sink *s = *sink;
    *sink = NULL;
    if (!s)
        return;
    close_store(s);
    remote_talk_close(&s->talk);
    buffer_clear(&s->out);
    free(s);
}

bool sink_data(struct sink *s, struct bytes octets, struct error *e)
{
    struct parcel p = { .kind = PARCEL_DATA, .data = octets };
    return s->is_remote ? put(s, &p, e) : settle(s, deposit_append(s->deposit, octets), e);
}

bool sink_keep(struct sink *s, int64_t dated_ms, uint32_t flags, struct error *e)
{
    struct parcel p = { .kind = PARCEL_KEEP, .date_ms = dated_ms, .flags = flags };
    return s->is_remote ? put(s, &p, e) : settle(s, deposit_keep(s->deposit, dated_ms, flags), e);
}

bool sink_drop(struct sink *s, struct error *e)
{
    if (s->is_remote)
        return put(s, &(struct parcel){ .kind = PARCEL_DROP }, e);
    deposit_drop(s->deposit);
    return settle(s, deposit_look(s->deposit), e);
}

bool sink_end(struct sink *s, struct error *e)
{
    if (!s->is_remote)
        return end_store(s, e);
    return put(s, &(struct parcel){ .kind = PARCEL_END }, e) && flush(s, e) && hear(s, e);
}

uint64_t sink_stored(const struct sink *s)
{
    return s->is_remote ? s->stored : deposit_stored(s->deposit);
}
