/* user_words.c - what a user's own commands share: from options to an agent; exit codes. */
#include "cli/user_words.h"

bool user_words_agent(const struct user_words *words, const struct user_wish *wish,
                      struct user_resolvers *resolvers, struct agent_options *out, struct error *e)
{
    if (words->dns.count > USER_RESOLVERS_MAX)
        return error_set(e, ERROR_USAGE, "--dns: at most %d servers", USER_RESOLVERS_MAX);
    for (size_t i = 0; i < words->dns.count; i++)
        if (!endpoint_parse(text_of(words->dns.at[i]), &resolvers->at[i]))
            return error_set(e, ERROR_USAGE,
                             "--dns %.60s: write an address and a port, 127.0.0.1:53",
                             words->dns.at[i]);
    resolvers->count = words->dns.count;
    *out = (struct agent_options){ .resolvers = resolvers->at,
                                   .resolver_count = resolvers->count,
                                   .authorities = wish->authorities,
                                   .server_option = "--server" };
    return true;
}

struct user_wish user_words_wish(const struct user_words *words, const struct cli *cli,
                                 const char *address, enum find_service service)
{
    return (struct user_wish){
        .address = address,
        .naming = service == FIND_SMTP ? "--from ADDRESS" : "an ADDRESS",
        .password = (char *)(uintptr_t)words->password,
        .password_file = words->password_file,
        .password_command = words->password_command,
        .login = words->login,
        .auth = words->auth,
        .smtp = service == FIND_SMTP ? words->server : NULL,
        .pop = service == FIND_POP ? words->server : NULL,
        .authorities = words->authorities,
        .tls = words->tls ? (enum agent_tls)(words->tls - 1) : AGENT_TLS_AUTO,
        .tls_written = words->tls != 0,
        .accounts = words->accounts,
        .config = cli->file,
    };
}

enum cli_exit user_exit(enum failure_kind kind)
{
    enum { INTERRUPTED = 130 }; /* as a shell says it of SIGINT */
    switch (kind) {
    case FAILURE_USAGE:
        return CLI_USAGE;
    case FAILURE_REFUSED:
        return CLI_NO;
    case FAILURE_INTERRUPTED:
        return (enum cli_exit)INTERRUPTED;
    default:
        return (enum cli_exit)failure_sysexit(kind);
    }
}

enum cli_exit user_fail(const struct failure *f)
{
    if (f->kind == FAILURE_NONE)
        return CLI_DONE;
    return cli_say(user_exit(f->kind), "%s", f->words);
}
