/* shared.c - the tables that loops share; each is small, bounded and locked on its own. */
#include "serve/shared.h"

#include "base/check.h"
#include "base/error.h"
#include "run/entropy.h"
#include "run/secret.h"
#include "serve/bans.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    PEER_BUCKETS = 4096,
    LOGIN_SLOTS = 16384,  /* a power of two; the older of a slot's users makes room */
    OPENED_SLOTS = 16384, /* likewise */
    LOGIN_SECRET = 32,
};

/* One peer with at least one connection. */
struct peer {
    struct peer *next;
    uint8_t octets[16];
    enum net_family family;
    uint32_t connections;
};

struct login {
    uint8_t mac[SECRET_KEY];
    mailbox_id mailbox;
    uint64_t generation;
};

struct opened {
    mailbox_id mailbox;
    uint64_t at_ms;
};

struct shared {
    pthread_mutex_t peers_lock;
    uint32_t connections;
    struct peer *peers[PEER_BUCKETS];

    pthread_mutex_t logins_lock;
    uint8_t secret[LOGIN_SECRET];
    struct login logins[LOGIN_SLOTS];

    pthread_mutex_t opened_lock;
    struct opened opened[OPENED_SLOTS];

    struct bans *bans;
    atomic_uint_fast64_t generation;
    uint64_t hash_key;
};

bool shared_new(struct shared **out, struct error *error)
{
    struct shared *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    pthread_mutex_init(&s->peers_lock, NULL);
    pthread_mutex_init(&s->logins_lock, NULL);
    pthread_mutex_init(&s->opened_lock, NULL);
    entropy_fill(s->secret, sizeof s->secret);
    s->hash_key = entropy_u64();
    atomic_init(&s->generation, 1);
    if (!bans_new(s->hash_key, &s->bans, error)) {
        shared_free(&s);
        return false;
    }
    *out = s;
    return true;
}

void shared_free(struct shared **shared)
{
    struct shared *s = *shared;
    if (!s)
        return;
    for (size_t i = 0; i < PEER_BUCKETS; i++)
        while (s->peers[i]) {
            struct peer *next = s->peers[i]->next;
            free(s->peers[i]);
            s->peers[i] = next;
        }
    pthread_mutex_destroy(&s->peers_lock);
    pthread_mutex_destroy(&s->logins_lock);
    pthread_mutex_destroy(&s->opened_lock);
    bans_free(&s->bans);
    secret_wipe(s->secret, sizeof s->secret);
    free(s);
    *shared = NULL;
}

/* --- Connections --- */

static struct peer peer_of(const struct endpoint *e)
{
    struct peer p = { .family = e->family };
    memcpy(p.octets, e->octets, e->family == NET_IPV6 ? 8 : 4);
    return p;
}

static struct peer **find_peer(struct shared *s, const struct peer *wanted)
{
    struct text octets = { (const char *)wanted->octets, sizeof wanted->octets };
    struct peer **at = &s->peers[text_hash(octets, s->hash_key) % PEER_BUCKETS];
    while (*at && ((*at)->family != wanted->family ||
                   memcmp((*at)->octets, wanted->octets, sizeof wanted->octets) != 0))
        at = &(*at)->next;
    return at;
}

static enum admission admit_peer(struct shared *s, const struct endpoint *e, uint32_t max)
{
    struct peer wanted = peer_of(e), **at = find_peer(s, &wanted);
    if (!*at) {
        *at = malloc(sizeof **at);
        if (!*at)
            return FULL_IN_ALL;
        **at = wanted;
    }
    if (max && (*at)->connections >= max)
        return FULL_FOR_PEER;
    (*at)->connections++;
    return ADMITTED;
}

