/* smtp_script.c - dialogues with the SMTP machine as text that a person can read, and their runner.
 */
#include "smtp_script.h"

#include "base/check.h"
#include "smtp_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS_MAX = 2000, CONTENT_SHOWN_MAX = 400 };
static const uint64_t started_ms = 1000000;

/* One thing that the world does: octets arrive, or an event. */
struct item {
    char event;          /* 'c' octets, 'w' wait, 'e' input ends, 's' shut down, 't' TLS is up */
    size_t from, octets; /* of the script's input */
    uint64_t wait_ms;
};

struct script {
    char name[200];
    struct smtp_server_config config;
    struct text tls_mechanisms; /* offered once TLS is active; empty: as before */
    struct smtp_server_peer peer;
    struct item items[ITEMS_MAX];
    size_t count;
    struct buffer input;
    struct buffer expected;
};

/* ---- reading ---- */

_Noreturn static void give_up(const struct script *s, const char *line, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", s->name, line, why);
    exit(1);
}

static struct item *add_item(struct script *s, char event)
{
    if (s->count == ITEMS_MAX)
        give_up(s, "", "too many lines");
    s->items[s->count] = (struct item){ .event = event, .from = s->input.len };
    return &s->items[s->count++];
}

static void add_octets(struct script *s, const char *text, bool whole_line)
{
    struct item *item = add_item(s, 'c');
    for (const char *p = text; *p; p++) {
        unsigned octet = (uint8_t)*p;
        if (*p == '\\') {
            static const char from[] = "rnt0\\", to[] = "\r\n\t\0\\";
            const char *at = p[1] ? strchr(from, p[1]) : NULL;
            if (at) {
                octet = (uint8_t)to[at - from];
                p++;
            } else if (p[1] == 'x' && sscanf(p + 2, "%2x", &octet) == 1) {
                p += 3;
            } else {
                give_up(s, text, "unknown escape");
            }
        }
        buffer_byte(&s->input, (uint8_t)octet);
    }
    if (whole_line)
        buffer_text(&s->input, T("\r\n"));
    item->octets = s->input.len - item->from;
}

static void add_repeated(struct script *s, const char *text)
{
    char *rest;
    unsigned long times = strtoul(text, &rest, 10);
    size_t first = s->count, from = s->input.len;
    for (unsigned long i = 0; i < times; i++) {
        s->count = first; /* one item for all */
        add_octets(s, rest + (*rest == ' '), false);
    }
    s->items[first].from = from;
    s->items[first].octets = s->input.len - from;
}

static void add_event(struct script *s, const char *line)
{
    unsigned long count;
    char unit;
    if (sscanf(line, "wait %lu%c", &count, &unit) == 2)
        add_item(s, 'w')->wait_ms = count * (unit == 'h' ? 3600000 : unit == 'm' ? 60000 : 1000);
    else if (strcmp(line, "input ends") == 0)
        add_item(s, 'e');
    else if (strcmp(line, "shut down") == 0)
        add_item(s, 's');
    else if (strcmp(line, "tls") == 0)
        add_item(s, 't');
    else
        give_up(s, line, "unknown event");
}

static bool set_flag(struct script *s, const char *word)
{
    if (strcmp(word, "submission") == 0)
        s->config.submission = true;
    else if (strcmp(word, "tls") == 0)
        s->config.offer_tls = true;
    else if (strcmp(word, "auth") == 0)
        s->config.mechanisms = T("PLAIN LOGIN");
    else if (strcmp(word, "auth-over-tls") == 0)
        s->tls_mechanisms = T("PLAIN LOGIN");
    else if (strcmp(word, "trusted") == 0)
        s->peer.trusted = true;
    else if (strcmp(word, "verify") == 0)
        s->peer.may_verify = true;
    else if (strcmp(word, "secured") == 0)
        s->peer.tls = true;
    else if (strcmp(word, "stranger") == 0)
        s->peer.stranger = true;
    else
        return false;
    return true;
}

