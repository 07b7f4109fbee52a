/* sink.c - the sink that most tests and all small texts want: memory. */
#include "mail/sink.h"

static bool append(void *context, struct bytes octets, struct error *e)
{
    if (buffer_append(context, octets.at, octets.len))
        return true;
    return error_set(e, ERROR_TEMPORARY, "what was written takes more memory than there is for it");
}

struct sink sink_of_buffer(struct buffer *b)
{
    return (struct sink){ .context = b, .write = append };
}
