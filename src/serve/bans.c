/* bans.c - what each peer has done within an hour, who is banned, and who has logged in. */
#include "serve/bans.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SETS = 4096, /* of tallies; a peer belongs to one of them */
    WAYS = 4,
    BUCKETS = 4096, /* of marks */
    BANS_MAX = 20000,
    LOGINS_MAX = 50000,
};

struct tally {
    struct peer_key key;
    int64_t from_ms; /* when its hour began; 0: the slot is free */
    uint32_t counts[OFFENCES];
};

enum mark_kind { MARK_BAN, MARK_LOGIN, MARKS };

struct mark {
    struct mark *next;
    struct peer_key key;
    enum mark_kind kind;
    struct ban ban; /* of a login: only the times */
};

struct bans {
    pthread_mutex_t lock;
    uint64_t secret;
    struct tally tallies[SETS][WAYS];
    struct mark *marks[BUCKETS];
    uint32_t mark_counts[MARKS];
};

const char *offence_rule(enum offence offence)
{
    static const char *const rules[OFFENCES] = {
        [OFFENCE_CONNECTION] = "hourly_connections", [OFFENCE_ERROR] = "hourly_errors",
        [OFFENCE_LOGIN] = "hourly_logins",           [OFFENCE_UNKNOWN] = "hourly_unknown",
        [OFFENCE_COMMAND] = "hourly_commands",
    };
    return rules[offence];
}

bool bans_new(uint64_t hash_secret, struct bans **out, struct error *error)
{
    struct bans *b = calloc(1, sizeof *b);
    *out = b;
    if (!b)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    b->secret = hash_secret;
    pthread_mutex_init(&b->lock, NULL);
    return true;
}

void bans_free(struct bans **bans)
{
    struct bans *b = *bans;
    if (!b)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (b->marks[i]) {
            struct mark *next = b->marks[i]->next;
            free(b->marks[i]);
            b->marks[i] = next;
        }
    pthread_mutex_destroy(&b->lock);
    free(b);
    *bans = NULL;
}

/* --- Tallies; all with the lock held --- */

/* An hour that lies ahead was counted before the clock was set back. */
static bool is_current(const struct tally *t, int64_t now_ms)
{
    return t->from_ms != 0 && now_ms >= t->from_ms && now_ms - t->from_ms < BANS_HOUR_MS;
}

static struct tally *find_tally(struct bans *b, const struct peer_key *key, int64_t now_ms)
{
    struct tally *set = b->tallies[peer_hash(key, b->secret) % SETS];
    for (size_t i = 0; i < WAYS; i++)
        if (is_current(&set[i], now_ms) && peer_equal(&set[i].key, key))
            return &set[i];
    return NULL;
}

/* A peer that is counted for the first time in this hour takes the place of the oldest hour. */
static struct tally *make_tally(struct bans *b, const struct peer_key *key, int64_t now_ms)
{
    struct tally *set = b->tallies[peer_hash(key, b->secret) % SETS], *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (!is_current(&set[i], now_ms)) {
            oldest = &set[i];
            break;
        }
        if (set[i].from_ms < oldest->from_ms)
            oldest = &set[i];
    }
    *oldest = (struct tally){ .key = *key, .from_ms = now_ms };
    return oldest;
}

static void add(struct bans *b, const struct peer_key *key, struct deed deed, int64_t now_ms)
{
    struct tally *t = find_tally(b, key, now_ms);
    if (!t)
        t = make_tally(b, key, now_ms);
    uint32_t *count = &t->counts[deed.offence];
    if (__builtin_add_overflow(*count, deed.count, count))
        *count = UINT32_MAX;
}

/* Whether it has done anything more often than `times` the limit. */
static bool is_over(struct bans *b, const struct peer_key *key, const struct bans_limits *limits,
                    uint64_t times, struct ban *out)
{
    const struct tally *t = find_tally(b, key, limits->now_ms);
    for (enum offence i = 0; t && i < OFFENCES; i++) {
        if (limits->most[i] == 0 || t->counts[i] <= limits->most[i] * times)
            continue;
        *out = (struct ban){ .since_ms = t->from_ms,
                             .until_ms = t->from_ms + BANS_HOUR_MS,
                             .count = t->counts[i] };
        snprintf(out->rule, sizeof out->rule, "%s", offence_rule(i));
        return true;
    }
    return false;
}

