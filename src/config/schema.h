/* schema.h - every setting there is, one row each: name, reader, place, range, default, meaning.
 *
 * Private to src/config; the outside sees the rows through config_row().
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "config/config.h"

struct draft;
struct setting;

/* Reads one written value (one element, for lists) and stores it at setting->offset of `target`;
 * false: draft_problem() has told why. */
typedef bool value_reader(struct draft *, const struct setting *, struct text, void *target);

struct setting {
    struct config_row row;
    value_reader *read;
    size_t offset; /* of the field in struct config, or in what the section's title makes */
    size_t size;   /* of the field */
    uint64_t min, max;
    bool zero;          /* 0 means none, though it is below min */
    bool list;          /* takes several values */
    const char *choice; /* the words that are valid, separated by spaces, in the enum's order */
};

struct section {
    const char *name;
    const char *parent;      /* "" for the top level */
    struct section_actions { /* titled sections only; all NULL for the others */
        /* A section of this kind begins.  *target_out: where its settings go. */
        bool (*begin)(struct draft *, struct text title, void **target_out);
        bool (*end)(struct draft *, void *target);
    } actions;
    const char *meaning;
};

enum { SETTING_COUNT_MAX = 128, SECTION_COUNT_MAX = 24 };

size_t schema_settings(void);
const struct setting *schema_setting(size_t index);
/* NULL when there is none. */
const struct setting *schema_find(struct text section, struct text key);
size_t schema_index(const struct setting *);

size_t schema_sections(void);
const struct section *schema_section(size_t index);
const struct section *schema_find_section(struct text name);

#endif
