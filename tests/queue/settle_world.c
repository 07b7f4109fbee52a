/* settle_world.c - a post office for tests of settlements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "settle_world.h"

#include "base/check.h"

#include <string.h>
#include <time.h>

enum { READ_MAX = 4 << 20 };

/* --- The office --- */

static const struct config *config_of(void *server, unsigned index)
{
    struct branch *b = server;
    assert_int_equal(index, 0);
    return b->config;
}

static void answer_now(struct post *post)
{
    struct branch *b = OWNER_OF(post, struct branch, post);
    b->found(b->asker, &b->answer);
}

static void resolve(void *server, unsigned index, const struct address *address,
                    office_found *found, void *asker)
{
    struct branch *b = server;
    assert_int_equal(index, 0);
    assert_true(b->held > 0);
    snprintf(b->asked, sizeof b->asked, "%.*s", TEXT_ARGS(address_text(address)));
    b->found = found;
    b->asker = asker;
    b->post.run = answer_now;
    if (b->answers_later)
        loop_post(b->store->loop, &b->post);
    else
        answer_now(&b->post);
}

static void hold(void *server, unsigned index)
{
    struct branch *b = server;
    assert_int_equal(index, 0);
    b->held++;
}

static void release(void *server, unsigned index)
{
    struct branch *b = server;
    assert_int_equal(index, 0);
    b->held--;
    if (--b->waiting == 0)
        loop_stop(b->store->loop);
}

static void poke(void *server)
{
    struct branch *b = server;
    b->pokes++;
}

/* --- Its life --- */

int branch_set_up(void **state)
{
    static const struct text words = TEXT("hostname = \"mx.a.test\"\n"
                                          "domain \"a.test\" {}\ndomain \"c.test\" {}\n");
    struct config_notices notices = { 0 };
    struct log_options log = { .file = NULL, .rings = 1 };
    char log_file[SCRATCH_PATH + 8];
    struct branch *b = calloc(1, sizeof *b);
    void *store = NULL;
    setenv("TZ", "UTC0", 1);
    tzset();
    if (!b || world_set_up(&store))
        return -1;
    b->store = store;
    snprintf(log_file, sizeof log_file, "%s/log", b->store->path);
    log.file = log_file;
    if (!config_read("test.conf", words, &notices, &b->config, &b->error) ||
        !log_new(&log, &b->office.log, &b->error))
        return -1;
    b->office.store = b->store->store;
    b->office.loops[0] = b->store->loop;
    b->office.loop_count = 1;
    b->office.config = config_of;
    b->office.resolve = resolve;
    b->office.hold = hold;
    b->office.release = release;
    b->office.poke = poke;
    b->office.server = b;
    atomic_store(&b->office.clock_offset_ms,
                 office_clock_jump(&b->office)); /* the clock is right */
    *state = b;
    return 0;
}

int branch_tear_down(void **state)
{
    struct branch *b = *state;
    void *store = b->store;
    log_free(&b->office.log);
    config_free(&b->config);
    free(b);
    return world_tear_down(&store);
}

/* --- Mail --- */

static void stored(struct commit *c)
{
    loop_stop(c->home);
}

static void nothing(void *owner)
{
    (void)owner;
}

static void add_recipient(struct branch *b, const char *address)
{
    size_t at;
    struct queue_row *row = &b->rows[b->count];
    struct settled *s = &b->recipients[b->count];
    *row = (struct queue_row){
        .message = b->item.row.message,
        .number = (uint32_t)b->count++,
        .generation = 1,
        .due_ms = 100,
        .address = text_of(address),
    };
    at = text_find(row->address, '@');
    row->domain = text_skip(row->address, at + 1);
    *s = (struct settled){ .row = *row, .has_row = true, .tell = true };
    s->row.generation = 2;
    s->row.state = QUEUE_BOUNCED;
    s->row.attempts = 3;
    s->row.last = T("550 5.1.1 no such user");
    s->told = (struct dsn_recipient){
        .action = DSN_FAILED,
        .status = T("5.1.1"),
        .remote_mta = T("mx.b.test"),
        .diagnostic = T("550 5.1.1 no such user"),
        .last_attempt_ms = ARRIVED_MS + 1000,
    };
}

