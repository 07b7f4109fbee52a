/* client_script.c - dialogues of the SMTP client machine as text, and their runner. */
#include "client_script.h"

#include "base/check.h"
#include "smtp_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ITEMS_MAX = 500,
    MESSAGES_MAX = 10,
    ANSWERS_MAX = 10,
    RECIPIENTS_MAX = 2000,
    LINE_MAX_SHOWN = 100
};
enum { SCRIPT_LINE_MAX = 2000, BUFFER_MAX = 1 << 26 };
static const uint64_t started_ms = 1000000;

struct letter {
    struct smtp_client_message message;
    struct smtp_client_recipient *recipients;
    struct buffer content;
};

/* One thing that the world does: the server speaks, or an event. */
struct item {
    char event; /* 's' octets; 'w' wait, 'e' end, 't' tls, 'h' hold, 'g' go, 'u' unreadable */
    size_t from, octets; /* of the script's input */
    uint64_t wait_ms;
    bool joins;        /* arrives together with the item before */
    const char *words; /* of "! broken", or the line as it was written */
};

/* What the driver says when it is asked to log in. */
struct answer {
    struct text words; /* without escapes */
    bool may_end;
};

struct client_script {
    char name[200];
    struct answer answers[ANSWERS_MAX];
    unsigned answer_count;
    struct smtp_client_config config;
    bool eager; /* messages are pipelined behind one another, and QUIT too */
    bool stay;  /* QUIT is not said */
    bool whole;
    bool server_speaks; /* while reading: the last line was the server's */
    struct letter letters[MESSAGES_MAX];
    unsigned letter_count;
    struct item items[ITEMS_MAX];
    size_t count;
    struct buffer input;
    struct buffer expected;
    char *texts[ITEMS_MAX + MESSAGES_MAX]; /* owned: what the items and messages point into */
    size_t text_count;
};

/* ---- reading ---- */

_Noreturn static void give_up(const struct client_script *s, const char *line, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", s->name, line, why);
    exit(1);
}

static char *keep(struct client_script *s, const char *text)
{
    if (s->text_count == sizeof s->texts / sizeof *s->texts)
        give_up(s, text, "too many lines");
    char *copy = strdup(text);
    CHECK(copy);
    return s->texts[s->text_count++] = copy;
}

static struct item *add_item(struct client_script *s, char event)
{
    if (s->count == ITEMS_MAX)
        give_up(s, "", "too many lines");
    s->items[s->count] = (struct item){ .event = event, .from = s->input.len };
    return &s->items[s->count++];
}

static void add_octets(struct client_script *s, struct buffer *b, const char *text)
{
    for (const char *p = text; *p; p++) {
        static const char from[] = "rnt0\\", to[] = "\r\n\t\0\\";
        unsigned octet = (uint8_t)*p;
        const char *at = *p == '\\' && p[1] ? strchr(from, p[1]) : NULL;
        if (at) {
            octet = (uint8_t)to[at - from];
            p++;
        } else if (*p == '\\' && p[1] == 'x' && sscanf(p + 2, "%2x", &octet) == 1) {
            p += 3;
        } else if (*p == '\\') {
            give_up(s, text, "unknown escape");
        }
        buffer_byte(b, (uint8_t)octet);
    }
}

/* "X: line", "x: octets" or "x* times octets", where big is X. */
static bool add_line(struct client_script *s, struct buffer *b, const char *line, char big)
{
    char small = (char)(big + 32), *octets;
    const char *text = line + 2 + (line[2] == ' ');
    if (line[0] == big && line[1] == ':') {
        add_octets(s, b, text);
        buffer_text(b, T("\r\n"));
    } else if (line[0] == small && line[1] == ':') {
        add_octets(s, b, text);
    } else if (line[0] == small && line[1] == '*') {
        for (unsigned long times = strtoul(text, &octets, 10); times > 0; times--)
            add_octets(s, b, octets + (*octets == ' '));
    } else {
        return false;
    }
    return true;
}

