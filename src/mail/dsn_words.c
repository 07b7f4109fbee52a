/* dsn_words.c - what an enhanced status code means, in words for the person who sent the mail.
 *
 * The class of a code (does it last?) is told by the report itself, so the table has only subject
 * and detail.  The words are for somebody who has never heard of SMTP.
 */
#include "mail/dsn_inner.h"

static const char check_address[] =
    "Check the address for a slip of the keyboard; ask the recipient in another way for the right "
    "one.";
static const char check_domain[] = "Check what stands behind the @ for a slip of the keyboard.";
static const char wait_for_space[] = "Send it again later, or reach the recipient in another way.";
static const char make_smaller[] =
    "Send a smaller message: without attachments, or in several pieces.";
static const char later[] = "Send it again later. If that fails as well, reach the recipient in "
                            "another way: only the people there can put it right.";
static const char tell_us[] =
    "There is nothing that you can do: please answer this report, so that the people who run "
    "this mail system see it.";
static const char tell_them[] =
    "Reach the recipient in another way: only the people who run the mail system there can put it "
    "right.";
static const char their_rules[] =
    "What the server said may tell what it minds. Otherwise reach the recipient in another way: "
    "only the people there can make an exception.";

/* An entry without a detail is for every code of its subject that has no entry of its own, and
 * stands behind those that have. */
static const struct {
    struct text code; /* subject.detail, or subject. */
    struct dsn_words words;
} table[] = {
    { TEXT("1.1"), { "There is no such mailbox.", check_address } },
    { TEXT("1.2"),
      { "The domain of this address does not exist, or has no mail server.", check_domain } },
    { TEXT("1.3"), { "This is not an address that the server there understands.", check_address } },
    { TEXT("1.4"), { "The address fits more than one mailbox.", check_address } },
    { TEXT("1.6"),
      { "The recipient has moved, and left no new address.",
        "Ask the recipient in another way for the new address." } },
    { TEXT("1.10"),
      { "The domain of this address says that it takes no mail at all.", check_domain } },
    { TEXT("1."), { "Something is wrong with the address.", check_address } },

    { TEXT("2.1"),
      { "The mailbox is switched off.",
        "Reach the recipient in another way, or ask for another address." } },
    { TEXT("2.2"), { "The mailbox is full.", wait_for_space } },
    { TEXT("2.3"), { "The message is larger than this mailbox may take.", make_smaller } },
    { TEXT("2.4"), { "The mailing list could not be resolved into its members.", tell_them } },
    { TEXT("2."), { "The mailbox there takes no mail now.", later } },

    { TEXT("3.1"), { "The mail system there has no more room.", wait_for_space } },
    { TEXT("3.2"), { "The mail system there takes no mail now.", later } },
    { TEXT("3.4"), { "The message is larger than the server takes.", make_smaller } },
    { TEXT("3."), { "The mail system there has trouble of its own.", later } },

    { TEXT("4.1"), { "The server of this domain did not answer.", later } },
    { TEXT("4.2"), { "The connection to the server of this domain broke.", later } },
    { TEXT("4.3"),
      { "The domain name system did not say which server takes mail for this domain.", later } },
    { TEXT("4.4"), { "No server for this domain could be found.", check_domain } },
    { TEXT("4.5"), { "The mail system there is too busy.", later } },
    { TEXT("4.6"), { "The message went round in a circle between mail systems.", tell_us } },
    { TEXT("4.7"),
      { "The message could not be handed over in the time that it may take.", later } },
    { TEXT("4."), { "The server of this domain could not be reached.", later } },

    { TEXT("5.3"),
      { "The message has more recipients than the server takes at once.",
        "Send it to fewer recipients at a time." } },
    { TEXT("5."), { "Our server and the other one did not understand each other.", tell_us } },

    { TEXT("6.1"),
      { "The server does not take this kind of content.",
        "Send it in another form: as plain text, or without attachments." } },
    { TEXT("6.3"),
      { "The server takes only mail in an older form, into which the message cannot "
        "be brought without changing it.",
        "Send it again without accents and other special characters, also in the "
        "names of attachments." } },
    { TEXT("6.7"),
      { "The server cannot work with addresses that have other letters than those of "
        "English.",
        "Ask the recipient for an address in plain letters; your own address must be "
        "one, too." } },
    { TEXT("6."),
      { "The server does not take the message in the form that it has.",
        "Send it in another form: as plain text, or without attachments." } },

    { TEXT("7."),
      { "The server does not want the message: it is against a rule there.", their_rules } },
    { TEXT(""), { "The server did not take the message.", later } },
};

const struct dsn_words *dsn_words(struct text status)
{
    struct text class;
    text_cut(&status, '.', &class);
    size_t i = 0;
    for (;; i++) {
        struct text code = table[i].code;
        bool general = code.len == 0 || code.at[code.len - 1] == '.';
        if (general ? text_starts(status, code) : text_equal(status, code))
            return &table[i].words;
    }
}
