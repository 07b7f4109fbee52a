/* address.h - mail addresses: RFC 5321 4.1.2 paths with RFC 6531 (UTF-8), one canonical form.
 *
 * A parsed address is a value of fixed size and owns its text.  Auth, routing and delivery all use
 * the same canonical form, so that no two of them can read one address differently:
 *   - the local part as written, without needless quoting (`"a"@d` is `a@d`) and quoted when it
 *     must be, in the case that it was written in;
 *   - the domain in lower case and as A-labels (RFC 5890), without a trailing dot; an address
 *     literal in the form that endpoint_print_literal() gives.
 * The canonical form parses again, to itself.
 *
 * Beyond the RFCs are accepted: domains of one label, underscores in a domain, its trailing dot.
 * Refused though the grammar has them: general address literals ("[tag:...]": no tag but IPv6 was
 * ever registered) and C1 controls in UTF-8.  An empty quoted local part is right (`""@d`); its key
 * is "@d", so no table may give that text another meaning.  Percent signs and bang paths are local
 * parts like others and never mean a route.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/buffer.h"

/* RFC 5321 4.5.3.1: 64 octets of local part, 255 of domain; 256 for a path with its brackets.  The
 * canonical form obeys all three, since it is what is sent on; a path as written, with the route
 * and quoting that are dropped, obeys the last. */
enum { ADDRESS_LOCAL_MAX = 64, ADDRESS_DOMAIN_MAX = 255, ADDRESS_PATH_MAX = 256 };
/* Room for the canonical form, and for the key, whose local part may triple in NFC. */
enum { ADDRESS_TEXT_MAX = 2 * ADDRESS_LOCAL_MAX + 2 + 1 + ADDRESS_DOMAIN_MAX };

struct address {
    uint16_t len;       /* of text; 0 is the null path <> */
    uint16_t local_len; /* the local part as it stands in text, quotes included */
    bool utf8;          /* the local part has octets over 0x7F (the domain is ASCII by then) */
    bool literal;       /* the domain is an address literal */
    bool no_domain;     /* only `Postmaster`, which alone may stand without a domain */
    char text[ADDRESS_TEXT_MAX];
};

enum address_flags {
    ADDRESS_NULL = 1,       /* <> is allowed (MAIL FROM) */
    ADDRESS_POSTMASTER = 2, /* <Postmaster> without a domain is allowed (RCPT TO) */
    ADDRESS_UTF8 = 4,       /* RFC 6531 mailboxes are allowed */
};

enum address_verdict {
    ADDRESS_OK,
    ADDRESS_SYNTAX,     /* not a path */
    ADDRESS_TOO_LONG,   /* one of the limits */
    ADDRESS_NEEDS_UTF8, /* right, but only with SMTPUTF8 */
    ADDRESS_BAD_IDN,    /* a domain that IDNA 2008 refuses */
    ADDRESS_NO_MEMORY,  /* temporary: says nothing about the address */
};

/* Reads a path with its angle brackets from the front of *rest and leaves *rest behind it; when the
 * verdict is not ADDRESS_OK, *rest stays and *out is empty.  A source route ("<@a,@b:c@d>") is
 * checked and dropped (RFC 5321 appendix C).  No octet below 0x20, no 0x7F ever passes. */
enum address_verdict address_take_path(struct text *rest, unsigned flags, struct address *out);
/* Reads a bare mailbox ("user@example.org"), the whole text: command lines, configuration. It may
 * not be empty; ADDRESS_POSTMASTER lets the word alone pass here too. */
enum address_verdict address_parse(struct text, unsigned flags, struct address *out);
/* A domain alone, U-labels too, canonical into out (terminated).  No address literal. */
enum address_verdict address_parse_domain(struct text, char out[ADDRESS_DOMAIN_MAX + 1]);
/* What an atom is made of, and an atom (RFC 5322 3.2.3), ASCII only. */
bool address_is_atext(char);
bool address_is_atom(struct text);
/* What to tell a person: one short sentence. */
const char *address_problem(enum address_verdict);

static inline struct text address_text(const struct address *a)
{
    return (struct text){ a->text, a->len };
}
static inline struct text address_local(const struct address *a)
{
    return (struct text){ a->text, a->local_len };
}
/* Empty for <> and for Postmaster. */
static inline struct text address_domain(const struct address *a)
{
    size_t skip = a->local_len + (a->len > a->local_len ? 1u : 0u);
    return (struct text){ a->text + skip, a->len - skip };
}

/* What two addresses of the same mailbox have in common: the local part unquoted and, for ASCII,
 * in lower case (UTF-8 local parts in NFC), '@', the domain.  The key of every table. */
struct address_key {
    uint16_t len;
    uint16_t local_len;
    char text[ADDRESS_TEXT_MAX];
};
void address_key(const struct address *, struct address_key *out);
/* The key without "+detail" in its local part; false when it has none (or nothing before it). */
bool address_key_without_plus(const struct address_key *, struct address_key *out);
static inline struct text address_key_text(const struct address_key *k)
{
    return (struct text){ k->text, k->len };
}
static inline struct text address_key_local(const struct address_key *k)
{
    return (struct text){ k->text, k->local_len };
}

#endif
