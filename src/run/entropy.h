/* entropy.h - unpredictable bytes from the kernel. Any thread. */
#ifndef RUN_ENTROPY_H
#define RUN_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

/* Fills the memory; never fails once the system is up. */
void entropy_fill(void *to, size_t len);
uint64_t entropy_u64(void);

#endif
