/* credentials.c - certificates, keys and passwords of a configuration, as the octets of their
 * files.
 */
#include "serve/credentials.h"

#include "mail/date.h"
#include "run/clock.h"
#include "run/file.h"
#include "run/sasl_client.h"
#include "serve/own_certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct file {
    char *path;
    struct buffer octets;
};

struct credentials {
    size_t count;
    struct file files[CREDENTIALS_MAX];
};

bool credentials_new(struct credentials **out, struct error *e)
{
    *out = calloc(1, sizeof **out);
    return *out || error_set(e, ERROR_TEMPORARY, "memory is short");
}

/* Forgets the files behind the first `count`. */
static void cut(struct credentials *c, size_t count)
{
    while (c->count > count) {
        c->count--;
        free(c->files[c->count].path);
        buffer_wipe(&c->files[c->count].octets);
    }
}

void credentials_free(struct credentials **credentials)
{
    struct credentials *c = *credentials;
    if (!c)
        return;
    cut(c, 0);
    free(c);
    *credentials = NULL;
}

/* --- Files --- */

static const struct file *find(const struct credentials *c, struct text path)
{
    for (size_t i = 0; c && i < c->count; i++)
        if (text_equal(text_of(c->files[i].path), path))
            return &c->files[i];
    return NULL;
}

struct bytes credentials_find(const struct credentials *c, struct text path)
{
    const struct file *file = find(c, path);
    return file ? buffer_bytes(&file->octets) : (struct bytes){ 0 };
}

/* A place for the file; NULL: memory is short, or there are too many. */
static struct file *new_file(struct credentials *c, struct text path, struct error *e)
{
    if (c->count == CREDENTIALS_MAX) {
        error_set(e, ERROR_CONFIG, "more than %d certificates, keys and passwords",
                  CREDENTIALS_MAX);
        return NULL;
    }
    struct file *file = &c->files[c->count];
    file->path = strndup(path.at, path.len);
    if (!file->path) {
        error_set(e, ERROR_TEMPORARY, "memory is short");
        return NULL;
    }
    buffer_init(&file->octets, CREDENTIAL_OCTETS_MAX);
    c->count++;
    return file;
}

static bool copy_octets(struct file *file, struct bytes octets, struct error *e)
{
    if (octets.len > file->octets.max)
        return error_set(e, ERROR_CONFIG, "%s is too large", file->path);
    return buffer_append(&file->octets, octets.at, octets.len) ||
           error_set(e, ERROR_TEMPORARY, "memory is short");
}

bool credentials_add(struct credentials *c, struct text path, struct bytes octets, struct error *e)
{
    struct file *file = new_file(c, path, e);
    return file && copy_octets(file, octets, e);
}

/* The file from elsewhere; false: it is not there, or does not fit. */
static bool copy_file(struct credentials *c, struct text path, const struct credentials *from,
                      struct error *e)
{
    const struct file *known = find(from, path);
    return known && credentials_add(c, path, buffer_bytes(&known->octets), e);
}

static void tell_kept(struct text path, const struct credential_sources *from)
{
    char words[ERROR_WORDS_MAX];
    if (!from->notices)
        return;
    snprintf(words, sizeof words,
             "%s stays as it was: the server may not read it; after a renewal run godwit reload as "
             "root",
             path.at);
    from->notices->warning(from->notices->owner, words);
}

/* Whether the file that may not be read any more was there before. */
static bool may_keep(struct text path, struct text denied, const struct credential_sources *from,
                     struct error *e)
{
    if (find(from->before, path))
        return true;
    return error_set(e, ERROR_CONFIG, "cannot read %s: the server may not; %s", denied.at,
                     from->before ? "run godwit reload as root"
                                  : "start as root, or let its user read it");
}

/* One of the two may not be read by this process: both stay, since they belong together. */
static bool keep_pair(struct credentials *c, const struct config_certificate *pair,
                      struct text denied, const struct credential_sources *from, struct error *e)
{
    if (!may_keep(pair->certificate, denied, from, e) || !may_keep(pair->key, denied, from, e))
        return false;
    tell_kept(denied, from);
    return (find(c, pair->certificate) || copy_file(c, pair->certificate, from->before, e)) &&
           (find(c, pair->key) || copy_file(c, pair->key, from->before, e));
}

/* `denied_out` is left alone unless this process may not read the file. */
static bool read_file(struct credentials *c, struct text path,
                      const struct credential_sources *from, struct text *denied_out,
                      struct error *e)
{
    bool denied;
    if (find(c, path))
        return true; /* a certificate and its key may be in one file */
    if (find(from->given, path))
        return copy_file(c, path, from->given, e);
    struct file *file = new_file(c, path, e);
    if (!file || file_read(file->path, &file->octets, &denied, e))
        return file != NULL;
    if (denied)
        *denied_out = path;
    return false;
}

static bool read_pair(struct credentials *c, const struct config_certificate *pair,
                      const struct credential_sources *from, struct error *e)
{
    struct text denied = { 0 };
    size_t before = c->count;
    if (read_file(c, pair->certificate, from, &denied, e) &&
        read_file(c, pair->key, from, &denied, e))
        return true;
    cut(c, before);
    return denied.len && keep_pair(c, pair, denied, from, e);
}

static bool read_own(struct credentials *c, const struct config *config,
                     const struct credential_sources *from, struct error *e)
{
    struct text path = config->certificates[0].certificate;
    if (from->without_own)
        return true;
    if (find(from->given, path))
        return copy_file(c, path, from->given, e);
    struct file *file = new_file(c, path, e);
    return file && own_certificate_read(config, credentials_find(from->before, path), from->notices,
                                        &file->octets, e);
}

