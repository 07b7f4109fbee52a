/* test_address.c - paths, mailboxes, domains, their canonical form and their keys.
 *
 * Linked with --wrap for the one call that takes memory, so that it can be short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/address.h"

#include <idn2.h>
#include <stdio.h>
#include <string.h>

enum { BOTH = ADDRESS_NULL | ADDRESS_POSTMASTER, U8 = ADDRESS_UTF8 };

static bool same(struct text got, const char *want)
{
    if (text_equal(got, text_of(want)))
        return true;
    print_error("got '%.*s', want '%s'\n", TEXT_ARGS(got), want);
    return false;
}

/* Right paths: how each is written, and its canonical form. */
static const struct {
    const char *path;
    unsigned flags;
    const char *canonical;
} right_paths[] = {
    { "<a@b>", 0, "a@b" },
    { "<User.Name@Example.ORG>", 0, "User.Name@example.org" },
    { "<denis@denis>", 0, "denis@denis" },
    { "<a@example.org.>", 0, "a@example.org" },
    { "<a@_dmarc.my_host.example>", 0, "a@_dmarc.my_host.example" },
    { "<a@1.2.3.4>", 0, "a@1.2.3.4" },
    { "<a@x--y.example>", 0, "a@x--y.example" },
    { "<!#$%&'*+-/=?^_`{|}~@b>", 0, "!#$%&'*+-/=?^_`{|}~@b" },
    { "<user%other@b>", 0, "user%other@b" },
    { "<host!user@b>", 0, "host!user@b" },
    /* the null path and Postmaster */
    { "<>", ADDRESS_NULL, "" },
    { "<Postmaster>", ADDRESS_POSTMASTER, "Postmaster" },
    { "<postMASTER>", ADDRESS_POSTMASTER, "postMASTER" },
    { "<postmaster@b>", ADDRESS_POSTMASTER, "postmaster@b" },
    /* quoting */
    { "<\"a\"@b>", 0, "a@b" },
    { "<\"a.b\"@b>", 0, "a.b@b" },
    { "<\"\\a\\.\\b\"@b>", 0, "a.b@b" },
    { "<\"a b\"@b>", 0, "\"a b\"@b" },
    { "<\"\\ \"@b>", 0, "\" \"@b" },
    { "<\".a\"@b>", 0, "\".a\"@b" },
    { "<\"a..b\"@b>", 0, "\"a..b\"@b" },
    { "<\"a.\"@b>", 0, "\"a.\"@b" },
    { "<\"a@b\"@d>", 0, "\"a@b\"@d" },
    { "<\"a>b\"@d>", 0, "\"a>b\"@d" },
    { "<\"\\\"\\\\\"@b>", 0, "\"\\\"\\\\\"@b" },
    { "<\"\"@b>", 0, "\"\"@b" },
    { "<\";sleep 66;\"@b>", 0, "\";sleep 66;\"@b" },
    /* source routes */
    { "<@a,@b:c@d>", 0, "c@d" },
    { "<@a.example:\"x y\"@d>", 0, "\"x y\"@d" },
    { "<@a.:c@[192.0.2.1]>", 0, "c@[192.0.2.1]" },
    /* literals */
    { "<a@[192.0.2.1]>", 0, "a@[192.0.2.1]" },
    { "<a@[IPv6:2001:DB8::1]>", 0, "a@[IPv6:2001:db8::1]" },
    { "<a@[ipv6:2001:db8:0:0:0:0:0:1]>", 0, "a@[IPv6:2001:db8::1]" },
    { "<a@[IPv6:::ffff:192.0.2.1]>", 0, "a@[192.0.2.1]" },
    /* RFC 6531 */
    { "<j\xc3\xb6rg@b>", U8, "j\xc3\xb6rg@b" },
    { "<\"j\xc3\xb6rg\"@b>", U8, "j\xc3\xb6rg@b" },
    { "<\"j\xc3\xb6rg x\"@b>", U8, "\"j\xc3\xb6rg x\"@b" },
    { "<\xf0\x9f\x93\xa7@b>", U8, "\xf0\x9f\x93\xa7@b" },
    { "<a@B\xc3\xbc"
      "cher.Example>",
      U8, "a@xn--bcher-kva.example" },
    { "<a@b\x75\xcc\x88"
      "cher.example>",
      U8, "a@xn--bcher-kva.example" },
    { "<a@fa\xc3\x9f.example>", U8, "a@xn--fa-hia.example" },
    { "<a@xn--BCHER-kva.example>", 0, "a@xn--bcher-kva.example" },
    { "<a@_x.b\xc3\xbc"
      "cher>",
      U8, "a@_x.xn--bcher-kva" },
    { "<a@\xe4\xbe\x8b\xe3\x80\x82\xe4\xbe\x8b>", U8, "a@xn--fsq.xn--fsq" },
    { "<@b\xc3\xbc:a@b>", U8, "a@b" },
};

