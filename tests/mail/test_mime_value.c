/* test_mime_value.c - words and parameters, RFC 2231, and what senders really write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "base/buffer.h"
#include "mail/mime_value.h"

#include <string.h>

/* As text: "word/sub|name=value|name=charset'language'value". */
static void dump(struct buffer *out, const struct mime_value *v)
{
    buffer_text(out, v->word);
    if (v->sub.len) {
        buffer_byte(out, '/');
        buffer_text(out, v->sub);
    }
    for (size_t i = 0; i < v->param_count; i++) {
        const struct mime_param *p = &v->params[i];
        buffer_printf(out, "|%.*s=", TEXT_ARGS(p->name));
        if (p->charset.len || p->language.len)
            buffer_printf(out, "%.*s'%.*s'", TEXT_ARGS(p->charset), TEXT_ARGS(p->language));
        buffer_text(out, p->value);
    }
    assert_true(buffer_byte(out, 0));
}

typedef bool reader(struct arena *, struct text, struct mime_value *);

static void check(reader *read, const char *value, const char *want)
{
    struct arena arena;
    struct text t = text_of(value);
    arena_init(&arena, MIME_VALUE_ROOM(t.len));
    struct mime_value v;
    assert_true(read(&arena, t, &v));
    struct buffer got;
    buffer_init(&got, 1 << 16);
    dump(&got, &v);
    assert_string_equal((const char *)got.at, want);
    buffer_clear(&got);
    arena_reset(&arena);
}

