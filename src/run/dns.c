/* dns.c - questions from the loops to the resolver library, and their answers home.
 *
 * A thread of ours owns the library: only it asks, collects answers and gives up waiting.  The
 * loops leave their questions in a list and wake the thread; an answer travels by loop_post().  The
 * library works in a thread of its own that is started with the first question.
 *
 *     loop: dns_ask     -> asked -+
 *                                 v
 *     thread:                   held     (while AUTO has not heard of the root yet)
 *                                 v
 *                               sent     -> library -> answer, or too late
 *                                                        |
 *     loop: done        <-  post  <----------------------+
 *
 * A question outlives a query that is cancelled, and is freed where it turns up next.
 */
#include "run/dns_inner.h"

#include "base/check.h"
#include "run/clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unbound.h>
#include <unistd.h>

enum {
    CLASS_IN = 1,
    TYPE_DNSKEY = 48,
    HOLD_MS = 3000,            /* how long the first questions wait for the root's answer */
    ROOT_AGAIN_MIN_MS = 60000, /* doubled with each silence */
    ROOT_AGAIN_MAX_MS = 3600000,
};

static const uint64_t never = UINT64_MAX;

enum mode {
    MODE_PLAIN,      /* decided: answers are not validated */
    MODE_VALIDATING, /* decided: they are */
    MODE_ASKING,     /* AUTO: the root has been asked; plain when it takes long */
    MODE_UNHEARD,    /* AUTO: nobody answered; plain, and asked again at root_again_ms */
};

struct dns {
    struct dns_library lib;
    int wake; /* an eventfd */
    pthread_t thread;
    atomic_bool validates;

    pthread_mutex_t lock; /* guards the next three and the asker of every question */
    struct list asked;
    size_t open; /* questions that are not answered, cancelled ones too */
    bool stopping;

    /* The thread's own. */
    struct ub_ctx *plain;
    struct ub_ctx *validating;
    enum mode mode;
    struct list held;
    struct list sent; /* the oldest first, hence by due_ms */
    uint64_t hold_until_ms;
    uint64_t root_again_ms;
    uint64_t root_wait_ms;
};

struct question {
    struct list link;
    struct dns *dns;
    struct dns_query *asker; /* NULL: cancelled */
    struct loop *home;
    struct post post;
    struct dns_query answer; /* collected here: the asker's memory is the loop's */
    struct ub_ctx *context;
    int id; /* of the library */
    uint64_t due_ms;
    char name[DNS_NAME_MAX + 1];
};

/* On the loop */

static void hand_over(struct dns_query *q, const struct dns_query *answer)
{
    q->verdict = answer->verdict;
    q->secure = answer->secure;
    q->bogus = answer->bogus;
    q->records = answer->records;
    q->record_count = answer->record_count;
    q->ttl_s = answer->ttl_s;
    memcpy(q->canonical, answer->canonical, sizeof q->canonical);
    memcpy(q->words, answer->words, sizeof q->words);
}

static void question_free(struct question *question)
{
    dns_query_clear(&question->answer);
    free(question);
}

static void come_home(struct post *post)
{
    struct question *question = OWNER_OF(post, struct question, post);
    struct dns_query *asker = question->asker;
    if (asker) {
        hand_over(asker, &question->answer);
        question->answer.records = NULL;
        asker->inner = NULL;
    }
    question_free(question);
    if (asker)
        asker->done(asker);
}

static struct question *question_new(struct dns *dns, struct dns_query *q)
{
    struct question *question = calloc(1, sizeof *question);
    if (!question)
        return NULL;
    question->dns = dns;
    question->asker = q;
    question->home = q->home;
    question->due_ms = clock_monotonic_ms() + DNS_ANSWER_MS;
    snprintf(question->name, sizeof question->name, "%s", q->name);
    question->answer.name = question->name;
    question->answer.type = q->type;
    question->post.run = come_home;
    list_init(&question->link);
    return question;
}

static void wake_thread(struct dns *dns)
{
    uint64_t one = 1;
    /* It can fail only when the count is full, and then the thread is awake. */
    ssize_t written = write(dns->wake, &one, sizeof one);
    (void)written;
}

/* False: too many are open. */
static bool enqueue(struct dns *dns, struct question *question)
{
    pthread_mutex_lock(&dns->lock);
    bool room = dns->open < DNS_OPEN_MAX;
    if (room) {
        dns->open++;
        if (list_empty(&dns->asked))
            wake_thread(dns);
        list_append(&dns->asked, &question->link);
    }
    pthread_mutex_unlock(&dns->lock);
    return room;
}

bool dns_ask(struct dns *dns, struct dns_query *q)
{
    hand_over(q, &(struct dns_query){ .name = NULL });
    struct question *question = question_new(dns, q);
    if (!question) {
        dns_trouble(q, "no memory to ask about %s", q->name);
        return false;
    }
    q->inner = question;
    if (!dns_name_possible(text_of(q->name))) {
        dns_trouble(&question->answer, "not a domain name");
        question->answer.verdict = DNS_NO_NAME;
        loop_post(q->home, &question->post);
        return true;
    }
    if (enqueue(dns, question))
        return true;
    q->inner = NULL;
    question_free(question);
    dns_trouble(q, "%d questions are open, too many to ask about %s", DNS_OPEN_MAX, q->name);
    return false;
}

