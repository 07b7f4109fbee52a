/* mail_host.c - mail hosts for tests of relaying.
 *
 * Knows just enough SMTP to be called by our own client: whole lines, one command after the other
 * (it takes pipelined ones as they come), no checks of syntax.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail_host.h"

#include "base/check.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { INPUT_MAX = 1 << 20, TAKEN_MAX = 1 << 24, RECIPIENTS_MAX = 128, ADDRESS_ROOM = 64 };

struct session {
    struct list link;
    struct mail_hosts *hosts;
    struct host_script *script;
    unsigned host;
    struct stream *stream;
    struct buffer in, out;
    bool in_content, mute, over;
    char sender[ADDRESS_ROOM], subject[ADDRESS_ROOM];
    char to[RECIPIENTS_MAX][ADDRESS_ROOM];
    unsigned count;
};

static void session_free(struct session *s)
{
    list_remove(&s->link);
    s->hosts->open--;
    stream_finish(&s->stream);
    buffer_clear(&s->in);
    buffer_clear(&s->out);
    free(s);
}

/* False: the script says no. */
static bool say(struct session *s, enum host_place place, const char *yes)
{
    const char *reply = s->script->at[place].reply;
    if (s->mute)
        return false;
    if (!reply || s->script->at[place].times == 0) {
        buffer_printf(&s->out, "%s\r\n", yes);
        return true;
    }
    s->script->at[place].times--;
    size_t len = strlen(reply);
    bool cuts = len == 0 || reply[len - 1] == '!';
    s->mute = strcmp(reply, "...") == 0;
    s->over |= cuts;
    if (len > 0 && !s->mute)
        buffer_printf(&s->out, "%.*s\r\n", (int)(len - cuts), reply);
    return reply[0] == '2' || reply[0] == '3';
}

static void address_in(struct text line, char out[ADDRESS_ROOM])
{
    struct text head, address;
    text_cut(&line, '<', &head);
    text_cut(&line, '>', &address);
    snprintf(out, ADDRESS_ROOM, "%.*s", TEXT_ARGS(address));
}

static void take(struct session *s)
{
    s->hosts->transactions++;
    for (unsigned i = 0; i < s->count; i++)
        buffer_printf(&s->hosts->taken, "%u %s %s %s\n", s->host, s->sender, s->to[i], s->subject);
}

static void content_line(struct session *s, struct text line)
{
    if (text_equal(line, T("."))) {
        s->in_content = false;
        if (say(s, HOST_END, "250 2.0.0 taken"))
            take(s);
        s->count = 0;
    } else if (s->subject[0] == '\0') {
        snprintf(s->subject, sizeof s->subject, "%.*s", TEXT_ARGS(line));
    }
}

static void command(struct session *s, struct text line)
{
    if (s->mute)
        return;
    if (text_starts(line, T("EHLO"))) {
        say(s, HOST_EHLO,
            s->script->no_dsn ? "250-host\r\n250 PIPELINING"
                              : "250-host\r\n250-PIPELINING\r\n250-SIZE\r\n250 DSN");
    } else if (text_starts(line, T("HELO"))) {
        say(s, HOST_EHLO, "250 host");
    } else if (text_starts(line, T("MAIL"))) {
        s->count = 0;
        s->subject[0] = '\0';
        address_in(line, s->sender);
        say(s, HOST_MAIL, "250 2.1.0 ok");
    } else if (text_starts(line, T("RCPT"))) {
        CHECK(s->count < RECIPIENTS_MAX);
        address_in(line, s->to[s->count]);
        s->count += say(s, HOST_RCPT, "250 2.1.5 ok");
    } else if (text_equal(line, T("DATA"))) {
        if (s->count == 0)
            buffer_printf(&s->out, "554 5.5.1 no recipients\r\n");
        else
            s->in_content = say(s, HOST_DATA, "354 go on");
    } else if (text_equal(line, T("QUIT"))) {
        s->hosts->quits++;
        buffer_printf(&s->out, "221 2.0.0 bye\r\n");
        s->over = true;
    } else {
        buffer_printf(&s->out, "250 2.0.0 ok\r\n");
    }
}

