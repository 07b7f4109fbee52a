/* test_log.c - lines of the log, the rings, and the thread that writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "base/escape.h"
#include "run/log.h"
#include "run/log_inner.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIME_WORDS "2026-11-21T07:41:27.123Z"

static void check_event(const struct log_line *line, const struct log_field *field,
                        const char *expected)
{
    struct buffer b;
    buffer_init(&b, 1000);
    assert_true(log_line_event(&b, line, "accepted", (struct log_fields){ field, 1 }));
    assert_int_equal(b.len, strlen(expected));
    assert_memory_equal(b.at, expected, b.len);
    buffer_clear(&b);
}

static void test_events(void **state)
{
    (void)state;
    static const struct {
        struct text value;
        const char *text, *json;
    } cases[] = {
        { TEXT("plain"), "plain", "plain" },
        { TEXT(""), "\"\"", "" },
        { TEXT("two words"), "\"two words\"", "two words" },
        { TEXT("a=b"), "\"a=b\"", "a=b" },
        { TEXT("say \"hi\""), "\"say \\\"hi\\\"\"", "say \\\"hi\\\"" },
        { TEXT("back\\slash"), "back\\\\slash", "back\\\\\\\\slash" },
        { TEXT("\\\""), "\"\\\\\\\"\"", "\\\\\\\\\\\"" },
        { TEXT("evil\r\nline"), "evil\\x0D\\x0Aline", "evil\\\\x0D\\\\x0Aline" },
        { TEXT("\x1B[2J\0"), "\\x1B[2J\\x00", "\\\\x1B[2J\\\\x00" },
        { TEXT("M\xC3\xBCller"), "M\xC3\xBCller", "M\xC3\xBCller" },
        { TEXT("\xFF\xC3"), "\\xFF\\xC3", "\\\\xFF\\\\xC3" },
        { TEXT("\xE2\x80\xAE"), "\\u{202E}", "\\\\u{202E}" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct log_line line = { .time = TEXT(TIME_WORDS), .session = TEXT("s1") };
        const struct log_field field = { "from", cases[i].value };
        char expected[300];
        snprintf(expected, sizeof expected, TIME_WORDS " s1 accepted from=%s\n", cases[i].text);
        check_event(&line, &field, expected);
        line.format = LOG_JSON;
        snprintf(expected, sizeof expected,
                 "{\"time\":\"" TIME_WORDS "\",\"session\":\"s1\",\"level\":\"error\","
                 "\"event\":\"accepted\",\"from\":\"%s\"}\n",
                 cases[i].json);
        check_event(&line, &field, expected);
    }
}

static void test_kinds_of_lines(void **state)
{
    (void)state;
    static const struct log_field words = { "", TEXT("MAIL FROM:<\"a\"@b.test> \xFF") };
    static const struct {
        struct log_line line; /* for protocol lines the level is who speaks */
        bool event;
        const char *expected;
    } cases[] = {
        { { LOG_TEXT, false, TEXT("T"), TEXT("") }, true, "T - accepted =\"MAIL FROM:<" },
        { { LOG_TEXT, true, TEXT("T"), TEXT("s"), LOG_ERROR }, true, "<3>T s accepted =\"MAIL" },
        { { LOG_TEXT, true, TEXT("T"), TEXT("s"), LOG_INFO }, true, "<6>T s accepted =\"MAIL" },
        { { LOG_JSON, true, TEXT("T"), TEXT("s"), LOG_WARNING },
          true,
          "<4>{\"time\":\"T\",\"session\":\"s\",\"level\":\"warning\",\"event\":\"accepted\"," },
        { { LOG_TEXT, false, TEXT("T"), TEXT("s"), (enum log_level)LOG_SERVER },
          false,
          "T s -> MAIL FROM:<\"a\"@b.test> \\xFF\n" },
        { { LOG_TEXT, true, TEXT("T"), TEXT("s"), (enum log_level)LOG_CLIENT },
          false,
          "<7>T s <- MAIL FROM:<\"a\"@b.test> \\xFF\n" },
        { { LOG_JSON, false, TEXT("T"), TEXT("s"), (enum log_level)LOG_CLIENT },
          false,
          "{\"time\":\"T\",\"session\":\"s\",\"from\":\"client\","
          "\"line\":\"MAIL FROM:<\\\"a\\\"@b.test> \\\\xFF\"}\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct log_fields fields = { &words, 1 };
        struct buffer b;
        buffer_init(&b, 1000);
        if (cases[i].event)
            assert_true(log_line_event(&b, &cases[i].line, "accepted", fields));
        else
            assert_true(log_line_protocol(&b, &cases[i].line, (enum log_from)cases[i].line.level,
                                          words.value));
        assert_true(b.len >= strlen(cases[i].expected));
        assert_memory_equal(b.at, cases[i].expected, strlen(cases[i].expected));
        buffer_clear(&b);
    }
}

