/* pop3load - loads a POP3 server and prints what it reached, as one JSON object.
 *
 *   pop3load ADDRESS PORT sessions COUNT     COUNT sessions (login, STAT, QUIT), ten at a time;
 *                                            the users are 0@bench.test to 9@bench.test
 *   pop3load ADDRESS PORT retr WINDOW USER   one session: STAT, RETR of all, then as many NOOP, one
 *                                            at a time
 *   pop3load ADDRESS PORT dele WINDOW USER   one session: DELE of all, then QUIT
 *
 * WINDOW is how many commands are in flight.  The password is "secret".  It believes nothing: any
 * reply but +OK ends the program, and RETR counts octets up to the end of each message.  It is a
 * client for measuring only: never for a network, never for real mail.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_MAX = 256 * 1024, WINDOW_MAX = 256, PARALLEL = 10 };

/* A connection and what has come over it but was not taken yet. */
struct link {
    int fd;
    size_t taken, filled;
    char input[INPUT_MAX];
};

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("pop3load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned number_or_die(const char *word, unsigned max)
{
    char *end;
    unsigned long value = strtoul(word, &end, 10);
    if (*end || value == 0 || value > max)
        die("%s: not a number from 1 to %u", word, max);
    return (unsigned)value;
}

static void link_open(struct link *l, const struct sockaddr_in *to)
{
    l->taken = l->filled = 0;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || connect(l->fd, (const struct sockaddr *)to, sizeof *to) < 0)
        die("cannot connect: %s", strerror(errno));
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
}

static void link_send(struct link *l, const char *octets, size_t count)
{
    while (count > 0) {
        ssize_t sent = write(l->fd, octets, count);
        if (sent < 0)
            die("write: %s", strerror(errno));
        octets += sent;
        count -= (size_t)sent;
    }
}

/* Reads what is there, at least one octet; moves what is left to the front when there is no room.
 */
static void link_fill(struct link *l)
{
    if (l->taken > 0) {
        memmove(l->input, l->input + l->taken, l->filled - l->taken);
        l->filled -= l->taken;
        l->taken = 0;
    }
    if (l->filled == INPUT_MAX)
        die("a line is longer than %d octets", INPUT_MAX);
    ssize_t got = read(l->fd, l->input + l->filled, INPUT_MAX - l->filled);
    if (got <= 0)
        die("the server hung up: %s", got < 0 ? strerror(errno) : "end of stream");
    l->filled += (size_t)got;
}

/* The next line with its line end, borrowed until the next call; NULL when it is not all there. */
static const char *link_line(struct link *l, size_t *len_out)
{
    const char *line = l->input + l->taken;
    const char *end = memchr(line, '\n', l->filled - l->taken);
    if (!end)
        return NULL;
    *len_out = (size_t)(end + 1 - line);
    l->taken += *len_out;
    return line;
}

static void check_reply(const char *line, size_t len)
{
    if (len < 3 || memcmp(line, "+OK", 3) != 0)
        die("the server said: %.*s", (int)len, line);
}

/* Waits for a reply of one line; it is borrowed until the next call. */
static const char *link_reply(struct link *l)
{
    const char *line;
    size_t len;
    while (!(line = link_line(l, &len)))
        link_fill(l);
    check_reply(line, len);
    return line;
}

static const char *link_ask(struct link *l, const char *command)
{
    link_send(l, command, strlen(command));
    return link_reply(l);
}

/* Takes lines up to the one with a single dot; returns their octets, without that one. */
static uint64_t link_message(struct link *l)
{
    uint64_t octets = 0;
    for (;;) {
        size_t len;
        const char *line = link_line(l, &len);
        if (!line) {
            link_fill(l);
            continue;
        }
        if (len == 3 && line[0] == '.')
            return octets;
        octets += len - (line[0] == '.');
    }
}

/* Logs in and asks for STAT; tells the count of messages and how long STAT took. */
static unsigned session_begin(struct link *l, const char *user, double *stat_s_out)
{
    char command[300];
    link_reply(l);
    snprintf(command, sizeof command, "USER %s\r\n", user);
    link_ask(l, command);
    link_ask(l, "PASS secret\r\n");
    double start = now_s();
    const char *reply = link_ask(l, "STAT\r\n");
    *stat_s_out = now_s() - start;
    unsigned count;
    if (sscanf(reply, "+OK %u", &count) != 1)
        die("no count in the reply to STAT");
    return count;
}

/* Sends the commands `first` to `last` for messages of these numbers, in one write. */
static void send_commands(struct link *l, const char *verb, unsigned first, unsigned last)
{
    char commands[WINDOW_MAX * 20];
    size_t len = 0;
    for (unsigned i = first; i <= last; i++)
        len += (size_t)snprintf(commands + len, sizeof commands - len, "%s %u\r\n", verb, i);
    link_send(l, commands, len);
}

/* One command for each message, `window` in flight; more are sent when half of them are answered.
 * Returns the octets of the messages, 0 when they are not asked for. */
