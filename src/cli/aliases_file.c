/* aliases_file.c - the syntax of /etc/aliases: "name: target, target", continuation lines begin
 * with white space, '#' begins a comment, quotes hold what has separators in it.  Pure.
 */
#include "cli/input.h"

struct scan {
    struct text rest; /* what is left of the file */
    unsigned line;
    struct text name; /* of the entry that is open; empty: none */
    void (*each)(void *owner, const struct alias_line *);
    void *owner;
};

static void tell(struct scan *s, struct text target, const char *problem)
{
    struct alias_line line = { s->line, s->name, target, problem };
    s->each(s->owner, &line);
}

/* What cannot be a target here, whatever it says. */
static const char *refused(struct text target)
{
    if (text_starts_nocase(target, T(":include:")))
        return "lists in other files (:include:) are not supported";
    if (text_starts(target, T("|")))
        return "delivery to a command is not supported";
    if (text_starts(target, T("/")))
        return "delivery to a file is not supported";
    if (text_starts(target, T("\\")))
        return "a backslash in front of a name is not supported: an alias that names himself gets "
               "its own mail";
    return target.len ? NULL : "a target is empty";
}

/* Takes one item up to the separator (or the end) off the front; quotes are taken away when they
 * hold the whole item.  A quoted local part ("a b"@example.org) keeps its quotes. */
static const char *take_item(struct text *rest, char separator, struct text *out, bool *found)
{
    bool quoted = false;
    size_t len = 0;
    for (; len < rest->len && (quoted || rest->at[len] != separator); len++) {
        if (rest->at[len] == '"')
            quoted = !quoted;
        else if (quoted && rest->at[len] == '\\' && len + 1 < rest->len)
            len++;
    }
    *found = len < rest->len;
    *out = text_trim(text_first(*rest, len));
    *rest = text_skip(*rest, *found ? len + 1 : len);
    if (quoted)
        return "a quote is not closed";
    if (out->len >= 2 && out->at[0] == '"' && out->at[out->len - 1] == '"')
        *out = text_first(text_skip(*out, 1), out->len - 2);
    return NULL;
}

/* Targets on a line.  A line may end with a comma when the next one goes on. */
static void targets(struct scan *s, struct text rest)
{
    bool more = true;
    while (more && text_trim(rest).len) {
        struct text target;
        const char *problem = take_item(&rest, ',', &target, &more);
        tell(s, target, problem ? problem : refused(target));
    }
}

static void entry(struct scan *s, struct text line)
{
    bool colon;
    const char *problem = take_item(&line, ':', &s->name, &colon);
    if (!problem && !colon)
        problem = "a colon is missing behind the name";
    if (!problem && s->name.len == 0)
        problem = "the name is empty";
    if (!problem) {
        targets(s, line);
        return;
    }
    s->name = T("");
    tell(s, T(""), problem);
}

/* Without its comment: '#' counts at the start and behind white space, outside of quotes. */
static struct text without_comment(struct text line)
{
    bool quoted = false;
    for (size_t i = 0; i < line.len; i++) {
        bool begins = i == 0 || text_is_blank(line.at[i - 1]);
        if (line.at[i] == '"')
            quoted = !quoted;
        if (line.at[i] == '#' && !quoted && begins)
            return text_first(line, i);
    }
    return line;
}

void input_aliases(struct text file, void (*each)(void *owner, const struct alias_line *),
                   void *owner)
{
    struct scan s = { .rest = file, .each = each, .owner = owner };
    while (s.rest.len) {
        struct text line;
        text_cut(&s.rest, '\n', &line);
        s.line++;
        if (line.len && line.at[line.len - 1] == '\r')
            line.len--;
        bool continues = line.len && text_is_blank(line.at[0]);
        line = without_comment(line);
        if (text_trim(line).len == 0)
            continue;
        if (!continues)
            entry(&s, line);
        else if (s.name.len)
            targets(&s, line);
        else
            tell(&s, T(""), "this line continues nothing");
    }
}