/* A parser that is not ours reads every octet, in a value of its own and in a context. */
static void test_any_octet_is_json(void **state)
{
    (void)state;
    for (int octet = 0; octet < 256; octet++) {
        const char words[] = { '"', (char)octet, (char)octet, '\\', (char)octet };
        const struct log_line line = { LOG_JSON, false, TEXT("T"), TEXT("s"), LOG_INFO };
        const struct log_field field = { "octet", { words, sizeof words } };
        struct buffer b, escaped;
        buffer_init(&b, 1000);
        buffer_init(&escaped, 1000);
        assert_true(log_line_event(&b, &line, "e", (struct log_fields){ &field, 1 }));
        assert_true(escape_text(&escaped, field.value));
        json_t *read = json_loadb((const char *)b.at, b.len, 0, NULL);
        assert_non_null(read);
        const char *value = json_string_value(json_object_get(read, "octet"));
        assert_int_equal(strlen(value), escaped.len);
        assert_memory_equal(value, escaped.at, escaped.len);
        json_decref(read);
        buffer_clear(&b);
        buffer_clear(&escaped);
    }
}

/* Whatever the room, a line is whole or refused. */
static void test_a_line_without_room(void **state)
{
    (void)state;
    const struct log_line line = { LOG_JSON, true, TEXT(TIME_WORDS), TEXT("s\\"), LOG_INFO };
    const struct log_field field = { "from", TEXT("\"quoted\" \\ \xFF") };
    struct buffer b;
    size_t whole = 0;
    for (size_t max = 1; whole == 0; max++) {
        buffer_init(&b, max);
        if (log_line_event(&b, &line, "e", (struct log_fields){ &field, 1 }))
            whole = b.len;
        assert_true(b.len <= max);
        assert_int_equal(b.failed, whole == 0);
        buffer_clear(&b);
        assert_true(max < 1000);
    }
}

/* The log as a whole */

static char folder[] = "/tmp/godwit-log-XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/log", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

static struct log *open_log(const char *file, unsigned rings)
{
    const struct log_options options = { file, LOG_TEXT, rings };
    struct log *log;
    struct error e;
    assert_true(log_new(&options, &log, &e));
    return log;
}

/* All that stands in the file, which is then removed; the caller's to free. */
static char *take_file(const char *name)
{
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    char *words = calloc(1, 8 * 1024 * 1024);
    size_t len = fread(words, 1, 8 * 1024 * 1024 - 1, file);
    assert_true(len < 8 * 1024 * 1024 - 1);
    fclose(file);
    unlink(name);
    return words;
}

static bool is_time(const char *at)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
    for (size_t i = 0; i < sizeof shape - 1; i++)
        if (shape[i] == 'd' ? !text_is_digit(at[i]) : at[i] != shape[i])
            return false;
    return true;
}

static void test_lines_reach_the_file(void **state)
{
    (void)state;
    struct error e;
    struct log *log = open_log(path, 2);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777 & ~0640, 0);
    LOG_EVENT(log, LOG_NOTICE, T(""), "starting", { "version", TEXT("1") }, { "pid", TEXT("7") });
    assert_true(log_start(log, &e));
    log_protocol(log, T("abc"), LOG_SERVER, T("220 mx.test"));
    log_event(log, LOG_INFO, T("abc"), "closed", LOG_NO_FIELDS);
    log_free(&log);
    assert_null(log);
    char *words = take_file(path), *rest = words;
    static const char *const lines[] = { "- starting version=1 pid=7", "abc -> 220 mx.test",
                                         "abc closed" };
    for (int i = 0; i < 3; i++) {
        const char *line = strsep(&rest, "\n");
        assert_true(is_time(line));
        assert_string_equal(line + 25, lines[i]);
    }
    assert_string_equal(rest, "");
    free(words);
}

static void test_lines_that_were_never_started(void **state)
{
    (void)state;
    struct log *log = open_log(path, 1);
    log_event(log, LOG_ERROR, T(""), "gave-up", LOG_NO_FIELDS);
    log_free(&log);
    char *words = take_file(path);
    assert_non_null(strstr(words, " - gave-up\n"));
    free(words);
}

static unsigned long lost_lines(const char *words)
{
    unsigned long lost = 0;
    const char *note = words;
    while ((note = strstr(note, "log-lines-lost lines="))) {
        note += strlen("log-lines-lost lines=");
        lost += strtoul(note, NULL, 10);
    }
    return lost;
}