static enum bans_verdict judge(struct bans *b, const struct endpoint *peer,
                               const struct bans_limits *limits, struct ban *out)
{
    struct peer_key key = peer_key(peer), network = peer_network(peer);
    if (is_over(b, &key, limits, 1, out))
        return BANS_PEER_OVER;
    if (limits->network && is_over(b, &network, limits, limits->network, out))
        return BANS_NETWORK_OVER;
    return BANS_WELCOME;
}

/* --- Marks; all with the lock held --- */

static struct mark **bucket_of(struct bans *b, const struct peer_key *key)
{
    return &b->marks[peer_hash(key, b->secret) % BUCKETS];
}

static struct mark *find_mark(struct bans *b, enum mark_kind kind, const struct peer_key *key,
                              int64_t now_ms)
{
    for (struct mark *m = *bucket_of(b, key); m; m = m->next)
        if (m->kind == kind && peer_equal(&m->key, key))
            return m->ban.until_ms > now_ms ? m : NULL;
    return NULL;
}

/* Frees what has ended in this bucket, and the mark that is named, if any. */
static void drop_marks(struct bans *b, enum mark_kind kind, const struct peer_key *key,
                       int64_t now_ms)
{
    for (struct mark **at = bucket_of(b, key); *at;) {
        struct mark *m = *at;
        if (m->ban.until_ms > now_ms && (m->kind != kind || !peer_equal(&m->key, key))) {
            at = &m->next;
            continue;
        }
        *at = m->next;
        b->mark_counts[m->kind]--;
        free(m);
    }
}

static bool put_mark(struct bans *b, enum mark_kind kind, const struct peer_key *key,
                     const struct ban *ban, int64_t now_ms)
{
    static const uint32_t most[MARKS] = { [MARK_BAN] = BANS_MAX, [MARK_LOGIN] = LOGINS_MAX };
    drop_marks(b, kind, key, now_ms);
    struct mark *m = b->mark_counts[kind] < most[kind] ? malloc(sizeof *m) : NULL;
    if (!m)
        return false;
    struct mark **at = bucket_of(b, key);
    *m = (struct mark){ .next = *at, .key = *key, .kind = kind, .ban = *ban };
    *at = m;
    b->mark_counts[kind]++;
    return true;
}

/* --- What loops ask --- */

enum bans_verdict bans_count(struct bans *b, const struct endpoint *peer, struct deed deed,
                             const struct bans_limits *limits, struct ban *ban_out)
{
    struct peer_key key = peer_key(peer), network = peer_network(peer);
    enum bans_verdict verdict = BANS_WELCOME;
    pthread_mutex_lock(&b->lock);
    add(b, &key, deed, limits->now_ms);
    if (limits->network)
        add(b, &network, deed, limits->now_ms);
    if (!find_mark(b, MARK_LOGIN, &key, limits->now_ms))
        verdict = judge(b, peer, limits, ban_out);
    pthread_mutex_unlock(&b->lock);
    return verdict;
}

enum bans_verdict bans_meet(struct bans *b, const struct endpoint *peer,
                            const struct bans_limits *limits, struct ban *ban_out)
{
    struct peer_key key = peer_key(peer);
    enum bans_verdict verdict = BANS_WELCOME;
    pthread_mutex_lock(&b->lock);
    const struct mark *ban = find_mark(b, MARK_BAN, &key, limits->now_ms);
    if (ban) {
        *ban_out = ban->ban;
        verdict = BANS_BANNED;
    } else if (!find_mark(b, MARK_LOGIN, &key, limits->now_ms)) {
        verdict = judge(b, peer, limits, ban_out);
    }
    pthread_mutex_unlock(&b->lock);
    return verdict;
}

uint32_t bans_mistakes(struct bans *b, const struct endpoint *peer, int64_t now_ms)
{
    struct peer_key key = peer_key(peer);
    uint64_t mistakes = 0;
    pthread_mutex_lock(&b->lock);
    const struct tally *t = find_tally(b, &key, now_ms);
    if (t)
        mistakes =
            t->counts[OFFENCE_ERROR] + (uint64_t)t->counts[OFFENCE_LOGIN] * BANS_LOGIN_WEIGHT;
    pthread_mutex_unlock(&b->lock);
    return mistakes < UINT32_MAX ? (uint32_t)mistakes : UINT32_MAX;
}