static bool set_number(struct script *s, const char *word)
{
    char key[32];
    unsigned long long value;
    if (sscanf(word, "%31[a-z]=%llu", key, &value) != 2)
        return false;
    if (strcmp(key, "size") == 0)
        s->config.message_octets_max = value;
    else if (strcmp(key, "recipients") == 0)
        s->config.recipients_max = (uint32_t)value;
    else if (strcmp(key, "transactions") == 0)
        s->config.transactions_max = (uint32_t)value;
    else if (strcmp(key, "errors") == 0)
        s->config.errors_max = (uint32_t)value;
    else if (strcmp(key, "logins") == 0)
        s->config.logins_max = (uint32_t)value;
    else if (strcmp(key, "line") == 0)
        s->config.line_octets_max = (uint32_t)value;
    else if (strcmp(key, "hops") == 0)
        s->config.hops_max = (uint32_t)value;
    else if (strcmp(key, "greeting") == 0)
        s->config.greeting_ms = value * 1000;
    else if (strcmp(key, "mistakes") == 0)
        s->peer.mistakes = (uint32_t)value;
    else
        return false;
    return true;
}

static void read_settings(struct script *s, char *line)
{
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
        if (!set_flag(s, word) && !set_number(s, word))
            give_up(s, word, "unknown setting");
}

static void read_line(struct script *s, char *line)
{
    if (line[0] == '#' || line[0] == 0)
        return;
    if (strncmp(line, "C: ", 3) == 0 || strcmp(line, "C:") == 0)
        add_octets(s, line + (line[2] ? 3 : 2), true);
    else if (strncmp(line, "c: ", 3) == 0)
        add_octets(s, line + 3, false);
    else if (strncmp(line, "c* ", 3) == 0)
        add_repeated(s, line + 3);
    else if (strncmp(line, "! ", 2) == 0)
        add_event(s, line + 2);
    else if (strncmp(line, "= ", 2) == 0)
        read_settings(s, line + 2);
    else if (strchr("SDB", line[0]) && line[1] == ':')
        buffer_printf(&s->expected, "%s\n", line);
    else
        give_up(s, line, "what is this line?");
}

static struct script *new_script(const char *name)
{
    struct script *s = calloc(1, sizeof *s);
    CHECK(s);
    snprintf(s->name, sizeof s->name, "%s", name);
    buffer_init(&s->input, 1 << 26);
    buffer_init(&s->expected, 1 << 22);
    s->config = (struct smtp_server_config){
        .hostname = T("mx.example.org"),
        .recipients_max = 100,
        .errors_max = 20,
        .command_ms = 300000,
        .message_ms = 3600000,
        .hops_max = 100,
    };
    return s;
}

struct script *script_load(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct script *s = new_script(slash ? slash + 1 : path);
    FILE *file = fopen(path, "r");
    if (!file)
        give_up(s, path, "cannot be read");
    for (char line[2000]; fgets(line, sizeof line, file);) {
        line[strcspn(line, "\n")] = 0;
        read_line(s, line);
    }
    fclose(file);
    return s;
}

struct script *script_parse(const char *name, const char *lines)
{
    struct script *s = new_script(name);
    for (char line[2000]; *lines; lines += lines[0] == '\n') {
        size_t len = strcspn(lines, "\n");
        snprintf(line, sizeof line, "%.*s", (int)len, lines);
        read_line(s, line);
        lines += len;
    }
    return s;
}

void script_free(struct script **s)
{
    buffer_clear(&(*s)->input);
    buffer_clear(&(*s)->expected);
    free(*s);
    *s = NULL;
}

const char *script_name(const struct script *s)
{
    return s->name;
}

size_t script_input(const struct script *s)
{
    return s->input.len;
}

struct text script_expected(const struct script *s)
{
    return buffer_as_text(&s->expected);
}

/* ---- playing ---- */

