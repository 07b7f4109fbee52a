/* pop3_script.c - dialogues of the POP3 client machine as text, and their runner. */
#include "pop3_script.h"

#include "base/check.h"
#include "smtp_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS_MAX = 500, COMMANDS_MAX = 300, ANSWERS_MAX = 10, LINE_MAX_SHOWN = 100 };
enum { SCRIPT_LINE_MAX = 2000, BUFFER_MAX = 1 << 26 };
static const uint64_t started_ms = 1000000;

/* One thing that the world does: the server speaks, or an event. */
struct item {
    char event;          /* 's' octets; 'w' wait, 'e' end, 't' tls */
    size_t from, octets; /* of the script's input */
    uint64_t wait_ms;
    bool joins;        /* arrives together with the item before */
    const char *words; /* of "! broken", or the line as it was written */
};

/* What the driver says when it is asked to log in. */
struct answer {
    char kind;         /* 'L', 'A', 'a' */
    struct text words; /* without escapes */
};

struct pop3_script {
    char name[200];
    struct pop3_client_config config;
    bool stay;          /* QUIT is not said */
    bool whole;         /* what arrives together means something else alone */
    bool server_speaks; /* while reading: the last line was the server's */
    struct answer answers[ANSWERS_MAX];
    unsigned answer_count;
    struct pop3_client_command commands[COMMANDS_MAX];
    unsigned command_count;
    struct item items[ITEMS_MAX];
    size_t count;
    struct buffer input;
    struct buffer expected;
    char *texts[ITEMS_MAX + ANSWERS_MAX]; /* owned: what the items and answers point into */
    size_t text_count;
};

static const char *const verbs[] = {
    "STAT", "LIST", "UIDL", "TOP", "RETR", "DELE", "RSET", "NOOP"
};
enum { VERBS = sizeof verbs / sizeof *verbs };

/* ---- reading ---- */

_Noreturn static void give_up(const struct pop3_script *s, const char *line, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", s->name, line, why);
    exit(1);
}

static char *keep(struct pop3_script *s, const void *octets, size_t len)
{
    char *copy = malloc(len + 1);
    CHECK(copy && s->text_count < sizeof s->texts / sizeof *s->texts);
    memcpy(copy, octets, len);
    copy[len] = 0;
    return s->texts[s->text_count++] = copy;
}

static struct item *add_item(struct pop3_script *s, char event)
{
    if (s->count == ITEMS_MAX)
        give_up(s, "", "too many lines");
    s->items[s->count] = (struct item){ .event = event, .from = s->input.len, .words = "" };
    return &s->items[s->count++];
}

static void add_octets(struct pop3_script *s, struct buffer *b, const char *text)
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

/* "S: line", "s: octets" or "s* times octets". */
static bool add_speech(struct pop3_script *s, const char *line)
{
    char *octets;
    const char *text = line + 2 + (line[2] == ' ');
    if (strncmp(line, "S:", 2) == 0) {
        add_octets(s, &s->input, text);
        buffer_text(&s->input, T("\r\n"));
    } else if (strncmp(line, "s:", 2) == 0) {
        add_octets(s, &s->input, text);
    } else if (strncmp(line, "s*", 2) == 0) {
        for (unsigned long times = strtoul(text, &octets, 10); times > 0; times--)
            add_octets(s, &s->input, octets + (*octets == ' '));
    } else {
        return false;
    }
    return true;
}

static void add_answer(struct pop3_script *s, const char *line)
{
    struct buffer plain;
    if (s->answer_count == ANSWERS_MAX)
        give_up(s, line, "too many answers");
    buffer_init(&plain, SCRIPT_LINE_MAX);
    add_octets(s, &plain, line + 2 + (line[2] == ' '));
    size_t len = plain.len;
    buffer_byte(&plain, 0);
    s->answers[s->answer_count++] = (struct answer){ line[0], { keep(s, plain.at, len), len } };
    buffer_clear(&plain);
}

