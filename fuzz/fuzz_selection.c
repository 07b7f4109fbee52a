/* fuzz_selection.c - which mail a person means, and the names of messages: a word is taken or told
 * to be wrong, and what is taken means what it says.
 *
 * Each line of the input is a word.
 */
#include "base/check.h"
#include "queue/select.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_id(struct text word)
{
    message_id id, again;
    char out[MESSAGE_ID_TEXT + 1];
    if (!message_id_parse(word, &id))
        return;
    struct text printed = message_id_print(id, out);
    CHECK(printed.len == MESSAGE_ID_TEXT);
    CHECK(message_id_parse(printed, &again) && again == id);
    CHECK(text_equal_nocase(printed, word));
}

static void check_selector(const struct selector *s)
{
    CHECK(s->kind < SELECT_KINDS);
    CHECK(s->kind != SELECT_MESSAGE || s->message != 0);
    CHECK(s->kind != SELECT_OLDER || s->age_ms >= 0);
    CHECK((s->kind != SELECT_DOMAIN && s->kind != SELECT_TO) || s->text.len > 0);
    CHECK(s->kind != SELECT_ALL || s->text.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = { (const char *)data, size }, word;
    struct selection selection;
    struct queue_item item = { 0 };
    struct error e = { 0 };
    selection_init(&selection);
    bool good = true;
    while (rest.len && good) {
        text_cut(&rest, '\n', &word);
        size_t before = selection.count;
        check_id(word);
        good = selection_add(&selection, word, &e);
        CHECK(good ? selection.count == before + 1 : e.words[0]);
        CHECK(selection.count <= SELECTORS_MAX);
        if (good)
            check_selector(&selection.list[before]);
    }
    (void)selection_takes(&selection, &item, 0);
    selection_clear(&selection);
    return 0;
}
