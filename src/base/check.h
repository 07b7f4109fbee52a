/* check.h - assertions that stay in release builds.
 *
 * CHECK is for bugs in godwit itself: a broken promise between two functions.  What the world can
 * do (a peer, a disk, a short memory) is never checked with it but returned as a value.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

/* Prints the place and the condition to standard error, and aborts. */
_Noreturn void check_failed(const char *file, int line, const char *condition);

/* One condition each, so that the message says which one did not hold. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            check_failed(__FILE__, __LINE__, #condition);                                          \
    } while (0)

#endif
