/* spool.c - a body while it arrives: in memory, or on its way into a large file.
 *
 * In memory a spool is a few chunks that grow, the first of them in the same allocation as the
 * spool itself, so that an ordinary message costs one.  64 KB are every session's own; what it
 * takes beyond comes from the store's budget, and when that is used up, or at 1 MB, the spool
 * spills: its chunks go to a lane that writes them to the file, and come back to be filled again.
 *
 *   state     what holds                                           leaves by
 *   MEMORY    all of it is in `filled`                             append (spill), failure
 *   SPILLING  `pending` goes to the file in order, then `filling`  seal, failure
 *   FAILED    nothing is kept any more                             -
 *
 * The loop owns the spool.  In SPILLING a job of the bulk lane may be at work; what both touch has
 * a mutex, and whoever is last frees.  It never looks at what the octets mean.
 */
#include "store/local/spool_inner.h"

#include "base/check.h"
#include "store/local/bell.h"
#include "store/local/store_inner.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_CHUNK = 8 * 1024,
    OWN_OCTETS = 64 * 1024,  /* free of question */
    FILE_CHUNK = 256 * 1024, /* handed to the lane at once */
    SMALL_CHUNK = 64 * 1024, /* the same when the budget is used up */
    OUTSTANDING_MAX = 4,     /* chunks that wait for the lane before input stops */
    OUTSTANDING_LOW = 2,     /* and before it goes on */
    CHUNKS_A_TURN = 8,       /* written before other spools have theirs */
};

/* How the chunks of a spool in memory grow: 64 KB together, then doubling, 1 MB in all. */
static const uint32_t chunk_octets[SPOOL_PARTS_MAX] = {
    FIRST_CHUNK, 16 * 1024, 40 * 1024, 64 * 1024, 128 * 1024, 256 * 1024, 256 * 1024, 256 * 1024,
};

struct chunk {
    struct chunk *next;
    uint32_t len, room;
    uint8_t at[];
};

struct chunk_queue {
    struct chunk *first, *last;
    unsigned count;
};

enum state { MEMORY, SPILLING, FAILED };

/* What a lane does for a spool in SPILLING. */
struct spill {
    pthread_mutex_t mutex; /* for all below but `job` and `large` */
    struct chunk_queue pending, spare;
    unsigned outstanding; /* pending, and the one that is being written */
    bool busy;            /* the lane is at work, and will see what is set here */
    bool closed;          /* the lane frees the spool */
    bool failed;
    bool wants_ring; /* the loop waits for room */
    bool reads;      /* `back` is to be filled from the file, or is being filled */
    struct chunk *back;
    uint64_t back_at; /* what it begins with */
    void (*sealed)(void *owner, const struct error *);
    void *seal_owner;
    struct error error; /* of the first failure */
    struct job job;
    struct large *large;
    const uint64_t *checksums;
};

struct spool {
    struct store *store;
    struct loop *loop;
    void (*ready)(void *owner);
    void *owner;
    message_id id;
    enum state state;
    bool keeps; /* the file stays */
    bool counted;
    uint64_t octets;
    uint64_t charged; /* octets of memory in the store's figure */
    struct content_counter counter;
    struct content_facts total; /* once facts were added */
    struct chunk_queue filled;  /* MEMORY: all chunks, the last one has room */
    struct chunk *filling;      /* SPILLING: not handed over yet; or NULL */
    struct bell *bell;
    struct spill spill;
    struct chunk first; /* its octets lie behind the spool */
};

static void run_spill(struct job *job);

/* --- Chunks --- */

static void put(struct chunk_queue *q, struct chunk *chunk)
{
    chunk->next = NULL;
    if (q->first)
        q->last->next = chunk;
    else
        q->first = chunk;
    q->last = chunk;
    q->count++;
}

static struct chunk *take(struct chunk_queue *q)
{
    struct chunk *chunk = q->first;
    if (!chunk)
        return NULL;
    q->first = chunk->next;
    q->count--;
    return chunk;
}

