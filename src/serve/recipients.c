/* recipients.c - whom a transaction is for.
 *
 * It decides neither who may send where nor what an address means.
 */
#include "serve/recipients.h"

#include "store/store.h"

#include <string.h>

enum { LIST_FIRST = 2 };

void recipients_init(struct recipients *r, struct arena *memory)
{
    *r = (struct recipients){ .memory = memory };
}

/* The list with room for one more item of this size, maybe at another place; NULL: memory is short.
 * What is given up stays in the arena: less than the list itself. */
static void *grow(struct recipients *r, void *list, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return list;
    size_t more = *room ? *room * 2 : LIST_FIRST;
    void *grown = arena_take(r->memory, more * size);
    if (!grown)
        return NULL;
    if (count)
        memcpy(grown, list, count * size);
    *room = more;
    return grown;
}

/* --- Adding --- */

/* The place where this leads already; place_count: none. */
static size_t find_place(const struct recipients *r, const struct place *wanted)
{
    size_t i = 0;
    while (i < r->place_count &&
           (r->places[i].mailbox != wanted->mailbox ||
            (wanted->mailbox == 0 && !text_equal(r->places[i].address, wanted->address))))
        i++;
    return i;
}

static enum recipients_add add_claim(struct recipients *r, size_t place)
{
    struct claim *claims = grow(r, r->claims, &r->claim_room, r->claim_count, sizeof *claims);
    if (!claims)
        return RECIPIENT_NO_MEMORY;
    r->claims = claims;
    claims[r->claim_count++] = (struct claim){ (uint32_t)r->count, (uint32_t)place };
    return RECIPIENT_ADDED;
}

static bool copy_texts(struct recipients *r, const struct place *from, struct place *to)
{
    return arena_text(r->memory, from->account, &to->account) &&
           arena_text(r->memory, from->address, &to->address) &&
           arena_text(r->memory, from->orcpt, &to->orcpt);
}

static enum recipients_add add_new_place(struct recipients *r, const struct place *from)
{
    size_t *count = from->mailbox ? &r->local_count : &r->remote_count;
    struct place to = *from;
    if (*count == STORE_PLACEMENTS_MAX)
        return RECIPIENT_TOO_MANY;
    struct place *places = grow(r, r->places, &r->place_room, r->place_count, sizeof *places);
    if (!places)
        return RECIPIENT_NO_MEMORY;
    r->places = places;
    if (!copy_texts(r, from, &to))
        return RECIPIENT_NO_MEMORY;
    to.recipient = (uint32_t)r->count;
    places[r->place_count++] = to;
    ++*count;
    return RECIPIENT_ADDED;
}

/* Adds where the recipient who is being added leads. */
static enum recipients_add add_place(struct recipients *r, struct recipient *to,
                                     const struct place *place)
{
    size_t at = find_place(r, place);
    if (to->places++ == 0)
        to->first = (uint32_t)at;
    to->remote_count += place->mailbox == 0;
    return at < r->place_count ? add_claim(r, at) : add_new_place(r, place);
}

/* What a recipient asked for, for those whom he turns out to be (RFC 3461 5.2.7.3): when they are
 * several, his success is the expansion, and theirs is not told. */
static unsigned notify_of_each(const struct resolved *resolved, unsigned notify)
{
    if (resolved->count + resolved->remote_count <= 1)
        return notify;
    return notify == NOTIFY_SUCCESS ? NOTIFY_NEVER : notify & ~(unsigned)NOTIFY_SUCCESS;
}

static enum recipients_add add_resolved(struct recipients *r, struct recipient *to,
                                        const struct resolved *resolved)
{
    enum recipients_add added = RECIPIENT_ADDED;
    for (size_t i = 0; i < resolved->count && added == RECIPIENT_ADDED; i++) {
        const struct resolved_target *target = &resolved->targets[i];
        struct place place = { target->mailbox, target->account, target->delivered_to };
        added = add_place(r, to, &place);
    }
    for (size_t i = 0; i < resolved->remote_count && added == RECIPIENT_ADDED; i++) {
        struct place place = { .address = resolved->remotes[i],
                               .orcpt = to->orcpt,
                               .notify = notify_of_each(resolved, to->notify) };
        added = add_place(r, to, &place);
    }
    return added;
}