/* "RETR 3", "TOP 3 10", and "RETR 1..200" for so many commands. */
static void add_command(struct pop3_script *s, const char *line)
{
    char verb[8] = "";
    unsigned message = 0, last, lines = 0;
    sscanf(line, "%7s %u %u", verb, &message, &lines);
    if (sscanf(line, "%7s %u..%u", verb, &message, &last) != 3)
        last = message;
    unsigned which = 0;
    while (which < VERBS && strcmp(verb, verbs[which]) != 0)
        which++;
    if (which == VERBS || s->command_count + last - message >= COMMANDS_MAX)
        give_up(s, line, "unknown command, or too many");
    for (; message <= last; message++)
        s->commands[s->command_count++] =
            (struct pop3_client_command){ (enum pop3_client_verb)which, message, lines };
}

static void add_event(struct pop3_script *s, const char *line)
{
    unsigned long count;
    char unit;
    if (sscanf(line, "wait %lu%c", &count, &unit) == 2)
        add_item(s, 'w')->wait_ms = count * (unit == 'm' ? 60000 : 1000);
    else if (strncmp(line, "broken ", 7) == 0)
        add_item(s, 'e')->words = keep(s, line + 7, strlen(line + 7));
    else if (strcmp(line, "ends") == 0)
        add_item(s, 'e');
    else if (strcmp(line, "tls") == 0)
        add_item(s, 't');
    else
        give_up(s, line, "unknown event");
}

static void read_setting(struct pop3_script *s, const char *word)
{
    if (strcmp(word, "tls=must") == 0)
        s->config.tls = POP3_CLIENT_TLS_MUST;
    else if (strcmp(word, "tls=may") == 0)
        s->config.tls = POP3_CLIENT_TLS_IF_OFFERED;
    else if (strcmp(word, "secured") == 0)
        s->config.secured = true;
    else if (strcmp(word, "utf8") == 0)
        s->config.utf8 = true;
    else if (strcmp(word, "lang=de") == 0)
        s->config.language = T("de");
    else if (sscanf(word, "longest=%lu", &s->config.content_octets_max) == 1)
        return;
    else if (strcmp(word, "stay") == 0)
        s->stay = true;
    else if (strcmp(word, "whole") == 0)
        s->whole = true;
    else
        give_up(s, word, "unknown setting");
}

static void read_line(struct pop3_script *s, char *line)
{
    size_t before = s->input.len;
    if (line[0] == '#' || line[0] == 0)
        return;
    if (line[0] == '=') {
        for (char *word = strtok(line + 1, " "); word; word = strtok(NULL, " "))
            read_setting(s, word);
        return;
    }
    if (strchr("LAa", line[0]) && line[1] == ':') {
        add_answer(s, line);
        return;
    }
    if (strncmp(line, "Q: ", 3) == 0) {
        add_command(s, line + 3);
        return;
    }
    buffer_printf(&s->expected, "%s\n", line);
    bool joins = s->server_speaks;
    s->server_speaks = add_speech(s, line);
    if (s->server_speaks)
        *add_item(s, 's') = (struct item){ .event = 's',
                                           .from = before,
                                           .octets = s->input.len - before,
                                           .joins = joins,
                                           .words = keep(s, line, strlen(line)) };
    else if (line[0] == '!' && line[1] == ' ')
        add_event(s, line + 2);
    else if (!strchr("CDB", line[0]) || line[1] != ':')
        give_up(s, line, "what is this line?");
}

struct pop3_script *pop3_script_load(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct pop3_script *s = calloc(1, sizeof *s);
    CHECK(s);
    snprintf(s->name, sizeof s->name, "%s", slash ? slash + 1 : path);
    buffer_init(&s->input, BUFFER_MAX);
    buffer_init(&s->expected, BUFFER_MAX);
    s->config = (struct pop3_client_config){ .greeting_ms = 60000,
                                             .command_ms = 300000,
                                             .content_ms = 120000 };
    FILE *file = fopen(path, "r");
    if (!file)
        give_up(s, path, "cannot be read");
    for (char line[SCRIPT_LINE_MAX]; fgets(line, sizeof line, file);) {
        line[strcspn(line, "\n")] = 0;
        read_line(s, line);
    }
    fclose(file);
    return s;
}

void pop3_script_free(struct pop3_script **s)
{
    for (size_t i = 0; i < (*s)->text_count; i++)
        free((*s)->texts[i]);
    buffer_clear(&(*s)->input);
    buffer_clear(&(*s)->expected);
    free(*s);
    *s = NULL;
}

