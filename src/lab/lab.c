/* lab.c - godwit lab, from its start to its end.
 *
 * The lab has a loop of its own, on the thread that runs it, for signals and the name server; each
 * mail server has a thread and a loop.  It ends backwards: the servers stop one by one while the
 * name server still answers them.
 */
#include "lab/lab.h"

#include "lab/book.h"
#include "lab/folder.h"
#include "lab/front.h"
#include "lab/name_server.h"
#include "lab/people.h"
#include "lab/plan.h"
#include "lab/ports.h"
#include "lab/records.h"
#include "lab/script.h"
#include "lab/settings.h"
#include "lab/words.h"
#include "run/fetch.h"
#include "run/process.h"
#include "serve/ports.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct lab;

struct lab_server {
    struct lab *lab;
    struct server *server;
    struct lane *thread;
    struct job turn;
    bool turning;
};

struct lab {
    const struct lab_options *options;
    struct lab_plan plan;
    bool goes_away; /* the folder */
    int lock;       /* of the folder; -1: none */
    json_t *book;   /* of an earlier start, or NULL */
    struct loop *loop;
    struct zones *zones;
    struct name_server *name_server;
    struct front *fronts[LAB_HOSTS_MAX];
    struct script *script;
    struct lab_server servers[LAB_HOSTS_MAX];
    size_t turning;
    bool stopping;
    bool failed;
    struct error why;
};

/* --- Ending --- */

static void stop(struct lab *lab)
{
    if (lab->stopping)
        return;
    lab->stopping = true;
    script_free(&lab->script);
    for (size_t i = 0; i < lab->plan.host_count; i++) {
        front_stop(&lab->fronts[i]); /* nobody has to wait for a silent host */
        if (lab->servers[i].turning)
            server_ask_stop(lab->servers[i].server);
    }
    if (lab->turning == 0)
        loop_stop(lab->loop);
}

static void fail(struct lab *lab, const struct error *why)
{
    if (!lab->stopping && !lab->failed) {
        lab->failed = true;
        lab->why = *why;
    }
    stop(lab);
}

static void on_signal(void *owner)
{
    struct lab *lab = owner;
    struct error why;
    error_set(&why, ERROR_REFUSED, "interrupted before the script was at its end");
    if (lab->script)
        fail(lab, &why);
    else
        stop(lab);
}

static void script_ended(void *owner, const struct error *why)
{
    if (why)
        fail(owner, why);
    else
        stop(owner);
}

static void server_ended(struct job *job)
{
    struct lab_server *s = OWNER_OF(job, struct lab_server, turn);
    struct lab *lab = s->lab;
    struct error why;
    error_set(&why, ERROR_TEMPORARY, "the server %s has failed; its log says why",
              lab->plan.hosts[s - lab->servers].name);
    s->turning = false;
    lab->turning--;
    fail(lab, &why);
    if (lab->turning == 0)
        loop_stop(lab->loop);
}

/* --- The plan --- */

static bool enter_folder(struct lab *lab, struct error *error)
{
    struct lab_plan *plan = &lab->plan;
    lab->goes_away = !lab->options->folder;
    if (lab->goes_away)
        return folder_make(plan->folder, sizeof plan->folder, error);
    return folder_enter(lab->options->folder, plan->folder, sizeof plan->folder, error) &&
           folder_lock(plan->folder, &lab->lock, error) &&
           book_read(plan->folder, &lab->book, error);
}

static bool choose_domains(struct lab *lab, struct error *error)
{
    struct lab_plan *plan = &lab->plan;
    bool ok;
    plan->any = lab->options->any;
    if (lab->options->domains)
        ok = plan_add_domains(plan, text_of(lab->options->domains), error);
    else if (lab->book)
        ok = book_add_domains(lab->book, plan, error);
    else
        ok = plan_add_domains(plan, T("a.test,b.test"), error);
    if (ok && lab->book)
        book_take_passwords(lab->book, plan);
    return ok &&
           (!lab->options->faults || plan_set_faults(plan, text_of(lab->options->faults), error)) &&
           (!lab->options->script || script_read(plan, lab->options->script, &lab->script, error));
}

/* --- The servers --- */

static void turn(struct job *job)
{
    server_turn(OWNER_OF(job, struct lab_server, turn)->server);
}

static bool open_server(struct lab *lab, size_t index, struct config *config, struct error *error)
{
    struct lab_server *s = &lab->servers[index];
    struct bound_ports ports = { 0 };
    s->lab = lab;
    s->turn = (struct job){ .run = turn, .done = server_ended, .home = lab->loop };
    bool ok = server_new(config, NULL, 1, &s->server, error) && ports_new(1, &ports, error) &&
              ports_bind(s->server->settings->config, &ports, error) &&
              server_open(s->server, &ports, error) && lane_new("server", 1, 1, &s->thread, error);
    ports_clear(&ports);
    return ok;
}

