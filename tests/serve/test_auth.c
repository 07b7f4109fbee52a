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
    struct log *log;
    struct loop *loop;
    enum auth_verdict verdict;
    mailbox_id mailbox;
};

/* --- The hash: cheap, and it counts --- */

static _Atomic uint64_t work;
static const uint8_t first_salt[SECRET_SALT] = { 1 };

/* Whose user sets his password while a new verifier of it is computed. */
static struct world *meanwhile;
static void set_password(const char *folder, const char *name, const char *password);

bool __wrap_secret_verifier(struct text, uint32_t, const uint8_t salt[SECRET_SALT],
                            struct verifier *, struct error *);
bool __wrap_secret_verifier(struct text password, uint32_t iterations,
                            const uint8_t salt[SECRET_SALT], struct verifier *out,
                            struct error *error)
{
    struct world *w = meanwhile;
    (void)error;
    work += iterations;
    memset(out, 0, sizeof *out);
    out->iterations = iterations;
    memcpy(out->salt, salt, SECRET_SALT);
    if (w && memcmp(salt, first_salt, SECRET_SALT) != 0) {
        meanwhile = NULL;
        set_password(w->folder, "before@a.test", "another");
    }
    return secret_mac(salt, SECRET_SALT, password, out->stored_key);
}

/* --- The lane, which may be full --- */

static bool full, without_rehash; /* which is what nobody waits for */

bool __real_lane_submit(struct lane *, struct job *);
bool __wrap_lane_submit(struct lane *, struct job *);
bool __wrap_lane_submit(struct lane *lane, struct job *job)
{
    bool in_vain = full || (without_rehash && !job->home);
    return !in_vain && __real_lane_submit(lane, job);
}

/* --- A world --- */

static void add_user(const char *folder, const char *name, mailbox_id mailbox, uint32_t iterations)
{
    struct verifier verifier;
    struct directory *directory;
    struct error error;
    struct account account = { text_of(name), mailbox, 1000 };
    assert_true(secret_verifier(T("secret"), iterations, first_salt, &verifier, &error));
    assert_true(directory_open(folder, true, &directory, &error));
    assert_true(account_add(directory, account.address, &account, &verifier, &error));
    directory_close(&directory);
}

static void set_password(const char *folder, const char *name, const char *password)
{
    static const uint8_t salt[SECRET_SALT] = { 2 };
    struct verifier verifier;
    struct directory *directory;
    struct error error;
    assert_true(secret_verifier(text_of(password), SET_BEFORE, salt, &verifier, &error));
    assert_true(directory_open(folder, false, &directory, &error));
    assert_true(account_set_verifier(directory, text_of(name), &verifier, &error));
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
    without_rehash = true;
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
    assert_true(log_new(&(struct log_options){ .file = "/dev/null", .rings = 1 }, &w->log, &error));
    struct auth_options options = { w->people, w->shared, w->log };
    assert_true(auth_new(&options, &w->auth, &error));
    assert_true(loop_new(&w->loop, &error));
    *state = w;
    return 0;
}

/* Everything that was begun is done; nobody is served any more. */
static void end_lanes(struct world *w)
{
    auth_stop(w->auth);
    people_free(&w->people);
    auth_free(&w->auth);
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char command[100];
    end_lanes(w);
    loop_free(&w->loop);
    log_free(&w->log);
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

/* --- A verifier that falls short of the configuration --- */

static void test_what_is_due(void **state)
{
    (void)state;
    static const struct {
        uint32_t iterations, sha1_iterations;
        struct rehash_wish wish;
        bool due;
    } cases[] = {
        { 5000, 0, { 5000, false }, false },   { 5000, 0, { 5001, false }, true },
        { 5000, 0, { 4999, false }, false },   { 5000, 0, { 4999, true }, true },
        { 5000, 5000, { 5000, true }, false }, { 5000, 5000, { 4999, true }, false },
        { 5000, 5000, { 5001, true }, true },  { 5000, 4096, { 5000, true }, true },
        { 5000, 5000, { 5000, false }, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct verifier v = { .iterations = cases[i].iterations,
                              .sha1_iterations = cases[i].sha1_iterations };
        if (rehash_is_due(&v, &cases[i].wish) != cases[i].due)
            fail_msg("row %zu", i);
    }
}

/* What is kept of a user once everything that was begun is done; the world serves nobody more. */
static struct verifier kept_of(struct world *w, const char *name)
{
    struct verifier verifier;
    struct directory *directory;
    struct error error;
    mailbox_id mailbox;
    bool there;
    end_lanes(w);
    assert_true(directory_open(w->folder, false, &directory, &error));
    assert_true(account_verifier(directory, text_of(name), &verifier, &mailbox, &there, &error));
    assert_true(there);
    directory_close(&directory);
    return verifier;
}

static void check_kept(struct world *w, const char *name, const char *password, uint32_t iterations)
{
    struct verifier now = kept_of(w, name), wanted;
    assert_true(secret_verifier(text_of(password), iterations, now.salt, &wanted, NULL));
    assert_int_equal(now.iterations, iterations);
    assert_memory_equal(now.stored_key, wanted.stored_key, SECRET_KEY);
}

static void test_hashed_anew(void **state)
{
    struct world *w = *state;
    struct login_known known;
    struct login_ask ask = ask_of(w, "before@a.test", "secret");
    uint64_t generation = shared_generation(w->shared);
    without_rehash = false;
    log_in(w, "before@a.test", "secret");
    assert_int_equal(w->verdict, AUTH_RIGHT);
    assert_true(auth_is_known(w->auth, &ask, &known));
    assert_int_equal(shared_generation(w->shared), generation);
    check_kept(w, "before@a.test", "secret", SET_NOW);
}

/* Only a password that is right, and that fits a verifier with less work, makes a new one. */
static void test_left_alone(void **state)
{
    static const struct {
        const char *name, *password;
        uint32_t iterations;
    } cases[] = {
        { "before@a.test", "wrong", SET_BEFORE },
        { "now@a.test", "secret", SET_NOW },
        { "higher@a.test", "secret", SET_HIGHER },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *one;
        set_up(&one);
        without_rehash = false;
        log_in(one, cases[i].name, cases[i].password);
        check_kept(one, cases[i].name, "secret", cases[i].iterations);
        assert_memory_equal(kept_of(one, cases[i].name).salt, first_salt, SECRET_SALT);
        tear_down(&one);
    }
}

static void test_a_password_that_is_set_stands(void **state)
{
    struct world *w = *state;
    without_rehash = false;
    meanwhile = w;
    log_in(w, "before@a.test", "secret");
    assert_int_equal(w->verdict, AUTH_RIGHT);
    check_kept(w, "before@a.test", "another", SET_BEFORE);
    assert_null(meanwhile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_same_work, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_polling_clients_are_cheap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_lane, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_lane_of_passwords, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verifiers, set_up, tear_down),
        cmocka_unit_test(test_what_is_due),
        cmocka_unit_test_setup_teardown(test_hashed_anew, set_up, tear_down),
        cmocka_unit_test(test_left_alone),
        cmocka_unit_test_setup_teardown(test_a_password_that_is_set_stands, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
