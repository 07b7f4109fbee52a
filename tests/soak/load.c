/* load.c - soakload: senders and readers that load one server, and hold it to what it has said.
 *
 *   soakload SEED HOST SMTP-PORT POP3-PORT BOXES FAR-HOST FAR-POP3-PORT FAR-BOXES
 *
 * The boxes are box0@a.test and so on, and behind them, with the next numbers, boxN@far.test, which
 * the server brings elsewhere; all passwords are "secret".  It is told what to do on its standard
 * input, a line each, and answers each with one line of JSON, when it is done:
 *
 *   generation N        the server is dead, and the next one will be number N
 *   load SENDERS READERS   so many threads of each work from now on; the others have come to rest
 *   figures             nothing
 *   audit               all boxes are read once more, when nobody works and nothing is on its way
 *
 * What is wrong it says on standard error, and counts.  It ends with its input; 0 means that it
 * could do its work, not that nothing was wrong.  A load for tests only: never for a network.
 */
#include "worker.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SENDERS_MAX = 32, READERS_MAX = LEDGER_BOXES_MAX, AUDIT_TRIES = 100, AUDIT_REST_MS = 50 };
enum { WAITING_MAX = 12000, DUE_MAX = 1000 };

/* A thread; readers have every READERS-th box. */
struct hand {
    struct load *load;
    struct worker worker;
    pthread_t thread;
    unsigned number;
    bool is_reader, is_working;
};

struct load {
    struct load_world world;
    pthread_mutex_t mutex;
    pthread_cond_t told;   /* who works has changed */
    pthread_cond_t rested; /* somebody has come to rest */
    unsigned senders, readers;
    unsigned working;
    bool is_over;
    struct hand hands[SENDERS_MAX + READERS_MAX];
};

static void die(const char *words)
{
    fprintf(stderr, "soakload: %s\n", words);
    exit(2);
}

static bool is_wanted(const struct hand *h)
{
    return h->number < (h->is_reader ? h->load->readers : h->load->senders);
}

/* Waits for work; false: there will be none. */
static bool get_work(struct hand *h, unsigned *readers_out)
{
    struct load *load = h->load;
    pthread_mutex_lock(&load->mutex);
    if (h->is_working && !is_wanted(h)) {
        h->is_working = false;
        load->working--;
        pthread_cond_signal(&load->rested);
    }
    while (!load->is_over && !is_wanted(h))
        pthread_cond_wait(&load->told, &load->mutex);
    if (!h->is_working && !load->is_over) {
        h->is_working = true;
        load->working++;
    }
    *readers_out = load->readers;
    bool is_over = load->is_over;
    pthread_mutex_unlock(&load->mutex);
    return !is_over;
}

static void *work(void *argument)
{
    struct hand *h = argument;
    const struct load_world *world = h->worker.world;
    unsigned readers, turn = 0;
    while (get_work(h, &readers)) {
        if (!h->is_reader) {
            sender_session(&h->worker);
            continue;
        }
        /* Its boxes are its own as long as the number of readers stays. */
        unsigned box = h->number + turn * readers;
        turn = box < world->near + world->far ? turn + 1 : 0;
        if (box < world->near + world->far)
            reader_visit(&h->worker, (uint8_t)box, false);
    }
    return NULL;
}

/* Changes who works.  All come to rest before, since readers have other boxes afterwards. */
static void set_load(struct load *load, unsigned senders, unsigned readers)
{
    pthread_mutex_lock(&load->mutex);
    load->senders = load->readers = 0;
    while (load->working > 0)
        pthread_cond_wait(&load->rested, &load->mutex);
    load->senders = senders;
    load->readers = readers;
    pthread_cond_broadcast(&load->told);
    pthread_mutex_unlock(&load->mutex);
}

/* True when every box could be read. */
static bool audit(struct load *load)
{
    struct worker *w = &load->hands[0].worker; /* its thread rests */
    bool is_whole = true;
    set_load(load, 0, 0);
    for (unsigned box = 0; box < load->world.near + load->world.far; box++) {
        unsigned tries = AUDIT_TRIES;
        while (tries > 0 && !reader_visit(w, (uint8_t)box, true)) {
            worker_rest(AUDIT_REST_MS);
            tries--;
        }
        is_whole &= tries > 0;
    }
    return is_whole;
}