static void test_right_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof right_paths / sizeof *right_paths; i++) {
        char written[200];
        int len = snprintf(written, sizeof written, "%s SIZE=1", right_paths[i].path);
        struct text rest = { written, (size_t)len };
        struct address a;
        enum address_verdict verdict = address_take_path(&rest, right_paths[i].flags, &a);
        if (verdict != ADDRESS_OK)
            print_error("%s: %s\n", right_paths[i].path, address_problem(verdict));
        assert_int_equal(verdict, ADDRESS_OK);
        assert_true(same(rest, " SIZE=1"));
        assert_true(same(address_text(&a), right_paths[i].canonical));
        assert_int_equal(a.literal, strchr(right_paths[i].canonical, '[') != NULL);
    }
}

static const struct {
    const char *path;
    unsigned flags;
    enum address_verdict verdict;
} wrong_paths[] = {
    { "", BOTH, ADDRESS_SYNTAX },
    { "<", BOTH, ADDRESS_SYNTAX },
    { "<>", ADDRESS_POSTMASTER, ADDRESS_SYNTAX },
    { "< >", BOTH, ADDRESS_SYNTAX },
    { "a@b", BOTH, ADDRESS_SYNTAX },
    { " <a@b>", BOTH, ADDRESS_SYNTAX },
    { "<a@b", BOTH, ADDRESS_SYNTAX },
    { "<a>", BOTH, ADDRESS_SYNTAX },
    { "<@b>", BOTH, ADDRESS_SYNTAX },
    { "<a@>", BOTH, ADDRESS_SYNTAX },
    { "<a@@b>", BOTH, ADDRESS_SYNTAX },
    { "<a@b@c>", BOTH, ADDRESS_SYNTAX },
    { "<<a@b>>", BOTH, ADDRESS_SYNTAX },
    { "<a @b>", BOTH, ADDRESS_SYNTAX },
    { "<a@b >", BOTH, ADDRESS_SYNTAX },
    { "< a@b>", BOTH, ADDRESS_SYNTAX },
    { "<a@b,c@d>", BOTH, ADDRESS_SYNTAX },
    { "<a b@c>", BOTH, ADDRESS_SYNTAX },
    { "<a(comment)@b>", BOTH, ADDRESS_SYNTAX },
    { "<;sleep 66;>", BOTH, ADDRESS_SYNTAX },
    { "<;sleep 66;@b>", BOTH, ADDRESS_SYNTAX },
    { "<\">", BOTH, ADDRESS_SYNTAX },
    { "<\"\">", BOTH, ADDRESS_SYNTAX },
    /* dots */
    { "<.a@b>", BOTH, ADDRESS_SYNTAX },
    { "<a.@b>", BOTH, ADDRESS_SYNTAX },
    { "<a..b@c>", BOTH, ADDRESS_SYNTAX },
    { "<a@.b>", BOTH, ADDRESS_SYNTAX },
    { "<a@b..c>", BOTH, ADDRESS_SYNTAX },
    { "<a@b..>", BOTH, ADDRESS_SYNTAX },
    { "<a@.>", BOTH, ADDRESS_SYNTAX },
    /* domains */
    { "<a@-b>", BOTH, ADDRESS_SYNTAX },
    { "<a@b->", BOTH, ADDRESS_SYNTAX },
    { "<a@b-.c>", BOTH, ADDRESS_SYNTAX },
    { "<a@b/c>", BOTH, ADDRESS_SYNTAX },
    { "<a@b:25>", BOTH, ADDRESS_SYNTAX },
    /* quoting */
    { "<\"a@b>", BOTH, ADDRESS_SYNTAX },
    { "<\"a\"b@c>", BOTH, ADDRESS_SYNTAX },
    { "<a\"b\"@c>", BOTH, ADDRESS_SYNTAX },
    { "<\"a\\\"@b>", BOTH, ADDRESS_SYNTAX },
    { "<\"a\\", BOTH, ADDRESS_SYNTAX },
    { "<\"a\tb\"@c>", BOTH, ADDRESS_SYNTAX },
    { "<\"a\\\tb\"@c>", BOTH, ADDRESS_SYNTAX },
    { "<\"a\\\nb\"@c>", BOTH, ADDRESS_SYNTAX },
    { "<a\\b@c>", BOTH, ADDRESS_SYNTAX },
    { "<\"postmaster\">", BOTH, ADDRESS_SYNTAX },
    { "<postmaster>", ADDRESS_NULL, ADDRESS_SYNTAX },
    { "<@a:postmaster>", BOTH, ADDRESS_SYNTAX },
    /* controls */
    { "<a\rb@c>", BOTH | U8, ADDRESS_SYNTAX },
    { "<a\nb@c>", BOTH | U8, ADDRESS_SYNTAX },
    { "<a\x7f@c>", BOTH | U8, ADDRESS_SYNTAX },
    { "<a@b\r\n>", BOTH | U8, ADDRESS_SYNTAX },
    { "<\x1b[2J@c>", BOTH | U8, ADDRESS_SYNTAX },
    { "<\xc2\x9b@c>", BOTH | U8, ADDRESS_SYNTAX },
    /* source routes */
    { "<@a>", BOTH, ADDRESS_SYNTAX },
    { "<@a:>", BOTH, ADDRESS_SYNTAX },
    { "<@a,:c@d>", BOTH, ADDRESS_SYNTAX },
    { "<@a,b:c@d>", BOTH, ADDRESS_SYNTAX },
    { "<@a@b:c@d>", BOTH, ADDRESS_SYNTAX },
    { "<@[192.0.2.1]:c@d>", BOTH, ADDRESS_SYNTAX },
    { "<@a:@b:c@d>", BOTH, ADDRESS_SYNTAX },
    /* literals */
    { "<a@[]>", BOTH, ADDRESS_SYNTAX },
    { "<a@[192.0.2.1>", BOTH, ADDRESS_SYNTAX },
    { "<a@[192.0.2.1]x>", BOTH, ADDRESS_SYNTAX },
    { "<a@[192.0.2]>", BOTH, ADDRESS_SYNTAX },
    { "<a@[192.0.2.256]>", BOTH, ADDRESS_SYNTAX },
    { "<a@[[192.0.2.1]]>", BOTH, ADDRESS_SYNTAX },
    { "<a@[IPv6:192.0.2.1]>", BOTH, ADDRESS_SYNTAX },
    { "<a@[2001:db8::1]>", BOTH, ADDRESS_SYNTAX },
    { "<a@[IPv6:2001:db8::1::2]>", BOTH, ADDRESS_SYNTAX },
    { "<a@[IPv6:fe80::1%eth0]>", BOTH, ADDRESS_SYNTAX },
    { "<a@[tag:words]>", BOTH, ADDRESS_SYNTAX },
    { "<[192.0.2.1]>", BOTH, ADDRESS_SYNTAX },
    /* UTF-8: overlong, truncated, surrogate, out of range, stray */
    { "<\xc0\xaf@b>", BOTH | U8, ADDRESS_SYNTAX },
    { "<\xe0\x80\xaf@b>", BOTH | U8, ADDRESS_SYNTAX },
    { "<\xc3@b>", BOTH | U8, ADDRESS_SYNTAX },
    { "<\xe2\x82@b>", BOTH | U8, ADDRESS_SYNTAX },
    { "<\xe2\x82", BOTH | U8, ADDRESS_SYNTAX },
    { "<\xed\xa0\x80@b>", BOTH | U8, ADDRESS_SYNTAX },
    { "<\xf4\x90\x80\x80@b>", BOTH | U8, ADDRESS_SYNTAX },
    { "<\x80@b>", BOTH | U8, ADDRESS_SYNTAX },
    { "<\xff@b>", BOTH | U8, ADDRESS_SYNTAX },
    { "<\"\\\xc3\xb6\"@b>", BOTH | U8, ADDRESS_SYNTAX },
    { "<a@b\xc3>", BOTH | U8, ADDRESS_SYNTAX },
    { "<a@b\xc0\xaf>", BOTH | U8, ADDRESS_SYNTAX },
    /* only with SMTPUTF8 */
    { "<\xc3\xb6@b>", BOTH, ADDRESS_NEEDS_UTF8 },
    { "<\"\xc3\xb6\"@b>", BOTH, ADDRESS_NEEDS_UTF8 },
    { "<a@b\xc3\xbc.example>", BOTH, ADDRESS_NEEDS_UTF8 },
    { "<@\xc3\xbc:a@b>", BOTH, ADDRESS_NEEDS_UTF8 },
    { "<\xff@b>", BOTH, ADDRESS_SYNTAX },
    /* IDNA: a bare combining mark, fullwidth signs that map to others, nothing left, mixed
     * directions, a symbol */
    { "<a@\xcc\x88u.example>", BOTH | U8, ADDRESS_BAD_IDN },
    { "<a@b\xef\xbc\xa0\x63>", BOTH | U8, ADDRESS_BAD_IDN },
    { "<a@b\xef\xbc\x9e>", BOTH | U8, ADDRESS_BAD_IDN },
    { "<a@b.\xc2\xad.c>", BOTH | U8, ADDRESS_BAD_IDN },
    { "<a@\xc2\xad>", BOTH | U8, ADDRESS_BAD_IDN },
    { "<a@\xd7\x90"
      "b\xd7\x90.example>",
      BOTH | U8, ADDRESS_BAD_IDN },
    { "<a@\xe2\x98\x83.example>", BOTH | U8, ADDRESS_BAD_IDN },
};

