/* credentials.c - certificates, keys and passwords of a configuration, as the octets of their
 * files.
 */
#include "serve/credentials.h"

#include "mail/date.h"
#include "run/clock.h"
#include "run/file.h"
#include "run/sasl_client.h"

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

void credentials_free(struct credentials **credentials)
{
    struct credentials *c = *credentials;
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++) {
        free(c->files[i].path);
        buffer_wipe(&c->files[i].octets);
    }
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

static void tell_kept(const struct file *file, const struct credential_sources *from)
{
    char words[ERROR_WORDS_MAX];
    if (!from->notices)
        return;
    snprintf(words, sizeof words,
             "%s stays as it was: this user may not read it; after a renewal run godwit reload as "
             "root",
             file->path);
    from->notices->warning(from->notices->owner, words);
}

/* A file that this process may not read. */
static bool keep_file(struct file *file, const struct credential_sources *from, struct error *e)
{
    const struct file *known = find(from->before, text_of(file->path));
    if (!known)
        return error_set(e, ERROR_CONFIG, "cannot read %s: this user may not; %s", file->path,
                         from->before ? "run godwit reload as root"
                                      : "start as root, or let this user read it");
    tell_kept(file, from);
    return copy_octets(file, buffer_bytes(&known->octets), e);
}

static bool read_file(struct credentials *c, struct text path,
                      const struct credential_sources *from, struct error *e)
{
    bool denied;
    if (find(c, path))
        return true; /* a certificate and its key may be in one file */
    struct file *file = new_file(c, path, e);
    if (!file)
        return false;
    if (file_read(file->path, &file->octets, &denied, e))
        return true;
    const struct file *given = find(from->given, path);
    if (given)
        return copy_octets(file, buffer_bytes(&given->octets), e);
    return denied && keep_file(file, from, e);
}

static bool read_certificates(struct credentials *c, const struct config *config,
                              const struct credential_sources *from, struct error *e)
{
    for (size_t i = 0; i < config->certificate_count; i++) {
        const struct config_certificate *pair = &config->certificates[i];
        if (!read_file(c, pair->certificate, from, e) || !read_file(c, pair->key, from, e))
            return false;
    }
    return true;
}

static bool read_passwords(struct credentials *c, const struct config *config,
                           const struct credential_sources *from, struct error *e)
{
    const struct config_login *login;
    for (size_t i = 0; (login = config_login(config, i)); i++) {
        struct text path = login->password_file, ignored;
        if (path.len == 0)
            continue;
        if (!read_file(c, path, from, e) ||
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

static void tell_one(const struct tls_pair *pair, struct log *log)
{
    struct tls_certificate seen;
    char until[DATE_TEXT_MAX];
    int64_t now_s = clock_wall_ms() / 1000;
    if (!tls_read_certificate(pair, pair->host, &seen, NULL))
        return; /* a context was made with it: it can be read */
    int64_t left_s = seen.until_s - now_s;
    LOG_EVENT(log,
              left_s <= 0                   ? LOG_ERROR
              : left_s < CERTIFICATE_SOON_S ? LOG_WARNING
                                            : LOG_NOTICE,
              T("-"), left_s <= 0 ? "certificate-expired" : "certificate",
              { "file", text_of(pair->certificate_name) }, { "subject", text_of(seen.subject) },
              { "serial", text_of(seen.serial) },
              { "until", date_rfc3339(seen.until_s * 1000, false, until) });
}

void credentials_tell(const struct credentials *c, const struct config *config, struct log *log)
{
    for (size_t i = 0; i < config->certificate_count; i++) {
        struct tls_pair pair = credentials_pair(c, &config->certificates[i]);
        tell_one(&pair, log);
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
