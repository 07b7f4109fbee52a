/* settings.c - writes godwit.conf(5): the frame from standard input, and at the line "@SETTINGS@"
 * what the schema says of each section and setting.  Runs while building.
 */
#include "config/config.h"

#include <stdio.h>
#include <string.h>

enum { LINE_MAX_OCTETS = 4096 };

/* Text of a roff line: a dot or quote at its start and every backslash would mean something. */
static void print_text(const char *words)
{
    if (words[0] == '.' || words[0] == '\'')
        fputs("\\&", stdout);
    for (; *words; words++)
        if (*words == '\\')
            fputs("\\e", stdout);
        else if (*words == '-')
            fputs("\\-", stdout);
        else if (*words == '"')
            fputs("\\(dq", stdout);
        else
            putchar(*words);
}

/* What it takes, what it is when not written, and what it means. */
static void print_row(const struct config_row *row)
{
    printf(".TP\n\\fB");
    print_text(row->key);
    printf("\\fR = \\fI");
    print_text(row->type);
    printf("\\fR (by default \\fB");
    print_text(row->standard);
    printf("\\fR)\n");
    print_text(row->meaning);
    putchar('\n');
}

static void print_rows(const char *section)
{
    const struct config_row *row;
    for (size_t i = 0; (row = config_row(i)); i++)
        if (strcmp(row->section, section) == 0)
            print_row(row);
}

static void print_section(const struct config_section *s)
{
    printf(".SS %s%s%s%s { }%s\n", s->parent, s->parent[0] ? " { " : "", s->name,
           s->titled ? " NAME" : "", s->parent[0] ? " }" : "");
    print_text(s->meaning);
    putchar('\n');
    print_rows(s->name);
}

static void print_settings(void)
{
    struct config_section s;
    printf(".SS Outside of all sections\n");
    print_rows("");
    for (size_t i = 0; config_section(i, &s); i++)
        print_section(&s);
}

int main(void)
{
    char line[LINE_MAX_OCTETS];
    while (fgets(line, sizeof line, stdin))
        if (strcmp(line, "@SETTINGS@\n") == 0)
            print_settings();
        else
            fputs(line, stdout);
    return ferror(stdin) || fflush(stdout) != 0;
}