static void test_wrong_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_paths / sizeof *wrong_paths; i++) {
        struct text path = text_of(wrong_paths[i].path), rest = path;
        struct address a;
        enum address_verdict verdict = address_take_path(&rest, wrong_paths[i].flags, &a);
        if (verdict != wrong_paths[i].verdict)
            print_error("%s: %s\n", wrong_paths[i].path, address_problem(verdict));
        assert_int_equal(verdict, wrong_paths[i].verdict);
        assert_true(rest.at == path.at && rest.len == path.len);
        assert_int_equal(a.len, 0);
    }
    struct address a;
    struct text nul = T("<a\0b@c>"), quoted_nul = T("<\"\0\"@c>"), domain_nul = T("<a@c\0d>");
    assert_int_equal(address_take_path(&nul, BOTH | U8, &a), ADDRESS_SYNTAX);
    assert_int_equal(address_take_path(&quoted_nul, BOTH | U8, &a), ADDRESS_SYNTAX);
    assert_int_equal(address_take_path(&domain_nul, BOTH | U8, &a), ADDRESS_SYNTAX);
}

/* A path made of so many octets: local part, then domain in labels of at most 63. */
static struct text long_path(size_t local, size_t domain, char *out)
{
    size_t len = 0;
    out[len++] = '<';
    memset(out + len, 'l', local);
    len += local;
    out[len++] = '@';
    for (size_t i = 1; i <= domain; i++)
        out[len++] = i % 64 == 0 && i != domain ? '.' : 'd';
    out[len++] = '>';
    return (struct text){ out, len };
}

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        size_t local, domain;
        enum address_verdict verdict;
    } cases[] = {
        { 64, 10, ADDRESS_OK },          { 65, 10, ADDRESS_TOO_LONG },
        { 1, 63, ADDRESS_OK },           { 64, 189, ADDRESS_OK },
        { 64, 190, ADDRESS_TOO_LONG },   { 1, 252, ADDRESS_OK },
        { 1, 253, ADDRESS_TOO_LONG },    { 1, 255, ADDRESS_TOO_LONG },
        { 300, 10, ADDRESS_TOO_LONG },   { 1, 1000, ADDRESS_TOO_LONG },
        { 900, 1000, ADDRESS_TOO_LONG },
    };
    char out[2000];
    struct address a;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text path = long_path(cases[i].local, cases[i].domain, out);
        struct text bare = { path.at + 1, path.len - 2 };
        assert_int_equal(address_parse(bare, 0, &a), cases[i].verdict);
        assert_int_equal(address_take_path(&path, 0, &a), cases[i].verdict);
    }
    struct text label = T("<a@dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd>");
    assert_int_equal(address_take_path(&label, 0, &a), ADDRESS_TOO_LONG);
    struct text no_end = text_first(long_path(64, 189, out), 255);
    assert_int_equal(address_take_path(&no_end, 0, &a), ADDRESS_SYNTAX);
}

