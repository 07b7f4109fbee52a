/* fuzz_config.c - any octets as a configuration file: an answer, never a crash, and every mistake
 * with its line.
 */
#include "base/check.h"
#include "config/config.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config;
    struct error error = { 0 };
    struct text text = { (const char *)data, size };
    if (config_read("/f", text, NULL, &config, &error)) {
        CHECK(config->domain_count > 0);
        CHECK(config->hostname.len > 0);
        CHECK(config->data.len > 0);
        config_free(&config);
    } else {
        CHECK(config == NULL);
        CHECK(error.kind == ERROR_CONFIG);
        CHECK(strncmp(error.words, "/f:", 3) == 0);
    }
    return 0;
}
