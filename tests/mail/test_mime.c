/* test_mime.c - the tree of parts: where each lies and what it is read as, at any cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../short_memory.h"
#include "base/buffer.h"
#include "mail/mime.h"

#include <stdio.h>
#include <string.h>

/* The tree as text: for each part "depth type/subtype header+body-end,lines". */
static void dump(struct buffer *out, const struct mime_part *root)
{
    for (const struct mime_part *p = root; p; p = mime_next(p))
        assert_true(buffer_printf(out, "%u %.*s/%.*s %llu+%llu-%llu,%llu\n", p->depth,
                                  TEXT_ARGS(p->type.word), TEXT_ARGS(p->type.sub),
                                  (unsigned long long)p->header_at, (unsigned long long)p->body_at,
                                  (unsigned long long)p->end_at, (unsigned long long)p->lines));
}

static struct mime *scan(struct text message, size_t cut, const struct mime_part **root_out)
{
    struct mime *m = mime_new();
    assert_non_null(m);
    mime_feed(m, bytes_of_text(text_first(message, cut)));
    mime_feed(m, bytes_of_text(text_skip(message, cut)));
    *root_out = mime_end(m);
    assert_non_null(*root_out);
    return m;
}

static void check_tree(struct text message, size_t cut, const char *want)
{
    const struct mime_part *root;
    struct mime *m = scan(message, cut, &root);
    struct buffer got;
    buffer_init(&got, 1 << 20);
    dump(&got, root);
    assert_true(buffer_byte(&got, 0));
    assert_string_equal((const char *)got.at, want);
    buffer_clear(&got);
    mime_free(&m);
}

#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
#define OUTER "Content-Type: multipart/mixed; boundary=bb\r\n\r\n"