static void charge(struct spool *s, uint64_t octets)
{
    atomic_fetch_add_explicit(&s->store->body_used, octets, memory_order_relaxed);
    s->charged += octets;
}

/* Whether the budget has so much more. */
static bool may_charge(const struct spool *s, uint64_t octets)
{
    return atomic_load_explicit(&s->store->body_used, memory_order_relaxed) + octets <=
           s->store->body_memory;
}

static struct chunk *chunk_new(struct spool *s, uint32_t room)
{
    struct chunk *chunk = malloc(sizeof *chunk + room);
    if (!chunk)
        return NULL;
    chunk->next = NULL;
    chunk->len = 0;
    chunk->room = room;
    charge(s, room);
    return chunk;
}

/* The first one's memory is the spool's. */
static void chunk_free(struct spool *s, struct chunk *chunk)
{
    if (chunk == &s->first)
        return;
    atomic_fetch_sub_explicit(&s->store->body_used, chunk->room, memory_order_relaxed);
    s->charged -= chunk->room;
    free(chunk);
}

static size_t fill(struct chunk *chunk, struct bytes octets)
{
    size_t len = chunk->room - chunk->len;
    if (len > octets.len)
        len = octets.len;
    if (len > 0)
        memcpy(chunk->at + chunk->len, octets.at, len);
    chunk->len += (uint32_t)len;
    return len;
}

/* --- Opening and closing --- */

struct spool *spool_open(struct store *store, message_id id, struct loop *loop,
                         void (*ready)(void *owner), void *owner)
{
    struct spool *s = malloc(sizeof *s + FIRST_CHUNK);
    if (!s)
        return NULL;
    *s = (struct spool){
        .store = store,
        .loop = loop,
        .ready = ready,
        .owner = owner,
        .id = id,
        .state = MEMORY,
    };
    content_counter_init(&s->counter);
    s->first.room = FIRST_CHUNK;
    charge(s, FIRST_CHUNK);
    put(&s->filled, &s->first);
    return s;
}

static void free_chunks(struct spool *s, struct chunk_queue *q)
{
    struct chunk *chunk;
    while ((chunk = take(q)))
        if (chunk != &s->first)
            free(chunk);
}

static void free_memory(struct spool *s)
{
    free_chunks(s, &s->filled);
    free_chunks(s, &s->spill.pending);
    free_chunks(s, &s->spill.spare);
    free(s->spill.back);
    if (s->filling != &s->first)
        free(s->filling);
    atomic_fetch_sub_explicit(&s->store->body_used, s->charged, memory_order_relaxed);
    free(s);
}

void spool_close(struct spool **spool_ref)
{
    struct spool *s = *spool_ref;
    *spool_ref = NULL;
    if (!s)
        return;
    if (!s->bell) { /* no lane has ever seen it */
        free_memory(s);
        return;
    }
    struct spill *p = &s->spill;
    pthread_mutex_lock(&p->mutex);
    p->closed = true;
    bool starts = !p->busy;
    p->busy = true;
    bell_free(&s->bell);
    pthread_mutex_unlock(&p->mutex);
    if (starts)
        lane_follow(s->store->bulk, &p->job);
}

/* --- In memory --- */

/* The next chunk of a spool in memory; NULL: it must spill. */
static struct chunk *grow(struct spool *s)
{
    unsigned count = s->filled.count;
    if (count == SPOOL_PARTS_MAX)
        return NULL;
    uint32_t room = chunk_octets[count];
    if (s->charged + room > OWN_OCTETS && !may_charge(s, room))
        return NULL;
    struct chunk *chunk = chunk_new(s, room);
    if (chunk)
        put(&s->filled, chunk);
    return chunk;
}

