/* world.h - the simulated world: its time, its chance, its hosts, and what counts as a failure.
 *
 * One thread runs everything.  Whatever will happen is an event in the heap of the host that it
 * happens to; the world takes the earliest of all, lets it happen, and goes on.  A run is a seed:
 * chance comes from one generator, time from the heap, so the same seed gives the same run, which
 * the hash of its trace shows.
 *
 * The functions of run/ have no world among their arguments, so there is one pointer that says
 * which world this thread is in: world_now().  It is the only variable of the program that is not
 * in a world.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/error.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/net.h"
#include "sim/points.h"

struct guest;
struct host;
struct ledger;
struct loop;
struct medium;
struct world;
struct zone;

/* --- Events --- */

struct event {
    struct heap_node node; /* key: when, in us */
    void (*fire)(struct event *);
    struct host *host;
    /* Whose turn it is: the loop's, or a lane's; neither: somebody's who has all to himself. */
    struct loop *loop;
    bool on_lane;
};

/* Sets or moves the event.  With the host of the event gone from life it happens all the same: that
 * is how a dead server is taken apart. */
void event_at(struct event *, uint64_t at_us);
/* So much from now on; never before what is now. */
void event_in(struct event *, uint64_t us);
/* Once in so much time, on average; 0: never. */
void event_some_time(struct event *, uint64_t every_us);
void event_cancel(struct event *);
static inline bool event_is_set(const struct event *e)
{
    return e->node.place != 0;
}

/* --- Hosts --- */

enum { HOSTS_MAX = 9, HOST_NAME_MAX_OCTETS = 32 };

/* A machine with one disk, one address, and one process at a time.  Host 0 is everybody outside:
 * it never dies. */
struct host {
    struct world *world;
    unsigned number;
    char name[HOST_NAME_MAX_OCTETS]; /* "n1.test" */
    char data[HOST_NAME_MAX_OCTETS]; /* "/n1/data": what paths begin with */
    char vault_path[HOST_NAME_MAX_OCTETS], spare_path[HOST_NAME_MAX_OCTETS]; /* "/n1/vault" */
    struct endpoint address;
    struct heap events;
    struct medium *disk;
    struct medium *vault;  /* where backups go */
    struct medium *spare;  /* where whoever examines puts something */
    struct list streams;   /* of its loops */
    struct list listeners; /* listening or bound */
    bool dead;             /* the process is: nothing that it does has any effect */
    uint64_t after_us;     /* its time when it is dead */
    uint64_t troubles;     /* how often its disk, or memory, has failed it */
    int64_t wall_skew_ms;
    void (*stepped)(struct host *); /* after each of its events, once the stack has unwound */
    enum compaction_state (*compaction)(const struct host *); /* what that of its store does */
    void *node;                                               /* sim/node.c: its server */
};

void host_init(struct host *, struct world *, unsigned number);
void host_clear(struct host *);
/* From now on nothing that its process does has an effect. */
void host_die(struct host *, const char *how);
/* Lets what is in a dead host's heap happen until *ends is true or there is nothing left; false
 * when it takes too long. */
bool host_unwind(struct host *, const bool *ends);
/* The disk that the path lies on, and its name there; NULL: none. */
struct medium *world_disk_of_path(const char *path, const char **name_out);

/* --- What may go wrong: each kind is counted --- */