struct play {
    const struct script *script;
    struct smtp_server_config under_tls; /* with auth-over-tls */
    const struct script_weather *weather;
    struct smtp_server *server;
    struct driver driver;
    struct buffer pending; /* input that was not taken */
    struct buffer content;
    struct buffer *log;
    size_t logged; /* octets of the output that are in the log */
    size_t sent;   /* octets of the script's input that arrived */
    uint64_t now_ms;
    bool handshake;
    bool closed;
};

static void enter(struct play *p)
{
    if (p->weather->enter)
        p->weather->enter(p->weather->data);
}

static void leave(struct play *p)
{
    if (p->weather->leave)
        p->weather->leave(p->weather->data);
}

/* What the machine has said since it was last asked. */
static void log_output(struct play *p)
{
    struct text fresh = text_of_bytes(smtp_server_output(p->server)), line;
    fresh = text_skip(fresh, p->logged);
    p->logged += fresh.len;
    while (fresh.len) {
        CHECK(text_cut(&fresh, '\n', &line));
        CHECK(line.len > 0);
        CHECK(line.at[line.len - 1] == '\r');
        buffer_text(p->log, T("S: "));
        driver_show(text_first(line, line.len - 1), p->log);
        buffer_byte(p->log, '\n');
    }
}

static void log_content(struct play *p)
{
    struct text rest = buffer_as_text(&p->content);
    if (rest.len > CONTENT_SHOWN_MAX)
        return;
    while (rest.len) {
        size_t n = text_find(rest, '\n');
        n += n < rest.len;
        buffer_text(p->log, T("B: "));
        driver_show(text_first(rest, n), p->log);
        buffer_byte(p->log, '\n');
        rest = text_skip(rest, n);
    }
}

static void log_step(struct play *p, const struct smtp_step *step)
{
    if (step->kind == SMTP_COMMIT_MESSAGE)
        log_content(p);
    buffer_text(p->log, T("D: "));
    driver_describe(step, p->log);
    buffer_byte(p->log, '\n');
}

static void write_out(struct play *p)
{
    size_t piece = p->weather->trickle ? 1 : SIZE_MAX;
    for (;;) {
        size_t len = smtp_server_output(p->server).len;
        if (len == 0)
            return;
        size_t count = len < piece ? len : piece;
        smtp_server_drained(p->server, count);
        p->logged -= count;
    }
}

static struct smtp_step take_step(struct play *p)
{
    struct bytes in = buffer_bytes(&p->pending);
    size_t before = in.len;
    enter(p);
    struct smtp_step step = smtp_server_step(p->server, &in, p->now_ms);
    leave(p);
    log_output(p);
    if (step.kind == SMTP_APPEND_BODY)
        CHECK(buffer_append(&p->content, step.body.at, step.body.len));
    CHECK(in.len <= before);
    if (before > in.len)
        buffer_take(&p->pending, before - in.len);
    return step;
}

static void answer(struct play *p, const struct smtp_step *step)
{
    if (p->weather->late) {
        write_out(p);
        CHECK(take_step(p).kind == SMTP_NEED_ANSWER);
        CHECK(smtp_server_deadline_ms(p->server) == UINT64_MAX);
    }
    struct smtp_answer a = driver_answer(&p->driver, p->server, step);
    if (step->kind == SMTP_COMMIT_MESSAGE) {
        CHECK(p->content.len == step->facts->octets);
        buffer_clear(&p->content);
    }
    enter(p);
    smtp_server_answer(p->server, step->request, a, p->now_ms);
    leave(p);
    log_output(p);
}

/* The reply to a mistake is held back: until then nothing is taken, whatever comes and however
 * often the machine is asked. */
static void rest(struct play *p)
{
    size_t pending = p->pending.len;
    uint64_t until_ms = smtp_server_deadline_ms(p->server);
    write_out(p);
    CHECK(until_ms > p->now_ms);
    buffer_printf(p->log, "D: rest %llu ms\n", (unsigned long long)(until_ms - p->now_ms));
    p->now_ms = until_ms - 1;
    CHECK(take_step(p).kind == SMTP_NEED_TIME);
    CHECK(p->pending.len == pending);
    CHECK(smtp_server_output(p->server).len == 0);
    p->now_ms = until_ms;
}

