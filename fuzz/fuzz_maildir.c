/* fuzz_maildir.c - names of files in a Maildir, and letters for flags: what is made of a name is
 * one name in one of the two folders, with the same message and the same flags.
 */
#include "base/check.h"
#include "mail/flags.h"
#include "mail/maildir.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_letters(enum mail_letters letters, struct text words)
{
    char out[MAIL_LETTERS_MAX];
    unsigned flags = mail_flags_read(letters, words);
    struct text printed = mail_flags_print(letters, flags, out);
    CHECK(printed.len < MAIL_LETTERS_MAX);
    CHECK(mail_flags_read(letters, printed) == flags);
}

static void check_name(struct text name)
{
    char out[MAILDIR_PATH_MAX];
    struct text base = maildir_base(name);
    unsigned flags = maildir_flags(name);
    CHECK(base.at == name.at && base.len <= name.len);
    CHECK(maildir_time(name) == maildir_time(base));
    const char *path = maildir_path(base, flags, out);
    if (!path) {
        CHECK(base.len > MAILDIR_NAME_MAX - MAIL_LETTERS_MAX - 3);
        return;
    }
    struct text made = text_of(path);
    CHECK(text_starts(made, flags ? T("cur/") : T("new/")));
    made = text_skip(made, 4);
    CHECK(made.len <= MAILDIR_NAME_MAX);
    CHECK(text_equal(maildir_base(made), base));
    CHECK(maildir_flags(made) == flags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text words = { (const char *)data, size };
    check_letters(MAIL_LETTERS_MAILDIR, words);
    check_letters(MAIL_LETTERS_STATUS, words);
    check_letters(MAIL_LETTERS_X_STATUS, words);
    if (size && !memchr(data, 0, size) && !memchr(data, '/', size))
        check_name(words);
    return 0;
}
