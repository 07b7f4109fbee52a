/* sasl_frame.c - how a SASL exchange is framed in lines of text. */
#include "proto/sasl_frame.h"

#include "base/base64.h"

#include <string.h>

/* The offered name that equals `name` without regard to case; empty when there is none. */
static struct text find_offered(struct text offered, struct text name)
{
    struct text each;
    while (text_word(&offered, &each))
        if (text_equal_nocase(each, name))
            return each;
    return T("");
}

static enum sasl_frame_verdict decode(struct sasl_frame *f, struct text words)
{
    buffer_init(&f->words, BASE64_DECODED_MAX(SASL_LINE_MAX));
    if (words.len == 0)
        return SASL_FRAME_OK;
    if (words.len % 4 != 0)
        return SASL_FRAME_MALFORMED;
    /* Reserved once: growth by realloc would leave a copy of the secret behind. */
    uint8_t *to = buffer_reserve(&f->words, BASE64_DECODED_MAX(words.len));
    if (!to)
        return SASL_FRAME_MEMORY;
    if (!base64_decode(words, to, &f->words.len))
        return SASL_FRAME_MALFORMED;
    return SASL_FRAME_OK;
}

static enum sasl_frame_verdict decode_or_wipe(struct sasl_frame *f, struct text words)
{
    enum sasl_frame_verdict verdict = decode(f, words);
    if (verdict != SASL_FRAME_OK)
        sasl_frame_wipe(f);
    return verdict;
}

enum sasl_frame_verdict sasl_frame_begin(struct sasl_frame *f, struct text arguments,
                                         struct text offered, size_t line_octets)
{
    struct text name, initial, extra;
    sasl_frame_wipe(f);
    bool has_name = text_word(&arguments, &name);
    bool has_initial = text_word(&arguments, &initial);
    if (line_octets > SASL_LINE_MAX)
        return SASL_FRAME_TOO_LONG;
    if (!has_name || text_word(&arguments, &extra))
        return SASL_FRAME_SYNTAX;
    struct text mechanism = find_offered(offered, name);
    if (mechanism.len == 0 || mechanism.len > SASL_MECHANISM_MAX)
        return SASL_FRAME_UNKNOWN;
    memcpy(f->mechanism, mechanism.at, mechanism.len);
    f->mechanism_len = mechanism.len;
    f->initial = has_initial;
    return decode_or_wipe(f, text_equal(initial, T("=")) ? T("") : initial);
}

enum sasl_frame_verdict sasl_frame_continue(struct sasl_frame *f, struct text line)
{
    sasl_frame_wipe(f);
    if (line.len > SASL_LINE_MAX - 2)
        return SASL_FRAME_TOO_LONG;
    if (text_equal(line, T("*")))
        return SASL_FRAME_CANCELLED;
    return decode_or_wipe(f, line);
}

void sasl_frame_wipe(struct sasl_frame *f)
{
    buffer_wipe(&f->words);
    *f = (struct sasl_frame){ 0 };
}
