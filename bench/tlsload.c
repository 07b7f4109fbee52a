/* tlsload - loads a server over TLS and prints what it reached, as one JSON object.
 *
 *   tlsload ADDRESS PORT submit COUNT OCTETS new|again   COUNT messages, a connection and a login
 *                                                        for each, fifty at a time
 *   tlsload ADDRESS PORT pop3 COUNT new|again            COUNT sessions (login, STAT, QUIT), ten at
 *                                                        a time
 *
 * TLS comes first (RFC 8314).  The users are 0@bench.test to 9@bench.test, the password is
 * "secret", mail goes to box@bench.test.  `again` takes the session of the connection before with
 * it, as mail programs do; `new` shakes hands anew each time.  Nothing is pipelined, and any reply
 * but a good one ends the program.  It is a client for measuring only: it asks for nobody's
 * certificate; never for a network, never for real mail.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SUBMITTERS = 50, READERS = 10, USERS = 10, WORDS_MAX = 200, TURNS_MAX = 8 };

/* What is said after each reply, the greeting's first. */
struct script {
    unsigned turns;
    struct words {
        const char *at;
        size_t len;
    } words[TURNS_MAX];
};

struct session {
    int fd;
    SSL *ssl;
    bool shaking;
    const struct script *script; /* of this session's own user: a maildrop is open once */
    unsigned turn;               /* of the script: what comes next */
    struct words out;            /* on its way */
    size_t filled;
    char input[4096];
    SSL_SESSION *kept; /* for the next connection */
};

struct load {
    struct sockaddr_in to;
    SSL_CTX *tls;
    struct script scripts[USERS];
    unsigned begun, done, wanted, resumed;
    bool again;
};

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("tlsload: ", stderr);
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

/* --- What is said --- */

static void add_words(struct script *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add_words(struct script *s, const char *format, ...)
{
    va_list args;
    char *words = malloc(WORDS_MAX);
    va_start(args, format);
    int len = words ? vsnprintf(words, WORDS_MAX, format, args) : 0;
    va_end(args);
    if (len <= 0 || len >= WORDS_MAX || s->turns == TURNS_MAX)
        die("a command does not fit");
    s->words[s->turns++] = (struct words){ words, (size_t)len };
}

/* Lines of 78 octets, as smtp-source has them, and the end of data. */
static struct words make_content(unsigned octets)
{
    static const char header[] = "From: sender\r\nSubject: load\r\n\r\n";
    size_t len = strlen(header);
    char *content = malloc(octets + len + 100);
    if (!content)
        die("no memory");
    memcpy(content, header, len);
    while (len < octets) {
        memset(content + len, 'X', 78);
        memcpy(content + len + 78, "\r\n", 2);
        len += 80;
    }
    memcpy(content + len, ".\r\n", 3);
    return (struct words){ content, len + 3 };
}

static void submit_script(struct script *s, unsigned user, struct words content)
{
    char plain[60], coded[100];
    int len = snprintf(plain, sizeof plain, "%c%u@bench.test%csecret", 0, user, 0);
    EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)plain, len);
    add_words(s, "EHLO client.test\r\n");
    add_words(s, "AUTH PLAIN %s\r\n", coded);
    add_words(s, "MAIL FROM:<%u@bench.test>\r\n", user);
    add_words(s, "RCPT TO:<box@bench.test>\r\n");
    add_words(s, "DATA\r\n");
    s->words[s->turns++] = content;
    add_words(s, "QUIT\r\n");
}

static void pop3_script(struct script *s, unsigned user)
{
    add_words(s, "USER %u@bench.test\r\n", user);
    add_words(s, "PASS secret\r\n");
    add_words(s, "STAT\r\n");
    add_words(s, "QUIT\r\n");
}

/* --- Sessions --- */

static void session_begin(struct session *s, struct load *load)
{
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || connect(s->fd, (const struct sockaddr *)&load->to, sizeof load->to) < 0)
        die("cannot connect: %s", strerror(errno));
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    s->ssl = SSL_new(load->tls);
    if (!s->ssl || SSL_set_fd(s->ssl, s->fd) != 1 || SSL_set_app_data(s->ssl, s) != 1)
        die("no TLS");
    if (s->kept)
        SSL_set_session(s->ssl, s->kept);
    SSL_set_connect_state(s->ssl);
    s->shaking = true;
    load->begun++;
    s->turn = 0;
    s->filled = 0;
    s->out = (struct words){ 0 };
}

static void session_end(struct session *s, struct load *load)
{
    load->resumed += SSL_session_reused(s->ssl) == 1;
    load->done++;
    SSL_shutdown(s->ssl); /* without it the session would count as broken, and not be kept */
    SSL_free(s->ssl);
    close(s->fd);
    s->ssl = NULL;
    s->fd = -1;
}

