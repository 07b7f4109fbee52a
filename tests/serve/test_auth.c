/* test_auth.c - logins: what they find, and what they cost.  The hash counts its iterations, so
 * that "the same work" is a number and no clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/tls.h"
#include "serve/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SET_NOW = 9000, SET_BEFORE = 5000, SET_HIGHER = 12000 };

struct world {
    struct tls_service *tls;
    char folder[64];
    struct settings *settings;
    struct shared *shared;
    struct people *people;
    struct auth *auth;
    struct loop *loop;
    enum auth_verdict verdict;
    mailbox_id mailbox;
};

/* --- The hash: cheap, and it counts --- */

static uint64_t work;

bool __wrap_secret_verifier(struct text, uint32_t, const uint8_t salt[SECRET_SALT],
                            struct verifier *, struct error *);
bool __wrap_secret_verifier(struct text password, uint32_t iterations,
                            const uint8_t salt[SECRET_SALT], struct verifier *out,
                            struct error *error)
{
    (void)error;
    work += iterations;
    memset(out, 0, sizeof *out);
    out->iterations = iterations;
    memcpy(out->salt, salt, SECRET_SALT);
    return secret_mac(salt, SECRET_SALT, password, out->stored_key);
}

/* --- The lane, which may be full --- */

static bool full;

bool __real_lane_submit(struct lane *, struct job *);
bool __wrap_lane_submit(struct lane *, struct job *);
bool __wrap_lane_submit(struct lane *lane, struct job *job)
{
    return !full && __real_lane_submit(lane, job);
}

/* --- A world --- */

static void add_user(const char *folder, const char *name, mailbox_id mailbox, uint32_t iterations)
{
    static const uint8_t salt[SECRET_SALT] = { 1 };
    struct verifier verifier;
    struct directory *directory;
    struct error error;
    struct account account = { text_of(name), mailbox, 1000 };
    assert_true(secret_verifier(T("secret"), iterations, salt, &verifier, &error));
    assert_true(directory_open(folder, true, &directory, &error));
    assert_true(account_add(directory, account.address, &account, &verifier, &error));
    directory_close(&directory);
}

static int set_up(void **state)
{
    static const struct text words =
        TEXT("hostname = \"mx.a.test\"\ndomain \"a.test\" {}\nauth { iterations = 9000 }\n");
    struct world *w = calloc(1, sizeof *w);
    struct config *config;
    struct error error;
    full = false;
    snprintf(w->folder, sizeof w->folder, "/tmp/godwit-auth-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    add_user(w->folder, "now@a.test", 1, SET_NOW);
    add_user(w->folder, "before@a.test", 2, SET_BEFORE);
    add_user(w->folder, "higher@a.test", 3, SET_HIGHER);
    if (!config_read("test.conf", words, &(struct config_notices){ 0 }, &config, &error))
        fail_msg("%s", error.words);
    assert_true(tls_service_new(&w->tls, &error));
    struct settings_source source = { .service = w->tls };
    assert_true(settings_new(config, &source, &w->settings, &error));
    assert_true(shared_new(&w->shared, &error));
    assert_true(people_new(w->folder, w->shared, &w->people, &error));
    assert_true(auth_new(w->people, w->shared, &w->auth, &error));
    assert_true(loop_new(&w->loop, &error));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char command[100];
    auth_free(&w->auth);
    people_free(&w->people);
    loop_free(&w->loop);
    shared_free(&w->shared);
    settings_free(&w->settings);
    tls_service_free(&w->tls);
    snprintf(command, sizeof command, "rm -rf %s", w->folder);
    assert_int_equal(system(command), 0);
    free(w);
    return 0;
}

static void answered(struct login *l)
{
    struct world *w = l->owner;
    w->verdict = l->verdict;
    w->mailbox = l->mailbox;
    login_free(&l);
    loop_stop(w->loop);
}

static struct login_ask ask_of(struct world *w, const char *name, const char *password)
{
    return (struct login_ask){
        .settings = w->settings,
        .home = w->loop,
        .name = text_of(name),
        .password = text_of(password),
        .done = answered,
        .owner = w,
    };
}

/* A login with its work, in iterations. */
static uint64_t log_in(struct world *w, const char *name, const char *password)
{
    struct login_ask ask = ask_of(w, name, password);
    w->verdict = AUTH_TEMPORARY;
    work = 0;
    assert_non_null(auth_login(w->auth, &ask));
    loop_run(w->loop);
    return work;
}

static void test_the_same_work(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *name, *password;
        enum auth_verdict verdict;
        mailbox_id mailbox;
        uint64_t work;
    } cases[] = {
        { "now@a.test", "secret", AUTH_RIGHT, 1, SET_NOW },
        { "NOW@A.test", "secret", AUTH_RIGHT, 1, SET_NOW },
        { "now", "secret", AUTH_RIGHT, 1, SET_NOW },
        { "now@a.test", "wrong", AUTH_WRONG, 0, SET_NOW },
        { "now@a.test", "", AUTH_WRONG, 0, SET_NOW },
        { "before@a.test", "secret", AUTH_RIGHT, 2, SET_NOW },
        { "before@a.test", "wrong", AUTH_WRONG, 0, SET_NOW },
        { "nobody@a.test", "secret", AUTH_WRONG, 0, SET_NOW },
        { "nobody@a.test", "", AUTH_WRONG, 0, SET_NOW },
        { "now+x@a.test", "secret", AUTH_WRONG, 0, SET_NOW },
        { "now@elsewhere.test", "secret", AUTH_WRONG, 0, SET_NOW },
        { "no address", "secret", AUTH_WRONG, 0, SET_NOW },
        { "@", "secret", AUTH_WRONG, 0, SET_NOW },
        { "", "secret", AUTH_WRONG, 0, SET_NOW },
        { "'; DROP TABLE account; --", "secret", AUTH_WRONG, 0, SET_NOW },
        /* What was set when more was asked for cannot cost less than that. */
        { "higher@a.test", "wrong", AUTH_WRONG, 0, SET_HIGHER },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t cost = log_in(w, cases[i].name, cases[i].password);
        if (w->verdict != cases[i].verdict || cost != cases[i].work)
            fail_msg("%s: verdict %d, %llu iterations", cases[i].name, w->verdict,
                     (unsigned long long)cost);
        assert_int_equal(w->verdict == AUTH_RIGHT ? w->mailbox : 0, cases[i].mailbox);
    }
}

