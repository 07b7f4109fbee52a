/* test_settle.c - what became of recipients, and what the sender reads about it, in a real store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "settle_world.h"

#include "mail/date.h"
#include "mail/notify.h"
#include "run/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

static const struct text letter = TEXT("Received: from home ([192.0.2.1]) by mx.a.test; today\r\n"
                                       "From: Alice <alice@a.test>\r\n"
                                       "Message-ID: <17@a.test>\r\n"
                                       "Subject: tea\r\n"
                                       "\r\n"
                                       "At five?\r\n");
static const char *const to_bob[] = { "bob@b.test", NULL };
static const char *const to_three[] = { "one@b.test", "two@b.test", "three@b.test", NULL };

static const struct office_mailbox alice = { ALICE, TEXT("Alice@a.test"), TEXT("alice@a.test") };

static void alice_is_here(struct branch *b)
{
    b->answer =
        (struct office_answer){ .verdict = OFFICE_FOUND, .mailboxes = &alice, .mailbox_count = 1 };
}

static void answer(struct branch *b, enum office_verdict verdict)
{
    b->answer = (struct office_answer){ .verdict = verdict };
}

/* The queue as branch_queue() shows it. */
static void queue_is(struct branch *b, const char *want)
{
    struct buffer lines;
    struct text t = branch_queue(b, &lines);
    assert_int_equal(t.len, strlen(want));
    assert_memory_equal(t.len ? t.at : "", want, t.len);
    buffer_clear(&lines);
}

static void first_says(struct branch *b, mailbox_id mailbox, const char *words)
{
    struct buffer mail;
    struct text t = branch_first(b, mailbox, &mail);
    if (!says(t, words))
        fail_msg("missing: %s\nin: %.*s", words, TEXT_ARGS(t));
    buffer_clear(&mail);
}

static void log_says(struct branch *b, const char *words)
{
    char name[SCRATCH_PATH + 8], line[1000];
    bool found = false;
    snprintf(name, sizeof name, "%s/log", b->store->path);
    log_free(&b->office.log); /* writes what it has */
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    while (!found && fgets(line, sizeof line, file))
        found = strstr(line, words) != NULL;
    fclose(file);
    if (!found)
        fail_msg("not in the log: %s", words);
}

/* --- Who is told --- */

static void test_who_wants_it(void **state)
{
    static const unsigned all = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;
    static const struct {
        unsigned notify;
        bool wanted[DSN_ACTIONS]; /* failed, delayed, delivered, relayed, expanded */
    } rows[] = {
        { NOTIFY_DEFAULT, { true, true, false, false, false } },
        { NOTIFY_NEVER, { false, false, false, false, false } },
        { NOTIFY_SUCCESS, { false, false, true, true, true } },
        { NOTIFY_FAILURE, { true, false, false, false, false } },
        { NOTIFY_DELAY, { false, true, false, false, false } },
        { all, { true, true, true, true, true } },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned action = 0; action < DSN_ACTIONS; action++)
            assert_int_equal(settle_is_wanted(rows[i].notify, (enum dsn_action)action),
                             rows[i].wanted[action]);
}

static void test_nobody_to_tell(void **state)
{
    static const struct {
        const char *sender;
        unsigned notify;
        bool tell;
        enum dsn_action action;
        enum queue_state to;
    } rows[] = {
        { "", NOTIFY_DEFAULT, true, DSN_FAILED, QUEUE_BOUNCED },
        { "", NOTIFY_SUCCESS, true, DSN_RELAYED, QUEUE_DELIVERED },
        { "alice@a.test", NOTIFY_NEVER, true, DSN_FAILED, QUEUE_BOUNCED },
        { "alice@a.test", NOTIFY_DELAY, true, DSN_FAILED, QUEUE_EXPIRED },
        { "alice@a.test", NOTIFY_FAILURE, true, DSN_DELAYED, QUEUE_WAITING },
        { "alice@a.test", NOTIFY_DEFAULT, true, DSN_RELAYED, QUEUE_DELIVERED },
        { "alice@a.test", NOTIFY_SUCCESS, false, DSN_RELAYED, QUEUE_DELIVERED },
        { "alice@a.test", NOTIFY_DEFAULT, false, DSN_FAILED, QUEUE_WAITING },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct branch *b;
        void *own = NULL;
        (void)state;
        assert_int_equal(branch_set_up(&own), 0);
        b = own;
        alice_is_here(b);
        assert_true(branch_mail(b, rows[i].sender, letter, to_bob));
        b->recipients[0].row.notify = rows[i].notify;
        b->recipients[0].row.state = rows[i].to;
        b->recipients[0].tell = rows[i].tell;
        b->recipients[0].told.action = rows[i].action;
        assert_true(branch_settle(b));
        assert_int_equal(b->verdict, STORE_STORED);
        assert_int_equal(b->error.kind, ERROR_NONE);
        assert_string_equal(b->asked, "");
        assert_int_equal(branch_count(b, ALICE), 0);
        assert_int_equal(b->pokes, 0);
        struct buffer lines;
        assert_int_equal(says(branch_queue(b, &lines), "to bob@b.test: 3 attempts"),
                         rows[i].to == QUEUE_WAITING);
        buffer_clear(&lines);
        assert_int_equal(branch_tear_down(&own), 0);
    }
}

