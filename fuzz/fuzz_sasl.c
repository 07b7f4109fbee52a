/* fuzz_sasl.c - AUTH from the line to the verdict: what a client may say in an exchange.
 *
 * The first octet chooses the mechanism, whether a password is right, and whether there is TLS; the
 * rest is lines, the first of them the arguments of AUTH.
 *
 *   - an exchange ends, and says nothing more then;
 *   - nobody gets through SCRAM who does not know the password: the input cannot, since the
 * server's part of the nonce is new each time;
 *   - what is asked for has a length.
 */
#include "base/check.h"
#include "proto/sasl_frame.h"
#include "run/sasl.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stands for TLS. */
size_t tls_binding(const struct stream *stream, enum tls_binding kind, uint8_t out[TLS_BINDING_MAX])
{
    (void)stream, (void)kind;
    memset(out, 1, 32);
    return 32;
}

static enum sasl_verdict take(struct sasl *s, const struct sasl_frame *frame)
{
    static const struct verifier verifier = { .iterations = 4096, .stored_key = { 1 } };
    enum sasl_verdict verdict = sasl_step(s, sasl_frame_words(frame), frame->initial);
    CHECK(sasl_name(s).len <= 1024);
    if (verdict == SASL_VERIFIER)
        verdict = sasl_give(s, &verifier);
    CHECK(verdict != SASL_RIGHT);
    CHECK(verdict != SASL_VERIFIER);
    return verdict;
}

static void play(struct sasl_service *service, struct text lines, bool tls)
{
    struct sasl_frame frame = { 0 };
    struct text line;
    struct sasl *s = NULL;
    text_cut(&lines, '\n', &line);
    enum sasl_frame_verdict framed =
        sasl_frame_begin(&frame, line, T(SASL_BOUND_MECHANISMS), line.len + 7);
    if (framed == SASL_FRAME_OK)
        s = sasl_new(service, sasl_frame_mechanism(&frame),
                     tls ? (const struct stream *)(const void *)service : NULL);
    while (s && framed == SASL_FRAME_OK && take(s, &frame) == SASL_CHALLENGE && lines.len) {
        text_cut(&lines, '\n', &line);
        framed = sasl_frame_continue(&frame, line);
    }
    sasl_frame_wipe(&frame);
    sasl_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sasl_service *service;
    struct error e;
    if (size < 1)
        return 0;
    CHECK(sasl_service_new(&service, &e));
    play(service, (struct text){ (const char *)data + 1, size - 1 }, data[0] & 1);
    sasl_service_free(&service);
    return 0;
}