enum admission shared_admit(struct shared *s, const struct endpoint *e, bool exempt,
                            uint32_t connections_max, uint32_t per_peer_max)
{
    enum admission verdict = FULL_IN_ALL;
    pthread_mutex_lock(&s->peers_lock);
    if (!connections_max || s->connections < connections_max)
        verdict = exempt ? ADMITTED : admit_peer(s, e, per_peer_max);
    if (verdict == ADMITTED)
        s->connections++;
    pthread_mutex_unlock(&s->peers_lock);
    return verdict;
}

void shared_release(struct shared *s, const struct endpoint *e, bool exempt)
{
    pthread_mutex_lock(&s->peers_lock);
    CHECK(s->connections > 0);
    s->connections--;
    if (!exempt) {
        struct peer wanted = peer_of(e), **at = find_peer(s, &wanted);
        CHECK(*at != NULL);
        if (--(*at)->connections == 0) {
            struct peer *gone = *at;
            *at = gone->next;
            free(gone);
        }
    }
    pthread_mutex_unlock(&s->peers_lock);
}

uint32_t shared_connections(struct shared *s)
{
    pthread_mutex_lock(&s->peers_lock);
    uint32_t connections = s->connections;
    pthread_mutex_unlock(&s->peers_lock);
    return connections;
}

/* --- Logins that succeeded --- */

static bool login_mac(const struct shared *s, struct text key, struct text password,
                      uint8_t mac[SECRET_KEY])
{
    /* The key has no NUL, so the two cannot be cut differently. */
    struct buffer words;
    buffer_init(&words, 64 * 1024);
    bool done = buffer_text(&words, key) && buffer_byte(&words, 0) &&
                buffer_text(&words, password) &&
                secret_mac(s->secret, sizeof s->secret, buffer_as_text(&words), mac);
    buffer_wipe(&words);
    return done;
}

static struct login *login_slot(struct shared *s, struct text key)
{
    return &s->logins[text_hash(key, s->hash_key) % LOGIN_SLOTS];
}

bool shared_login_known(struct shared *s, struct text key, struct text password,
                        mailbox_id *mailbox_out)
{
    uint8_t mac[SECRET_KEY];
    if (!login_mac(s, key, password, mac))
        return false;
    pthread_mutex_lock(&s->logins_lock);
    struct login *l = login_slot(s, key);
    bool known = l->mailbox && l->generation == shared_generation(s) &&
                 secret_equal(l->mac, mac, sizeof mac);
    *mailbox_out = known ? l->mailbox : 0;
    pthread_mutex_unlock(&s->logins_lock);
    secret_wipe(mac, sizeof mac);
    return known;
}

void shared_login_remember(struct shared *s, struct text key, struct text password,
                           mailbox_id mailbox, uint64_t generation)
{
    struct login l = { .mailbox = mailbox, .generation = generation };
    if (!login_mac(s, key, password, l.mac))
        return;
    pthread_mutex_lock(&s->logins_lock);
    *login_slot(s, key) = l;
    pthread_mutex_unlock(&s->logins_lock);
    secret_wipe(l.mac, sizeof l.mac);
}

/* --- LOGIN-DELAY --- */

bool shared_login_too_soon(struct shared *s, mailbox_id mailbox, uint64_t now_ms, uint64_t delay_ms)
{
    if (delay_ms == 0)
        return false;
    pthread_mutex_lock(&s->opened_lock);
    struct opened *o = &s->opened[(mailbox ^ s->hash_key) % OPENED_SLOTS];
    bool too_soon = o->mailbox == mailbox && now_ms < o->at_ms + delay_ms;
    if (!too_soon)
        *o = (struct opened){ mailbox, now_ms };
    pthread_mutex_unlock(&s->opened_lock);
    return too_soon;
}

/* --- The directory's generation --- */

uint64_t shared_generation(const struct shared *s)
{
    return atomic_load(&s->generation);
}

void shared_directory_changed(struct shared *s)
{
    atomic_fetch_add(&s->generation, 1);
}

struct bans *shared_bans(struct shared *s)
{
    return s->bans;
}

uint64_t shared_hash_key(const struct shared *s)
{
    return s->hash_key;
}
