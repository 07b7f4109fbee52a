/* screen.h - the rules of abuse { } about one stranger who brings mail: DNS, HELO, greylisting.
 *
 * Made at the first MAIL of a session of a stranger on the smtp service, if any rule is on; its
 * questions to DNS are asked then, and awaited at RCPT, for five seconds at most.  What is not
 * known by then refuses nobody.
 */
#ifndef SERVE_SCREEN_H
#define SERVE_SCREEN_H

#include "serve/conn.h"

struct screen;

/* The session. `go_on` and `refuse` come on its loop, one of them for each gate that does not
 * admit at once; they may free the screen. */
struct screen_host {
    struct conn *conn;
    const struct smtp_server *machine;
    void (*go_on)(struct conn *, const struct address *recipient, uint32_t request);
    void (*refuse)(struct conn *, const struct address *recipient, uint32_t request,
                   const struct smtp_answer *);
};

/* Whether any rule applies to the session. */
bool screen_is_wanted(const struct conn *);
/* NULL: memory is short, nobody is screened. */
struct screen *screen_new(const struct screen_host *);
void screen_free(struct screen **);

/* For a recipient, in this order: who the peer is, before the recipient is looked up; greylisting,
 * when it is known that he exists.  A recipient who has passed a gate passes it again with the same
 * request. */
enum screen_gate { SCREEN_RULES, SCREEN_GREYLIST };
/* True: go on.  False: the host hears of it, perhaps before this returns. */
bool screen_admits(struct screen *, enum screen_gate, const struct address *recipient,
                   uint32_t request);

#endif