/* Carries out one step; false when it is a wait for the world. */
static bool carry_out(struct play *p, const struct smtp_step *step)
{
    switch (step->kind) {
    case SMTP_NEED_INPUT:
        CHECK(p->pending.len <= smtp_server_input_max(p->server));
        write_out(p);
        return false;
    case SMTP_NEED_DRAIN:
        write_out(p);
        return true;
    case SMTP_NEED_TIME:
        rest(p);
        return true;
    case SMTP_APPEND_BODY:
        CHECK(step->body.len > 0);
        return true;
    case SMTP_GO_ON:
        return true;
    case SMTP_START_TLS:
        log_step(p, step);
        write_out(p);
        p->handshake = true;
        buffer_clear(&p->pending);
        return false;
    case SMTP_CLOSE:
        log_step(p, step);
        write_out(p);
        p->closed = true;
        return false;
    case SMTP_ABANDON_MESSAGE:
        buffer_clear(&p->content);
        log_step(p, step);
        return true;
    case SMTP_FORGET:
        log_step(p, step);
        return true;
    default:
        CHECK(step->kind != SMTP_NEED_ANSWER);
        CHECK(step->request != 0);
        log_step(p, step);
        answer(p, step);
        return true;
    }
}

static void pump(struct play *p)
{
    struct smtp_step step;
    if (p->closed)
        return;
    do
        step = take_step(p);
    while (carry_out(p, &step));
}

static void arrive(struct play *p, size_t count)
{
    if (!p->handshake)
        buffer_append(&p->pending, p->script->input.at + p->sent, count);
    p->sent += count;
    pump(p);
}

/* Lets the input up to this place arrive, in the pieces that the weather makes. */
static void arrive_until(struct play *p, size_t end)
{
    const struct script_weather *w = p->weather;
    while (p->sent < end) {
        size_t count = end - p->sent;
        if (w->piece && w->piece < count)
            count = w->piece;
        if (p->sent < w->cut && w->cut < p->sent + count)
            count = w->cut - p->sent;
        arrive(p, count);
    }
}

static void happen(struct play *p, const struct item *item)
{
    if (item->event == 'w') {
        p->now_ms += item->wait_ms;
    } else if (item->event == 'e') {
        smtp_server_input_ended(p->server);
    } else if (item->event == 's') {
        smtp_server_shut_down(p->server, "4.3.2", "going down");
    } else if (p->handshake && !p->closed) {
        smtp_server_tls_started(p->server, p->now_ms);
        if (p->script->tls_mechanisms.len)
            smtp_server_reconfigure(p->server, &p->under_tls);
        p->handshake = false;
    }
    pump(p);
}

static void play_items(struct play *p)
{
    const struct script *s = p->script;
    size_t end = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct item *item = &s->items[i];
        bool event = item->event != 'c';
        if (event || p->weather->lockstep)
            arrive_until(p, end);
        if (event)
            happen(p, item);
        else
            end = item->from + item->octets;
    }
    arrive_until(p, end);
}

bool script_play(const struct script *s, const struct script_weather *weather, struct buffer *log)
{
    struct play p = { .script = s, .weather = weather, .log = log, .now_ms = started_ms };
    enter(&p);
    p.server = smtp_server_new(&s->config, &s->peer, p.now_ms);
    leave(&p);
    if (!p.server)
        return false;
    p.under_tls = s->config;
    p.under_tls.mechanisms = s->tls_mechanisms;
    driver_init(&p.driver);
    buffer_init(&p.pending, 1 << 26);
    buffer_init(&p.content, 1 << 26);
    log_output(&p);
    pump(&p);
    play_items(&p);
    smtp_server_free(&p.server);
    buffer_clear(&p.pending);
    buffer_clear(&p.content);
    driver_clear(&p.driver);
    return true;
}