static void add_recipients(struct letter *l, struct text list)
{
    struct text one;
    unsigned count = 0, times = 1;
    CHECK(l->recipients = calloc(RECIPIENTS_MAX, sizeof *l->recipients));
    for (bool more = true; more; count += times) {
        more = text_cut(&list, ',', &one);
        struct text rest = one, address;
        times = 1;
        if (text_cut(&rest, '*', &address)) { /* "user@b.example*1000" */
            one = address;
            times = (unsigned)strtoul(rest.at, NULL, 10);
        }
        CHECK(count + times <= RECIPIENTS_MAX);
        for (unsigned i = 0; i < times; i++)
            l->recipients[count + i].address = one;
    }
    l->message.recipients = l->recipients;
    l->message.recipient_count = count;
}

static unsigned notify_flags(struct text list)
{
    struct text one;
    unsigned flags = 0;
    for (bool more = true; more;) {
        more = text_cut(&list, ',', &one);
        flags |= text_equal(one, T("NEVER"))     ? NOTIFY_NEVER
                 : text_equal(one, T("SUCCESS")) ? NOTIFY_SUCCESS
                 : text_equal(one, T("FAILURE")) ? NOTIFY_FAILURE
                                                 : NOTIFY_DELAY;
    }
    return flags;
}

static bool set_of_message(struct letter *l, struct text key, struct text value)
{
    struct smtp_client_message *m = &l->message;
    if (text_equal(key, T("from")))
        m->sender = value;
    else if (text_equal(key, T("to")))
        add_recipients(l, value);
    else if (text_equal(key, T("8bit")))
        m->eight_bit = true;
    else if (text_equal(key, T("binary")))
        m->binary = true;
    else if (text_equal(key, T("obstacle")))
        m->obstacle = value;
    else if (text_equal(key, T("utf8")))
        m->utf8 = true;
    else if (text_equal(key, T("ret")))
        m->ret = value;
    else if (text_equal(key, T("envid")))
        m->envid = value;
    else if (text_equal(key, T("orcpt")))
        l->recipients[0].orcpt = value;
    else if (text_equal(key, T("notify")))
        l->recipients[0].notify = notify_flags(value);
    else
        return false;
    return true;
}

static void add_message(struct client_script *s, const char *line)
{
    if (s->letter_count == MESSAGES_MAX)
        give_up(s, line, "too many messages");
    struct letter *l = &s->letters[s->letter_count++];
    struct buffer plain;
    buffer_init(&plain, SCRIPT_LINE_MAX);
    buffer_init(&l->content, BUFFER_MAX);
    add_octets(s, &plain, line);
    buffer_byte(&plain, 0);
    struct text rest = text_of(keep(s, (const char *)plain.at)), word, key;
    buffer_clear(&plain);
    while (text_word(&rest, &word)) {
        text_cut(&word, '=', &key);
        if (!set_of_message(l, key, word))
            give_up(s, line, "unknown word");
    }
    if (!l->recipients)
        give_up(s, line, "no recipient");
}

static void add_answer(struct client_script *s, const char *line)
{
    struct buffer plain;
    if (s->answer_count == ANSWERS_MAX)
        give_up(s, line, "too many answers");
    buffer_init(&plain, SCRIPT_LINE_MAX);
    add_octets(s, &plain, line + 2 + (line[2] == ' '));
    size_t len = plain.len;
    buffer_byte(&plain, 0);
    char *copy = malloc(plain.len);
    CHECK(copy && s->text_count < sizeof s->texts / sizeof *s->texts);
    memcpy(copy, plain.at, plain.len);
    s->texts[s->text_count++] = copy;
    s->answers[s->answer_count++] = (struct answer){ { copy, len }, line[0] == 'A' };
    s->config.login = true;
    buffer_clear(&plain);
}

