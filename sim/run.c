/* run.c - one world from its beginning to its end: faults, then calm, then the last audit.
 *
 *   STORM  peers come and go, and everything goes wrong now and then, until all letters were tried
 *   CALM   nothing goes wrong any more; who is here finishes, who is down comes up, queues drain
 *   AUDIT  every box is read to its end and nothing is deleted: the ledger must come out even
 *   TIDY   the stores win back the space of what was deleted, as far as that is worth it
 *   END    the servers stop in the ordinary way; their stores are verified
 */
#include "sim/run.h"

#include "base/check.h"
#include "sim/compaction.h"
#include "sim/damage.h"
#include "sim/node.h"
#include "sim/town.h"
#include "sim/vfs.h"
#include "sim/zone.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_US = 500 * 1000,
    PARTING_US = 60 * 1000 * 1000,
    DRAIN_LOOK_US = 20 * 1000 * 1000, /* each opens the store of each server */
    USERS_MAX = 6,
    SWARM_NODES_MAX = 5,
    FOCUS_SELDOM = 20 * 1000, /* millionths */
    FOCUS_OFTEN = 200 * 1000,
    FOCUS_TIMES_MAX = 40,
    CALM_MS_MAX = 6 * 3600 * 1000
};

static const uint64_t drain_us_max = (uint64_t)2 * 3600 * 1000 * 1000;

enum phase { STORM, CALM, AUDIT, TIDY, END };

struct run {
    struct world world;
    struct ledger *ledger;
    struct town town;
    struct node nodes[HOSTS_MAX];
    unsigned node_count;
    enum phase phase;
    size_t audited;            /* boxes */
    uint64_t looks[HOSTS_MAX]; /* of each store's compaction before it was calm */
    uint64_t storm_ends_us, calm_since_us;
    uint64_t drain_look_us; /* when to look again whether mail waits */
    struct event look;
};

bool run_set_up(void)
{
    return vfs_set_up();
}

/* --- Weather --- */

/* Nothing, seldom, often. */
static uint32_t likelihood(uint32_t seldom, uint32_t often)
{
    static const unsigned dice = 3;
    switch (chance_below(dice)) {
    case 0:
        return 0;
    case 1:
        return seldom;
    default:
        return often;
    }
}

