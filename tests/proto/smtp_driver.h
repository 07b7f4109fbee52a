/* smtp_driver.h - a driver of the SMTP machine in memory, whose decisions follow from the names.
 *
 *   MAIL   nosuch@ 553 5.1.0, slow@ 451; others are accepted
 *   RCPT   nosuch@ 550, slow@ 451, rude@ 550 with words that try to be a reply of their own
 *   DATA   from full@ 452, from banned@ 554
 *   end    from late@ 451, from spam@ 554, from gone@ no reply; others "accepted as M1", M2, ...
 *   VRFY   bob, jose (in UTF-8), slow          EXPN   staff, friends (in UTF-8), horde (too many),
 * slow AUTH   PLAIN and LOGIN, bob with the password secret; slow 454
 */
#ifndef TESTS_SMTP_DRIVER_H
#define TESTS_SMTP_DRIVER_H

#include "base/buffer.h"
#include "proto/smtp_server.h"

struct driver {
    unsigned messages;
    unsigned auth_steps; /* in this exchange */
    bool auth_is_login;
    bool auth_knows_bob;
    struct buffer scratch; /* words of the last answer */
};

void driver_init(struct driver *);
void driver_clear(struct driver *);
/* What the request is answered with; its words live until the next call. */
struct smtp_answer driver_answer(struct driver *, const struct smtp_server *,
                                 const struct smtp_step *);
/* Appends one line that tells the step to a person: "recipient bob@example.org". */
void driver_describe(const struct smtp_step *, struct buffer *);
/* Appends octets with \r, \n, \0, \\ and \xNN for what is not printable ASCII, or a space at the
 * end that nobody would see. */
void driver_show(struct text, struct buffer *);

#endif