bool bans_put(struct bans *b, const struct endpoint *peer, const struct ban *ban, int64_t now_ms)
{
    struct peer_key key = peer_key(peer);
    pthread_mutex_lock(&b->lock);
    const struct mark *now = find_mark(b, MARK_BAN, &key, now_ms);
    bool put = !find_mark(b, MARK_LOGIN, &key, now_ms) && ban->until_ms > now_ms &&
               (!now || now->ban.until_ms < ban->until_ms) &&
               put_mark(b, MARK_BAN, &key, ban, now_ms);
    pthread_mutex_unlock(&b->lock);
    return put;
}

bool bans_lift(struct bans *b, const struct endpoint *peer, int64_t now_ms)
{
    struct peer_key key = peer_key(peer);
    pthread_mutex_lock(&b->lock);
    bool was = find_mark(b, MARK_BAN, &key, now_ms) != NULL;
    drop_marks(b, MARK_BAN, &key, now_ms);
    struct tally *t = find_tally(b, &key, now_ms);
    if (t)
        t->from_ms = 0;
    pthread_mutex_unlock(&b->lock);
    return was;
}

void bans_logged_in(struct bans *b, const struct endpoint *peer, int64_t at_ms, bool *news_out)
{
    struct peer_key key = peer_key(peer);
    struct ban login = { .since_ms = at_ms, .until_ms = at_ms + BANS_LOGIN_MS };
    pthread_mutex_lock(&b->lock);
    const struct mark *last = find_mark(b, MARK_LOGIN, &key, at_ms);
    *news_out = !last || at_ms - last->ban.since_ms >= BANS_HOUR_MS || at_ms < last->ban.since_ms;
    if (*news_out) {
        put_mark(b, MARK_LOGIN, &key, &login, at_ms);
        drop_marks(b, MARK_BAN, &key, at_ms);
    }
    pthread_mutex_unlock(&b->lock);
}

bool bans_has_login(struct bans *b, const struct endpoint *peer, int64_t now_ms)
{
    struct peer_key key = peer_key(peer);
    pthread_mutex_lock(&b->lock);
    bool has = find_mark(b, MARK_LOGIN, &key, now_ms) != NULL;
    pthread_mutex_unlock(&b->lock);
    return has;
}

void bans_report(struct bans *b, const struct endpoint *peer, int64_t now_ms,
                 struct bans_report *out)
{
    struct peer_key key = peer_key(peer);
    *out = (struct bans_report){ 0 };
    pthread_mutex_lock(&b->lock);
    const struct mark *ban = find_mark(b, MARK_BAN, &key, now_ms);
    const struct mark *login = find_mark(b, MARK_LOGIN, &key, now_ms);
    const struct tally *t = find_tally(b, &key, now_ms);
    out->banned = ban != NULL;
    out->logged_in = login != NULL;
    if (ban)
        out->ban = ban->ban;
    if (login)
        out->login_ms = login->ban.since_ms;
    if (t) {
        out->hour_ms = t->from_ms;
        memcpy(out->counts, t->counts, sizeof out->counts);
    }
    pthread_mutex_unlock(&b->lock);
}

/* --- On disk --- */

struct text ban_print(const struct ban *ban, char *out, size_t room)
{
    int len =
        snprintf(out, room, "%" PRId64 " %" PRIu32 " %s", ban->since_ms, ban->count, ban->rule);
    return (struct text){ out, (size_t)len < room ? (size_t)len : room - 1 };
}

bool ban_parse(struct text words, struct ban *out)
{
    struct text since, count, rule;
    uint64_t since_ms, times;
    *out = (struct ban){ 0 };
    if (!text_word(&words, &since) || !text_word(&words, &count) || !text_word(&words, &rule) ||
        !text_to_u64(since, &since_ms) || since_ms > INT64_MAX || !text_to_u64(count, &times) ||
        times > UINT32_MAX || rule.len >= sizeof out->rule)
        return false;
    out->since_ms = (int64_t)since_ms;
    out->count = (uint32_t)times;
    memcpy(out->rule, rule.at, rule.len);
    return true;
}