/* --- The report --- */

/* A report with what differs each time put into words: ids, the boundary, the time. */
static struct text without_chance(struct text t, struct buffer *out)
{
    struct text line;
    char boundary[100] = "", id[100] = "";
    buffer_init(out, 1 << 20);
    while (text_cut(&t, '\n', &line)) {
        line.len -= line.len > 0; /* the CR */
        if (text_starts(line, T("Date: "))) {
            int64_t when;
            assert_true(date_parse_rfc5322(text_skip(line, 6), &when));
            assert_true(when <= clock_wall_ms() && when > clock_wall_ms() - 60000);
            line = T("Date: NOW");
        }
        if (text_starts(line, T("Message-ID: ")) && id[0] == 0) {
            snprintf(id, sizeof id, "%.*s", TEXT_ARGS(line));
            assert_true(text_ends_nocase(line, T("@mx.a.test>")));
            line = T("Message-ID: <ID@mx.a.test>");
        }
        if (text_starts(line, T(" boundary=\""))) {
            snprintf(boundary, sizeof boundary, "--%.*s", (int)line.len - 12, line.at + 11);
            line = T(" boundary=\"BOUNDARY\"");
        }
        if (boundary[0] && text_starts(line, text_of(boundary)))
            buffer_printf(out, "--BOUNDARY%.*s\n", TEXT_ARGS(text_skip(line, strlen(boundary))));
        else
            buffer_printf(out, "%.*s\n", TEXT_ARGS(line));
    }
    assert_int_equal(t.len, 0);
    assert_false(out->failed);
    return buffer_as_text(out);
}

