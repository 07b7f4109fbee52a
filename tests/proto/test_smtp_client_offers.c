/* test_smtp_client_offers.c - what the client hears in EHLO, and when it takes a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "base/buffer.h"
#include "proto/smtp_client.h"

#include <string.h>

static const struct smtp_client_config config = { .hostname = TEXT("client") };

/* One step with this input, and all output written. */
static enum smtp_client_step_kind step_with(struct smtp_client *c, const char *input)
{
    struct bytes in = bytes_of_text(text_of(input));
    enum smtp_client_step_kind kind = smtp_client_step(c, &in, 0).kind;
    assert_int_equal(in.len, 0);
    smtp_client_drained(c, smtp_client_output(c).len);
    return kind;
}

static struct smtp_client *greet(const struct smtp_client_config *with, const char *ehlo)
{
    struct smtp_client *c = smtp_client_new(with, 0);
    assert_non_null(c);
    assert_int_equal(step_with(c, "220 mx\r\n"), SMTP_CLIENT_NEED_INPUT);
    step_with(c, ehlo);
    return c;
}

static void describe(const struct smtp_client_offers *o, struct buffer *b)
{
    const struct {
        bool is;
        const char *word;
    } flags[] = {
        { o->esmtp, "esmtp" },        { o->pipelining, "pipelining" },
        { o->size, "size" },          { o->eight_bit_mime, "8bit" },
        { o->binary_mime, "binary" }, { o->smtputf8, "utf8" },
        { o->chunking, "chunking" },  { o->dsn, "dsn" },
        { o->starttls, "starttls" },  { o->requiretls, "requiretls" },
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].is)
            buffer_printf(b, "%s ", flags[i].word);
    buffer_printf(b, "%llu %u %u %u [%.*s]", (unsigned long long)o->size_max, o->messages_max,
                  o->recipients_max, o->domains_max, TEXT_ARGS(o->mechanisms));
}

static void test_offers(void **state)
{
    (void)state;
    static const struct {
        const char *ehlo, *offers;
    } cases[] = {
        { "250 PIPELINING\r\n", "esmtp 0 0 0 0 []" }, /* a host of that name */
        { "250-mx\r\n250 PIPELINING\r\n", "esmtp pipelining 0 0 0 0 []" },
        { "250-mx\r\n250-pipelining\r\n250-8bitMIME\r\n250-SmtpUtf8\r\n250-chunking\r\n250-DSN\r\n"
          "250-BinaryMIME\r\n250-STARTTLS\r\n250 REQUIRETLS\r\n",
          "esmtp pipelining 8bit binary utf8 chunking dsn starttls requiretls 0 0 0 0 []" },
        { "250-mx\r\n250-XPIPELINING\r\n250-PIPELININGX\r\n250-\r\n250 \r\n", "esmtp 0 0 0 0 []" },
        { "250-mx\r\n250 DSN with words\r\n", "esmtp dsn 0 0 0 0 []" },
        { "250-mx\r\n250 SIZE\r\n", "esmtp size 0 0 0 0 []" },
        { "250-mx\r\n250 SIZE 0\r\n", "esmtp size 0 0 0 0 []" },
        { "250-mx\r\n250 SIZE  35882577 \r\n", "esmtp size 35882577 0 0 0 []" },
        { "250-mx\r\n250 SIZE 99999999999999999999\r\n", "esmtp size 0 0 0 0 []" },
        { "250-mx\r\n250 SIZE -1\r\n", "esmtp size 0 0 0 0 []" },
        { "250-mx\r\n250 AUTH  PLAIN LOGIN \r\n", "esmtp 0 0 0 0 [PLAIN LOGIN]" },
        { "250-mx\r\n250-AUTH PLAIN\r\n250 AUTH X\r\n", "esmtp 0 0 0 0 [X]" },
        { "250-mx\r\n250 LIMITS RCPTMAX=100 MAILMAX=5 RCPTDOMAINMAX=1\r\n", "esmtp 0 5 100 1 []" },
        { "250-mx\r\n250 LIMITS mailmax=99999999999 RCPTMAX= =3 RCPTMAX X=1 RCPTMAX=0\r\n",
          "esmtp 0 4294967295 0 0 []" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct smtp_client *c = greet(&config, cases[i].ehlo);
        struct buffer b;
        buffer_init(&b, 1000);
        describe(smtp_client_offers(c), &b);
        buffer_byte(&b, 0);
        assert_string_equal((const char *)b.at, cases[i].offers);
        buffer_clear(&b);
        smtp_client_free(&c);
    }
}

/* More mechanisms than anybody has are not cut in two but ignored. */
static void test_too_many_mechanisms(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 1000);
    buffer_text(&b, T("250-mx\r\n250 AUTH"));
    while (b.len < 600)
        buffer_text(&b, T(" MECHANISM"));
    buffer_text(&b, T("\r\n\0"));
    buffer_byte(&b, 0);
    struct smtp_client *c = greet(&config, (const char *)b.at);
    assert_int_equal(smtp_client_offers(c)->mechanisms.len, 0);
    assert_true(smtp_client_offers(c)->esmtp);
    smtp_client_free(&c);
    buffer_clear(&b);
}

