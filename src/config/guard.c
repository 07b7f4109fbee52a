/* guard.c - lexical soundness of a configuration file, and comments blanked out.
 *
 * It knows strings, comments and braces; names and values are the parser's.
 */
#include "config/guard.h"

#include "base/escape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A section, one within it, and a list. */
enum { DEPTH_MAX = 3, VARIABLE_MAX = 128 };

struct guard {
    char *at;
    size_t left;
    unsigned line;
    unsigned open[DEPTH_MAX]; /* the lines of the braces that are open */
    unsigned depth;
    struct error *error;
};

static bool problem(struct guard *g, const char *words)
{
    return error_set(g->error, ERROR_CONFIG, "%s", words);
}

static char peek(const struct guard *g, size_t ahead)
{
    return ahead < g->left ? g->at[ahead] : 0;
}

static void step(struct guard *g, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (g->at[i] == '\n')
            g->line++;
    g->at += count;
    g->left -= count;
}

/* Overwrites one octet of a comment, keeping line ends. */
static void blank(struct guard *g)
{
    if (*g->at != '\n')
        *g->at = ' ';
    else
        g->line++;
    g->at++;
    g->left--;
}

static void line_comment(struct guard *g)
{
    while (g->left && *g->at != '\n')
        blank(g);
}

static bool block_comment(struct guard *g)
{
    unsigned begun = g->line;
    while (g->left && !(g->at[0] == '*' && peek(g, 1) == '/'))
        blank(g);
    if (g->left == 0) {
        g->line = begun;
        return problem(g, "this comment is never closed: add */");
    }
    blank(g);
    blank(g);
    return true;
}

static bool variable_letter(char c)
{
    return text_is_letter(c) || text_is_digit(c) || c == '_';
}

/* "${NAME}" or "${NAME:-otherwise}", at the dollar sign. */
static bool variable(struct guard *g)
{
    size_t len = 0;
    while (variable_letter(peek(g, 2 + len)))
        len++;
    size_t end = 2 + len;
    bool otherwise = peek(g, end) == ':' && peek(g, end + 1) == '-';
    while (otherwise && peek(g, end) && !text_is_one_of(peek(g, end), "}\"\n"))
        end++;
    if (len == 0 || len >= VARIABLE_MAX || peek(g, end) != '}')
        return problem(g, "a variable is written ${NAME} or ${NAME:-otherwise}; "
                          "for a plain dollar sign use '...' or \\$");
    char name[VARIABLE_MAX];
    memcpy(name, g->at + 2, len);
    name[len] = 0;
    if (!otherwise && !getenv(name))
        return error_set(
            g->error, ERROR_CONFIG,
            "the environment variable %s is not set: set it, or write ${%s:-otherwise}", name,
            name);
    step(g, end + 1);
    return true;
}

/* Values are names, numbers and paths: no control character is ever wanted in one, so the only
 * escapes are those that take away a character's meaning. */
static bool escape(struct guard *g)
{
    if (!text_is_one_of(peek(g, 1), "\"\\$"))
        return problem(g, "in \"...\" only \\\" \\\\ and \\$ may follow a backslash; "
                          "write \\\\ for a backslash");
    step(g, 2);
    return true;
}

static bool string(struct guard *g)
{
    char quote = *g->at;
    step(g, 1);
    while (g->left && *g->at != quote) {
        bool ok = true;
        if (*g->at == '\n')
            return problem(g, "this string is not closed on its line");
        if (quote == '"' && *g->at == '\\')
            ok = escape(g);
        else if (quote == '"' && *g->at == '$' && peek(g, 1) == '{')
            ok = variable(g);
        else
            step(g, *g->at == '\\' && peek(g, 1) && peek(g, 1) != '\n' ? 2 : 1);
        if (!ok)
            return false;
    }
    if (g->left == 0)
        return problem(g, "this string is not closed on its line");
    step(g, 1);
    return true;
}

static bool brace(struct guard *g)
{
    if (*g->at == '}' && g->depth == 0)
        return problem(g, "this } closes nothing");
    if (*g->at == '{' && g->depth == DEPTH_MAX)
        return problem(g, "too many braces within braces");
    if (*g->at == '}')
        g->depth--;
    else
        g->open[g->depth++] = g->line;
    step(g, 1);
    return true;
}

/* A word ends where the library's scanner ends it. */
static bool word(struct guard *g)
{
    size_t len = 0;
    while (len < g->left && !text_is_one_of(g->at[len], " \t\r\n#\"'={}()+,*"))
        len++;
    if (len && g->at[len - 1] == '$' && peek(g, len) == '{')
        return problem(g, "${...} stands in double quotes only");
    if (len == 0)
        return error_set(g->error, ERROR_CONFIG, "unexpected %c: put a value that has it in quotes",
                         *g->at);
    step(g, len);
    return true;
}

static bool token(struct guard *g)
{
    char c = *g->at;
    if (c == '#' || (c == '/' && peek(g, 1) == '/')) {
        line_comment(g);
        return true;
    }
    if (c == '/' && peek(g, 1) == '*')
        return block_comment(g);
    if (c == '"' || c == '\'')
        return string(g);
    if (c == '{' || c == '}')
        return brace(g);
    if (text_is_one_of(c, " \t\r\n=,")) {
        step(g, 1);
        return true;
    }
    return word(g);
}

/* Every octet, strings and comments too: UTF-8 without control characters. */
static bool characters(struct guard *g, const char *text, size_t len)
{
    struct text rest = { text, len };
    if (text_starts(rest, T("\xEF\xBB\xBF")))
        return problem(g, "the file begins with a byte order mark: save it without");
    while (rest.len) {
        char c = rest.at[0];
        size_t octets = utf8_length(rest);
        if (octets == 0)
            return problem(g, "this line is not UTF-8");
        if (octets == 1 && (c < ' ' || c == 0x7F) && !text_is_one_of(c, "\t\r\n"))
            return error_set(g->error, ERROR_CONFIG, "this line has a control character (0x%02X)",
                             (unsigned)c);
        g->line += c == '\n';
        rest = text_skip(rest, octets);
    }
    g->line = 1;
    return true;
}

static bool closed(struct guard *g)
{
    if (g->depth == 0)
        return true;
    g->line = g->open[g->depth - 1];
    return problem(g, "this { is never closed: add }");
}

bool guard_check(char *text, size_t len, unsigned *line_out, struct error *e)
{
    struct guard g = { .at = text, .left = len, .line = 1, .error = e };
    bool ok = characters(&g, text, len);
    while (ok && g.left)
        ok = token(&g);
    ok = ok && closed(&g);
    *line_out = g.line;
    return ok;
}
