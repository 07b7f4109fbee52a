/* composing.h - what a message that is composed here gets besides its words: a name, a time, its
 * writer, and the files that are attached. */
#ifndef CLI_COMPOSING_H
#define CLI_COMPOSING_H

#include "agent/user.h"
#include "base/arena.h"
#include "mail/compose.h"

enum { COMPOSING_UNIQUE = 24 };

/* What no other message has, and when that was. */
struct composing_identity {
    char message_id[COMPOSING_UNIQUE + ADDRESS_DOMAIN_MAX + 8]; /* "<...@domain>" */
    char boundary[COMPOSING_UNIQUE];                            /* not terminated */
    int64_t now_ms;
    int zone_seconds;
};
/* `domain`: of the sender. */
void composing_identify(struct text domain, struct composing_identity *out);

/* Appends "Name" <address> (RFC 5322 3.2.4), or the address alone.  False: no room. */
bool composing_from(const struct user *, struct buffer *out);

/* Files that are attached, which are open. */
struct attachments {
    struct compose_file *as; /* for compose.h */
    struct attachment {
        const char *words; /* in front of the reason when it cannot be read */
        int file;
    } * files;
    size_t count;
};
/* For up to `max`, in the arena.  False: memory is short. */
bool attachments_init(struct attachments *, struct arena *, size_t max);
/* Takes the file over.  All text is borrowed. */
void attachments_add(struct attachments *, const char *path, const char *words, int file);
/* Harmless on one that is zeroed. */
void attachments_close(struct attachments *);

#endif