static const char whole_report[] =
    "Return-Path: <>\n"
    "Delivered-To: alice@a.test\n"
    "From: Mail Delivery System <postmaster@a.test>\n"
    "To: <alice@a.test>\n"
    "Date: NOW\n"
    "Message-ID: <ID@mx.a.test>\n"
    "Subject: Undelivered mail: bob@b.test\n"
    "In-Reply-To: <17@a.test>\n"
    "References: <17@a.test>\n"
    "Auto-Submitted: auto-replied\n"
    "MIME-Version: 1.0\n"
    "Content-Type: multipart/report; report-type=delivery-status;\n"
    " boundary=\"BOUNDARY\"\n"
    "Content-Transfer-Encoding: 7bit\n"
    "\n"
    "--BOUNDARY\n"
    "Content-Type: text/plain; charset=us-ascii\n"
    "Content-Transfer-Encoding: 7bit\n"
    "Content-Description: What happened\n"
    "\n"
    "This is the mail system mx.a.test.\n"
    "\n"
    "Your message could not be delivered to:\n"
    "\n"
    "    bob@b.test\n"
    "        You wrote to bob+list@b.test, which leads there.\n"
    "        There is no such mailbox.\n"
    "        The server mx.b.test said:\n"
    "            550 5.1.1 no such user\n"
    "        What you can do: Check the address for a slip of the keyboard; ask\n"
    "        the recipient in another way for the right one.\n"
    "\n"
    "Your message came here on Sat, 21 Nov 2026 07:41:27 +0000 and is known as\n"
    "%s. Below are the details for mail programs, and the header of\n"
    "your message.\n"
    "\n"
    "If you need help, answer this report and leave it in your answer: that\n"
    "reaches the people who run this mail system.\n"
    "\n"
    "--BOUNDARY\n"
    "Content-Type: message/delivery-status\n"
    "Content-Transfer-Encoding: 7bit\n"
    "Content-Description: Details for mail programs\n"
    "\n"
    "Original-Envelope-Id: Q=1\n"
    "Reporting-MTA: dns; mx.a.test\n"
    "Received-From-MTA: dns; home ([192.0.2.1])\n"
    "Arrival-Date: Sat, 21 Nov 2026 07:41:27 +0000\n"
    "\n"
    "Original-Recipient: rfc822; bob+list@b.test\n"
    "Final-Recipient: rfc822; bob@b.test\n"
    "Action: failed\n"
    "Status: 5.1.1\n"
    "Remote-MTA: dns; mx.b.test\n"
    "Diagnostic-Code: smtp; 550 5.1.1 no such user\n"
    "Last-Attempt-Date: Sat, 21 Nov 2026 07:41:28 +0000\n"
    "Final-Log-ID: %s\n"
    "\n"
    "--BOUNDARY\n"
    "Content-Type: text/rfc822-headers\n"
    "Content-Transfer-Encoding: 7bit\n"
    "Content-Description: The header of your message\n"
    "\n"
    "Received: from home ([192.0.2.1]) by mx.a.test; today\n"
    "From: Alice <alice@a.test>\n"
    "Message-ID: <17@a.test>\n"
    "Subject: tea\n"
    "\n"
    "--BOUNDARY--\n";

static void test_whole_report(void **state)
{
    struct branch *b = *state;
    struct buffer mail, plain;
    char id[MESSAGE_ID_TEXT + 1], want[sizeof whole_report + 2 * MESSAGE_ID_TEXT];
    alice_is_here(b);
    assert_true(branch_mail(b, "alice@a.test", letter, to_bob));
    b->item.envelope.envid = T("Q+3D1");
    b->recipients[0].row.orcpt = T("rfc822;bob+2Blist@b.test");
    assert_true(branch_settle(b));
    assert_int_equal(b->verdict, STORE_STORED);
    assert_int_equal(b->error.kind, ERROR_NONE);
    assert_string_equal(b->asked, "alice@a.test");
    struct text t = branch_first(b, ALICE, &mail);
    struct text got = without_chance(t, &plain);
    message_id_print(b->item.row.message, id);
    snprintf(want, sizeof want, whole_report, id, id);
    assert_string_equal((buffer_byte(&plain, 0), (const char *)plain.at), want);
    assert_int_equal(got.len, strlen(want));
    buffer_clear(&mail);
    buffer_clear(&plain);
    assert_int_equal(branch_count(b, ALICE), 1);
    assert_int_equal(b->pokes, 0); /* nothing went through the queue */
    queue_is(b, "");
    world_is_whole(b->store);
    log_says(b, "what=\"Undelivered mail: bob@b.test\"");
}