static void test_trees(void **state)
{
    (void)state;
    static const struct {
        const char *message, *tree;
    } cases[] = {
        /* one part */
        { "", "0 text/plain 0+0-0,0\n" },
        { "\r\n", "0 text/plain 0+2-2,0\n" },
        { "\r\nhello\r\n", "0 text/plain 0+2-9,1\n" },
        { "hello\r\n", "0 text/plain 0+0-7,1\n" },
        { "A: b", "0 text/plain 0+4-4,0\n" },
        { "A: b\r\n\r\nx\r\n\r\ny", "0 text/plain 0+8-14,2\n" },
        { "A: b\n\nx\n", "0 text/plain 0+6-8,1\n" },
        { "A: b\r\nno field\r\nC: d\r\n", "0 text/plain 0+6-22,2\n" },
        { " folded\r\nC: d\r\n\r\n", "0 text/plain 0+0-17,3\n" },
        { "Content-Type: TEXT/Html\r\n\r\n", "0 TEXT/Html 0+27-27,0\n" },
        { "content-type :\r\n text/html\r\n\r\n", "0 text/html 0+30-30,0\n" },
        { "Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n", "0 a/b 0+40-40,0\n" },
        { "Content-Type: text\r\n\r\n", "0 text/plain 0+22-22,0\n" },
        { "Content-Type: multipart/mixed\r\n\r\n", "0 text/plain 0+33-33,0\n" },
        { "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n", "0 text/plain 0+46-46,0\n" },
        /* multiparts; MIXED has 45 octets */
        { MIXED, "0 multipart/mixed 0+45-45,0\n" },
        { MIXED "--b\r\n\r\nx\r\n--b--\r\n", "0 multipart/mixed 0+45-62,4\n"
                                             "1 text/plain 50+52-53,0\n" },
        { MIXED "pre\r\n--b\r\n\r\nx\r\ny\r\n--b--\r\nepi\r\n", "0 multipart/mixed 0+45-75,7\n"
                                                                "1 text/plain 55+57-61,1\n" },
        { MIXED "--b\n\nx\n--b--\n", "0 multipart/mixed 0+45-58,4\n"
                                     "1 text/plain 49+50-51,0\n" },
        /* an empty body, with and without the empty line, and with one line end of its own */
        { MIXED "--b\r\n\r\n--b\r\n--b\r\nA: b\r\n--b\r\n\r\n\r\n--b--",
          "0 multipart/mixed 0+45-82,8\n"
          "1 text/plain 50+52-52,0\n"
          "1 text/plain 57+57-57,0\n"
          "1 text/plain 62+68-68,0\n"
          "1 text/plain 73+75-75,0\n" },
        /* never closed; closed at once; delimiters in the epilogue */
        { MIXED "--b\r\n\r\nx\r\n", "0 multipart/mixed 0+45-55,3\n"
                                    "1 text/plain 50+52-55,1\n" },
        { MIXED "--b--\r\n--b\r\n\r\nx", "0 multipart/mixed 0+45-60,3\n" },
        /* the rest of the line does not count, and it needs no end */
        { MIXED "--b \t\r\n\r\n--bag\r\n\r\n--b-", "0 multipart/mixed 0+45-67,4\n"
                                                   "1 text/plain 52+54-54,0\n"
                                                   "1 text/plain 61+63-63,0\n"
                                                   "1 text/plain 67+67-67,0\n" },
        { MIXED " --b\r\n-b\r\n--B\r\nx--b\r\n--\r\n", "0 multipart/mixed 0+45-70,5\n" },
        /* a delimiter where the header should have ended */
        { "Content-Type: multipart/mixed; boundary=b\r\n--b\r\n\r\nx\r\n--b--\r\n",
          "0 multipart/mixed 0+43-60,4\n"
          "1 text/plain 48+50-51,0\n" },
        /* nested: the outer delimiter ends both; the inner one's epilogue is the inner one's */
        { OUTER "--bb\r\n" MIXED "--b\r\n\r\nx\r\n--bb\r\n\r\ny\r\n--bb--\r\n",
          "0 multipart/mixed 0+46-126,10\n"
          "1 multipart/mixed 52+97-105,2\n"
          "2 text/plain 102+104-105,0\n"
          "1 text/plain 113+115-116,0\n" },
        { OUTER "--bb\r\n" MIXED "--b\r\n\r\nx\r\n--b--\r\nepi\r\n--bb--\r\n",
          "0 multipart/mixed 0+46-127,9\n"
          "1 multipart/mixed 52+97-117,4\n"
          "2 text/plain 102+104-105,0\n" },
        /* the same boundary twice: the inner one has it until it is closed */
        { MIXED "--b\r\n" MIXED "--b\r\n\r\n--b--\r\n--b--\r\n", "0 multipart/mixed 0+45-116,7\n"
                                                                 "1 multipart/mixed 50+95-107,2\n"
                                                                 "2 text/plain 100+102-102,0\n" },
        /* messages in it */
        { "Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx\r\n", "0 message/rfc822 0+32-43,3\n"
                                                                   "1 text/plain 32+40-43,1\n" },
        { "Content-Type: message/rfc822\r\nno field\r\n\r\n", "0 message/rfc822 0+30-42,2\n"
                                                              "1 text/plain 30+30-42,2\n" },
        { "Content-Type: message/rfc822\r\n", "0 message/rfc822 0+30-30,0\n"
                                              "1 text/plain 30+30-30,0\n" },
        { "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n",
          "0 application/octet-stream 0+67-67,0\n" },
        { "Content-Type: message/global\r\n\r\nContent-Type: message/rfc822\r\n\r\n\r\n",
          "0 message/global 0+32-66,3\n"
          "1 message/rfc822 32+64-66,1\n"
          "2 text/plain 64+66-66,0\n" },
        /* a digest's parts are messages where they do not say otherwise */
        { "Content-Type: multipart/digest; boundary=b\r\n\r\n"
          "--b\r\n\r\nA: b\r\n\r\nx\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
          "--b\r\nContent-Type: text\r\n\r\n--b--\r\n",
          "0 multipart/digest 0+46-131,12\n"
          "1 message/rfc822 51+53-62,2\n"
          "2 text/plain 53+61-62,0\n"
          "1 text/plain 69+97-97,0\n"
          "1 text/plain 102+124-124,0\n" },
        /* in a header of a message in it */
        { MIXED "--b\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n--b--\r\n",
          "0 multipart/mixed 0+45-95,5\n"
          "1 message/rfc822 50+82-88,1\n"
          "2 text/plain 82+88-88,0\n" },
        /* a header that ends where what is around it goes on: its line end is within all of that */
        { OUTER "--bb\r\n" MIXED "--b\r\nA: b\r\n\r\n--bb--\r\n", "0 multipart/mixed 0+46-118,7\n"
                                                                  "1 multipart/mixed 52+97-110,3\n"
                                                                  "2 text/plain 102+110-110,0\n" },
        { OUTER "--bb\r\n" MIXED "--b\r\nA: b\r\n--bb--\r\n", "0 multipart/mixed 0+46-116,6\n"
                                                              "1 multipart/mixed 52+97-108,2\n"
                                                              "2 text/plain 102+108-108,0\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text message = text_of(cases[i].message);
        for (size_t cut = 0; cut <= message.len; cut++)
            check_tree(message, cut, cases[i].tree);
    }
}

static void test_fields(void **state)
{
    (void)state;
    const struct mime_part *root;
    struct mime *m = scan(T("Content-ID: <a@b>\r\n"
                            "Content-Description: two\r\n lines\r\n"
                            "Content-MD5: x==\r\n"
                            "Content-Language: de, en\r\n"
                            "Content-Location: http://x/\r\n"
                            "Content-Disposition: attachment; filename=\"a b\"\r\n"
                            "Content-Transfer-Encoding: (here) Base64 (there)\r\n"
                            "Content-Transfer-Encoding: 7bit\r\n"
                            "\r\n"
                            "Content-ID: <no>\r\n"),
                          0, &root);
    assert_true(text_equal(root->id, T("<a@b>")));
    assert_true(text_equal(root->description, T("two lines")));
    assert_true(text_equal(root->md5, T("x==")));
    assert_true(text_equal(root->language, T("de, en")));
    assert_true(text_equal(root->location, T("http://x/")));
    assert_true(text_equal(root->disposition.word, T("attachment")));
    assert_true(text_equal(mime_param(&root->disposition, T("FileName"))->value, T("a b")));
    assert_int_equal(root->encoding, MIME_BASE64);
    assert_true(text_equal(root->encoding_name, T("Base64")));
    assert_int_equal(root->kind, MIME_LEAF);
    mime_free(&m);
}

static void test_encodings(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum mime_encoding encoding;
    } cases[] = {
        { "", MIME_7BIT },
        { "7BIT", MIME_7BIT },
        { "8bit", MIME_8BIT },
        { "Binary", MIME_BINARY },
        { "quoted-printable;", MIME_QUOTED_PRINTABLE },
        { "BASE64", MIME_BASE64 },
        { "uuencode", MIME_OTHER },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char message[80];
        snprintf(message, sizeof message, "Content-Transfer-Encoding: %s\r\n", cases[i].value);
        const struct mime_part *root;
        struct mime *m = scan(text_of(message), 0, &root);
        assert_int_equal(root->encoding, cases[i].encoding);
        mime_free(&m);
    }
}

