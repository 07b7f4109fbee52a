/* schema.c - every setting there is. */
#include "config/schema.h"

#include "config/draft.h"
#include "config/values.h"

#define FIELD(type, member) offsetof(type, member), sizeof(((type *)0)->member)
#define SETS(member)        FIELD(struct config, member)

#define MECHANISMS "auto plain login scram-sha-1 scram-sha-256 scram-sha-256-plus"

#define TLS_BEGINS "auto connect starttls"

#define SECOND 1000ULL
#define MINUTE (60 * SECOND)
#define DAY    (24 * 60 * MINUTE)
#define YEARS  (3650 * DAY)
#define K      1024ULL
#define M      (K * K)
#define G      (K * M)

/* Section, key, type, default as written, meaning; reader, field; least, most; zero, list, choice.
 * The order is that of the man page. */
static const struct setting settings[] = {
    { { "", "hostname", "domain", "\"\"",
        "The name that the server greets with. Empty: the machine's name." },
      value_domain,
      SETS(hostname) },
    { { "", "data", "path", "\"/var/lib/godwit\"", "The folder that holds all mail. Mode 0700." },
      value_path,
      SETS(data),
      1 },
    { { "", "user", "user", "\"godwit\"",
        "The account that the server becomes when root starts it, and that owns the data folder. "
        "When it is not written and there is no such account, the data folder's owner." },
      value_name,
      SETS(user) },
    { { "", "postmaster", "address", "\"\"",
        "Who gets mail for postmaster and abuse where no user or alias has that name. Empty: the "
        "first user of the domain." },
      value_address,
      SETS(postmaster) },
    { { "", "catch_all", "address", "\"\"",
        "Who gets mail for all domains that are not ours: an inbox for tests. Then anybody may "
        "send "
        "anywhere, and nothing leaves. Empty: such mail is relayed, or refused." },
      value_address,
      SETS(catch_all) },

    { { "", "sandbox", "switch", "true",
        "Whether the server, once started, gives up what it does not need: files outside of its "
        "folders (Landlock), system calls that no part of it makes, starting programs (seccomp). "
        "false: for finding out whether it is the cause of a trouble." },
      value_switch,
      SETS(sandbox) },

    { { "listen", "address", "list of IP:port", "{\"0.0.0.0:25\", \"[::]:25\"}",
        "Where the service listens; by default on its usual port (25, 587, 465, 110, 995), where a "
        "family that the machine lacks is left out." },
      value_listener,
      0,
      0,
      .list = true },

    { { "domain", "catch_all", "address", "\"\"",
        "Who gets mail for names of this domain that do not exist. Empty: nobody, it is refused." },
      value_address,
      FIELD(struct draft_domain, domain.catch_all) },
    { { "domain", "plus_addressing", "switch", "true",
        "Whether user+anything is delivered to user." },
      value_switch,
      FIELD(struct draft_domain, domain.plus_addressing) },

    { { "tls", "certificate", "path", "\"\"",
        "The certificate chain (PEM) for names without a host section. Empty: no TLS for them, or, "
        "when no host has one either, certificate.pem in data, which the server makes." },
      value_path,
      FIELD(struct config_certificate, certificate) },
    { { "tls", "key", "path", "\"\"", "The private key (PEM) that belongs to it." },
      value_path,
      FIELD(struct config_certificate, key) },
    { { "host", "certificate", "path", "\"\"", "The certificate chain (PEM) for this name." },
      value_path,
      FIELD(struct config_certificate, certificate) },
    { { "host", "key", "path", "\"\"", "The private key (PEM) that belongs to it." },
      value_path,
      FIELD(struct config_certificate, key) },

    { { "relay", "trusted", "list of networks", "{\"127.0.0.0/8\", \"[::1]/128\"}",
        "Networks that may send to anybody without a password. {} closes it." },
      value_trusted,
      0,
      0,
      .list = true },
    { { "relay", "smarthost", "host[:port]", "\"\"",
        "Hands all mail for others to this host, found by its A and AAAA records. Port 25, or 587 "
        "with credentials. Empty: the MX hosts of each domain." },
      value_hop,
      SETS(smarthost) },
    { { "relay", "user", "name", "\"\"",
        "As whom to log in with the smarthost. Then tls is verify, unless it is written or the "
        "smarthost is on this machine. Empty: nobody logs in." },
      value_text,
      FIELD(struct config, smarthost_login.user) },
    { { "relay", "password", "password", "\"\"",
        "The password for user; from the environment: \"${NAME}\". Who may read this file can read "
        "it." },
      value_secret,
      FIELD(struct config, smarthost_login.password) },
    { { "relay", "password_file", "path", "\"\"",
        "A file whose first line is the password for user. What only root may read is read by root "
        "at the start, and brought by godwit reload." },
      value_path,
      FIELD(struct config, smarthost_login.password_file) },
    { { "relay", "mechanism", "choice", "\"auto\"",
        "How to log in. auto: the strongest way that the smarthost offers." },
      value_choice,
      FIELD(struct config, smarthost_login.mechanism),
      .choice = MECHANISMS },
    { { "relay", "cleartext", "choice", "\"loopback\"",
        "Where the password goes without TLS: never; loopback: to this machine; always: "
        "everywhere, also to whoever shows a certificate that cannot be verified." },
      value_choice,
      FIELD(struct config, smarthost_login.cleartext),
      .choice = "never loopback always" },
    { { "relay", "port", "port", "25", "The port on which MX hosts are called." },
      value_count,
      SETS(relay_port),
      1,
      65535 },
    { { "relay", "tls", "choice", "\"may\"",
        "none: never; may: when offered, and in the clear when the handshake fails; encrypt: "
        "always, "
        "whoever answers; verify: only with a valid certificate; dane: only with a TLSA record "
        "that "
        "DNSSEC vouches for. What a domain publishes (TLSA, MTA-STS) is obeyed under all but "
        "none." },
      value_choice,
      SETS(relay_tls),
      .choice = "none may encrypt verify dane" },
    { { "relay", "tls_begins", "choice", "\"auto\"",
        "When TLS with the smarthost begins. connect: with the connection; starttls: by STARTTLS; "
        "auto: with the connection on port 465 (RFC 8314), elsewhere by STARTTLS. MX hosts know "
        "only STARTTLS." },
      value_choice,
      SETS(smarthost_tls_begins),
      .choice = TLS_BEGINS },
    { { "relay", "ca", "path", "\"\"",
        "A file (PEM) of the authorities that are trusted, for hosts and for the web servers of "
        "MTA-STS. Empty: those that the system trusts." },
      value_path,
      SETS(relay_ca) },
    { { "relay", "mta_sts", "switch", "true",
        "Whether the policies that domains publish by MTA-STS are fetched and obeyed." },
      value_switch,
      SETS(relay_mta_sts) },
    { { "relay", "mta_sts_port", "port", "443",
        "The port on which their web servers are called; another one is for tests." },
      value_count,
      SETS(relay_mta_sts_port),
      1,
      65535 },
    { { "route", "host", "host[:port]", "\"\"",
        "Where mail for this domain goes, instead of to its MX hosts. Empty: where it would go "
        "without the route." },
      value_hop,
      FIELD(struct config_route, host) },
    { { "route", "tls", "choice", "\"relay\"",
        "As tls of relay, for this domain; relay: what is said there." },
      value_choice,
      FIELD(struct config_route, tls),
      .choice = "none may encrypt verify dane relay" },
    { { "route", "tls_begins", "choice", "\"auto\"",
        "When TLS with the host begins, as for the smarthost." },
      value_choice,
      FIELD(struct config_route, tls_begins),
      .choice = TLS_BEGINS },
    { { "route", "user", "name", "\"\"", "As whom to log in with the host, as for the smarthost." },
      value_text,
      FIELD(struct config_route, login.user) },
    { { "route", "password", "password", "\"\"", "The password for user." },
      value_secret,
      FIELD(struct config_route, login.password) },
    { { "route", "password_file", "path", "\"\"",
        "A file whose first line is the password for user." },
      value_path,
      FIELD(struct config_route, login.password_file) },
    { { "route", "mechanism", "choice", "\"auto\"", "How to log in." },
      value_choice,
      FIELD(struct config_route, login.mechanism),
      .choice = MECHANISMS },
    { { "route", "cleartext", "choice", "\"loopback\"", "Where the password goes without TLS." },
      value_choice,
      FIELD(struct config_route, login.cleartext),
      .choice = "never loopback always" },
    { { "relay", "retry", "list of durations",
        "{\"1m\", \"5m\", \"15m\", \"30m\", \"1h\", \"2h\", \"4h\"}",
        "How long to wait after each attempt that failed for the time being; then the last one, "
        "until expire. Each at least 1s." },
      value_retry,
      0,
      0,
      SECOND,
      YEARS,
      .list = true },
    { { "relay", "warn", "duration", "\"4h\"",
        "After what time the sender is told that his mail is still waiting. 0: never." },
      value_duration,
      SETS(warn_ms),
      SECOND,
      YEARS,
      .zero = true },
    { { "relay", "expire", "duration", "\"5d\"",
        "After what time mail that cannot be sent goes back to its sender; so too what waits in "
        "local.spool." },
      value_duration,
      SETS(expire_ms),
      SECOND,
      YEARS },

    { { "auth", "cleartext", "choice", "\"loopback\"",
        "Where passwords are taken without TLS: never; loopback: from 127.0.0.0/8 and ::1; "
        "always." },
      value_choice,
      SETS(cleartext),
      .choice = "never loopback always" },
    { { "auth", "iterations", "number", "100000",
        "How often a password is hashed when it is set, and so how much work each guess costs "
        "whoever steals the directory; a login costs the server as much, once. For passwords that "
        "are set from now on; one that was hashed with fewer is hashed anew when somebody logs in "
        "with it by PLAIN, LOGIN or USER. The work of a login for a name that does not exist." },
      value_count,
      SETS(iterations),
      4096,
      5000000 },
    { { "auth", "scram_sha_1", "switch", "false",
        "Whether SCRAM-SHA-1 is offered too, for clients that know nothing better. It works for "
        "passwords that are set from now on, or with which somebody has since logged in by PLAIN, "
        "LOGIN or USER. false: what is kept for it goes in the same way." },
      value_switch,
      SETS(scram_sha1) },

    { { "submission", "from", "choice", "\"check\"",
        "Whom the header's From may name in a message of somebody who has logged in. check: "
        "himself "
        "and the aliases that lead to him, as in MAIL FROM; otherwise the message is refused (550 "
        "5.7.1). any: anybody." },
      value_choice,
      SETS(submission_from),
      .choice = "any check" },
    { { "submission", "messages", "number", "0",
        "Messages that a user may send within an hour; one more is put off (450 4.7.1). 0: no "
        "limit." },
      value_count,
      SETS(messages_hourly),
      1,
      UINT32_MAX,
      .zero = true },
    { { "submission", "recipients", "number", "0",
        "Recipients to whom a user may send within an hour; one more is put off (450 4.7.1). 0: no "
        "limit." },
      value_count,
      SETS(recipients_hourly),
      1,
      UINT32_MAX,
      .zero = true },

    { { "dns", "resolvers", "list of IP[:port]", "{}",
        "The DNS servers to ask. Empty: those of the system." },
      value_resolver,
      0,
      0,
      .list = true },
    { { "dns", "dnssec", "choice", "\"auto\"",
        "auto: answers are validated when the resolvers can; off: never; require: an answer that "
        "cannot be validated is no answer." },
      value_choice,
      SETS(dnssec),
      .choice = "auto off require" },
    { { "dns", "anchors", "path", "\"\"",
        "A file of trust anchors (DS or DNSKEY records) that DNSSEC begins with, for a root of "
        "one's "
        "own. Empty: those of the Internet's root." },
      value_path,
      SETS(anchors) },

    { { "limits", "message", "size", "\"50M\"", "The largest message. 0: none." },
      value_size,
      SETS(message_octets),
      K,
      1024 * G,
      .zero = true },
    { { "limits", "recipients", "number", "1000",
        "Recipients of one message; at most 2000, since all of them are stored at once." },
      value_count,
      SETS(recipients),
      1,
      2000 },
    { { "limits", "transactions", "number", "0",
        "Messages of one session; announced to clients when set. 0: none." },
      value_count,
      SETS(transactions),
      1,
      UINT32_MAX,
      .zero = true },
    { { "limits", "connections", "number", "10000",
        "Connections at the same time. Beyond the limit of open files it is lowered, with a "
        "warning "
        "at the start." },
      value_count,
      SETS(connections),
      1,
      10000000 },
    { { "limits", "connections_per_peer", "number", "100",
        "Connections of one IPv4 address or IPv6 /64; loopback, trusted and logged-in peers are "
        "exempt. 0: none." },
      value_count,
      SETS(connections_per_peer),
      1,
      10000000,
      .zero = true },
    { { "limits", "line", "size", "\"64K\"",
        "The longest line of a message. 0: none. What comes as BODY=BINARYMIME is no lines." },
      value_size,
      SETS(line_octets),
      1000,
      G,
      .zero = true },
    { { "limits", "hops", "number", "100",
        "Received fields at which a message counts as going in circles." },
      value_count,
      SETS(hops),
      1,
      10000 },
    { { "limits", "smtp_command", "duration", "\"5m\"",
        "How long a client may take for a command." },
      value_duration,
      SETS(smtp_command_ms),
      SECOND,
      7 * DAY },
    { { "limits", "smtp_message", "duration", "\"1h\"",
        "How long a client may take for a message." },
      value_duration,
      SETS(smtp_message_ms),
      SECOND,
      7 * DAY },
    { { "limits", "pop3_idle", "duration", "\"10m\"",
        "How long a POP3 session may be silent (RFC 1939: at least 10m)." },
      value_duration,
      SETS(pop3_idle_ms),
      SECOND,
      7 * DAY },
    { { "limits", "login_delay", "duration", "\"0s\"",
        "How long a POP3 user must wait between logins; announced to clients. 0: none." },
      value_duration,
      SETS(login_delay_ms),
      SECOND,
      7 * DAY,
      .zero = true },
    { { "limits", "body_memory", "size", "\"256M\"",
        "Memory for messages while they arrive; at 80% new ones are put off." },
      value_size,
      SETS(body_memory),
      M,
      1024 * G },

    { { "abuse", "ban", "off or duration", "\"off\"",
        "How long an address is shut out that went over errors or logins in a session, or over "
        "hourly_commands, hourly_errors, hourly_logins or hourly_unknown. Never loopback, a "
        "trusted "
        "network, one in allow, nor an address from which somebody has logged in within a day. See "
        "godwit ban." },
      value_ban,
      SETS(ban_ms),
      SECOND,
      YEARS },
    { { "abuse", "errors", "number", "20",
        "Errors after which a session is closed. The reply to the fourth is held back for 250ms, "
        "to each further one twice as long, up to 5s; not for loopback and trusted networks, nor "
        "after a login. 0: none." },
      value_count,
      SETS(errors),
      1,
      1000000,
      .zero = true },
    { { "abuse", "logins", "number", "10",
        "Failed logins after which a session is closed. They count as errors for the delays. "
        "0: none." },
      value_count,
      SETS(logins),
      1,
      1000000,
      .zero = true },

    { { "abuse", "allow", "list of networks", "{}",
        "Networks that are never banned, whose hours are not counted, and to which the rules of "
        "this section about HELO, DNS and greylisting do not apply." },
      value_allow,
      0,
      0,
      .list = true },
    { { "abuse", "hourly_connections", "number", "0",
        "Connections of one IPv4 address or IPv6 /64 in an hour, beyond which it is turned away "
        "with 421 until the hour is over. This and the next five exempt loopback, trusted and "
        "allowed networks, and an address from which somebody has logged in within a day. 0: "
        "none." },
      value_count,
      SETS(hourly_connections),
      1,
      UINT32_MAX,
      .zero = true },
    { { "abuse", "hourly_commands", "number", "0",
        "Commands of an address in an hour, whatever they are, likewise. 0: none." },
      value_count,
      SETS(hourly_commands),
      1,
      UINT32_MAX,
      .zero = true },
    { { "abuse", "hourly_errors", "number", "1000",
        "Errors of an address in an hour, likewise. 0: none." },
      value_count,
      SETS(hourly_errors),
      1,
      UINT32_MAX,
      .zero = true },
    { { "abuse", "hourly_logins", "number", "100",
        "Failed logins of an address in an hour, likewise. 0: none." },
      value_count,
      SETS(hourly_logins),
      1,
      UINT32_MAX,
      .zero = true },
    { { "abuse", "hourly_unknown", "number", "500",
        "Recipients that do not exist, asked for by an address in an hour, likewise. 0: none." },
      value_count,
      SETS(hourly_unknown),
      1,
      UINT32_MAX,
      .zero = true },
    { { "abuse", "hourly_network", "number", "10",
        "How many times as much all of an IPv4 /24 or IPv6 /48 may do in an hour as one address; "
        "it is turned away, never banned. 0: it is not counted." },
      value_count,
      SETS(hourly_network),
      1,
      100000,
      .zero = true },
    { { "abuse", "greeting_delay", "duration", "\"0s\"",
        "How long a stranger on the smtp service waits for the greeting. Whoever talks before it "
        "is refused with 554. At most 5m, RFC 5321's patience of clients. 0: none." },
      value_duration,
      SETS(greeting_delay_ms),
      1,
      5 * MINUTE,
      .zero = true },
    { { "abuse", "greylist", "duration", "\"0s\"",
        "How long a new triplet of network, sender and recipient is deferred with 450. 0: no "
        "greylisting." },
      value_duration,
      SETS(greylist_ms),
      SECOND,
      DAY,
      .zero = true },
    { { "abuse", "greylist_life", "duration", "\"35d\"",
        "How long a triplet that has come again is known, from its last message on." },
      value_duration,
      SETS(greylist_life_ms),
      60 * MINUTE,
      YEARS },
    { { "abuse", "helo_name", "choice", "\"off\"",
        "What is done when HELO or EHLO names no host: neither a domain name of two labels nor an "
        "address literal. off, warn (in the log), defer (450) or reject (550). This and the next "
        "two are for strangers on the smtp service, judged at RCPT; postmaster and abuse are "
        "always reached. RFC 5321 4.1.4 advises against refusing." },
      value_choice,
      SETS(helo_name),
      .choice = "off warn defer reject" },
    { { "abuse", "helo_ours", "choice", "\"off\"",
        "The same for a client that calls itself by our name, one of our domains or our address." },
      value_choice,
      SETS(helo_ours),
      .choice = "off warn defer reject" },
    { { "abuse", "reverse_dns", "choice", "\"off\"",
        "The same for an address whose PTR record is missing, or names a host that does not have "
        "this address. Never for trouble with DNS." },
      value_choice,
      SETS(reverse_dns),
      .choice = "off warn defer reject" },
    { { "blocklist", "action", "choice", "\"reject\"",
        "What is done to an address that the list has: warn (in the log), defer (450) or reject "
        "(550), naming the list." },
      value_choice,
      FIELD(struct config_blocklist, action),
      .choice = "off warn defer reject" },

    { { "local", "socket", "path, auto or off", "\"auto\"",
        "The socket at which users of this machine submit mail with godwit sendmail. auto: "
        "/run/godwit/submit.sock when data is /var/lib/godwit; otherwise submit.sock in data, "
        "which only the server's own user and root reach. off: there is none." },
      value_place,
      SETS(local_socket) },
    { { "local", "spool", "path, auto or off", "\"auto\"",
        "The folder in which godwit sendmail leaves mail while the server is down, mode 3733 and "
        "the server's. auto: /var/spool/godwit when data is /var/lib/godwit; otherwise spool in "
        "data. off: there is none." },
      value_place,
      SETS(local_spool) },
    { { "local", "domain", "domain", "\"\"",
        "A user of this machine may send as LOGIN@hostname, which is the default, as LOGIN at this "
        "domain, and as an alias that leads to that address. Empty: the domain when there is one "
        "only." },
      value_domain,
      SETS(local_domain) },
    { { "local", "trusted", "list of accounts", "{}",
        "Users of this machine who may send as anybody, for instance a web server's, besides root "
        "and the server's own." },
      value_account,
      0,
      0,
      .list = true },

    { { "record", "keep", "duration", "\"14d\"", "How long transcripts are kept. 0: none are." },
      value_duration,
      SETS(record_keep_ms),
      SECOND,
      YEARS,
      .zero = true },
    { { "record", "size", "size", "\"1G\"", "Space that they may take. 0: none." },
      value_size,
      SETS(record_octets),
      M,
      1024 * 1024 * G,
      .zero = true },
    { { "record", "bodies", "switch", "false", "Whether they hold the text of messages." },
      value_switch,
      SETS(record_bodies) },

    { { "log", "file", "path", "\"\"", "Where the log goes. Empty: standard error." },
      value_path,
      SETS(log_file) },
    { { "log", "format", "choice", "\"text\"", "text or json, a line for each event." },
      value_choice,
      SETS(log_json),
      .choice = "text json" },
    { { "log", "protocol", "choice", "\"off\"",
        "What of each session is logged: off; commands: commands and replies; all: the text of "
        "messages too. Passwords never are." },
      value_choice,
      SETS(log_protocol),
      .choice = "off commands all" },
};
enum { SETTINGS = sizeof settings / sizeof *settings };
_Static_assert((int)SETTINGS <= (int)SETTING_COUNT_MAX, "draft.lines has one for each");

