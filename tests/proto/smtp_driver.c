/* smtp_driver.c - a driver of the SMTP machine in memory, whose decisions follow from the names. */
#include "smtp_driver.h"

#include "base/check.h"

enum { WORDS_SHOWN_MAX = 60 };

void driver_init(struct driver *d)
{
    *d = (struct driver){ 0 };
    buffer_init(&d->scratch, 1 << 24);
}

void driver_clear(struct driver *d)
{
    buffer_clear(&d->scratch);
}

static const struct smtp_answer accept_it = { .verdict = SMTP_ACCEPT };
static const struct smtp_answer defer_it = { .verdict = SMTP_DEFER };
static const struct smtp_answer reject_it = { .verdict = SMTP_REJECT };

static bool is_named(const struct address *a, const char *name)
{
    return text_equal(address_local(a), text_of(name));
}

static struct smtp_answer answer_sender(const struct smtp_step *step)
{
    if (is_named(step->address, "nosuch"))
        return (struct smtp_answer){ SMTP_REJECT, 553, "5.1.0", T("no such user: nosuch") };
    return is_named(step->address, "slow") ? defer_it : accept_it;
}

static struct smtp_answer answer_recipient(const struct smtp_step *step)
{
    if (is_named(step->address, "rude"))
        return (struct smtp_answer){ SMTP_REJECT, 550, NULL, T("\x1b[2J\r 250 ok \xe2\x80\xae") };
    if (is_named(step->address, "nosuch"))
        return reject_it;
    return is_named(step->address, "slow") ? defer_it : accept_it;
}

static struct smtp_answer answer_open(const struct smtp_step *step)
{
    if (is_named(step->address, "banned"))
        return reject_it;
    return is_named(step->address, "full") ? defer_it : accept_it;
}

static struct smtp_answer answer_commit(struct driver *d, const struct smtp_step *step)
{
    if (is_named(step->address, "gone"))
        return (struct smtp_answer){ .verdict = SMTP_VANISH };
    if (is_named(step->address, "late"))
        return defer_it;
    if (is_named(step->address, "spam"))
        return reject_it;
    buffer_printf(&d->scratch, "accepted as M%u", ++d->messages);
    return (struct smtp_answer){ SMTP_ACCEPT, 250, "2.0.0", buffer_as_text(&d->scratch) };
}

static struct smtp_answer answer_verify(const struct smtp_step *step)
{
    if (text_equal(step->words, T("bob")))
        return (struct smtp_answer){ .verdict = SMTP_ACCEPT, .words = T("<bob@example.org>") };
    if (text_equal(step->words, T("jose")))
        return (struct smtp_answer){ .verdict = SMTP_ACCEPT,
                                     .words = T("<jos\xc3\xa9@example.org>") };
    return text_equal(step->words, T("slow")) ? defer_it : reject_it;
}

static struct smtp_answer answer_expand(struct driver *d, const struct smtp_step *step)
{
    unsigned targets = 0;
    if (text_equal(step->words, T("friends")))
        return (struct smtp_answer){ .verdict = SMTP_ACCEPT,
                                     .words = T("<bob@example.org>\n<jos\xc3\xa9@example.org>") };
    if (text_equal(step->words, T("staff")))
        targets = 3;
    else if (text_equal(step->words, T("horde")))
        targets = 20000;
    else
        return text_equal(step->words, T("slow")) ? defer_it : reject_it;
    for (unsigned i = 1; i <= targets; i++)
        buffer_printf(&d->scratch, "%s<user%u@example.org>", i > 1 ? "\n" : "", i);
    return (struct smtp_answer){ .verdict = SMTP_ACCEPT, .words = buffer_as_text(&d->scratch) };
}

static struct smtp_answer ask_for(const char *words)
{
    return (struct smtp_answer){ .verdict = SMTP_CONTINUE, .words = text_of(words) };
}

static struct smtp_answer answer_plain(const struct driver *d, const struct smtp_step *step)
{
    if (d->auth_steps == 1 && !step->initial)
        return ask_for("");
    if (text_equal(step->words, T("\0slow\0secret")))
        return defer_it;
    return text_equal(step->words, T("\0bob\0secret")) ? accept_it : reject_it;
}

static struct smtp_answer answer_login(struct driver *d, const struct smtp_step *step)
{
    if (d->auth_steps == 1 && !step->initial)
        return ask_for("Username:");
    if (d->auth_steps == 1)
        d->auth_steps = 2;
    if (d->auth_steps == 2) {
        d->auth_knows_bob = text_equal(step->words, T("bob"));
        return ask_for("Password:");
    }
    return d->auth_knows_bob && text_equal(step->words, T("secret")) ? accept_it : reject_it;
}

static struct smtp_answer answer_auth(struct driver *d, const struct smtp_step *step)
{
    if (step->mechanism.len) {
        d->auth_steps = 0;
        d->auth_is_login = text_equal(step->mechanism, T("LOGIN"));
    }
    d->auth_steps++;
    return d->auth_is_login ? answer_login(d, step) : answer_plain(d, step);
}

