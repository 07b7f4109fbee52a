/* conversation.c - the whole server in the simulated world, and peers who say what a script says.
 */
#include "conversation.h"

#include "base/check.h"
#include "run/loop.h"
#include "sim/node.h"
#include "sim/stream_inner.h"
#include "sim/talk.h"
#include "sim/town.h"
#include "sim/vfs.h"
#include "sim/zone.h"
#include "store/maildrop.h"
#include "witness.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum {
    SETTINGS = 2,
    SLOTS = 7,
    VISITS_MAX = 40,
    SAID_MAX = 1 << 20,
    HEARD_MAX = 1 << 24,
    USERS = 2,
    LOOK_US = 100 * 1000,
    PARTING_US = 30 * 1000 * 1000,
    DEATH_US = 20 * 1000,
};

static const uint16_t ports[SLOTS] = { 25, 25, 25, 110, 110, 587, 587 };

/* One connection, from a call to its end. */
struct visit {
    struct talk talk;
    unsigned slot;
    bool over;
    struct buffer said, heard;
};

enum phase { STARTING, TALKING, PARTING, STOPPING };

struct conversation {
    struct world world;
    struct ledger *ledger;
    struct node node;
    struct loop *loop; /* of the peers */
    struct text script;
    enum phase phase;
    struct visit *visits[VISITS_MAX];
    size_t visit_count;
    struct visit *speaking; /* NULL: nobody */
    unsigned slot;
    struct event next;
    struct witness witness;
};

/* --- Visits --- */

static void heard(struct talk *t, struct text line)
{
    struct visit *v = OWNER_OF(t, struct visit, talk);
    trace_show("%u hears: %.*s", v->slot, TEXT_ARGS(line));
    CHECK(buffer_text(&v->heard, line) && buffer_byte(&v->heard, '\n'));
}

static void ended(struct talk *t)
{
    struct visit *v = OWNER_OF(t, struct visit, talk);
    trace_show("%u: it is over", v->slot);
    v->over = true;
}

static struct visit *call(struct conversation *c)
{
    struct visit *v = c->visit_count < VISITS_MAX ? calloc(1, sizeof *v) : NULL;
    if (!v)
        return NULL;
    c->visits[c->visit_count++] = v;
    v->slot = c->slot;
    v->talk.heard = heard;
    v->talk.ended = ended;
    buffer_init(&v->said, SAID_MAX);
    buffer_init(&v->heard, HEARD_MAX);
    struct endpoint from = { NET_IPV4, { 192, 0, 2, (uint8_t)(1 + c->slot) }, 0 };
    struct endpoint to = c->world.hosts[1].address;
    to.port = ports[c->slot];
    talk_start(&v->talk, c->loop, &from, &to);
    return v;
}

/* Whoever has the word; calls if need be. */
static struct visit *speaker(struct conversation *c)
{
    struct visit *v = NULL;
    for (size_t i = 0; i < c->visit_count; i++)
        if (c->visits[i]->slot == c->slot && !c->visits[i]->over)
            v = c->visits[i];
    return v ? v : call(c);
}

static void say(struct conversation *c, struct text words)
{
    struct visit *v = words.len ? speaker(c) : NULL;
    if (!v || v->said.len + words.len > SAID_MAX)
        return;
    trace_show("%u says: %.*s", v->slot, TEXT_ARGS(words));
    CHECK(buffer_text(&v->said, words));
    talk_say(&v->talk, bytes_of_text(words));
}

static void hang_up(struct visit *v)
{
    if (v && !v->over)
        talk_close(&v->talk);
    if (v)
        v->over = true;
}

static void cut(struct visit *v)
{
    if (v && v->talk.stream)
        stream_cut(v->talk.stream, ECONNRESET);
}

/* --- The script --- */

/* How long an instruction takes; 0: it is none that takes time. */
static uint64_t pause_of(char what)
{
    switch (what) {
    case '.':
        return 200 * 1000;
    case ';':
        return 5 * 1000 * 1000;
    case '!':
        return 600 * 1000 * 1000;
    case 'k':
        return DEATH_US;
    default:
        return 0;
    }
}

static void instruct(struct conversation *c, char what)
{
    if (what >= '0' && what < '0' + SLOTS)
        c->slot = (unsigned)(what - '0');
    else if (what == '`')
        say(c, T("`"));
    else if (what == 'h' && speaker(c))
        talk_end_output(&speaker(c)->talk);
    else if (what == 'q')
        hang_up(speaker(c));
    else if (what == 'x')
        cut(speaker(c));
    else if (what == 'k' && c->node.server)
        event_in(&c->node.crash, chance_below(DEATH_US));
}

/* False: the script is at its end. */
static bool go_on(struct conversation *c)
{
    struct text words;
    while (c->script.len) {
        bool instructs = text_cut(&c->script, '`', &words);
        say(c, words);
        if (!instructs || c->script.len == 0)
            continue;
        char what = c->script.at[0];
        c->script = text_skip(c->script, 1);
        instruct(c, what);
        if (pause_of(what)) {
            event_in(&c->next, pause_of(what));
            return true;
        }
    }
    return false;
}

/* --- The end --- */

static bool add_piece(void *owner, struct bytes piece)
{
    return buffer_append(owner, piece.at, piece.len);
}

