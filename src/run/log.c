/* log.c - the log: rings that threads fill, and the thread that writes them.
 *
 * A ring is a buffer that the writer exchanges for an empty one; its lock is held while one line is
 * put together, or for the exchange.  A loop with a ring of its own therefore never waits for
 * another thread longer than that, and never for the file.
 *
 * The writer sleeps while there is nothing to write.  The first line in an empty ring wakes it, and
 * it then gives the others 50 ms to follow; a ring that has gathered 64 KB wakes it at once.  It
 * exchanges all rings as of one moment, so a line that follows from another comes with it or later,
 * and merges them by the time of their lines (log_merge.c).
 *
 * What cannot be written (a full disk, a closed pipe) is lost, counted, and told as soon as
 * something can be written again: the log never holds up the mail.
 */
#include "run/log.h"

#include "base/check.h"
#include "mail/date.h"
#include "run/clock.h"
#include "run/log_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    RING_OCTETS_KEPT = 128 * 1024, /* of memory, by an exchanged buffer */
    RING_OCTETS_FULL = 64 * 1024,  /* write at once */
    NOTE_OCTETS_MAX = 1024,
    GATHER_MS = 50,
    STALLED_MS_MAX = 1000, /* how long a pipe that takes nothing is waited for */
    LOG_STACK_BYTES = 128 * 1024,
};

struct ring {
    _Alignas(64) pthread_mutex_t lock;
    struct log_stretch stretches[2];
    struct log_stretch *filling; /* one of them; the other is the writer's */
    uint64_t dropped;            /* lines that did not fit */
    int64_t stamp_ms;
    struct text stamp; /* that moment, in stamp_text */
    char stamp_text[DATE_TEXT_MAX];
};

struct log {
    _Atomic(enum log_format) format;
    atomic_bool prefix;
    pthread_key_t own_ring;

    pthread_mutex_t lock; /* guards the next five */
    pthread_cond_t wake;
    bool pending; /* a ring holds lines */
    bool urgent;  /* a ring holds many */
    bool stopping;
    int next_file; /* takes the place of `file`; -1 if none */

    bool started;
    pthread_t writer;
    /* The writer's own. */
    int file;
    uint64_t lost; /* lines, not told yet */
    struct log_stretch *taken[LOG_RINGS_MAX];

    unsigned ring_count;
    struct ring rings[];
};

/* Putting lines into rings */

static struct ring *own_ring(struct log *log)
{
    struct ring *ring = pthread_getspecific(log->own_ring);
    return ring ? ring : &log->rings[log->ring_count - 1];
}

void log_use_ring(struct log *log, unsigned ring)
{
    CHECK(ring < log->ring_count);
    /* Without memory for it the thread shares the last ring. */
    (void)pthread_setspecific(log->own_ring, &log->rings[ring]);
}

/* With the ring's lock held.  Most lines of a busy server share their second, many their
 * millisecond. */
static struct text stamp(struct ring *ring)
{
    int64_t now = clock_wall_ms();
    if (now == ring->stamp_ms)
        return ring->stamp;
    if (now > 0 && now / 1000 == ring->stamp_ms / 1000) {
        char *digits = ring->stamp_text + ring->stamp.len - sizeof "123Z" + 1;
        int ms = (int)(now % 1000);
        digits[0] = (char)('0' + ms / 100);
        digits[1] = (char)('0' + ms / 10 % 10);
        digits[2] = (char)('0' + ms % 10);
    } else {
        ring->stamp = date_rfc3339(now, true, ring->stamp_text);
    }
    ring->stamp_ms = now;
    return ring->stamp;
}

static void wake_writer(struct log *log, bool urgent)
{
    pthread_mutex_lock(&log->lock);
    bool news = !log->pending || (urgent && !log->urgent);
    log->pending = true;
    log->urgent |= urgent;
    if (news)
        pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
}

/* Locks the ring and tells what the line begins with. */
static struct log_line begin_line(struct log *log, struct ring *ring, struct text session)
{
    pthread_mutex_lock(&ring->lock);
    return (struct log_line){
        .format = atomic_load_explicit(&log->format, memory_order_relaxed),
        .prefix = atomic_load_explicit(&log->prefix, memory_order_relaxed),
        .time = stamp(ring),
        .session = session,
    };
}

