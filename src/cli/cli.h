/* cli.h - what the commands share: options, exit codes, messages, the data folder.
 *
 * Standard output holds what was asked for and nothing else; what went wrong goes to standard
 * error as "godwit: what, where, what to do".
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/options.h"
#include "config/config.h"
#include "mail/address.h"

/* docs/border.md, "Exit codes"; 75 and 78 are those of sysexits.h. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_NO = 1, /* not found, refused, failed */
    CLI_USAGE = 2,
    CLI_AGAIN = 75,
    CLI_CONFIG = 78,
};

/* One call of the program.  Words and values are argv's. */
struct cli {
    const char *file; /* -c FILE; NULL: the standard one, or none */
    bool json;        /* --json */
    void *options;    /* the struct that the command's own table fills; NULL when it has none */
    char **words;     /* what is not an option, behind the command's name */
    size_t word_count;
    struct config *config; /* once cli_load() has read it */
};

/* Every command has such a function: its words are as many as its row allows. */
typedef enum cli_exit cli_command(struct cli *);

cli_command cli_user_add, cli_user_passwd, cli_user_del, cli_user_list;
cli_command cli_alias_add, cli_alias_del, cli_alias_list, cli_alias_import;
cli_command cli_mailbox_list, cli_mailbox_show;
cli_command cli_import, cli_export;
cli_command cli_backup, cli_restore;
cli_command cli_queue_list, cli_queue_show;
cli_command cli_queue_retry, cli_queue_hold, cli_queue_release, cli_queue_drop;
cli_command cli_ban_list, cli_ban_why, cli_ban_lift;
cli_command cli_fetch, cli_send;
cli_command cli_agent, cli_check, cli_lab, cli_reload, cli_sendmail, cli_serve, cli_version;

/* The options of commands that have some of their own, beside their functions. */
extern const struct option_table cli_user_add_options, cli_user_passwd_options;
extern const struct option_table cli_user_del_options, cli_alias_import_options;
extern const struct option_table cli_agent_options, cli_check_options, cli_fetch_options;
extern const struct option_table cli_lab_options, cli_restore_options, cli_send_options;

/* Finds the command, reads its options, runs it. */
int cli_main(int argc, char **argv);

/* --- Messages --- */

/* Prints the error and returns the exit code of its kind. */
enum cli_exit cli_fail(const struct error *);
enum cli_exit cli_say(enum cli_exit, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "godwit: warning: ..."; the command goes on. */
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- Configuration and data --- */

/* Reads the configuration into cli->config, which cli_main() frees. */
bool cli_load(struct cli *, struct error *);
/* An address of the command line; ERROR_USAGE. */
bool cli_address(const char *word, struct address *out, struct error *);
/* The same, in one of the configured domains; ERROR_CONFIG when it is not. */
bool cli_local_address(const struct cli *, const char *word, struct address *out, struct error *);
/* Before DATA is opened: root becomes its owner for good (run/owner.h), so that whatever is made in
 * it belongs to him.  With `create` root makes a new one first.  ERROR_REFUSED: DATA is not the
 * caller's to look into. */
bool cli_enter_data(const struct cli *, bool create, struct error *);
/* DATA as a terminated path. */
const char *cli_data(const struct cli *);

#endif
