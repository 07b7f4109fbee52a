/* dispatch_world.c - a whole post office for tests of dispatch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "dispatch_world.h"
#include "fake_time.h"

#include "base/check.h"
#include "queue/dispatch_inner.h"
#include "queue/remote_inner.h"
#include "run/clock.h"
#include "run/loop_inner.h"

#include <poll.h>
#include <string.h>

enum {
    TURNS_MAX = 200000,
    QUIET_TICKS = 2,
    CALL_TICKS = 400,
    STORE_TICKS = 3000,
    TICK_NS = 300 * 1000,
    LONG_MS = 3600 * 1000
};

static const char *const zone[] = {
    "b.test MX 10 mx.b.test",
    "mx.b.test A 127.0.0.2",
    "c.test MX 10 mx.c.test",
    "mx.c.test A 127.0.0.3",
    "d.test MX 10 mx.d.test",
    "mx.d.test A 127.0.0.4",
    "two.test MX 1 mx.b.test",
    "two.test MX 2 mx.c.test",
    "six.test MX 1 six.test",
    "six.test AAAA ::1",
    "six.test A 127.0.0.2",
    "sick.test TROUBLE",
    NULL,
};

/* --- The office --- */

static const struct config *config_of(void *server, unsigned index)
{
    const struct office_world *o = server;
    CHECK(index == 0);
    return o->config;
}

static void resolve(void *server, unsigned index, const struct address *address,
                    office_found *found, void *asker)
{
    static const struct office_mailbox alice = { ALICE, TEXT("alice@a.test"),
                                                 TEXT("alice@a.test") };
    struct office_answer answer = { OFFICE_FOUND, &alice, 1, NULL, 0 };
    (void)server;
    (void)index;
    (void)address;
    found(asker, &answer);
}

static void hold(void *server, unsigned index)
{
    struct office_world *o = server;
    (void)index;
    o->held++;
}

static void release(void *server, unsigned index)
{
    struct office_world *o = server;
    (void)index;
    CHECK(o->held > 0);
    o->held--;
}

static void poke(void *server)
{
    const struct office_world *o = server;
    dispatch_poke(o->dispatch);
}

/* --- Its life --- */

void office_configure(struct office_world *o, const char *relay)
{
    char words[1000];
    struct config_notices notices = { 0 };
    config_free(&o->config);
    snprintf(words, sizeof words,
             "hostname = \"mx.a.test\"\ndomain \"a.test\" {}\n"
             "listen smtp { address = \"127.0.0.1:25\" }\n"
             "relay { port = %u %s }\n",
             o->hosts.port, relay);
    if (!config_read("test.conf", text_of(words), &notices, &o->config, &o->error))
        fail_msg("%s", o->error.words);
}

int office_set_up(void **state)
{
    char file[SCRATCH_PATH + 8];
    void *store = NULL;
    struct log_options log = { .file = file, .rings = 1 };
    struct office_world *o = calloc(1, sizeof *o);
    if (!o || world_set_up(&store))
        return -1;
    o->store = store;
    fake_time_reset(o->store->loop);
    snprintf(file, sizeof file, "%s/log", o->store->path);
    if (!log_new(&log, &o->office.log, &o->error))
        return -1;
    mail_hosts_open(&o->hosts, o->store->loop);
    o->dns.zone = zone;
    o->office.loops[0] = o->store->loop;
    o->office.loop_count = 1;
    o->office.config = config_of;
    o->office.resolve = resolve;
    o->office.hold = hold;
    o->office.release = release;
    o->office.poke = poke;
    o->office.server = o;
    atomic_store(&o->office.dns, &o->dns);
    office_configure(o, "");
    *state = o;
    return 0;
}

int office_tear_down(void **state)
{
    struct office_world *o = *state;
    void *store = o->store;
    if (o->dispatch)
        office_stop(o);
    mail_hosts_close(&o->hosts);
    assert_int_equal(o->dns.open, 0);
    log_free(&o->office.log);
    config_free(&o->config);
    world_is_whole(o->store);
    free(o);
    return world_tear_down(&store);
}

void office_start(struct office_world *o)
{
    o->office.store = o->store->store;
    if (!dispatch_new(&o->office, &o->dispatch, &o->error))
        fail_msg("%s", o->error.words);
    dispatch_start(o->dispatch);
}

void office_stop(struct office_world *o)
{
    dispatch_stop(o->dispatch);
    for (unsigned i = 0; o->held > 0 || i < 2; i++) {
        assert_true(i < TURNS_MAX);
        office_turn(o);
    }
    dispatch_free(&o->dispatch);
    assert_int_equal(o->dns.open, 0);
}

/* --- Time --- */

/* One turn, and a moment for the next thing to happen.  Returns whether anything does. */
static bool turn_once(struct loop *loop)
{
    struct pollfd events = { .fd = uv_backend_fd(&loop->uv), .events = POLLIN };
    struct timespec moment = { .tv_nsec = TICK_NS };
    uint64_t stirs = fake_time_stirs();
    loop->figures.turns++;
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    return ppoll(&events, 1, &moment, NULL) > 0 || fake_time_stirs() != stirs;
}

/* How often nothing may happen before time passes.  The store, on threads of its own, takes no
 * time; the kernel's connections to ourselves hardly any. */