enum fault {
    FAULT_CUT,          /* a connection is reset */
    FAULT_STALL,        /* what is under way takes seconds */
    FAULT_SHORT_WRITE,  /* a stream takes a part only */
    FAULT_CRUMBS,       /* input comes in small pieces */
    FAULT_RUDE,         /* a peer goes away in the middle */
    FAULT_KILL,         /* the process ends, the kernel lives */
    FAULT_POWER,        /* everything that was not synced is at risk */
    FAULT_IN_DISK_CALL, /* one of the two, within a call of the disk */
    FAULT_LOST_PAGE,
    FAULT_TORN_PAGE,
    FAULT_LOST_NAME,
    FAULT_WRITE_ERROR, /* EIO */
    FAULT_PART_WRITTEN,
    FAULT_SYNC_ERROR,
    FAULT_BACKUP_CUT,
    FAULT_DAMAGE,     /* octets of the journal become others */
    FAULT_NAME_ERROR, /* a name, or a length, cannot be changed */
    FAULT_READ_ERROR,
    FAULT_NO_SPACE,
    FAULT_COLD_READ,   /* what is read is not in memory */
    FAULT_MEMORY,      /* no memory is given */
    FAULT_CLOCK,       /* the wall clock jumps */
    FAULT_DNS,         /* no answer, after a long time */
    FAULT_DNS_FAILS,   /* SERVFAIL */
    FAULT_DNS_BOGUS,   /* what is answered does not verify */
    FAULT_DNS_GONE,    /* a name that exists does not, for a moment */
    FAULT_DNS_LIES,    /* another host than it is */
    FAULT_MOVE,        /* a domain's mail goes to another host from now on */
    FAULT_DOWN,        /* nobody takes a domain's mail for a while */
    FAULT_STEER,       /* somebody holds, releases, drops what is queued */
    FAULT_CERTIFICATE, /* the hosts of a place present wrong ones */
    FAULT_STRIPPED,    /* they do not offer TLS */
    FAULT_FETCH,       /* a policy cannot be fetched */
    FAULT_DEFER,       /* a host outside wants it later */
    FAULT_RELOAD,      /* the server is told something new while it serves */
    FAULT_HANG_UP,     /* ... or goes away, having taken the message or not */
    FAULTS,
};
const char *fault_name(enum fault);
/* The word for it on a command line; false: there is none. */
bool fault_of_word(struct text word, enum fault *out);
const char *fault_word(enum fault);

/* --- What is checked: each is counted, so that one sees which never had a chance to fail --- */

