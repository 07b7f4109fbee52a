/* damage.c - octets of the journal that turn into others: what the check says, what a new index
 * has.
 *
 * Half of the damage hits the frame of a message that is there, which must be named, and alone be
 * lost.  The other half falls anywhere: what it hits may be dead, or padding; what is lost must be
 * named then.
 */
#include "sim/damage.h"

#include "sim/books.h"
#include "sim/medium.h"
#include "sim/node.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

enum {
    WORDS_MAX = 1 << 20,
    OCTETS_MAX = 64, /* that are hit, all in one place */
    PADDING = 8,     /* at the end of a frame, at the most */
};

struct hit {
    char name[MEDIUM_NAME_MAX];
    uint64_t from, octets;
    message_id message; /* 0: nobody knows what lies there */
};

/* --- Where --- */

static struct hit hit_message(const struct maildrop_entry *e)
{
    struct hit hit = { .message = e->message };
    char id[MESSAGE_ID_TEXT + 1];
    uint64_t octets = e->place.frame_octets;
    if (e->place.large && chance_below(2)) {
        snprintf(hit.name, sizeof hit.name, "journal/large/%s",
                 message_id_print(e->message, id).at);
        octets = e->content_octets;
    } else {
        snprintf(hit.name, sizeof hit.name, "journal/%08llu.seg",
                 (unsigned long long)e->place.segment);
        hit.from = e->place.offset;
        octets -= PADDING;
    }
    uint64_t skip = chance_below(octets);
    hit.from += skip;
    hit.octets = 1 + chance_below(octets - skip < OCTETS_MAX ? octets - skip : OCTETS_MAX);
    return hit;
}

/* The segment that the dice choose while they are counted. */
struct choice {
    struct hit hit;
    unsigned seen;
};

static void choose(void *owner, const char *name, uint64_t octets)
{
    struct choice *c = owner;
    if (file_kind_of(name) != FILE_SEGMENT || octets < MEDIUM_PAGE || chance_below(++c->seen) > 0)
        return;
    snprintf(c->hit.name, sizeof c->hit.name, "%s", name);
    c->hit.from = chance_below(octets - OCTETS_MAX);
    c->hit.octets = 1 + chance_below(OCTETS_MAX);
}

static struct hit hit_anything(const struct medium *m)
{
    struct choice choice = { 0 };
    medium_each_file(m, choose, &choice);
    return choice.hit;
}

/* --- What is said of it --- */

static void finding(void *owner, bool is_trouble, const char *words)
{
    struct buffer *all = owner;
    if (!is_trouble)
        return;
    trace_show("found: %s", words);
    buffer_text(all, text_of(words));
    buffer_byte(all, '\n');
}

/* In the letters and digits that people see, or as the index has it. */
static bool is_named(struct text findings, message_id id)
{
    char words[MESSAGE_ID_TEXT + 1], number[17];
    message_id_print(id, words);
    snprintf(number, sizeof number, "%016llx", (unsigned long long)id);
    return memmem(findings.at, findings.len, words, MESSAGE_ID_TEXT) ||
           memmem(findings.at, findings.len, number, sizeof number - 1);
}

struct lost {
    const struct hit *hit;
    struct text findings;
};

static bool may_lack(void *owner, message_id id)
{
    const struct lost *lost = owner;
    if (lost->hit->message)
        return id == lost->hit->message;
    return is_named(lost->findings, id);
}

/* --- All of it --- */

static void compare(struct node *n, struct lost *lost)
{
    const char *path = n->host->spare_path;
    struct error e;
    bool ok = store_rebuild(path, NULL, NULL, &e);
    world_expect(CHECK_DAMAGE, ok, "%s: no index can be made from a damaged journal: %s",
                 n->host->name, e.words);
    if (!ok)
        return;
    books_compare(n, path,
                  (struct books_of){ .check = CHECK_DAMAGE,
                                     .what = "what is left after damage",
                                     .counts_us = n->host->world->now_us,
                                     .may_lack = may_lack,
                                     .owner = lost,
                                     .may_come_back = true });
}

static void hit_and_look(struct node *n, const struct hit *hit)
{
    struct host *h = n->host;
    struct buffer findings;
    uint64_t count = 0;
    struct error e;
    trace_words("%s: damage in %s, %llu octets from %llu on", h->name, hit->name,
                (unsigned long long)hit->octets, (unsigned long long)hit->from);
    fault_count(FAULT_DAMAGE);
    medium_copy(h->disk, &h->spare);
    medium_damage(h->spare, hit->name, hit->from, hit->octets);
    buffer_init(&findings, WORDS_MAX);
    bool ok = store_verify(h->spare_path, finding, &findings, &count, &e);
    world_expect(CHECK_DAMAGE, ok, "%s: a damaged store cannot be verified: %s", h->name, e.words);
    struct lost lost = { hit, buffer_as_text(&findings) };
    if (hit->message)
        world_expect(CHECK_DAMAGE, is_named(lost.findings, hit->message),
                     "%s: %llu findings do not name message %016llx, which is damaged", h->name,
                     (unsigned long long)count, (unsigned long long)hit->message);
    if (ok)
        compare(n, &lost);
    buffer_clear(&findings);
}

void damage_examine(struct node *n)
{
    struct world *w = n->host->world;
    struct maildrop_entry any = { 0 };
    if (!w->weather.damage)
        return;
    books_compare(
        n, n->host->data,
        (struct books_of){
            .check = CHECK_KEPT, .what = "its store", .counts_us = w->now_us, .any = &any });
    struct hit hit =
        any.message && chance_below(2) ? hit_message(&any) : hit_anything(n->host->disk);
    if (hit.octets && !w->failed)
        hit_and_look(n, &hit);
}