/* OpenSSL hands over a ticket; a later one is better. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct session *s = SSL_get_app_data(ssl);
    SSL_SESSION_free(s->kept);
    s->kept = session;
    return 1;
}

/* Whether the last line that came ends a reply; a bad one ends everything. */
static bool is_answered(const struct session *s)
{
    const char *at = s->input, *end = s->input + s->filled, *newline;
    while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
        if (!strchr("23+", at[0]))
            die("the server said: %.*s", (int)(newline - at), at);
        if (newline + 1 == end)
            return at[0] == '+' || (newline - at > 3 && at[3] == ' ');
        at = newline + 1;
    }
    return false;
}

/* Takes what has come; true when the reply to the last words is here. */
static bool session_hear(struct session *s, size_t got)
{
    s->filled += got;
    if (!is_answered(s)) {
        if (s->filled == sizeof s->input)
            die("a reply is longer than %zu octets", sizeof s->input);
        return false;
    }
    s->filled = 0;
    if (s->turn == s->script->turns)
        return true;
    s->out = s->script->words[s->turn++];
    return false;
}

/* Does what can be done; returns what to wait for, or 0 at the end of the session. */
static short session_run(struct session *s)
{
    for (;;) {
        size_t count = 0;
        int returned = s->shaking  ? SSL_do_handshake(s->ssl)
                       : s->out.at ? SSL_write_ex(s->ssl, s->out.at, s->out.len, &count)
                                   : SSL_read_ex(s->ssl, s->input + s->filled,
                                                 sizeof s->input - s->filled, &count);
        if (returned != 1) {
            int why = SSL_get_error(s->ssl, returned);
            if (why == SSL_ERROR_WANT_READ)
                return POLLIN;
            if (why == SSL_ERROR_WANT_WRITE)
                return POLLOUT;
            die("the server hung up: %s", ERR_error_string(ERR_get_error(), NULL));
        }
        if (s->shaking)
            s->shaking = false;
        else if (s->out.at)
            s->out = (struct words){ 0 };
        else if (session_hear(s, count))
            return 0;
    }
}

/* --- All of it --- */

/* Takes the session as far as it goes, and then the next one: a server may be so quick that nothing
 * has to be waited for. */
static void go_on(struct load *load, struct session *s, struct pollfd *fd)
{
    for (;;) {
        if (s->ssl) {
            fd->events = session_run(s);
            if (fd->events)
                return;
            session_end(s, load);
        }
        *fd = (struct pollfd){ .fd = -1 };
        if (load->begun == load->wanted)
            return;
        session_begin(s, load);
        fd->fd = s->fd;
    }
}

static void run_all(struct load *load, unsigned parallel)
{
    static struct session sessions[SUBMITTERS];
    struct pollfd fds[SUBMITTERS];
    double start = now_s();
    for (unsigned i = 0; i < parallel; i++) {
        sessions[i].script = &load->scripts[i % USERS];
        go_on(load, &sessions[i], &fds[i]);
    }
    while (load->done < load->wanted) {
        if (poll(fds, parallel, 30000) <= 0)
            die("no answer for thirty seconds");
        for (unsigned i = 0; i < parallel; i++)
            if (fds[i].revents)
                go_on(load, &sessions[i], &fds[i]);
    }
    printf("{\"count\": %u, \"resumed\": %u, \"per_s\": %.1f}\n", load->done, load->resumed,
           load->done / (now_s() - start));
}

static void open_tls(struct load *load)
{
    load->tls = SSL_CTX_new(TLS_client_method());
    if (!load->tls || SSL_CTX_set_min_proto_version(load->tls, TLS1_3_VERSION) != 1)
        die("no TLS 1.3");
    SSL_CTX_set_verify(load->tls, SSL_VERIFY_NONE, NULL);
    if (!load->again)
        return;
    SSL_CTX_set_session_cache_mode(load->tls,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(load->tls, keep_session);
}

int main(int argc, char **argv)
{
    static struct load load = { .to.sin_family = AF_INET };
    bool submits = argc == 7 && strcmp(argv[3], "submit") == 0;
    if ((!submits && (argc != 6 || strcmp(argv[3], "pop3") != 0)) ||
        inet_pton(AF_INET, argv[1], &load.to.sin_addr) != 1)
        die("usage: tlsload ADDRESS PORT submit COUNT OCTETS new|again | pop3 COUNT new|again");
    load.to.sin_port = htons((uint16_t)number_or_die(argv[2], 65535));
    load.wanted = number_or_die(argv[4], 10000000);
    load.again = strcmp(argv[argc - 1], "again") == 0;
    struct words content = { 0 };
    if (submits)
        content = make_content(number_or_die(argv[5], 1 << 20));
    for (unsigned user = 0; user < USERS; user++)
        if (submits)
            submit_script(&load.scripts[user], user, content);
        else
            pop3_script(&load.scripts[user], user);
    open_tls(&load);
    run_all(&load, submits ? SUBMITTERS : READERS);
    return 0;
}
