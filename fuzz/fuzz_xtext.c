/* fuzz_xtext.c - what decodes has no control character and encodes to a form that decodes to it. */
#include "base/check.h"
#include "base/escape.h"
#include "mail/xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef bool convert(struct buffer *, struct text);

enum { INPUT_MAX = 4096, GROWTH_MAX = 10 };

static void no_controls(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        CHECK((uint8_t)t.at[i] >= ' ' && t.at[i] != 0x7F);
}

static void round_trip(struct text decoded, convert *encode, convert *decode)
{
    struct buffer encoded, again;
    buffer_init(&encoded, GROWTH_MAX * INPUT_MAX + 1);
    buffer_init(&again, GROWTH_MAX * INPUT_MAX);
    CHECK(encode(&encoded, decoded));
    for (size_t i = 0; i < encoded.len; i++)
        CHECK(encoded.at[i] > ' ' && encoded.at[i] < 0x7F && encoded.at[i] != '=');
    CHECK(decode(&again, buffer_as_text(&encoded)));
    CHECK(text_equal(buffer_as_text(&again), decoded));
    buffer_clear(&encoded);
    buffer_clear(&again);
}

static void play(struct text input, convert *encode, convert *decode)
{
    struct buffer decoded;
    buffer_init(&decoded, INPUT_MAX);
    if (decode(&decoded, input)) {
        no_controls(buffer_as_text(&decoded));
        round_trip(buffer_as_text(&decoded), encode, decode);
    } else {
        CHECK(decoded.len == 0);
    }
    buffer_clear(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = { (const char *)data, size };
    if (size > INPUT_MAX)
        return 0;
    play(input, xtext_encode, xtext_decode);
    play(input, unitext_encode, unitext_decode);
    struct buffer decoded;
    buffer_init(&decoded, INPUT_MAX);
    if (unitext_decode(&decoded, input))
        CHECK(utf8_valid(buffer_as_text(&decoded)));
    buffer_clear(&decoded);
    return 0;
}