void dns_cancel(struct dns *dns, struct dns_query *q)
{
    struct question *question = q->inner;
    if (!question)
        return;
    q->inner = NULL;
    pthread_mutex_lock(&dns->lock);
    question->asker = NULL;
    pthread_mutex_unlock(&dns->lock);
}

bool dns_validates(const struct dns *dns)
{
    return atomic_load(&dns->validates);
}

/* On the thread */

static void finish(struct question *question)
{
    struct dns *dns = question->dns;
    list_remove(&question->link);
    pthread_mutex_lock(&dns->lock);
    dns->open--;
    bool wanted = question->asker != NULL;
    /* Within the lock: once the query can be cancelled no more, its loop may be freed. */
    if (wanted)
        loop_post(question->home, &question->post);
    pthread_mutex_unlock(&dns->lock);
    if (!wanted)
        question_free(question);
}

static void on_answer(void *owner, int status, struct ub_result *result)
{
    struct question *question = owner;
    if (status != 0)
        dns_trouble(&question->answer, "cannot ask about %s: %s", question->name,
                    question->dns->lib.strerror(status));
    else
        dns_take_result(&question->answer, result);
    question->dns->lib.resolve_free(result);
    finish(question);
}

static void send_question(struct dns *dns, struct question *question)
{
    list_append(&dns->sent, &question->link);
    question->context = dns->mode == MODE_VALIDATING ? dns->validating : dns->plain;
    int status =
        dns->lib.resolve_async(question->context, question->name, (int)question->answer.type,
                               CLASS_IN, question, on_answer, &question->id);
    if (status != 0)
        on_answer(question, status, NULL);
}

static bool holding(const struct dns *dns, uint64_t now)
{
    return dns->mode == MODE_ASKING && now < dns->hold_until_ms;
}

static void send_held(struct dns *dns, uint64_t now)
{
    if (holding(dns, now))
        return;
    for (struct list *link; (link = list_take_first(&dns->held));)
        send_question(dns, OWNER_OF(link, struct question, link));
}

static struct question *oldest_sent(struct dns *dns)
{
    return list_empty(&dns->sent) ? NULL : OWNER_OF(dns->sent.next, struct question, link);
}

/* The library gives up by itself as a rule, but promises no time. */
static void give_up(struct dns *dns, uint64_t now)
{
    struct question *question;
    while ((question = oldest_sent(dns)) && question->due_ms <= now) {
        dns->lib.cancel(question->context, question->id); /* on_answer() will not be called */
        dns_trouble(&question->answer, "no answer about %s %s within %d s", question->name,
                    dns_type_name(question->answer.type), DNS_ANSWER_MS / 1000);
        finish(question);
    }
}

static void root_unheard(struct dns *dns)
{
    dns->mode = MODE_UNHEARD;
    dns->root_again_ms = clock_monotonic_ms() + dns->root_wait_ms;
    if (dns->root_wait_ms < ROOT_AGAIN_MAX_MS)
        dns->root_wait_ms *= 2;
}

static void on_root(void *owner, int status, struct ub_result *result)
{
    struct dns *dns = owner;
    if (status == 0 && result->secure && result->havedata) {
        dns->mode = MODE_VALIDATING;
        atomic_store(&dns->validates, true);
    } else if (status == 0 && (result->bogus || result->rcode == 0)) {
        dns->mode = MODE_PLAIN;
    } else {
        root_unheard(dns);
    }
    dns->lib.resolve_free(result);
}

static void ask_root(struct dns *dns)
{
    dns->mode = MODE_ASKING;
    if (dns->lib.resolve_async(dns->validating, ".", TYPE_DNSKEY, CLASS_IN, dns, on_root, NULL) !=
        0)
        root_unheard(dns);
}

/* When something is to be done even if nothing happens. */
static uint64_t next_due(struct dns *dns, uint64_t now)
{
    uint64_t due = never;
    if (holding(dns, now))
        due = dns->hold_until_ms;
    else if (dns->mode == MODE_UNHEARD)
        due = dns->root_again_ms;
    const struct question *oldest = oldest_sent(dns);
    return oldest && oldest->due_ms < due ? oldest->due_ms : due;
}

static int wait_ms(uint64_t due, uint64_t now)
{
    if (due == never)
        return -1;
    /* One more: the clock's milliseconds are cut. */
    return due > now ? (int)(due - now) + 1 : 0;
}