static void add_event(struct client_script *s, const char *line)
{
    static const struct {
        const char *words;
        char event;
    } events[] = {
        { "ends", 'e' }, { "tls", 't' }, { "hold", 'h' }, { "go", 'g' }, { "unreadable", 'u' }
    };
    unsigned long count;
    char unit;
    if (sscanf(line, "wait %lu%c", &count, &unit) == 2)
        add_item(s, 'w')->wait_ms = count * (unit == 'm' ? 60000 : 1000);
    else if (strncmp(line, "broken ", 7) == 0)
        add_item(s, 'e')->words = keep(s, line + 7);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (strcmp(line, events[i].words) == 0)
            add_item(s, events[i].event)->words = "";
}

static void read_setting(struct client_script *s, const char *word)
{
    if (strcmp(word, "tls=must") == 0)
        s->config.tls = SMTP_CLIENT_TLS_MUST;
    else if (strcmp(word, "tls=may") == 0)
        s->config.tls = SMTP_CLIENT_TLS_IF_OFFERED;
    else if (strcmp(word, "requiretls") == 0)
        s->config.requiretls = true;
    else if (strcmp(word, "secured") == 0)
        s->config.secured = true;
    else if (strcmp(word, "lmtp") == 0)
        s->config.lmtp = true;
    else if (strcmp(word, "eager") == 0)
        s->eager = true;
    else if (strcmp(word, "stay") == 0)
        s->stay = true;
    else if (strcmp(word, "whole") == 0)
        s->whole = true;
    else
        give_up(s, word, "unknown setting");
}

static void read_line(struct client_script *s, char *line)
{
    size_t before = s->input.len;
    if (line[0] == '#' || line[0] == 0)
        return;
    if (line[0] == '=') {
        for (char *word = strtok(line + 1, " "); word; word = strtok(NULL, " "))
            read_setting(s, word);
        return;
    }
    if (strncmp(line, "M: ", 3) == 0) {
        add_message(s, line + 3);
        return;
    }
    if (strchr("Aa", line[0]) && line[1] == ':') {
        add_answer(s, line);
        return;
    }
    if (s->letter_count && add_line(s, &s->letters[s->letter_count - 1].content, line, 'B'))
        return;
    buffer_printf(&s->expected, "%s\n", line);
    bool joins = s->server_speaks;
    s->server_speaks = add_line(s, &s->input, line, 'S');
    if (s->server_speaks)
        *add_item(s, 's') = (struct item){ .event = 's',
                                           .from = before,
                                           .octets = s->input.len - before,
                                           .joins = joins,
                                           .words = keep(s, line) };
    else if (line[0] == '!' && line[1] == ' ')
        add_event(s, line + 2);
    else if (!strchr("CD", line[0]) || line[1] != ':')
        give_up(s, line, "what is this line?");
}

static void finish_letters(struct client_script *s)
{
    for (unsigned i = 0; i < s->letter_count; i++) {
        struct letter *l = &s->letters[i];
        struct content_counter counter;
        content_counter_init(&counter);
        content_count(&counter, buffer_bytes(&l->content));
        l->message.octets = l->content.len;
        l->message.dot_lines = counter.facts.dot_lines;
    }
}

struct client_script *client_script_load(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct client_script *s = calloc(1, sizeof *s);
    CHECK(s);
    snprintf(s->name, sizeof s->name, "%s", slash ? slash + 1 : path);
    buffer_init(&s->input, BUFFER_MAX);
    buffer_init(&s->expected, BUFFER_MAX);
    s->config = (struct smtp_client_config){
        .hostname = T("client.example.net"),
        .greeting_ms = 300000,
        .command_ms = 300000,
        .data_ms = 120000,
        .block_ms = 180000,
        .dot_ms = 600000,
    };
    FILE *file = fopen(path, "r");
    if (!file)
        give_up(s, path, "cannot be read");
    for (char line[SCRIPT_LINE_MAX]; fgets(line, sizeof line, file);) {
        line[strcspn(line, "\n")] = 0;
        read_line(s, line);
    }
    fclose(file);
    finish_letters(s);
    return s;
}

