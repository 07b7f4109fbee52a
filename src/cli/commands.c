/* commands.c - the table of commands, their options and help; finds the one that is meant.
 *
 * A new command is a row and a function, and a table (cli/options.h) for options of its own.  Only
 * what works stands here.
 */
#include "cli/cli.h"
#include "cli/sendmail.h"
#include "config/nearest.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct command {
    const char *group; /* the first word */
    const char *name;  /* the second; NULL: the group is the command */
    cli_command *run;
    unsigned shared;                    /* enum shared: its other options */
    const struct option_table *options; /* its own; NULL: none */
    size_t least, most;                 /* words behind the name */
    const char *words;                  /* as help shows them */
    const char *help;
};

enum { ANY = SIZE_MAX };

/* The options that many commands share; a command takes one of the tables below.  RAW: it has a
 * grammar of its own, and all that stands behind its name are words. */
enum shared { NONE, FILE_ONLY, JSON_ONLY, FILE_JSON, RAW };
static const struct option shared_rows[] = {
    { "-c", 0, OPTION_TEXT, "FILE", offsetof(struct cli, file),
      "the configuration file (else /etc/godwit/godwit.conf if it exists, else none)" },
    { "--json", 0, OPTION_FLAG, NULL, offsetof(struct cli, json),
      "print JSON Lines: one object a line" },
};
static const struct option_table shared[] = {
    [NONE] = { NULL, 0, 0 },
    [RAW] = { NULL, 0, 0 },
    [FILE_ONLY] = { shared_rows, 1, sizeof(struct cli) },
    [JSON_ONLY] = { shared_rows + 1, 1, sizeof(struct cli) },
    [FILE_JSON] = { shared_rows, 2, sizeof(struct cli) },
};