/* The local part counts with the quotes that it needs, not with those that it has. */
static void test_limits_of_quoting(void **state)
{
    (void)state;
    static const struct {
        char octet;
        size_t count;
        enum address_verdict verdict;
    } cases[] = {
        { 'a', 64, ADDRESS_OK },       { 'a', 65, ADDRESS_TOO_LONG }, { ' ', 62, ADDRESS_OK },
        { ' ', 63, ADDRESS_TOO_LONG }, { '"', 31, ADDRESS_OK },       { '"', 32, ADDRESS_TOO_LONG },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[300];
        size_t len = 0;
        path[len++] = '<';
        path[len++] = '"';
        for (size_t n = 0; n < cases[i].count; n++) {
            path[len++] = '\\';
            path[len++] = cases[i].octet;
        }
        memcpy(path + len, "\"@d>", 4);
        struct text rest = { path, len + 4 };
        struct address a;
        assert_int_equal(address_take_path(&rest, 0, &a), cases[i].verdict);
    }
}

static void test_bare_mailboxes(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        unsigned flags;
        enum address_verdict verdict;
        const char *canonical;
    } cases[] = {
        { "usr1@gmail.com", 0, ADDRESS_OK, "usr1@gmail.com" },
        { "\"x y\"@B", 0, ADDRESS_OK, "\"x y\"@b" },
        { "a@[192.0.2.1]", 0, ADDRESS_OK, "a@[192.0.2.1]" },
        { "j\xc3\xb6@b\xc3\xbc.x", U8, ADDRESS_OK, "j\xc3\xb6@xn--b-eha.x" },
        { "postmaster", ADDRESS_POSTMASTER, ADDRESS_OK, "postmaster" },
        { "postmaster", 0, ADDRESS_SYNTAX, "" },
        { "", BOTH, ADDRESS_SYNTAX, "" },
        { "<a@b>", BOTH, ADDRESS_SYNTAX, "" },
        { "a@b ", BOTH, ADDRESS_SYNTAX, "" },
        { " a@b", BOTH, ADDRESS_SYNTAX, "" },
        { "a@b\n", BOTH, ADDRESS_SYNTAX, "" },
        { "@x:a@b", BOTH, ADDRESS_SYNTAX, "" },
        { "a", BOTH, ADDRESS_SYNTAX, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address a;
        enum address_verdict verdict = address_parse(text_of(cases[i].words), cases[i].flags, &a);
        assert_int_equal(verdict, cases[i].verdict);
        assert_true(same(address_text(&a), cases[i].canonical));
    }
}

