/* test_dispatch.c - mail on its way out, end to end but for DNS and time: a real store, real
 * connections, scripted hosts.  Days pass in milliseconds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "dispatch_world.h"
#include "fake_time.h"

#include "base/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, TURNS_TRIED = 200, MANY = 40 };

/* Each of the letters was taken once, for each of `count` recipients. */
static void took_all_once(const struct office_world *o, unsigned count)
{
    for (unsigned n = 1; n <= o->letters; n++) {
        char words[30];
        snprintf(words, sizeof words, " letter-%u", n);
        if (mail_hosts_took(&o->hosts, words) != count)
            fail_msg("letter %u of %u: taken %u times", n, o->letters,
                     mail_hosts_took(&o->hosts, words));
    }
}

static uint64_t now(const struct office_world *o)
{
    return loop_now_ms(o->store->loop);
}

static void test_delivers(void **state)
{
    static const char *const domains[] = { "b.test", "c.test", "d.test" };
    struct office_world *o = *state;
    office_start(o);
    for (unsigned i = 0; i < 9; i++)
        office_mail(o, domains[i % 3], 2);
    office_until_empty(o);
    took_all_once(o, 2);
    assert_int_equal(o->hosts.quits, o->hosts.connections);
    assert_int_equal(office_reports(o), 0);
}

/* What waited when the server started. */
static void test_waited(void **state)
{
    struct office_world *o = *state;
    for (unsigned i = 0; i < MANY; i++)
        office_mail(o, i % 2 ? "b.test" : "c.test", 1);
    office_start(o);
    office_until_empty(o);
    took_all_once(o, 1);
    assert_true(o->hosts.connections < MANY / 2); /* several messages over each */
}

static void test_many_recipients(void **state)
{
    struct office_world *o = *state;
    office_start(o);
    office_mail(o, "b.test", 150);
    office_until_empty(o);
    took_all_once(o, 150);
}

static void smarthost(struct office_world *o, const char *more)
{
    char relay[200];
    snprintf(relay, sizeof relay, "smarthost = \"127.0.0.2:%u\" %s", o->hosts.port, more);
    office_configure(o, relay);
}

/* One message's recipients travel together, whatever their domains, behind one smarthost. */
static void test_domains_together(void **state)
{
    struct office_world *o = *state;
    smarthost(o, "");
    office_mail(o, "b.test,c.test,d.test", 9);
    office_start(o);
    office_until_empty(o);
    took_all_once(o, 9);
    assert_int_equal(o->hosts.transactions, 1);
    for (unsigned i = 0; i < MANY; i++)
        office_mail(o, "b.test,c.test,d.test,e.test,f.test", 9);
    office_until_empty(o);
    took_all_once(o, 9);
}

/* ... or as many as the host takes at a time (RFC 9422). */
static void test_few_domains_together(void **state)
{
    struct office_world *o = *state;
    smarthost(o, "");
    mail_hosts_say(&o->hosts, 2, HOST_EHLO,
                   "250-host\r\n250-PIPELINING\r\n250 LIMITS RCPTDOMAINMAX=2", HOST_PLACE_ALWAYS);
    office_mail(o, "b.test,c.test,d.test", 9);
    office_start(o);
    office_until_empty(o);
    took_all_once(o, 9);
    assert_int_equal(o->hosts.transactions, 2);
}

/* What is refused is refused for one of them; the others are served, and each is told of. */
static void test_together_not_alike(void **state)
{
    struct office_world *o = *state;
    smarthost(o, "");
    mail_hosts_say(&o->hosts, 2, HOST_RCPT, "550 5.1.1 nobody", 1);
    mail_hosts_say(&o->hosts, 2, HOST_END, "451 4.3.0 later", 1);
    office_mail(o, "b.test,c.test,d.test", 3);
    office_start(o);
    office_until_empty(o);
    assert_int_equal(mail_hosts_took(&o->hosts, " letter-1"), 2);
    assert_int_equal(o->hosts.transactions, 1);
    assert_int_equal(office_reports(o), 1);
}