static void test_tls_forgets_offers(void **state)
{
    (void)state;
    static const struct smtp_client_config with_tls = { .hostname = TEXT("client"),
                                                        .tls = SMTP_CLIENT_TLS_IF_OFFERED };
    struct smtp_client *c = greet(&with_tls, "250-mx\r\n250-DSN\r\n250 STARTTLS\r\n");
    assert_false(smtp_client_used_tls(c));
    assert_int_equal(step_with(c, "220 go\r\n250 evil\r\n"), SMTP_CLIENT_START_TLS);
    struct bytes in = bytes_of_text(T("\x16\x03")); /* not the machine's */
    assert_int_equal(smtp_client_step(c, &in, 0).kind, SMTP_CLIENT_NEED_INPUT);
    assert_int_equal(in.len, 2);
    smtp_client_tls_started(c, 0);
    assert_true(smtp_client_used_tls(c));
    assert_false(smtp_client_offers(c)->dsn);
    assert_true(text_equal(text_of_bytes(smtp_client_output(c)), T("EHLO client\r\n")));
    assert_int_equal(step_with(c, "250-mx\r\n250 STARTTLS\r\n"), SMTP_CLIENT_READY);
    smtp_client_free(&c);
}

/* ---- when a message is taken ---- */

static const struct smtp_client_recipient bob = { .address = TEXT("bob@b.example") };
static const struct smtp_client_message letters[3] = {
    { .octets = 4, .recipients = &bob, .recipient_count = 1 },
    { .octets = 4, .recipients = &bob, .recipient_count = 1 },
    { .octets = 4, .recipients = &bob, .recipient_count = 1 },
};

static void send_content(struct smtp_client *c)
{
    assert_false(smtp_client_may_send(c));
    smtp_client_body(c, bytes_of_text(T("hi\r\nwhat is too much")), 0);
    assert_int_equal(step_with(c, ""), SMTP_CLIENT_MAY_FINISH);
    assert_false(smtp_client_may_send(c));
    smtp_client_finish(c, 0);
    struct bytes in = { NULL, 0 };
    assert_int_equal(smtp_client_step(c, &in, 0).kind, SMTP_CLIENT_NEED_INPUT);
    assert_true(text_equal(text_of_bytes(smtp_client_output(c)), T(".\r\n")));
    smtp_client_drained(c, 3);
}