static bool start_spill(struct spool *s)
{
    struct spill *p = &s->spill;
    s->bell = bell_new(s->loop, s->ready, s->owner);
    if (!s->bell)
        return false;
    pthread_mutex_init(&p->mutex, NULL);
    p->job = (struct job){ .run = run_spill };
    p->pending = s->filled;
    p->outstanding = s->filled.count;
    s->filled = (struct chunk_queue){ 0 };
    s->state = SPILLING;
    return true;
}

/* --- On its way to the file: the loop's side --- */

/* With the mutex held. */
static bool must_start(struct spill *p)
{
    bool starts = !p->busy;
    p->busy = true;
    return starts;
}

static void hand_over(struct spool *s)
{
    struct spill *p = &s->spill;
    pthread_mutex_lock(&p->mutex);
    if (s->filling) {
        put(&p->pending, s->filling);
        p->outstanding++;
        s->filling = NULL;
    }
    bool starts = must_start(p);
    pthread_mutex_unlock(&p->mutex);
    if (starts)
        lane_follow(s->store->bulk, &p->job);
}

/* A chunk that came back, or a new one.  Past the budget only small ones: input then stops until
 * they are written. */
static struct chunk *next_filling(struct spool *s)
{
    struct spill *p = &s->spill;
    pthread_mutex_lock(&p->mutex);
    struct chunk *chunk = take(&p->spare);
    pthread_mutex_unlock(&p->mutex);
    bool may_grow = may_charge(s, FILE_CHUNK);
    if (chunk && chunk->room < FILE_CHUNK && may_grow) {
        chunk_free(s, chunk);
        chunk = NULL;
    }
    if (!chunk)
        return chunk_new(s, may_grow ? FILE_CHUNK : SMALL_CHUNK);
    chunk->len = 0;
    return chunk;
}

static enum spool_state look(struct spool *s)
{
    struct spill *p = &s->spill;
    pthread_mutex_lock(&p->mutex);
    bool failed = p->failed;
    p->wants_ring =
        !failed && (p->outstanding >= OUTSTANDING_MAX || (p->outstanding > 0 && !may_charge(s, 0)));
    bool waits = p->wants_ring;
    pthread_mutex_unlock(&p->mutex);
    if (failed)
        s->state = FAILED;
    return failed ? SPOOL_FAILED : waits ? SPOOL_WAIT : SPOOL_OPEN;
}

static enum spool_state append_spilling(struct spool *s, struct bytes octets)
{
    while (octets.len > 0) {
        if (!s->filling)
            s->filling = next_filling(s);
        if (!s->filling) {
            s->state = FAILED;
            return SPOOL_FAILED;
        }
        size_t len = fill(s->filling, octets);
        octets = (struct bytes){ octets.at + len, octets.len - len };
        if (s->filling->len == s->filling->room)
            hand_over(s);
    }
    return look(s);
}

/* --- Appending --- */

static enum spool_state append_memory(struct spool *s, struct bytes octets)
{
    while (octets.len > 0) {
        struct chunk *last = s->filled.last;
        if (last->len == last->room)
            last = grow(s);
        if (!last) {
            if (!start_spill(s)) {
                s->state = FAILED;
                return SPOOL_FAILED;
            }
            hand_over(s);
            return append_spilling(s, octets);
        }
        size_t len = fill(last, octets);
        octets = (struct bytes){ octets.at + len, octets.len - len };
    }
    return SPOOL_OPEN;
}

enum spool_state spool_append_counted(struct spool *s, struct bytes octets)
{
    s->octets += octets.len;
    switch (s->state) {
    case MEMORY:
        return append_memory(s, octets);
    case SPILLING:
        return append_spilling(s, octets);
    default:
        return SPOOL_FAILED;
    }
}

enum spool_state spool_append(struct spool *s, struct bytes octets)
{
    CHECK(!s->counted);
    content_count(&s->counter, octets);
    return spool_append_counted(s, octets);
}

uint64_t spool_octets(const struct spool *s)
{
    return s->octets;
}

/* --- Reading back --- */

static struct bytes slice_of(const struct chunk *chunk, uint64_t skip)
{
    return (struct bytes){ chunk->at + skip, chunk->len - (size_t)skip };
}