/* At the first retry step, give or take a tenth, and not an hour later. */
static void test_retry(void **state)
{
    struct office_world *o = *state;
    mail_hosts_say(&o->hosts, 2, HOST_RCPT, "450 4.2.1 later", 1);
    office_start(o);
    uint64_t begin = now(o);
    office_mail(o, "b.test", 1);
    office_until_taken(o, "letter-1", 1);
    assert_in_range(now(o) - begin, 50 * 1000, 70 * 1000);
    office_until_empty(o);
    took_all_once(o, 1);
}

static const struct {
    enum host_place place;
    const char *reply;
    bool bounces;
} replies[] = {
    { HOST_GREETING, "554 5.3.2 go away", true },
    { HOST_GREETING, "421 4.3.2 not now!", false },
    { HOST_GREETING, "", false },
    { HOST_GREETING, "hello?", false },
    { HOST_EHLO, "421 4.3.2 not now!", false },
    { HOST_EHLO, "", false },
    { HOST_MAIL, "550 5.7.1 not you", true },
    { HOST_MAIL, "451 4.7.1 not now", false },
    { HOST_MAIL, "421 4.7.0 not now!", false },
    { HOST_MAIL, "", false },
    { HOST_RCPT, "550 5.1.1 nobody", true },
    { HOST_RCPT, "450 4.2.1 later", false },
    { HOST_RCPT, "421 4.7.0 not now!", false },
    { HOST_RCPT, "", false },
    { HOST_DATA, "554 5.6.0 no", true },
    { HOST_DATA, "451 4.3.0 no", false },
    { HOST_DATA, "", false },
    { HOST_END, "554 5.7.1 spam", true },
    { HOST_END, "452 4.3.1 full", false },
    { HOST_END, "", false },
    { HOST_MAIL, "...", false },
    { HOST_END, "...", false },
};

/* Whatever goes wrong once: the sender is told, or it goes out later, once. */
static void test_replies(void **state)
{
    struct office_world *o = *state;
    unsigned bounced = 0, begun = 0;
    office_start(o);
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        begun = mail_hosts_took(&o->hosts, "");
        mail_hosts_say(&o->hosts, 2, replies[i].place, replies[i].reply, 1);
        office_mail(o, "b.test", 1);
        office_until_empty(o);
        bounced += replies[i].bounces;
        if (office_reports(o) != bounced ||
            mail_hosts_took(&o->hosts, "") != begun + !replies[i].bounces)
            fail_msg("place %u, \"%s\": %u reports, taken %u times", replies[i].place,
                     replies[i].reply, office_reports(o), mail_hosts_took(&o->hosts, "") - begun);
    }
}

/* A host that takes leave behind every message is none that fails. */
static void test_takes_leave(void **state)
{
    struct office_world *o = *state;
    mail_hosts_say(&o->hosts, 2, HOST_END, "250 2.0.0 taken\r\n421 4.3.2 one at a time!",
                   HOST_PLACE_ALWAYS);
    office_start(o);
    uint64_t begin = now(o);
    for (unsigned i = 0; i < MANY; i++)
        office_mail(o, "b.test", 1);
    office_until_empty(o);
    took_all_once(o, 1);
    assert_int_equal(o->hosts.connections, MANY);
    assert_in_range(now(o) - begin, 0, 30 * 1000);
}

/* A host that refuses the session, and one that cannot be reached, are followed by the next. */
static void test_next_host(void **state)
{
    struct office_world *o = *state;
    mail_hosts_say(&o->hosts, 2, HOST_GREETING, "554 5.3.2 not here", 1);
    office_start(o);
    uint64_t begin = now(o);
    office_mail(o, "two.test", 1);
    office_mail(o, "six.test", 1);
    office_until_taken(o, "letter-1", 1);
    office_until_taken(o, "letter-2", 1);
    assert_in_range(now(o) - begin, 0, 30 * 1000);
    office_until_empty(o);
    took_all_once(o, 1);
}

static void test_no_host(void **state)
{
    struct office_world *o = *state;
    office_configure(o, "warn = \"1h\" expire = \"3h\"");
    office_start(o);
    office_mail(o, "gone.test", 2);
    office_until_empty(o);
    assert_int_equal(office_reports(o), 1);
    uint64_t begin = now(o);
    office_mail(o, "sick.test", 1);
    office_until_empty(o);
    assert_int_equal(office_reports(o), 3); /* delayed, then failed */
    assert_in_range(now(o) - begin, 3 * HOUR_MS, 5 * HOUR_MS);
    assert_int_equal(o->hosts.connections, 0);
}

