/* data.c - configuration and addresses of the command line, and who a command is. */
#include "cli/cli.h"
#include "run/owner.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool cli_load(struct cli *cli, struct error *e)
{
    return config_load(cli->file, NULL, &cli->config, e);
}

const char *cli_data(const struct cli *cli)
{
    return cli->config->data.at;
}

bool cli_address(const char *word, struct address *out, struct error *e)
{
    enum address_verdict verdict = address_parse(text_of(word), ADDRESS_UTF8, out);
    if (verdict == ADDRESS_OK)
        return true;
    return error_set(e, verdict == ADDRESS_NO_MEMORY ? ERROR_TEMPORARY : ERROR_USAGE,
                     "%.100s: %s; write user@example.org", word, address_problem(verdict));
}

bool cli_local_address(const struct cli *cli, const char *word, struct address *out,
                       struct error *e)
{
    if (!cli_address(word, out, e))
        return false;
    if (config_domain(cli->config, address_domain(out)))
        return true;
    return error_set(e, ERROR_CONFIG, "%.100s: the domain %.*s is not configured%s%.*s", word,
                     TEXT_ARGS(address_domain(out)), cli->config->file.len ? ": add it to " : "",
                     TEXT_ARGS(cli->config->file));
}

bool cli_enter_data(const struct cli *cli, bool create, struct error *e)
{
    struct owner_wish wish = { .data = cli_data(cli),
                               .user = cli->config->user.at,
                               .user_written = cli->config->user_written,
                               .create = create };
    char warning[ERROR_WORDS_MAX];
    if (!owner_become(&wish, warning, e))
        return false;
    if (warning[0])
        cli_warn("%s", warning);
    if (access(wish.data, R_OK | X_OK) == 0 || errno != EACCES)
        return true;
    return error_set(e, ERROR_REFUSED, "%.300s: %s; it is for root and for its owner", wish.data,
                     strerror(EACCES));
}