static bool open_servers(struct lab *lab, struct error *error)
{
    struct config *configs[LAB_HOSTS_MAX] = { 0 };
    size_t count = lab->plan.host_count, made = 0, opened = 0;
    while (made < count && lab_config(&lab->plan, &lab->plan.hosts[made], &configs[made], error))
        made++;
    bool ok = made == count && people_settle(&lab->plan, error) && book_write(&lab->plan, error);
    while (ok && opened < count) {
        ok = open_server(lab, opened, configs[opened], error);
        opened++; /* whatever came of it, the server has taken its configuration */
    }
    for (size_t i = opened; i < made; i++)
        config_free(&configs[i]);
    return ok;
}

static void start_servers(struct lab *lab)
{
    for (size_t i = 0; i < lab->plan.host_count; i++) {
        struct lab_server *s = &lab->servers[i];
        s->turning = true;
        lab->turning++;
        lane_follow(s->thread, &s->turn);
    }
}

/* --- From start to end --- */

static bool start_name_server(struct lab *lab, struct name_sockets *sockets, struct error *error)
{
    return zones_new(&lab->zones, error) && records_fill(&lab->plan, lab->zones, error) &&
           name_server_start(lab->loop, lab->zones, sockets, &lab->name_server, error);
}

static bool start_fronts(struct lab *lab, struct error *error)
{
    for (size_t i = 0; i < lab->plan.host_count; i++) {
        const struct lab_host *host = &lab->plan.hosts[i];
        if (host->fault.kind != FAULT_NONE &&
            !front_start(lab->loop, &lab->plan, host, &lab->fronts[i], error))
            return false;
    }
    return true;
}

static bool catch_signals(struct lab *lab, struct error *error)
{
    return loop_on_signal(lab->loop, SIGINT, on_signal, lab, error) &&
           loop_on_signal(lab->loop, SIGTERM, on_signal, lab, error) &&
           loop_on_signal(lab->loop, SIGHUP, on_signal, lab, error);
}

static bool start(struct lab *lab, struct error *error)
{
    struct name_sockets sockets = { -1, -1 };
    bool ok = loop_new(&lab->loop, error) && catch_signals(lab, error) &&
              ports_choose(&lab->plan, &sockets, error) && open_servers(lab, error) &&
              start_name_server(lab, &sockets, error) && start_fronts(lab, error);
    name_sockets_close(&sockets);
    return ok;
}

static bool tell(const struct lab *lab, struct error *error)
{
    if (!lab->options->json) {
        if (!lab->script)
            words_print(&lab->plan, lab->goes_away);
        return true;
    }
    json_t *book = book_make(&lab->plan);
    char *line = book ? json_dumps(book, JSON_COMPACT) : NULL;
    json_decref(book);
    if (!line)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    puts(line);
    fflush(stdout);
    free(line);
    return true;
}

static bool run(struct lab *lab, struct error *error)
{
    if (!start(lab, error))
        return false;
    start_servers(lab);
    if (!tell(lab, error))
        fail(lab, error);
    else if (lab->script)
        script_start(lab->script, lab->loop, script_ended, lab);
    loop_run(lab->loop);
    if (lab->failed)
        *error = lab->why;
    return !lab->failed;
}

static void clear(struct lab *lab)
{
    script_free(&lab->script);
    for (size_t i = 0; i < lab->plan.host_count; i++) {
        lane_free(&lab->servers[i].thread);
        server_free(&lab->servers[i].server);
    }
    for (size_t i = 0; i < lab->plan.host_count; i++)
        front_stop(&lab->fronts[i]);
    name_server_stop(&lab->name_server);
    zones_free(&lab->zones);
    loop_free(&lab->loop);
    json_decref(lab->book);
    if (lab->lock >= 0)
        close(lab->lock);
    if (lab->goes_away && lab->plan.folder[0])
        folder_remove(lab->plan.folder);
}

bool lab_run(const struct lab_options *options, struct error *error)
{
    struct lab *lab = calloc(1, sizeof *lab);
    if (!lab)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    lab->options = options;
    lab->lock = -1;
    process_raise_descriptors();
    bool ok = fetch_set_up(error) && enter_folder(lab, error) && choose_domains(lab, error) &&
              run(lab, error);
    clear(lab);
    free(lab);
    return ok;
}