/* A dead host costs a few probes, whatever waits for it, and delays nobody else; what waits is
 * warned about and given up in time. */
static void test_dead_host(void **state)
{
    struct office_world *o = *state;
    office_configure(o, "warn = \"1h\" expire = \"3h\"");
    mail_hosts_say(&o->hosts, 2, HOST_GREETING, "", HOST_PLACE_ALWAYS);
    office_start(o);
    for (unsigned i = 0; i < MANY; i++)
        office_mail(o, "b.test", 1);
    uint64_t begin = now(o);
    office_mail(o, "c.test", 1);
    office_until_taken(o, "letter-41", 1);
    assert_true(now(o) - begin < 30 * 1000);
    office_until_empty(o);
    assert_int_equal(office_reports(o), 2 * MANY);
    assert_true(o->hosts.connections < 3 * MANY);
    assert_in_range(now(o) - begin, 3 * HOUR_MS, 5 * HOUR_MS);
}

static void test_comes_back(void **state)
{
    struct office_world *o = *state;
    mail_hosts_say(&o->hosts, 2, HOST_GREETING, "", HOST_PLACE_ALWAYS);
    office_start(o);
    for (unsigned i = 0; i < MANY; i++)
        office_mail(o, "b.test", 1);
    office_for(o, HOUR_MS);
    assert_int_equal(office_waiting(o), MANY);
    mail_hosts_say(&o->hosts, 2, HOST_GREETING, NULL, 0);
    office_for(o, 40 * MINUTE_MS); /* a probe has found out, and the others have followed */
    took_all_once(o, 1);
    assert_int_equal(office_reports(o), 0);
}

/* A person does not want to wait for the probe. */
static void test_hurry(void **state)
{
    struct office_world *o = *state;
    mail_hosts_say(&o->hosts, 2, HOST_GREETING, "", HOST_PLACE_ALWAYS);
    office_start(o);
    for (unsigned i = 0; i < MANY; i++)
        office_mail(o, "b.test", 1);
    office_for(o, HOUR_MS);
    mail_hosts_say(&o->hosts, 2, HOST_GREETING, NULL, 0);
    uint64_t begin = now(o);
    dispatch_steered(o->dispatch, true);
    while (mail_hosts_took(&o->hosts, "") < MANY - 10) /* some were tried, and have their time */
        office_turn(o);
    assert_true(now(o) - begin < MINUTE_MS);
}

static void test_restart(void **state)
{
    struct office_world *o = *state;
    mail_hosts_say(&o->hosts, 2, HOST_RCPT, "450 4.2.1 later", 3);
    office_start(o);
    for (unsigned i = 0; i < 6; i++)
        office_mail(o, "b.test", 1);
    office_until_taken(o, "", 1);
    office_stop(o);
    world_reopen(o->store);
    office_start(o);
    office_until_empty(o);
    took_all_once(o, 1);
}

static void start_with_one_in_hand(struct office_world *o)
{
    office_start(o);
    office_mail(o, "b.test", 1);
    while (o->hosts.connections == 0)
        office_turn(o);
}

/* Mail that took long to come is committed behind younger mail, which is in hand by then. */
static void test_passed_by(void **state)
{
    struct office_world *o = *state;
    mail_hosts_say(&o->hosts, 2, HOST_MAIL, "...", 1);
    start_with_one_in_hand(o);
    o->under_way_ms = 5000;
    office_mail(o, "b.test", 1);
    o->under_way_ms = 0;
    uint64_t begin = now(o);
    office_until_taken(o, "letter-2", 1);
    assert_true(now(o) - begin < 6 * MINUTE_MS); /* the silent session has 5 */
    office_until_empty(o);
    took_all_once(o, 1);
}

