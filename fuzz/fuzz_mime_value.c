/* fuzz_mime_value.c - the value of one field as strangers write it: its parameters (RFC 2045,
 * 2231), and its encoded-words (RFC 2047).
 *
 *   - names are tokens, each once, and the values no longer than what they came from;
 *   - plain parameters that are written again are read as they were;
 *   - what is decoded for people is UTF-8.
 */
#include "base/buffer.h"
#include "base/check.h"
#include "base/escape.h"
#include "mail/header.h"
#include "mail/mime_value.h"
#include "mail/word.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 16 };

static void check_params(const struct mime_value *v, size_t len)
{
    size_t octets = 0;
    CHECK(v->param_count <= MIME_PARAMS_MAX);
    CHECK(v->word.len || (v->param_count == 0 && v->sub.len == 0));
    for (size_t i = 0; i < v->param_count; i++) {
        const struct mime_param *p = &v->params[i];
        CHECK(p->name.len > 0);
        CHECK(mime_param(v, p->name) == p);
        octets += p->value.len;
    }
    CHECK(octets <= len);
}

/* Quoted, every octet that may need it with a backslash. */
static void write_again(const struct mime_value *v, struct buffer *out)
{
    buffer_text(out, v->word);
    for (size_t i = 0; i < v->param_count; i++) {
        const struct mime_param *p = &v->params[i];
        buffer_text(out, T("; "));
        buffer_text(out, p->name);
        buffer_text(out, T("=\""));
        for (size_t j = 0; j < p->value.len; j++) {
            if (p->value.at[j] == '"' || p->value.at[j] == '\\')
                buffer_byte(out, '\\');
            buffer_byte(out, (uint8_t)p->value.at[j]);
        }
        buffer_byte(out, '"');
    }
    CHECK(!out->failed);
}

static bool may_be_quoted(const struct mime_value *v)
{
    for (size_t i = 0; i < v->param_count; i++)
        if (memchr(v->params[i].value.at, '\r', v->params[i].value.len) ||
            memchr(v->params[i].value.at, '\n', v->params[i].value.len) ||
            memchr(v->params[i].name.at, '*', v->params[i].name.len))
            return false;
    return true;
}

static void check_again(const struct mime_value *v, size_t len)
{
    struct arena arena;
    struct buffer out;
    struct mime_value again;
    buffer_init(&out, 4 * len + (size_t)MIME_PARAMS_MAX * 8);
    write_again(v, &out);
    arena_init(&arena, MIME_VALUE_ROOM(out.len));
    CHECK(mime_disposition_read(&arena, buffer_as_text(&out), &again));
    CHECK(text_equal(again.word, v->word) && again.param_count == v->param_count);
    for (size_t i = 0; i < v->param_count; i++) {
        CHECK(text_equal(again.params[i].name, v->params[i].name));
        CHECK(text_equal(again.params[i].value, v->params[i].value));
    }
    arena_reset(&arena);
    buffer_clear(&out);
}

static void check_value(struct text value,
                        bool (*read)(struct arena *, struct text, struct mime_value *))
{
    struct arena arena;
    struct mime_value v;
    arena_init(&arena, MIME_VALUE_ROOM(value.len));
    CHECK(read(&arena, value, &v));
    check_params(&v, value.len);
    if (v.word.len && read == mime_disposition_read && may_be_quoted(&v))
        check_again(&v, value.len);
    arena_reset(&arena);
}

static void check_words(struct text value)
{
    struct buffer out;
    char *line = malloc(value.len + 1);
    CHECK(line);
    buffer_init(&out, 16 * value.len + 64);
    struct text unfolded = header_unfold(value, line, value.len);
    CHECK(words_decode(NULL, unfolded, &out));
    CHECK(!utf8_valid(unfolded) || utf8_valid(buffer_as_text(&out)));
    buffer_clear(&out);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX)
        return 0;
    struct text value = { (const char *)data, size };
    check_value(value, mime_type_read);
    check_value(value, mime_disposition_read);
    struct text word = mime_word(value);
    CHECK(word.len == 0 || (word.at >= value.at && word.at + word.len <= value.at + value.len));
    check_words(value);
    return 0;
}