enum check {
    CHECK_STARTS,    /* a server starts on whatever a crash has left */
    CHECK_ENDS,      /* and stops in finite time */
    CHECK_KEPT,      /* what was accepted is there */
    CHECK_REFUSED,   /* what was refused is not */
    CHECK_WHOLE,     /* a message came to all its recipients or to none */
    CHECK_ONCE,      /* and once to each */
    CHECK_OCTETS,    /* octet for octet */
    CHECK_TRACE,     /* behind the fields that the server puts in front */
    CHECK_REPORT,    /* whoever sends to nobody is told so once, and nobody else ever */
    CHECK_TOLD,      /* a failure is only told when somebody said so for good */
    CHECK_OUTCOME,   /* each recipient elsewhere ends in exactly one way */
    CHECK_DRAINED,   /* when it is calm all mail arrives in bounded time */
    CHECK_EXPIRED,   /* what is given up for its age has that age */
    CHECK_WARNED,    /* a delay is told once, and not before its time */
    CHECK_STEERED,   /* what is dropped was asked to be, and what is held stays */
    CHECK_SECURE,    /* nothing goes in clear, or to a wrong host, where that is not allowed */
    CHECK_LOGIN,     /* only who has logged in submits, and as himself */
    CHECK_QUOTA,     /* and no more than he may */
    CHECK_AMENDED,   /* what a submitted header lacks is added */
    CHECK_SIZES,     /* STAT, LIST and RETR agree */
    CHECK_DELETED,   /* what was deleted stays away */
    CHECK_UNDELETED, /* without QUIT nothing is deleted */
    CHECK_LOCK,      /* a box that nobody reads can be read */
    CHECK_RELOAD,    /* what a reload has changed is in effect, and only then */
    CHECK_OWN_LOOP,  /* what belongs to a loop is touched by that loop only */
    CHECK_ORDER,     /* each reply is one to its command */
    CHECK_REBUILT,   /* a rebuilt index is the live one */
    CHECK_VERIFIED,  /* every frame and every reference verifies */
    CHECK_COMPACTED, /* ... after each compaction too, in a store that goes on */
    CHECK_SPACE,     /* the space of deleted mail comes back */
    CHECK_BACKUP,    /* a backup can be made, and restored */
    CHECK_DAMAGE,    /* damage is named, and nothing else is lost */
    CHECK_RESTORED,  /* what was restored has all that counted before, and nothing that did not */
    CHECKS,
};
const char *check_name(enum check);
/* The check is made; `holds` false: the run has failed. */
void world_expect(enum check, bool holds, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* How likely each thing is, in millionths of whatever it may happen to. */
struct weather {
    uint32_t cut, stall, short_write, crumbs, rude;
    uint32_t disk_crash, write_error, sync_error, name_error, read_error, cold_read, torn, lost;
    uint32_t dns, memory;
    uint32_t dns_fails, dns_bogus, dns_gone, dns_lies, defer, hang_up, stripped, fetch;
    /* On average; 0: never. */
    uint64_t crash_every_us, full_every_us, jump_every_us, move_every_us, reload_every_us;
    uint64_t down_every_us, steer_every_us, wrong_every_us;
    uint64_t latency_us; /* at most, of a quiet connection */
    struct point focus;  /* calls that are struck more often than others */
    uint32_t focus_crash, focus_fails;
    unsigned focus_times; /* that are left */
    uint32_t rougher; /* so many times as likely are faults of the disk while compaction works */
    uint64_t backup_every_us;
    bool damage; /* of the journal, at the end */
    bool tidy;   /* small segments, and nobody keeps anything: compaction has work */
};

/* --- The world --- */

struct random {
    uint64_t state[4];
};

struct world {
    uint64_t seed;
    struct random chance;
    uint64_t now_us;
    uint64_t steps;
    uint64_t *steps_told; /* where whoever looks from outside reads them, or NULL */
    uint64_t trace;       /* the hash of all that happened */
    uint64_t show_from;   /* the step from which the trace is printed */
    struct host hosts[HOSTS_MAX];
    unsigned host_count;
    struct host *current; /* whose code is running */
    struct loop *turning; /* on which of his loops, when it is on one */
    bool on_lane;         /* or on one of his lanes */
    struct guest *guest;  /* another program of that host, which runs; NULL: its server */
    struct weather weather;
    uint64_t without; /* kinds of fault that never strike: 1 << enum fault */
    bool calm;        /* nothing goes wrong any more */
    bool drained;     /* and no mail is on its way: the audit has begun */
    struct ledger *ledger;
    struct zone *zone;
    unsigned own_work; /* the world itself needs memory: it gets it */
    bool ends, failed;
    char why[ERROR_WORDS_MAX];
    uint64_t faults[FAULTS], checks[CHECKS];
    struct points points;
    uint64_t next_socket;
};

/* The world of this thread. */
struct world *world_now(void);
void world_enter(struct world *);

void world_init(struct world *, uint64_t seed);
void world_clear(struct world *);
/* Runs until *ends of the world, or until it failed. */
void world_run(struct world *);
/* The run has failed: the first reason counts. */
void world_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Who ran, and whether it was calm, before somebody looked from outside. */
struct stand {
    struct host *current;
    bool was_calm;
};
/* Whoever looks changes nothing, and nothing goes wrong for him meanwhile. */
struct stand world_look_as(struct host *);
void world_look_back(struct stand);

/* Now, as whoever runs sees it. */
uint64_t world_time_us(void);
struct host *world_current(void);

/* --- Chance --- */

uint64_t chance_u64(void);
/* 0 to below - 1; below is at least 1. */
uint64_t chance_below(uint64_t below);
/* From low to high. */
uint64_t chance_from(uint64_t low, uint64_t high);
/* Whether something with this likelihood in a million happens; it never does when all is calm. */
bool chance_of(uint32_t millionths);
/* ... as this kind of fault, and counts it. */
bool fault_strikes(enum fault, uint32_t millionths);
void fault_count(enum fault);
/* How often the disk or memory has failed anybody so far.  What goes wrong for a host may be their
 * fault only if host->troubles is not what it was when that began. */
uint64_t world_troubles(void);

/* --- The trace --- */

/* Something happened.  What is said goes into the hash, and is shown when somebody looks. */
void trace_words(const char *format, ...) __attribute__((format(printf, 1, 2)));
void trace_hash(const void *octets, size_t len);
/* Whether it is shown: for what costs something to put into words. */
bool trace_is_shown(void);
void trace_show(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
