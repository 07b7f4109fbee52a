/* test_office.c - what the queue is told of a server: who receives mail, from the cache and from
 * the directory, and that a server waits for what it was asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "queue/dispatch.h"
#include "serve/office.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world {
    char folder[64];
    struct server server;
    struct server_loop loop;
    struct office office;
    bool turning;
    unsigned answers;
    enum office_verdict verdict;
    char words[200]; /* what the answer named */
};

static unsigned pokes;

void __wrap_dispatch_poke(struct dispatch *);
void __wrap_dispatch_poke(struct dispatch *d)
{
    assert_null(d);
    pokes++;
}

static void add_person(const char *folder, const char *name, const char *target)
{
    struct verifier verifier = { .iterations = 1 };
    struct directory *directory;
    struct address address;
    struct address_key key;
    struct error error;
    struct text targets = text_of(target);
    assert_true(directory_open(folder, true, &directory, &error));
    assert_int_equal(address_parse(text_of(name), ADDRESS_UTF8, &address), ADDRESS_OK);
    address_key(&address, &key);
    struct account account = { address_text(&address), 7, 1000 };
    if (target)
        assert_true(alias_add(directory, address_key_text(&key), address_text(&address), &targets,
                              1, &error));
    else
        assert_true(account_add(directory, address_key_text(&key), &account, &verifier, &error));
    directory_close(&directory);
}