static const struct section sections[] = {
    { "listen",
      "",
      { draft_begin_listen, draft_end_listen },
      "A service: smtp, submission, submissions, pop3 or pop3s. Without any listen section all "
      "five "
      "listen on their usual ports; otherwise only those that are written." },
    { "domain",
      "",
      { draft_begin_domain, draft_end_domain },
      "A domain that this server takes mail for." },
    { "tls",
      "",
      { NULL, NULL },
      "Certificates. Renewed files take effect by themselves when the server may read them, "
      "otherwise when root says godwit reload." },
    { "host", "tls", { draft_begin_host, draft_end_host }, "The certificate for one server name." },
    { "relay", "", { NULL, NULL }, "Mail for others." },
    { "route", "relay", { draft_begin_route, draft_end_route }, "A domain with a way of its own." },
    { "auth", "", { NULL, NULL }, "Logging in." },
    { "submission",
      "",
      { NULL, NULL },
      "Mail of those who have logged in. What its header lacks is added (Date, Message-ID, From), "
      "and Bcc is taken away." },
    { "dns", "", { NULL, NULL }, "Name lookups." },
    { "limits", "", { NULL, NULL }, "How much is too much." },
    { "abuse", "", { NULL, NULL }, "Against those who try." },
    { "blocklist",
      "abuse",
      { draft_begin_blocklist, draft_end_blocklist },
      "A DNS blocklist by its zone (RFC 5782), asked about strangers on the smtp service. Only "
      "answers of 127.0.0.x count; trouble with DNS refuses nobody." },
    { "local",
      "",
      { NULL, NULL },
      "Mail of users of this machine, who are known by their account. submission.messages and "
      "submission.recipients count for each of them but root." },
    { "record", "", { NULL, NULL }, "The flight recorder." },
    { "log", "", { NULL, NULL }, "The log." },
};
enum { SECTIONS = sizeof sections / sizeof *sections };
_Static_assert((int)SECTIONS <= (int)SECTION_COUNT_MAX, "the parser has room for each");

size_t schema_settings(void)
{
    return SETTINGS;
}

const struct setting *schema_setting(size_t index)
{
    return index < SETTINGS ? &settings[index] : NULL;
}

const struct setting *schema_find(struct text section, struct text key)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (text_equal(text_of(settings[i].row.section), section) &&
            text_equal(text_of(settings[i].row.key), key))
            return &settings[i];
    return NULL;
}

size_t schema_index(const struct setting *s)
{
    return (size_t)(s - settings);
}

size_t schema_sections(void)
{
    return SECTIONS;
}

const struct section *schema_section(size_t index)
{
    return index < SECTIONS ? &sections[index] : NULL;
}

const struct section *schema_find_section(struct text name)
{
    for (size_t i = 0; i < SECTIONS; i++)
        if (text_equal(text_of(sections[i].name), name))
            return &sections[i];
    return NULL;
}

const struct config_row *config_row(size_t index)
{
    return index < SETTINGS ? &settings[index].row : NULL;
}

bool config_section(size_t index, struct config_section *out)
{
    const struct section *s = schema_section(index);
    if (!s)
        return false;
    *out = (struct config_section){ s->name, s->parent, s->actions.begin != NULL, s->meaning };
    return true;
}
