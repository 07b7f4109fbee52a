/* fuzz_posting.c - a file of the spool: what is read from it can do no harm in commands and
 * headers, and written again it is the same posting. */
#include "base/check.h"
#include "mail/address.h"
#include "mail/posting.h"

#include <string.h>

enum { ARENA_MAX = 16 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        CHECK((uint8_t)t.at[i] >= ' ' && t.at[i] != 0x7F);
}

static void check_texts(const struct posting *p, struct arena *arena)
{
    struct text whole;
    check_clean(p->sender);
    check_clean(p->name);
    check_clean(p->ret);
    check_clean(p->envid);
    CHECK(p->to_count > 0 && p->to_count <= POSTING_RECIPIENTS_MAX);
    for (size_t i = 0; i < p->to_count; i++) {
        check_clean(p->to[i]);
        if (posting_address(p->to[i], T("mx.example.org"), arena, &whole))
            check_clean(whole);
    }
}

/* Lines end with CRLF, and neither octet stands elsewhere. */
static void check_lines(struct text content)
{
    CHECK(content.len == 0 || content.at[content.len - 1] == '\n');
    for (size_t i = 0; i < content.len; i++) {
        bool cr = content.at[i] == '\r', lf = content.at[i] == '\n';
        CHECK(!cr || (i + 1 < content.len && content.at[i + 1] == '\n'));
        CHECK(!lf || (i > 0 && content.at[i - 1] == '\r'));
    }
}

static void check_content(const struct posting *p)
{
    struct buffer out;
    struct posting_facts facts;
    buffer_init(&out, POSTING_GROWS * p->content.len + POSTING_ADDED_MAX);
    CHECK(posting_content(p, T("user@mx.example.org"), &out, &facts));
    check_lines(buffer_as_text(&out));
    CHECK(facts.eight_bit == !text_is_ascii(buffer_as_text(&out)));
    buffer_clear(&out);
}

static void check_again(const struct posting *p, struct arena *arena)
{
    struct buffer file;
    struct posting again;
    const char *why;
    buffer_init(&file, 2 * POSTING_HEAD_MAX + p->content.len);
    CHECK(posting_write_head(p, T("again"), &file));
    CHECK(buffer_text(&file, p->content));
    CHECK(posting_read(buffer_as_text(&file), T("again"), arena, &again, &why) == POSTING_OK);
    CHECK(again.has_sender == p->has_sender && text_equal(again.sender, p->sender));
    CHECK(again.has_user == p->has_user && again.user == p->user && again.since_ms == p->since_ms &&
          again.notify == p->notify);
    CHECK(text_equal(again.name, p->name) && text_equal(again.content, p->content));
    CHECK(text_equal(again.ret, p->ret) && text_equal(again.envid, p->envid));
    CHECK(again.to_count == p->to_count);
    for (size_t i = 0; i < p->to_count; i++)
        CHECK(text_equal(again.to[i], p->to[i]));
    buffer_clear(&file);
}

/* As sendmail -t reads a message. */
static void check_header(struct text message, struct arena *arena)
{
    struct posting p = { .content = message };
    struct text field;
    posting_add_header(&p, arena, &field);
    for (size_t i = 0; i < p.to_count; i++)
        check_clean(p.to[i]);
    posting_set_name(&p, arena, message);
    check_clean(p.name);
    check_content(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text file = { (const char *)data, size };
    struct posting p;
    struct arena arena;
    const char *why;
    arena_init(&arena, ARENA_MAX);
    if (posting_read(file, T("fuzz"), &arena, &p, &why) == POSTING_OK) {
        check_texts(&p, &arena);
        check_content(&p);
        check_again(&p, &arena);
    } else {
        CHECK(why[0]);
    }
    check_header(file, &arena);
    arena_reset(&arena);
    return 0;
}