void client_script_free(struct client_script **s)
{
    for (unsigned i = 0; i < (*s)->letter_count; i++) {
        free((*s)->letters[i].recipients);
        buffer_clear(&(*s)->letters[i].content);
    }
    for (size_t i = 0; i < (*s)->text_count; i++)
        free((*s)->texts[i]);
    buffer_clear(&(*s)->input);
    buffer_clear(&(*s)->expected);
    free(*s);
    *s = NULL;
}

size_t client_script_input(const struct client_script *s)
{
    return s->whole ? 0 : s->input.len;
}

size_t client_script_content(const struct client_script *s)
{
    size_t octets = 0;
    for (unsigned i = 0; i < s->letter_count; i++)
        octets += s->letters[i].content.len;
    return octets;
}

struct text client_script_expected(const struct client_script *s)
{
    return buffer_as_text(&s->expected);
}

/* ---- playing ---- */

struct play {
    const struct client_script *script;
    const struct client_weather *weather;
    struct smtp_client *client;
    struct buffer pending; /* input that was not taken */
    struct buffer said;    /* the line that the client has begun */
    struct buffer *log;
    size_t arrived; /* octets of the script's input */
    unsigned given, sent, answered;
    uint64_t now_ms;
    bool quit, holding, asked_finish, unreadable, handshake, closed;
};

static void enter(struct play *p)
{
    if (p->weather->enter)
        p->weather->enter();
}

static void leave(struct play *p)
{
    if (p->weather->leave)
        p->weather->leave();
}

static void log_said(struct play *p)
{
    struct text line = buffer_as_text(&p->said);
    CHECK(line.len >= 2 && line.at[line.len - 2] == '\r');
    line.len -= 2;
    buffer_text(p->log, line.len ? T("C: ") : T("C:"));
    driver_show(text_first(line, LINE_MAX_SHOWN), p->log);
    if (line.len > LINE_MAX_SHOWN)
        buffer_printf(p->log, "... %zu octets", line.len);
    buffer_byte(p->log, '\n');
    p->said.len = 0;
}

static void write_out(struct play *p)
{
    for (struct bytes out; (out = smtp_client_output(p->client)).len;) {
        size_t count = p->weather->trickle ? 1 : out.len;
        for (size_t i = 0; i < count; i++) {
            CHECK(buffer_byte(&p->said, out.at[i]));
            if (out.at[i] == '\n')
                log_said(p);
        }
        smtp_client_drained(p->client, count);
    }
}

static void log_result(struct play *p, const struct smtp_client_result *r)
{
    static const char *const places[] = {
        [AT_CONNECT] = "connect",   [AT_GREETING] = "greeting", [AT_HELLO] = "hello",
        [AT_STARTTLS] = "starttls", [AT_AUTH] = "auth",         [AT_IDLE] = "idle",
        [AT_MAIL] = "mail",         [AT_RCPT] = "rcpt",         [AT_DATA] = "data",
        [AT_END_OF_DATA] = "end",   [AT_LOCAL] = "local",
    };
    buffer_printf(p->log, " %s%s %u %s at %s: ",
                  r->delivered   ? "delivered"
                  : r->permanent ? "permanent"
                                 : "temporary",
                  r->delivered && !r->relayed_without_dsn ? " with DSN" : "", r->code, r->status,
                  places[r->where]);
    driver_show(text_first(r->reply, LINE_MAX_SHOWN), p->log);
    if (r->reply.len > LINE_MAX_SHOWN)
        buffer_printf(p->log, "... %zu octets", r->reply.len);
    buffer_byte(p->log, '\n');
}

/* Results that are the same for many are shown once. */
static void message_sent(struct play *p, const struct smtp_client_message *m)
{
    CHECK(p->sent < p->given);
    CHECK(m == &p->script->letters[p->sent++].message);
    struct text last = { NULL, 0 };
    for (uint32_t i = 0; i < m->recipient_count; i++) {
        if (i > 0 && text_equal(m->recipients[i].address, last))
            continue;
        last = m->recipients[i].address;
        buffer_text(p->log, T("D: "));
        driver_show(last, p->log);
        buffer_byte(p->log, ':');
        log_result(p, smtp_client_result(p->client, i));
    }
}