/* What differs from the plain failure, and what the report then has. */
static void test_what_it_says(void **state)
{
    static const struct {
        enum dsn_action action;
        enum queue_state to;
        struct text status, remote, diagnostic, reason;
        const char *has[5];
    } rows[] = {
        { DSN_DELAYED,
          QUEUE_WAITING,
          TEXT("4.4.1"),
          TEXT(""),
          TEXT(""),
          TEXT("No server of b.test answers."),
          { "Subject: Delayed mail: bob@b.test\r\n", "Action: delayed\r\nStatus: 4.4.1\r\n",
            "Will-Retry-Until: Thu, 26 Nov 2026 07:41:27 +0000\r\n",
            "        No server of b.test answers.\r\n",
            "It is tried again by itself, until Thu, 26 Nov 2026 07:41:27 +0000.\r\n" } },
        { DSN_FAILED,
          QUEUE_EXPIRED,
          TEXT("4.4.1"),
          TEXT(""),
          TEXT(""),
          TEXT("No server of b.test answers."),
          { "Subject: Undelivered mail: bob@b.test\r\n", "Action: failed\r\nStatus: 4.4.7\r\n",
            "        It could not be delivered within 5 days, and is not tried any more.\r\n"
            "        No server of b.test answers.\r\n",
            "Diagnostic-Code: x-godwit; It could not be delivered within 5 days" } },
        { DSN_DELAYED,
          QUEUE_WAITING,
          TEXT("4.4.1"),
          TEXT("mx.b.test"),
          TEXT(""),
          TEXT("cannot connect to 192.0.2.7:25"),
          { "        The server of this domain did not answer.\r\n"
            "        In detail: cannot connect to 192.0.2.7:25\r\n" } },
        { DSN_FAILED,
          QUEUE_EXPIRED,
          TEXT("4.4.1"),
          TEXT("mx.b.test"),
          TEXT(""),
          TEXT("cannot connect to 192.0.2.7:25"),
          { "        It could not be delivered within 5 days, and is not tried any more.\r\n"
            "        At the last attempt: cannot connect to 192.0.2.7:25.\r\n" } },
        { DSN_FAILED,
          QUEUE_EXPIRED,
          TEXT("4.2.2"),
          TEXT("mx.b.test"),
          TEXT("452-4.2.2 the box\n452 4.2.2 is full"),
          TEXT(""),
          { "Status: 4.4.7\r\n", "within 5 days, and is not tried any more.\r\n",
            "            452-4.2.2 the box\r\n            452 4.2.2 is full\r\n" } },
        { DSN_RELAYED,
          QUEUE_DELIVERED,
          TEXT("2.1.5"),
          TEXT("mx.b.test"),
          TEXT("250 2.1.5 yes"),
          TEXT(""),
          { "Subject: Mail was handed on: bob@b.test\r\n", "Action: relayed\r\n",
            "It was handed to mx.b.test.\r\n" } },
        { DSN_DELIVERED,
          QUEUE_DELIVERED,
          TEXT("2.1.5"),
          TEXT(""),
          TEXT(""),
          TEXT(""),
          { "Subject: Mail was delivered: bob@b.test\r\n", "Action: delivered\r\n" } },
        { DSN_EXPANDED,
          QUEUE_DELIVERED,
          TEXT(""),
          TEXT(""),
          TEXT(""),
          TEXT(""),
          { "Subject: Mail was passed on: bob@b.test\r\n", "Action: expanded\r\nStatus: 2.0.0" } },
    };
    struct branch *b = *state;
    for (mailbox_id i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct office_mailbox box = { 0x100 + i, TEXT("Alice@a.test"), TEXT("alice@a.test") };
        alice_is_here(b);
        b->answer.mailboxes = &box;
        b->answers_later = i % 2;
        assert_true(branch_mail(b, "alice@a.test", letter, to_bob));
        struct settled *s = &b->recipients[0];
        s->row.notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;
        s->row.state = rows[i].to;
        s->told.action = rows[i].action;
        s->told.status = rows[i].status;
        s->told.remote_mta = rows[i].remote;
        s->told.diagnostic = rows[i].diagnostic;
        s->told.reason = rows[i].reason;
        s->row.warned = rows[i].action == DSN_DELAYED;
        assert_true(branch_settle(b));
        assert_int_equal(b->verdict, STORE_STORED);
        for (size_t j = 0; j < 5 && rows[i].has[j]; j++)
            first_says(b, box.mailbox, rows[i].has[j]);
    }
    queue_is(b, "alice@a.test to bob@b.test: 3 attempts, warned, notify 14, last "
                "\"550 5.1.1 no such user\"\n"
                "alice@a.test to bob@b.test: 3 attempts, warned, notify 14, last "
                "\"550 5.1.1 no such user\"\n");
    world_is_whole(b->store);
}

/* One report for all that are settled together; those who need none are in the unit all the same.
 */
static void test_one_report_for_a_transaction(void **state)
{
    struct branch *b = *state;
    alice_is_here(b);
    assert_true(branch_mail(b, "alice@a.test", letter, to_three));
    b->recipients[1].row.state = QUEUE_DELIVERED;
    b->recipients[1].told.action = DSN_RELAYED; /* which nobody asked for */
    for (size_t i = 0; i < b->count; i++)
        b->recipients[i].row.generation = 0;
    assert_true(branch_settle(b));
    assert_int_equal(branch_count(b, ALICE), 1);
    first_says(b, ALICE, "Subject: Undelivered mail: one@b.test and 1 other\r\n");
    first_says(b, ALICE, "Final-Recipient: rfc822; three@b.test\r\n");
    struct buffer mail;
    assert_false(says(branch_first(b, ALICE, &mail), "two@b.test"));
    buffer_clear(&mail);
    queue_is(b, "");
    world_is_whole(b->store);
}

