/* test_html.c - HTML as text that can be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/html.h"

#include <stdlib.h>
#include <string.h>

static void test_pages(void **state)
{
    (void)state;
    static const struct {
        struct text html, want;
    } cases[] = {
        { TEXT(""), TEXT("") },
        { TEXT("<p></p> <div> </div>"), TEXT("") },
        { TEXT("just  text\r\n here"), TEXT("just text here\n") },
        { TEXT("<p>one</p>\n<P CLASS='x'>two<br>three<br/>four"),
          TEXT("one\n\ntwo\nthree\nfour\n") },
        { TEXT("a<b>b</b>c <i>d</i> e"), TEXT("abc d e\n") },
        { TEXT("<h1>T</h1><ul><li>a</li><li>b</li></ul>c"), TEXT("T\n\n* a\n* b\n\nc\n") },
        { TEXT("<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>"),
          TEXT("1 2\n3\n") },
        { TEXT("<pre>a\n  b\n</pre>c"), TEXT("a\n  b\n\nc\n") },
        { TEXT("a<hr>b"), TEXT("a\n----\nb\n") },
        /* what is no text */
        { TEXT("<head><title>t</title><style>p { x: '<p>' }</style></head>a<script>b<c</script>d"),
          TEXT("ad\n") },
        { TEXT("a<!-- <p>no --> b<!-- open"), TEXT("a b\n") },
        { TEXT("<!DOCTYPE html><?xml version='1'?>a"), TEXT("a\n") },
        { TEXT("a<script>b"), TEXT("a\n") },
        /* links and images */
        { TEXT("<a href='https://a.example/?x=1&amp;y=2'>here</a>."),
          TEXT("here <https://a.example/?x=1&y=2>.\n") },
        { TEXT("<a href = \"http://a.example\">http://a.example</a>"), TEXT("http://a.example\n") },
        { TEXT("<a href=mailto:a@b.example>a@b.example</a>"), TEXT("a@b.example\n") },
        { TEXT("<a href='javascript:x()'>a</a><a name=x>b</a>"), TEXT("ab\n") },
        { TEXT("<a href='http://x'>a<a href='http://y'>b"), TEXT("a <http://x>b <http://y>\n") },
        { TEXT("<img src=x alt='a &lt; b'><img src=y>"), TEXT("[a < b]\n") },
        { TEXT("<img alt='a>b'>c"), TEXT("[a>b]c\n") },
        /* entities */
        { TEXT("&lt;&amp;&gt;&quot;&#65;&#x42;&#X43"), TEXT("<&>\"ABC\n") },
        { TEXT("a&nbsp;b &euro; &uuml;"), TEXT("a b \xE2\x82\xAC \xC3\xBC\n") },
        { TEXT("&#0;&#xD800;&#x110000;"), TEXT("\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\n") },
        { TEXT("a & b &; &unknown; &#; &#x;"), TEXT("a & b &; &unknown; &#; &#x;\n") },
        /* malformed */
        { TEXT("a < b"), TEXT("a < b\n") },
        { TEXT("a <b"), TEXT("a\n") },
        { TEXT("<a href=\"http://x>a"), TEXT("a <http://x>\n") },
        { TEXT("</p></ul></pre></a>a"), TEXT("a\n") },
        { TEXT("<"), TEXT("<\n") },
        { TEXT("<p"), TEXT("") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char room[512];
        struct buffer b = buffer_over(room, sizeof room);
        assert_true(html_text(&b, cases[i].html));
        if (b.len != cases[i].want.len || (b.len && memcmp(room, cases[i].want.at, b.len) != 0))
            print_error("%s: %.*s\n", cases[i].html.at, (int)b.len, room);
        assert_int_equal(b.len, cases[i].want.len);
        assert_memory_equal(room, cases[i].want.at, b.len);
    }
}

/* Each of these made a reader start over again and again: with as many octets it would not end
 * within the patience of a test. */
static void test_bombs(void **state)
{
    (void)state;
    static const struct text pieces[] = {
        TEXT("<"),
        TEXT("&"),
        TEXT("<a =\">\""),
        TEXT("<a href='"),
        TEXT("<!--"),
        TEXT("<script>"),
        TEXT("</"),
        TEXT("<a href=http://x>"),
        TEXT("<a =\"><b ='>"),
        TEXT("<pre>\n"),
        TEXT("&#"),
        TEXT("<img alt=&>"),
    };
    enum { SIZE = 1 << 18 };
    char *page = malloc(SIZE);
    assert_non_null(page);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct buffer b;
        for (size_t at = 0; at < SIZE; at++)
            page[at] = pieces[i].at[at % pieces[i].len];
        buffer_init(&b, HTML_ROOM(SIZE));
        assert_true(html_text(&b, (struct text){ page, SIZE }));
        buffer_clear(&b);
    }
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_bombs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
