/* ban.c - godwit ban list, why, lift: which addresses are shut out, and for what.
 *
 * A listing reads cache.db, whether a server runs or not.  What has happened within the hour only
 * the running server knows; a ban is lifted through it, or, without one, in cache.db itself.
 */
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/remote.h"
#include "run/clock.h"
#include "serve/bans.h"
#include "store/cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* --- cache.db --- */

/* Opens it as DATA's owner; *out NULL (and true returned): there is none. */
static bool open_cache(const struct cli *cli, struct cache **out, struct error *e)
{
    struct cache_options options = { .path = cli_data(cli) };
    *out = NULL;
    if (access(options.path, F_OK) != 0 && errno == ENOENT)
        return true;
    if (!cli_enter_data(cli, false, e))
        return false;
    return cache_open(&options, out, e) || e->kind == ERROR_REFUSED;
}

struct listing {
    const struct cli *cli;
    int64_t now_ms;
    bool failed;
};

/* "logins, 12 times", or of one session "errors". */
static void print_reason(const struct ban *ban)
{
    printf("rule %s", ban->rule);
    if (ban->count > 0)
        printf(", %" PRIu32 " within the hour", ban->count);
}

static void print_ban(const struct listing *l, struct text address, const struct ban *ban)
{
    char since[OUT_TIME_MAX], until[OUT_TIME_MAX], rough[OUT_ROUGH_MAX];
    out_words(address);
    printf("  until %s (in %s), since %s: ", out_time(ban->until_ms, until),
           out_rough_duration(ban->until_ms - l->now_ms, rough), out_time(ban->since_ms, since));
    print_reason(ban);
    putchar('\n');
}

static json_t *json_of(struct text address, const struct ban *ban)
{
    char since[OUT_TIME_MAX], until[OUT_TIME_MAX];
    return json_pack("{s:s%,s:s,s:s,s:s,s:I}", "address", address.at, address.len, "rule",
                     ban->rule, "since", out_time(ban->since_ms, since), "expires",
                     out_time(ban->until_ms, until), "count", (json_int_t)ban->count);
}

static void list_one(void *owner, const struct cache_entry *e)
{
    struct listing *l = owner;
    struct ban ban;
    if (!ban_parse(e->value, &ban))
        return;
    ban.until_ms = e->expires_ms;
    if (l->cli->json)
        l->failed |= !out_json(json_of(e->key, &ban));
    else
        print_ban(l, e->key, &ban);
}

enum cli_exit cli_ban_list(struct cli *cli)
{
    struct listing l = { .cli = cli, .now_ms = clock_wall_ms() };
    struct error e;
    struct cache *cache = NULL;
    bool ok = cli_load(cli, &e) && open_cache(cli, &cache, &e) &&
              (!cache || cache_each(cache, CACHE_BAN, l.now_ms, list_one, &l, &e));
    cache_close(&cache);
    if (!ok)
        return cli_fail(&e);
    return l.failed ? cli_say(CLI_AGAIN, "memory is short: the listing is not complete") : CLI_DONE;
}

/* --- One address --- */

struct asked {
    struct cli *cli;
    struct endpoint peer;
    char name[PEER_TEXT_MAX]; /* of the peer that the address belongs to */
};

static bool read_address(struct cli *cli, struct asked *out, struct error *e)
{
    *out = (struct asked){ .cli = cli };
    if (!peer_parse(text_of(cli->words[0]), &out->peer))
        return error_set(e, ERROR_USAGE,
                         "%.100s: this is no address; write 192.0.2.1 or 2001:db8::1",
                         cli->words[0]);
    struct peer_key key = peer_key(&out->peer);
    peer_print(&key, out->name);
    return cli_load(cli, e);
}

static json_t *request_of(const struct asked *a, const char *op)
{
    return json_pack("{s:s,s:s,s:s}", "do", "ban", "op", op, "address", a->name);
}

/* The ban as cache.db has it. */
static bool find_ban(const struct asked *a, struct ban *out, bool *found_out, struct error *e)
{
    struct cache_entry entry = { .kind = CACHE_BAN, .key = text_of(a->name) };
    struct cache *cache = NULL;
    struct buffer value;
    buffer_init(&value, CACHE_VALUE_MAX);
    *found_out = false;
    bool ok = open_cache(a->cli, &cache, e) &&
              (!cache || cache_find(cache, &entry, clock_wall_ms(), &value, found_out, e));
    *found_out = *found_out && ban_parse(buffer_as_text(&value), out);
    out->until_ms = entry.expires_ms;
    buffer_clear(&value);
    cache_close(&cache);
    return ok;
}