/* A recipient who never was a row: RFC 3461 5.2.3. */
static void test_without_rows(void **state)
{
    struct branch *b = *state;
    alice_is_here(b);
    assert_true(branch_mail(b, "alice@a.test", letter, to_bob));
    struct settled *s = &b->recipients[0];
    s->has_row = false;
    s->row.notify = NOTIFY_SUCCESS;
    s->row.orcpt = T("rfc822;carol@a.test");
    s->told = (struct dsn_recipient){ .action = DSN_DELIVERED, .status = T("2.1.5") };
    assert_true(branch_settle(b));
    assert_int_equal(b->verdict, STORE_STORED);
    first_says(b, ALICE,
               "Original-Recipient: rfc822; carol@a.test\r\n"
               "Final-Recipient: rfc822; bob@b.test\r\nAction: delivered\r\n");
    s->row.notify = NOTIFY_FAILURE;
    assert_true(branch_settle(b));
    assert_int_equal(b->verdict, STORE_STORED);
    assert_int_equal(branch_count(b, ALICE), 1);
    s->row.notify = NOTIFY_SUCCESS;
    answer(b, OFFICE_TROUBLE);
    assert_true(branch_settle(b));
    assert_int_equal(b->verdict, STORE_REFUSED);
    assert_int_equal(branch_count(b, ALICE), 1);
    log_says(b, "report-dropped");
}

/* --- What is returned --- */

/* A letter with so many octets of header and body. */
static struct text long_letter(struct buffer *b, size_t header, size_t body)
{
    buffer_init(b, 4 << 20);
    buffer_text(b, T("Message-ID: <17@a.test>\r\n"));
    while (b->len < header)
        buffer_printf(b, "X-Long: %060d\r\n", 7);
    buffer_text(b, T("Subject: last\r\n\r\n"));
    for (size_t i = 0; i < body; i += 64)
        buffer_printf(b, "%062d\r\n", 9);
    assert_false(b->failed);
    return buffer_as_text(b);
}

/* As whoever read the queue knows it: with the place where it lies. */
static bool know_place(void *owner, const struct queue_item *item)
{
    struct branch *b = owner;
    if (item->row.message == b->item.row.message)
        b->item.content.place = item->content.place;
    return true;
}

static void test_what_is_returned(void **state)
{
    static const struct {
        size_t header, body;
        const char *ret;
        enum dsn_action action;
        const char *has, *lacks;
    } rows[] = {
        { 0, 100, "FULL", DSN_FAILED, "Subject: last\r\n\r\n000", "text/rfc822-headers" },
        { 0, 100, "full", DSN_FAILED, "Content-Type: message/rfc822\r\n", "rfc822-headers" },
        { 0, 100, "HDRS", DSN_FAILED, "Subject: last\r\n\r\n--", "message/rfc822" },
        { 0, 100, "", DSN_FAILED, "Subject: last\r\n\r\n--", "message/rfc822" },
        { 0, 100, "FULL", DSN_DELAYED, "Subject: last\r\n\r\n--", "message/rfc822" },
        { 0, 1 << 20, "FULL", DSN_FAILED, "Subject: last\r\n\r\n--", "message/rfc822" },
        { 0, (1 << 20) - 500, "FULL", DSN_FAILED, "\r\n\r\n0000", "text/rfc822-headers" },
        { 60000, 1 << 20, "HDRS", DSN_FAILED, "Subject: last\r\n\r\n--", "message/rfc822" },
        { 70000, 100, "HDRS", DSN_FAILED, "007\r\n\r\n--", "Subject: last" },
        { 70000, 100, "FULL", DSN_FAILED, "Subject: last\r\n\r\n0000", "text/rfc822-headers" },
    };
    struct branch *b = *state;
    for (mailbox_id i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct office_mailbox box = { 0x100 + i, TEXT("Alice@a.test"), TEXT("alice@a.test") };
        struct buffer content, mail;
        alice_is_here(b);
        b->answer.mailboxes = &box;
        struct text t = long_letter(&content, rows[i].header, rows[i].body);
        assert_true(branch_mail(b, "alice@a.test", t, to_bob));
        if (i % 2)
            assert_true(store_each_queued(b->store->path, know_place, b, &b->store->error));
        b->item.envelope.ret = text_of(rows[i].ret);
        b->recipients[0].told.action = rows[i].action;
        assert_true(branch_settle(b));
        assert_int_equal(b->verdict, STORE_STORED);
        first_says(b, box.mailbox, rows[i].has);
        assert_false(says(branch_first(b, box.mailbox, &mail), rows[i].lacks));
        buffer_clear(&mail);
        buffer_clear(&content);
    }
    world_is_whole(b->store);
}