static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *value, *want;
    } cases[] = {
        { "text/plain", "text/plain" },
        { " Text / HTML ;", "Text/HTML" },
        { "(a (b) \\) c) text/plain (d); (e) charset (f) = (g) us-ascii (h)",
          "text/plain|charset=us-ascii" },
        { "text/plain; charset=\"us-ascii\"; format=flowed",
          "text/plain|charset=us-ascii|format=flowed" },
        { "text/plain;\r\n\tcharset=utf-8", "text/plain|charset=utf-8" },
        { "a/b; c=\"d;e=f\\\"g\\\\\"; h=i", "a/b|c=d;e=f\"g\\|h=i" },
        { "a/b; c=\"d\r\n e\"", "a/b|c=d e" },
        { "a/b; c=\"\"", "a/b|c=" },
        { "a/b; C=1; c=2", "a/b|C=1" },
        /* malformed: no type */
        { "", "" },
        { "text", "" },
        { "text/", "" },
        { "/plain", "" },
        { "text; charset=x", "" },
        { "(text/plain", "" },
        /* malformed: read all the same */
        { "text/plain charset=x", "text/plain" },
        { "text/plain;; ;charset=x;", "text/plain|charset=x" },
        { "text/plain; charset; =x; a=b", "text/plain|a=b" },
        { "text/plain; name=my file (1).txt ; a=b", "text/plain|name=my file (1).txt|a=b" },
        { "text/plain; name=a[1]=b; a=b", "text/plain|name=a[1]=b|a=b" },
        { "text/plain; name=\"never closed; a=b", "text/plain|name=never closed; a=b" },
        { "text/plain; name=\"x\" y; a=b", "text/plain|name=x|a=b" },
        { "text/plain; name=\xC3\xA9; a=", "text/plain|name=\xC3\xA9|a=" },
        { "text/plain; name=\"x\\", "text/plain|name=x\\" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(mime_type_read, cases[i].value, cases[i].want);
}

static void test_2231(void **state)
{
    (void)state;
    static const struct {
        const char *value, *want;
    } cases[] = {
        /* RFC 2231 3, 4 and 4.1 */
        { "message/external-body; access-type=URL;\r\n URL*0=\"ftp://\";\r\n"
          " URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\"",
          "message/external-body|access-type=URL|"
          "URL=ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar" },
        { "application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
          "application/x-stuff|title=us-ascii'en-us'This is ***fun***" },
        { "application/x-stuff;\r\n title*0*=us-ascii'en'This%20is%20even%20more%20;\r\n"
          " title*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n title*2=\"isn't it!\"",
          "application/x-stuff|title=us-ascii'en'This is even more ***fun*** isn't it!" },
        /* any order; only what is marked is decoded; the first names the charset */
        { "a/b; c*1=%41; x=y; c*0=d", "a/b|c=d%41|x=y" },
        { "a/b; c*0=d; c*1*=utf-8''%41", "a/b|c=dutf-8''A" },
        { "a/b; c*=''%C3%A9", "a/b|c=\xC3\xA9" },
        /* a gap ends it; without a first piece there is nothing */
        { "a/b; c*0=d; c*2=e", "a/b|c=d" },
        { "a/b; c*1=d; e=f", "a/b|e=f" },
        /* both forms (RFC 6266 4.3 has the same order) */
        { "a/b; c=plain; c*=utf-8''%E2%82%AC", "a/b|c=utf-8''\xE2\x82\xAC" },
        { "a/b; c*0=joined; c=plain", "a/b|c=joined" },
        { "a/b; c*0=one; c*0*=x''two", "a/b|c=x''two" },
        /* malformed */
        { "a/b; c*=no%20quotes%", "a/b|c=no quotes%" },
        { "a/b; c*=x'%zz%4", "a/b|c=x'%zz%4" },
        { "a/b; c*=\"utf-8''%41\\\"\"", "a/b|c=utf-8''A\"" },
        { "a/b; c*x=d; *=e; *0=f", "a/b|c*x=d|*=e|*0=f" },
        { "a/b; c*999=d; c*-1=e; c**=f", "a/b|c*999=d|c*-1=e|c**=f" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(mime_type_read, cases[i].value, cases[i].want);
}

static void test_dispositions(void **state)
{
    (void)state;
    static const struct {
        const char *value, *want;
    } cases[] = {
        { "inline", "inline" },
        { " attachment; filename=genome.jpeg;\r\n modification-date=\"Wed, 12 Feb 1997\"",
          "attachment|filename=genome.jpeg|modification-date=Wed, 12 Feb 1997" },
        { "", "" },
        { "; filename=x", "" },
        { "\"attachment\"; filename=x", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(mime_disposition_read, cases[i].value, cases[i].want);
}

/* Whatever the value, MIME_VALUE_ROOM() is enough, and the limits hold. */
static void test_limits(void **state)
{
    (void)state;
    static const char *const pieces[] = { "; a%d=b",    "; a*%d=b",     "; a*%d*=''b",
                                          "; a%d=\"\"", "; a%d*=x'y'z", ";" };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct buffer value;
        buffer_init(&value, 1 << 16);
        buffer_text(&value, T("a/b"));
        for (int n = 0; n < 1000; n++) {
            assert_true(buffer_printf(&value, pieces[i], n));
        }
        struct arena arena;
        arena_init(&arena, MIME_VALUE_ROOM(value.len));
        struct mime_value v;
        assert_true(mime_type_read(&arena, buffer_as_text(&value), &v));
        assert_in_range(v.param_count, 0, MIME_PARAMS_MAX);
        arena_reset(&arena);
        buffer_clear(&value);
    }
}

static void test_lookup(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct mime_value v;
    assert_true(mime_type_read(&arena, T("Text/Plain; Charset=x"), &v));
    assert_true(mime_is(&v, T("text"), T("plain")));
    assert_true(mime_is(&v, T("TEXT"), T("")));
    assert_false(mime_is(&v, T("text"), T("html")));
    assert_non_null(mime_param(&v, T("charset")));
    assert_null(mime_param(&v, T("chars")));
    assert_true(text_equal(mime_word(T(" (x) attachment (y)")), T("attachment")));
    assert_int_equal(mime_word(T(" (x")).len, 0);
    arena_reset(&arena);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),        cmocka_unit_test(test_2231),
        cmocka_unit_test(test_dispositions), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_lookup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
