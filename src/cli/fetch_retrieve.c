/* fetch_retrieve.c - godwit fetch: messages come, window by window, and are deleted elsewhere only
 * once they are on the disk here.
 *
 * The order of things for a window is that of folder/fetched.h.  A stop at any point of it costs at
 * the most that messages come a second time over the line, never that one is here twice or lost.
 */
#include "cli/fetch.h"

#include <stdio.h>
#include <stdlib.h>

static bool fail(struct fetch *f, const struct error *e)
{
    if (e->kind == ERROR_TEMPORARY)
        return failure_set(f->failure, FAILURE_LATER,
                           "%s; nothing is lost: the next fetch brings what is not here", e->words);
    failure_of(f->failure, e);
    if (e->kind == ERROR_REFUSED)
        f->failure->kind = FAILURE_CREATE;
    return false;
}

/* --- Windows --- */

static bool is_stream(const struct fetch *f)
{
    return landing_kind(f->landing) == LANDING_STREAM;
}

/* What nobody can make good is noted once it is with its reader. */
static bool note_shown(struct fetch *f, struct error *e)
{
    for (size_t i = f->window_begin; is_stream(f) && i < f->answer; i++) {
        const struct fetch_message *m = &f->messages[i];
        if (m->landed && !m->here && m->uid_len && !fetched_add(f->fetched, fetch_uid(f, m), e))
            return false;
    }
    return true;
}

/* All that is whole is put where it belongs, on the disk, and noted.  Not once more when it has
 * failed: a second sync may say yes to what the first one has lost. */
static bool end_window(struct fetch *f)
{
    struct error e;
    if (f->broken)
        return false;
    bool ok = landing_messages(f->landing) == 0 ||
              (landing_sync(f->landing, &e) && fetched_write_plan(f->fetched, &e) &&
               landing_show(f->landing, &e) && note_shown(f, &e) &&
               fetched_commit(f->fetched, &e) && landing_done(f->landing, &e));
    f->broken = !ok;
    if (!ok)
        return fail(f, &e);
    for (; f->window_begin < f->answer; f->window_begin++)
        if (f->messages[f->window_begin].landed)
            f->messages[f->window_begin].here = true;
    return true;
}

/* --- Messages --- */

static enum maildrop_next next(void *owner, struct pop3_client_command *out)
{
    struct fetch *f = owner;
    while (f->asked < f->count && f->messages[f->asked].here)
        f->asked++;
    if (f->asked == f->count)
        return MAILDROP_DONE;
    *out = (struct pop3_client_command){ .verb = POP3_CLIENT_RETR,
                                         .message = f->messages[f->asked++].number };
    return MAILDROP_ASK;
}

/* It is whole: its name is noted, which counts with the end of the window. */
static bool keep_message(struct fetch *f, struct fetch_message *m)
{
    struct error e;
    char name[LANDING_NAME_MAX];
    if (!landing_end(f->landing, name, &e))
        return fail(f, &e);
    m->landed = true;
    if (m->uid_len && !is_stream(f) &&
        !fetched_plan(f->fetched, text_of(landing_target(f->landing)), text_of(name),
                      fetch_uid(f, m), &e))
        return fail(f, &e);
    return true;
}

static bool answered(struct fetch *f, const struct pop3_client_result *result)
{
    struct fetch_message *m = &f->messages[f->answer];
    bool yes = result->verdict == POP3_CLIENT_YES;
    if (yes && !keep_message(f, m))
        return false;
    if (!yes)
        landing_drop(f->landing);
    if (result->verdict == POP3_CLIENT_NO) {
        progress_end(&f->progress);
        cli_warn("message %u was not given: %.*s", m->number, TEXT_ARGS(result->reply));
        f->refused++;
    }
    f->answer++;
    progress_bar(&f->progress, f->answer, f->octets);
    return !landing_is_full(f->landing) || end_window(f);
}

static bool step(void *owner, const struct pop3_client_step *s)
{
    struct fetch *f = owner;
    struct error e;
    while (f->answer + 1 < f->count && f->messages[f->answer].here) /* these were not asked for */
        f->answer++;
    switch (s->kind) {
    case POP3_CLIENT_BEGINS:
        return landing_begin(f->landing, &(struct landing_facts){ 0 }, &e) || fail(f, &e);
    case POP3_CLIENT_CONTENT:
        f->octets += s->content.len;
        progress_bar(&f->progress, f->answer, f->octets);
        return landing_add(f->landing, s->content, &e) || fail(f, &e);
    case POP3_CLIENT_ANSWERED:
        return answered(f, s->result);
    default:
        return true;
    }
}