static void test_taking_messages(void **state)
{
    (void)state;
    struct smtp_client *c = smtp_client_new(&config, 0);
    assert_false(smtp_client_may_send(c));
    step_with(c, "220 mx\r\n");
    assert_false(smtp_client_may_send(c));
    assert_int_equal(step_with(c, "250-mx\r\n250 PIPELINING\r\n"), SMTP_CLIENT_READY);
    assert_true(smtp_client_may_send(c));
    assert_true(smtp_client_send(c, &letters[0], 0));
    assert_false(smtp_client_may_send(c));
    step_with(c, "");
    assert_int_equal(step_with(c, "250 ok\r\n250 ok\r\n354 go\r\n"), SMTP_CLIENT_READ_BODY);
    send_content(c);
    assert_true(smtp_client_may_send(c)); /* behind the dot */
    assert_true(smtp_client_send(c, &letters[1], 0));
    assert_false(smtp_client_may_send(c)); /* but only one */
    assert_int_equal(step_with(c, ""), SMTP_CLIENT_NEED_INPUT);
    assert_int_equal(step_with(c, "250 ok\r\n"), SMTP_CLIENT_SENT);
    assert_false(smtp_client_may_send(c));
    assert_int_equal(step_with(c, "250 ok\r\n550 no\r\n503 no\r\n"), SMTP_CLIENT_SENT);
    assert_true(smtp_client_may_send(c)); /* in its SENT already */
    assert_true(smtp_client_send(c, &letters[2], 0));
    assert_int_equal(smtp_client_result(c, 0)->code, 550);
    assert_int_equal(step_with(c, ""), SMTP_CLIENT_NEED_INPUT);
    smtp_client_free(&c);
}

/* The end may be asked for in SENT too. */
static void test_leaving_at_once(void **state)
{
    (void)state;
    struct smtp_client *c = greet(&config, "250 mx\r\n");
    assert_true(smtp_client_send(c, &letters[0], 0));
    step_with(c, "");
    assert_int_equal(step_with(c, "550 no\r\n"), SMTP_CLIENT_SENT);
    smtp_client_quit(c, 0);
    assert_int_equal(step_with(c, ""), SMTP_CLIENT_NEED_INPUT);
    assert_int_equal(step_with(c, "221 bye\r\n"), SMTP_CLIENT_CLOSE);
    assert_null(smtp_client_failure(c));
    smtp_client_free(&c);
    c = NULL;
    smtp_client_free(&c);
}

/* What a server says of its idle session is not said to a message that was just given, whatever its
 * code. */
static void test_hearing_the_end_too_late(void **state)
{
    (void)state;
    static const char *const words[] = { "554 5.4.2 idle\r\n", "421 4.4.2 idle\r\n" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct smtp_client *c = greet(&config, "250 mx\r\n");
        assert_true(smtp_client_send(c, &letters[0], 0));
        assert_int_equal(step_with(c, words[i]), SMTP_CLIENT_SENT);
        const struct smtp_client_result *r = smtp_client_result(c, 0);
        assert_false(r->permanent);
        assert_int_equal(r->where, AT_MAIL);
        assert_int_equal(step_with(c, ""), SMTP_CLIENT_CLOSE);
        assert_false(smtp_client_failure(c)->permanent);
        assert_int_equal(step_with(c, ""), SMTP_CLIENT_CLOSE);
        smtp_client_free(&c);
    }
}

/* The first reason stays, and the driver may say what it saw at any time. */
static void test_ending_twice(void **state)
{
    (void)state;
    struct smtp_client *c = greet(&config, "250 mx\r\n");
    smtp_client_input_ended(c, T("reset by peer"));
    smtp_client_input_ended(c, T("and again"));
    assert_int_equal(step_with(c, ""), SMTP_CLIENT_CLOSE);
    smtp_client_input_ended(c, T("and again"));
    assert_true(text_equal(smtp_client_failure(c)->reply, T("reset by peer")));
    assert_int_equal(smtp_client_failure(c)->where, AT_IDLE);
    smtp_client_free(&c);
    c = greet(&config, "421 busy\r\n");
    assert_int_equal(step_with(c, ""), SMTP_CLIENT_CLOSE);
    smtp_client_input_ended(c, T("reset by peer"));
    assert_true(text_equal(smtp_client_failure(c)->reply, T("421 busy")));
    smtp_client_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offers),
        cmocka_unit_test(test_too_many_mechanisms),
        cmocka_unit_test(test_tls_forgets_offers),
        cmocka_unit_test(test_taking_messages),
        cmocka_unit_test(test_leaving_at_once),
        cmocka_unit_test(test_hearing_the_end_too_late),
        cmocka_unit_test(test_ending_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
