/* fuzz_masks.c - no secret is ever shown, by the server's log of its sessions or by the agent's
 * trace of his, whatever is said and however it comes.
 *
 * The first octet chooses the cut; the rest is what the client says.  The octet 0x01 is a secret
 * where it stands behind PASS, or behind the mechanism of AUTH, or in a line of an exchange, which
 * is one that begins with 0x02.
 */
#include "agent/trace.h"
#include "base/check.h"
#include "run/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SECRET = 1, OF_EXCHANGE = 2, SHOWN_MAX = 1 << 24 };

static size_t count_secrets(struct text t)
{
    size_t count = 0;
    for (size_t i = 0; i < t.len; i++)
        count += t.at[i] == SECRET;
    return count;
}

/* What of a whole line may be shown. */
static struct text open_part(struct text line)
{
    struct text rest = line, verb, mechanism;
    if (line.len && line.at[0] == OF_EXCHANGE)
        return T("");
    text_word(&rest, &verb);
    if (text_equal_nocase(verb, T("PASS")))
        return text_first(line, (size_t)(rest.at - line.at));
    if (text_equal_nocase(verb, T("AUTH")) && text_word(&rest, &mechanism))
        return text_first(line, (size_t)(rest.at - line.at));
    return line;
}

/* --- Who shows it --- */

static void shown(struct buffer *to, struct text line)
{
    CHECK(line.len <= WIRE_LINE_MAX);
    CHECK(buffer_text(to, line));
}

/* Stands for the log. */
void log_protocol(struct log *log, struct text session, enum log_from from, struct text words)
{
    (void)session, (void)from;
    shown((struct buffer *)(void *)log, words);
}

static void on_line(void *owner, enum trace_side side, enum trace_kind kind, struct text line)
{
    (void)side, (void)kind;
    shown(owner, line);
}

struct both {
    struct wire wire;
    struct trace_session trace;
};

/* What the server says is shown as it is, and printed it cannot harm a terminal. */
static void print(struct text line)
{
    char *printed = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&printed, &len);
    CHECK(file);
    line = text_first(line, TRACE_LINE_MAX);
    trace_print(file, TRACE_SERVER, TRACE_WORDS, line);
    fclose(file);
    CHECK(len > 0 && printed[len - 1] == '\n');
    for (size_t i = 0; i + 1 < len; i++)
        CHECK((uint8_t)printed[i] >= ' ' && printed[i] != 0x7F);
    free(printed);
}

static void say(struct both *b, struct text piece, bool secret)
{
    wire_add(&b->wire, LOG_CLIENT, secret ? WIRE_SECRET : WIRE_WORDS, bytes_of_text(piece));
    trace_said(&b->trace, secret ? TRACE_SECRET : TRACE_WORDS, bytes_of_text(piece));
    trace_drained(&b->trace, piece.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer logged, traced;
    struct both both;
    size_t open = 0;
    if (size == 0)
        return 0;
    struct text rest = { (const char *)data + 1, size - 1 }, line;
    struct trace to = { on_line, &traced };
    buffer_init(&logged, SHOWN_MAX);
    buffer_init(&traced, SHOWN_MAX);
    wire_init(&both.wire, (struct log *)(void *)&logged, T("s1"), WIRE_COMMANDS);
    trace_begin(&both.trace, &to);
    while (text_cut(&rest, '\n', &line)) {
        bool secret = line.len && line.at[0] == OF_EXCHANGE;
        open += count_secrets(open_part(line));
        print(line);
        line.len++;
        for (; line.len; line = text_skip(line, data[0] * 16u + 1))
            say(&both, text_first(line, data[0] * 16u + 1), secret);
    }
    CHECK(count_secrets(buffer_as_text(&logged)) <= open);
    CHECK(count_secrets(buffer_as_text(&traced)) <= open);
    wire_clear(&both.wire);
    trace_clear(&both.trace);
    buffer_clear(&logged);
    buffer_clear(&traced);
    return 0;
}