/* Why this address is never banned, or NULL. */
static const char *exemption(const struct asked *a, const json_t *answer)
{
    const struct config *config = a->cli->config;
    return endpoint_is_loopback(&a->peer)     ? "it is this machine itself"
           : config_trusts(config, &a->peer)  ? "it is in relay.trusted"
           : config_allows(config, &a->peer)  ? "it is in abuse.allow"
           : json_object_get(answer, "login") ? "somebody has logged in from it within a day"
           : answer && !json_is_true(json_object_get(answer, "on")) ? "abuse.ban is off"
                                                                    : NULL;
}

static void print_counts(const json_t *answer)
{
    const char *rule;
    json_t *count;
    json_object_foreach(json_object_get(answer, "counts"), rule, count)
    {
        if (json_integer_value(count) > 0)
            printf("  %s: %" JSON_INTEGER_FORMAT " within the hour\n", rule,
                   json_integer_value(count));
    }
}

static bool ban_from(const json_t *object, struct ban *out)
{
    const char *rule = json_string_value(json_object_get(object, "rule"));
    *out = (struct ban){
        .since_ms = json_integer_value(json_object_get(object, "since")),
        .until_ms = json_integer_value(json_object_get(object, "expires")),
        .count = (uint32_t)json_integer_value(json_object_get(object, "count")),
    };
    snprintf(out->rule, sizeof out->rule, "%s", rule ? rule : "");
    return rule != NULL;
}

static enum cli_exit tell_why(const struct asked *a, const json_t *answer, const struct ban *ban)
{
    struct listing l = { .cli = a->cli, .now_ms = clock_wall_ms() };
    struct ban over;
    const char *exempt = exemption(a, answer);
    bool is_over = ban_from(json_object_get(answer, "over"), &over);
    if (ban && exempt)
        printf("%s was banned, but is let in: %s\n", a->name, exempt);
    if (ban) {
        print_ban(&l, text_of(a->name), ban);
    } else if (is_over) {
        char until[OUT_TIME_MAX];
        printf("%s is turned away until %s: ", a->name, out_time(over.until_ms, until));
        print_reason(&over);
        putchar('\n');
    }
    print_counts(answer);
    if (ban || is_over)
        return CLI_DONE;
    return cli_say(CLI_NO, "%s is not banned%s%s", a->name, exempt ? ": " : "",
                   exempt ? exempt : "");
}

enum cli_exit cli_ban_why(struct cli *cli)
{
    struct asked a;
    struct error e;
    struct ban ban;
    json_t *answer = NULL;
    bool found = false, ok = read_address(cli, &a, &e);
    enum remote_state state = REMOTE_NOBODY;
    if (ok)
        state = remote_ask_for(cli_data(cli), request_of(&a, "why"), &answer, &e);
    if (state == REMOTE_DONE)
        found = ban_from(json_object_get(answer, "ban"), &ban);
    else if (ok)
        ok = state == REMOTE_NOBODY && find_ban(&a, &ban, &found, &e);
    enum cli_exit code = ok ? tell_why(&a, answer, found ? &ban : NULL) : cli_fail(&e);
    json_decref(answer);
    return code;
}

static bool lift_alone(const struct asked *a, bool *lifted_out, struct error *e)
{
    struct cache *cache = NULL;
    bool ok = open_cache(a->cli, &cache, e) &&
              (!cache || cache_drop(cache, CACHE_BAN, text_of(a->name), lifted_out, e));
    cache_close(&cache);
    return ok;
}

enum cli_exit cli_ban_lift(struct cli *cli)
{
    struct asked a;
    struct error e;
    json_t *answer = NULL;
    bool lifted = false, ok = read_address(cli, &a, &e);
    enum remote_state state = REMOTE_NOBODY;
    if (ok)
        state = remote_ask_for(cli_data(cli), request_of(&a, "lift"), &answer, &e);
    if (state == REMOTE_DONE)
        lifted = json_is_true(json_object_get(answer, "lifted"));
    else if (ok)
        ok = state == REMOTE_NOBODY && lift_alone(&a, &lifted, &e);
    json_decref(answer);
    if (!ok)
        return cli_fail(&e);
    if (!lifted)
        return cli_say(CLI_NO, "%s is not banned", a.name);
    printf("%s is let in again\n", a.name);
    return CLI_DONE;
}
