/* sasl_talk.c - the client's side of a SASL exchange in lines of text. */
#include "proto/sasl_talk.h"

#include "base/base64.h"
#include "base/check.h"
#include "proto/sasl_frame.h"

void sasl_talk_clear(struct sasl_talk *t, size_t input_max)
{
    buffer_wipe(&t->later);
    buffer_wipe(&t->challenge);
    *t = (struct sasl_talk){ .begun = false };
    buffer_init(&t->later, SASL_LINE_MAX);
    buffer_init(&t->challenge, BASE64_DECODED_MAX(input_max));
}

/* Reserved at once: growing would leave a copy of a secret behind. */
static void put_words(struct buffer *out, struct text front, struct text words)
{
    if (!buffer_reserve(out, front.len + BASE64_ENCODED(words.len) + sizeof "=\r\n"))
        return;
    buffer_text(out, front);
    if (front.len && words.len == 0)
        buffer_text(out, T("=")); /* an initial response of no octets */
    if (!base64_encode(out, bytes_of_text(words)))
        out->failed = true;
    buffer_text(out, T("\r\n"));
}

static void begin(struct sasl_talk *t, const struct sasl_words *w, size_t line_max,
                  struct buffer *out)
{
    char memory[SASL_MECHANISM_MAX + sizeof "AUTH  "];
    struct buffer front = buffer_over(memory, sizeof memory);
    bool fits = sizeof memory + BASE64_ENCODED(w->words.len) + sizeof "\r\n" <= line_max;
    CHECK(w->mechanism.len > 0 && w->mechanism.len <= SASL_MECHANISM_MAX);
    buffer_printf(&front, "AUTH %.*s ", TEXT_ARGS(w->mechanism));
    t->begun = true;
    if (w->has_words && fits) {
        put_words(out, buffer_as_text(&front), w->words);
        return;
    }
    t->waits = w->has_words;
    if (w->has_words &&
        (!buffer_reserve(&t->later, w->words.len + 1) || !buffer_text(&t->later, w->words)))
        out->failed = true;
    buffer_text(out, text_first(buffer_as_text(&front), front.len - 1));
    buffer_text(out, T("\r\n"));
}

void sasl_talk_say(struct sasl_talk *t, const struct sasl_words *w, size_t line_max,
                   struct buffer *out)
{
    buffer_wipe(&t->challenge);
    t->may_end = w->may_end;
    if (t->begun)
        put_words(out, T(""), w->words);
    else
        begin(t, w, line_max, out);
}

enum sasl_heard sasl_talk_hear(struct sasl_talk *t, struct text challenge, struct buffer *out)
{
    challenge = text_trim(challenge);
    if (text_equal(challenge, T("=")))
        challenge = T("");
    if (t->waits && challenge.len == 0) {
        t->waits = false;
        put_words(out, T(""), buffer_as_text(&t->later));
        buffer_wipe(&t->later);
        return SASL_HEARD_GO;
    }
    if (challenge.len == 0)
        return SASL_HEARD;
    uint8_t *to = buffer_reserve(&t->challenge, BASE64_DECODED_MAX(challenge.len));
    if (!to)
        return SASL_HEARD_NO_MEMORY;
    return base64_decode(challenge, to, &t->challenge.len) ? SASL_HEARD : SASL_HEARD_NONSENSE;
}

bool sasl_talk_is_done(const struct sasl_talk *t)
{
    return t->may_end && !t->waits;
}
