/* test_binary_body.c - bodies that came as binary: what the spool holds in the end, at all sizes;
 * and each allocation fails once.
 *
 * Linked with --wrap for the calls that take memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../short_memory.h"
#include "serve/binary_body.h"
#include "tests/store/store_world.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 4 * 1024 * 1024, FAILURES_MAX = 500 };

#define X "MIME-Version: 1.0\r\nContent-Type: application/x\r\n"

/* How many allocations still succeed before one fails; negative: all do.  Any thread. */
static atomic_int until_failure = -1;

static bool fails(void)
{
    return atomic_load(&until_failure) >= 0 && atomic_fetch_sub(&until_failure, 1) == 0;
}

struct arrival {
    struct loop *loop;
    struct binary_body *body;
    struct spool *spool;
    enum binary_end how;
};

static void ready(void *owner)
{
    struct arrival *a = owner;
    loop_stop(a->loop);
}

/* As its owners do it: what is left of the body goes within the call. */
static void ended(void *owner, enum binary_end how)
{
    struct arrival *a = owner;
    a->how = how;
    if (how == BINARY_LINES || how == BINARY_KEPT)
        a->spool = binary_body_take(a->body);
    binary_body_free(&a->body);
    loop_stop(a->loop);
}

static bool append(struct arrival *a, struct bytes body, size_t piece)
{
    for (size_t at = 0; at < body.len; at += piece) {
        size_t left = body.len - at;
        struct bytes part = { body.at + at, left < piece ? left : piece };
        switch (binary_body_append(a->body, part)) {
        case SPOOL_OPEN:
            break;
        case SPOOL_WAIT:
            loop_run(a->loop);
            break;
        case SPOOL_FAILED:
            return false;
        }
    }
    return true;
}

/* What becomes of the body; a->spool is to be closed. */
static enum binary_end arrive(struct world *w, struct arrival *a, struct bytes body, bool to_lines)
{
    *a = (struct arrival){ .loop = w->loop, .how = BINARY_FAILED };
    a->body = binary_body_new(&(struct binary_body_options){
        .store = w->store,
        .loop = w->loop,
        .message = store_new_message_id(w->store),
        .to_lines = to_lines,
        .ready = ready,
        .ended = ended,
        .owner = a,
    });
    if (a->body && append(a, body, 50000) && binary_body_end(a->body))
        while (a->body)
            loop_run(w->loop);
    binary_body_free(&a->body);
    return a->how;
}

/* All that the spool holds. */
static struct text read_spool(struct arrival *a, char *to)
{
    size_t len = 0;
    struct bytes piece;
    for (;;) {
        enum spool_state state = spool_read(a->spool, len, &piece);
        assert_int_not_equal(state, SPOOL_FAILED);
        if (state == SPOOL_OPEN && piece.len == 0)
            return (struct text){ to, len };
        if (state == SPOOL_OPEN) {
            assert_true(len + piece.len <= BODY_MAX);
            memcpy(to + len, piece.at, piece.len);
        }
        len += piece.len;
    }
}

static char room[BODY_MAX];

static void test_small(void **state)
{
    static const struct {
        bool to_lines;
        enum binary_end how;
        struct text body, want;
    } cases[] = {
        { true, BINARY_LINES, TEXT(X "Content-Transfer-Encoding: binary\r\n\r\n\0\n"),
          TEXT(X "Content-Transfer-Encoding: base64\r\n\r\nAAo=\r\n") },
        { false, BINARY_KEPT, TEXT(X "Content-Transfer-Encoding: binary\r\n\r\n\0\n"),
          TEXT(X "Content-Transfer-Encoding: binary\r\n\r\n\0\n") },
        { false, BINARY_KEPT, TEXT(X "Content-Transfer-Encoding: binary\r\n\r\na\r\n"),
          TEXT(X "Content-Transfer-Encoding: binary\r\n\r\na\r\n") },
        { true, BINARY_LINES, TEXT("S: x\r\n\r\nno end"), TEXT("S: x\r\n\r\nno end\r\n") },
        { false, BINARY_LINES, TEXT("S: x\r\n\r\nno end"), TEXT("S: x\r\n\r\nno end\r\n") },
        { true, BINARY_LINES, TEXT("S: x\r\n\r\nan end\r\n"), TEXT("S: x\r\n\r\nan end\r\n") },
        { true, BINARY_LINES, TEXT(""), TEXT("") },
        { true, BINARY_NOT_LINES, TEXT("S: x\n\r\n"), TEXT("") },
        { false, BINARY_NOT_LINES, TEXT("S: x\n\r\n"), TEXT("") },
        { true, BINARY_NOT_LINES, TEXT("Content-Transfer-Encoding: odd\r\n\r\n\0"), TEXT("") },
        { false, BINARY_KEPT, TEXT("Content-Transfer-Encoding: odd\r\n\r\n\0"),
          TEXT("Content-Transfer-Encoding: odd\r\n\r\n\0") },
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arrival a;
        struct bytes body = bytes_of_text(cases[i].body);
        assert_int_equal(arrive(w, &a, body, cases[i].to_lines), cases[i].how);
        assert_int_equal(a.spool != NULL, cases[i].how != BINARY_NOT_LINES);
        if (a.spool) {
            struct text got = read_spool(&a, room);
            assert_int_equal(got.len, cases[i].want.len);
            assert_memory_equal(got.at, cases[i].want.at, got.len);
        }
        spool_close(&a.spool);
    }
}