static void closed(struct play *p)
{
    const struct smtp_client_result *why = smtp_client_failure(p->client);
    CHECK(p->sent == p->given);
    p->closed = true;
    if (!why) {
        buffer_text(p->log, T("D: close\n"));
        return;
    }
    buffer_text(p->log, T("D: failed"));
    log_result(p, why);
}

static void give_body(struct play *p, const struct smtp_client_step *step)
{
    const struct letter *l = &p->script->letters[p->sent];
    struct bytes content = buffer_bytes(&l->content);
    size_t piece = p->weather->body_piece ? p->weather->body_piece : 65536;
    CHECK(step->message == &l->message);
    CHECK(step->offset < content.len);
    content = (struct bytes){ content.at + step->offset, content.len - step->offset };
    if (content.len > piece)
        content.len = piece;
    enter(p);
    if (p->unreadable && step->offset > 0)
        smtp_client_body_failed(p->client, p->now_ms);
    else
        smtp_client_body(p->client, content, p->now_ms);
    leave(p);
}

static struct smtp_client_step take_step(struct play *p)
{
    struct bytes in = buffer_bytes(&p->pending);
    size_t before = in.len;
    enter(p);
    struct smtp_client_step step = smtp_client_step(p->client, &in, p->now_ms);
    leave(p);
    CHECK(in.len <= before);
    if (before > in.len)
        buffer_take(&p->pending, before - in.len);
    return step;
}

static void try_late(struct play *p)
{
    if (!p->weather->late)
        return;
    write_out(p);
    CHECK(take_step(p).kind == SMTP_CLIENT_NEED_ANSWER);
    CHECK(smtp_client_deadline_ms(p->client) == UINT64_MAX);
}

/* The next of the script's answers. */
static void log_in(struct play *p, const struct smtp_client_step *step)
{
    CHECK(p->answered < p->script->answer_count);
    const struct answer *a = &p->script->answers[p->answered++];
    struct sasl_words words = { .has_words = true, .words = a->words, .may_end = a->may_end };
    buffer_text(p->log, step->begins ? T("D: log in: ") : T("D: challenge: "));
    struct text heard = step->begins ? smtp_client_offers(p->client)->mechanisms : step->challenge;
    driver_show(heard.len ? heard : T("nothing"), p->log);
    buffer_byte(p->log, '\n');
    enter(p);
    if (text_starts(a->words, T("-"))) {
        smtp_client_auth_failed(p->client, text_skip(a->words, 1), p->now_ms);
    } else {
        if (step->begins)
            words.has_words = text_cut(&words.words, ' ', &words.mechanism);
        smtp_client_auth(p->client, &words, p->now_ms);
    }
    leave(p);
}

static void finish(struct play *p)
{
    p->asked_finish = false;
    enter(p);
    smtp_client_finish(p->client, p->now_ms);
    leave(p);
}

/* At a wait: the next message, or the end.  True: there is something new to be done. */
static bool give_work(struct play *p, bool ready)
{
    const struct client_script *s = p->script;
    bool may = smtp_client_may_send(p->client);
    if (p->quit || !(ready || (s->eager && may)))
        return false;
    if (may && p->given < s->letter_count) {
        enter(p);
        bool took = smtp_client_send(p->client, &s->letters[p->given].message, p->now_ms);
        leave(p);
        p->given += took;
        return took;
    }
    if (s->stay)
        return false;
    smtp_client_quit(p->client, p->now_ms);
    return p->quit = true;
}

