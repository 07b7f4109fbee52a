/* pickup.c - when the spool is looked at, and the way from its lane into the server. */
#include "serve/pickup_inner.h"

#include "queue/office.h"
#include "run/watch.h"
#include "serve/local.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    AGAIN_MS = 60 * 1000, /* what was put off */
    REST_MS = 100,        /* whoever keeps touching the folder does not keep us busy */
    FAILED_MS = 2000,     /* nor do we ourselves, by trying to change what cannot be changed */
    HEAD_MAX = 2 * 1024 * 1024,
    OCTETS_MOST = 1024 * 1024 * 1024,
};

struct pickup {
    struct server *server;
    struct server_loop *home; /* loop 0 */
    struct lane *lane;
    struct dropbox *box;
    struct watch *watch;
    struct timer timer;
    struct job job;
    struct pickup_round round;
    struct pickup_owed owed[PICKUP_OWED_MAX];
    bool busy;              /* a round is under way */
    bool again;             /* something has changed meanwhile */
    uint64_t not_before_ms; /* the next round */
    atomic_bool stopping;
};

/* --- Into the server --- */

struct gift {
    struct post post;
    struct server *server;
    int socket;
    uint32_t uid;
};

static void take_gift(struct post *post)
{
    struct gift *gift = OWNER_OF(post, struct gift, post);
    if (gift->server->local && !gift->server->loops[0].stopping)
        local_serve(gift->server->local, gift->socket, gift->uid);
    else
        close(gift->socket);
    free(gift);
}

int pickup_connect(struct server *server, uint32_t uid, struct error *error)
{
    int ends[2];
    struct gift *gift = malloc(sizeof *gift);
    if (!gift || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        error_system(error, ERROR_TEMPORARY, gift ? errno : ENOMEM, "a pair of sockets");
        free(gift);
        return -1;
    }
    *gift = (struct gift){ .post.run = take_gift, .server = server, .socket = ends[1], .uid = uid };
    loop_post(server->loops[0].loop, &gift->post);
    return ends[0];
}

/* --- When --- */

static void look_at(struct pickup *p, uint64_t due_ms)
{
    if (!atomic_load(&p->stopping))
        loop_timer_start(p->home->loop, &p->timer, due_ms);
}

static void round_job(struct job *job)
{
    pickup_round(&OWNER_OF(job, struct pickup, job)->round);
}

static void round_done(struct job *job)
{
    struct pickup *p = OWNER_OF(job, struct pickup, job);
    uint64_t now = loop_now_ms(p->home->loop);
    p->busy = false;
    p->not_before_ms = now + (p->round.failed ? FAILED_MS : 1);
    if (p->again)
        look_at(p, now + (p->round.failed ? FAILED_MS : REST_MS));
    else if (p->round.later)
        look_at(p, now + AGAIN_MS);
    server_loop_release(p->home);
}

/* As for mail in the queue: nothing expires by a clock that has jumped. */
static uint64_t expire_ms(const struct server *server)
{
    const struct config *config = server->settings->config;
    return server->office ? office_schedule(server->office, config).expire_ms : config->expire_ms;
}

static void look(struct timer *timer)
{
    struct pickup *p = OWNER_OF(timer, struct pickup, timer);
    uint64_t message = p->server->settings->config->message_octets;
    p->again = false;
    p->busy = true;
    p->round = (struct pickup_round){
        .server = p->server,
        .box = p->box,
        .owed = p->owed,
        .octets_max = (message ? message : OCTETS_MOST) + HEAD_MAX,
        .expire_ms = expire_ms(p->server),
        .stopping = &p->stopping,
    };
    server_loop_hold(p->home);
    lane_follow(p->lane, &p->job);
}

static void changed(void *owner)
{
    struct pickup *p = owner;
    uint64_t soon = loop_now_ms(p->home->loop) + 1;
    if (p->busy)
        p->again = true;
    else
        look_at(p, soon > p->not_before_ms ? soon : p->not_before_ms);
}

/* --- From start to end --- */

bool pickup_new(struct server *server, struct pickup **out, struct error *error)
{
    const struct config *config = server->settings->config;
    struct error why;
    if (config->local_spool.len == 0)
        return true;
    struct pickup *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    *out = p;
    p->server = server;
    p->home = &server->loops[0];
    p->timer.fire = look;
    p->job = (struct job){ .run = round_job, .done = round_done, .home = p->home->loop };
    if (!dropbox_open(config->local_spool.at, true, &p->box, &why)) {
        server_note(server, LOG_WARNING, "spool", why.words);
        return true;
    }
    if (!watch_folder(p->home->loop, config->local_spool.at, changed, p, &p->watch))
        server_note(server, LOG_WARNING, "spool",
                    "cannot be watched: it is looked at when the server starts");
    return lane_new("spool", 1, 1, &p->lane, error);
}

void pickup_start(struct pickup *p)
{
    if (p && p->lane)
        look_at(p, loop_now_ms(p->home->loop));
}

void pickup_stop(struct pickup *p)
{
    if (!p)
        return;
    atomic_store(&p->stopping, true);
    if (p->watch)
        watch_close(&p->watch);
    loop_timer_stop(p->home->loop, &p->timer);
}

void pickup_free(struct pickup **pickup)
{
    struct pickup *p = *pickup;
    if (!p)
        return;
    *pickup = NULL;
    if (p->watch)
        watch_close(&p->watch);
    if (p->lane)
        lane_free(&p->lane);
    pickup_forget(p->owed, NULL);
    dropbox_close(&p->box);
    free(p);
}
