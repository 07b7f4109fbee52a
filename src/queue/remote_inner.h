/* remote_inner.h - private to remote*.c: the session, and what its files ask of each other.
 *
 *   remote.c         errands: from dispatch and back; which job is next
 *   remote_call.c    from a route to a connection: hosts, calls, their failures
 *   remote_talk.c    the pump between stream and machine, the content
 *   remote_tls.c     TLS: who has a say in it, the handshake
 *   remote_auth.c    AUTH: whether the password may be said, the exchange
 *   remote_settle.c  from replies to rows, and the commits under way
 *
 *   state     what holds                                     who moves it
 *   AWAY      dispatch has the errand; the connection, if    remote_send()
 *             there is one, is idle
 *   CALLING   hosts are looked up, or one is called          an answer, a connection, a failure
 *   TALKING   the machine has work                           its READY or CLOSE
 *   SETTLING  all jobs have gone; commits are under way      the last of them
 *   LEAVING   QUIT was said                                  CLOSE
 */
#ifndef QUEUE_REMOTE_INNER_H
#define QUEUE_REMOTE_INNER_H

#include "base/buffer.h"
#include "queue/hosts.h"
#include "queue/remote.h"
#include "queue/sts_lookup.h"
#include "queue/tls_rule.h"
#include "run/connect.h"
#include "run/wire.h"

enum remote_state { REMOTE_AWAY, REMOTE_CALLING, REMOTE_TALKING, REMOTE_SETTLING, REMOTE_LEAVING };

enum { REMOTE_HOST_MAX = DNS_NAME_MAX + ENDPOINT_TEXT_MAX + 2 };

/* A failure that may become a job's outcome: with texts of its own. */
struct kept_outcome {
    struct outcome outcome;
    struct arena memory;
    bool is_set;
};

struct remote {
    struct remote_loop *home;
    struct office *office;
    struct loop *loop;
    void (*came_back)(void *owner, struct remote *);
    void *owner;
    struct post there, back;
    struct remote_errand errand;

    /* The loop's from here on. */
    struct list link; /* in home->sessions */
    enum remote_state state;
    bool is_listed;
    char session[LOG_SESSION_TEXT + 1];

    /* The call */
    struct sts_lookup *sts; /* NULL: policies do not count for this route */
    struct hosts *hosts;
    struct connecting *connecting;
    struct hosts_call call;      /* the host that is called, or was */
    struct tls_rule rule;        /* for it */
    char host[REMOTE_HOST_MAX];  /* for people: "mx.example.org[192.0.2.1]", or a literal */
    struct kept_outcome failure; /* of the last host that failed */
    bool only_permanent;         /* all that failed did so for good */

    /* The connection */
    struct stream *stream;
    struct smtp_client *machine;
    struct smtp_client_config config;
    char hostname[DNS_NAME_MAX];
    struct buffer pending;
    struct timer timer;
    struct wire wire;
    bool running, again;        /* in the pump; something happened meanwhile */
    bool sending;               /* the stream still holds output */
    bool broken;                /* nothing can be written any more; the stream's end will be told */
    bool closing;               /* the machine has said CLOSE */
    bool ready;                 /* the machine has nothing to do, and there is nothing for it */
    bool tls_wanted;            /* the handshake begins when all output is out */
    bool shaking;               /* it is under way: the machine is left alone */
    bool tls_failed;            /* it has failed on this connection */
    struct remote_login *login; /* under way; NULL: none */
    char auth_words[sizeof "AUTH as " + CONFIG_LOGIN_MAX];
    bool plain;      /* this host, and no other, is called again without */
    bool in_session; /* the greeting and EHLO are done */
    bool used;       /* it has carried a message before */

    /* The message */
    struct queue_job *job; /* that is being sent; in no list */
    struct smtp_client_message message;
    struct settling *settling; /* of the rows in this transaction, ready for their results */
    struct content *content;
    uint64_t read_at; /* what of it, or of what it becomes, the machine has asked for */
    struct remote_conversion *conversion; /* NULL: it fits as it is, or nobody has looked */
    bool may_finish_asked;                /* waits for commits */
    bool unheard;                    /* the session failed before it: another connection decides */
    const struct queue_job *refused; /* for now, at MAIL: the first, which has not gone home */
    bool refused_many;               /* those of several senders: not only they may be meant */