static void print_figures(struct load *load, bool is_done)
{
    struct ledger_figures f = ledger_figures(load->world.ledger);
    uint64_t later = 0;
    for (size_t i = 0; i < SENDERS_MAX + READERS_MAX; i++)
        later += load->hands[i].worker.later;
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        { "letters", f.letters },       { "accepted", f.accepted }, { "octets", f.accepted_octets },
        { "unanswered", f.unanswered }, { "read", f.read },         { "deleted", f.deleted },
        { "twice", f.twice },           { "waiting", f.waiting },   { "due", f.due },
        { "wrong", f.wrong },           { "later", later },
    };
    printf("{\"done\": %s", is_done ? "true" : "false");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        printf(", \"%s\": %" PRIu64, rows[i].name, rows[i].value);
    puts("}");
    fflush(stdout);
}

static void obey(struct load *load, const char *line)
{
    unsigned first, second;
    bool is_done = true;
    if (sscanf(line, "generation %u", &first) == 1)
        ledger_set_generation(load->world.ledger, first);
    else if (sscanf(line, "load %u %u", &first, &second) == 2 && first <= SENDERS_MAX &&
             second <= READERS_MAX)
        set_load(load, first, second);
    else if (strcmp(line, "audit\n") == 0)
        is_done = audit(load);
    else
        is_done = strcmp(line, "figures\n") == 0;
    print_figures(load, is_done);
}

static struct sockaddr_in address_or_die(const char *host, const char *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1 || address.sin_port == 0)
        die("not an address");
    return address;
}

static void prepare(struct load *load, char **words)
{
    struct load_world *world = &load->world;
    uint64_t seed = strtoull(words[0], NULL, 10);
    *world = (struct load_world){
        .smtp = address_or_die(words[1], words[2]),
        .pop = address_or_die(words[1], words[3]),
        .near = (unsigned)strtoul(words[4], NULL, 10),
        .far_pop = address_or_die(words[5], words[6]),
        .far = (unsigned)strtoul(words[7], NULL, 10),
        .waiting_max = WAITING_MAX,
        .due_max = DUE_MAX,
    };
    if (world->near == 0 || world->near + world->far > LEDGER_BOXES_MAX)
        die("no such number of boxes");
    world->ledger = ledger_new(world->near, world->far);
    if (!world->ledger || !letter_mill_init(&world->mill, seed))
        die("no memory");
    for (size_t i = 0; i < SENDERS_MAX + READERS_MAX; i++) {
        struct hand *h = &load->hands[i];
        h->load = load;
        h->is_reader = i >= SENDERS_MAX;
        h->number = (unsigned)(h->is_reader ? i - SENDERS_MAX : i);
        if (!worker_init(&h->worker, world, seed + 1 + i))
            die("no memory");
    }
}

int main(int argc, char **argv)
{
    static struct load load = { .mutex = PTHREAD_MUTEX_INITIALIZER,
                                .told = PTHREAD_COND_INITIALIZER,
                                .rested = PTHREAD_COND_INITIALIZER };
    char line[80];
    if (argc != 9)
        die("usage: soakload SEED HOST SMTP-PORT POP3-PORT BOXES FAR-HOST FAR-POP3-PORT FAR-BOXES");
    prepare(&load, argv + 1);
    for (size_t i = 0; i < SENDERS_MAX + READERS_MAX; i++) {
        if (pthread_create(&load.hands[i].thread, NULL, work, &load.hands[i]))
            die("no thread");
    }
    while (fgets(line, sizeof line, stdin))
        obey(&load, line);
    pthread_mutex_lock(&load.mutex);
    load.is_over = true;
    pthread_cond_broadcast(&load.told);
    pthread_mutex_unlock(&load.mutex);
    for (size_t i = 0; i < SENDERS_MAX + READERS_MAX; i++) {
        pthread_join(load.hands[i].thread, NULL);
        worker_clear(&load.hands[i].worker);
    }
    letter_mill_clear(&load.world.mill);
    ledger_free(&load.world.ledger);
    return 0;
}