static size_t count_parts(const struct mime_part *root, uint32_t *depth_out)
{
    size_t count = 0;
    *depth_out = 0;
    for (const struct mime_part *p = root; p; p = mime_next(p), count++)
        if (p->depth > *depth_out)
            *depth_out = p->depth;
    return count;
}

/* The same piece, many times over. */
static const struct mime_part *scan_many(struct mime *m, struct text head, struct text piece,
                                         size_t times)
{
    mime_feed(m, bytes_of_text(head));
    for (size_t i = 0; i < times; i++)
        mime_feed(m, bytes_of_text(piece));
    return mime_end(m);
}

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *head, *piece;
        size_t times, parts;
        uint32_t depth;
    } cases[] = {
        { MIXED, "--b\r\n\r\nx\r\n", 10000, MIME_PARTS_MAX, 1 },
        { "", "Content-Type: message/rfc822\r\n\r\n", 10000, MIME_DEPTH_MAX + 1, MIME_DEPTH_MAX },
        { MIXED, "--b\r\n" MIXED, 10000, MIME_PARTS_MAX, MIME_DEPTH_MAX },
        { MIXED, "--b\r\nContent-Type: message/rfc822\r\n\r\n", 10000, MIME_PARTS_MAX, 2 },
        /* one field of 3 MB; many fields */
        { "Content-Type: text/plain;", " a=\"bbbbbbbbbbbbbbbbbbbbbb\";", 100000, 1, 0 },
        { "", "Content-Type: text/plain; a=b\r\n", 100000, 1, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mime *m = mime_new();
        assert_non_null(m);
        const struct mime_part *root =
            scan_many(m, text_of(cases[i].head), text_of(cases[i].piece), cases[i].times);
        assert_non_null(root);
        uint32_t depth;
        assert_int_equal(count_parts(root, &depth), cases[i].parts);
        assert_int_equal(depth, cases[i].depth);
        assert_int_equal(root->end_at,
                         strlen(cases[i].head) + strlen(cases[i].piece) * cases[i].times);
        mime_free(&m);
    }
}

/* Fields that find no room any more are left out, and the parts are found all the same. */
static void test_memory_limit(void **state)
{
    (void)state;
    static char piece[16000];
    int len = snprintf(piece, sizeof piece, "--b\r\nContent-ID: %0*d\r\n\r\n", 15000, 7);
    struct mime *m = mime_new();
    assert_non_null(m);
    const struct mime_part *root =
        scan_many(m, T(MIXED), (struct text){ piece, (size_t)len }, MIME_PARTS_MAX);
    assert_non_null(root);
    uint32_t depth;
    assert_in_range(count_parts(root, &depth), 250, MIME_PARTS_MAX);
    assert_int_equal(root->first->id.len, 15000);
    mime_free(&m);
}

/* Each allocation fails in turn: no tree, or the right one, and nothing is lost. */
static size_t allocations_left = SIZE_MAX;

static bool fails(void)
{
    return allocations_left == 0 || allocations_left-- == 0;
}

static bool scan_with(size_t allocations)
{
    allocations_left = allocations;
    struct mime *m = mime_new();
    const struct mime_part *root = NULL;
    if (m) {
        mime_feed(m, bytes_of_text(
                         T("Content-Type: multipart/mixed; boundary=b; c*0=d; c*1=e\r\n\r\n"
                           "--b\r\nContent-Description: long\r\nContent-ID: <x>\r\n\r\n"
                           "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n--b--")));
        root = mime_end(m);
    }
    allocations_left = SIZE_MAX;
    uint32_t depth;
    if (root)
        assert_int_equal(count_parts(root, &depth), 4);
    mime_free(&m);
    return root != NULL;
}

static void test_short_memory(void **state)
{
    (void)state;
    size_t allocations = 0;
    while (allocations < 50 && !scan_with(allocations))
        allocations++;
    assert_in_range(allocations, 3, 49);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_encodings),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_memory_limit), cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