static void wait_for_news(struct dns *dns, uint64_t now)
{
    struct pollfd news[] = {
        { .fd = dns->wake, .events = POLLIN },
        { .fd = dns->plain ? dns->lib.fd(dns->plain) : -1, .events = POLLIN },
        { .fd = dns->validating ? dns->lib.fd(dns->validating) : -1, .events = POLLIN },
    };
    if (poll(news, sizeof news / sizeof news[0], wait_ms(next_due(dns, now), now)) <= 0)
        return;
    uint64_t count;
    if (news[0].revents)
        CHECK(read(dns->wake, &count, sizeof count) == sizeof count);
    if (news[1].revents)
        dns->lib.process(dns->plain);
    if (news[2].revents)
        dns->lib.process(dns->validating);
}

/* False: the end. */
static bool take_asked(struct dns *dns)
{
    pthread_mutex_lock(&dns->lock);
    bool stopping = dns->stopping;
    for (struct list *link; !stopping && (link = list_take_first(&dns->asked));)
        list_append(&dns->held, link);
    pthread_mutex_unlock(&dns->lock);
    return !stopping;
}

static void *dns_thread(void *argument)
{
    struct dns *dns = argument;
    pthread_setname_np(pthread_self(), "dns");
    if (dns->mode == MODE_ASKING)
        ask_root(dns);
    while (take_asked(dns)) {
        uint64_t now = clock_monotonic_ms();
        if (dns->mode == MODE_UNHEARD && now >= dns->root_again_ms)
            ask_root(dns);
        send_held(dns, now);
        give_up(dns, now);
        wait_for_news(dns, now);
    }
    return NULL;
}

/* Beginning and end */

static bool make_contexts(struct dns *dns, const struct dns_options *options, struct error *e)
{
    if (options->security != DNS_SECURITY_REQUIRE &&
        !dns_context_new(&dns->lib, options, false, &dns->plain, e))
        return false;
    return options->security == DNS_SECURITY_OFF ||
           dns_context_new(&dns->lib, options, true, &dns->validating, e);
}

static bool start_thread(struct dns *dns, struct error *e)
{
    int status = pthread_create(&dns->thread, NULL, dns_thread, dns);
    if (status != 0)
        return error_system(e, ERROR_TEMPORARY, status, "cannot start the resolver's thread");
    return true;
}

/* Signals are for the loop that asked for them, or for who holds them back: our thread inherits the
 * mask, and so does the library's, which begins with the context. */
static bool start(struct dns *dns, const struct dns_options *options, struct error *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool good =
        dns_library_load(&dns->lib, e) && make_contexts(dns, options, e) && start_thread(dns, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return good;
}

static enum mode first_mode(enum dns_security security)
{
    switch (security) {
    case DNS_SECURITY_OFF:
        return MODE_PLAIN;
    case DNS_SECURITY_REQUIRE:
        return MODE_VALIDATING;
    case DNS_SECURITY_AUTO:
        break;
    }
    return MODE_ASKING;
}

static void dns_init(struct dns *dns, enum dns_security security)
{
    pthread_mutex_init(&dns->lock, NULL);
    list_init(&dns->asked);
    list_init(&dns->held);
    list_init(&dns->sent);
    dns->mode = first_mode(security);
    atomic_init(&dns->validates, dns->mode == MODE_VALIDATING);
    dns->hold_until_ms = clock_monotonic_ms() + HOLD_MS;
    dns->root_wait_ms = ROOT_AGAIN_MIN_MS;
}

static void free_list(struct list *list)
{
    for (struct list *link; (link = list_take_first(list));) {
        struct question *question = OWNER_OF(link, struct question, link);
        CHECK(!question->asker);
        question_free(question);
    }
}

/* All but the thread. */
static void dns_destroy(struct dns *dns)
{
    /* The library forgets its open queries without a word; then nobody points to a question. */
    if (dns->plain)
        dns->lib.ctx_delete(dns->plain);
    if (dns->validating)
        dns->lib.ctx_delete(dns->validating);
    free_list(&dns->asked);
    free_list(&dns->held);
    free_list(&dns->sent);
    if (dns->wake >= 0)
        close(dns->wake);
    pthread_mutex_destroy(&dns->lock);
    free(dns);
}

bool dns_new(const struct dns_options *options, struct dns **out, struct error *e)
{
    *out = NULL;
    struct dns *dns = calloc(1, sizeof *dns);
    if (!dns)
        return error_system(e, ERROR_TEMPORARY, ENOMEM, "cannot make a resolver");
    dns_init(dns, options->security);
    dns->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool good = dns->wake >= 0 || error_system(e, ERROR_TEMPORARY, errno, "cannot make a resolver");
    if (!good || !start(dns, options, e)) {
        dns_destroy(dns);
        return false;
    }
    *out = dns;
    return true;
}

void dns_free(struct dns **dns_ref)
{
    struct dns *dns = *dns_ref;
    if (!dns)
        return;
    *dns_ref = NULL;
    pthread_mutex_lock(&dns->lock);
    dns->stopping = true;
    wake_thread(dns);
    pthread_mutex_unlock(&dns->lock);
    pthread_join(dns->thread, NULL);
    dns_destroy(dns);
}
