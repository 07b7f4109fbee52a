/* say.c - messages of the command line: what a peer or a typist gave is made harmless here.
 *
 * No memory is asked for: that it is short must be sayable.
 */
#include "base/escape.h"
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

enum { WORDS_MAX = 1024, ESCAPED_MAX = 4 * WORDS_MAX /* "\xFF" */ };

static void print(const char *before, struct text words)
{
    char room[ESCAPED_MAX];
    struct buffer b = buffer_over(room, sizeof room);
    escape_text(&b, words);
    fprintf(stderr, "godwit: %s%.*s\n", before, TEXT_ARGS(buffer_as_text(&b)));
}

enum cli_exit cli_fail(const struct error *e)
{
    static const enum cli_exit codes[] = {
        [ERROR_NONE] = CLI_NO,     [ERROR_TEMPORARY] = CLI_AGAIN, [ERROR_REFUSED] = CLI_NO,
        [ERROR_USAGE] = CLI_USAGE, [ERROR_CONFIG] = CLI_CONFIG,   [ERROR_DAMAGED] = CLI_NO,
    };
    print("", error_text(e));
    return codes[e->kind];
}

enum cli_exit cli_say(enum cli_exit code, const char *format, ...)
{
    char words[WORDS_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    print("", text_of(words));
    return code;
}

void cli_warn(const char *format, ...)
{
    char words[WORDS_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    print("warning: ", text_of(words));
}
