/* test_trace.c - Received, Return-Path and Delivered-To. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/address.h"
#include "mail/header.h"
#include "mail/trace.h"

#include <string.h>

static struct trace_received example(void)
{
    struct trace_received r = {
        .hello = TEXT("client.example"),
        .hostname = TEXT("mx.example.org"),
        .id = TEXT("4Kq1Zr8s"),
        .esmtp = true,
        .only_recipient = TEXT("user@example.org"),
        .wall_ms = 1795246887123,
        .zone_seconds = 3600,
    };
    assert_true(endpoint_parse_address(T("192.0.2.1"), &r.peer));
    return r;
}

static void prints(const struct trace_received *r, const char *want)
{
    struct buffer b;
    buffer_init(&b, 4096);
    assert_true(trace_received(&b, r));
    assert_true(buffer_byte(&b, 0));
    assert_string_equal((const char *)b.at, want);
    buffer_clear(&b);
}

static void test_received(void **state)
{
    (void)state;
    struct trace_received r = example();
    prints(&r, "Received: from client.example ([192.0.2.1])\r\n"
               "\tby mx.example.org with ESMTP id 4Kq1Zr8s\r\n"
               "\tfor <user@example.org>; Sat, 21 Nov 2026 08:41:27 +0100\r\n");
    r.only_recipient.len = 0;
    r.tls = r.authenticated = true;
    r.hostname = T("mx1.mail.example.org");
    prints(&r, "Received: from client.example ([192.0.2.1])\r\n"
               "\tby mx1.mail.example.org with ESMTPSA id 4Kq1Zr8s;\r\n"
               "\tSat, 21 Nov 2026 08:41:27 +0100\r\n");
    r.hostname = T("mx");
    assert_true(endpoint_parse_address(T("2001:db8::1"), &r.peer));
    prints(&r, "Received: from client.example ([IPv6:2001:db8::1])\r\n"
               "\tby mx with ESMTPSA id 4Kq1Zr8s; Sat, 21 Nov 2026 08:41:27 +0100\r\n");
    r.peer.family = NET_NONE;
    prints(&r, "Received: by mx id 4Kq1Zr8s; Sat, 21 Nov 2026 08:41:27 +0100\r\n");
}

static void test_with(void **state)
{
    (void)state;
    static const struct {
        bool esmtp, utf8, tls, authenticated;
        const char *with;
    } cases[] = {
        { false, false, false, false, " with SMTP id " },
        { false, false, true, true, " with SMTP id " },
        { true, false, false, false, " with ESMTP id " },
        { true, false, false, true, " with ESMTPA id " },
        { true, false, true, false, " with ESMTPS id " },
        { true, false, true, true, " with ESMTPSA id " },
        { true, true, false, false, " with UTF8SMTP id " },
        { true, true, false, true, " with UTF8SMTPA id " },
        { true, true, true, false, " with UTF8SMTPS id " },
        { true, true, true, true, " with UTF8SMTPSA id " },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trace_received r = example();
        r.esmtp = cases[i].esmtp;
        r.utf8 = cases[i].utf8;
        r.tls = cases[i].tls;
        r.authenticated = cases[i].authenticated;
        struct buffer b;
        buffer_init(&b, 4096);
        assert_true(trace_received(&b, &r));
        assert_non_null(memmem(b.at, b.len, cases[i].with, strlen(cases[i].with)));
        buffer_clear(&b);
    }
}

static void test_hello(void **state)
{
    (void)state;
    static const struct {
        struct text said;
        const char *shown;
    } cases[] = {
        { TEXT("client.example"), "client.example" },
        { TEXT("My_Host-1"), "My_Host-1" },
        { TEXT("[192.168.56.1]"), "[192.168.56.1]" },
        { TEXT("[IPv6:2001:db8::1]"), "[IPv6:2001:db8::1]" },
        { TEXT(""), "[192.0.2.1]" },
        { TEXT("two words"), "two?words" },
        { TEXT("a)(b"), "a??b" },
        { TEXT("a\r\nBcc: x"), "a??Bcc??x" },
        { TEXT("a\0b"), "a?b" },
        { TEXT("<a@b;c\\d\"e>,f"), "?a?b?c?d?e??f" },
        { TEXT("[a]b]"), "[a?b]" },
        { TEXT("[a"), "?a" },
        { TEXT("[]"), "??" },
        { TEXT("[a)b]"), "[a?b]" },
        { TEXT("\x1b[2J\xff"), "??2J?" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trace_received r = example();
        r.hello = cases[i].said;
        struct buffer b;
        buffer_init(&b, 4096);
        assert_true(trace_received(&b, &r));
        struct text rest = text_skip(buffer_as_text(&b), strlen("Received: from ")), shown;
        assert_true(text_cut(&rest, ' ', &shown));
        assert_true(text_equal(shown, text_of(cases[i].shown)));
        buffer_clear(&b);
    }
}

/* One field, in printable ASCII, with lines as promised; `b` is emptied. */
static void is_one_field(struct buffer *b)
{
    struct text rest = buffer_as_text(b), line;
    struct header_field field;
    assert_true(header_next(&rest, &field));
    assert_true(text_equal(field.name, T("Received")));
    assert_int_equal(rest.len, 0);
    rest = field.whole;
    while (text_cut(&rest, '\n', &line)) {
        assert_true(line.len > 1 && line.len <= 998);
        assert_true(line.at[line.len - 1] == '\r');
        for (size_t i = 0; i + 1 < line.len; i++)
            assert_true((line.at[i] >= ' ' && line.at[i] < 0x7F) || (i == 0 && line.at[i] == '\t'));
    }
    buffer_clear(b);
}

