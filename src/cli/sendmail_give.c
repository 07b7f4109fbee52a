/* sendmail_give.c - where the server is; a posting for it, or for the spool while it is down.
 *
 * Nothing that was read is dropped without a word: it is with the server, in the spool, reported to
 * the sender, or told on standard error with an exit code that says so.
 */
#include "cli/sendmail.h"

#include "run/dropbox.h"
#include "run/process.h"
#include "serve/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { STANDARD_OCTETS = 50 * 1024 * 1024, JOIN_PIECE = 16 * 1024 };

/* --- Where --- */

/* passwd(5): what stands before the first comma; "&" is the login with a capital. */
static void take_name(struct sendmail_place *place, const struct passwd *entry)
{
    struct buffer name = buffer_over(place->full_name, sizeof place->full_name - 1);
    struct text rest = text_of(entry->pw_gecos), full;
    text_cut(&rest, ',', &full);
    for (size_t i = 0; i < full.len; i++) {
        if (full.at[i] != '&') {
            buffer_byte(&name, (uint8_t)full.at[i]);
            continue;
        }
        size_t before = name.len;
        buffer_text(&name, text_of(entry->pw_name));
        if (name.len > before && name.at[before] >= 'a' && name.at[before] <= 'z')
            name.at[before] = (uint8_t)(name.at[before] - 32);
    }
    place->full_name[name.len] = 0;
}

static bool find_self(struct sendmail_place *place, struct error *e)
{
    const struct passwd *entry = getpwuid(geteuid());
    if (!entry)
        return error_set(e, ERROR_REFUSED, "the user %u has no account on this machine", geteuid());
    snprintf(place->login, sizeof place->login, "%s", entry->pw_name);
    take_name(place, entry);
    return true;
}

/* A configuration that we may not read, or that has a mistake, is no reason not to send: then the
 * server is where it usually is. */
static bool find_config(const char *file, struct config **out, struct error *e)
{
    if (config_load(file, NULL, out, e))
        return true;
    if (file)
        return false;
    *out = NULL;
    config_load_data(NULL, out, NULL);
    return true;
}

bool sendmail_find_place(const char *file, struct sendmail_place *place, struct error *e)
{
    struct config *config = NULL;
    *place = (struct sendmail_place){ .octets_max = STANDARD_OCTETS };
    if (!find_self(place, e) || !find_config(file, &config, e))
        return false;
    const char *socket = config ? config->local_socket.at : "/run/godwit/submit.sock";
    const char *spool = config ? config->local_spool.at : "/var/spool/godwit";
    snprintf(place->socket, sizeof place->socket, "%s", socket);
    snprintf(place->spool, sizeof place->spool, "%s", spool);
    snprintf(place->data, sizeof place->data, "%s", config ? config->data.at : "/var/lib/godwit");
    if (config) {
        place->octets_max = config->message_octets;
        place->own = config->file.len == 0;
    }
    config_free(&config);
    return true;
}

/* In a folder that anybody may have made, somebody else could wait for our mail. */
static bool may_be_it(const struct sendmail_place *place, int s)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    return !place->own || (getsockopt(s, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
                           (peer.uid == 0 || peer.uid == geteuid()));
}

int sendmail_reach(const struct sendmail_place *place, struct error *e)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    size_t len = strlen(place->socket);
    if (len == 0 || len >= sizeof name.sun_path) {
        error_set(e, ERROR_REFUSED, "the server has no socket for users of this machine");
        return -1;
    }
    memcpy(name.sun_path, place->socket, len);
    /* A server that accepts nothing is as good as none: who called would wait with us. */
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    errno = 0;
    if (s >= 0 && connect(s, (const struct sockaddr *)&name, sizeof name) == 0 &&
        may_be_it(place, s))
        return s;
    error_system(e, ERROR_TEMPORARY, errno ? errno : EACCES, "%s", place->socket);
    if (s >= 0)
        close(s);
    return -1;
}

/* --- Into the spool --- */

