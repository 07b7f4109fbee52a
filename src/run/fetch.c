/* fetch.c - one small text over https, by libcurl.
 *
 * libcurl brings two dozen other libraries, which would cost every start of every command three
 * milliseconds.  So it is loaded by who sets this up, and only found again by whom the sandbox
 * holds.
 *
 * libcurl is told everything and finds out nothing: the addresses are given, so that its resolver
 * is never asked, and neither environment nor files of its own have a say.
 */
#include "run/fetch.h"

#include "base/check.h"
#include "run/late.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

enum {
    STATUS_OK = 200,
    URL_MAX = sizeof "https://:65535" + FETCH_HOST_MAX + FETCH_PATH_MAX,
    ENTRY_MAX = FETCH_HOST_MAX + 16 + FETCH_ADDRESSES_MAX * ENDPOINT_TEXT_MAX,
};

/* What is called of the library. */
struct library {
    typeof(curl_global_init) *global_init;
    typeof(curl_easy_init) *easy_init;
    typeof(curl_easy_cleanup) *easy_cleanup;
    typeof(curl_easy_setopt) *easy_setopt;
    typeof(curl_easy_getinfo) *easy_getinfo;
    typeof(curl_easy_perform) *easy_perform;
    typeof(curl_easy_strerror) *easy_strerror;
    typeof(curl_slist_append) *slist_append;
    typeof(curl_slist_free_all) *slist_free_all;
};

#define CALL(name) LATE_CALL(struct library, curl_, name)

static const struct late_call calls[] = {
    CALL(global_init),   CALL(easy_init),    CALL(easy_cleanup),
    CALL(easy_setopt),   CALL(easy_getinfo), CALL(easy_perform),
    CALL(easy_strerror), CALL(slist_append), CALL(slist_free_all),
};

static bool load(struct library *out, enum late_how how, struct error *e)
{
    return late_load("libcurl.so.4", how, calls, sizeof calls / sizeof *calls, out, e);
}

bool fetch_set_up(struct error *e)
{
    struct library lib;
    return load(&lib, LATE_LOAD, e) &&
           (lib.global_init(CURL_GLOBAL_ALL) == CURLE_OK ||
            error_set(e, ERROR_TEMPORARY, "the library for https cannot be set up"));
}

/* What came does not fit: libcurl ends the transfer with CURLE_WRITE_ERROR. */
static size_t take(char *at, size_t one, size_t count, void *owner)
{
    (void)one; /* always 1 */
    return buffer_append(owner, at, count) ? count : 0;
}

/* Asked again and again: whether to go on (0). */
static int is_stopped(void *owner, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct fetch *f = owner;
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(f->stop);
}

/* "host:port:address,address": what libcurl would ask a resolver. */
static struct curl_slist *answers(const struct library *lib, const struct fetch *f)
{
    char entry[ENTRY_MAX], words[ENDPOINT_TEXT_MAX];
    size_t len =
        (size_t)snprintf(entry, sizeof entry, "%.*s:%u:", TEXT_ARGS(f->host), (unsigned)f->port);
    for (size_t i = 0; i < f->address_count; i++) {
        bool six = f->addresses[i].family == NET_IPV6;
        endpoint_print_address(&f->addresses[i], words);
        len += (size_t)snprintf(entry + len, sizeof entry - len, six ? "%s[%s]" : "%s%s",
                                i ? "," : "", words);
    }
    CHECK(len < sizeof entry);
    return lib->slist_append(NULL, entry);
}

struct option {
    CURLoption name;
    long value;
};

/* One transfer. */
struct transfer {
    struct library lib;
    CURL *curl;
    struct buffer *out;
    char words[CURL_ERROR_SIZE];
};

#define SET(t, name, value) ((t)->lib.easy_setopt((t)->curl, (name), (value)) == CURLE_OK)

