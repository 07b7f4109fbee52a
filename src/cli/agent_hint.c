/* agent_hint.c - completion: commands, addresses that were used, numbers of messages, files. */
#include "cli/agent.h"

#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

enum { NUMBERS_MAX = 100, FILES_MAX = 100 };

static void offer(const struct line_offer *to, struct text typed, struct text word)
{
    if (text_starts_nocase(word, typed))
        to->add(to->to, word);
}

static void offer_commands(const struct line_offer *to, struct text typed,
                           const char *(*name)(size_t index))
{
    for (size_t i = 0; name(i); i++)
        offer(to, typed, text_of(name(i)));
}

static void offer_addresses(const struct talk *t, const struct line_offer *to, struct text typed)
{
    offer(to, typed, address_text(&t->user.address));
    for (size_t i = t->known.count; i > 0; i--)
        offer(to, typed, text_of(t->known.at[i - 1]));
}

static void offer_numbers(const struct talk *t, const struct line_offer *to, struct text typed)
{
    char word[TEXT_DIGITS_MAX];
    for (uint32_t i = 1; i <= t->count && i <= NUMBERS_MAX; i++) {
        const char *end = text_put_u64(word, i, 1);
        offer(to, typed, (struct text){ word, (size_t)(end - word) });
    }
}

/* What glob() would take for more than a name ends what is looked for. */
static void offer_files(const struct line_offer *to, struct text typed)
{
    char pattern[STATE_PATH_MAX];
    glob_t found = { 0 };
    int len = snprintf(pattern, sizeof pattern, "%.*s*", TEXT_ARGS(typed));
    if (len < 0 || (size_t)len >= sizeof pattern || text_find(typed, '*') < typed.len)
        return;
    if (glob(pattern, GLOB_MARK | GLOB_TILDE, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && i < FILES_MAX; i++)
            offer(to, typed, text_of(found.gl_pathv[i]));
    globfree(&found);
}

static void offer_after(const struct talk *t, const struct line_offer *to, struct text before,
                        struct text typed)
{
    struct text verb;
    text_word(&before, &verb);
    if (t->asks == ASKS_POP)
        offer_numbers(t, to, typed);
    else if (text_equal_nocase(verb, T("cc")))
        offer_addresses(t, to, typed);
    else if (text_equal_nocase(verb, T("attach")))
        offer_files(to, typed);
}

void talk_complete(void *owner, struct text before, size_t word, const struct line_offer *to)
{
    const struct talk *t = owner;
    struct text typed = text_skip(before, word);
    switch (t->asks) {
    case ASKS_ADDRESS:
        offer_addresses(t, to, typed);
        return;
    case ASKS_NOTHING:
        return;
    case ASKS_COMMAND:
    case ASKS_POP:
        break;
    }
    if (text_trim(text_first(before, word)).len)
        offer_after(t, to, before, typed);
    else
        offer_commands(to, typed, t->asks == ASKS_POP ? talk_pop_name : talk_command_name);
}
