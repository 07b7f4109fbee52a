/* fetch_list.c - godwit fetch: what the server has, and what of it is here. */
#include "cli/fetch.h"

#include <stdlib.h>

enum { UIDS_MAX = 1 << 30, MESSAGES_FIRST = 1024 };

static bool short_of_memory(struct fetch *f)
{
    return failure_set(f->failure, FAILURE_LATER, "memory is short for the list of messages");
}

static bool senseless(struct fetch *f)
{
    return failure_set(f->failure, FAILURE_PROTOCOL,
                       "%s: its list of messages makes no sense: nothing was fetched",
                       maildrop_where(f->maildrop));
}

static struct fetch_message *append(struct fetch *f, uint32_t number)
{
    if (f->count == f->room) {
        size_t room = f->room ? f->room * 2 : MESSAGES_FIRST;
        struct fetch_message *more =
            room > FETCHED_MESSAGES_MAX ? NULL : realloc(f->messages, room * sizeof *more);
        if (!more)
            return NULL;
        f->messages = more;
        f->room = room;
    }
    f->messages[f->count] = (struct fetch_message){ .number = number };
    return &f->messages[f->count++];
}

/* A line of UIDL, or of LIST when there is no UIDL. */
static bool add_line(struct fetch *f, const struct pop3_client_step *s)
{
    if (s->number == 0 || (f->count && s->number <= f->messages[f->count - 1].number))
        return senseless(f);
    struct fetch_message *m = append(f, s->number);
    if (!m)
        return short_of_memory(f);
    m->octets = s->octets;
    if (!fetched_is_usable(s->unique_id))
        return true;
    m->uid_at = (uint32_t)f->uids.len;
    m->uid_len = (uint32_t)s->unique_id.len;
    return buffer_text(&f->uids, s->unique_id) || short_of_memory(f);
}

struct fetch_message *fetch_find(struct fetch *f, uint32_t number)
{
    size_t low = 0, high = f->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->messages[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < f->count && f->messages[low].number == number ? &f->messages[low] : NULL;
}

/* Without unique-ids everything comes, and from a server that had them it would come again. */
static bool refuse_without(struct fetch *f, const struct pop3_client_result *result)
{
    bool offered = maildrop_offers(f->maildrop)->uidl;
    if (!result->temporary && !offered && fetched_count(f->fetched) == 0)
        return true;
    return failure_set(
        f->failure, result->temporary ? FAILURE_LATER : FAILURE_REFUSED,
        "%s gives no unique-ids: %.*s; nothing was fetched, since what is here would "
        "come again",
        maildrop_where(f->maildrop), TEXT_ARGS(result->reply));
}

static bool take_uid(void *owner, const struct pop3_client_step *s)
{
    struct fetch *f = owner;
    if (s->kind == POP3_CLIENT_ANSWERED) {
        f->has_uids = s->result->verdict == POP3_CLIENT_YES;
        return s->result->verdict != POP3_CLIENT_NO || refuse_without(f, s->result);
    }
    return s->kind != POP3_CLIENT_LINE || add_line(f, s);
}

/* Sizes are for the progress, and the messages themselves where there is no UIDL. */
static bool take_size(void *owner, const struct pop3_client_step *s)
{
    struct fetch *f = owner;
    if (s->kind == POP3_CLIENT_ANSWERED && s->result->verdict == POP3_CLIENT_NO && !f->has_uids)
        return failure_set(f->failure, FAILURE_REFUSED, "%s gives no list of its messages: %.*s",
                           maildrop_where(f->maildrop), TEXT_ARGS(s->result->reply));
    if (s->kind != POP3_CLIENT_LINE)
        return true;
    if (!f->has_uids)
        return add_line(f, s);
    struct fetch_message *m = fetch_find(f, s->number);
    if (m)
        m->octets = s->octets;
    return true;
}

/* Only a whole list says what the server has no more. */
bool fetch_forget(struct fetch *f)
{
    struct error e;
    fetched_listing_begins(f->fetched);
    for (size_t i = 0; f->has_uids && i < f->count; i++)
        if (!f->messages[i].deleted)
            fetched_listed(f->fetched, fetch_uid(f, &f->messages[i]));
    return !f->has_uids || fetched_prune(f->fetched, &e) || failure_of(f->failure, &e);
}

static void compare(struct fetch *f)
{
    for (size_t i = 0; i < f->count; i++) {
        struct fetch_message *m = &f->messages[i];
        m->before = m->here = m->uid_len && fetched_has(f->fetched, fetch_uid(f, m));
    }
}

/* What has no unique-id, or one that cannot be noted, is new each time. */
static void warn_of_nameless(const struct fetch *f)
{
    size_t nameless = 0;
    for (size_t i = 0; i < f->count; i++)
        nameless += f->messages[i].uid_len == 0;
    if (nameless > 0 && !f->words->deletes)
        cli_warn("%zu of %zu messages have no unique-id that can be noted: they come again each "
                 "time; --delete ends that",
                 nameless, f->count);
}

static bool ask(struct fetch *f, enum pop3_client_verb verb,
                bool (*step)(void *, const struct pop3_client_step *))
{
    const struct pop3_client_command command = { .verb = verb };
    const struct maildrop_work work = { .step = step, .owner = f };
    struct failure session;
    f->failure->kind = FAILURE_NONE;
    if (maildrop_ask(f->maildrop, command, &work, &session))
        return true;
    if (f->failure->kind == FAILURE_NONE) /* what we found counts before what came of it */
        *f->failure = session;
    return false;
}

bool fetch_list(struct fetch *f)
{
    buffer_init(&f->uids, UIDS_MAX);
    if (!ask(f, POP3_CLIENT_UIDL, take_uid))
        return false;
    if (!f->has_uids) {
        f->count = 0;
        cli_warn("%s has no unique-ids: %s", maildrop_where(f->maildrop),
                 f->words->deletes ? "what is not deleted by the end of this run comes again"
                                   : "every message comes again each time; --delete ends that");
    }
    if (!ask(f, POP3_CLIENT_LIST, take_size))
        return false;
    if (!f->has_uids)
        return true;
    warn_of_nameless(f);
    compare(f);
    return fetch_forget(f);
}
