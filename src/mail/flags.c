/* flags.c - flags of messages, and their letters in Maildir and mbox. */
#include "mail/flags.h"

static const struct {
    char letter;
    unsigned flag;
} letters[][MAIL_LETTERS_MAX] = {
    [MAIL_LETTERS_MAILDIR] = { { 'D', MAIL_DRAFT },
                               { 'F', MAIL_FLAGGED },
                               { 'P', MAIL_PASSED },
                               { 'R', MAIL_ANSWERED },
                               { 'S', MAIL_SEEN },
                               { 'T', MAIL_DELETED } },
    [MAIL_LETTERS_STATUS] = { { 'R', MAIL_SEEN } },
    [MAIL_LETTERS_X_STATUS] = { { 'A', MAIL_ANSWERED },
                                { 'F', MAIL_FLAGGED },
                                { 'D', MAIL_DELETED },
                                { 'T', MAIL_DRAFT } },
};

unsigned mail_flags_read(enum mail_letters kind, struct text t)
{
    unsigned flags = 0;
    for (size_t i = 0; i < t.len; i++)
        for (size_t k = 0; letters[kind][k].flag; k++)
            if (t.at[i] == letters[kind][k].letter)
                flags |= letters[kind][k].flag;
    return flags;
}

struct text mail_flags_print(enum mail_letters kind, unsigned flags, char out[MAIL_LETTERS_MAX])
{
    size_t len = 0;
    for (size_t k = 0; letters[kind][k].flag; k++)
        if (flags & letters[kind][k].flag)
            out[len++] = letters[kind][k].letter;
    out[len] = 0;
    return (struct text){ out, len };
}

const char *mail_flag_name(unsigned n)
{
    static const char *const names[] = {
        "seen", "answered", "flagged", "deleted", "draft", "passed"
    };
    return n < sizeof names / sizeof *names ? names[n] : NULL;
}
