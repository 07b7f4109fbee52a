/* resolve.h - from an address to the mailboxes that it means, and to the addresses elsewhere.
 *
 * The rules of docs/border.md, "Who may send", in one place: user or alias, then without "+detail",
 * then the domain's catch-all; postmaster and abuse of every local domain always lead somewhere.
 * Blocks on the directory: for a lane.
 */
#ifndef SERVE_RESOLVE_H
#define SERVE_RESOLVE_H

#include "config/config.h"
#include "mail/address.h"
#include "store/accounts.h"

enum resolve_verdict {
    RESOLVED,
    RESOLVE_UNKNOWN, /* the domain is ours, the address is nobody's */
    RESOLVE_FOREIGN, /* the domain is not ours */
    RESOLVE_NOBODY,  /* postmaster of a domain without any user: try again when there is one */
    RESOLVE_TROUBLE, /* the directory could not be asked, memory is short, or aliases run wild */
};

struct resolved_target {
    mailbox_id mailbox;
    struct text account; /* the user's address, as added */
    struct text
        delivered_to; /* what Delivered-To says: the address that led here, or the account's */
};

struct resolved {
    enum resolve_verdict verdict;
    bool exists; /* a user or an alias has this name, perhaps with +detail: it may also send and be
                    verified; a catch-all alone makes no name exist */
    bool exact;  /* ... has it as it stands */
    struct resolved_target *targets; /* each mailbox once, in the arena */
    size_t count;
    struct text *remotes; /* where aliases lead that is not ours: canonical, each once */
    size_t remote_count;
    struct error error; /* with RESOLVE_TROUBLE */
};

/* Who receives mail for this address. */
struct resolved resolve_recipient(struct directory *, const struct config *, const struct address *,
                                  struct arena *);
/* What EXPN shows: the targets of an alias as written, or the user's own address. */
struct expansion {
    enum resolve_verdict verdict;
    struct text *lines; /* in the arena */
    size_t count;
    struct error error; /* with RESOLVE_TROUBLE */
};
struct expansion resolve_expand(struct directory *, const struct config *, const struct address *,
                                struct arena *);

/* For mail that is made on this machine, and reports about it: puts the first configured domain
 * where an address is at `hostname`, which is the machine's name and mostly no mail domain. */
void resolve_machine(const struct config *, struct address *);

/* "postmaster@" and the domain, who is there wherever mail is received. */
bool resolve_postmaster(struct text domain, struct address *out);

/* Puts the first configured domain where a recipient names this host in another way: <Postmaster>
 * alone (RFC 5321 4.5.1), and an address literal that is a listener's address or `here`, the
 * address that the peer called (RFC 1123 5.2.17).  So our own literals are never a way to relay.
 * `here` may be NULL. */
void resolve_complete(const struct config *, const struct endpoint *here, struct address *);

#endif
