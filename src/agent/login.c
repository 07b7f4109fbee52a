/* login.c - one SASL exchange of a session, framed by its protocol's machine. */
#include "agent/login.h"

static bool say(struct login *l, enum sasl_client_verdict verdict, struct sasl_words *out)
{
    if (verdict == SASL_CLIENT_DOUBTS)
        return false;
    *out = (struct sasl_words){
        .mechanism = sasl_client_mechanism(l->sasl),
        .has_words = verdict == SASL_CLIENT_SAYS,
        .words = sasl_client_words(l->sasl),
        .may_end = sasl_client_may_end(l->sasl),
    };
    return true;
}

bool login_begin(struct login *l, const struct credentials *who, struct text offered,
                 const struct stream *stream, struct sasl_words *out)
{
    struct sasl_client_options options = {
        .offered = offered,
        .mechanism = who->mechanism,
        .user = who->user,
        .password = who->password,
        .stream = stream,
    };
    login_clear(l);
    return sasl_client_new(&options, &l->sasl, &l->error) &&
           say(l, sasl_client_step(l->sasl, T(""), &l->error), out);
}

bool login_go_on(struct login *l, struct text challenge, struct sasl_words *out)
{
    return say(l, sasl_client_step(l->sasl, challenge, &l->error), out);
}

void login_clear(struct login *l)
{
    sasl_client_free(&l->sasl);
}
