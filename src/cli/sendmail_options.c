/* sendmail_options.c - the options that programs give to sendmail.
 *
 * Forty years of them: what concerns a mail system that godwit is not is taken and means nothing,
 * what would promise something that it does not do is refused.
 */
#include "cli/sendmail.h"

#include "mail/notify.h"

#include <string.h>

/* Their values stand in the same word, or are the next one. */
static const char with_value[] = "BCcFfhLNOopRrVX";
/* Mean nothing here, and have no value. */
static const char ignored[] = "GmnUxE";

struct reading {
    struct sendmail_options *to;
    char **argv;
    int argc, next;
    struct error *error;
};

static bool bad(struct reading *r, const char *what, const char *value)
{
    return error_set(r->error, ERROR_USAGE, "%s %s: see godwit sendmail --help", what, value);
}

/* NEVER, or some of SUCCESS, FAILURE, DELAY (RFC 3461 4.1). */
static bool read_notify(struct reading *r, const char *value)
{
    static const struct {
        struct text word;
        unsigned bit;
    } words[] = {
        { TEXT("NEVER"), NOTIFY_NEVER },
        { TEXT("SUCCESS"), NOTIFY_SUCCESS },
        { TEXT("FAILURE"), NOTIFY_FAILURE },
        { TEXT("DELAY"), NOTIFY_DELAY },
    };
    struct text rest = text_of(value), word;
    unsigned bits = 0, before;
    do {
        text_cut(&rest, ',', &word);
        before = bits;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (text_equal_nocase(word, words[i].word))
                bits |= words[i].bit;
        if (bits == before)
            return bad(r, "-N", value);
    } while (rest.len > 0);
    r->to->notify = bits;
    return ((bits & NOTIFY_NEVER) == 0 || bits == NOTIFY_NEVER) || bad(r, "-N", value);
}

static bool read_ret(struct reading *r, const char *value)
{
    struct text word = text_of(value);
    r->to->ret = text_equal_nocase(word, T("FULL"))   ? "FULL"
                 : text_equal_nocase(word, T("HDRS")) ? "HDRS"
                                                      : NULL;
    return r->to->ret || bad(r, "-R", value);
}

static bool read_errors(struct reading *r, char mode)
{
    switch (mode) {
    case 'p':
        r->to->errors = SENDMAIL_PRINT;
        return true;
    case 'm':
    case 'w':
        r->to->errors = SENDMAIL_MAIL;
        return true;
    case 'e':
        r->to->errors = SENDMAIL_BACK;
        return true;
    case 'q':
        r->to->errors = SENDMAIL_QUIET;
        return true;
    default:
        return bad(r, "-e", "wants p, m, w, e or q");
    }
}

/* Of -o: i and e; what others mean is for another mail system. */
static bool read_old(struct reading *r, const char *value)
{
    if (value[0] == 'i')
        r->to->dots = true;
    return value[0] != 'e' || read_errors(r, value[1]);
}

static bool read_mode(struct reading *r, const char *value)
{
    switch (value[0]) {
    case 'm':
        r->to->mode = SENDMAIL_SEND;
        return true;
    case 's':
        r->to->mode = SENDMAIL_SMTP;
        return true;
    case 'p':
        r->to->mode = SENDMAIL_QUEUE;
        return true;
    case 'i':
        r->to->mode = SENDMAIL_ALIASES;
        return true;
    case 'd':
    case 'D':
        return error_set(r->error, ERROR_USAGE, "-b%s: the server is started by godwit serve",
                         value);
    default:
        return bad(r, "-b", value);
    }
}

static bool read_value(struct reading *r, char option, const char *value)
{
    struct sendmail_options *to = r->to;
    switch (option) {
    case 'C':
    case 'c':
        to->file = value;
        return true;
    case 'F':
        to->name = value;
        return true;
    case 'f':
    case 'r':
        to->sender = value;
        return true;
    case 'V':
        to->envid = value;
        return true;
    case 'o':
        return read_old(r, value);
    case 'N':
        return read_notify(r, value);
    case 'R':
        return read_ret(r, value);
    default:
        return true; /* B h L O p X */
    }
}

/* The rest of the word or, when there is none, the next word.  NULL: there is none either. */
static const char *value_of(struct reading *r, const char *rest)
{
    if (rest[0])
        return rest;
    return r->next < r->argc ? r->argv[r->next++] : NULL;
}

/* Options that take the rest of their word, if there is any.  *done_out: it was one of them. */
static bool read_rest(struct reading *r, char option, const char *rest, bool *done_out)
{
    *done_out = true;
    switch (option) {
    case 'b':
        return read_mode(r, rest);
    case 'e':
        return read_errors(r, rest[0]);
    case 'q':
        r->to->mode = SENDMAIL_RETRY;
        return true;
    case 'I':
        r->to->mode = SENDMAIL_ALIASES;
        return true;
    case 'A':
    case 'd':
        return true;
    default:
        *done_out = false;
        return true;
    }
}

static bool read_flag(struct reading *r, char option)
{
    switch (option) {
    case 't':
        r->to->from_header = true;
        return true;
    case 'i':
        r->to->dots = true;
        return true;
    case 'v':
        r->to->verbose = true;
        return true;
    default:
        return text_is_one_of(option, ignored) ||
               error_set(r->error, ERROR_USAGE, "unknown option -%c: see godwit sendmail --help",
                         option);
    }
}

/* A word of one or more options, without its "-". */
static bool read_word(struct reading *r, const char *at)
{
    for (; at[0]; at++) {
        bool done;
        if (text_is_one_of(at[0], with_value)) {
            const char *value = value_of(r, at + 1);
            if (value)
                return read_value(r, at[0], value);
            return error_set(r->error, ERROR_USAGE, "-%c wants a value", at[0]);
        }
        if (!read_rest(r, at[0], at + 1, &done) || (!done && !read_flag(r, at[0])))
            return false;
        if (done)
            return true;
    }
    return true;
}

bool sendmail_options_read(int argc, char **argv, bool mixed, struct sendmail_options *to,
                           struct error *e)
{
    struct reading r = { .to = to, .argv = argv, .argc = argc, .error = e };
    bool options = true;
    to->words = argv;
    while (r.next < argc) {
        char *word = argv[r.next++];
        if (!options || word[0] != '-' || !word[1]) {
            to->words[to->word_count++] = word;
            options = options && mixed;
        } else if (strcmp(word, "--") == 0) {
            options = false;
        } else if (strcmp(word, "--help") == 0) {
            to->mode = SENDMAIL_HELP;
        } else if (!read_word(&r, word + 1)) {
            return false;
        }
    }
    return true;
}
