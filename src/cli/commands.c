/* commands.c - the table of commands, their options and help; finds the one that is meant.
 *
 * A new command is a row and a function.  Only what works stands here.
 */
#include "cli/cli.h"
#include "config/nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct command {
    const char *group; /* the first word */
    const char *name;  /* the second; NULL: the group is the command */
    cli_command *run;
    unsigned options;
    size_t least, most; /* words behind the name */
    const char *words;  /* as help shows them */
    const char *help;
};

enum { ANY = SIZE_MAX };

/* In the order of the help. */
static const struct command commands[] = {
    { "serve", NULL, cli_serve, CLI_FILE, 0, 0, "", "run the server in the foreground" },
    { "reload", NULL, cli_reload, CLI_FILE, 0, 0, "",
      "let the running server read its configuration again" },
    { "lab", NULL, cli_lab, CLI_JSON | CLI_DOMAINS | CLI_ANY | CLI_FAULTS | CLI_SCRIPT, 0, 1,
      "[DIR]", "several servers, their DNS and users on this machine, to try things out" },
    { "check", NULL, cli_check, CLI_FILE | CLI_STORE | CLI_REBUILD, 0, 0, "",
      "examine configuration, certificates, ports and accounts; the store; rebuild the index" },
    { "user", "add", cli_user_add, CLI_FILE | CLI_PASSWORD | CLI_ADOPT, 1, 1, "ADDRESS",
      "add a user; asks for the password" },
    { "user", "passwd", cli_user_passwd, CLI_FILE | CLI_PASSWORD, 1, 1, "ADDRESS",
      "give a user a new password" },
    { "user", "del", cli_user_del, CLI_FILE | CLI_PURGE, 1, 1, "ADDRESS",
      "remove a user; the mail is kept unless --purge" },
    { "user", "list", cli_user_list, CLI_FILE | CLI_JSON, 0, 1, "[DOMAIN]",
      "the users, one address a line" },
    { "alias", "add", cli_alias_add, CLI_FILE, 2, ANY, "ADDRESS TARGET...",
      "let mail for ADDRESS go to TARGET too" },
    { "alias", "del", cli_alias_del, CLI_FILE, 1, ANY, "ADDRESS [TARGET...]",
      "remove these targets, or all" },
    { "alias", "list", cli_alias_list, CLI_FILE | CLI_JSON, 0, 1, "[ADDRESS|DOMAIN]",
      "the aliases and their targets" },
    { "alias", "import", cli_alias_import, CLI_FILE | CLI_DOMAIN, 1, 1, "FILE",
      "read a file like /etc/aliases" },
    { "mailbox", "list", cli_mailbox_list, CLI_FILE | CLI_JSON, 0, 1, "[ADDRESS]",
      "all mailboxes with their messages and octets, or what one holds" },
    { "mailbox", "show", cli_mailbox_show, CLI_FILE, 2, 2, "ADDRESS N",
      "message N of the list, as stored" },
    { "queue", "list", cli_queue_list, CLI_FILE | CLI_JSON, 0, ANY, "[SELECTOR...]",
      "what waits to be sent, by destination and by reason" },
    { "queue", "show", cli_queue_show, CLI_FILE | CLI_JSON, 1, ANY, "SELECTOR...",
      "all that is known of a message in the queue" },
    { "queue", "retry", cli_queue_retry, CLI_FILE, 1, ANY, "SELECTOR...",
      "try these recipients now" },
    { "queue", "hold", cli_queue_hold, CLI_FILE, 1, ANY, "SELECTOR...",
      "let these recipients wait until they are released" },
    { "queue", "release", cli_queue_release, CLI_FILE, 1, ANY, "SELECTOR...",
      "let held recipients go on" },
    { "queue", "drop", cli_queue_drop, CLI_FILE, 1, ANY, "SELECTOR...",
      "forget these recipients; nobody is told" },
    { "queue", NULL, cli_queue_list, CLI_FILE | CLI_JSON, 0, ANY, "[SELECTOR...]",
      "the same as queue list; SELECTOR: ID, domain:, from:, to:, older:, all" },
    { "ban", "list", cli_ban_list, CLI_FILE | CLI_JSON, 0, 0, "",
      "the addresses that are shut out, until when and for what" },
    { "ban", "why", cli_ban_why, CLI_FILE, 1, 1, "ADDRESS",
      "why an address is shut out or turned away" },
    { "ban", "lift", cli_ban_lift, CLI_FILE, 1, 1, "ADDRESS",
      "let an address in again, and forget what it did" },
    { "version", NULL, cli_version, 0, 0, 0, "", "versions of godwit and its libraries" },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

struct option {
    const char *name;
    enum cli_option bit;
    const char *value; /* what its value is called; NULL: it has none */
    const char *help;
};

static const struct option options[] = {
    { "-c", CLI_FILE, "FILE",
      "the configuration file (else /etc/godwit/godwit.conf if it exists, else none)" },
    { "--json", CLI_JSON, NULL, "print JSON Lines: one object a line" },
    { "--password-stdin", CLI_PASSWORD, NULL, "read the password as a line from standard input" },
    { "--purge", CLI_PURGE, NULL, "remove the user's mail as well, for good" },
    { "--adopt", CLI_ADOPT, "ID", "take over this mailbox, which a removed user left" },
    { "--domain", CLI_DOMAIN, "DOMAIN", "the domain of names that are written without one" },
    { "--domains", CLI_DOMAINS, "LIST",
      "a.test,b.test; a server with a name or more domains is HOST=DOMAIN+DOMAIN" },
    { "--any", CLI_ANY, NULL,
      "the first server takes mail for every address of every domain into one mailbox" },
    { "--faults", CLI_FAULTS, "LIST",
      "b.test=slow:2s,c.test=dead; also silent, busy, refuse, defer, cut, liar, greylist:TIME" },
    { "--script", CLI_SCRIPT, "FILE",
      "do what the file says, then end: 0 if all came true, else 1" },
    { "--store", CLI_STORE, NULL, "verify everything that is stored" },
    { "--rebuild", CLI_REBUILD, NULL, "make the index anew from the journal" },
};
enum { OPTIONS = sizeof options / sizeof *options };

/* --- Help --- */

static void print_usage(FILE *to, const struct command *c)
{
    fprintf(to, "godwit %s%s%s", c->group, c->name ? " " : "", c->name ? c->name : "");
    for (size_t i = 0; i < OPTIONS; i++)
        if (c->options & options[i].bit)
            fprintf(to, options[i].value ? " [%s %s]" : " [%s]", options[i].name, options[i].value);
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
    fputs("usage: ", stdout);
    print_usage(stdout, c);
    printf("\n%s\n", c->help);
    for (size_t i = 0; i < OPTIONS; i++)
        if (c->options & options[i].bit)
            printf("  %s %-*s %s\n", options[i].name, 16 - (int)strlen(options[i].name),
                   options[i].value ? options[i].value : "", options[i].help);
    return CLI_DONE;
}

/* --- Options --- */

static bool bad_usage(struct error *e, const char *what, const char *word)
{
    return error_set(e, ERROR_USAGE, "%s%s", what, word);
}

static void keep_option(struct cli *cli, enum cli_option bit, const char *value)
{
    switch (bit) {
    case CLI_FILE:
        cli->file = value;
        break;
    case CLI_JSON:
        cli->json = true;
        break;
    case CLI_PASSWORD:
        cli->password_stdin = true;
        break;
    case CLI_PURGE:
        cli->purge = true;
        break;
    case CLI_ADOPT:
        cli->adopt = value;
        break;
    case CLI_DOMAIN:
        cli->domain = value;
        break;
    case CLI_STORE:
        cli->store = true;
        break;
    case CLI_ANY:
        cli->any = true;
        break;
    case CLI_FAULTS:
        cli->faults = value;
        break;
    case CLI_SCRIPT:
        cli->script = value;
        break;
    case CLI_DOMAINS:
        cli->domains = value;
        break;
    case CLI_REBUILD:
        cli->rebuild = true;
        break;
    }
}

static const struct option *find_option(const char *word, struct nearest *nearest)
{
    *nearest = nearest_to(text_of(word));
    for (size_t i = 0; i < OPTIONS; i++) {
        nearest_offer(nearest, options[i].name);
        if (strcmp(options[i].name, word) == 0)
            return &options[i];
    }
    return NULL;
}

struct parsed {
    struct cli cli;
    unsigned given; /* which options */
    bool help;
};

/* Sorts argv into options and words; words stay in argv, in their order.  Everything behind "--"
 * is a word. */
static bool parse(int argc, char **argv, struct parsed *out, struct error *e)
{
    bool only_words = false;
    out->cli.words = argv;
    for (int i = 0; i < argc; i++) {
        struct nearest nearest;
        if (only_words || argv[i][0] != '-' || !argv[i][1]) {
            out->cli.words[out->cli.word_count++] = argv[i];
            continue;
        }
        only_words = strcmp(argv[i], "--") == 0;
        bool help = strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
        out->help |= help;
        if (help || only_words)
            continue;
        const struct option *o = find_option(argv[i], &nearest);
        if (!o)
            return error_set(e, ERROR_USAGE, "unknown option %s; nearest: %s", argv[i],
                             nearest.name);
        if (o->value && (i + 1 == argc || !argv[i + 1][0]))
            return error_set(e, ERROR_USAGE, "%s wants its %s", o->name, o->value);
        out->given |= o->bit;
        keep_option(&out->cli, o->bit, o->value ? argv[++i] : NULL);
    }
    return true;
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

/* The command of this group that the first word names; takes that word. */
static const struct command *find_command(const char *group, struct cli *cli)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *c = &commands[i];
        if (strcmp(c->group, group) != 0)
            continue;
        if (!c->name)
            return c;
        if (cli->word_count == 0 || strcmp(c->name, cli->words[0]) != 0)
            continue;
        cli->words++;
        cli->word_count--;
        return c;
    }
    return NULL;
}