/* A domain that always has something in hand is let run empty for what was passed by. */
static void test_passed_by_on_a_busy_day(void **state)
{
    struct office_world *o = *state;
    start_with_one_in_hand(o);
    o->under_way_ms = 5000;
    office_mail(o, "b.test", 1);
    o->under_way_ms = 0;
    for (unsigned i = 0; i < 300 && mail_hosts_took(&o->hosts, "letter-2") == 0; i++) {
        office_mail(o, "b.test", 1);
        fake_time_pass(100);
        office_turn(o);
    }
    assert_int_equal(mail_hosts_took(&o->hosts, "letter-2"), 1);
    office_until_empty(o);
    took_all_once(o, 1);
}

/* But not for longer than a moment, whatever is in hand. */
static void test_a_slow_one_keeps_no_other(void **state)
{
    struct office_world *o = *state;
    mail_hosts_say(&o->hosts, 2, HOST_MAIL, "...", 1);
    start_with_one_in_hand(o);
    for (unsigned i = 2; i <= 60; i++) {
        office_mail(o, "b.test", 1);
        fake_time_pass(1000);
        office_turn(o);
    }
    assert_int_equal(mail_hosts_took(&o->hosts, "letter-25"), 1);
    assert_int_equal(mail_hosts_took(&o->hosts, "letter-1"), 0);
    office_until_empty(o);
    took_all_once(o, 1);
}

/* A reload gives waiting mail another way. */
static void test_reload(void **state)
{
    struct office_world *o = *state;
    char words[100];
    mail_hosts_say(&o->hosts, 2, HOST_GREETING, "", HOST_PLACE_ALWAYS);
    office_start(o);
    for (unsigned i = 0; i < 5; i++)
        office_mail(o, "b.test", 1);
    office_for(o, 10 * MINUTE_MS);
    snprintf(words, sizeof words, "route \"b.test\" { host = \"127.0.0.3:%u\" }", o->hosts.port);
    office_configure(o, words);
    dispatch_start(o->dispatch);
    office_until_empty(o);
    took_all_once(o, 1);
}

/* When the wall clock jumps nothing expires, for a day. */
static void test_clock_jumps(void **state)
{
    struct office_world *o = *state;
    office_configure(o, "warn = \"0s\" expire = \"3h\"");
    mail_hosts_say(&o->hosts, 2, HOST_RCPT, "450 4.2.1 later", HOST_PLACE_ALWAYS);
    office_start(o);
    office_mail(o, "b.test", 1);
    office_for(o, 10 * MINUTE_MS);
    fake_time_set_wall(100 * (int64_t)HOUR_MS);
    dispatch_poke(o->dispatch);
    office_for(o, 20 * (uint64_t)HOUR_MS);
    assert_int_equal(office_waiting(o), 1);
    office_for(o, 12 * HOUR_MS);
    assert_int_equal(office_waiting(o), 0);
    assert_int_equal(office_reports(o), 1);
}

/* What was put off while the clock was a year ahead does not wait for that year. */
static void test_a_clock_that_was_ahead_keeps_no_mail(void **state)
{
    struct office_world *o = *state;
    const int64_t year_ms = 365 * 24 * (int64_t)HOUR_MS;
    mail_hosts_say(&o->hosts, 2, HOST_RCPT, "450 4.2.1 later", 2);
    office_start(o);
    fake_time_set_wall(year_ms);
    office_mail(o, "b.test", 2);
    while (o->hosts.connections == 0)
        office_turn(o);
    office_for(o, 10 * 1000);
    assert_int_equal(office_waiting(o), 2);
    fake_time_set_wall(-year_ms);
    office_for(o, 2 * (uint64_t)HOUR_MS);
    assert_int_equal(office_waiting(o), 0);
    took_all_once(o, 2);
}

/* Stopped after any number of turns, and started again: every recipient is served, once. */
static void test_stopped_anywhere(void **state)
{
    struct office_world *o = *state;
    for (unsigned turns = 0; turns < TURNS_TRIED; turns += 1 + turns / 40) {
        mail_hosts_say(&o->hosts, 2, HOST_RCPT, "450 4.2.1 later", 1);
        mail_hosts_say(&o->hosts, 3, HOST_GREETING, "", 2);
        office_mail(o, "b.test", 2);
        office_mail(o, "two.test", 1);
        office_mail(o, "c.test", 1);
        office_start(o);
        for (unsigned i = 0; i < turns; i++)
            office_turn(o);
        office_stop(o);
    }
    office_start(o);
    office_until_empty(o);
    for (unsigned n = 1; n <= o->letters; n++) {
        char words[30];
        snprintf(words, sizeof words, " letter-%u", n);
        assert_int_equal(mail_hosts_took(&o->hosts, words), n % 3 == 1 ? 2 : 1);
    }
}