/* In the order of the help. */
static const struct command commands[] = {
    { "serve", NULL, cli_serve, FILE_ONLY, NULL, 0, 0, "", "run the server in the foreground" },
    { "reload", NULL, cli_reload, FILE_ONLY, NULL, 0, 0, "",
      "let the running server read its configuration again" },
    { "lab", NULL, cli_lab, JSON_ONLY, &cli_lab_options, 0, 1, "[DIR]",
      "several servers, their DNS and users on this machine, to try things out" },
    { "check", NULL, cli_check, FILE_ONLY, &cli_check_options, 0, 0, "",
      "examine configuration, certificates, ports and accounts; the store; rebuild the index" },
    { "user", "add", cli_user_add, FILE_ONLY, &cli_user_add_options, 1, 1, "ADDRESS",
      "add a user; asks for the password" },
    { "user", "passwd", cli_user_passwd, FILE_ONLY, &cli_user_passwd_options, 1, 1, "ADDRESS",
      "give a user a new password" },
    { "user", "del", cli_user_del, FILE_ONLY, &cli_user_del_options, 1, 1, "ADDRESS",
      "remove a user; the mail is kept unless --purge" },
    { "user", "list", cli_user_list, FILE_JSON, NULL, 0, 1, "[DOMAIN]",
      "the users, one address a line" },
    { "alias", "add", cli_alias_add, FILE_ONLY, NULL, 2, ANY, "ADDRESS TARGET...",
      "let mail for ADDRESS go to TARGET too" },
    { "alias", "del", cli_alias_del, FILE_ONLY, NULL, 1, ANY, "ADDRESS [TARGET...]",
      "remove these targets, or all" },
    { "alias", "list", cli_alias_list, FILE_JSON, NULL, 0, 1, "[ADDRESS|DOMAIN]",
      "the aliases and their targets" },
    { "alias", "import", cli_alias_import, FILE_ONLY, &cli_alias_import_options, 1, 1, "FILE",
      "read a file like /etc/aliases" },
    { "mailbox", "list", cli_mailbox_list, FILE_JSON, NULL, 0, 1, "[ADDRESS]",
      "all mailboxes with their messages and octets, or what one holds" },
    { "mailbox", "show", cli_mailbox_show, FILE_ONLY, NULL, 2, 2, "ADDRESS N",
      "message N of the list, as stored" },
    { "import", NULL, cli_import, FILE_JSON, NULL, 2, 2, "ADDRESS BOX",
      "bring mail of a Maildir or mbox into a mailbox; BOX: maildir:PATH, mbox:PATH, - or a path" },
    { "export", NULL, cli_export, FILE_JSON, NULL, 2, 2, "ADDRESS BOX",
      "write a mailbox as a Maildir or mbox" },
    { "backup", NULL, cli_backup, FILE_ONLY, NULL, 1, 1, "DIR",
      "copy all mail and accounts into DIR, beside a running server; what is there is kept" },
    { "restore", NULL, cli_restore, FILE_ONLY, &cli_restore_options, 1, 1, "DIR",
      "make a new data folder of a backup, or verify it" },
    { "queue", "list", cli_queue_list, FILE_JSON, NULL, 0, ANY, "[SELECTOR...]",
      "what waits to be sent, by destination and by reason" },
    { "queue", "show", cli_queue_show, FILE_JSON, NULL, 1, ANY, "SELECTOR...",
      "all that is known of a message in the queue" },
    { "queue", "retry", cli_queue_retry, FILE_ONLY, NULL, 1, ANY, "SELECTOR...",
      "try these recipients now" },
    { "queue", "hold", cli_queue_hold, FILE_ONLY, NULL, 1, ANY, "SELECTOR...",
      "let these recipients wait until they are released" },
    { "queue", "release", cli_queue_release, FILE_ONLY, NULL, 1, ANY, "SELECTOR...",
      "let held recipients go on" },
    { "queue", "drop", cli_queue_drop, FILE_ONLY, NULL, 1, ANY, "SELECTOR...",
      "forget these recipients; nobody is told" },
    { "queue", NULL, cli_queue_list, FILE_JSON, NULL, 0, ANY, "[SELECTOR...]",
      "the same as queue list; SELECTOR: ID, domain:, from:, to:, older:, all" },
    { "ban", "list", cli_ban_list, FILE_JSON, NULL, 0, 0, "",
      "the addresses that are shut out, until when and for what" },
    { "ban", "why", cli_ban_why, FILE_ONLY, NULL, 1, 1, "ADDRESS",
      "why an address is shut out or turned away" },
    { "ban", "lift", cli_ban_lift, FILE_ONLY, NULL, 1, 1, "ADDRESS",
      "let an address in again, and forget what it did" },
    { "agent", NULL, cli_agent, FILE_ONLY, &cli_agent_options, 0, 0, "",
      "read and write mail at a prompt, with any server" },
    { "send", NULL, cli_send, FILE_ONLY, &cli_send_options, 0, ANY, "[FILE...]",
      "send a message composed from options, or whole ones from files, to any server" },
    { "fetch", NULL, cli_fetch, FILE_ONLY, &cli_fetch_options, 0, ANY, "[ADDRESS...]",
      "mail from POP3 servers to a Maildir, an mbox or standard output" },
    { "sendmail", NULL, cli_sendmail, RAW, NULL, 0, ANY, "[OPTIONS] [RECIPIENT...]",
      "send a message from standard input, as sendmail does for programs of this machine" },
    { "version", NULL, cli_version, NONE, NULL, 0, 0, "", "versions of godwit and its libraries" },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* --- Help --- */

static struct options options_of(const struct command *c, struct cli *cli)
{
    return (struct options){ .parts = { { &shared[c->shared], cli },
                                        { c->options, cli ? cli->options : NULL } } };
}

static void print_usage(FILE *to, const struct command *c)
{
    struct options options = options_of(c, NULL);
    fprintf(to, "godwit %s%s%s", c->group, c->name ? " " : "", c->name ? c->name : "");
    options_print_usage(to, &options);
    fprintf(to, "%s%s\n", c->words[0] ? " " : "", c->words);
}

static void print_all(FILE *to)
{
    fputs("usage: godwit COMMAND [OPTIONS] [WORDS]\n\n", to);
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *c = &commands[i];
        char name[64];
        snprintf(name, sizeof name, "%s%s%s%s%s", c->group, c->name ? " " : "",
                 c->name ? c->name : "", c->words[0] ? " " : "", c->words);
        fprintf(to, "  %-32s %s\n", name, c->help);
    }
    fputs("\ngodwit COMMAND --help shows the options of a command; godwit(1) and godwit.conf(5) "
          "the rest.\n",
          to);
}

static void print_group(FILE *to, const char *group)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].group, group) == 0) {
            fputs("usage: ", to);
            print_usage(to, &commands[i]);
        }
}

static enum cli_exit print_command(const struct command *c)
{
    struct options options = options_of(c, NULL);
    fputs("usage: ", stdout);
    print_usage(stdout, c);
    printf("\n%s\n", c->help);
    options_print_help(stdout, &options);
    return CLI_DONE;
}

/* --- Which command --- */

static bool group_exists(const char *group, struct nearest *nearest)
{
    bool found = false;
    *nearest = nearest_to(text_of(group));
    for (size_t i = 0; i < COMMANDS; i++) {
        nearest_offer(nearest, commands[i].group);
        found |= strcmp(commands[i].group, group) == 0;
    }
    return found;
}