/* Only what was right is recognised, and only while the directory stays as it is. */
static void test_polling_clients_are_cheap(void **state)
{
    struct world *w = *state;
    struct login_known known;
    struct login_ask right = ask_of(w, "now@a.test", "secret"), wrong = right, nobody = right;
    wrong.password = T("wrong");
    nobody.name = T("nobody@a.test");
    assert_false(auth_is_known(w->auth, &right, &known));
    log_in(w, "now@a.test", "wrong");
    log_in(w, "nobody@a.test", "secret");
    assert_false(auth_is_known(w->auth, &right, &known));
    log_in(w, "now@a.test", "secret");
    work = 0;
    assert_true(auth_is_known(w->auth, &right, &known));
    assert_int_equal(known.mailbox, 1);
    assert_false(auth_is_known(w->auth, &wrong, &known));
    assert_false(auth_is_known(w->auth, &nobody, &known));
    assert_int_equal(work, 0);
    shared_directory_changed(w->shared);
    assert_false(auth_is_known(w->auth, &right, &known));
}

/* A full lane is no verdict about the password. */
static void test_a_full_lane(void **state)
{
    struct world *w = *state;
    struct login_ask ask = ask_of(w, "now@a.test", "secret");
    full = true;
    assert_null(auth_login(w->auth, &ask));
    assert_null(auth_find(w->auth, &ask));
    full = false;
    log_in(w, "now@a.test", "secret");
    assert_int_equal(w->verdict, AUTH_RIGHT);
}

/* The directory has answered, then the lane of the passwords is full. */
static void fill_up(struct login *l)
{
    full = false;
    answered(l);
}

static void test_a_full_lane_of_passwords(void **state)
{
    struct world *w = *state;
    static const char *const names[] = { "now@a.test", "nobody@a.test" };
    for (size_t i = 0; i < 2; i++) {
        struct login_ask ask = ask_of(w, names[i], "secret");
        ask.done = fill_up;
        w->verdict = AUTH_RIGHT;
        work = 0;
        assert_non_null(auth_login(w->auth, &ask));
        full = true; /* from here on: only the passwords' lane is still asked */
        loop_run(w->loop);
        assert_int_equal(w->verdict, AUTH_TEMPORARY);
        assert_int_equal(work, 0);
    }
}

/* SCRAM: nobody has a salt too, the same one each time, and another than the next nobody. */
static struct verifier found;

static void keep_verifier(struct login *l)
{
    struct world *w = l->owner;
    found = *login_verifier(l);
    login_proved(l); /* as if: of nobody it still is no proof */
    answered(l);
    (void)w;
}

static void find(struct world *w, const char *name)
{
    struct login_ask ask = ask_of(w, name, "");
    ask.done = keep_verifier;
    work = 0;
    assert_non_null(auth_find(w->auth, &ask));
    loop_run(w->loop);
    assert_int_equal(work, 0);
}

static void test_verifiers(void **state)
{
    struct world *w = *state;
    struct verifier first;
    find(w, "now@a.test");
    assert_int_equal(w->verdict, AUTH_RIGHT);
    assert_int_equal(found.iterations, SET_NOW);
    find(w, "nobody@a.test");
    assert_int_equal(w->verdict, AUTH_WRONG);
    assert_int_equal(found.iterations, SET_NOW);
    first = found;
    find(w, "Nobody@A.test");
    assert_memory_equal(found.stored_key, first.stored_key, SECRET_KEY);
    find(w, "nobody@a.test");
    assert_memory_equal(found.salt, first.salt, SECRET_SALT);
    find(w, "somebody@a.test");
    assert_memory_not_equal(found.salt, first.salt, SECRET_SALT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_same_work, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_polling_clients_are_cheap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_lane, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_lane_of_passwords, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verifiers, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