static bool take_line(struct session *s)
{
    struct text all = buffer_as_text(&s->in), line = all;
    size_t at = text_find(all, '\n');
    if (at == all.len || s->over)
        return false;
    line.len = at > 0 && all.at[at - 1] == '\r' ? at - 1 : at;
    if (s->in_content)
        content_line(s, line);
    else
        command(s, line);
    buffer_take(&s->in, at + 1);
    return true;
}

static void pump(struct session *s)
{
    while (take_line(s))
        ;
    if (s->out.len > 0)
        stream_write(s->stream, buffer_bytes(&s->out));
    buffer_take(&s->out, s->out.len);
    if (s->over)
        session_free(s);
}

static void on_input(void *owner, struct bytes in)
{
    struct session *s = owner;
    struct mail_hosts *h = s->hosts;
    h->enter();
    CHECK(buffer_append(&s->in, in.at, in.len));
    pump(s);
    h->leave();
}

static void on_end(void *owner, const struct error *why)
{
    (void)why;
    struct session *s = owner;
    session_free(s);
}

static void on_drained(void *owner)
{
    (void)owner;
}

static const struct stream_events events = { on_input, on_end, on_drained };

static void accepted(void *owner, struct stream *stream)
{
    struct mail_hosts *h = owner;
    h->enter();
    struct session *s = calloc(1, sizeof *s);
    CHECK(s);
    s->hosts = h;
    s->stream = stream;
    struct endpoint called = stream_local(stream);
    s->host = called.octets[3];
    CHECK(s->host < HOSTS_SCRIPTED);
    s->script = &h->scripts[s->host];
    buffer_init(&s->in, INPUT_MAX);
    buffer_init(&s->out, INPUT_MAX);
    list_append(&h->sessions, &s->link);
    h->connections++;
    if (++h->open > h->most_open)
        h->most_open = h->open;
    stream_start(stream, &events, s);
    say(s, HOST_GREETING, "220 host");
    pump(s);
    h->leave();
}

static void trouble(void *owner, const struct error *why)
{
    (void)owner;
    (void)why;
}

static void nothing(void) {}

static uint16_t port_of(int fd)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    CHECK(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    return ntohs(at.sin_port);
}

void mail_hosts_open(struct mail_hosts *h, struct loop *loop)
{
    static const struct listener_events listens = { accepted, trouble };
    struct endpoint any = { .family = NET_IPV4 };
    struct error error;
    bool in_use, no_family;
    int fd;
    struct listener_options options = { .backlog = 0 };
    *h = (struct mail_hosts){ .loop = loop, .enter = nothing, .leave = nothing };
    list_init(&h->sessions);
    buffer_init(&h->taken, TAKEN_MAX);
    if (!listener_bind(&any, &options, &fd, &in_use, &no_family, &error) ||
        !listener_start(loop, fd, &listens, h, &h->listener, &error))
        fail_msg("%s", error.words);
    h->port = port_of(fd);
}

void mail_hosts_close(struct mail_hosts *h)
{
    while (!list_empty(&h->sessions))
        session_free(OWNER_OF(h->sessions.next, struct session, link));
    listener_close(&h->listener);
    buffer_clear(&h->taken);
}

void mail_hosts_say(struct mail_hosts *h, unsigned host, enum host_place place, const char *reply,
                    unsigned times)
{
    h->scripts[host].at[place].reply = reply;
    h->scripts[host].at[place].times = times;
}

unsigned mail_hosts_took(const struct mail_hosts *h, const char *words)
{
    struct text rest = buffer_as_text(&h->taken), line;
    struct text end = text_of(words);
    unsigned count = 0;
    while (rest.len > 0 && text_cut(&rest, '\n', &line))
        count += line.len >= end.len && text_equal(text_skip(line, line.len - end.len), end);
    return count;
}