/* As for the socket. */
static bool is_ours(const struct sendmail_place *place)
{
    struct stat status;
    return !place->own ||
           (stat(place->spool, &status) == 0 && (status.st_uid == 0 || status.st_uid == geteuid()));
}

static bool put(const struct sendmail_place *place, const struct posting *l, struct error *e)
{
    char name[DROPBOX_NAME + 1];
    struct buffer head;
    if (!is_ours(place))
        return error_set(e, ERROR_REFUSED, "%.200s is not ours", place->spool);
    dropbox_make_name(name);
    buffer_init(&head, POSTING_HEAD_MAX);
    bool ok = posting_write_head(l, text_of(name), &head);
    struct text parts[] = { buffer_as_text(&head), l->content };
    if (!ok)
        error_set(e, ERROR_TEMPORARY, "memory is short");
    ok = ok && dropbox_put(place->spool, name, parts, 2, e);
    buffer_clear(&head);
    return ok;
}

/* As long as the server will find it, or nobody could be told in time. */
static bool is_too_long(const struct sendmail_place *place, const struct posting *l)
{
    uint64_t octets = posting_octets(l);
    if (place->octets_max == 0 || octets <= place->octets_max)
        return false;
    cli_say(CLI_NO,
            "the message has %" PRIu64 " octets with CRLF: the server takes none that has more "
            "than %" PRIu64,
            octets, place->octets_max);
    return true;
}

/* `why`: the reason for not having given it to the server. */
static enum sendmail_exit leave(const struct sendmail_place *place,
                                const struct sendmail_options *o, const struct posting *l,
                                const struct error *why)
{
    struct error e;
    if (is_too_long(place, l))
        return SENDMAIL_DATA;
    if (place->spool[0] && put(place, l, &e)) {
        if (o->verbose)
            printf("queued in %s: %s\n", place->spool, why->words);
        return SENDMAIL_DONE;
    }
    cli_say(CLI_AGAIN, "the server cannot be reached: %.200s; and no spool: %.160s", why->words,
            place->spool[0] ? e.words : "there is none");
    return SENDMAIL_AGAIN;
}

/* --- What became of it --- */

static enum sendmail_exit code_of(const struct handover_result *r)
{
    if (r->verdict == HANDOVER_LATER)
        return SENDMAIL_AGAIN;
    bool address = strncmp(r->status, "5.1.", 4) == 0;
    if (r->of_sender)
        return address || strncmp(r->status, "5.7.", 4) == 0 ? SENDMAIL_NOPERM
                                                             : SENDMAIL_UNAVAILABLE;
    return address ? SENDMAIL_NOUSER : SENDMAIL_UNAVAILABLE;
}

static void tell(const struct handover *h, enum handover_verdict verdict)
{
    for (size_t i = 0; i < h->posting->to_count; i++) {
        const struct handover_result *r = &h->list[i];
        if (r->verdict == verdict)
            cli_say(CLI_NO, "%.*s: %.*s", TEXT_ARGS(text_first(r->address, 80)),
                    TEXT_ARGS(text_first(r->words, 280)));
    }
}

static void tell_taken(const struct handover *h)
{
    for (size_t i = 0; i < h->posting->to_count; i++)
        if (h->list[i].verdict == HANDOVER_TAKEN)
            printf("%.*s: %.*s\n", TEXT_ARGS(h->list[i].address), TEXT_ARGS(h->list[i].words));
}

/* Those who were put off, as a posting of their own. */
static enum sendmail_exit leave_rest(const struct sendmail_place *place,
                                     const struct sendmail_options *o, const struct handover *h)
{
    struct posting rest = *h->posting;
    struct error why = { 0 };
    rest.to = arena_take(h->arena, rest.to_count * sizeof *rest.to);
    rest.to_count = 0;
    for (size_t i = 0; rest.to && i < h->posting->to_count; i++)
        if (h->list[i].verdict == HANDOVER_LATER) {
            rest.to[rest.to_count++] = h->posting->to[i];
            error_set(&why, ERROR_TEMPORARY, "%.*s", TEXT_ARGS(h->list[i].words));
        }
    if (rest.to && rest.to_count == 0)
        return SENDMAIL_DONE;
    enum sendmail_exit code = rest.to ? leave(place, o, &rest, &why) : SENDMAIL_AGAIN;
    if (code != SENDMAIL_DONE)
        tell(h, HANDOVER_LATER);
    return code;
}

