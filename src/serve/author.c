/* author.c - the addresses of From, one after the other. */
#include "serve/author.h"

#include "mail/mailbox_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 480, SHOWN_MAX = 120 };

struct author_check {
    struct author_ask ask;
    struct mailbox_list list; /* in `value` */
    unsigned count;           /* addresses so far */
    struct lookup *lookup;    /* the question under way */
    struct smtp_answer answer;
    struct buffer words;
    char room[WORDS_MAX];
    char value[AMEND_FROM_MAX];
};

static enum author_verdict judge(struct author_check *);

/* --- What is refused --- */

static enum author_verdict refuse(struct author_check *c, const char *why)
{
    buffer_printf(&c->words,
                  "submission.from: %s; %.*s may write only as itself or as an alias that leads to "
                  "it",
                  why, TEXT_ARGS(text_first(address_text(&c->ask.peer->login), SHOWN_MAX)));
    c->answer = (struct smtp_answer){ SMTP_REJECT, 550, "5.7.1", buffer_as_text(&c->words) };
    return AUTHOR_REFUSED;
}

static enum author_verdict refuse_address(struct author_check *c, const struct address *address)
{
    char why[SHOWN_MAX + 32];
    snprintf(why, sizeof why, "From names %.*s",
             TEXT_ARGS(text_first(address_text(address), SHOWN_MAX)));
    return refuse(c, why);
}

static enum author_verdict defer(struct author_check *c)
{
    c->answer = (struct smtp_answer){ SMTP_DEFER, 451, "4.3.0",
                                      T("cannot look up the author, try again later") };
    return AUTHOR_REFUSED;
}

/* --- Looking up --- */

static enum author_verdict judge_found(struct author_check *c, const struct address *address,
                                       const struct resolved *resolved)
{
    if (resolved->verdict == RESOLVE_TROUBLE)
        return defer(c);
    const struct config *config = c->ask.home->settings->config;
    return policy_owns(config, c->ask.peer, address, resolved) ? AUTHOR_FINE
                                                               : refuse_address(c, address);
}

static void found(struct lookup *l)
{
    struct author_check *c = l->owner;
    struct server_loop *home = l->holds;
    if (c) {
        c->lookup = NULL;
        address_cache_keep(home->cache, l);
        enum author_verdict verdict = judge_found(c, &l->address, &l->resolved);
        if (verdict == AUTHOR_FINE)
            verdict = judge(c);
        if (verdict != AUTHOR_WAITS)
            c->ask.done(c->ask.owner, verdict);
    }
    lookup_free(&l);
    server_loop_release(home);
}

static enum author_verdict look_up(struct author_check *c, const struct address *address)
{
    struct server_loop *home = c->ask.home;
    struct lookup *l = lookup_new(LOOKUP_ADDRESS, address);
    if (!l)
        return defer(c);
    l->settings = c->ask.home->settings;
    l->home = home->loop;
    l->holds = home;
    l->done = found;
    l->owner = c;
    if (!people_ask(home->server->people, l)) {
        lookup_free(&l);
        return defer(c);
    }
    server_loop_hold(home);
    c->lookup = l;
    return AUTHOR_WAITS;
}

static enum author_verdict judge_address(struct author_check *c, const struct address *address)
{
    const struct config *config = c->ask.home->settings->config;
    if (policy_is_self(config, c->ask.peer, address))
        return AUTHOR_FINE;
    if (!config_domain(config, address_domain(address)))
        return refuse_address(c, address);
    const struct resolved *known = address_cache_find(c->ask.home->cache, address);
    return known ? judge_found(c, address, known) : look_up(c, address);
}

/* --- From one to the next --- */

static enum author_verdict judge(struct author_check *c)
{
    enum author_verdict verdict = AUTHOR_FINE;
    struct address address;
    while (verdict == AUTHOR_FINE) {
        switch (mailbox_list_next(&c->list, &address)) {
        case MAILBOX_ADDRESS:
            verdict = ++c->count > AUTHORS_MAX ? refuse(c, "the header names too many authors")
                                               : judge_address(c, &address);
            break;
        case MAILBOX_NAME: /* "root": no address, so nobody else's */
            break;
        case MAILBOX_LIST_MALFORMED:
            return refuse(c, "the From field cannot be read");
        case MAILBOX_LIST_END:
            return AUTHOR_FINE;
        }
    }
    return verdict;
}

static enum author_verdict begin(struct author_check *c)
{
    struct amend_author author = c->ask.author;
    if (author.fields == 0) /* then the author is who the envelope says */
        return AUTHOR_FINE;
    if (author.fields > 1) /* RFC 5322 3.6; readers differ in which one they show */
        return refuse(c, "the header has more than one From");
    if (author.too_long)
        return refuse(c, "the From field is too long");
    memcpy(c->value, author.value.at, author.value.len);
    c->list = mailbox_list_of((struct text){ c->value, author.value.len });
    return judge(c);
}

struct author_check *author_check_new(const struct author_ask *ask, enum author_verdict *out)
{
    struct author_check *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->ask = *ask;
    c->words = buffer_over(c->room, sizeof c->room);
    *out = begin(c);
    return c;
}

void author_check_free(struct author_check **check)
{
    struct author_check *c = *check;
    if (!c)
        return;
    if (c->lookup)
        c->lookup->owner = NULL; /* it ends by itself */
    free(c);
    *check = NULL;
}

struct smtp_answer author_answer(const struct author_check *c)
{
    return c->answer;
}
