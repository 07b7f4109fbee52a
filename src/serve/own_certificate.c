/* own_certificate.c - the certificate of a server that was given none, made by itself.
 *
 * Key and certificate are one file, so that one rename replaces both.  It never touches a
 * certificate that the configuration names.
 */
#include "serve/own_certificate.h"

#include "run/clock.h"
#include "run/disk.h"
#include "run/tls.h"

#include <stdio.h>
#include <string.h>

enum { RENEWED_BEFORE_S = 30 * 86400, PEM_MAX = 16 * 1024 };

static const char name[] = "certificate.pem", new_name[] = "certificate.pem.new";

/* --- Reading --- */

static bool read_octets(struct disk_file *file, struct buffer *out, struct error *e)
{
    uint64_t size = 0;
    if (!disk_file_size(file, &size, e))
        return false;
    uint8_t *at = buffer_reserve(out, (size_t)size);
    if (!at)
        return error_set(e, ERROR_TEMPORARY, "%s is too large, or memory is short", name);
    return disk_file_read(file, 0, at, (size_t)size, &out->len, e);
}

/* Nothing when there is none yet. */
static bool read_all(struct disk *data, struct buffer *out, struct error *e)
{
    struct disk_file *file;
    if (!disk_file_open(data, name, DISK_READ, &file, e))
        return e->kind == ERROR_REFUSED;
    bool ok = read_octets(file, out, e);
    disk_file_close(&file);
    return ok;
}

enum state {
    STANDS,  /* it can be used as it is */
    IS_OLD,  /* made here, and now to be made again with the same key */
    IS_NONE, /* missing, or no certificate at all */
};

static enum state judge(const struct config *config, const struct buffer *pem)
{
    const struct config_certificate *made = &config->certificates[0];
    struct tls_pair pair = { .certificate_name = made->certificate.at,
                             .key_name = made->key.at,
                             .certificate = buffer_bytes(pem),
                             .key = buffer_bytes(pem) };
    struct tls_certificate seen;
    struct error ignored;
    if (!tls_read_certificate(&pair, config->hostname, &seen, &ignored))
        return IS_NONE;
    bool ours = strcmp(seen.subject, "CN = " TLS_MAKER) == 0;
    bool good = seen.for_name && seen.until_s - clock_wall_ms() / 1000 > RENEWED_BEFORE_S;
    return !ours || good ? STANDS : IS_OLD;
}

/* --- Making --- */

static bool write_all(struct disk *data, const struct buffer *pem, struct error *e)
{
    struct disk_file *file;
    struct error ignored;
    struct iovec all = { pem->at, pem->len };
    disk_unlink(data, new_name, &ignored); /* of a start that was cut off */
    if (!disk_file_open(data, new_name, DISK_CREATE, &file, e))
        return false;
    bool ok = disk_file_write(file, 0, &all, 1, e) && disk_file_sync(file, e);
    disk_file_close(&file);
    return ok && disk_rename(data, new_name, name, e) && disk_sync_directory(data, ".", e);
}

/* The key first: whoever renews finds it there. */
static bool make(const struct config *config, struct bytes known_key, struct buffer *out,
                 struct error *e)
{
    struct buffer certificate;
    buffer_init(&certificate, PEM_MAX);
    bool ok = tls_make_certificate(config->hostname, known_key, &certificate, out, e) &&
              (buffer_append(out, certificate.at, certificate.len) ||
               error_set(e, ERROR_TEMPORARY, "memory is short"));
    buffer_clear(&certificate);
    return ok;
}

static void notice(const struct config_notices *notices, const char *what, const char *path,
                   const struct error *why)
{
    char words[ERROR_WORDS_MAX];
    if (!notices)
        return;
    snprintf(words, sizeof words, "%.100s %s%s%.200s", path, what, why ? ": " : "",
             why ? why->words : "");
    notices->warning(notices->owner, words);
}

/* Replaces what the buffer holds. */
static bool make_anew(struct disk *data, const struct config *config,
                      const struct config_notices *notices, struct buffer *pem, struct error *e)
{
    const char *path = config->certificates[0].certificate.at;
    struct buffer fresh;
    struct error why;
    buffer_init(&fresh, PEM_MAX);
    bool ok = buffer_reserve(&fresh, PEM_MAX) || error_set(e, ERROR_TEMPORARY, "memory is short");
    ok = ok && make(config, buffer_bytes(pem), &fresh, e);
    if (ok && !write_all(data, &fresh, &why))
        notice(notices, "cannot be kept, and is another one at the next start", path, &why);
    buffer_wipe(pem);
    ok = ok && (buffer_append(pem, fresh.at, fresh.len) ||
                error_set(e, ERROR_TEMPORARY, "memory is short"));
    buffer_wipe(&fresh);
    return ok;
}

/* The file's octets, judged and, if need be, replaced. */
static bool settle(struct disk *data, const struct config *config,
                   const struct config_notices *notices, struct buffer *pem, struct error *e)
{
    enum state state = judge(config, pem);
    if (state == IS_NONE && pem->len)
        notice(notices, "holds no certificate and is made anew",
               config->certificates[0].certificate.at, NULL);
    return state == STANDS || make_anew(data, config, notices, pem, e);
}

bool own_certificate_read(const struct config *config, struct bytes known,
                          const struct config_notices *notices, struct buffer *out, struct error *e)
{
    struct disk *data;
    struct error ignored;
    if (!disk_open(config->data.at, true, &data, e))
        return false;
    bool ok = read_all(data, out, e);
    if (ok && out->len == 0 && known.len) {
        ok = buffer_append(out, known.at, known.len) ||
             error_set(e, ERROR_TEMPORARY, "memory is short");
        if (ok)
            write_all(data, out, &ignored);
    }
    ok = ok && settle(data, config, notices, out, e);
    disk_close(&data);
    return ok;
}