static bool read_certificates(struct credentials *c, const struct config *config,
                              const struct credential_sources *from, struct error *e)
{
    if (config->certificate_made)
        return read_own(c, config, from, e);
    for (size_t i = 0; i < config->certificate_count; i++)
        if (!read_pair(c, &config->certificates[i], from, e))
            return false;
    return true;
}

/* --- Passwords --- */

static bool read_password(struct credentials *c, struct text path,
                          const struct credential_sources *from, struct error *e)
{
    struct text denied = { 0 };
    size_t before = c->count;
    if (read_file(c, path, from, &denied, e))
        return true;
    cut(c, before);
    if (!denied.len || !may_keep(path, denied, from, e))
        return false;
    tell_kept(denied, from);
    return copy_file(c, path, from->before, e);
}

static bool read_passwords(struct credentials *c, const struct config *config,
                           const struct credential_sources *from, struct error *e)
{
    const struct config_login *login;
    for (size_t i = 0; (login = config_login(config, i)); i++) {
        struct text path = login->password_file, ignored;
        if (path.len == 0)
            continue;
        if (!read_password(c, path, from, e) ||
            !credentials_read_password(path, credentials_find(c, path), &ignored, e))
            return false;
    }
    return true;
}

bool credentials_read(const struct config *config, const struct credential_sources *from,
                      struct credentials **out, struct error *e)
{
    if (!credentials_new(out, e))
        return false;
    if (read_certificates(*out, config, from, e) && read_passwords(*out, config, from, e))
        return true;
    credentials_free(out);
    return false;
}

bool credentials_equal(const struct credentials *a, const struct credentials *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct buffer *octets = &a->files[i].octets;
        struct bytes other = credentials_find(b, text_of(a->files[i].path));
        if (octets->len != other.len || (other.len && memcmp(octets->at, other.at, other.len) != 0))
            return false;
    }
    return true;
}

/* --- For logging in --- */

bool credentials_read_password(struct text path, struct bytes octets, struct text *out,
                               struct error *e)
{
    struct text rest = text_of_bytes(octets), line;
    text_cut(&rest, '\n', &line);
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    const char *why = line.len == 0                     ? "its first line is empty"
                      : rest.len                        ? "it has more than one line"
                      : line.len > SASL_CLIENT_TEXT_MAX ? "the password is too long"
                      : memchr(line.at, '\0', line.len) ? "the password has a NUL in it"
                                                        : NULL;
    *out = line;
    return !why || error_set(e, ERROR_CONFIG, "%.*s holds no password: %s", TEXT_ARGS(path), why);
}

struct text credentials_password(const struct credentials *c, const struct config_login *login)
{
    struct text password = login->password;
    struct error ignored;
    if (login->password_file.len &&
        !credentials_read_password(login->password_file, credentials_find(c, login->password_file),
                                   &password, &ignored))
        return T("");
    return password;
}

/* --- For TLS --- */

struct tls_pair credentials_pair(const struct credentials *c, const struct config_certificate *pair)
{
    return (struct tls_pair){
        .host = pair->host,
        .certificate_name = pair->certificate.at,
        .key_name = pair->key.at,
        .certificate = credentials_find(c, pair->certificate),
        .key = credentials_find(c, pair->key),
    };
}

static const char *state_of(const struct config *config, int64_t left_s)
{
    return left_s <= 0                   ? "expired: peers and mail programs may refuse it"
           : left_s < CERTIFICATE_SOON_S ? "expires soon: has its renewal stopped?"
           : config->certificate_made
               ? "made by godwit, since tls { } names none: mail programs warn of it"
               : "in use";
}

static void tell_one(const struct tls_pair *pair, const struct config *config, struct log *log,
                     enum log_level least)
{
    struct tls_certificate seen;
    char until[DATE_TEXT_MAX];
    int64_t now_s = clock_wall_ms() / 1000;
    if (!tls_read_certificate(pair, pair->host, &seen, NULL))
        return; /* a context was made with it: it can be read */
    int64_t left_s = seen.until_s - now_s;
    enum log_level level = left_s <= 0                   ? LOG_ERROR
                           : left_s < CERTIFICATE_SOON_S ? LOG_WARNING
                                                         : LOG_NOTICE;
    if (level > least)
        return;
    LOG_EVENT(log, level, T("-"), left_s <= 0 ? "certificate-expired" : "certificate",
              { "file", text_of(pair->certificate_name) }, { "subject", text_of(seen.subject) },
              { "serial", text_of(seen.serial) },
              { "until", date_rfc3339(seen.until_s * 1000, false, until) },
              { "what", text_of(state_of(config, left_s)) });
}

void credentials_tell(const struct credentials *c, const struct config *config, struct log *log,
                      enum log_level least)
{
    for (size_t i = 0; i < config->certificate_count; i++) {
        struct tls_pair pair = credentials_pair(c, &config->certificates[i]);
        tell_one(&pair, config, log, least);
    }
}

bool credentials_context(const struct credentials *c, const struct config *config,
                         struct tls_service *service, struct tls_context **out, struct error *e)
{
    size_t count = config->certificate_count;
    struct tls_pair pairs[CREDENTIALS_MAX];
    *out = NULL;
    if (count > CREDENTIALS_MAX)
        return error_set(e, ERROR_CONFIG, "more than %d certificates", CREDENTIALS_MAX);
    for (size_t i = 0; i < count; i++)
        pairs[i] = credentials_pair(c, &config->certificates[i]);
    return count == 0 || tls_server_context_new(service, pairs, count, out, e);
}