/* RFC 8461 3.3: redirects are not followed, and the certificate must be valid for the host. */
static const struct option options[] = {
    { CURLOPT_FOLLOWLOCATION, 0 }, { CURLOPT_SSL_VERIFYPEER, 1 },
    { CURLOPT_SSL_VERIFYHOST, 2 }, { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
    { CURLOPT_NOSIGNAL, 1 },       { CURLOPT_FRESH_CONNECT, 1 },
    { CURLOPT_FORBID_REUSE, 1 },   { CURLOPT_TCP_KEEPALIVE, 0 },
    { CURLOPT_NOPROGRESS, 0 },     { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
};

static bool set_numbers(struct transfer *t, const struct fetch *f)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (!SET(t, options[i].name, options[i].value))
            return false;
    return SET(t, CURLOPT_CONNECTTIMEOUT_MS, (long)f->connect_ms) &&
           SET(t, CURLOPT_TIMEOUT_MS, (long)f->whole_ms);
}

static bool set_words(struct transfer *t, const struct fetch *f)
{
    char url[URL_MAX];
    snprintf(url, sizeof url, "https://%.*s:%u%s", TEXT_ARGS(f->host), (unsigned)f->port, f->path);
    return SET(t, CURLOPT_URL, url) && SET(t, CURLOPT_PROTOCOLS_STR, "https") &&
           SET(t, CURLOPT_PROXY, "") && SET(t, CURLOPT_USERAGENT, "godwit") &&
           (!f->authorities ||
            (SET(t, CURLOPT_CAINFO, f->authorities) && SET(t, CURLOPT_CAPATH, NULL)));
}

static bool set_calls(struct transfer *t, const struct fetch *f)
{
    return SET(t, CURLOPT_XFERINFOFUNCTION, is_stopped) && SET(t, CURLOPT_XFERINFODATA, f) &&
           SET(t, CURLOPT_WRITEFUNCTION, take) && SET(t, CURLOPT_WRITEDATA, t->out) &&
           SET(t, CURLOPT_ERRORBUFFER, t->words);
}

/* RFC 8461 3.3: "text/plain", whatever parameters stand behind it. */
static bool is_plain_text(const char *type)
{
    struct text rest = text_of(type);
    return text_take_nocase(&rest, T("text/plain")) &&
           (rest.len == 0 || rest.at[0] == ';' || rest.at[0] == ' ');
}

static bool judge(struct transfer *t, struct error *e)
{
    long status = 0;
    const char *type = NULL;
    t->lib.easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    t->lib.easy_getinfo(t->curl, CURLINFO_CONTENT_TYPE, &type);
    if (status != STATUS_OK)
        return error_set(e, ERROR_TEMPORARY, "the web server says %ld, not %d", status, STATUS_OK);
    return is_plain_text(type) || error_set(e, ERROR_TEMPORARY, "it is not text/plain");
}

static bool perform(struct transfer *t, struct error *e)
{
    CURLcode code = t->lib.easy_perform(t->curl);
    if (code == CURLE_OK)
        return judge(t, e);
    if (code == CURLE_WRITE_ERROR && t->out->failed)
        return error_set(e, ERROR_TEMPORARY, "it is longer than %zu octets", t->out->max);
    return error_set(e, ERROR_TEMPORARY, "%s", t->words[0] ? t->words : t->lib.easy_strerror(code));
}

bool fetch_text(const struct fetch *f, struct buffer *out, struct error *e)
{
    struct transfer t = { .out = out };
    CHECK(f->address_count > 0 && f->address_count <= FETCH_ADDRESSES_MAX);
    CHECK(f->host.len <= FETCH_HOST_MAX && strlen(f->path) <= FETCH_PATH_MAX);
    if (!load(&t.lib, LATE_FIND, e))
        return false;
    t.curl = t.lib.easy_init();
    struct curl_slist *known = answers(&t.lib, f);
    bool ready = t.curl && known && SET(&t, CURLOPT_RESOLVE, known) && set_numbers(&t, f) &&
                 set_words(&t, f) && set_calls(&t, f);
    bool good = ready ? perform(&t, e) : error_set(e, ERROR_TEMPORARY, "memory is short");
    t.lib.easy_cleanup(t.curl);
    t.lib.slist_free_all(known);
    return good;
}
