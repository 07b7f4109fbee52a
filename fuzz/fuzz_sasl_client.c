/* fuzz_sasl_client.c - what a server may say while we log in with it.
 *
 * The first octet chooses the mechanism; the rest is challenges, one a line.
 *
 *   - an exchange ends after few steps, and says nothing then;
 *   - with SCRAM the password is never said, and no server passes for one that knows it: the input
 *     cannot, since our part of the nonce is new each time;
 *   - PLAIN and LOGIN say what they are to say, whatever is asked.
 */
#include "base/check.h"
#include "run/sasl_client.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 4 };

static const char password[] = "every metre of it";

/* Stands for TLS. */
size_t tls_binding(const struct stream *stream, enum tls_binding kind, uint8_t out[TLS_BINDING_MAX])
{
    (void)stream, (void)kind;
    memset(out, 1, 32);
    return 32;
}

static void check_words(const struct sasl_client *c, bool scram, unsigned step)
{
    struct text words = sasl_client_words(c);
    if (scram) {
        CHECK(!memmem(words.at, words.len, password, sizeof password - 1));
        CHECK(step == 0 ? text_starts(words, T("n,")) || text_starts(words, T("p=")) : true);
        CHECK(!sasl_client_may_end(c));
    } else if (text_equal(sasl_client_mechanism(c), T("PLAIN"))) {
        CHECK(text_equal(words, T("\0bob\0every metre of it")));
    } else {
        CHECK(text_equal(words, step == 1 ? T("bob") : text_of(password)));
    }
}

/* So that a server may ask for much, and no run takes long. */
static bool takes_long(struct text challenge)
{
    struct text part;
    uint64_t count;
    for (bool more = true; more;) {
        more = text_cut(&challenge, ',', &part);
        if (text_starts(part, T("i=")) && text_to_u64(text_skip(part, 2), &count) && count > 5000 &&
            count <= SASL_CLIENT_ITERATIONS_MAX)
            return true;
    }
    return false;
}

static void play(struct sasl_client *c, struct text challenges)
{
    struct text challenge = T("");
    struct error e = { 0 };
    bool scram = text_starts(sasl_client_mechanism(c), T("SCRAM"));
    for (unsigned step = 0; !takes_long(challenge); step++) {
        enum sasl_client_verdict verdict = sasl_client_step(c, challenge, &e);
        CHECK(step < STEPS_MAX);
        if (verdict == SASL_CLIENT_SAYS)
            check_words(c, scram, step);
        else if (verdict == SASL_CLIENT_SILENT)
            CHECK(step == 0);
        else
            CHECK(e.words[0] && sasl_client_words(c).len == 0);
        if (verdict == SASL_CLIENT_DOUBTS || !challenges.len)
            return;
        text_cut(&challenges, '\n', &challenge);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct text mechanisms[] = { TEXT("SCRAM-SHA-256"), TEXT("SCRAM-SHA-256-PLUS"),
                                              TEXT("SCRAM-SHA-1"), TEXT("PLAIN"), TEXT("LOGIN") };
    struct sasl_client *c;
    struct error e;
    if (size == 0)
        return 0;
    struct sasl_client_options options = {
        .offered = mechanisms[data[0] % (sizeof mechanisms / sizeof *mechanisms)],
        .user = T("bob"),
        .password = text_of(password),
        .stream = (const struct stream *)(const void *)mechanisms,
    };
    CHECK(sasl_client_new(&options, &c, &e));
    play(c, (struct text){ (const char *)data + 1, size - 1 });
    sasl_client_free(&c);
    return 0;
}