size_t pop3_script_input(const struct pop3_script *s)
{
    return s->whole ? 0 : s->input.len;
}

struct text pop3_script_expected(const struct pop3_script *s)
{
    return buffer_as_text(&s->expected);
}

/* ---- playing ---- */

struct play {
    const struct pop3_script *script;
    const struct pop3_weather *weather;
    struct pop3_client *client;
    struct buffer pending; /* input that was not taken */
    struct buffer said;    /* the line that the client has begun */
    struct buffer content; /* the line that the server has begun */
    struct buffer *log;
    size_t arrived; /* octets of the script's input */
    unsigned given, answered, logins;
    uint64_t now_ms;
    bool begun, quit, handshake, closed;
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

static void show(struct play *p, struct text octets)
{
    driver_show(text_first(octets, LINE_MAX_SHOWN), p->log);
    if (octets.len > LINE_MAX_SHOWN)
        buffer_printf(p->log, "... %zu octets", octets.len);
}

/* A whole line of what was said or of content, with its letter. */
static void log_line(struct play *p, struct buffer *b, const char *letter)
{
    struct text line = buffer_as_text(b);
    CHECK(line.len >= 1 && line.at[line.len - 1] == '\n');
    bool has_cr = line.len >= 2 && line.at[line.len - 2] == '\r';
    line.len -= 1 + has_cr;
    buffer_printf(p->log, line.len ? "%s: " : "%s:", letter);
    show(p, line);
    buffer_text(p->log, has_cr ? T("\n") : T("\\n\n"));
    b->len = 0;
}

static void add_and_log(struct play *p, struct buffer *b, const char *letter, struct bytes octets)
{
    for (size_t i = 0; i < octets.len; i++) {
        CHECK(buffer_byte(b, octets.at[i]));
        if (octets.at[i] == '\n')
            log_line(p, b, letter);
    }
}

static void write_out(struct play *p)
{
    for (struct bytes out; (out = pop3_client_output(p->client)).len;) {
        if (p->weather->trickle)
            out.len = 1;
        add_and_log(p, &p->said, "C", out);
        pop3_client_drained(p->client, out.len);
    }
}

static void log_command(struct play *p, const struct pop3_client_command *c)
{
    buffer_printf(p->log, "D: %s", verbs[c->verb]);
    if (c->message > 0)
        buffer_printf(p->log, " %u", c->message);
    if (c->verb == POP3_CLIENT_TOP)
        buffer_printf(p->log, " %u", c->lines);
}

static void log_result(struct play *p, const struct pop3_client_result *r)
{
    static const char *const places[] = {
        [POP3_CLIENT_AT_CONNECT] = "connect", [POP3_CLIENT_AT_GREETING] = "greeting",
        [POP3_CLIENT_AT_CAPA] = "capa",       [POP3_CLIENT_AT_STLS] = "stls",
        [POP3_CLIENT_AT_LOGIN] = "login",     [POP3_CLIENT_AT_TRANSACTION] = "transaction",
        [POP3_CLIENT_AT_QUIT] = "quit",       [POP3_CLIENT_AT_LOCAL] = "local",
    };
    static const char *const codes[] = {
        [POP3_CODE_NONE] = "",
        [POP3_CODE_OTHER] = " other",
        [POP3_CODE_IN_USE] = " in-use",
        [POP3_CODE_LOGIN_DELAY] = " login-delay",
        [POP3_CODE_AUTH] = " auth",
        [POP3_CODE_SYS_TEMP] = " sys/temp",
        [POP3_CODE_SYS_PERM] = " sys/perm",
        [POP3_CODE_UTF8] = " utf8",
    };
    static const char *const verdicts[] = {
        [POP3_CLIENT_YES] = "yes", [POP3_CLIENT_NO] = "no", [POP3_CLIENT_LOST] = "lost"
    };
    buffer_printf(p->log, ": %s", verdicts[r->verdict]);
    if (r->verdict == POP3_CLIENT_YES) {
        if (r->count > 0)
            buffer_printf(p->log, " count %u", r->count);
        if (r->octets > 0)
            buffer_printf(p->log, " octets %llu", (unsigned long long)r->octets);
        if (r->unique_id.len > 0)
            buffer_printf(p->log, " id %.*s", TEXT_ARGS(text_first(r->unique_id, 70)));
    } else {
        buffer_printf(p->log, "%s%s at %s", codes[r->code], r->temporary ? "" : " for good",
                      places[r->where]);
    }
    buffer_text(p->log, T(": "));
    show(p, r->reply);
    buffer_byte(p->log, '\n');
}

static void check_command(const struct play *p, const struct pop3_client_command *c)
{
    const struct pop3_client_command *given = &p->script->commands[p->answered];
    CHECK(p->answered < p->given);
    CHECK(c->verb == given->verb && c->message == given->message && c->lines == given->lines);
}

static void log_content(struct play *p, const struct pop3_client_step *step)
{
    CHECK(p->begun);
    CHECK(step->content.len > 0);
    check_command(p, &step->command);
    add_and_log(p, &p->content, "B", step->content);
}

static void log_listed(struct play *p, const struct pop3_client_step *step)
{
    CHECK(p->begun);
    check_command(p, &step->command);
    buffer_printf(p->log, "D: %u ", step->number);
    if (step->command.verb == POP3_CLIENT_LIST)
        buffer_printf(p->log, "has %llu\n", (unsigned long long)step->octets);
    else
        buffer_printf(p->log, "is %.*s\n", TEXT_ARGS(step->unique_id));
}

/* Half a line of content is told with the end. */
static void log_answered(struct play *p, const struct pop3_client_step *step)
{
    check_command(p, &step->command);
    if (p->content.len) {
        buffer_text(p->log, T("B: "));
        show(p, buffer_as_text(&p->content));
        buffer_text(p->log, T("...\n"));
        p->content.len = 0;
    }
    log_command(p, &step->command);
    log_result(p, step->result);
    p->answered++;
    p->begun = false;
}

static void log_closed(struct play *p)
{
    static const char *const fates[] = { "all kept", "deleted", "unsure" };
    const struct pop3_client_result *why = pop3_client_failure(p->client);
    CHECK(p->answered == p->given);
    p->closed = true;
    buffer_printf(p->log, "D: close, %s", fates[pop3_client_deletions(p->client)]);
    if (why)
        log_result(p, why);
    else
        buffer_byte(p->log, '\n');
}

static struct pop3_client_step take_step(struct play *p)
{
    struct bytes in = buffer_bytes(&p->pending);
    size_t before = in.len;
    enter(p);
    struct pop3_client_step step = pop3_client_step(p->client, &in, p->now_ms);
    leave(p);
    CHECK(in.len <= before);
    if (step.kind == POP3_CLIENT_CONTENT)
        log_content(p, &step);
    else if (step.kind == POP3_CLIENT_LINE)
        log_listed(p, &step);
    if (before > in.len)
        buffer_take(&p->pending, before - in.len);
    return step;
}

static void try_late(struct play *p)
{
    if (!p->weather->late)
        return;
    write_out(p);
    CHECK(take_step(p).kind == POP3_CLIENT_NEED_ANSWER);
    CHECK(pop3_client_deadline_ms(p->client) == UINT64_MAX);
}

static void answer_with_words(struct play *p, bool begins, const struct answer *a)
{
    struct sasl_words words = { .has_words = true, .words = a->words, .may_end = a->kind == 'A' };
    if (begins)
        words.has_words = text_cut(&words.words, ' ', &words.mechanism);
    pop3_client_auth(p->client, &words, p->now_ms);
    CHECK(begins || pop3_client_output(p->client).len == 0 || pop3_client_said_secret(p->client));
}

/* The next of the script's answers. */
static void log_in(struct play *p, const struct pop3_client_step *step)
{
    CHECK(p->logins < p->script->answer_count);
    const struct answer *a = &p->script->answers[p->logins++];
    struct text heard = step->begins ? pop3_client_offers(p->client)->mechanisms : step->challenge;
    buffer_text(p->log, step->begins ? T("D: log in: ") : T("D: challenge: "));
    show(p, heard.len ? heard : T("nothing"));
    buffer_byte(p->log, '\n');
    enter(p);
    if (text_starts(a->words, T("-"))) {
        pop3_client_login_failed(p->client, text_skip(a->words, 1), p->now_ms);
    } else if (a->kind == 'L') {
        struct text user, password = a->words;
        text_cut(&password, ' ', &user);
        pop3_client_password(p->client, user, password, p->now_ms);
    } else {
        answer_with_words(p, step->begins, a);
    }
    leave(p);
}

/* At a wait: the next commands, or the end.  True: there is something new to be done. */
static bool give_work(struct play *p)
{
    const struct pop3_script *s = p->script;
    bool did = false;
    while (pop3_client_may_ask(p->client) && p->given < s->command_count) {
        enter(p);
        bool took = pop3_client_ask(p->client, s->commands[p->given], p->now_ms);
        leave(p);
        if (!took)
            return did;
        did = true;
        p->given++;
    }
    if (s->stay || p->quit || p->given < s->command_count || !pop3_client_may_ask(p->client))
        return did;
    enter(p);
    pop3_client_quit(p->client, p->now_ms);
    leave(p);
    return p->quit = true;
}

/* Carries out one step; false when it is a wait for the world. */
static bool carry_out(struct play *p, const struct pop3_client_step *step)
{
    switch (step->kind) {
    case POP3_CLIENT_NEED_INPUT:
    case POP3_CLIENT_READY:
        CHECK(p->handshake || p->pending.len < POP3_CLIENT_INPUT_MAX);
        if (give_work(p))
            return true;
        write_out(p);
        return false;
    case POP3_CLIENT_LOG_IN:
        try_late(p);
        log_in(p, step);
        return true;
    case POP3_CLIENT_START_TLS:
        write_out(p);
        buffer_text(p->log, T("D: start TLS\n"));
        CHECK(p->pending.len == 0);
        p->handshake = true;
        return false;
    case POP3_CLIENT_BEGINS:
        CHECK(!p->begun);
        check_command(p, &step->command);
        CHECK(step->result->verdict == POP3_CLIENT_YES);
        p->begun = true;
        return true;
    case POP3_CLIENT_CONTENT:
    case POP3_CLIENT_LINE:
        return true;
    case POP3_CLIENT_ANSWERED:
        log_answered(p, step);
        give_work(p);
        return true;
    default:
        CHECK(step->kind == POP3_CLIENT_CLOSE);
        write_out(p);
        log_closed(p);
        return false;
    }
}

static void pump(struct play *p)
{
    struct pop3_client_step step;
    if (p->closed)
        return;
    do
        step = take_step(p);
    while (carry_out(p, &step));
}

/* Lets the input up to this place arrive, in the pieces that the weather makes. */
static void arrive_until(struct play *p, size_t end)
{
    const struct pop3_weather *w = p->weather;
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
        buffer_printf(p->log, "! wait %llus\n", (unsigned long long)item->wait_ms / 1000);
        p->now_ms += item->wait_ms;
        break;
    case 'e':
        buffer_printf(p->log, item->words[0] ? "! broken %s\n" : "! ends%s\n", item->words);
        pop3_client_input_ended(p->client, text_of(item->words));
        break;
    default:
        buffer_text(p->log, T("! tls\n"));
        enter(p);
        if (p->handshake && !p->closed)
            pop3_client_tls_started(p->client, p->now_ms);
        leave(p);
        p->handshake = false;
    }
    pump(p);
}

static void play_items(struct play *p)
{
    const struct pop3_script *s = p->script;
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

bool pop3_script_play(const struct pop3_script *s, const struct pop3_weather *weather,
                      struct buffer *log)
{
    struct play p = { .script = s, .weather = weather, .log = log, .now_ms = started_ms };
    enter(&p);
    p.client = pop3_client_new(&s->config, p.now_ms);
    leave(&p);
    if (!p.client)
        return false;
    buffer_init(&p.pending, BUFFER_MAX);
    buffer_init(&p.said, BUFFER_MAX);
    buffer_init(&p.content, BUFFER_MAX);
    pump(&p);
    play_items(&p);
    pop3_client_free(&p.client);
    buffer_clear(&p.pending);
    buffer_clear(&p.said);
    buffer_clear(&p.content);
    return true;
}