/* Keeps or drops the line that begins at `start`, and unlocks the ring. */
static void end_line(struct log *log, struct ring *ring, size_t start, bool complete)
{
    struct log_stretch *filling = ring->filling;
    if (complete) {
        log_stretch_mark(filling, ring->stamp_ms, start);
    } else {
        filling->lines.len = start;
        filling->lines.failed = false;
        ring->dropped++;
    }
    bool first = start == 0;
    bool many = start < RING_OCTETS_FULL && filling->lines.len >= RING_OCTETS_FULL;
    pthread_mutex_unlock(&ring->lock);
    if (first || many)
        wake_writer(log, many);
}

void log_event(struct log *log, enum log_level level, struct text session, const char *event,
               struct log_fields fields)
{
    struct ring *ring = own_ring(log);
    struct log_line line = begin_line(log, ring, session);
    line.level = level;
    struct buffer *lines = &ring->filling->lines;
    size_t start = lines->len;
    end_line(log, ring, start, log_line_event(lines, &line, event, fields));
}

void log_protocol(struct log *log, struct text session, enum log_from from, struct text words)
{
    struct ring *ring = own_ring(log);
    struct log_line line = begin_line(log, ring, session);
    struct buffer *lines = &ring->filling->lines;
    size_t start = lines->len;
    end_line(log, ring, start, log_line_protocol(lines, &line, from, words));
}

/* Writing */

static bool wait_for_room(int file)
{
    struct pollfd look = { .fd = file, .events = POLLOUT };
    return poll(&look, 1, STALLED_MS_MAX) == 1;
}