/* Carries out one step; false when it is a wait for the world. */
static bool carry_out(struct play *p, const struct smtp_client_step *step)
{
    switch (step->kind) {
    case SMTP_CLIENT_NEED_INPUT:
    case SMTP_CLIENT_READY:
        CHECK(p->handshake || p->pending.len < smtp_client_input_max(p->client));
        if (give_work(p, step->kind == SMTP_CLIENT_READY))
            return true;
        write_out(p);
        return false;
    case SMTP_CLIENT_NEED_DRAIN:
        CHECK(smtp_client_output(p->client).len > 0);
        write_out(p);
        return true;
    case SMTP_CLIENT_READ_BODY:
        try_late(p);
        give_body(p, step);
        return true;
    case SMTP_CLIENT_MAY_FINISH:
        try_late(p);
        if (p->holding) {
            write_out(p);
            buffer_text(p->log, T("D: may it finish?\n"));
            p->asked_finish = true;
            return false;
        }
        finish(p);
        return true;
    case SMTP_CLIENT_AUTH:
        try_late(p);
        log_in(p, step);
        return true;
    case SMTP_CLIENT_START_TLS:
        write_out(p);
        buffer_text(p->log, T("D: start TLS\n"));
        CHECK(p->pending.len == 0);
        p->handshake = true;
        return false;
    case SMTP_CLIENT_SENT:
        message_sent(p, step->message);
        return true;
    case SMTP_CLIENT_CLOSE:
        write_out(p);
        closed(p);
        return false;
    default:
        CHECK(step->kind == SMTP_CLIENT_NEED_ANSWER);
        CHECK(p->asked_finish);
        return false;
    }
}

static void pump(struct play *p)
{
    struct smtp_client_step step;
    if (p->closed)
        return;
    do
        step = take_step(p);
    while (carry_out(p, &step));
}

/* Lets the input up to this place arrive, in the pieces that the weather makes. */
static void arrive_until(struct play *p, size_t end)
{
    const struct client_weather *w = p->weather;
    while (p->arrived < end) {
        size_t count = end - p->arrived;
        if (w->piece && w->piece < count)
            count = w->piece;
        if (p->arrived < w->cut && w->cut < p->arrived + count)
            count = w->cut - p->arrived;
        buffer_append(&p->pending, p->script->input.at + p->arrived, count);
        p->arrived += count;
        pump(p);
    }
}

static void happen(struct play *p, const struct item *item)
{
    switch (item->event) {
    case 'w':
        buffer_printf(p->log, "! wait %llum\n", (unsigned long long)item->wait_ms / 60000);
        p->now_ms += item->wait_ms;
        break;
    case 'e':
        if (item->words[0])
            buffer_printf(p->log, "! broken %s\n", item->words);
        else
            buffer_text(p->log, T("! ends\n"));
        smtp_client_input_ended(p->client, text_of(item->words));
        break;
    case 't':
        buffer_text(p->log, T("! tls\n"));
        enter(p);
        if (p->handshake && !p->closed)
            smtp_client_tls_started(p->client, p->now_ms);
        leave(p);
        p->handshake = false;
        break;
    case 'u':
        buffer_text(p->log, T("! unreadable\n"));
        p->unreadable = true;
        break;
    default:
        buffer_text(p->log, item->event == 'h' ? T("! hold\n") : T("! go\n"));
        p->holding = item->event == 'h';
        if (!p->holding && p->asked_finish)
            finish(p);
    }
    pump(p);
}

static void play_items(struct play *p)
{
    const struct client_script *s = p->script;
    for (size_t i = 0; i < s->count; i++) {
        const struct item *item = &s->items[i];
        if (item->event != 's') {
            happen(p, item);
            continue;
        }
        buffer_printf(p->log, "%s\n", item->words);
        if (i + 1 == s->count || !item[1].joins)
            arrive_until(p, item->from + item->octets);
    }
}

bool client_script_play(const struct client_script *s, const struct client_weather *weather,
                        struct buffer *log)
{
    struct play p = { .script = s, .weather = weather, .log = log, .now_ms = started_ms };
    enter(&p);
    p.client = smtp_client_new(&s->config, p.now_ms);
    leave(&p);
    if (!p.client)
        return false;
    buffer_init(&p.pending, BUFFER_MAX);
    buffer_init(&p.said, BUFFER_MAX);
    pump(&p);
    play_items(&p);
    smtp_client_free(&p.client);
    buffer_clear(&p.pending);
    buffer_clear(&p.said);
    return true;
}
