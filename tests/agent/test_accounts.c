/* test_accounts.c - the file of accounts: what it may say, who is found in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "agent/accounts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct world {
    char folder[64], file[96];
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    strcpy(w->folder, "/tmp/godwit-accounts-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->file, sizeof w->file, "%s/agent.conf", w->folder);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    unlink(w->file);
    rmdir(w->folder);
    free(w);
    return 0;
}

static bool load(struct world *w, const char *words, struct accounts **out, struct failure *f)
{
    FILE *to = fopen(w->file, "w");
    assert_non_null(to);
    fputs(words, to);
    fclose(to);
    return accounts_load(w->file, out, f);
}

static const char *title_for(const struct accounts *a, const char *written)
{
    struct address address;
    assert_int_equal(address_parse(text_of(written), ADDRESS_UTF8, &address), ADDRESS_OK);
    const struct account *one = accounts_find(a, &address);
    return one ? one->title : "";
}

static void test_finds(void **state)
{
    struct world *w = *state;
    struct accounts *a;
    struct failure f;
    if (!load(w,
              "# mine\n"
              "account \"a.test\" { smtp = \"smtp.a.test\" tls = verify }\n"
              "account \"bob@a.test\" { pop = \"pop3s://127.0.0.1:2995\"\n"
              "  password_file = \"secret\"  ca = \"/etc/ca.pem\"  name = \"Bob, the one\" }\n",
              &a, &f))
        fail_msg("%s", f.words);
    assert_int_equal(accounts_count(a), 2);
    assert_string_equal(title_for(a, "alice@A.Test"), "a.test");
    assert_string_equal(title_for(a, "Bob@a.test"), "bob@a.test");
    assert_string_equal(title_for(a, "bob@b.test"), "");
    const struct account *bob = accounts_at(a, 1);
    char path[128];
    snprintf(path, sizeof path, "%s/secret", w->folder);
    assert_string_equal(bob->password_file, path);
    assert_string_equal(bob->authorities, "/etc/ca.pem");
    assert_string_equal(bob->name, "Bob, the one");
    assert_int_equal(bob->tls, AGENT_TLS_AUTO);
    assert_int_equal(accounts_at(a, 0)->tls, AGENT_TLS_VERIFY);
    assert_null(bob->smtp);
    accounts_free(&a);
    assert_null(a);
}

static void test_refuses(void **state)
{
    static const struct {
        const char *words, *part;
    } cases[] = {
        { "account \"a@b@c\" { }\n", "write an address or a domain" },
        { "account \"a.test\" { tls = maybe }\n", "tls is auto" },
        { "account \"a.test\" {\n imap = \"x\" }\n", ":2: " },
        { "account \"a.test\" { \n", "agent.conf:" },
        { "account \"a.test\" { }\naccount \"a.test\" { }\n", "agent.conf:2" },
        { "accounts \"a.test\" { }\n", ":1: " },
        { "account \"a.test\" { smtp = \"${NO_SUCH_VARIABLE_HERE}\" }\n", "NO_SUCH_VARIABLE" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct accounts *a = NULL;
        struct failure f = { 0 };
        if (load(*state, cases[i].words, &a, &f))
            fail_msg("taken: %s", cases[i].words);
        assert_null(a);
        assert_int_equal(f.kind, FAILURE_CONFIG);
        if (!strstr(f.words, cases[i].part))
            fail_msg("%s: %s", cases[i].words, f.words);
    }
}

static void test_a_password_is_private(void **state)
{
    struct world *w = *state;
    struct accounts *a;
    struct failure f;
    static const char words[] = "account \"a.test\" { password = 'geheim' }\n";
    umask(022);
    assert_false(load(w, words, &a, &f));
    assert_non_null(strstr(f.words, "chmod 600"));
    chmod(w->file, 0600);
    assert_true(accounts_load(w->file, &a, &f));
    assert_string_equal(accounts_at(a, 0)->password, "geheim");
    accounts_free(&a);
}

static void test_missing(void **state)
{
    struct world *w = *state;
    struct accounts *a;
    struct failure f;
    assert_false(accounts_load(w->file, &a, &f)); /* it was named */
    assert_int_equal(f.kind, FAILURE_CONFIG);
    setenv("XDG_CONFIG_HOME", w->folder, 1);
    assert_true(accounts_load(NULL, &a, &f)); /* it was not */
    assert_int_equal(accounts_count(a), 0);
    accounts_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_finds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_password_is_private, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