/* Of a message that is gone, or that nobody names, nothing can be returned. */
static void test_nothing_to_return(void **state)
{
    struct branch *b = *state;
    for (mailbox_id i = 0; i < 2; i++) {
        struct office_mailbox box = { 0x100 + i, TEXT("Alice@a.test"), TEXT("alice@a.test") };
        alice_is_here(b);
        b->answer.mailboxes = &box;
        assert_true(branch_mail(b, "alice@a.test", letter, to_bob));
        b->item.content.message = i ? 0 : b->item.content.message + 77;
        assert_true(branch_settle(b));
        assert_int_equal(b->verdict, STORE_STORED);
        first_says(b, box.mailbox, " Below are the details for mail programs.\r\n");
    }
    queue_is(b, "");
}

/* Changes an octet of whatever holds the words in the journal. */
static void damage(struct branch *b, const char *words)
{
    char name[2 * SCRATCH_PATH + 300];
    static char segment[1 << 20];
    struct dirent *entry;
    bool done = false;
    snprintf(name, sizeof name, "%s/journal", b->store->path);
    DIR *folder = opendir(name);
    assert_non_null(folder);
    while (!done && (entry = readdir(folder))) {
        snprintf(name, sizeof name, "%s/journal/%s", b->store->path, entry->d_name);
        int file = open(name, O_RDWR);
        ssize_t len = file >= 0 ? pread(file, segment, sizeof segment, 0) : -1;
        char *at = len > 0 ? memmem(segment, (size_t)len, words, strlen(words)) : NULL;
        done = at && pwrite(file, "#", 1, at - segment) == 1;
        if (file >= 0)
            close(file);
    }
    closedir(folder);
    assert_true(done);
}

static void test_original_is_damaged(void **state)
{
    struct branch *b = *state;
    alice_is_here(b);
    assert_true(branch_mail(b, "alice@a.test", letter, to_bob));
    damage(b, "At five?");
    assert_true(branch_settle(b));
    assert_int_equal(b->verdict, STORE_STORED);
    assert_int_equal(b->error.kind, ERROR_NONE);
    first_says(b, ALICE, " Below are the details for mail programs.\r\n");
    queue_is(b, "");
}

/* --- Where it goes --- */

static const struct text eight_bit = TEXT("Subject: gr\xC3\xBC\xC3\x9F\x65\r\n\r\n\xC3\xBC\r\n");

static void test_sender_elsewhere(void **state)
{
    struct branch *b = *state;
    answer(b, OFFICE_FOREIGN);
    assert_true(branch_mail(b, "carol@d.test", eight_bit, to_bob));
    b->item.envelope.ret = T("FULL");
    assert_true(branch_settle(b));
    assert_int_equal(b->verdict, STORE_STORED);
    assert_int_equal(b->pokes, 1);
    queue_is(b, " to carol@d.test: 0 attempts, notify 1, last \"\"\n");
    world_is_whole(b->store);
    log_says(b, " queued ");
}

/* The queued report is ASCII, says who sends it, and needs no extension. */
static bool check_queued(void *owner, const struct queue_item *item)
{
    struct branch *b = owner;
    struct buffer mail;
    struct text t = branch_read(b, &item->content, &mail);
    assert_true(text_is_ascii(t));
    assert_true(says(t, "From: Mail Delivery System <postmaster@a.test>\r\n"));
    assert_true(says(t, "Content-Type: text/rfc822-headers\r\n"
                        "Content-Transfer-Encoding: quoted-printable\r\n"));
    assert_false(item->envelope.utf8);
    assert_int_equal(item->envelope.ret.len + item->envelope.envid.len, 0);
    assert_true(text_equal(item->row.domain, T("d.test")));
    assert_false(item->facts.eight_bit);
    assert_int_equal(item->facts.received, 0);
    buffer_clear(&mail);
    return true;
}