/* The tables of a group's commands; of all without one.  Returns how many. */
enum { TABLES_MAX = COMMANDS + 1 };
static size_t list_tables(const char *group, const struct option_table *out[TABLES_MAX])
{
    size_t count = 0;
    out[count++] = &shared[FILE_JSON];
    for (size_t i = 0; i < COMMANDS; i++)
        if (commands[i].options && (!group || strcmp(commands[i].group, group) == 0))
            out[count++] = commands[i].options;
    return count;
}

/* The command of this group that the first word names, or the group's only one.  NULL:
 * *name_out is that word, if there was one. */
static const struct command *find_command(const char *group, int argc, char **argv,
                                          const char **name_out)
{
    const struct option_table *tables[TABLES_MAX];
    int first = options_first_word(tables, list_tables(group, tables), argc, argv);
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *c = &commands[i];
        if (strcmp(c->group, group) == 0 &&
            (!c->name || (first < argc && strcmp(c->name, argv[first]) == 0)))
            return c;
    }
    *name_out = first < argc ? argv[first] : NULL;
    return NULL;
}

static bool fits(const struct command *c, const struct cli *cli, struct error *e)
{
    if (cli->word_count < c->least)
        return error_set(e, ERROR_USAGE, "something is missing: %s", c->words);
    if (cli->word_count > c->most)
        return error_set(e, ERROR_USAGE, "too many words: %s", cli->words[c->most]);
    for (size_t i = 0; i < cli->word_count; i++)
        if (!cli->words[i][0])
            return error_set(e, ERROR_USAGE, "an empty word is no %s", c->words);
    return true;
}

/* Reads argv by the command's tables. */
static bool read_line(const struct command *c, int argc, char **argv, struct cli *cli,
                      struct options *options, struct error *e)
{
    const struct option_table *all[TABLES_MAX];
    if (c->options && !(cli->options = calloc(1, c->options->octets)))
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    *options = options_of(c, cli);
    options->elsewhere = all;
    options->elsewhere_count = list_tables(NULL, all);
    return options_parse(options, argc, argv, e);
}

/* Options and words go to *cli, help and lists to *options. */
static enum cli_exit run_parsed(const struct command *c, struct cli *cli, struct options *options)
{
    struct error e;
    if (options->help)
        return print_command(c);
    cli->words = options->words + (c->name ? 1 : 0);
    cli->word_count = options->word_count - (c->name ? 1 : 0);
    if (fits(c, cli, &e))
        return c->run(cli);
    cli_fail(&e);
    print_group(stderr, c->group);
    return CLI_USAGE;
}

static enum cli_exit run_command(const struct command *c, int argc, char **argv)
{
    struct cli cli = { .words = argv, .word_count = (size_t)argc };
    struct options options = { 0 };
    struct error e;
    enum cli_exit code;
    if (c->shared == RAW)
        code = c->run(&cli);
    else if (read_line(c, argc, argv, &cli, &options, &e))
        code = run_parsed(c, &cli, &options);
    else
        code = cli_fail(&e);
    options_clear(&options);
    free(cli.options);
    config_free(&cli.config);
    return code;
}

/* No command was named: help is what is asked for, or what is missing. */
static enum cli_exit run_nothing(const char *group, const char *name, int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_group(stdout, group);
            return CLI_DONE;
        }
    if (name)
        cli_say(CLI_USAGE, "%s: there is no such command: %s", group, name);
    print_group(stderr, group);
    return CLI_USAGE;
}

static enum cli_exit run(const char *group, int argc, char **argv)
{
    const char *name;
    const struct command *c = find_command(group, argc, argv, &name);
    return c ? run_command(c, argc, argv) : run_nothing(group, name, argc, argv);
}

int cli_main(int argc, char **argv)
{
    struct nearest nearest;
    const char *group = argc > 1 ? argv[1] : NULL;
    if (argc > 0 && sendmail_is_name(argv[0]))
        return sendmail_main(argc, argv);
    if (!group) {
        print_all(stderr);
        return CLI_USAGE;
    }
    if (strcmp(group, "--help") == 0 || strcmp(group, "-h") == 0 || strcmp(group, "help") == 0) {
        print_all(stdout);
        return CLI_DONE;
    }
    if (strcmp(group, "--version") == 0)
        group = "version";
    if (!group_exists(group, &nearest))
        return cli_say(CLI_USAGE, "there is no command %s; nearest: %s; see godwit --help", group,
                       nearest.name);
    enum cli_exit code = run(group, argc - 2, argv + 2);
    if (fflush(stdout) != 0 && code == CLI_DONE)
        code = cli_say(CLI_AGAIN, "standard output cannot be written");
    return code;
}
