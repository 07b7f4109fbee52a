/* ledger_books.c - what must be in a copy of a whole store, and what must not. */
#include "sim/books.h"
#include "sim/ledger_inner.h"

void ledger_begin_books(struct ledger *l)
{
    l->books++;
}

/* Reports are not compared: nobody was promised one at a certain time. */
void ledger_found(struct ledger *l, struct box *box, message_id id, struct text message)
{
    struct copy *c = ledger_recognize(l, box, message);
    if (!c)
        return;
    world_expect(CHECK_ONCE, c->kind != COPY_LOCAL || c->in_books != l->books,
                 "%s: letter %u is twice in a copy of the store", box->address, c->letter->number);
    c->in_books = l->books;
    c->message = id;
}

/* What came from another host counts when it was seen. */
static bool must_be_there(const struct copy *c, uint64_t counts_us)
{
    if (c->removal != COPY_KEPT || c->refused)
        return false;
    if (c->kind != COPY_LOCAL)
        return c->uidl[0] && c->seen_us < counts_us;
    return c->letter->fate == FATE_ACCEPTED && c->letter->decided_us < counts_us;
}

/* One that came from another host may have come twice. */
static bool must_be_gone(const struct copy *c, uint64_t counts_us)
{
    return c->kind == COPY_LOCAL && c->removal == COPY_REMOVED && c->removed_us < counts_us;
}

static void compare(const struct ledger *l, const struct copy *c, const struct books_of *of)
{
    bool is_there = c->in_books == l->books;
    if (must_be_there(c, of->counts_us))
        world_expect(of->check, is_there || (of->may_lack && of->may_lack(of->owner, c->message)),
                     "%s: letter %u is not in %s", c->box->address, c->letter->number, of->what);
    else if (must_be_gone(c, of->counts_us) && !of->may_come_back)
        world_expect(of->check, !is_there, "%s: letter %u was deleted, and is in %s",
                     c->box->address, c->letter->number, of->what);
}

void ledger_end_books(const struct ledger *l, unsigned host, const struct books_of *of)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct letter *letter = l->letters[i];
        for (unsigned k = 0; k < letter->copy_count; k++)
            if (letter->copies[k].box->host == host)
                compare(l, &letter->copies[k], of);
    }
}