static unsigned patience(const struct office_world *o)
{
    const struct dispatch *d = o->dispatch;
    unsigned ticks = QUIET_TICKS;
    if (!d)
        return ticks;
    if (d->looking || d->takes > 0 || d->sweep)
        return STORE_TICKS;
    for (const struct list *at = d->remotes[0].sessions.next; at != &d->remotes[0].sessions;
         at = at->next) {
        const struct remote *r = OWNER_OF(at, const struct remote, link);
        if (r->settlements > 0 || r->content)
            return STORE_TICKS;
        if (r->state != REMOTE_AWAY)
            ticks = CALL_TICKS;
    }
    return ticks;
}

void office_turn(struct office_world *o)
{
    unsigned held = o->held;
    for (unsigned i = 0; i < patience(o); i++)
        if (turn_once(o->store->loop) || o->held != held)
            return;
    fake_time_pass_to_next(LONG_MS);
}

void office_for(struct office_world *o, uint64_t ms)
{
    uint64_t end = loop_now_ms(o->store->loop) + ms;
    for (unsigned i = 0; loop_now_ms(o->store->loop) < end; i++) {
        assert_true(i < TURNS_MAX);
        office_turn(o);
    }
}

void office_until_taken(struct office_world *o, const char *words, unsigned count)
{
    for (unsigned i = 0; mail_hosts_took(&o->hosts, words) < count; i++) {
        if (i == TURNS_MAX)
            fail_msg("waited for %u of \"%s\", got %u:\n%.*s", count, words,
                     mail_hosts_took(&o->hosts, words), TEXT_ARGS(buffer_as_text(&o->hosts.taken)));
        office_turn(o);
    }
}

void office_until_empty(struct office_world *o)
{
    for (unsigned i = 0; o->held > 0 || office_waiting(o) > 0; i++) {
        if (i == TURNS_MAX)
            fail_msg("%u recipients wait for ever", office_waiting(o));
        office_turn(o);
    }
}

/* --- Mail --- */

struct mailing {
    struct commit commit;
    bool over;
};

static void stored(struct commit *c)
{
    OWNER_OF(c, struct mailing, commit)->over = true;
}

static void nothing(void *owner)
{
    (void)owner;
}

static void make_rows(const struct commit *c, const char *domains, struct queue_row *rows,
                      char (*names)[64])
{
    struct text rest = T(""), domain;
    for (uint32_t i = 0; i < c->row_count; i++) {
        if (rest.len == 0)
            rest = text_of(domains);
        text_cut(&rest, ',', &domain);
        int len = snprintf(names[i], sizeof names[i], "u%u@%.*s", i, TEXT_ARGS(domain));
        rows[i] = (struct queue_row){
            .message = c->message,
            .number = i,
            .generation = 1,
            .due_ms = c->arrived_ms,
            .address = { names[i], (size_t)len },
        };
        rows[i].domain = text_skip(rows[i].address, rows[i].address.len - domain.len);
    }
}

void office_mail(struct office_world *o, const char *domain, unsigned count)
{
    struct queue_row rows[LETTER_RECIPIENTS_MAX];
    char names[LETTER_RECIPIENTS_MAX][64], words[100];
    struct mailing m = { 0 };
    struct commit *c = &m.commit;
    CHECK(count <= LETTER_RECIPIENTS_MAX);
    *c = (struct commit){ .message = store_new_message_id(o->store->store),
                          .home = o->store->loop,
                          .done = stored,
                          .arrived_ms = clock_wall_ms() - o->under_way_ms,
                          .sender = T("alice@a.test"),
                          .rows = rows,
                          .row_count = count };
    make_rows(c, domain, rows, names);
    snprintf(words, sizeof words, "%sletter-%u\r\n\r\n%s\r\n", o->eight_bit ? "X: " : "",
             ++o->letters, o->eight_bit ? "gr\xC3\xBC\xC3\x9F" : "hello");
    c->spool = spool_open(o->store->store, c->message, c->home, nothing, NULL);
    assert_non_null(c->spool);
    assert_int_not_equal(spool_append(c->spool, bytes_of_text(text_of(words))), SPOOL_FAILED);
    store_submit(o->store->store, c);
    while (!m.over)
        turn_once(c->home);
    assert_int_equal(c->verdict, STORE_STORED);
    spool_close(&c->spool);
    if (o->dispatch)
        dispatch_poke(o->dispatch);
}

/* --- Looking --- */

struct count {
    unsigned letters, reports;
};

static bool count_item(void *owner, const struct queue_item *item)
{
    struct count *count = owner;
    count->letters += item->sender.len > 0;
    count->reports += item->sender.len == 0;
    return true;
}

static struct count count_all(const struct office_world *o)
{
    struct count count = { 0 };
    struct error error;
    assert_true(store_each_queued(o->store->path, count_item, &count, &error));
    return count;
}

unsigned office_waiting(const struct office_world *o)
{
    return count_all(o).letters;
}

unsigned office_reports(struct office_world *o)
{
    struct maildrop_read read = world_list(o->store, ALICE);
    unsigned count = read.count + count_all(o).reports;
    maildrop_read_clear(&read);
    return count;
}