/* Kinds that fault_strikes() is not asked for, or not by that name. */
static void remove_kinds(struct weather *w, uint64_t without)
{
    const struct {
        enum fault fault;
        uint32_t *likelihood;
    } kinds[] = {
        { FAULT_CUT, &w->cut },
        { FAULT_RUDE, &w->rude },
        { FAULT_LOST_PAGE, &w->lost }, /* names too */
    };
    const struct {
        enum fault fault;
        uint64_t *every_us;
    } events[] = {
        { FAULT_KILL, &w->crash_every_us },        { FAULT_NO_SPACE, &w->full_every_us },
        { FAULT_BACKUP_CUT, &w->backup_every_us }, { FAULT_CLOCK, &w->jump_every_us },
        { FAULT_MOVE, &w->move_every_us },         { FAULT_DOWN, &w->down_every_us },
        { FAULT_CERTIFICATE, &w->wrong_every_us }, { FAULT_STEER, &w->steer_every_us },
        { FAULT_RELOAD, &w->reload_every_us },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (without >> kinds[i].fault & 1)
            *kinds[i].likelihood = 0;
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (without >> events[i].fault & 1)
            *events[i].every_us = 0;
    if (without >> FAULT_DAMAGE & 1)
        w->damage = false;
}

static void draw_focus(struct weather *w)
{
    w->focus = (struct point){ (enum call_kind)chance_below(CALLS),
                               (enum file_kind)chance_below(FILE_KINDS) };
    w->focus_crash = likelihood(FOCUS_SELDOM, FOCUS_OFTEN);
    w->focus_fails = likelihood(FOCUS_SELDOM, FOCUS_OFTEN);
    w->focus_times = (unsigned)chance_from(1, FOCUS_TIMES_MAX);
}

static void draw_weather(struct weather *w, uint64_t storm_us, uint64_t without)
{
    *w = (struct weather){
        .cut = likelihood(5000, 100000),
        .stall = likelihood(100, 3000),
        .short_write = likelihood(1000, 300000),
        .crumbs = likelihood(1000, 100000),
        .rude = likelihood(2000, 20000),
        .disk_crash = likelihood(10, 400),
        .write_error = likelihood(20, 500),
        .sync_error = likelihood(100, 3000),
        .read_error = chance_below(4) ? 0 : likelihood(10, 200),
        .cold_read = likelihood(10000, 500000),
        .torn = likelihood(10000, 300000),
        .lost = likelihood(100000, 500000),
        .dns = likelihood(1000, 50000),
        .crash_every_us = chance_below(4) ? storm_us / chance_from(2, 30) : 0,
        .latency_us = likelihood(2000, 100000),
        .name_error = likelihood(100, 3000),
        .memory = chance_below(4) ? 0 : likelihood(5, 100),
        .full_every_us = chance_below(4) ? 0 : storm_us / chance_from(2, 10),
        .jump_every_us = chance_below(4) ? 0 : storm_us / chance_from(2, 10),
        .dns_fails = likelihood(1000, 50000),
        .dns_bogus = likelihood(1000, 50000),
        .dns_gone = likelihood(500, 10000),
        .dns_lies = likelihood(500, 20000),
        .defer = likelihood(5000, 100000),
        .hang_up = likelihood(2000, 50000),
        .move_every_us = chance_below(2) ? 0 : storm_us / chance_from(2, 20),
        .rougher = chance_below(2) ? 1 : (uint32_t)chance_from(2, 40),
        .backup_every_us = chance_below(2) ? 0 : storm_us / chance_from(2, 12),
        .damage = chance_below(3) == 0,
        .tidy = chance_below(2) == 0,
        .down_every_us = chance_below(2) ? 0 : storm_us / chance_from(2, 10),
        .wrong_every_us = chance_below(2) ? 0 : storm_us / chance_from(5, 40),
        .stripped = likelihood(5000, 200000),
        .fetch = likelihood(50000, 500000),
        .steer_every_us = chance_below(2) ? 0 : storm_us / chance_from(2, 20),
        .reload_every_us = chance_below(2) ? 0 : storm_us / chance_from(2, 12),
    };
    draw_focus(w);
    remove_kinds(w, without);
}

/* --- Phases --- */

static bool all_up(const struct run *r)
{
    for (unsigned i = 0; i < r->node_count; i++)
        if (!r->nodes[i].server || r->nodes[i].host->dead || r->nodes[i].backup.guest)
            return false;
    return true;
}

static bool is_drained(struct run *r)
{
    uint64_t waiting = 0;
    if (r->world.now_us < r->drain_look_us)
        return false;
    r->drain_look_us = r->world.now_us + DRAIN_LOOK_US;
    bool in_time = r->world.now_us - r->calm_since_us < drain_us_max;
    for (unsigned i = 0; i < r->node_count; i++)
        waiting += node_waiting(&r->nodes[i], !in_time);
    if (waiting == 0 || !in_time)
        world_expect(CHECK_DRAINED, waiting == 0, "%llu recipients still wait long after the storm",
                     (unsigned long long)waiting);
    return waiting == 0;
}

static bool all_down(const struct run *r)
{
    for (unsigned i = 0; i < r->node_count; i++)
        if (r->nodes[i].server)
            return false;
    return true;
}

static void begin_calm(struct run *r)
{
    trace_words("the storm is over");
    r->world.calm = true;
    for (unsigned i = 0; i < r->node_count; i++)
        node_calm(&r->nodes[i]);
    r->calm_since_us = r->world.now_us;
    r->phase = CALM;
}

static void begin_audit(struct run *r)
{
    trace_words("the audit begins");
    r->world.drained = true;
    r->town.free_from_us = r->world.now_us;
    r->town.audit_done = false;
    r->phase = AUDIT;
}

static void begin_tidying(struct run *r)
{
    trace_words("the audit is over");
    ledger_close_books(r->ledger);
    for (unsigned i = 0; i < r->node_count; i++)
        r->looks[i] = compaction_looks(&r->nodes[i]);
    r->phase = TIDY;
}

static bool all_tidy(const struct run *r)
{
    for (unsigned i = 0; i < r->node_count; i++)
        if (!compaction_is_done(&r->nodes[i], r->looks[i]))
            return false;
    return true;
}

static void begin_end(struct run *r)
{
    for (unsigned i = 0; i < r->node_count; i++) {
        compaction_expect_space(&r->nodes[i]);
        node_stop(&r->nodes[i]);
    }
    r->phase = END;
}

static void examine(struct node *n)
{
    struct stand before = world_look_as(n->host);
    node_examine(n, true);
    backup_examine(&n->backup);
    damage_examine(n);
    world_look_back(before);
}

static void end(struct run *r)
{
    for (unsigned i = 0; i < r->node_count && !r->world.failed; i++)
        examine(&r->nodes[i]);
    r->world.ends = true;
}

/* A box that is in use yet is tried again. */
static void audit_next(struct run *r)
{
    r->audited += r->town.audit_done;
    r->town.audit_done = false;
    if (r->audited == ledger_box_count(r->ledger))
        begin_tidying(r);
    else
        reader_start(&r->town, ledger_box(r->ledger, r->audited));
}

/* What somebody holds goes on. */
static bool all_released(struct run *r)
{
    bool all = true;
    for (unsigned i = 0; i < r->node_count; i++) {
        if (!r->nodes[i].released)
            keeper_start(&r->town, &r->nodes[i], KEEPER_RELEASE);
        all &= r->nodes[i].released;
    }
    return all;
}

/* Looks now and then whether the phase is over. */
static void look(struct event *e)
{
    struct run *r = OWNER_OF(e, struct run, look);
    bool quiet = list_empty(&r->town.peers);
    if (r->phase == STORM && (r->town.letters_left == 0 || r->world.now_us > r->storm_ends_us))
        begin_calm(r);
    else if (r->phase == CALM && quiet && all_up(r) &&
             r->world.now_us - r->calm_since_us > PARTING_US && all_released(r) && is_drained(r))
        begin_audit(r);
    else if (r->phase == AUDIT && quiet)
        audit_next(r);
    else if (r->phase == TIDY && all_tidy(r))
        begin_end(r);
    else if (r->phase == END && all_down(r))
        end(r);
    if (r->phase != STORM && r->world.now_us - r->calm_since_us > (uint64_t)CALM_MS_MAX * 1000)
        world_fail("hours after the storm it is still not calm");
    event_in(e, LOOK_US);
}

/* --- The whole --- */

static void open_world(struct run *r, const struct run_options *o)
{
    uint64_t storm_us = o->hours * 3600 * 1000000, letters = o->letters;
    unsigned nodes = o->nodes;
    world_init(&r->world, o->seed);
    world_enter(&r->world);
    r->world.show_from = o->show_from;
    r->world.without = o->without;
    sqlite3_randomness(0, NULL);
    draw_weather(&r->world.weather, storm_us, o->without);
    if (o->swarm) {
        nodes = (unsigned)chance_from(1, SWARM_NODES_MAX);
        letters = letters / 8 + chance_below(2 * letters);
        storm_us = storm_us / 60 + chance_below(4 * storm_us);
    }
    r->ledger = ledger_new();
    r->world.zone = zone_new(&r->world);
    r->world.ledger = r->ledger;
    r->node_count = nodes;
    for (unsigned i = 0; i < nodes; i++)
        node_open(&r->nodes[i], &r->world, r->ledger, (unsigned)chance_from(1, USERS_MAX));
    r->town.letters_left = letters;
    r->storm_ends_us = r->world.now_us + 4 * storm_us;
    r->town.pause_us = storm_us / (letters / 8 + 1);
    town_open(&r->town, &r->world, r->ledger);
    zone_open(r->world.zone);
    r->look = (struct event){ .fire = look, .host = &r->world.hosts[0] };
    event_in(&r->look, LOOK_US);
}

static void tell(const struct run *r, struct run_result *result)
{
    const struct world *w = &r->world;
    result->failed = w->failed;
    memcpy(result->why, w->why, sizeof result->why);
    result->steps = w->steps;
    result->world_us = w->now_us;
    result->trace = w->trace;
    result->sessions = r->town.sessions;
    for (unsigned i = 0; i < r->node_count; i++)
        result->crashes += r->nodes[i].crashes;
    result->letters = ledger_figures(r->ledger);
    memcpy(result->faults, w->faults, sizeof result->faults);
    memcpy(result->checks, w->checks, sizeof result->checks);
    result->points = w->points;
    result->over = true;
}

void run_world(const struct run_options *o, struct run_result *result)
{
    static const struct run nothing;
    struct run *r = malloc(sizeof *r);
    CHECK(r);
    *r = nothing;
    open_world(r, o);
    r->world.steps_told = &result->steps;
    world_run(&r->world);
    tell(r, result);
    if (!r->world.failed) {
        for (unsigned i = 0; i < r->node_count; i++)
            node_close(&r->nodes[i]);
        town_close(&r->town);
    }
    zone_close(r->world.zone);
    zone_free(&r->world.zone);
    ledger_free(&r->ledger);
    world_clear(&r->world);
    free(r);
}