static unsigned long count_of(const char *words, const char *what)
{
    unsigned long count = 0;
    while ((words = strstr(words, what))) {
        count++;
        words += strlen(what);
    }
    return count;
}

static void test_a_full_ring_drops_and_counts(void **state)
{
    (void)state;
    enum { LINES = 20000 };
    static char longer[1000];
    memset(longer, 'x', sizeof longer);
    struct log *log = open_log(path, 1); /* nobody empties it */
    for (int i = 0; i < LINES; i++)
        log_protocol(log, T("s"), LOG_CLIENT,
                     (struct text){ longer, i % 1000 ? 100 : sizeof longer });
    log_free(&log);
    char *words = take_file(path);
    unsigned long kept = count_of(words, " s <- x"), lost = lost_lines(words);
    assert_true(kept > 5000);
    assert_true(lost > 0);
    assert_int_equal(kept + lost, LINES);
    free(words);
}

enum { WRITERS = 3, WRITTEN = 4000 };
static struct log *shared_log;

static void *write_many(void *argument)
{
    unsigned me = *(unsigned *)argument;
    char session[8], number[16];
    if (me < WRITERS - 1) /* the last one has no ring of its own */
        log_use_ring(shared_log, me);
    snprintf(session, sizeof session, "w%u", me);
    for (unsigned i = 0; i < WRITTEN; i++) {
        snprintf(number, sizeof number, "%u", i);
        LOG_EVENT(shared_log, LOG_INFO, text_of(session), "counted", { "n", text_of(number) });
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    struct error e;
    pthread_t threads[WRITERS];
    unsigned names[WRITERS], next[WRITERS] = { 0 };
    shared_log = open_log(path, WRITERS);
    assert_true(log_start(shared_log, &e));
    for (unsigned i = 0; i < WRITERS; i++) {
        names[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &names[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    log_free(&shared_log);
    char *words = take_file(path), *rest = words;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        unsigned who, number;
        assert_int_equal(sscanf(line + 25, "w%u counted n=%u", &who, &number), 2);
        assert_true(who < WRITERS);
        assert_int_equal(number, next[who]++);
    }
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(next[i], WRITTEN);
    free(words);
}

static void test_reopening(void **state)
{
    (void)state;
    struct error e;
    char old[80], missing[80];
    snprintf(old, sizeof old, "%s.1", path);
    snprintf(missing, sizeof missing, "%s/none/log", folder);
    struct log *log = open_log(path, 1);
    log_event(log, LOG_INFO, T(""), "before", LOG_NO_FIELDS);
    rename(path, old);
    struct log_options options = { missing, LOG_JSON, 1 };
    assert_false(log_reopen(log, &options, &e)); /* the old one stays */
    assert_non_null(strstr(e.words, missing));
    options.file = path;
    assert_true(log_reopen(log, &options, &e));
    assert_true(log_reopen(log, &options, &e)); /* before the writer has seen the first */
    log_event(log, LOG_INFO, T(""), "after", LOG_NO_FIELDS);
    assert_true(log_start(log, &e));
    log_free(&log);
    char *words = take_file(path);
    assert_non_null(strstr(words, " - before\n{\"time\":")); /* it had not been written yet */
    assert_non_null(strstr(words, "\"event\":\"after\"}\n"));
    free(words);
    free(take_file(old));
}

/* A full disk loses lines and nothing else. */
static void test_a_file_that_takes_nothing(void **state)
{
    (void)state;
    struct error e;
    struct log *log = open_log("/dev/full", 1);
    log_event(log, LOG_INFO, T(""), "lost", LOG_NO_FIELDS);
    assert_true(log_start(log, &e));
    log_event(log, LOG_INFO, T(""), "lost", LOG_NO_FIELDS);
    log_free(&log);
}

static void test_standard_error(void **state)
{
    (void)state;
    for (int journal = 0; journal < 2; journal++) {
        int ends[2], before = dup(STDERR_FILENO);
        assert_int_equal(pipe(ends), 0);
        dup2(ends[1], STDERR_FILENO);
        close(ends[1]);
        struct stat status;
        fstat(STDERR_FILENO, &status);
        char stream[64];
        snprintf(stream, sizeof stream, "%lu:%lu", (unsigned long)status.st_dev,
                 (unsigned long)status.st_ino + !journal); /* or that of somebody else */
        setenv("JOURNAL_STREAM", stream, 1);
        struct log *log = open_log("", 1);
        log_event(log, LOG_WARNING, T(""), "careful", LOG_NO_FIELDS);
        log_free(&log);
        dup2(before, STDERR_FILENO);
        close(before);
        unsetenv("JOURNAL_STREAM");
        char got[200] = { 0 };
        assert_true(read(ends[0], got, sizeof got - 1) > 0);
        close(ends[0]);
        assert_memory_equal(got, "<4>", journal ? 3 : 0);
        assert_true(is_time(got + (journal ? 3 : 0)));
    }
}

/* --- Several rings, one log --- */

static void add_piece(void *owner, struct bytes lines)
{
    assert_true(buffer_append(owner, lines.at, lines.len));
    assert_int_equal(lines.at[lines.len - 1], '\n');
}

/* Each word is "T:x": a line x of millisecond T. */
static void fill_stretch(struct log_stretch *stretch, const char *words)
{
    struct text rest = text_of(words), word, line;
    log_stretch_init(stretch);
    while (text_word(&rest, &word)) {
        uint64_t ms;
        text_cut(&word, ':', &line);
        assert_true(text_to_u64(line, &ms));
        log_stretch_mark(stretch, (int64_t)ms, stretch->lines.len);
        assert_true(buffer_printf(&stretch->lines, "%.*s\n", TEXT_ARGS(word)));
    }
}

static void test_rings_are_merged_by_time(void **state)
{
    (void)state;
    static const struct {
        const char *rings[3], *expected;
    } cases[] = {
        { { "", "", "" }, "" },
        { { "1:a 1:b 2:c", "", "" }, "abc" },
        { { "", "1:a 3:b", "2:c 4:d" }, "acbd" },
        { { "2:a", "2:b", "2:c" }, "abc" },
        { { "2:a 2:b 5:c 5:d", "2:e 4:f", "1:g 9:h" }, "gabefcdh" },
        { { "9:a 3:b 10:c", "9:d 10:e", "" }, "abdce" }, /* a clock that was set back */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static struct log_stretch stretches[3];
        struct log_stretch *all[3];
        struct buffer got;
        char words[32] = "";
        for (size_t j = 0; j < 3; j++) {
            all[j] = &stretches[j];
            fill_stretch(all[j], cases[i].rings[j]);
        }
        buffer_init(&got, 1000);
        log_merge(all, 3, add_piece, &got);
        for (size_t j = 0; j < got.len; j += 2)
            words[j / 2] = (char)got.at[j];
        assert_string_equal(words, cases[i].expected);
        assert_int_equal(log_count_lines(buffer_bytes(&got)), strlen(words));
        buffer_clear(&got);
        for (size_t j = 0; j < 3; j++)
            log_stretch_empty(all[j], 0);
    }
}

/* More than is gathered, more times than are remembered: nothing is lost. */
static void test_long_stretches_are_merged_whole(void **state)
{
    (void)state;
    enum { LINES = 20000 };
    static struct log_stretch stretches[2];
    struct log_stretch *all[2] = { &stretches[0], &stretches[1] };
    struct buffer got;
    unsigned next[2] = { 0 };
    for (unsigned j = 0; j < 2; j++) {
        log_stretch_init(all[j]);
        for (unsigned i = 0; i < LINES; i++) {
            log_stretch_mark(all[j], i, all[j]->lines.len);
            assert_true(buffer_printf(&all[j]->lines, "%c ring, line %u\n", 'a' + (int)j, i));
        }
    }
    buffer_init(&got, 2 << 20);
    log_merge(all, 2, add_piece, &got);
    struct text rest = buffer_as_text(&got), line;
    while (rest.len > 0 && text_cut(&rest, '\n', &line)) {
        char expected[32];
        unsigned j = (unsigned)(line.at[0] - 'a');
        int len = snprintf(expected, sizeof expected, "%c ring, line %u", 'a' + (int)j, next[j]++);
        assert_true(text_equal(line, (struct text){ expected, (size_t)len }));
    }
    assert_int_equal(next[0], LINES);
    assert_int_equal(next[1], LINES);
    buffer_clear(&got);
    log_stretch_empty(all[0], 0);
    log_stretch_empty(all[1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rings_are_merged_by_time),
        cmocka_unit_test(test_long_stretches_are_merged_whole),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_kinds_of_lines),
        cmocka_unit_test(test_any_octet_is_json),
        cmocka_unit_test(test_a_line_without_room),
        cmocka_unit_test(test_lines_reach_the_file),
        cmocka_unit_test(test_lines_that_were_never_started),
        cmocka_unit_test(test_a_full_ring_drops_and_counts),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_reopening),
        cmocka_unit_test(test_a_file_that_takes_nothing),
        cmocka_unit_test(test_standard_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
