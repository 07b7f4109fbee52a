/* accounts.h - who there is: accounts, aliases and verifiers (directory.db).
 *
 * A handle is for one thread at a time; every call blocks: for lanes and the command line.  Several
 * handles and several processes may be open.  Every change is durable when the call returns.
 * Addresses are keys (mail/address.h); the text shown to people is kept beside them.
 */
#ifndef STORE_ACCOUNTS_H
#define STORE_ACCOUNTS_H

#include "base/arena.h"
#include "base/error.h"
#include "run/secret.h"
#include "store/ids.h"

struct directory;

/* With `create` makes DATA (0700) and directory.db when they are missing; without, that is
 * ERROR_REFUSED. */
bool directory_open(const char *data_path, bool create, struct directory **out, struct error *);
void directory_close(struct directory **);
/* Changes whenever anybody, in any process, has changed anything since this handle last asked. */
bool directory_generation(struct directory *, uint64_t *out, struct error *);

struct account {
    struct text address; /* as written when it was added */
    mailbox_id mailbox;
    int64_t created_ms;
};

/* `key` and the account's address: address_key_text() and address_text().  The mailbox id comes
 * from the caller (random, or one to adopt).  ERROR_REFUSED when the user is there already, or the
 * mailbox is another user's. */
bool account_add(struct directory *, struct text key, const struct account *,
                 const struct verifier *, struct error *);
bool account_set_verifier(struct directory *, struct text key, const struct verifier *,
                          struct error *);
/* Another verifier of the same password, for who still has the one before. *done_out false: that is
 * not so any more, and nothing happened.  Nobody need notice: what was right is right still, and
 * this handle's directory_generation() stays. */
struct verifier_change {
    struct verifier before, now;
};
bool account_renew_verifier(struct directory *, struct text key, const struct verifier_change *,
                            bool *done_out, struct error *);
/* ERROR_REFUSED when there is none.  The aliases stay. */
bool account_remove(struct directory *, struct text key, mailbox_id *mailbox_out, struct error *);
/* In order of key.  `domain`: empty for all. */
bool account_each(struct directory *, struct text domain,
                  void (*each)(void *owner, const struct account *), void *owner, struct error *);
/* The verifier of a user; *found_out false (and true returned) when there is none. */
bool account_verifier(struct directory *, struct text key, struct verifier *out,
                      mailbox_id *mailbox_out, bool *found_out, struct error *);
/* The user added first in the domain: whoever gets postmaster's mail when nobody is named. */
bool account_first(struct directory *, struct text domain, struct arena *, struct account *out,
                   bool *found_out, struct error *);

/* What an address is.  A name may be both a user and an alias. */
struct directory_entry {
    bool is_user;
    struct account user;
    struct text *targets; /* of the alias, as written, in the order added */
    size_t target_count;  /* 0: not an alias */
};
/* The texts live in the arena. */
bool directory_find(struct directory *, struct text key, struct arena *,
                    struct directory_entry *out, struct error *);

/* Targets are added behind those that are there; one that is there already stays once. */
bool alias_add(struct directory *, struct text key, struct text address, const struct text *targets,
               size_t count, struct error *);
/* Removes these targets, or the whole alias when count is 0; ERROR_REFUSED when not there. */
bool alias_remove(struct directory *, struct text key, const struct text *targets, size_t count,
                  struct error *);
struct alias {
    struct text address;
    struct text target;
};
/* One call a target, in order of key. */
bool alias_each(struct directory *, struct text domain,
                void (*each)(void *owner, const struct alias *), void *owner, struct error *);

#endif
