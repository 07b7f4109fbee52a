/* test_agent_short.c - every allocation of ours fails in turn: a letter is whole or is none, a file
 * of accounts is read or told of, a trace loses words and never shows a secret.  Calls from inside
 * libraries are not ours, and stay whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../short_countdown.h"
#include "agent/accounts.h"
#include "agent/find.h"
#include "agent/letter.h"
#include "agent/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- Letters --- */

enum { LETTER_OCTETS = 2 * LETTER_MEMORY_MAX + 17, SLICE = 300 * 1024 };

static uint8_t octets_at(size_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

/* False: it was refused, with a reason. */
static bool write_letter(struct letter *l, size_t len)
{
    static uint8_t slice[SLICE];
    struct sink sink = letter_sink(l);
    for (size_t at = 0; at < len; at += SLICE) {
        struct error e = { 0 };
        size_t count = len - at < SLICE ? len - at : SLICE;
        for (size_t i = 0; i < count; i++)
            slice[i] = octets_at(at + i);
        if (sink.write(sink.context, (struct bytes){ slice, count }, &e))
            continue;
        assert_int_equal(e.kind, ERROR_TEMPORARY);
        assert_true(e.words[0] != '\0');
        return false;
    }
    return true;
}

/* How much can be read; all of that is what was written. */
static uint64_t read_letter(struct letter *l)
{
    uint64_t at = 0;
    struct bytes piece;
    while (letter_read(l, at, &piece)) {
        assert_true(piece.len > 0);
        for (size_t i = 0; i < piece.len; i++)
            assert_int_equal(piece.at[i], octets_at((size_t)at + i));
        at += piece.len;
    }
    return at;
}

static void test_letters(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, SLICE, LETTER_MEMORY_MAX, LETTER_OCTETS };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bool all_came = false;
        for (int n = 0; !all_came; n++) {
            struct letter l;
            letter_init(&l);
            fail_after(n);
            bool written = write_letter(&l, sizes[i]);
            uint64_t got = written ? read_letter(&l) : 0;
            all_came = !end_failing();
            /* A reading that found no memory can be tried again. */
            assert_true(got == 0 || got % LETTER_PIECE == 0 || got == sizes[i]);
            if (written)
                assert_int_equal(read_letter(&l), sizes[i]);
            letter_clear(&l);
            assert_true(n < 100);
        }
    }
}

/* --- Accounts --- */

static const char accounts_text[] =
    "account \"a.test\" { smtp = \"smtp.a.test\" tls = verify }\n"
    "account \"bob@a.test\" { pop = \"pop.a.test\" password_file = \"secret\" ca = \"ca.pem\"\n"
    "  password = 'geheim' }\n";

static void write_accounts(char path[64])
{
    strcpy(path, "/tmp/godwit-short-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, accounts_text, sizeof accounts_text - 1),
                     sizeof accounts_text - 1);
    close(file);
}

static void test_accounts(void **state)
{
    (void)state;
    char path[64];
    int refused = 0;
    write_accounts(path);
    for (;;) {
        struct accounts *a = NULL;
        struct failure f = { 0 };
        fail_after(refused);
        bool ok = accounts_load(path, &a, &f);
        bool all_came = !end_failing();
        if (ok && all_came) {
            assert_int_equal(accounts_count(a), 2);
            accounts_free(&a);
            break;
        }
        /* What could not be kept is never left out, and is no mistake of the file. */
        assert_false(ok);
        assert_null(a);
        assert_int_equal(f.kind, FAILURE_LATER);
        assert_non_null(strstr(f.words, "memory"));
        refused++;
    }
    unlink(path);
    assert_in_range(refused, 3, 100);
}

/* --- Servers --- */

/* Lists have room of their own: none of this needs memory. */
static void test_servers(void **state)
{
    (void)state;
    struct servers list = { .count = 0 };
    struct error e;
    static const struct dns_record target = {
        .port = 465, .preference = 1, .weight = 1, .name = "smtp.a.test"
    };
    const struct servers_srv srv = { .service = FIND_SMTP,
                                     .tls_first = true,
                                     .domain = TEXT("a.test") };
    fail_after(0);
    assert_true(servers_add_written(&list, FIND_SMTP, T("b\xC3\xBC.test:25"), &e));
    servers_add_srv(&list, &srv, &target, 1);
    servers_add_usual(&list, FIND_POP, T("a.test"));
    assert_false(end_failing());
    assert_true(list.count > 3);
}

/* --- Traces --- */

static void say_all(FILE *to)
{
    static const char login[] = "USER a@a.test\r\nPASS geheim\r\nAUTH PLAIN AGdlaGVpbQ==\r\n";
    static const char secret[] = "Z2VoZWlt\r\n";
    const struct trace print = { trace_print, to };
    struct trace_session t;
    trace_begin(&t, &print);
    trace_note(&t, "calling %s", "mx.a.test");
    trace_said(&t, TRACE_WORDS, bytes_of_text(text_of(login)));
    trace_drained(&t, sizeof login - 1);
    trace_heard(&t, TRACE_WORDS, bytes_of_text(T("334 VXNlcm5hbWU6\r\n")));
    trace_said(&t, TRACE_SECRET, bytes_of_text(text_of(secret)));
    trace_clear(&t);
}

static void test_traces(void **state)
{
    (void)state;
    bool all_came = false;
    for (int n = 0; !all_came; n++) {
        char seen[4096] = "";
        FILE *to = fmemopen(seen, sizeof seen, "w");
        assert_non_null(to);
        fail_after(n);
        say_all(to);
        all_came = !end_failing();
        fclose(to);
        assert_null(strstr(seen, "geheim"));
        assert_null(strstr(seen, "AGdlaGVpbQ"));
        assert_null(strstr(seen, "Z2VoZWlt"));
        size_t lines = 0;
        for (const char *c = seen; *c; c++)
            lines += *c == '\n';
        assert_int_equal(lines, 6); /* a line that is short of its words is a line all the same */
        assert_true(n < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters),
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_traces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
