/* options.h - the options of a command as a table, read into the command's own struct.  Pure but
 * for print, which writes to a stream.
 *
 * An option is a row: its names, what its value is called, and where in the struct the value goes.
 * What is taken of the command line: "--name VALUE", "--name=VALUE", "-n VALUE", "-nVALUE", flags
 * with one letter together ("-ab"), and "--", behind which everything is a word.  "-" alone is a
 * word.  Of an option that is given twice the last value counts, except for lists.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/error.h"

#include <stdio.h>

/* What kind of value, and the type of the member that gets it. */
enum option_kind {
    OPTION_FLAG,     /* bool: there is no value */
    OPTION_TEXT,     /* const char *: one of argv, never empty */
    OPTION_ANY_TEXT, /* the same, may be empty */
    OPTION_LIST,     /* struct option_list: may be given many times */
    OPTION_NUMBER,   /* struct option_number: decimal */
    OPTION_DURATION, /* struct option_number: ms, written as in the configuration ("30s") */
    OPTION_CHOICE,   /* unsigned: .value is "none|may|must" and the words count from 1 */
};

/* Values in the order given; argv's. */
struct option_list {
    const char **at;
    size_t count;
};
struct option_number {
    bool given;
    uint64_t value;
};

struct option {
    const char *name; /* "--json"; or "-c" for one that has a letter only */
    char letter;      /* 'j' for "-j" beside the name; 0 for none */
    enum option_kind kind;
    const char *value; /* what the value is called */
    size_t at;         /* offset of the member */
    const char *help;  /* one line */
};

struct option_table {
    const struct option *rows;
    size_t count;
    size_t octets; /* of the struct */
};
/* The initializer of a table over an array of rows. */
#define OPTION_TABLE(array, type)                                                                  \
    {                                                                                              \
        .rows = (array), .count = sizeof(array) / sizeof *(array), .octets = sizeof(type)          \
    }

/* A table and the struct it fills, which is zeroed at first. */
struct option_part {
    const struct option_table *table;
    void *into;
};
enum { OPTION_PARTS_MAX = 2 };

struct options {
    /* Before: */
    struct option_part parts[OPTION_PARTS_MAX];  /* .table NULL: nothing */
    const struct option_table *const *elsewhere; /* what other commands take, for complaints */
    size_t elsewhere_count;
    /* After: */
    char **words; /* argv, with the words moved to its front, in their order */
    size_t word_count;
    bool help; /* --help or -h stood there */
};
/* Reads argv, which begins behind the command's name.  ERROR_USAGE, with the nearest name for one
 * that is not there; ERROR_TEMPORARY when memory is short.  options_clear() in any case. */
bool options_parse(struct options *, int argc, char **argv, struct error *);
/* Gives the lists back. */
void options_clear(struct options *);

/* Which of argv is the first word, for whoever must know it before the table is known: in the light
 * of all tables that may be meant.  argc for none. */
int options_first_word(const struct option_table *const tables[], size_t count, int argc,
                       char **argv);
/* " [-c FILE] [--json]", or " [OPTIONS]" when there are many. */
void options_print_usage(FILE *, const struct options *);
/* A line for each. */
void options_print_help(FILE *, const struct options *);

#endif
