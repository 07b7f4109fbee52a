/* test_sink.c - the words of hosts with a fault, and who has waited long enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "lab/greylist.h"
#include "lab/sink.h"

#include <stdio.h>
#include <string.h>

/* What a client says, a line each, "=" is the end of content; and the first digit of each reply:
 * '.' none, '-' none and hangs up, '!' behind a reply: hangs up. */
static const struct {
    enum fault_kind fault;
    const char *client, *server;
} dialogues[] = {
    { FAULT_LIAR, "EHLO c\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n=\nQUIT\n",
      "22223"
      "2"
      "2!" },
    { FAULT_BUSY, "", "4!" },
    { FAULT_SILENT, "EHLO c\nQUIT\n", "..." },
    { FAULT_REFUSE, "helo c\nmail from:<>\nrcpt to:<c@d>\nDATA\nNOOP\n",
      "222"
      "5"
      "5"
      "2" },
    { FAULT_DEFER, "EHLO c\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n=\nRSET\nDATA\n", "22223425" },
    { FAULT_CUT, "EHLO c\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n=\n", "22223-" },
    { FAULT_LIAR, "BDAT 5\n\nVRFY\n", "2555" },
};

static void note(enum sink_then then, struct buffer *reply, char *out)
{
    bool hangs_up = then == SINK_CLOSE;
    size_t at = strlen(out);
    if (reply->len == 0) {
        out[at++] = hangs_up ? '-' : '.';
    } else {
        out[at++] = (char)reply->at[0];
        assert_memory_equal(reply->at + reply->len - 2, "\r\n", 2);
        if (hangs_up)
            out[at++] = '!';
    }
    out[at] = '\0';
    assert_false(reply->failed);
    buffer_clear(reply);
}

static void test_dialogues(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof dialogues / sizeof *dialogues; i++) {
        struct sink s = { .fault = dialogues[i].fault, .host = T("mx.test") };
        struct text rest = text_of(dialogues[i].client), line;
        char said[32] = "";
        struct buffer reply;
        buffer_init(&reply, 4096);
        note(sink_greet(&s, &reply), &reply, said);
        while (text_cut(&rest, '\n', &line)) {
            bool content = text_equal(line, T("="));
            enum sink_then then =
                content ? sink_content_ended(&s, &reply) : sink_line(&s, line, &reply);
            assert_int_equal(then == SINK_CONTENT, reply.len > 0 && reply.at[0] == '3');
            note(then, &reply, said);
        }
        print_message("%s: %s\n", fault_name(s.fault), said);
        assert_string_equal(said, dialogues[i].server);
    }
}

static void test_greylist(void **state)
{
    (void)state;
    static struct greylist g;
    g.key = 7;
    assert_false(greylist_passes(&g, T("<a@b>"), T("<c@d>"), 1000, 500));
    assert_false(greylist_passes(&g, T("<a@b>"), T("<c@d>"), 1499, 500));
    assert_false(greylist_passes(&g, T("<c@d>"), T("<a@b>"), 1500, 500));
    assert_true(greylist_passes(&g, T("<A@b>"), T("<c@D>"), 1500, 500));
    assert_true(greylist_passes(&g, T("<x@b>"), T("<c@d>"), 1500, 0));
    /* the oldest is forgotten */
    for (int i = 0; i < GREYLIST_PAIRS_MAX; i++) {
        char name[16];
        struct text sender = { name, (size_t)snprintf(name, sizeof name, "<%d>", i) };
        assert_false(greylist_passes(&g, sender, T("<c@d>"), 2000, 500));
    }
    assert_false(greylist_passes(&g, T("<a@b>"), T("<c@d>"), 3000, 500));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialogues),
        cmocka_unit_test(test_greylist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
