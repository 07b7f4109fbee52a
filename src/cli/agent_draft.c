/* agent_draft.c - what is said of a message before its questions: copies, files, a longer text. */
#include "cli/agent.h"

#include "mail/mailbox_list.h"
#include "run/charset.h"
#include "run/file.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void forget_files(struct talk_draft *d)
{
    while (d->file_count)
        free(d->files[--d->file_count]);
}

void talk_draft_init(struct talk_draft *d)
{
    buffer_init(&d->cc, DRAFT_LIST_MAX);
    buffer_init(&d->text, DRAFT_TEXT_MAX);
    d->file_count = 0;
}

void talk_draft_clear(struct talk_draft *d)
{
    buffer_clear(&d->cc);
    buffer_clear(&d->text);
    forget_files(d);
}

/* --- Addresses --- */

static bool refuse_list(struct text list, const char *why)
{
    fflush(stdout);
    cli_say(CLI_USAGE, "%.*s: %s; write user@example.org, or several with commas between",
            TEXT_ARGS(text_first(list, 200)), why);
    return false;
}

bool talk_check_list(struct text list)
{
    struct address address;
    struct mailbox_list at = mailbox_list_of(list);
    for (size_t count = 0;; count++)
        switch (mailbox_list_next(&at, &address)) {
        case MAILBOX_ADDRESS:
            break;
        case MAILBOX_NAME:
            return refuse_list(list, "there is no @ in it");
        case MAILBOX_LIST_MALFORMED:
            return refuse_list(list, "this is no address");
        case MAILBOX_LIST_END:
            return count > 0 || refuse_list(list, "this is no address");
        }
}

void talk_cc(struct talk *t, struct text words)
{
    struct talk_draft *d = &t->draft;
    if (words.len == 0) {
        buffer_clear(&d->cc);
        puts("no copies");
        return;
    }
    if (!talk_check_list(words))
        return;
    size_t before = d->cc.len;
    bool ok = (before == 0 || buffer_text(&d->cc, T(", "))) && buffer_text(&d->cc, words);
    if (ok)
        return;
    d->cc.len = before;
    cli_say(CLI_NO, "there is no room for so many copies");
}

/* --- Files --- */

/* NULL: memory is short.  The shell's "~/" is what people type. */
static char *path_of(struct text words)
{
    char *path = NULL;
    const char *home = getenv("HOME");
    bool homely = home && text_starts(words, T("~/"));
    int len = homely ? asprintf(&path, "%s%.*s", home, TEXT_ARGS(text_skip(words, 1)))
                     : asprintf(&path, "%.*s", TEXT_ARGS(words));
    return len < 0 ? NULL : path;
}

static bool is_readable(const char *path)
{
    struct stat facts;
    int number = 0;
    if (stat(path, &facts) != 0 || access(path, R_OK) != 0)
        number = errno;
    else if (S_ISDIR(facts.st_mode))
        number = EISDIR;
    else if (!S_ISREG(facts.st_mode))
        number = EINVAL;
    if (number == 0)
        return true;
    cli_say(CLI_NO, "%s: %s; it is not attached", path, strerror(number));
    return false;
}

void talk_attach(struct talk *t, struct text words)
{
    struct talk_draft *d = &t->draft;
    if (words.len == 0) {
        forget_files(d);
        puts("no attachments");
        return;
    }
    if (d->file_count == DRAFT_FILES_MAX) {
        cli_say(CLI_NO, "a message has at most %d attachments", DRAFT_FILES_MAX);
        return;
    }
    fflush(stdout);
    char *path = path_of(words);
    if (path && is_readable(path))
        d->files[d->file_count++] = path;
    else
        free(path);
}

/* --- A longer text --- */

static bool write_text(const char *path, struct text text)
{
    FILE *to = fopen(path, "w");
    if (!to)
        return false;
    if (text.len)
        fwrite(text.at, 1, text.len, to);
    bool ok = ferror(to) == 0;
    return fclose(to) == 0 && ok;
}

/* VISUAL and EDITOR may have options of their own: the shell takes them apart. */
static bool run_editor(const char *path)
{
    static const char command[] = "exec ${VISUAL:-${EDITOR:-vi}} \"$1\"";
    char *argv[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)command,
                     (char *)(uintptr_t) "sh", (char *)(uintptr_t)path,  NULL };
    pid_t pid;
    int status;
    if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) != 0)
        return false;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* What the editor wrote is in the terminal's character set. */
static bool to_utf8(struct text from, struct buffer *to)
{
    char name[CHARSET_TERMINAL_MAX];
    struct recoder *recoder = recoder_to_utf8(charset_of_terminal(name));
    bool ok = recoder ? recoder_feed(recoder, from, to) && recoder_end(recoder, to)
                      : buffer_text(to, from);
    recoder_free(&recoder);
    return ok;
}

/* False: `to` is as it was. */
static bool read_text(const char *path, struct buffer *to, struct error *e)
{
    struct buffer file, text;
    bool denied;
    buffer_init(&file, DRAFT_TEXT_MAX);
    buffer_init(&text, DRAFT_TEXT_MAX);
    bool ok = file_read(path, &file, &denied, e) &&
              (to_utf8(buffer_as_text(&file), &text) ||
               error_set(e, ERROR_TEMPORARY, "the text is too long"));
    buffer_clear(&file);
    buffer_clear(ok ? to : &text);
    if (ok)
        *to = text;
    return ok;
}

static const char *temporary_folder(void)
{
    const char *folder = getenv("TMPDIR");
    return folder && folder[0] == '/' ? folder : "/tmp";
}

void talk_edit(struct talk *t, struct text words)
{
    (void)words;
    struct error e;
    char path[STATE_PATH_MAX];
    snprintf(path, sizeof path, "%s/godwit-edit-XXXXXX", temporary_folder());
    int file = mkostemp(path, O_CLOEXEC);
    fflush(stdout);
    if (file < 0) {
        cli_say(CLI_NO, "no file can be made in %s: %s", temporary_folder(), strerror(errno));
        return;
    }
    close(file);
    if (!write_text(path, buffer_as_text(&t->draft.text)))
        cli_say(CLI_NO, "%s cannot be written", path);
    else if (!run_editor(path))
        cli_say(CLI_NO, "the editor failed: the text is as it was; VISUAL or EDITOR names it");
    else if (read_text(path, &t->draft.text, &e))
        puts("the text is kept: smtp sends it, behind what is typed as Content");
    else {
        cli_say(CLI_NO, "%s; what was written is in %s", e.words, path);
        return;
    }
    unlink(path);
}

/* --- All of it --- */

void talk_draft(struct talk *t, struct text words)
{
    (void)words;
    struct talk_draft *d = &t->draft;
    if (d->cc.len) {
        fputs("Cc: ", stdout);
        screen_line(&t->screen, buffer_as_text(&d->cc));
    }
    for (size_t i = 0; i < d->file_count; i++) {
        fputs("Attached: ", stdout);
        screen_line(&t->screen, text_of(d->files[i]));
    }
    if (d->text.len) {
        screen_feed(&t->screen, buffer_as_text(&d->text));
        screen_end(&t->screen);
        if (d->text.at[d->text.len - 1] != '\n')
            fputc('\n', stdout);
    }
    if (!d->cc.len && !d->file_count && !d->text.len)
        puts("nothing; smtp asks for To, Subject and Content");
}

void talk_forget(struct talk *t, struct text words)
{
    (void)words;
    talk_draft_clear(&t->draft);
    puts("forgotten");
}
