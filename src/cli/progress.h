/* progress.h - how far a long command has come, on one line of a terminal; elsewhere nothing. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool is_terminal;
    bool is_shown;
    uint64_t next_ms; /* monotonic: when to show it again */
};
void progress_init(struct progress *);
/* "123 messages, 7 there already (45%)"; `all` 0: without the share. */
void progress_show(struct progress *, uint64_t messages, uint64_t there, uint64_t done,
                   uint64_t all);
/* Takes the line away. */
void progress_end(struct progress *);

#endif