static uint64_t for_all(struct link *l, const char *verb, unsigned count, unsigned window)
{
    bool has_content = strcmp(verb, "RETR") == 0;
    uint64_t octets = 0;
    unsigned sent = 0;
    for (unsigned done = 0; done < count; done++) {
        if (sent - done <= window / 2 && sent < count) {
            unsigned last = done + window < count ? done + window : count;
            send_commands(l, verb, sent + 1, last);
            sent = last;
        }
        link_reply(l);
        if (has_content)
            octets += link_message(l);
    }
    return octets;
}

/* What as many round trips take that carry nothing: no RETR at a time is faster. */
static double ask_nothing(struct link *l, unsigned count)
{
    double start = now_s();
    for (unsigned i = 0; i < count; i++)
        link_ask(l, "NOOP\r\n");
    return now_s() - start;
}

static void retrieve(const struct sockaddr_in *to, unsigned window, const char *user)
{
    static struct link l;
    double stat_s;
    double begin = now_s();
    link_open(&l, to);
    unsigned count = session_begin(&l, user, &stat_s);
    double start = now_s();
    uint64_t octets = for_all(&l, "RETR", count, window);
    double took = now_s() - start;
    double noop_s = ask_nothing(&l, count);
    link_ask(&l, "QUIT\r\n");
    close(l.fd);
    printf("{\"messages\": %u, \"octets\": %llu, \"login_stat_ms\": %.3f, \"stat_ms\": %.3f, "
           "\"per_s\": %.1f, \"noop_per_s\": %.1f}\n",
           count, (unsigned long long)octets, (start - begin) * 1e3, stat_s * 1e3, count / took,
           count / noop_s);
}

static void delete_all(const struct sockaddr_in *to, unsigned window, const char *user)
{
    static struct link l;
    double stat_s;
    link_open(&l, to);
    unsigned count = session_begin(&l, user, &stat_s);
    double start = now_s();
    for_all(&l, "DELE", count, window);
    double before_quit = now_s();
    link_ask(&l, "QUIT\r\n");
    double end = now_s();
    close(l.fd);
    printf("{\"messages\": %u, \"dele_ms\": %.3f, \"quit_ms\": %.3f, \"dele_quit_ms\": %.3f}\n",
           count, (before_quit - start) * 1e3, (end - before_quit) * 1e3, (end - start) * 1e3);
}

/* A short session: what comes after each reply of the server. */
enum turn { TURN_USER, TURN_PASS, TURN_STAT, TURN_QUIT, TURN_END };

struct visitor {
    struct link link;
    unsigned number;
    enum turn turn;
};

static void visitor_speak(struct visitor *v)
{
    char user[40];
    snprintf(user, sizeof user, "USER %u@bench.test\r\n", v->number);
    const char *words[] = { [TURN_USER] = user,
                            [TURN_PASS] = "PASS secret\r\n",
                            [TURN_STAT] = "STAT\r\n",
                            [TURN_QUIT] = "QUIT\r\n" };
    if (v->turn != TURN_END)
        link_send(&v->link, words[v->turn], strlen(words[v->turn]));
    v->turn++;
}

/* Takes what has come; true when the session is at its end. */
static bool visitor_hear(struct visitor *v)
{
    link_fill(&v->link);
    const char *line;
    size_t len;
    while ((line = link_line(&v->link, &len))) {
        check_reply(line, len);
        visitor_speak(v);
    }
    return v->turn > TURN_END;
}

static void visitor_begin(struct visitor *v, const struct sockaddr_in *to)
{
    link_open(&v->link, to);
    v->turn = TURN_USER;
}

static void visit(const struct sockaddr_in *to, unsigned count)
{
    static struct visitor visitors[PARALLEL];
    struct pollfd fds[PARALLEL];
    unsigned begun = 0, done = 0;
    double start = now_s();
    for (unsigned i = 0; i < PARALLEL; i++) {
        fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
        if (begun == count)
            continue;
        visitors[i].number = i;
        visitor_begin(&visitors[i], to);
        fds[i].fd = visitors[i].link.fd;
        begun++;
    }
    while (done < count) {
        if (poll(fds, PARALLEL, 10000) <= 0)
            die("no answer for ten seconds");
        for (unsigned i = 0; i < PARALLEL; i++) {
            if (!fds[i].revents || !visitor_hear(&visitors[i]))
                continue;
            close(fds[i].fd);
            fds[i].fd = -1;
            done++;
            if (begun < count) {
                visitor_begin(&visitors[i], to);
                fds[i].fd = visitors[i].link.fd;
                begun++;
            }
        }
    }
    printf("{\"sessions\": %u, \"per_s\": %.1f}\n", count, count / (now_s() - start));
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    if (argc < 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
        die("usage: pop3load ADDRESS PORT sessions COUNT | retr|dele WINDOW USER");
    to.sin_port = htons((uint16_t)number_or_die(argv[2], 65535));
    if (strcmp(argv[3], "sessions") == 0 && argc == 5)
        visit(&to, number_or_die(argv[4], 1000000));
    else if (strcmp(argv[3], "retr") == 0 && argc == 6)
        retrieve(&to, number_or_die(argv[4], WINDOW_MAX), argv[5]);
    else if (strcmp(argv[3], "dele") == 0 && argc == 6)
        delete_all(&to, number_or_die(argv[4], WINDOW_MAX), argv[5]);
    else
        die("%s: unknown, or too few words", argv[3]);
    return 0;
}