static enum recipients_add add_places(struct recipients *r, struct recipient *to,
                                      const struct resolved *resolved)
{
    struct place itself = { .address = to->address, .orcpt = to->orcpt, .notify = to->notify };
    return resolved ? add_resolved(r, to, resolved) : add_place(r, to, &itself);
}

enum recipients_add recipients_add(struct recipients *r, const struct recipient_named *named)
{
    const struct recipients before = *r;
    struct recipient to = { .notify = named->rcpt->notify, .ours = named->resolved != NULL };
    struct recipient *list = grow(r, r->list, &r->room, r->count, sizeof *list);
    if (!list)
        return RECIPIENT_NO_MEMORY;
    r->list = list;
    if (!arena_text(r->memory, address_text(named->address), &to.address) ||
        !arena_text(r->memory, named->rcpt->orcpt, &to.orcpt))
        return RECIPIENT_NO_MEMORY;
    enum recipients_add added = add_places(r, &to, named->resolved);
    if (added == RECIPIENT_ADDED) {
        list[r->count++] = to;
    } else { /* as a whole; lists that have grown stay so */
        r->place_count = before.place_count;
        r->claim_count = before.claim_count;
        r->local_count = before.local_count;
        r->remote_count = before.remote_count;
    }
    return added;
}

/* --- Loops --- */

struct text recipients_forwarder(const struct recipients *r)
{
    bool forwards = r->count == 1 && r->list[0].ours && r->list[0].remote_count > 0;
    return forwards ? r->list[0].address : (struct text){ 0 };
}

bool recipients_drop_loops(struct recipients *r, const struct delivered *delivered)
{
    if (!delivered_any(delivered))
        return true;
    for (size_t i = 0; i < r->count; i++)
        r->list[i].looped = r->list[i].ours && delivered_has(delivered, r->list[i].address);
    for (size_t i = 0; i < r->place_count; i++)
        r->places[i].lost = r->list[r->places[i].recipient].looped;
    /* Whom another recipient reaches has not lost it. */
    for (size_t i = 0; i < r->claim_count; i++)
        if (!r->list[r->claims[i].recipient].looped)
            r->places[r->claims[i].place].lost = false;
    size_t left = 0;
    for (size_t i = 0; i < r->place_count; i++) {
        struct place *place = &r->places[i];
        place->had_it = !place->lost && place->mailbox && delivered_has(delivered, place->address);
        place->lost |= place->had_it;
        left += !place->lost;
    }
    return left > 0;
}

/* --- News --- */

size_t recipients_news_max(const struct recipients *r)
{
    return r->count + r->place_count;
}

static struct recipient_news news_of(const struct recipient *to, enum dsn_action action,
                                     struct text address)
{
    return (struct recipient_news){ action, address, to->orcpt, to->notify };
}

/* RFC 3461 5.2.3, 5.2.7.3.  Of one place elsewhere its next hop is asked.  A mailbox is named as
 * the sender named it: where an alias leads is not for strangers to learn (RFC 3461 5.2.7.4). */
static bool success_of(const struct recipients *r, const struct recipient *to,
                       struct recipient_news *out)
{
    if (!(to->notify & NOTIFY_SUCCESS) || !to->ours || to->looped)
        return false;
    const struct place *first = &r->places[to->first];
    if (to->places > 1)
        *out = news_of(to, DSN_EXPANDED, to->address);
    else if (first->mailbox && !first->lost)
        *out = news_of(to, DSN_DELIVERED, to->address);
    else
        return false;
    return true;
}

static bool is_told_already(const struct recipient_news *news, size_t count, struct text address)
{
    for (size_t i = 0; i < count; i++)
        if (news[i].action == DSN_FAILED && text_equal_nocase(news[i].address, address))
            return true;
    return false;
}

size_t recipients_news(const struct recipients *r, struct recipient_news *out)
{
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct recipient *to = &r->list[i];
        if (to->looped)
            out[count++] = news_of(to, DSN_FAILED, to->address);
        else
            count += success_of(r, to, &out[count]);
    }
    for (size_t i = 0; i < r->place_count; i++)
        if (r->places[i].had_it && !is_told_already(out, count, r->places[i].address))
            out[count++] =
                news_of(&r->list[r->places[i].recipient], DSN_FAILED, r->places[i].address);
    return count;
}