/* The report goes the way of the posting itself. */
static bool report(const struct sendmail_place *place, const struct handover *h)
{
    struct buffer content;
    struct posting posting;
    struct handover again = { .posting = &posting, .login = h->login, .arena = h->arena };
    struct error e;
    bool told = false;
    if (handover_report(h, &content, &posting)) {
        int s = sendmail_reach(place, &e);
        told =
            s >= 0 && handover(&again, s, &e) && handover_worst(&again)->verdict == HANDOVER_TAKEN;
        told = told || (place->spool[0] && s < 0 && put(place, &posting, &e));
    }
    buffer_clear(&content);
    return told;
}

static enum sendmail_exit end(const struct sendmail_place *place, const struct sendmail_options *o,
                              const struct handover *h)
{
    const struct handover_result *worst = handover_worst(h);
    enum sendmail_exit code = leave_rest(place, o, h);
    if (o->verbose)
        tell_taken(h);
    if (worst->verdict != HANDOVER_REFUSED)
        return code;
    bool mailed =
        o->errors == SENDMAIL_MAIL || o->errors == SENDMAIL_BACK ? report(place, h) : false;
    if (!mailed && o->errors != SENDMAIL_QUIET)
        tell(h, HANDOVER_REFUSED);
    return mailed && o->errors == SENDMAIL_BACK ? code : code_of(worst);
}

enum sendmail_exit sendmail_give(const struct sendmail_place *place,
                                 const struct sendmail_options *o, const struct posting *l,
                                 struct arena *arena)
{
    struct handover h = { .posting = l, .login = text_of(place->login), .arena = arena };
    struct error e;
    int s = sendmail_reach(place, &e);
    if (s < 0 || !handover(&h, s, &e))
        return leave(place, o, l, &e);
    return end(place, o, &h);
}

/* --- -bs --- */

static bool pass_on(int from, int to, bool *ended_out)
{
    char room[JOIN_PIECE];
    ssize_t got = read(from, room, sizeof room), put = 0;
    if (got < 0 && errno == EINTR)
        return true;
    *ended_out = got <= 0;
    while (put < got) {
        ssize_t n = write(to, room + put, (size_t)(got - put));
        if (n < 0 && errno != EINTR)
            return false;
        put += n > 0 ? n : 0;
    }
    return true;
}

/* Until the server has said its last word. */
static enum sendmail_exit join(int s)
{
    bool input_ended = false, ended = false;
    while (!ended) {
        struct pollfd p[] = { { .fd = s, .events = POLLIN },
                              { .fd = input_ended ? -1 : STDIN_FILENO, .events = POLLIN } };
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return SENDMAIL_TROUBLE;
        if (p[0].revents && !pass_on(s, STDOUT_FILENO, &ended))
            return SENDMAIL_TROUBLE;
        if (!ended && p[1].revents) {
            bool broken = !pass_on(STDIN_FILENO, s, &input_ended);
            if (broken || input_ended)
                shutdown(s, SHUT_WR);
            input_ended |= broken;
        }
    }
    return SENDMAIL_DONE;
}

enum sendmail_exit sendmail_join(const struct sendmail_place *place)
{
    struct error e;
    int s = sendmail_reach(place, &e);
    if (s < 0) {
        printf("421 4.3.2 the mail server of this machine is not running, try again later\r\n");
        fflush(stdout);
        return SENDMAIL_AGAIN;
    }
    signal(SIGPIPE, SIG_IGN);
    enum sendmail_exit code = fcntl(s, F_SETFL, 0) == 0 ? join(s) : SENDMAIL_TROUBLE;
    close(s);
    return code;
}