static int set_up(void **state)
{
    static const char form[] = "hostname = \"mx.a.test\"\ndata = \"%s\"\ndomain \"a.test\" {}\n"
                               "domain \"empty.test\" {}\n";
    char words[sizeof form + sizeof(((struct world *)0)->folder)];
    struct world *w = calloc(1, sizeof *w);
    struct config_notices notices = { 0 };
    struct log_options log = { .rings = 1 };
    struct config *config;
    struct error error;
    pokes = 0;
    snprintf(w->folder, sizeof w->folder, "/tmp/godwit-office-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    add_person(w->folder, "Alice@a.test", NULL);
    add_person(w->folder, "team@a.test", "alice@a.test");
    add_person(w->folder, "away@a.test", "X@c.test");
    add_person(w->folder, "away@a.test", "team@a.test");
    snprintf(words, sizeof words, form, w->folder);
    if (!config_read("test.conf", text_of(words), &notices, &config, &error))
        fail_msg("%s", error.words);
    struct server *s = &w->server;
    assert_true(tls_service_new(&s->tls, &error));
    struct settings_source source = { .service = s->tls };
    assert_true(settings_new(config, &source, &s->settings, &error));
    assert_true(shared_new(&s->shared, &error));
    assert_true(log_new(&log, &s->log, &error));
    assert_true(people_new(w->folder, s->shared, &s->people, &error));
    w->loop = (struct server_loop){ .server = s, .settings = s->settings };
    list_init(&w->loop.conns);
    w->loop.cache = address_cache_new(s->shared);
    assert_true(loop_new(&w->loop.loop, &error));
    s->loops = &w->loop;
    s->loop_count = 1;
    office_fill(s, &w->office);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    struct server *s = &w->server;
    char command[100];
    people_free(&s->people);
    address_cache_free(&w->loop.cache);
    loop_free(&w->loop.loop);
    log_free(&s->log);
    shared_free(&s->shared);
    settings_free(&s->settings);
    tls_service_free(&s->tls);
    snprintf(command, sizeof command, "rm -rf %s", w->folder);
    assert_int_equal(system(command), 0);
    free(w);
    return 0;
}

static void found(void *asker, const struct office_answer *answer)
{
    struct world *w = asker;
    struct buffer names;
    buffer_init(&names, sizeof w->words - 1);
    w->answers++;
    w->verdict = answer->verdict;
    for (size_t i = 0; i < answer->mailbox_count; i++) {
        const struct office_mailbox *m = &answer->mailboxes[i];
        buffer_printf(&names, "%llu %.*s %.*s;", (unsigned long long)m->mailbox,
                      TEXT_ARGS(m->account), TEXT_ARGS(m->delivered_to));
    }
    for (size_t i = 0; i < answer->remote_count; i++)
        buffer_printf(&names, "%.*s;", TEXT_ARGS(answer->remotes[i]));
    assert_false(names.failed);
    snprintf(w->words, sizeof w->words, "%.*s", TEXT_ARGS(buffer_as_text(&names)));
    buffer_clear(&names);
    if (w->turning)
        loop_stop(w->loop.loop);
}

static void turn(struct world *w)
{
    w->turning = true;
    loop_run(w->loop.loop);
    w->turning = false;
}

static void ask(struct world *w, const char *name)
{
    struct address address;
    assert_int_equal(address_parse(text_of(name), ADDRESS_UTF8 | ADDRESS_POSTMASTER, &address),
                     ADDRESS_OK);
    w->answers = 0;
    w->office.resolve(w->office.server, 0, &address, found, w);
    if (w->answers == 0) {
        assert_int_equal(w->loop.operations, 1);
        turn(w);
    }
    assert_int_equal(w->answers, 1);
    assert_int_equal(w->loop.operations, 0);
}

static void test_verdicts(void **state)
{
    static const struct {
        const char *address;
        enum office_verdict verdict;
        const char *words;
    } rows[] = {
        { "alice@a.test", OFFICE_FOUND, "7 Alice@a.test alice@a.test;" },
        { "ALICE+x@a.test", OFFICE_FOUND, "7 Alice@a.test ALICE+x@a.test;" },
        { "team@a.test", OFFICE_FOUND, "7 Alice@a.test Alice@a.test;" },
        { "away@a.test", OFFICE_FOUND, "7 Alice@a.test Alice@a.test;X@c.test;" },
        { "Postmaster", OFFICE_FOUND, "7 Alice@a.test Alice@a.test;" },
        { "postmaster@empty.test", OFFICE_NOBODY, "" },
        { "carol@a.test", OFFICE_UNKNOWN, "" },
        { "carol@c.test", OFFICE_FOREIGN, "" },
        { "carol@[192.0.2.1]", OFFICE_FOREIGN, "" },
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ask(w, rows[i].address);
        assert_int_equal(w->verdict, rows[i].verdict);
        assert_string_equal(w->words, rows[i].words);
    }
}

/* The inbox for tests: a report stays here too, whoever it is for. */
static void test_everybody_elsewhere(void **state)
{
    struct world *w = *state;
    w->server.settings->config->catch_all = T("team@a.test");
    ask(w, "carol@c.test");
    assert_int_equal(w->verdict, OFFICE_FOUND);
    assert_string_equal(w->words, "7 Alice@a.test Alice@a.test;");
}

/* What was found once is answered at once, and by a changed directory no more. */
static void test_remembers(void **state)
{
    struct world *w = *state;
    struct address alice;
    ask(w, "alice@a.test");
    assert_int_equal(address_parse(T("alice@a.test"), 0, &alice), ADDRESS_OK);
    w->answers = 0;
    w->office.resolve(w->office.server, 0, &alice, found, w);
    assert_int_equal(w->answers, 1);
    assert_string_equal(w->words, "7 Alice@a.test alice@a.test;");
    shared_directory_changed(w->server.shared);
    w->answers = 0;
    w->office.resolve(w->office.server, 0, &alice, found, w);
    assert_int_equal(w->answers, 0);
    turn(w);
    assert_int_equal(w->answers, 1);
}

static void test_the_rest(void **state)
{
    struct world *w = *state;
    assert_ptr_equal(w->office.config(w->office.server, 0), w->server.settings->config);
    assert_ptr_equal(w->office.loops[0], w->loop.loop);
    assert_int_equal(w->office.loop_count, 1);
    w->office.hold(w->office.server, 0);
    assert_int_equal(w->loop.operations, 1);
    w->office.release(w->office.server, 0);
    assert_int_equal(w->loop.operations, 0);
    w->office.poke(w->office.server);
    assert_int_equal(pokes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_verdicts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_everybody_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_remembers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_rest, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