    struct list done;     /* jobs that were sent */
    uint32_t settlements; /* commits under way */
};

/* The results of one transaction on their way to the store; in the memory of its job. */
struct settling {
    struct remote *r;
    struct queue_job *job;
    struct settle_options options;
    struct settled *recipients; /* rows of the job from `first` on */
    uint32_t first, count;
    char host[REMOTE_HOST_MAX];
    struct timer again;
};

/* remote.c */
/* There is no connection, or the machine has nothing to do: what comes next. */
void remote_next(struct remote *);
/* The job whose rows are not all sent, or the next one, is r->job.  False: none. */
bool remote_find_job(struct remote *);
/* The errand ends: what is left of it goes home untried. */
void remote_give_up(struct remote *);
/* Commits are done, or given up. */
void remote_settled(struct remote *);

/* remote_call.c */
void remote_call(struct remote *);
/* The host that was called will not do: the next one. */
void remote_call_next(struct remote *);
/* The same once more. */
void remote_call_again(struct remote *);
/* No other host would do either: the last failure is the outcome. */
void remote_call_failed(struct remote *);
void remote_keep_failure(struct remote *, const struct outcome *);
/* The host that is called, for Remote-MTA: its literal when it has no name. */
struct text remote_host_name(const struct remote *);
/* Forgets hosts and calls. */
void remote_call_clear(struct remote *);

/* remote_talk.c */
/* Takes the stream. */
void remote_talk(struct remote *, struct stream *);
void remote_talk_on(struct remote *);
/* The results of all messages before are durable. */
void remote_let_finish(struct remote *);
void remote_hang_up(struct remote *);

/* remote_convert.c */
enum remote_look {
    REMOTE_LOOKED,
    REMOTE_LOOKS,       /* remote_talk_on() will come */
    REMOTE_LOOK_FAILED, /* local trouble */
    REMOTE_LOOK_DAMAGE, /* what is stored cannot be read: that is the message's own */
};
/* Before the job's message is given to the machine, each time: whether it must be converted. */
enum remote_look remote_convert_look(struct remote *);
/* Behind that: what the machine must know of what is sent instead. */
void remote_convert_describe(struct remote *, struct smtp_client_message *);
/* Likewise: whether a look has shown that no header has octets over 0x7F. */
bool remote_convert_knows_ascii_header(const struct remote *);
/* Whether what is being sent is not the content as it lies.  Then from r->read_at on: as
 * content_read() of r->content. */
bool remote_convert_is_used(const struct remote *);
enum content_state remote_convert_read(struct remote *, struct bytes *out,
                                       void (*ready)(void *owner), void *owner);
void remote_convert_clear(struct remote *);

/* remote_tls.c */
/* For the host in r->call, which was not called yet. */
void remote_tls_decide(struct remote *);
enum smtp_client_tls remote_tls_wish(const struct remote *);
/* The handshake comes before the greeting. */
bool remote_tls_is_first(const struct remote *);
/* The session failed before TLS had begun: the server refused, hung up, or offers none. */
void remote_tls_refused(struct remote *, const struct smtp_client_result *);
/* TLS failed, and the host may be called again to speak in the clear. */
bool remote_tls_may_do_without(const struct remote *);
/* Begins the handshake (r->shaking), or tells the machine why not. */
void remote_start_tls(struct remote *);

/* remote_auth.c */
/* SMTP_CLIENT_AUTH.  True: answered; false: a lane is asked, and will go on. */
bool remote_auth_step(struct remote *, const struct smtp_client_step *);
/* The server said yes, if there was a login; said no, or what came in between. */
void remote_auth_done(struct remote *);
void remote_auth_failed(struct remote *, const struct smtp_client_result *);
void remote_auth_clear(struct remote *);

/* remote_settle.c */
/* Room for the results of `count` rows of a job, before anything is sent that would have some.
 * NULL: memory is short. */
struct settling *remote_settling_new(struct remote *, struct queue_job *, uint32_t count);
/* The message has results: commits them. */
void remote_settle_results(struct remote *);
/* The same outcome for all of a job that is left, without a transaction. */
void remote_settle_rest(struct remote *, struct queue_job *, const struct outcome *);

#endif