static void test_domains(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        enum address_verdict verdict;
        const char *canonical;
    } cases[] = {
        { "Example.ORG.", ADDRESS_OK, "example.org" },
        { "localhost", ADDRESS_OK, "localhost" },
        { "B\xc3\x9c"
          "CHER.example",
          ADDRESS_OK, "xn--bcher-kva.example" },
        { "", ADDRESS_SYNTAX, "" },
        { ".", ADDRESS_SYNTAX, "" },
        { "a b", ADDRESS_SYNTAX, "" },
        { "[192.0.2.1]", ADDRESS_SYNTAX, "" },
        { "a@b", ADDRESS_SYNTAX, "" },
        { "\xc3", ADDRESS_SYNTAX, "" },
    };
    char out[ADDRESS_DOMAIN_MAX + 1];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(address_parse_domain(text_of(cases[i].words), out), cases[i].verdict);
        if (cases[i].verdict == ADDRESS_OK)
            assert_string_equal(out, cases[i].canonical);
    }
    static const size_t lengths[] = { 255, 256, 5000 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char name[5000];
        for (size_t n = 0; n < lengths[i]; n++)
            name[n] = n % 64 == 63 ? '.' : 'd';
        name[lengths[i] - 1] = 'd';
        assert_int_equal(address_parse_domain((struct text){ name, lengths[i] }, out),
                         lengths[i] <= 255 ? ADDRESS_OK : ADDRESS_TOO_LONG);
    }
}

