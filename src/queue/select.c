/* select.c - which recipients in the queue a person means.  Pure: the time is an argument. */
#include "queue/select.h"

#include "config/units.h"
#include "mail/address.h"
#include "queue/tls_need.h"

#include <stdio.h>
#include <string.h>

enum { MEMORY_MAX = 1024 * 1024 };

void selection_init(struct selection *s)
{
    *s = (struct selection){ 0 };
    arena_init(&s->memory, MEMORY_MAX);
}

void selection_clear(struct selection *s)
{
    arena_reset(&s->memory);
    s->list = NULL;
    s->count = 0;
}

/* --- Words --- */

static bool no_memory(struct error *error)
{
    return error_set(error, ERROR_TEMPORARY, "memory is short");
}

static bool bad_value(struct text value, const char *problem, struct error *error)
{
    return error_set(error, ERROR_USAGE, "%.*s: %s", TEXT_ARGS(text_first(value, 100)), problem);
}

static bool keep_text(struct selection *s, struct selector *to, struct text text,
                      struct error *error)
{
    return arena_text(&s->memory, text, &to->text) || no_memory(error);
}

static bool read_address(struct selection *s, struct selector *to, struct text value,
                         struct error *error)
{
    struct address address = { 0 };
    bool nobody = to->kind == SELECT_FROM && text_equal(value, T("<>"));
    enum address_verdict verdict =
        nobody ? ADDRESS_OK : address_parse(value, ADDRESS_UTF8, &address);
    if (verdict != ADDRESS_OK)
        return bad_value(value, address_problem(verdict), error);
    return keep_text(s, to, address_text(&address), error);
}

/* As the domain of an address, so that literals ("[192.0.2.1]") and U-labels have one reading. */
static bool read_domain(struct selection *s, struct selector *to, struct text value,
                        struct error *error)
{
    struct address address;
    char words[ADDRESS_PATH_MAX];
    int len = snprintf(words, sizeof words, "x@%.*s", TEXT_ARGS(value));
    enum address_verdict verdict = ADDRESS_TOO_LONG;
    if (len > 0 && (size_t)len < sizeof words)
        verdict = address_parse((struct text){ words, (size_t)len }, ADDRESS_UTF8, &address);
    if (verdict != ADDRESS_OK)
        return bad_value(value, "is no domain", error);
    return keep_text(s, to, address_domain(&address), error);
}

static bool read_age(struct selection *s, struct selector *to, struct text value,
                     struct error *error)
{
    uint64_t ms = 0;
    (void)s;
    enum units_verdict verdict = duration_parse(value, &ms);
    to->age_ms = (int64_t)ms;
    return verdict == UNITS_OK || bad_value(value, units_problem(verdict), error);
}

static bool read_id(struct selection *s, struct selector *to, struct text value,
                    struct error *error)
{
    (void)s;
    return message_id_parse(value, &to->message) ||
           bad_value(value, "is neither the id of a message nor all, domain:, from:, to: or older:",
                     error);
}

static bool read_nothing(struct selection *s, struct selector *to, struct text value,
                         struct error *error)
{
    (void)s;
    (void)to;
    return value.len == 0 || bad_value(value, "\"all\" stands alone", error);
}

/* The last one takes what no other does. */
static const struct word {
    struct text prefix;
    enum select_kind kind;
    bool (*read)(struct selection *, struct selector *, struct text value, struct error *);
} words[] = {
    { TEXT("domain:"), SELECT_DOMAIN, read_domain }, { TEXT("from:"), SELECT_FROM, read_address },
    { TEXT("to:"), SELECT_TO, read_address },        { TEXT("older:"), SELECT_OLDER, read_age },
    { TEXT("all"), SELECT_ALL, read_nothing },       { TEXT(""), SELECT_MESSAGE, read_id },
};

static const struct word *word_of(struct text word)
{
    const struct word *w = words;
    while (!text_starts(word, w->prefix))
        w++;
    return w;
}

bool selection_add(struct selection *s, struct text word, struct error *error)
{
    const struct word *w = word_of(word);
    struct selector next = { .kind = w->kind };
    if (s->count == SELECTORS_MAX)
        return error_set(error, ERROR_USAGE, "more than %d selectors", SELECTORS_MAX);
    if (!s->list)
        s->list = arena_take(&s->memory, SELECTORS_MAX * sizeof *s->list);
    if (!s->list)
        return no_memory(error);
    if (!w->read(s, &next, text_skip(word, w->prefix.len), error))
        return false;
    s->list[s->count++] = next;
    return true;
}

/* --- Matching --- */

static struct text domain_of(const struct queue_row *row)
{
    struct text domain = row->domain;
    tls_need_take(&domain);
    return domain;
}

static bool fits(const struct selector *s, const struct queue_item *item, int64_t now_ms)
{
    switch (s->kind) {
    case SELECT_MESSAGE:
        return item->row.message == s->message;
    case SELECT_DOMAIN:
        return text_equal_nocase(domain_of(&item->row), s->text);
    case SELECT_FROM:
        return text_equal_nocase(item->sender, s->text);
    case SELECT_TO:
        return text_equal_nocase(item->row.address, s->text);
    case SELECT_OLDER:
        return now_ms - item->arrived_ms >= s->age_ms;
    case SELECT_ALL:
    case SELECT_KINDS:
        break;
    }
    return true;
}

bool selection_takes(const struct selection *s, const struct queue_item *item, int64_t now_ms)
{
    enum { UNNAMED, MISSED, FITTED } kinds[SELECT_KINDS] = { UNNAMED };
    bool missed = s->count == 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct selector *at = &s->list[i];
        if (kinds[at->kind] != FITTED)
            kinds[at->kind] = fits(at, item, now_ms) ? FITTED : MISSED;
    }
    for (size_t i = 0; i < SELECT_KINDS; i++)
        missed |= kinds[i] == MISSED;
    return !missed;
}
