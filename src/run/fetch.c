/* fetch.c - one small text over https, by libcurl.
 *
 * libcurl is told everything and finds out nothing: the addresses are given, so that its resolver
 * is never asked, and neither environment nor files of its own have a say.
 */
#include "run/fetch.h"

#include "base/check.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

enum {
    STATUS_OK = 200,
    URL_MAX = sizeof "https://:65535" + FETCH_HOST_MAX + FETCH_PATH_MAX,
    ENTRY_MAX = FETCH_HOST_MAX + 16 + FETCH_ADDRESSES_MAX * ENDPOINT_TEXT_MAX,
};

bool fetch_set_up(struct error *e)
{
    return curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK ||
           error_set(e, ERROR_TEMPORARY, "the library for https cannot be set up");
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
static struct curl_slist *answers(const struct fetch *f)
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
    return curl_slist_append(NULL, entry);
}

struct option {
    CURLoption name;
    long value;
};

/* RFC 8461 3.3: redirects are not followed, and the certificate must be valid for the host. */
static const struct option options[] = {
    { CURLOPT_FOLLOWLOCATION, 0 }, { CURLOPT_SSL_VERIFYPEER, 1 },
    { CURLOPT_SSL_VERIFYHOST, 2 }, { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
    { CURLOPT_NOSIGNAL, 1 },       { CURLOPT_FRESH_CONNECT, 1 },
    { CURLOPT_FORBID_REUSE, 1 },   { CURLOPT_TCP_KEEPALIVE, 0 },
    { CURLOPT_NOPROGRESS, 0 },     { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
};

static bool set_numbers(CURL *curl, const struct fetch *f)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (curl_easy_setopt(curl, options[i].name, options[i].value) != CURLE_OK)
            return false;
    return curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)f->connect_ms) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)f->whole_ms) == CURLE_OK;
}

static bool set_words(CURL *curl, const struct fetch *f)
{
    char url[URL_MAX];
    snprintf(url, sizeof url, "https://%.*s:%u%s", TEXT_ARGS(f->host), (unsigned)f->port, f->path);
    return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_USERAGENT, "godwit") == CURLE_OK &&
           (!f->authorities ||
            (curl_easy_setopt(curl, CURLOPT_CAINFO, f->authorities) == CURLE_OK &&
             curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK));
}

static bool set_calls(CURL *curl, const struct fetch *f, struct buffer *out, char *words)
{
    return curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_stopped) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFODATA, f) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, out) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words) == CURLE_OK;
}

/* RFC 8461 3.3: "text/plain", whatever parameters stand behind it. */
static bool is_plain_text(const char *type)
{
    struct text rest = text_of(type);
    return text_take_nocase(&rest, T("text/plain")) &&
           (rest.len == 0 || rest.at[0] == ';' || rest.at[0] == ' ');
}

static bool judge(CURL *curl, struct error *e)
{
    long status = 0;
    const char *type = NULL;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    if (status != STATUS_OK)
        return error_set(e, ERROR_TEMPORARY, "the web server says %ld, not %d", status, STATUS_OK);
    return is_plain_text(type) || error_set(e, ERROR_TEMPORARY, "it is not text/plain");
}

static bool perform(CURL *curl, const struct buffer *out, const char *words, struct error *e)
{
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        return judge(curl, e);
    if (code == CURLE_WRITE_ERROR && out->failed)
        return error_set(e, ERROR_TEMPORARY, "it is longer than %zu octets", out->max);
    return error_set(e, ERROR_TEMPORARY, "%s", words[0] ? words : curl_easy_strerror(code));
}

bool fetch_text(const struct fetch *f, struct buffer *out, struct error *e)
{
    char words[CURL_ERROR_SIZE] = "";
    CHECK(f->address_count > 0 && f->address_count <= FETCH_ADDRESSES_MAX);
    CHECK(f->host.len <= FETCH_HOST_MAX && strlen(f->path) <= FETCH_PATH_MAX);
    CURL *curl = curl_easy_init();
    struct curl_slist *known = answers(f);
    bool ready = curl && known && curl_easy_setopt(curl, CURLOPT_RESOLVE, known) == CURLE_OK &&
                 set_numbers(curl, f) && set_words(curl, f) && set_calls(curl, f, out, words);
    bool good =
        ready ? perform(curl, out, words, e) : error_set(e, ERROR_TEMPORARY, "memory is short");
    curl_easy_cleanup(curl);
    curl_slist_free_all(known);
    return good;
}