static void test_report_that_leaves(void **state)
{
    struct branch *b = *state;
    answer(b, OFFICE_FOREIGN);
    assert_true(branch_mail(b, "carol@d.test", eight_bit, to_bob));
    assert_true(branch_settle(b));
    assert_true(store_each_queued(b->store->path, check_queued, b, &b->store->error));
}

static bool wants_utf8(void *owner, const struct queue_item *item)
{
    assert_true(item->envelope.utf8);
    ++*(int *)owner;
    return true;
}

static void test_utf8_sender(void **state)
{
    struct branch *b = *state;
    int count = 0;
    answer(b, OFFICE_FOREIGN);
    assert_true(branch_mail(b, "jos\xC3\xA9@d.test", eight_bit, to_bob));
    b->item.envelope.utf8 = true;
    assert_true(branch_settle(b));
    assert_true(store_each_queued(b->store->path, wants_utf8, &count, &b->store->error));
    assert_int_equal(count, 1);
}

/* The sender is an alias for people here and elsewhere. */
static void test_sender_is_an_alias(void **state)
{
    static const struct office_mailbox boxes[] = {
        { ALICE, TEXT("alice@a.test"), TEXT("team@a.test") },
        { BOB, TEXT("bob@a.test"), TEXT("team@a.test") },
    };
    static const struct text remotes[] = { TEXT("x@d.test"), TEXT("y@e.test") };
    struct branch *b = *state;
    b->answer = (struct office_answer){ OFFICE_FOUND, boxes, 2, remotes, 2 };
    b->answers_later = true;
    assert_true(branch_mail(b, "team@c.test", eight_bit, to_bob));
    assert_true(branch_settle(b));
    assert_int_equal(branch_count(b, ALICE), 1);
    assert_int_equal(branch_count(b, BOB), 1);
    first_says(b, BOB,
               "Return-Path: <>\r\nDelivered-To: team@a.test\r\n"
               "From: Mail Delivery System <postmaster@c.test>\r\nTo: <team@c.test>\r\n");
    queue_is(b, " to x@d.test: 0 attempts, notify 1, last \"\"\n"
                " to y@e.test: 0 attempts, notify 1, last \"\"\n");
    assert_int_equal(b->pokes, 1);
    world_is_whole(b->store);
}

static void test_sender_is_nobody(void **state)
{
    static const struct {
        const char *sender;
        enum office_verdict verdict;
    } rows[] = {
        { "carol@a.test", OFFICE_UNKNOWN },
        { "postmaster@c.test", OFFICE_NOBODY },
        { "carol@a.test", OFFICE_FOUND }, /* an alias that leads nowhere */
        { "no address", OFFICE_TROUBLE }, /* which nobody asks about */
    };
    struct branch *b = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        answer(b, rows[i].verdict);
        assert_true(branch_mail(b, rows[i].sender, letter, to_bob));
        assert_true(branch_settle(b));
        assert_int_equal(b->verdict, STORE_STORED);
        assert_int_equal(b->error.kind, ERROR_NONE);
    }
    queue_is(b, "");
    log_says(b, "report-dropped");
}

/* --- Trouble --- */

/* Nothing may be sent twice, nothing may be lost: what failed waits, what was delivered is over. */
static void troubled(struct branch *b)
{
    b->recipients[1].row.state = QUEUE_DELIVERED;
    b->recipients[1].row.notify = NOTIFY_SUCCESS;
    b->recipients[1].told.action = DSN_RELAYED;
    b->recipients[2].row.state = QUEUE_WAITING;
    b->recipients[2].row.due_ms = 12345;
    b->recipients[2].row.warned = true;
    b->recipients[2].told.action = DSN_DELAYED;
    assert_true(branch_settle(b));
    assert_int_equal(b->verdict, STORE_STORED);
    assert_int_equal(b->error.kind, ERROR_TEMPORARY);
    queue_is(b, "alice@a.test to one@b.test: 3 attempts, notify 0, last \"550 5.1.1 no such "
                "user\"\nalice@a.test to three@b.test: 3 attempts, notify 0, last \"550 5.1.1 no "
                "such user\"\n");
    assert_int_equal(branch_count(b, ALICE), 0);
    world_is_whole(b->store);
}