static bool look_at_copy(void *owner, const struct maildrop_entry *entry)
{
    struct conversation *c = owner;
    struct buffer whole;
    struct error e;
    buffer_init(&whole, HEARD_MAX);
    CHECK(store_show_message(c->node.host->data, entry, add_piece, &whole, &e));
    CHECK(whole.len == entry->octets);
    witness_copy(&c->witness, entry->message, buffer_as_text(&whole));
    buffer_clear(&whole);
    return true;
}

static void look_at_mailbox(void *owner, const struct mailbox_summary *mailbox)
{
    struct conversation *c = owner;
    struct error e;
    CHECK(store_each_message(c->node.host->data, mailbox->mailbox, look_at_copy, c, &e));
}

static void hear_witness(struct conversation *c)
{
    struct error e;
    for (size_t i = 0; i < c->visit_count; i++) {
        struct visit *v = c->visits[i];
        struct text said = buffer_as_text(&v->said), lines = buffer_as_text(&v->heard);
        if (ports[v->slot] == 110)
            witness_pop3(&c->witness, said, lines);
        else
            witness_smtp(&c->witness, said, lines, ports[v->slot] == 587);
    }
    c->world.current = c->node.host;
    CHECK(store_each_mailbox(c->node.host->data, look_at_mailbox, c, &e));
    c->world.current = NULL;
    witness_end(&c->witness);
}

static void part(struct conversation *c)
{
    for (size_t i = 0; i < c->visit_count; i++)
        hang_up(c->visits[i]);
    c->world.calm = true;
    node_calm(&c->node);
    c->phase = PARTING;
    event_in(&c->next, PARTING_US);
}

static void next(struct event *e)
{
    struct conversation *c = OWNER_OF(e, struct conversation, next);
    bool is_up = c->node.server && c->node.begun && !c->node.host->dead;
    if (c->phase == STARTING && is_up)
        c->phase = TALKING;
    if (c->phase == TALKING && go_on(c))
        return;
    if (c->phase == TALKING) {
        part(c);
        return;
    }
    if (c->phase == PARTING && is_up) {
        node_stop(&c->node);
        c->phase = STOPPING;
    }
    if (c->phase == STOPPING && !c->node.server) {
        node_examine(&c->node, true);
        if (!c->world.failed)
            hear_witness(c);
        c->world.ends = true;
    }
    event_in(e, LOOK_US);
}

/* --- The whole --- */

bool conversation_set_up(void)
{
    return vfs_set_up();
}

static struct weather weather_of(unsigned flags)
{
    return (struct weather){
        .crumbs = flags & 1 ? 300000 : 0,
        .short_write = flags & 1 ? 300000 : 0,
        .cold_read = flags & 2 ? 300000 : 0,
        .latency_us = flags & 4 ? 50000 : 0,
        .reload_every_us = flags & 8 ? 2000000 : 0,
        .lost = 300000,
        .torn = 100000,
    };
}

static void open_world(struct conversation *c, struct bytes script, bool show)
{
    struct error e;
    world_init(&c->world, script.at[0]);
    world_enter(&c->world);
    c->world.show_from = show ? 0 : UINT64_MAX;
    c->world.weather = weather_of(script.at[1]);
    sqlite3_randomness(0, NULL);
    c->ledger = ledger_new();
    c->world.ledger = c->ledger;
    c->world.zone = zone_new(&c->world);
    node_open(&c->node, &c->world, c->ledger, USERS);
    zone_open(c->world.zone);
    c->world.current = &c->world.hosts[0];
    CHECK(loop_new(&c->loop, &e));
    c->world.current = NULL;
    c->script = text_of_bytes((struct bytes){ script.at + SETTINGS, script.len - SETTINGS });
    c->next = (struct event){ .fire = next, .host = &c->world.hosts[0] };
    event_in(&c->next, LOOK_US);
}

static void close_world(struct conversation *c)
{
    for (size_t i = 0; i < c->visit_count; i++) {
        hang_up(c->visits[i]);
        buffer_clear(&c->visits[i]->talk.in);
        buffer_clear(&c->visits[i]->talk.out);
        buffer_clear(&c->visits[i]->said);
        buffer_clear(&c->visits[i]->heard);
        free(c->visits[i]);
    }
    node_close(&c->node);
    event_cancel(&c->next);
    loop_free(&c->loop);
    zone_close(c->world.zone);
    zone_free(&c->world.zone);
    ledger_free(&c->ledger);
    witness_clear(&c->witness);
    world_clear(&c->world);
    world_enter(NULL);
}

void conversation_run(struct bytes script, bool show, struct conversation_result *result)
{
    *result = (struct conversation_result){ 0 };
    if (script.len < SETTINGS)
        return;
    struct conversation *c = calloc(1, sizeof *c);
    CHECK(c);
    open_world(c, script, show);
    world_run(&c->world);
    result->failed = c->world.failed;
    memcpy(result->why, c->world.why, sizeof result->why);
    result->steps = c->world.steps;
    result->accepted = c->witness.count;
    if (result->failed)
        return; /* the process ends */
    for (size_t i = 0; i < c->witness.count; i++)
        result->read += c->witness.promises[i].found;
    close_world(c);
    free(c);
}