static void count_hop(void *owner, const struct dispatch_hop *hop)
{
    unsigned *down = owner;
    *down += hop->down;
    assert_true(!hop->down || hop->last.len > 0);
}

/* Hops are forgotten when nothing is known of them any more. */
static void test_hops_are_told(void **state)
{
    struct office_world *o = *state;
    unsigned down = 0;
    mail_hosts_say(&o->hosts, 2, HOST_GREETING, "", HOST_PLACE_ALWAYS);
    office_start(o);
    for (unsigned i = 0; i < 5; i++)
        office_mail(o, "b.test", 1);
    office_for(o, 30 * 1000);
    dispatch_each_hop(o->dispatch, count_hop, &down);
    assert_int_equal(down, 1);
    mail_hosts_say(&o->hosts, 2, HOST_GREETING, NULL, 0);
    office_until_empty(o);
    down = 0;
    dispatch_each_hop(o->dispatch, count_hop, &down);
    assert_int_equal(down, 0);
}

/* The first octet of these words changes on the disk. */
static void change_octet(const struct office_world *o, const char *words, char octet)
{
    char path[SCRATCH_PATH + 30];
    snprintf(path, sizeof path, "%s/journal/00000001.seg", o->store->path);
    int file = open(path, O_RDWR | O_CLOEXEC);
    off_t size = lseek(file, 0, SEEK_END);
    assert_true(size > 0);
    char *all = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    assert_true(all != MAP_FAILED);
    char *at = memmem(all, (size_t)size, words, strlen(words));
    assert_non_null(at);
    at[0] = octet;
    munmap(all, (size_t)size);
    close(file);
}

/* What must be converted, and cannot be read, keeps nobody else waiting and is given up in time. */
static void test_damaged(void **state)
{
    struct office_world *o = *state;
    office_configure(o, "warn = \"0\" expire = \"3h\"");
    o->eight_bit = true;
    for (unsigned i = 0; i < 3; i++)
        office_mail(o, "b.test", 1);
    change_octet(o, "letter-1", 'X');
    uint64_t begin = now(o);
    office_start(o);
    office_until_taken(o, "letter-3", 1);
    assert_in_range(now(o) - begin, 0, 30 * 1000);
    office_for(o, 5 * HOUR_MS);
    assert_int_equal(office_waiting(o), 0);
    assert_int_equal(mail_hosts_took(&o->hosts, "letter-1"), 0);
    assert_int_equal(mail_hosts_took(&o->hosts, "letter-2"), 1);
    assert_int_equal(office_reports(o), 1);
    change_octet(o, "Xetter-1", 'l'); /* the world wants its store whole */
}

#define WITH_OFFICE(test) cmocka_unit_test_setup_teardown(test, office_set_up, office_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_OFFICE(test_delivers),
        WITH_OFFICE(test_waited),
        WITH_OFFICE(test_many_recipients),
        WITH_OFFICE(test_domains_together),
        WITH_OFFICE(test_few_domains_together),
        WITH_OFFICE(test_together_not_alike),
        WITH_OFFICE(test_retry),
        WITH_OFFICE(test_replies),
        WITH_OFFICE(test_takes_leave),
        WITH_OFFICE(test_next_host),
        WITH_OFFICE(test_no_host),
        WITH_OFFICE(test_dead_host),
        WITH_OFFICE(test_comes_back),
        WITH_OFFICE(test_hurry),
        WITH_OFFICE(test_restart),
        WITH_OFFICE(test_passed_by),
        WITH_OFFICE(test_passed_by_on_a_busy_day),
        WITH_OFFICE(test_a_slow_one_keeps_no_other),
        WITH_OFFICE(test_reload),
        WITH_OFFICE(test_clock_jumps),
        WITH_OFFICE(test_a_clock_that_was_ahead_keeps_no_mail),
        WITH_OFFICE(test_stopped_anywhere),
        WITH_OFFICE(test_hops_are_told),
        WITH_OFFICE(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
