/* fuzz_accounts.c - any octets as a user's own file: accounts, or a reason that names the file. */
#include "agent/accounts.h"
#include "base/check.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_account(const struct accounts *all, const struct account *a)
{
    struct address address;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    CHECK(a->title && a->tls <= AGENT_TLS_VERIFY);
    CHECK(!a->password_file || strchr(a->password_file, '/'));
    CHECK(!a->authorities || strchr(a->authorities, '/'));
    if (address_parse(text_of(a->title), ADDRESS_UTF8, &address) == ADDRESS_OK)
        CHECK(accounts_find(all, &address));
    else
        CHECK(address_parse_domain(text_of(a->title), domain) == ADDRESS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct accounts *accounts;
    struct failure why = { 0 };
    char path[64];
    int file = memfd_create("agent.conf", MFD_CLOEXEC);
    CHECK(file >= 0);
    CHECK(fchmod(file, 0600) == 0);
    CHECK(write(file, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (accounts_load(path, &accounts, &why)) {
        for (size_t i = 0; i < accounts_count(accounts); i++)
            check_account(accounts, accounts_at(accounts, i));
        accounts_free(&accounts);
    } else {
        CHECK(!accounts);
        CHECK(strstr(why.words, path));
    }
    close(file);
    return 0;
}
