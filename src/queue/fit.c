/* fit.c - whether a message's content fits what a next hop takes.
 *
 * What came with BODY=BINARYMIME is binary because its sender says so; a CR or LF alone, and
 * content without a line end at its end, can have come in no other way.
 */
#include "queue/fit.h"

struct fit fit_of(const struct queue_item *item, const struct smtp_client_offers *offers)
{
    const struct content_facts *facts = &item->facts;
    struct fit fit = { .way = FIT_AS_IT_IS };
    bool eight_bit = facts->eight_bit && !offers->eight_bit_mime;
    bool odd = facts->has_nul || facts->line_longest > CONVERT_LINE_MAX;
    /* SMTPUTF8 may have been for the header, or for nothing: only a look tells. */
    bool utf8 = item->envelope.utf8 && facts->eight_bit && !offers->smtputf8;
    fit.binary = item->envelope.binary || facts->bare_cr_or_lf || !facts->ends_with_crlf;
    if (smtp_client_takes_binary(offers) && !utf8) {
        fit.way = fit.binary || odd || eight_bit ? FIT_AS_BINARY : FIT_AS_IT_IS;
    } else if (fit.binary || odd || eight_bit || utf8) {
        fit.way = FIT_CONVERT;
        fit.target = eight_bit ? CONVERT_TO_7BIT : CONVERT_TO_8BIT;
        fit.must = fit.binary || eight_bit;
    }
    return fit;
}