struct smtp_answer driver_answer(struct driver *d, const struct smtp_server *server,
                                 const struct smtp_step *step)
{
    buffer_clear(&d->scratch);
    switch (step->kind) {
    case SMTP_CHECK_SENDER:
        CHECK(step->mail == smtp_server_mail(server));
        return answer_sender(step);
    case SMTP_CHECK_RECIPIENT:
        return answer_recipient(step);
    case SMTP_VERIFY:
        return answer_verify(step);
    case SMTP_EXPAND:
        return answer_expand(d, step);
    case SMTP_AUTH_STEP:
        return answer_auth(d, step);
    case SMTP_OPEN_MESSAGE:
        CHECK(smtp_server_recipient_count(server) > 0);
        return answer_open(step);
    default:
        CHECK(step->kind == SMTP_COMMIT_MESSAGE);
        return answer_commit(d, step);
    }
}

/* ---- telling ---- */

void driver_show(struct text t, struct buffer *b)
{
    static const char names[] = { ['\r'] = 'r', ['\n'] = 'n', ['\\'] = '\\', [0] = '0' };
    for (size_t i = 0; i < t.len; i++) {
        uint8_t c = (uint8_t)t.at[i];
        if (c == '\r' || c == '\n' || c == '\\' || c == 0)
            buffer_printf(b, "\\%c", names[c]);
        else if (c < ' ' || c >= 0x7F || (c == ' ' && i + 1 == t.len))
            buffer_printf(b, "\\x%02x", c);
        else
            buffer_byte(b, c);
    }
}

static void describe_mail(const struct smtp_mail *mail, struct buffer *b)
{
    if (mail->size)
        buffer_printf(b, " size=%llu", (unsigned long long)mail->size);
    if (mail->body == SMTP_BODY_8BITMIME)
        buffer_text(b, T(" 8bitmime"));
    if (mail->body == SMTP_BODY_BINARYMIME)
        buffer_text(b, T(" binarymime"));
    if (mail->smtputf8)
        buffer_text(b, T(" smtputf8"));
    if (mail->requiretls)
        buffer_text(b, T(" requiretls"));
    if (mail->has_auth) {
        buffer_text(b, T(" auth="));
        driver_show(mail->auth, b);
    }
    if (mail->ret.len)
        buffer_printf(b, " ret=%.*s", TEXT_ARGS(mail->ret));
    if (mail->envid.len)
        buffer_printf(b, " envid=%.*s", TEXT_ARGS(mail->envid));
}

static void describe_notify(unsigned notify, struct buffer *b)
{
    static const char *const words[] = { "never", "success", "failure", "delay" };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (notify & 1u << i)
            buffer_printf(b, " %s", words[i]);
}

static void describe_rcpt(const struct smtp_rcpt *rcpt, struct buffer *b)
{
    if (rcpt->notify)
        buffer_text(b, T(" notify"));
    describe_notify(rcpt->notify, b);
    if (rcpt->orcpt.len) {
        buffer_text(b, T(" orcpt="));
        driver_show(text_first(rcpt->orcpt, WORDS_SHOWN_MAX), b);
    }
}

static const char *const names[] = {
    [SMTP_CHECK_SENDER] = "sender",   [SMTP_CHECK_RECIPIENT] = "recipient",
    [SMTP_VERIFY] = "verify",         [SMTP_EXPAND] = "expand",
    [SMTP_AUTH_STEP] = "auth",        [SMTP_OPEN_MESSAGE] = "open",
    [SMTP_COMMIT_MESSAGE] = "commit", [SMTP_ABANDON_MESSAGE] = "abandon",
    [SMTP_FORGET] = "forget",         [SMTP_START_TLS] = "start tls",
    [SMTP_CLOSE] = "close",
};

void driver_describe(const struct smtp_step *step, struct buffer *b)
{
    buffer_text(b, text_of(names[step->kind]));
    if (step->kind == SMTP_CHECK_SENDER || step->kind == SMTP_CHECK_RECIPIENT) {
        buffer_byte(b, ' ');
        driver_show(step->address->len ? address_text(step->address) : T("<>"), b);
    }
    if (step->kind == SMTP_CHECK_SENDER)
        describe_mail(step->mail, b);
    if (step->kind == SMTP_CHECK_RECIPIENT)
        describe_rcpt(step->rcpt, b);
    if (step->kind == SMTP_AUTH_STEP) {
        buffer_text(b, step->mechanism.len ? T(" ") : T(" response"));
        driver_show(step->mechanism, b);
        if (step->initial)
            buffer_text(b, T(" initial"));
    }
    if (step->words.len) {
        buffer_byte(b, ' ');
        driver_show(text_first(step->words, WORDS_SHOWN_MAX), b);
    }
    if (step->words.len > WORDS_SHOWN_MAX)
        buffer_printf(b, "... %zu octets", step->words.len);
    if (step->kind == SMTP_COMMIT_MESSAGE)
        buffer_printf(b, " %llu octets", (unsigned long long)step->facts->octets);
}
