/* reload.c - godwit reload: the running server reads its configuration again.
 *
 * It brings along the certificates, keys and passwords that whoever runs it may read: they are
 * often root's, and the server's sandbox knows no folders but those that were there when it
 * started.
 */
#include "cli/remote.h"
#include "run/file.h"
#include "serve/credentials.h"

enum { FILES_MAX = 512 * 1024 };

/* A mistake in the file is the server's to find and log as well; its folder is enough to ask it. */
static bool load(struct cli *cli, struct error *mistake)
{
    struct error ignored;
    if (cli_load(cli, mistake))
        return true;
    return mistake->kind == ERROR_CONFIG && config_load_data(cli->file, &cli->config, &ignored);
}

/* A file that cannot be read is left to the server, which will say so. */
static void bring(json_t *names, struct buffer *octets, struct text path)
{
    struct buffer file;
    struct error ignored;
    bool denied;
    buffer_init(&file, CREDENTIAL_OCTETS_MAX);
    if (file_read(path.at, &file, &denied, &ignored) && file.len <= octets->max - octets->len)
        if (json_array_append_new(names, json_pack("[s,I]", path.at, (json_int_t)file.len)) == 0)
            buffer_append(octets, file.at, file.len);
    buffer_wipe(&file);
}

/* The server's own certificate is its own affair. */
static json_t *bring_files(const struct config *config, struct buffer *octets)
{
    const struct config_login *login;
    json_t *names = json_array();
    if (!names || !buffer_reserve(octets, FILES_MAX))
        return names;
    for (size_t i = 0; i < config->certificate_count && !config->certificate_made; i++) {
        bring(names, octets, config->certificates[i].certificate);
        bring(names, octets, config->certificates[i].key);
    }
    for (size_t i = 0; (login = config_login(config, i)); i++)
        if (login->password_file.len)
            bring(names, octets, login->password_file);
    return names;
}

static enum remote_state ask(struct cli *cli, struct error *e)
{
    struct buffer octets;
    buffer_init(&octets, FILES_MAX);
    json_t *request =
        json_pack("{s:s,s:o}", "do", "reload", "files", bring_files(cli->config, &octets));
    enum remote_state state = remote_ask_with(cli_data(cli), request, buffer_bytes(&octets), e);
    buffer_wipe(&octets);
    return state;
}

enum cli_exit cli_reload(struct cli *cli)
{
    struct error mistake = { 0 }, e;
    if (!load(cli, &mistake))
        return cli_fail(&mistake);
    switch (ask(cli, &e)) {
    case REMOTE_DONE:
        return CLI_DONE;
    case REMOTE_REFUSED:
        return cli_fail(&e);
    case REMOTE_NOBODY:
        break;
    }
    if (mistake.kind != ERROR_NONE)
        return cli_fail(&mistake);
    return cli_say(CLI_NO, "no server runs on %s: start it with godwit serve", cli_data(cli));
}