static bool fits(const struct command *c, const struct parsed *p, struct error *e)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (p->given & options[i].bit & ~c->options)
            return bad_usage(e, "this command does not take ", options[i].name);
    if (p->cli.word_count < c->least)
        return bad_usage(e, "something is missing: ", c->words);
    if (p->cli.word_count > c->most)
        return bad_usage(e, "too many words: ", p->cli.words[c->most]);
    for (size_t i = 0; i < p->cli.word_count; i++)
        if (!p->cli.words[i][0])
            return bad_usage(e, "an empty word is no ", c->words);
    return true;
}

static enum cli_exit run(const char *group, struct parsed *p)
{
    struct error e;
    const struct command *c = find_command(group, &p->cli);
    if (p->help && c)
        return print_command(c);
    if (p->help) {
        print_group(stdout, group);
        return CLI_DONE;
    }
    if (!c || !fits(c, p, &e)) {
        if (c)
            cli_fail(&e);
        else if (p->cli.word_count)
            cli_say(CLI_USAGE, "%s: there is no such command: %s", group, p->cli.words[0]);
        print_group(stderr, group);
        return CLI_USAGE;
    }
    enum cli_exit code = c->run(&p->cli);
    config_free(&p->cli.config);
    return code;
}

int cli_main(int argc, char **argv)
{
    struct parsed p = { 0 };
    struct nearest nearest;
    struct error e;
    const char *group = argc > 1 ? argv[1] : NULL;
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
    if (!parse(argc - 2, argv + 2, &p, &e))
        return cli_fail(&e);
    enum cli_exit code = run(group, &p);
    if (fflush(stdout) != 0 && code == CLI_DONE)
        code = cli_say(CLI_AGAIN, "standard output cannot be written");
    return code;
}
