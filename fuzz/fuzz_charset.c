/* fuzz_charset.c - strangers name the character set and give the octets: what comes out is UTF-8,
 * and of bounded size; where all of it is well-formed the same however it was cut (in what is not,
 * glibc goes on elsewhere); and it goes to a terminal's set.
 *
 * The first line of the input is the name, the rest the octets.
 */
#include "base/check.h"
#include "base/escape.h"
#include "run/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void recode(struct recoder *r, struct text t, size_t step, struct buffer *out)
{
    buffer_init(out, 2 * RECODER_ROOM(t.len));
    for (; t.len; t = text_skip(t, step))
        CHECK(recoder_feed(r, text_first(t, step), out));
    CHECK(recoder_end(r, out));
}

static void check_terminal(struct text utf8, struct text charset)
{
    struct buffer b;
    struct recoder *r = recoder_from_utf8(charset);
    if (!r)
        return;
    recode(r, utf8, 1 + utf8.len / 3, &b);
    buffer_clear(&b);
    recoder_free(&r);
}

static bool is_well_formed(struct text decoded)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    for (; decoded.len >= 3; decoded = text_skip(decoded, 1))
        if (text_equal(text_first(decoded, 3), text_of(replacement)))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text octets = { (const char *)data, size }, charset;
    text_cut(&octets, '\n', &charset);
    struct recoder *r = recoder_to_utf8(charset);
    if (!r)
        return 0;
    struct buffer whole, sliced;
    recode(r, octets, octets.len + 1, &whole);
    recode(r, octets, 1 + charset.len % 3, &sliced);
    CHECK(utf8_valid(buffer_as_text(&whole)));
    CHECK(utf8_valid(buffer_as_text(&sliced)));
    if (is_well_formed(buffer_as_text(&whole)) && is_well_formed(buffer_as_text(&sliced)))
        CHECK(text_equal(buffer_as_text(&whole), buffer_as_text(&sliced)));
    check_terminal(buffer_as_text(&whole), T("ISO-8859-1"));
    check_terminal(octets, charset);
    buffer_clear(&whole);
    buffer_clear(&sliced);
    recoder_free(&r);
    return 0;
}
