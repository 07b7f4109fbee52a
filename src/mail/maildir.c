/* maildir.c - names of files in a Maildir. */
#include "mail/maildir.h"

#include <stdio.h>

struct text maildir_base(struct text name)
{
    return text_first(name, text_find(name, ':'));
}

unsigned maildir_flags(struct text name)
{
    struct text info = text_skip(name, maildir_base(name).len);
    return text_starts(info, T(":2,")) ? mail_flags_read(MAIL_LETTERS_MAILDIR, text_skip(info, 3))
                                       : 0;
}

uint64_t maildir_time(struct text name)
{
    uint64_t seconds = 0;
    size_t len = 0;
    while (len < name.len && text_is_digit(name.at[len]))
        len++;
    text_to_u64(text_first(name, len), &seconds);
    return seconds;
}

const char *maildir_path(struct text base, unsigned flags, char out[MAILDIR_PATH_MAX])
{
    char letters[MAIL_LETTERS_MAX];
    mail_flags_print(MAIL_LETTERS_MAILDIR, flags, letters);
    int len = snprintf(out, MAILDIR_PATH_MAX, flags ? "cur/%.*s:2,%s" : "new/%.*s", TEXT_ARGS(base),
                       letters);
    return len > 0 && len < MAILDIR_PATH_MAX ? out : NULL;
}