/* The session's failure is told only when there is none of ours. */
static bool run(struct fetch *f, const struct maildrop_work *work)
{
    struct failure session;
    f->failure->kind = FAILURE_NONE;
    if (maildrop_run(f->maildrop, work, &session))
        return true;
    if (f->failure->kind == FAILURE_NONE)
        *f->failure = session;
    return false;
}

static void begin_progress(struct fetch *f)
{
    progress_begin_bar(&f->progress, "fetching", f->words->quiet);
    for (size_t i = 0; i < f->count; i++)
        f->progress.octets += f->messages[i].here ? 0 : f->messages[i].octets;
    f->progress.total = f->count;
}

bool fetch_retrieve(struct fetch *f)
{
    const struct maildrop_work work = { .next = next, .step = step, .owner = f };
    begin_progress(f);
    bool ok = run(f, &work);
    struct failure first = *f->failure;
    landing_drop(f->landing);
    bool kept = end_window(f); /* of a session that broke off, too */
    if (!ok)
        *f->failure = first;
    progress_end(&f->progress);
    return ok && kept;
}

/* --- Deletion --- */

static enum maildrop_next next_deletion(void *owner, struct pop3_client_command *out)
{
    struct fetch *f = owner;
    while (f->asked < f->count && !f->messages[f->asked].here)
        f->asked++;
    if (f->asked == f->count)
        return MAILDROP_DONE;
    *out = (struct pop3_client_command){ .verb = POP3_CLIENT_DELE,
                                         .message = f->messages[f->asked++].number };
    return MAILDROP_ASK;
}

static bool step_deletion(void *owner, const struct pop3_client_step *s)
{
    struct fetch *f = owner;
    if (s->kind != POP3_CLIENT_ANSWERED)
        return true;
    if (s->result->verdict == POP3_CLIENT_YES) {
        fetch_find(f, s->command.message)->deleted = true;
        f->deleted++;
    }
    if (s->result->verdict == POP3_CLIENT_NO) {
        cli_warn("message %u was not deleted: %.*s", s->command.message,
                 TEXT_ARGS(s->result->reply));
        f->refused++;
    }
    return true;
}

bool fetch_delete(struct fetch *f)
{
    const struct maildrop_work work = { .next = next_deletion, .step = step_deletion, .owner = f };
    f->asked = 0;
    return run(f, &work);
}

/* --- What an earlier run has left --- */

struct finishing {
    struct landing *landing;
    bool *here;
    size_t count;
    struct error *error;
};

static bool finish_one(void *owner, const char *name)
{
    struct finishing *g = owner;
    enum landing_finished found = landing_finish(g->landing, name, g->error);
    g->here[g->count++] = found == LANDING_SHOWN;
    return found != LANDING_TROUBLE;
}

static bool finish_all(struct fetch *f, struct landing *landing, bool *here, struct error *e)
{
    struct finishing g = { .landing = landing, .here = here, .error = e };
    return fetched_each_open(f->fetched, finish_one, &g) && landing_finish_end(landing, e) &&
           fetched_settle(f->fetched, here, e) && landing_done(landing, e);
}

/* A place that is no more has nothing to be made good: its messages come again. */
static bool settle_as_gone(struct fetch *f, const bool *none, const struct error *why,
                           struct error *e)
{
    cli_warn("%s; what an earlier run was about to put there comes again", why->words);
    return fetched_settle(f->fetched, none, e);
}

static void sweep(const struct fetch *f)
{
    char target[LANDING_TARGET_MAX], name[LANDING_NAME_MAX];
    snprintf(target, sizeof target, "%.*s", TEXT_ARGS(fetched_last_target(f->fetched)));
    snprintf(name, sizeof name, "%.*s", TEXT_ARGS(fetched_last_name(f->fetched)));
    if (target[0])
        landing_sweep(target, name);
}

bool fetch_make_good(struct fetch *f)
{
    struct error e;
    char target[LANDING_TARGET_MAX];
    struct landing *landing = NULL;
    size_t count = fetched_open_count(f->fetched);
    if (count == 0) {
        sweep(f);
        return true;
    }
    snprintf(target, sizeof target, "%.*s", TEXT_ARGS(fetched_open_target(f->fetched)));
    bool *here = calloc(count, sizeof *here);
    bool ok = here != NULL;
    if (!ok)
        error_set(&e, ERROR_TEMPORARY, "memory is short");
    else if (landing_open(target, &landing, &e))
        ok = finish_all(f, landing, here, &e);
    else {
        struct error why = e;
        ok = why.kind != ERROR_TEMPORARY && settle_as_gone(f, here, &why, &e);
    }
    landing_close(&landing);
    free(here);
    return ok || fail(f, &e);
}