static void test_nothing_breaks_the_field(void **state)
{
    (void)state;
    struct trace_received r = example();
    struct buffer b;
    buffer_init(&b, 4096);
    for (unsigned octet = 0; octet < 256; octet++) {
        char hello[3] = { 'a', (char)octet, 'b' };
        r.hello = (struct text){ hello, 3 };
        assert_true(trace_received(&b, &r));
        is_one_field(&b);
    }
    char longest[5000];
    memset(longest, 'h', sizeof longest);
    r.hello = (struct text){ longest, sizeof longest };
    r.hostname = (struct text){ longest, ADDRESS_DOMAIN_MAX };
    r.only_recipient = (struct text){ longest, ADDRESS_PATH_MAX - 2 };
    assert_true(trace_received(&b, &r));
    assert_true(b.len < 1000);
    is_one_field(&b);
}

static void test_prefix(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 100);
    assert_true(trace_prefix(&b, T("a@b"), T("c@d")));
    assert_true(trace_prefix(&b, T(""), T("c@d")));
    assert_true(text_equal(buffer_as_text(&b), T("Return-Path: <a@b>\r\nDelivered-To: c@d\r\n"
                                                 "Return-Path: <>\r\nDelivered-To: c@d\r\n")));
    buffer_clear(&b);
}

static void test_no_room(void **state)
{
    (void)state;
    struct trace_received r = example();
    struct buffer b;
    for (size_t max = 0; max < 140; max++) {
        buffer_init(&b, max);
        size_t before = buffer_text(&b, T("X: y\r\n")) ? b.len : 0;
        if (!trace_received(&b, &r))
            assert_int_equal(b.len, before);
        before = b.len;
        if (!trace_prefix(&b, T("a@b"), T("c@d")))
            assert_int_equal(b.len, before);
        buffer_clear(&b);
    }
}

static void test_origin(void **state)
{
    (void)state;
    static const struct {
        const char *hello, *peer; /* as trace_received() is given them */
    } rows[] = {
        { "client.example", "192.0.2.1" },
        { "client.example", "2001:db8::1" },
        { "[192.0.2.7]", "192.0.2.1" },
        { "", "192.0.2.1" },
        { "", "2001:db8::1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct trace_received r = example();
        struct trace_origin origin;
        struct buffer b;
        r.hello = text_of(rows[i].hello);
        assert_true(endpoint_parse_address(text_of(rows[i].peer), &r.peer));
        buffer_init(&b, 4096);
        assert_true(buffer_text(&b, T("Delivered-To: x@example.org\r\n")));
        assert_true(trace_received(&b, &r));
        assert_true(buffer_text(&b, T("Received: from other ([192.0.2.9])\r\n\r\nBody\r\n")));
        assert_true(trace_origin(buffer_as_text(&b), &origin));
        assert_true(text_equal(origin.hello, r.hello));
        assert_true(endpoint_equal_address(&origin.peer, &r.peer));
        buffer_clear(&b);
    }
    static const char *const none[] = {
        "",
        "Subject: from a ([192.0.2.1])\r\n\r\n",
        "Received: by mx id 4Kq1Zr8s; Sat, 21 Nov 2026 08:41:27 +0100\r\n",
        "Received: from\r\n",
        "Received: from a\r\n",
        "Received: from a ([192.0.2.1]\r\n",
        "Received: from a ([])\r\n",
        "Received: from a ([x])\r\n",
        "Received: from a (b [192.0.2.1])\r\n",
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct trace_origin origin;
        assert_false(trace_origin(text_of(none[i]), &origin));
        assert_int_equal(origin.hello.len, 0);
        assert_int_equal(origin.peer.family, NET_NONE);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_received),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_with),
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_nothing_breaks_the_field),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
