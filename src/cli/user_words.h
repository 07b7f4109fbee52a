/* user_words.h - the options by which a user's own commands (agent, send, fetch) say whose mail it
 * is and how its server is reached, and the exit codes of these commands.
 */
#ifndef CLI_USER_WORDS_H
#define CLI_USER_WORDS_H

#include "agent/trace.h"
#include "agent/user.h"
#include "cli/cli.h"

#include <stddef.h>

struct user_words {
    const char *server, *login, *auth, *password, *password_file, *password_command, *authorities,
        *accounts;
    struct option_list dns;
    unsigned tls; /* 1 + enum agent_tls; 0: not written */
    bool trace;
};

/* The rows of a table for a struct `type` whose member `words` is such a struct: all but --server.
 */
#define USER_LOGIN_ROWS(type, words)                                                               \
    USER_ROW("--user", OPTION_TEXT, "NAME", type, words.login,                                     \
             "log in by this name (else the address)"),                                            \
        USER_ROW("--auth", OPTION_TEXT, "MECHANISM", type, words.auth,                             \
                 "log in this way: PLAIN, LOGIN, SCRAM-SHA-256... (else the strongest that is "    \
                 "offered); off: send without"),                                                   \
        { "--password",                                                                            \
          'p',                                                                                     \
          OPTION_ANY_TEXT,                                                                         \
          "PASSWORD",                                                                              \
          offsetof(type, words.password),                                                          \
          "others may see it while the program starts: better a file, a command, or to be "        \
          "asked" },                                                                               \
        USER_ROW("--password-file", OPTION_TEXT, "FILE", type, words.password_file,                \
                 "the password is the first line of this file"),                                   \
        USER_ROW("--password-command", OPTION_TEXT, "COMMAND", type, words.password_command,       \
                 "the password is the first line that this command prints"),                       \
        USER_ROW("--tls", OPTION_CHOICE, "auto|none|may|encrypt|verify", type, words.tls,          \
                 "whether TLS is spoken, and whether the certificate must have the server's "      \
                 "name"),                                                                          \
        USER_ROW("--ca", OPTION_TEXT, "FILE", type, words.authorities,                             \
                 "trust the authorities in this PEM file instead of the system's"),                \
        USER_ROW("--accounts", OPTION_TEXT, "FILE", type, words.accounts,                          \
                 "the file of accounts (else ~/.config/godwit/agent.conf)"),                       \
        USER_ROW("--dns", OPTION_LIST, "HOST:PORT", type, words.dns,                               \
                 "ask this DNS server instead of the system's"),                                   \
        USER_ROW("--trace", OPTION_FLAG, NULL, type, words.trace,                                  \
                 "show the conversation with the server, passwords masked")
/* And with it. */
#define USER_WORDS_ROWS(type, words)                                                               \
    USER_ROW("--server", OPTION_TEXT, "HOST[:PORT]", type, words.server,                           \
             "the server (else the one that the address leads to)"),                               \
        USER_LOGIN_ROWS(type, words)
#define USER_ROW(name, kind, value, type, member, help)                                            \
    {                                                                                              \
        name, 0, kind, value, offsetof(type, member), help                                         \
    }

enum { USER_RESOLVERS_MAX = 8 };
/* What an agent is made with; may not move. */
struct user_resolvers {
    struct endpoint at[USER_RESOLVERS_MAX];
    size_t count;
};
/* The options of an agent; ERROR_USAGE for a --dns that is none. */
bool user_words_agent(const struct user_words *, const struct user_wish *, struct user_resolvers *,
                      struct agent_options *out, struct error *);
/* The wish of this address for a service; `address` NULL: that of the only account. */
struct user_wish user_words_wish(const struct user_words *, const struct cli *, const char *address,
                                 enum find_service);

/* Prints the failure, what a server said made harmless, and returns its exit code: docs/border.md's
 * where that has one, else that of sysexits.h (godwit(1)). */
enum cli_exit user_fail(const struct failure *);
enum cli_exit user_exit(enum failure_kind);

#endif