static void test_directory_trouble(void **state)
{
    struct branch *b = *state;
    answer(b, OFFICE_TROUBLE);
    assert_true(branch_mail(b, "alice@a.test", letter, to_three));
    b->item.arrived_ms = clock_wall_ms();
    troubled(b);
    log_says(b, "report-dropped"); /* that of the one who was delivered */
}

static void test_report_is_refused(void **state)
{
    struct branch *b = *state;
    alice_is_here(b);
    assert_int_equal(world_deliver(b->store, ALICE, 1, 100), STORE_STORED);
    assert_int_equal(world_purge(b->store, ALICE), STORE_STORED);
    assert_true(branch_mail(b, "alice@a.test", letter, to_three));
    troubled(b);
}

struct due {
    int64_t from, to;
};

static bool check_due(void *owner, const struct queue_item *item)
{
    const struct due *due = owner;
    assert_true(item->row.due_ms >= due->from && item->row.due_ms <= due->to);
    return true;
}

static void test_put_back_for_a_while(void **state)
{
    struct branch *b = *state;
    answer(b, OFFICE_TROUBLE);
    assert_true(branch_mail(b, "alice@a.test", letter, to_bob));
    b->recipients[0].row.state = QUEUE_EXPIRED;
    b->recipients[0].row.attempts = 0;
    b->item.arrived_ms = clock_wall_ms();
    struct due due = { .from = clock_wall_ms() + SETTLE_AGAIN_MS };
    assert_true(branch_settle(b));
    due.to = clock_wall_ms() + SETTLE_AGAIN_MS;
    assert_true(store_each_queued(b->store->path, check_due, &due, &b->store->error));
    queue_is(b, "alice@a.test to bob@b.test: 0 attempts, notify 0, last \"550 5.1.1 no such "
                "user\"\n");
    log_says(b, "report-put-off");
}

static void test_put_back_not_for_ever(void **state)
{
    struct branch *b = *state;
    answer(b, OFFICE_TROUBLE);
    assert_true(branch_mail(b, "alice@a.test", letter, to_bob));
    b->recipients[0].row.state = QUEUE_EXPIRED;
    b->item.arrived_ms = clock_wall_ms() - INT64_C(11) * 24 * 3600 * 1000;
    assert_true(branch_settle(b));
    assert_int_equal(b->verdict, STORE_STORED);
    queue_is(b, "");
    log_says(b, "report-dropped");
}

/* Somebody has changed a row meanwhile: nothing counts, no report either. */
static void test_rows_are_refused(void **state)
{
    struct branch *b = *state;
    alice_is_here(b);
    assert_true(branch_mail(b, "alice@a.test", letter, to_three));
    b->recipients[1].row.generation = 7;
    assert_true(branch_settle(b));
    assert_int_equal(b->verdict, STORE_REFUSED);
    assert_int_equal(b->error.kind, ERROR_REFUSED);
    assert_int_equal(branch_count(b, ALICE), 0);
    struct buffer lines;
    assert_true(says(branch_queue(b, &lines), "alice@a.test to one@b.test: 0 attempts"));
    buffer_clear(&lines);
    world_is_whole(b->store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, branch_set_up, branch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_wants_it),
        cmocka_unit_test(test_nobody_to_tell),
        TEST(test_whole_report),
        TEST(test_what_it_says),
        TEST(test_one_report_for_a_transaction),
        TEST(test_without_rows),
        TEST(test_what_is_returned),
        TEST(test_nothing_to_return),
        TEST(test_original_is_damaged),
        TEST(test_sender_elsewhere),
        TEST(test_report_that_leaves),
        TEST(test_utf8_sender),
        TEST(test_sender_is_an_alias),
        TEST(test_sender_is_nobody),
        TEST(test_directory_trouble),
        TEST(test_report_is_refused),
        TEST(test_put_back_for_a_while),
        TEST(test_put_back_not_for_ever),
        TEST(test_rows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
