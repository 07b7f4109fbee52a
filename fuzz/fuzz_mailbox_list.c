/* fuzz_mailbox_list.c - every list ends, and every address that is found parses to itself. */
#include "base/check.h"
#include "mail/mailbox_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mailbox_list list = mailbox_list_of((struct text){ (const char *)data, size });
    struct address address, again;
    enum mailbox_found found;
    size_t left = size + 1;
    do {
        found = mailbox_list_next(&list, &address);
        if (found == MAILBOX_ADDRESS) {
            CHECK(address_parse(address_text(&address), ADDRESS_UTF8, &again) == ADDRESS_OK);
            CHECK(text_equal(address_text(&address), address_text(&again)));
        }
        if (found == MAILBOX_ADDRESS || found == MAILBOX_NAME) {
            CHECK(list.rest.len < left); /* each takes something */
            left = list.rest.len;
        }
    } while (found == MAILBOX_ADDRESS || found == MAILBOX_NAME);
    CHECK(mailbox_list_next(&list, &address) == found);
    return 0;
}
