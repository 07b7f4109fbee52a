/* fuzz_world.c - the whole server in the simulated world, with conversations (conversation.h): what
 * it promises to anybody, it keeps, also over crashes; and nothing stops it.
 *
 * With SHOW in the environment the world is shown step by step.
 */
#include "base/check.h"
#include "conversation.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SCRIPT_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_set_up;
    struct conversation_result result;
    bool show = getenv("SHOW") != NULL;
    if (!is_set_up)
        is_set_up = conversation_set_up();
    CHECK(is_set_up);
    if (size > SCRIPT_MAX)
        return 0;
    conversation_run((struct bytes){ data, size }, show, &result);
    if (result.failed) {
        fprintf(stderr, "step %llu: %s\n", (unsigned long long)result.steps, result.why);
        abort();
    }
    if (show)
        printf("%llu accepted, %llu read\n", (unsigned long long)result.accepted,
               (unsigned long long)result.read);
    return 0;
}
