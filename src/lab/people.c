/* people.c - the users of a lab. */
#include "lab/people.h"

#include "run/clock.h"
#include "run/entropy.h"
#include "store/accounts.h"

#include <string.h>

/* What RFC 7677 4 asks for at least, as lab/settings.c writes it too: a lab's passwords stand in
 * its files in the clear anyway. */
enum { VERIFIER_ITERATIONS = 4096 };

static void new_password(char out[LAB_PASSWORD + 1])
{
    static const char letters[32] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t octets[LAB_PASSWORD];
    entropy_fill(octets, sizeof octets);
    for (size_t i = 0; i < LAB_PASSWORD; i++)
        out[i] = letters[octets[i] % sizeof letters];
    out[LAB_PASSWORD] = '\0';
}

static mailbox_id new_mailbox(void)
{
    mailbox_id id = 0;
    while (id == 0)
        id = entropy_u64() >> 1;
    return id;
}

/* Adds the user, or gives him the password that the lab knows: lab.json may be a new one. */
static bool settle_user(struct directory *d, const struct lab_user *user, struct error *error)
{
    uint8_t salt[SECRET_SALT];
    struct verifier verifier, old;
    struct address_key key;
    struct account account = { .address = address_text(&user->address),
                               .created_ms = clock_wall_ms() };
    bool found;
    address_key(&user->address, &key);
    entropy_fill(salt, sizeof salt);
    bool ok = account_verifier(d, address_key_text(&key), &old, &account.mailbox, &found, error) &&
              secret_verifier(text_of(user->password), VERIFIER_ITERATIONS, salt, &verifier, error);
    if (ok && found) {
        ok = account_set_verifier(d, address_key_text(&key), &verifier, error);
    } else if (ok) {
        account.mailbox = new_mailbox();
        ok = account_add(d, address_key_text(&key), &account, &verifier, error);
    }
    secret_wipe(&old, sizeof old);
    secret_wipe(&verifier, sizeof verifier);
    return ok;
}

static bool settle_domain(struct directory *d, struct lab_domain *domain, struct error *error)
{
    for (size_t i = 0; i < LAB_USERS_EACH; i++) {
        struct lab_user *user = &domain->users[i];
        if (!user->password[0])
            new_password(user->password);
        if (!settle_user(d, user, error))
            return false;
    }
    return true;
}

static bool settle_host(struct lab_plan *plan, const struct lab_host *host, struct error *error)
{
    char data[LAB_PATH_MAX];
    struct directory *d;
    if (!plan_path(plan, host, "data", data))
        return error_set(error, ERROR_REFUSED, "the path of %s is too long", plan->folder);
    if (!directory_open(data, true, &d, error))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < host->domain_count; i++)
        ok = settle_domain(d, &plan->domains[host->first_domain + i], error);
    directory_close(&d);
    return ok;
}

bool people_settle(struct lab_plan *plan, struct error *error)
{
    for (size_t i = 0; i < plan->host_count; i++)
        if (!settle_host(plan, &plan->hosts[i], error))
            return false;
    return true;
}