static void test_parts(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        const char *local, *domain;
        bool literal, utf8, no_domain;
    } cases[] = {
        { "a.b@c.d", "a.b", "c.d", false, false, false },
        { "\"a@b\"@c", "\"a@b\"", "c", false, false, false },
        { "a@[IPv6:::1]", "a", "[IPv6:::1]", true, false, false },
        { "\xc3\xb6@b", "\xc3\xb6", "b", false, true, false },
        { "o@\xc3\xb6", "o", "xn--nda", false, false, false },
        { "postmaster", "postmaster", "", false, false, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address a;
        unsigned flags = ADDRESS_POSTMASTER | U8;
        assert_int_equal(address_parse(text_of(cases[i].words), flags, &a), ADDRESS_OK);
        assert_true(same(address_local(&a), cases[i].local));
        assert_true(same(address_domain(&a), cases[i].domain));
        assert_int_equal(a.literal, cases[i].literal);
        assert_int_equal(a.utf8, cases[i].utf8);
        assert_int_equal(a.no_domain, cases[i].no_domain);
    }
}

static struct address_key key_of(const char *words)
{
    struct address a;
    struct address_key key;
    assert_int_equal(address_parse(text_of(words), ADDRESS_POSTMASTER | U8, &a), ADDRESS_OK);
    address_key(&a, &key);
    return key;
}

static void test_keys(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        const char *key;
        size_t local_len;
    } cases[] = {
        { "Usr1@Gmail.com", "usr1@gmail.com", 4 },
        { "\"A B\"@c", "a b@c", 3 },
        { "\"a@\\\"\\\\b\"@c", "a@\"\\b@c", 5 },
        { "\"\"@c", "@c", 0 },
        { "PostMaster", "postmaster", 10 },
        { "a@[192.0.2.1]", "a@[192.0.2.1]", 1 },
        { "o\xcc\x88@b", "\xc3\xb6@b", 2 },
        { "\xc3\xb6@b", "\xc3\xb6@b", 2 },
        { "\xe2\x84\xaa@b", "k@b", 1 },
        { "\xcd\xbe@b", ";@b", 1 },
        { "H\xcc\xb1@b", "\xe1\xba\x96@b", 3 },
        { "h\xcc\xb1@b", "\xe1\xba\x96@b", 3 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address_key key = key_of(cases[i].words);
        assert_true(same(address_key_text(&key), cases[i].key));
        assert_int_equal(key.local_len, cases[i].local_len);
    }
    struct address null = { .len = 0 };
    struct address_key key;
    address_key(&null, &key);
    assert_int_equal(key.len, 0);
}