static struct bytes read_memory(const struct spool *s, uint64_t offset)
{
    const struct chunk *chunk = s->filled.first;
    for (; chunk->len <= offset; chunk = chunk->next)
        offset -= chunk->len;
    return slice_of(chunk, offset);
}

/* Whether `back` has the octet; if not, the lane is asked unless it is at work. */
static enum spool_state look_back(struct spool *s, uint64_t offset)
{
    struct spill *p = &s->spill;
    bool starts = false;
    pthread_mutex_lock(&p->mutex);
    bool failed = p->failed;
    bool here = !p->reads && offset >= p->back_at && offset - p->back_at < p->back->len;
    if (!failed && !here && !p->reads) {
        p->reads = true;
        p->back_at = offset;
        p->back->len = 0;
        starts = must_start(p);
    }
    pthread_mutex_unlock(&p->mutex);
    if (starts)
        lane_follow(s->store->bulk, &p->job);
    if (failed)
        s->state = FAILED;
    return failed ? SPOOL_FAILED : here ? SPOOL_OPEN : SPOOL_WAIT;
}

static enum spool_state read_spilled(struct spool *s, uint64_t offset, struct bytes *out)
{
    struct spill *p = &s->spill;
    if (s->filling)
        hand_over(s);
    if (!p->back)
        p->back = chunk_new(s, SMALL_CHUNK);
    enum spool_state state = p->back ? look_back(s, offset) : SPOOL_FAILED;
    if (state == SPOOL_OPEN)
        *out = slice_of(p->back, offset - p->back_at);
    return state;
}

enum spool_state spool_read(struct spool *s, uint64_t offset, struct bytes *out)
{
    *out = (struct bytes){ 0 };
    if (s->state == FAILED)
        return SPOOL_FAILED;
    if (offset >= s->octets)
        return SPOOL_OPEN;
    if (s->state == SPILLING)
        return read_spilled(s, offset, out);
    *out = read_memory(s, offset);
    return SPOOL_OPEN;
}

void spool_add_facts(struct spool *s, const struct content_facts *body)
{
    const struct content_facts *head = &s->counter.facts;
    CHECK(!s->counted);
    CHECK(head->octets == 0 || head->ends_with_crlf);
    s->counted = true;
    s->total = *body;
    s->total.octets += head->octets;
    s->total.received += head->received;
    if (head->line_longest > body->line_longest)
        s->total.line_longest = head->line_longest;
    s->total.dot_lines |= head->dot_lines;
    s->total.ends_with_crlf = body->octets ? body->ends_with_crlf : head->ends_with_crlf;
    s->total.eight_bit |= head->eight_bit;
    s->total.has_nul |= head->has_nul;
    s->total.bare_cr_or_lf |= head->bare_cr_or_lf;
}

const struct content_facts *spool_facts(const struct spool *s)
{
    return s->counted ? &s->total : &s->counter.facts;
}

/* --- On its way to the file: the lane's side --- */

static void note_failure(struct spill *p, const struct error *error)
{
    pthread_mutex_lock(&p->mutex);
    if (!p->failed)
        p->error = *error;
    p->failed = true;
    pthread_mutex_unlock(&p->mutex);
}

static void write_chunk(struct spool *s, const struct chunk *chunk)
{
    struct spill *p = &s->spill;
    struct error error;
    bool ok = p->large || large_open(s->store->journal, s->id, &p->large, &error);
    if (ok && large_write(p->large, (struct bytes){ chunk->at, chunk->len }, &error))
        space_wrote(s->store, chunk->len);
    else
        note_failure(p, &error);
}

static void finish(struct spool *s)
{
    struct spill *p = &s->spill;
    struct error error;
    uint64_t octets;
    if (!large_finish(p->large, &p->checksums, &octets, &error))
        note_failure(p, &error);
    else
        CHECK(octets == s->octets);
}

