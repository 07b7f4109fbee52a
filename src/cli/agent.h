/* agent.h - godwit agent: what its parts share.  Private to the command.
 *
 *   agent.c       options, the first prompt, what is typed there
 *   agent_pop.c   the second prompt: a maildrop
 *   agent_save.c  from a maildrop to a screen or a file: retr, show, save
 *   agent_smtp.c  a message from its questions to its results
 *   agent_draft.c what is said of a message before its questions: cc, attach, edit
 *   agent_hint.c  completion
 */
#ifndef CLI_AGENT_H
#define CLI_AGENT_H

#include "agent/maildrop.h"
#include "agent/sender.h"
#include "agent/user.h"
#include "cli/cli.h"
#include "cli/known.h"
#include "cli/line_reader.h"
#include "cli/screen.h"

enum { DRAFT_FILES_MAX = 100, DRAFT_LIST_MAX = 64 * 1024, DRAFT_TEXT_MAX = 16 * 1024 * 1024 };

/* What is said of a message before `smtp`, and what is left of one that was not sent. */
struct talk_draft {
    struct buffer cc; /* a list of mailboxes */
    struct buffer text;
    char *files[DRAFT_FILES_MAX];
    size_t file_count;
};

/* What completion offers. */
enum asks { ASKS_COMMAND, ASKS_POP, ASKS_ADDRESS, ASKS_NOTHING };

struct talk {
    struct agent *agent;
    struct user user;
    struct line_reader *lines;
    struct screen screen;
    bool traces; /* --trace */
    bool over;   /* exit was said, or the input has ended */
    enum asks asks;
    struct known known;
    struct talk_draft draft;

    /* A maildrop. */
    struct maildrop *maildrop;
    bool quiet;              /* what the server says is not shown */
    bool hides;              /* ... since it answers a question of ours */
    uint32_t count;          /* messages, as far as it is known */
    struct buffer message;   /* the one that was fetched last for show and save */
    uint32_t message_number; /* 0: none */
};

/* Says what went wrong, with whatever a server said made harmless; the agent goes on. */
void talk_complain(const struct failure *);
void talk_complain_error(const struct error *);
/* Of a line that was typed. */
void talk_too_long(void);
/* Who listens to a session: --trace shows all of it; otherwise, in POP3, what the server says. */
struct trace talk_trace(struct talk *);
/* A line; false: there is none, and the question is over. */
bool talk_ask(struct talk *, enum asks, const char *prompt, struct text *out);

struct talk_command {
    const char *name;
    const char *words; /* as help shows them */
    const char *help;
    void (*run)(struct talk *, struct text words);
};
/* Runs the command that the line begins with, or says that there is none. */
void talk_run(struct talk *, const struct talk_command *, size_t count, struct text line);
void talk_help(const struct talk_command *, size_t count);

/* agent_draft.c */
void talk_draft_init(struct talk_draft *);
void talk_draft_clear(struct talk_draft *);
void talk_cc(struct talk *, struct text words);
void talk_attach(struct talk *, struct text words);
void talk_edit(struct talk *, struct text words);
void talk_draft(struct talk *, struct text words);
void talk_forget(struct talk *, struct text words);
/* Whether every part of a list of mailboxes is an address; says what is wrong. */
bool talk_check_list(struct text list);

/* agent_smtp.c, agent_pop.c */
void talk_smtp(struct talk *, struct text words);
void talk_pop(struct talk *, struct text words);

/* agent_save.c */
void talk_retr(struct talk *, struct text words);
void talk_top(struct talk *, struct text words);
void talk_show(struct talk *, struct text words);
void talk_save(struct talk *, struct text words);
/* A message number off the front of the words; says what is wrong. */
bool talk_number(struct text *words, uint32_t *number_out);
/* One command of POP3; complains when the session is gone.  False: no yes came. */
bool talk_pop_ask(struct talk *, struct pop3_client_command, const struct maildrop_work *);
void talk_forget_message(struct talk *);

/* agent_hint.c */
void talk_complete(void *owner, struct text before, size_t word, const struct line_offer *);
/* The names of the commands at both prompts, for completion; NULL past the last. */
const char *talk_command_name(size_t index);
const char *talk_pop_name(size_t index);

#endif