static bool write_all(int file, struct bytes data)
{
    while (data.len > 0) {
        ssize_t written = write(file, data.at, data.len);
        if (written >= 0) {
            data.at += written;
            data.len -= (size_t)written;
        } else if (errno == EAGAIN && wait_for_room(file)) {
            continue;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* What cannot be written is lost. */
static void write_lines(void *owner, struct bytes lines)
{
    struct log *log = owner;
    if (!write_all(log->file, lines))
        log->lost += log_count_lines(lines);
}

/* With all locks held, so that nothing that follows from a line is taken without it. */
static void take_stretches(struct log *log)
{
    for (unsigned i = 0; i < log->ring_count; i++)
        pthread_mutex_lock(&log->rings[i].lock);
    for (unsigned i = 0; i < log->ring_count; i++) {
        struct ring *ring = &log->rings[i];
        log->taken[i] = ring->filling;
        ring->filling = &ring->stretches[ring->filling == ring->stretches];
        log->lost += ring->dropped;
        ring->dropped = 0;
    }
    for (unsigned i = 0; i < log->ring_count; i++)
        pthread_mutex_unlock(&log->rings[i].lock);
}

static void write_loss(struct log *log)
{
    struct buffer note;
    char moment[DATE_TEXT_MAX], number[32];
    buffer_init(&note, NOTE_OCTETS_MAX);
    snprintf(number, sizeof number, "%llu", (unsigned long long)log->lost);
    const struct log_line line = {
        .format = atomic_load(&log->format),
        .prefix = atomic_load(&log->prefix),
        .time = date_rfc3339(clock_wall_ms(), true, moment),
        .level = LOG_WARNING,
    };
    if (log_line_event(&note, &line, "log-lines-lost", LOG_FIELDS({ "lines", text_of(number) })) &&
        write_all(log->file, buffer_bytes(&note)))
        log->lost = 0;
    buffer_clear(&note);
}

static void write_rings(struct log *log)
{
    take_stretches(log);
    log_merge(log->taken, log->ring_count, write_lines, log);
    for (unsigned i = 0; i < log->ring_count; i++)
        log_stretch_empty(log->taken[i], RING_OCTETS_KEPT);
    if (log->lost > 0)
        write_loss(log);
}

static void close_file(int file)
{
    if (file >= 0 && file != STDERR_FILENO)
        close(file);
}

/* With the log's lock held; returns with it held. */
static void gather(struct log *log)
{
    while (!log->pending && !log->stopping)
        pthread_cond_wait(&log->wake, &log->lock);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += GATHER_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    while (!log->urgent && !log->stopping &&
           pthread_cond_timedwait(&log->wake, &log->lock, &until) == 0)
        ;
}

/* With the log's lock held. */
static void take_next_file(struct log *log)
{
    if (log->next_file < 0)
        return;
    close_file(log->file);
    log->file = log->next_file;
    log->next_file = -1;
}

static void *writer_thread(void *argument)
{
    struct log *log = argument;
    pthread_setname_np(pthread_self(), "log");
    for (bool last = false; !last;) {
        pthread_mutex_lock(&log->lock);
        gather(log);
        take_next_file(log);
        last = log->stopping;
        log->pending = log->urgent = false;
        pthread_mutex_unlock(&log->lock);
        write_rings(log);
    }
    return NULL;
}

/* Opening and closing */

/* Whether standard error is the journal's stream: systemd.exec(5) on JOURNAL_STREAM. */
static bool is_journal(void)
{
    const char *words = getenv("JOURNAL_STREAM");
    struct stat status;
    struct text inode = text_of(words), device;
    uint64_t device_number, inode_number;
    return words && fstat(STDERR_FILENO, &status) == 0 && text_cut(&inode, ':', &device) &&
           text_to_u64(device, &device_number) && device_number == status.st_dev &&
           text_to_u64(inode, &inode_number) && inode_number == status.st_ino;
}

static bool open_file(const struct log_options *options, int *file_out, struct error *e)
{
    *file_out = STDERR_FILENO;
    if (!options->file || !options->file[0])
        return true;
    *file_out = open(options->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    return *file_out >= 0 ||
           error_system(e, ERROR_TEMPORARY, errno, "cannot open the log %s", options->file);
}

static void set_style(struct log *log, const struct log_options *options, int file)
{
    atomic_store(&log->format, options->format);
    atomic_store(&log->prefix, file == STDERR_FILENO && is_journal());
}

static void init_lock(pthread_mutex_t *lock, pthread_cond_t *wake)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(lock, NULL);
    pthread_cond_init(wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static struct log *allocate(unsigned rings)
{
    struct log *log;
    size_t size = sizeof *log + rings * sizeof log->rings[0];
    if (posix_memalign((void **)&log, _Alignof(struct log), size) != 0)
        return NULL;
    memset(log, 0, size);
    if (pthread_key_create(&log->own_ring, NULL) != 0) {
        free(log);
        return NULL;
    }
    init_lock(&log->lock, &log->wake);
    log->next_file = -1;
    log->ring_count = rings;
    for (unsigned i = 0; i < rings; i++) {
        struct ring *ring = &log->rings[i];
        pthread_mutex_init(&ring->lock, NULL);
        log_stretch_init(&ring->stretches[0]);
        log_stretch_init(&ring->stretches[1]);
        ring->filling = ring->stretches;
    }
    return log;
}

bool log_new(const struct log_options *options, struct log **out, struct error *e)
{
    int file;
    *out = NULL;
    CHECK(options->rings > 0);
    CHECK(options->rings <= LOG_RINGS_MAX);
    if (!open_file(options, &file, e))
        return false;
    struct log *log = allocate(options->rings);
    if (!log) {
        close_file(file);
        return error_system(e, ERROR_TEMPORARY, ENOMEM, "cannot make the log");
    }
    log->file = file;
    set_style(log, options, file);
    *out = log;
    return true;
}

/* Returns 0 or an errno value. */
static int start_writer(struct log *log)
{
    pthread_attr_t attributes;
    int status = pthread_attr_init(&attributes);
    if (status != 0)
        return status;
    CHECK(pthread_attr_setstacksize(&attributes, LOG_STACK_BYTES) == 0);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status = pthread_create(&log->writer, &attributes, writer_thread, log);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return status;
}

bool log_start(struct log *log, struct error *e)
{
    CHECK(!log->started);
    int status = start_writer(log);
    log->started = status == 0;
    return log->started ||
           error_system(e, ERROR_TEMPORARY, status, "cannot start the thread of the log");
}

bool log_reopen(struct log *log, const struct log_options *options, struct error *e)
{
    int file;
    if (!open_file(options, &file, e))
        return false;
    /* Only the writer touches its file: it may be held up in a write just now. */
    pthread_mutex_lock(&log->lock);
    close_file(log->next_file);
    log->next_file = file;
    log->pending = true;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
    set_style(log, options, file);
    return true;
}

static void stop_writer(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    log->stopping = true;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->writer, NULL);
}

void log_free(struct log **log_ref)
{
    struct log *log = *log_ref;
    if (!log)
        return;
    *log_ref = NULL;
    if (log->started) {
        stop_writer(log);
    } else {
        take_next_file(log);
        write_rings(log);
    }
    close_file(log->file);
    for (unsigned i = 0; i < log->ring_count; i++) {
        log_stretch_empty(&log->rings[i].stretches[0], 0);
        log_stretch_empty(&log->rings[i].stretches[1], 0);
        pthread_mutex_destroy(&log->rings[i].lock);
    }
    pthread_cond_destroy(&log->wake);
    pthread_mutex_destroy(&log->lock);
    pthread_key_delete(log->own_ring);
    free(log);
}
