/* version.c - godwit version: ours, and those of the libraries that are in use. */
#include "cli/cli.h"

#include <confuse.h>
#include <idn2.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdio.h>
#include <uv.h>
#include <xxhash.h>

enum cli_exit cli_version(struct cli *cli)
{
    (void)cli;
    unsigned xxhash = XXH_versionNumber();
    printf("godwit %s\n", GODWIT_VERSION);
    printf("libuv %s\n", uv_version_string());
    printf("SQLite %s\n", sqlite3_libversion());
    printf("%s\n", OpenSSL_version(OPENSSL_VERSION));
    printf("libConfuse %s\n", confuse_version);
    printf("Jansson %s\n", jansson_version_str());
    printf("libidn2 %s\n", idn2_check_version(NULL));
    printf("xxHash %u.%u.%u\n", xxhash / 10000, xxhash / 100 % 100, xxhash % 100);
    return CLI_DONE;
}