bool branch_mail(struct branch *b, const char *sender, struct text content,
                 const char *const *recipients)
{
    struct commit c = { .home = b->store->loop, .done = stored };
    b->item = (struct queue_item){ .sender = text_of(sender), .arrived_ms = ARRIVED_MS };
    b->item.row.message = c.message = store_new_message_id(b->store->store);
    b->item.content.message = c.message;
    b->item.content.content_octets = content.len;
    b->count = 0;
    while (*recipients)
        add_recipient(b, *recipients++);
    c.sender = b->item.sender;
    c.arrived_ms = ARRIVED_MS;
    c.rows = b->rows;
    c.row_count = b->count;
    c.spool = spool_open(b->store->store, c.message, b->store->loop, nothing, NULL);
    if (!c.spool || spool_append(c.spool, bytes_of_text(content)) == SPOOL_FAILED) {
        spool_close(&c.spool);
        return false;
    }
    store_submit(b->store->store, &c);
    loop_run(b->store->loop);
    spool_close(&c.spool);
    return c.verdict == STORE_STORED;
}

static void settled(void *owner, enum store_verdict verdict, const struct error *error)
{
    struct branch *b = owner;
    assert_true(b->waiting > 0);
    b->ends++;
    b->verdict = verdict;
    b->error = *error;
}

bool branch_settle(struct branch *b)
{
    struct settle_options options = {
        .office = &b->office,
        .item = &b->item,
        .recipients = b->recipients,
        .count = b->count,
        .done = settled,
        .owner = b,
    };
    b->ends = 0;
    b->waiting++;
    if (!settle_start(&options)) {
        b->waiting--;
        assert_int_equal(b->held, 0);
        return false;
    }
    assert_int_equal(b->ends, 0);
    loop_run(b->store->loop);
    assert_int_equal(b->ends, 1);
    assert_int_equal(b->held, 0);
    return true;
}

/* --- Looking --- */

unsigned branch_count(struct branch *b, mailbox_id mailbox)
{
    struct maildrop_read read = world_list(b->store, mailbox);
    unsigned count = read.count;
    maildrop_read_clear(&read);
    return count;
}

static void wake(void *owner)
{
    struct branch *b = owner;
    loop_stop(b->store->loop);
}

struct text branch_read(struct branch *b, const struct maildrop_entry *entry, struct buffer *out)
{
    struct content *content = content_open(b->store->store, b->store->loop, entry);
    struct bytes piece;
    uint64_t offset = 0;
    enum content_state state = CONTENT_HERE;
    buffer_init(out, READ_MAX);
    assert_true(buffer_text(out, entry->prefix));
    while (state == CONTENT_HERE || state == CONTENT_WAIT) {
        state = content_read(content, offset, &piece, wake, b);
        if (state == CONTENT_WAIT)
            loop_run(b->store->loop);
        offset += piece.len;
        assert_true(buffer_append(out, piece.at, piece.len));
    }
    assert_int_equal(state, CONTENT_END);
    content_close(&content);
    return buffer_as_text(out);
}

struct text branch_first(struct branch *b, mailbox_id mailbox, struct buffer *out)
{
    struct maildrop_read read = world_list(b->store, mailbox);
    assert_true(read.count > 0);
    struct text words = branch_read(b, &read.entries[0], out);
    assert_int_equal(words.len, read.entries[0].octets);
    maildrop_read_clear(&read);
    return words;
}

static bool add_line(void *owner, const struct queue_item *item)
{
    const struct queue_row *row = &item->row;
    return buffer_printf(owner, "%.*s to %.*s: %u attempts%s, notify %u, last \"%.*s\"\n",
                         TEXT_ARGS(item->sender), TEXT_ARGS(row->address), row->attempts,
                         row->warned ? ", warned" : "", row->notify, TEXT_ARGS(row->last));
}

struct text branch_queue(struct branch *b, struct buffer *out)
{
    buffer_init(out, READ_MAX);
    assert_true(store_each_queued(b->store->path, add_line, out, &b->store->error));
    return buffer_as_text(out);
}

bool says(struct text t, const char *words)
{
    return t.len > 0 && memmem(t.at, t.len, words, strlen(words)) != NULL;
}