/* With the mutex held, after a chunk was written. */
static void give_back(struct spool *s, struct chunk *chunk)
{
    struct spill *p = &s->spill;
    put(&p->spare, chunk);
    p->outstanding--;
    if (!p->wants_ring || (p->outstanding > OUTSTANDING_LOW && !p->failed))
        return;
    p->wants_ring = false;
    bell_ring(s->bell);
}

static void fill_back(struct spill *p)
{
    struct error error;
    size_t len;
    if (large_read(p->large, p->back_at, p->back->at, p->back->room, &len, &error))
        p->back->len = (uint32_t)len;
    else
        note_failure(p, &error);
}

/* With the mutex held: `back` is the loop's again. */
static void end_read(struct spool *s)
{
    s->spill.reads = false;
    if (!s->spill.closed)
        bell_ring(s->bell);
}

/* With the mutex held, which it gives up in between. */
static void do_one(struct spool *s)
{
    struct spill *p = &s->spill;
    struct chunk *chunk = take(&p->pending);
    bool reads = !chunk && p->reads, failed = p->failed;
    pthread_mutex_unlock(&p->mutex);
    if (chunk && !failed)
        write_chunk(s, chunk);
    else if (reads && !failed)
        fill_back(p);
    else if (!failed)
        finish(s);
    pthread_mutex_lock(&p->mutex);
    if (reads)
        end_read(s);
    else if (chunk && !p->closed)
        give_back(s, chunk);
    else if (chunk)
        put(&p->spare, chunk);
}

/* The same. */
static void tell_sealed(struct spill *p)
{
    void (*sealed)(void *owner, const struct error *) = p->sealed;
    const struct error *trouble = p->failed ? &p->error : NULL;
    p->sealed = NULL;
    pthread_mutex_unlock(&p->mutex);
    sealed(p->seal_owner, trouble);
    pthread_mutex_lock(&p->mutex);
}

static void end(struct spool *s)
{
    struct spill *p = &s->spill;
    if (p->large)
        large_close(&p->large, s->keeps);
    pthread_mutex_destroy(&p->mutex);
    free_memory(s);
}

/* Does what there is to do, some of it at a time; a spool that was closed is not written any
 * further. */
static void run_spill(struct job *job)
{
    struct spool *s = OWNER_OF(job, struct spool, spill.job);
    struct spill *p = &s->spill;
    bool wants = true;
    pthread_mutex_lock(&p->mutex);
    for (int i = 0; wants && !p->closed && i < CHUNKS_A_TURN; i++) {
        bool seals = !p->pending.count && p->sealed;
        wants = p->pending.count || seals || p->reads;
        if (wants)
            do_one(s);
        if (seals)
            tell_sealed(p);
    }
    bool closed = p->closed;
    p->busy = wants || closed;
    pthread_mutex_unlock(&p->mutex);
    if (closed)
        end(s);
    else if (wants)
        lane_follow(s->store->bulk, &p->job);
}

/* --- For commit --- */

bool spool_is_whole(const struct spool *s)
{
    return s->state != FAILED;
}

bool spool_is_large(const struct spool *s)
{
    return s->bell != NULL;
}

void spool_seal(struct spool *s, void (*sealed)(void *owner, const struct error *), void *owner)
{
    struct spill *p = &s->spill;
    pthread_mutex_lock(&p->mutex);
    p->sealed = sealed;
    p->seal_owner = owner;
    pthread_mutex_unlock(&p->mutex);
    hand_over(s);
}

int spool_parts(const struct spool *s, struct iovec parts[SPOOL_PARTS_MAX])
{
    int count = 0;
    for (struct chunk *chunk = s->filled.first; chunk; chunk = chunk->next)
        if (chunk->len > 0)
            parts[count++] = (struct iovec){ chunk->at, chunk->len };
    return count;
}

const uint64_t *spool_checksums(const struct spool *s)
{
    return s->spill.checksums;
}

void spool_keep(struct spool *s)
{
    s->keeps = true;
}