/* What grows most in NFC: threefold, and the longest runs of marks. */
static void test_keys_that_grow(void **state)
{
    (void)state;
    static const struct {
        const char *character;
        size_t grown;
    } cases[] = {
        { "\xf0\x9d\x85\xa0", 12 }, { "\xcd\x84", 4 }, { "\xef\xac\xac", 6 },
        { "\xe0\xa5\x98", 6 },      { "\xcc\x80", 2 }, { "\xcc\x95", 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char words[260] = "";
        size_t count = 0, one = strlen(cases[i].character);
        for (; (count + 1) * one <= ADDRESS_LOCAL_MAX; count++)
            strcat(words, cases[i].character);
        strcat(words, "@");
        while (strlen(words) < 254)
            strcat(words, strlen(words) % 50 == 0 ? "d.d" : "d");
        words[254] = 0;
        struct address_key key = key_of(words);
        assert_int_equal(key.local_len, count * cases[i].grown);
    }
}

static void test_plus(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        const char *plain; /* NULL: has no detail */
    } cases[] = {
        { "user+box@d", "user@d" },   { "user+a+b@d", "user@d" }, { "user+@d", "user@d" },
        { "user@d", NULL },           { "+box@d", NULL },         { "\"a b+c\"@d", "a b@d" },
        { "user@[192.0.2.1]", NULL }, { "postmaster", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address_key key = key_of(cases[i].words), plain;
        assert_int_equal(address_key_without_plus(&key, &plain), cases[i].plain != NULL);
        if (!cases[i].plain)
            continue;
        assert_true(same(address_key_text(&plain), cases[i].plain));
        assert_int_equal(plain.local_len, strchr(cases[i].plain, '@') - cases[i].plain);
        assert_true(address_key_without_plus(&key, &key)); /* in place too */
        assert_true(same(address_key_text(&key), cases[i].plain));
    }
}

static bool memory_is_short;

int __real_idn2_lookup_u8(const uint8_t *, uint8_t **, int);
int __wrap_idn2_lookup_u8(const uint8_t *, uint8_t **, int);
int __wrap_idn2_lookup_u8(const uint8_t *name, uint8_t **out, int flags)
{
    return memory_is_short ? IDN2_MALLOC : __real_idn2_lookup_u8(name, out, flags);
}

/* It says nothing about the address, and only where libidn2 is asked. */
static void test_short_memory(void **state)
{
    (void)state;
    struct address a;
    memory_is_short = true;
    assert_int_equal(address_parse(T("a@b\xc3\xbc.example"), U8, &a), ADDRESS_NO_MEMORY);
    assert_int_equal(a.len, 0);
    assert_int_equal(address_parse(T("\xc3\xb6@example"), U8, &a), ADDRESS_OK);
    memory_is_short = false;
    assert_int_equal(address_parse(T("a@b\xc3\xbc.example"), U8, &a), ADDRESS_OK);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_paths),    cmocka_unit_test(test_wrong_paths),
        cmocka_unit_test(test_limits),         cmocka_unit_test(test_limits_of_quoting),
        cmocka_unit_test(test_bare_mailboxes), cmocka_unit_test(test_domains),
        cmocka_unit_test(test_parts),          cmocka_unit_test(test_keys),
        cmocka_unit_test(test_keys_that_grow), cmocka_unit_test(test_plus),
        cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