static struct bytes make_large(uint8_t *at, size_t octets)
{
    static const struct text header = TEXT(X "Content-Transfer-Encoding: binary\r\n\r\n");
    memcpy(at, header.at, header.len);
    for (size_t i = header.len; i < octets; i++)
        at[i] = (uint8_t)(i * i >> 7);
    return (struct bytes){ at, octets };
}

/* In memory and in files: both spools, and what is between. */
static void test_sizes(void **state)
{
    static const size_t sizes[] = { 100000, 790000, 1100000, 2500000 };
    static uint8_t body[BODY_MAX];
    struct world *w = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct arrival a;
        struct bytes whole = make_large(body, sizes[i]);
        assert_int_equal(arrive(w, &a, whole, true), BINARY_LINES);
        assert_in_range(spool_octets(a.spool), sizes[i] / 3 * 4, sizes[i] / 2 * 3);
        assert_true(spool_facts(a.spool)->ends_with_crlf);
        assert_false(spool_facts(a.spool)->has_nul);
        assert_int_equal(spool_facts(a.spool)->line_longest, 76);
        spool_close(&a.spool);
        assert_int_equal(arrive(w, &a, whole, false), BINARY_KEPT);
        assert_int_equal(spool_octets(a.spool), sizes[i]);
        spool_close(&a.spool);
    }
}

/* A session that ends meanwhile. */
static void test_gone(void **state)
{
    struct world *w = *state;
    for (int turns = 0; turns < 2; turns++) {
        struct arrival a = { .loop = w->loop };
        a.body = binary_body_new(&(struct binary_body_options){
            w->store, w->loop, store_new_message_id(w->store), true, ready, ended, &a });
        assert_non_null(a.body);
        assert_true(append(&a, make_large((uint8_t *)room, 2000000), 50000));
        if (turns)
            assert_true(binary_body_end(a.body));
        binary_body_free(&a.body);
    }
    assert_int_equal(world_deliver(w, 0x1111, 1, 100), STORE_STORED);
}

/* Each allocation fails once: the body is whole, or it is said to have failed. */
static void test_short_memory(void **state)
{
    static const size_t sizes[] = { 2000, 1300000 };
    struct world *w = *state;
    for (size_t i = 0; i < 2; i++) {
        struct bytes body = make_large((uint8_t *)room, sizes[i]);
        enum binary_end how = BINARY_FAILED;
        for (int n = 0; how == BINARY_FAILED; n++) {
            struct arrival a;
            assert_in_range(n, 0, FAILURES_MAX);
            atomic_store(&until_failure, n);
            how = arrive(w, &a, body, true);
            bool failed = atomic_exchange(&until_failure, -1) < 0;
            assert_true(how == BINARY_LINES || how == BINARY_FAILED);
            if (how == BINARY_LINES)
                assert_true(spool_octets(a.spool) > sizes[i]);
            if (how == BINARY_LINES && failed) /* it was borne */
                how = BINARY_FAILED;
            spool_close(&a.spool);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_small, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_sizes, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_gone, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_short_memory, world_set_up, world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
