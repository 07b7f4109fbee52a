/* screen.h - text for the user's terminal: in its character set, and harmless.
 */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "mail/harmless.h"
#include "mail/sink.h"

struct recoder;

struct screen {
    struct recoder *recoder; /* NULL: it is UTF-8 */
    struct harmless harmless;
};

void screen_init(struct screen *);
void screen_clear(struct screen *);
/* UTF-8 that is harmless already. */
void screen_text(struct screen *, struct text);
/* Whatever octets, which may be cut anywhere; screen_end() behind the last. */
void screen_feed(struct screen *, struct text);
void screen_end(struct screen *);
/* What somebody else said, on one line of its own. */
void screen_line(struct screen *, struct text);
/* A sink of screen_text(). */
struct sink screen_sink(struct screen *);

#endif
