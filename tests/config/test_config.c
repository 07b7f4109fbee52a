/* test_config.c - the configuration file: every setting, every kind of mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "config/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME   "/etc/g/godwit.conf"
#define DOMAIN "domain \"example.org\" { }\n"

/* Warnings, one after the other. */
struct told {
    size_t count;
    char words[400];
};

static void tell(void *owner, const char *words)
{
    struct told *told = owner;
    told->count++;
    snprintf(told->words, sizeof told->words, "%s", words);
}

static struct config *read_ok(const char *text)
{
    struct config *c;
    struct error e = { 0 };
    if (!config_read(NAME, text_of(text), NULL, &c, &e))
        fail_msg("%s", e.words);
    return c;
}

static void assert_text(struct text got, const char *wanted)
{
    if (!text_equal(got, text_of(wanted)))
        fail_msg("got \"%.*s\", wanted \"%s\"", TEXT_ARGS(got), wanted);
}

/* The example of the specification: everything is a default but what it says. */
static const char everything[] =
    "hostname = \"mx.example.org\"\n"
    "data     = \"/var/lib/godwit\"\n"
    "user     = \"godwit\"\n"
    "postmaster = \"\"                              # else the domain's first user\n"
    "listen smtp        { address = {\"0.0.0.0:25\", \"[::]:25\"} }\n"
    "listen submission  { address = {\"0.0.0.0:587\", \"[::]:587\"} }\n"
    "listen submissions { address = {\"0.0.0.0:465\", \"[::]:465\"} }\n"
    "listen pop3        { address = {\"0.0.0.0:110\", \"[::]:110\"} }\n"
    "listen pop3s       { address = {\"0.0.0.0:995\", \"[::]:995\"} }\n"
    "domain \"example.org\" { catch_all = \"info@example.org\"  plus_addressing = true }\n"
    "tls   { certificate = \"fullchain.pem\"  key = \"privkey.pem\"\n"
    "        host \"mail.example.org\" { certificate = \"m.pem\"  key = \"m.key\" } }\n"
    "relay {\n"
    "    trusted   = {\"127.0.0.0/8\", \"[::1]/128\"} # networks that may relay\n"
    "    smarthost = \"\"                           # \"host[:port]\": A/AAAA only\n"
    "    port      = 25                           # the port\n"
    "    tls       = \"may\"                        # none | may\n"
    "    route \"gmail.com\" { host = \"127.0.0.1:2125\" }\n"
    "    retry     = {\"1m\", \"5m\", \"15m\", \"30m\", \"1h\", \"2h\", \"4h\"}    # then\n"
    "    warn      = \"4h\"\n"
    "    expire    = \"5d\"\n"
    "}\n"
    "auth   { cleartext = \"loopback\"             # never | loopback | always\n"
    "         iterations = 100000  scram_sha_1 = false }\n"
    "submission { from = \"check\"  messages = 0  recipients = 0 }\n"
    "dns    { resolvers = {}  dnssec = \"auto\" }   # \"127.0.0.1:5353\"; empty: the system's.\n"
    "limits { message = \"50M\"  recipients = 1000  transactions = 0  connections = 10000  "
    "connections_per_peer = 100\n"
    "         line = \"64K\"  hops = 100  smtp_command = \"5m\"  smtp_message = \"1h\"  "
    "pop3_idle = \"10m\"  login_delay = \"0s\"\n"
    "         body_memory = \"256M\" }\n"
    "abuse  { ban = \"off\"  errors = 20  logins = 10 }\n"
    "record { keep = \"14d\"  size = \"1G\"  bodies = false }\n"
    "log    { file = \"\"  format = \"text\"  protocol = \"off\" }    # text | json\n";

/* What is the same in the example and without a word of it. */
static void assert_defaults(const struct config *c)
{
    assert_text(c->data, "/var/lib/godwit");
    assert_text(c->user, "godwit");
    assert_int_equal(c->postmaster.len, 0);
    assert_int_equal(c->listener_count, 10);
    assert_int_equal(c->listeners[0].role, ROLE_SMTP);
    assert_int_equal(c->listeners[0].endpoint.family, NET_IPV4);
    assert_int_equal(c->listeners[0].endpoint.port, 25);
    assert_int_equal(c->listeners[9].role, ROLE_POP3S);
    assert_int_equal(c->listeners[9].endpoint.family, NET_IPV6);
    assert_int_equal(c->listeners[9].endpoint.port, 995);
    assert_int_equal(c->domain_count, 1);
    assert_text(c->domains[0].name, "example.org");
    assert_true(c->domains[0].plus_addressing);
    assert_int_equal(c->trusted_count, 2);
    assert_int_equal(c->smarthost.len, 0);
    assert_int_equal(c->relay_port, 25);
    assert_int_equal(c->relay_tls, RELAY_TLS_MAY);
    assert_int_equal(c->retry_count, 7);
    assert_int_equal(c->retry_ms[0], 60000);
    assert_int_equal(c->retry_ms[6], 4 * 3600000);
    assert_int_equal(c->warn_ms, 4 * 3600000);
    assert_int_equal(c->expire_ms, 5 * 86400000);
    assert_int_equal(c->cleartext, CLEARTEXT_LOOPBACK);
    assert_int_equal(c->iterations, 100000);
    assert_false(c->scram_sha1);
    assert_int_equal(c->submission_from, SUBMISSION_FROM_CHECK);
    assert_int_equal(c->messages_hourly, 0);
    assert_int_equal(c->recipients_hourly, 0);
    assert_int_equal(c->resolver_count, 0);
    assert_int_equal(c->dnssec, DNSSEC_AUTO);
    assert_int_equal(c->message_octets, 50 << 20);
    assert_int_equal(c->recipients, 1000);
    assert_int_equal(c->transactions, 0);
    assert_int_equal(c->connections, 10000);
    assert_int_equal(c->connections_per_peer, 100);
    assert_int_equal(c->line_octets, 65536);
    assert_int_equal(c->hops, 100);
    assert_int_equal(c->smtp_command_ms, 300000);
    assert_int_equal(c->smtp_message_ms, 3600000);
    assert_int_equal(c->pop3_idle_ms, 600000);
    assert_int_equal(c->login_delay_ms, 0);
    assert_int_equal(c->body_memory, 256 << 20);
    assert_false(c->ban);
    assert_int_equal(c->errors, 20);
    assert_int_equal(c->logins, 10);
    assert_int_equal(c->record_keep_ms, 14 * 86400000);
    assert_int_equal(c->record_octets, 1 << 30);
    assert_false(c->record_bodies);
    assert_int_equal(c->log_file.len, 0);
    assert_false(c->log_json);
    assert_int_equal(c->log_protocol, PROTOCOL_LOG_OFF);
}

static void test_everything_written(void **state)
{
    (void)state;
    struct config *c = read_ok(everything);
    assert_defaults(c);
    assert_text(c->file, NAME);
    assert_text(c->hostname, "mx.example.org");
    assert_text(c->domains[0].catch_all, "info@example.org");
    assert_true(c->listeners[0].written);
    assert_false(c->listeners[0].optional);
    assert_true(c->user_written && c->data_written);
    assert_int_equal(c->certificate_count, 2);
    assert_int_equal(c->certificates[0].host.len, 0);
    assert_text(c->certificates[0].certificate, "/etc/g/fullchain.pem");
    assert_text(c->certificates[0].key, "/etc/g/privkey.pem");
    assert_text(c->certificates[1].host, "mail.example.org");
    assert_text(c->certificates[1].key, "/etc/g/m.key");
    assert_int_equal(c->route_count, 1);
    assert_text(c->routes[0].domain, "gmail.com");
    assert_text(c->routes[0].host, "127.0.0.1:2125");
    config_free(&c);
    assert_null(c);
}

static void test_nothing_but_a_domain(void **state)
{
    (void)state;
    struct config *c = read_ok(DOMAIN);
    assert_defaults(c);
    assert_true(c->hostname.len > 0);
    assert_int_equal(c->domains[0].catch_all.len, 0);
    assert_false(c->listeners[0].written);
    assert_true(c->listeners[0].optional);
    assert_false(c->user_written || c->data_written);
    assert_int_equal(c->certificate_count, 1);
    assert_true(c->certificate_made);
    assert_text(c->certificates[0].certificate, "/var/lib/godwit/certificate.pem");
    assert_int_equal(c->route_count, 0);
    config_free(&c);
}

static void test_no_file(void **state)
{
    (void)state;
    static const uint16_t ports[] = { 2525, 2587, 2465, 2110, 2995 };
    struct config *c;
    struct error e;
    char wanted[4200], here[4096];
    if (access("/etc/godwit/godwit.conf", F_OK) == 0)
        skip();
    assert_true(config_load(NULL, NULL, &c, &e));
    assert_int_equal(c->file.len, 0);
    assert_int_equal(c->listener_count, 2 * ROLE_COUNT);
    for (size_t i = 0; i < c->listener_count; i++) {
        assert_true(endpoint_is_loopback(&c->listeners[i].endpoint));
        assert_int_equal(c->listeners[i].endpoint.port, ports[i / 2]);
        assert_int_equal(c->listeners[i].role, i / 2);
    }
    assert_int_equal(c->domain_count, 1);
    assert_text(c->domains[0].name, "localhost");
    assert_non_null(getcwd(here, sizeof here));
    snprintf(wanted, sizeof wanted, "%s/godwit-data", here);
    assert_text(c->data, wanted);
    assert_false(c->data_written);
    config_free(&c);
}

static void test_listeners(void **state)
{
    (void)state;
    struct config *c = read_ok(DOMAIN "listen smtp { }\n"
                                      "listen \"pop3\" { address = \"127.0.0.1:1100\" }\n");
    assert_int_equal(c->listener_count, 3);
    assert_int_equal(c->listeners[0].endpoint.port, 25);
    assert_true(c->listeners[0].written && c->listeners[0].optional);
    assert_int_equal(c->listeners[1].endpoint.family, NET_IPV6);
    assert_int_equal(c->listeners[2].role, ROLE_POP3);
    assert_int_equal(c->listeners[2].endpoint.port, 1100);
    assert_true(c->listeners[2].written && !c->listeners[2].optional);
    config_free(&c);
}

/* Ways of writing that mean the same. */
static void test_notation(void **state)
{
    (void)state;
    setenv("GODWIT_TEST", "env.example", 1);
    unsetenv("GODWIT_UNSET");
    struct config *c = read_ok(
        "# a comment\n/* one\n over lines { */ // and another\n"
        "hostname=mx.example.org domain x.example{}user='${x}'\r\n"
        "domain \"${GODWIT_TEST}\" { plus_addressing = off }\n"
        "domain \"${GODWIT_UNSET:-else.example}\" { plus_addressing = No }\n"
        "domain B\xC3\xBC"
        "cher.Example { catch_all = 'a#{@else.example' }\n"
        "limits { message = 1000000 line = 2K hops = \"5\" } limits { smtp_command = 1h30m }\n"
        "relay { trusted = { } retry = 1m } dns { resolvers = { \"127.0.0.1:5353\", '::1' } }\n"
        "log { file = \"lo\\\\g/\\$x\\\"\" } data = ./data abuse { ban = 1d errors = 0 }\n");
    assert_text(c->hostname, "mx.example.org");
    assert_text(c->user, "${x}");
    assert_text(c->domains[1].name, "env.example");
    assert_false(c->domains[1].plus_addressing);
    assert_text(c->domains[2].name, "else.example");
    assert_text(c->domains[3].name, "xn--bcher-kva.example");
    assert_int_equal(c->message_octets, 1000000);
    assert_int_equal(c->line_octets, 2048);
    assert_int_equal(c->hops, 5);
    assert_int_equal(c->smtp_command_ms, 5400000);
    assert_int_equal(c->trusted_count, 0);
    assert_int_equal(c->retry_count, 1);
    assert_int_equal(c->resolver_count, 2);
    assert_int_equal(c->resolvers[0].port, 5353);
    assert_int_equal(c->resolvers[1].port, 53);
    assert_text(c->log_file, "/etc/g/lo\\g/$x\"");
    assert_text(c->data, "/etc/g/data");
    assert_true(c->ban);
    assert_int_equal(c->ban_ms, 86400000);
    assert_int_equal(c->errors, 0);
    config_free(&c);
}

/* A mistake and what is said about it, in part; the line follows the name of the file. */
static const struct {
    const char *text, *words;
} mistakes[] = {
    /* the file as a whole */
    { "", NAME ": there is no domain: add" },
    { "hostname = a.b\n", NAME ": there is no domain: add" },
    /* names */
    { DOMAIN "\n\nhostnam = x\n", ":4: \"hostnam\" is unknown; nearest: hostname" },
    { DOMAIN "# c\n/* d\n */\nrely { }\n", ":5: \"rely\" is unknown; nearest: relay" },
    { DOMAIN "limits {\n recipents = 5 }\n",
      ":3: \"recipents\" is unknown in limits; nearest: recipients" },
    { DOMAIN "message = 5M\n", ":2: \"message\" is unknown here; it belongs in limits { }" },
    { DOMAIN "log {\n\nhostname = a }", ":4: \"hostname\" is unknown here; it stands outside" },
    { "domain a.b { catchall = 'a@b' }", ":1: \"catchall\" is unknown in domain; nearest: "
                                         "catch_all" },
    { DOMAIN "tls { host a.b { cert = 1 } }", "\"cert\" is unknown in host; nearest: key" },
    { DOMAIN "limits|hops = 5", ":2: \"hops\": names have no |" },
    { DOMAIN "\n\"\" = 5", ":3: a name is missing" },
    { DOMAIN "\"begin|\" = 5", ":2: no sub-section" },
    { DOMAIN "listen smpt { }", ":2: listen \"smpt\": there is no such service; nearest: smtp" },
    /* twice */
    { "domain a.b { }\n\ndomain a.b { }\n", ":3: domain \"a.b\" is given twice, on lines 1 and 3" },
    { "domain a.b { }\ndomain c { }\n\ndomain \"A.B.\" {\n}\n",
      ":4: domain \"a.b\" is given twice, on lines 1 and 4" },
    { DOMAIN "listen smtp {\n}\nlisten smtp { }",
      ":4: listen \"smtp\" is given twice, on lines 2 and 4" },
    { DOMAIN "hops = 1", "it belongs in limits" },
    { "hostname = a\nhostname = b\n" DOMAIN, ":2: hostname: given twice, on lines 1 and 2" },
    { DOMAIN "limits { hops = 1 }\nlimits { hops = 2 }",
      ":3: limits.hops: given twice, on lines 2 and 3" },
    { DOMAIN "relay { trusted = {\"::1\"}\n trusted = {\"::1\"} }",
      ":3: relay.trusted: given twice, on lines 2 and 3" },
    { "domain a.b { plus_addressing = on\n plus_addressing = on }",
      ":2: domain.plus_addressing: given twice, on lines 1 and 2" },
    { DOMAIN "tls { host a { certificate=a key=b }\nhost A { certificate=a key=b } }",
      ":3: host \"a\" is given twice, on lines 2 and 3" },
    { DOMAIN "relay { route a { host=b }\nroute a { host=c } }",
      ":3: route \"a\" is given twice, on lines 2 and 3" },
    { DOMAIN "listen smtp { address = \"127.0.0.1:2525\" }\n"
             "listen pop3 { address = \"127.0.0.1:2525\" }",
      ":3: the address 127.0.0.1:2525 is given twice, on lines 2 (smtp) and 3 (pop3)" },
    /* syntax */
    { DOMAIN "listen smtp\nhostname = a", ":3: " },
    { DOMAIN "domain { }", ":2: missing title for section 'domain'" },
    { DOMAIN "hostname a", ":2: missing equal sign after option 'hostname'" },
    { DOMAIN "hostname = { a, b }", ":2: unexpected token '{'" },
    { DOMAIN "hostname = ", "premature end of file" },
    { DOMAIN "limits {\nhops = 5\n\n", ":2: this { is never closed" },
    { DOMAIN "}", ":2: this } closes nothing" },
    { DOMAIN "a { b { c { d { } } } }", ":2: too many braces within braces" },
    { DOMAIN "hostname = \"a\n\"", ":2: this string is not closed on its line" },
    { DOMAIN "hostname = 'a", ":2: this string is not closed on its line" },
    { DOMAIN "\n/* a\n\n", ":3: this comment is never closed" },
    { DOMAIN "relay { retry += 1h }", ":2: unexpected +" },
    { DOMAIN "postmaster = a+b@example.org", ":2: unexpected +" },
    { DOMAIN "include(\"x\")", ":2: unexpected (" },
    { DOMAIN "data = \"C:\\x\"", ":2: in \"...\" only \\\" \\\\ and \\$ may follow" },
    { DOMAIN "data = \"\\7777\"", ":2: in \"...\" only" },
    { DOMAIN "data = \"${GODWIT_UNSET}/x\"", ":2: the environment variable GODWIT_UNSET is not" },
    { DOMAIN "data = \"${GODWIT\"", ":2: a variable is written ${NAME}" },
    { DOMAIN "data = \"${}\"", ":2: a variable is written ${NAME}" },
    { DOMAIN "data = ${HOME}", ":2: ${...} stands in double quotes only" },
    { DOMAIN "\nuser = \"a\x01\"", ":3: this line has a control character (0x01)" },
    { DOMAIN "\nuser = \"a\xFF\"", ":3: this line is not UTF-8" },
    { "\xEF\xBB\xBF" DOMAIN, ":1: the file begins with a byte order mark" },
    /* values */
    { DOMAIN "limits { message = -5M }", ":2: limits.message: \"-5M\" is no size: it is negative" },
    { DOMAIN "limits { message = 99999999999G }", "it is too large" },
    { DOMAIN "limits { message = '' }", "limits.message: \"\" is no size: it is empty" },
    { DOMAIN "limits { message = 1 }", "\"1\" is out of range: from 1K to 1024G, or 0 for none" },
    { DOMAIN "limits { pop3_idle = 600 }", "is no duration: the unit is missing" },
    { DOMAIN "limits { pop3_idle = -1s }", "is no duration: it is negative" },
    { DOMAIN "limits { pop3_idle = '' }", "is no duration: it is empty" },
    { DOMAIN "limits { pop3_idle = 99999999999999999999s }", "it is too large" },
    { DOMAIN "limits { smtp_command = 0s }", "\"0s\" is out of range: from 1s to 1w" },
    { DOMAIN "limits { recipients = 0 }", "0 is out of range: from 1 to 2000" },
    { DOMAIN "limits { recipients = -3 }", "\"-3\" cannot be: it is negative" },
    { DOMAIN "limits { recipients = 1e3 }", "\"1e3\" cannot be: it is no whole number" },
    { DOMAIN "limits { recipients = 99999999999999999999 }", "cannot be: it is no whole number" },
    { DOMAIN "limits { recipients = '' }", "\"\" cannot be: it is empty" },
    { DOMAIN "relay { port = 0 }", ":2: relay.port: 0 is out of range: from 1 to 65535" },
    { DOMAIN "relay { port = 65536 }", "65536 is out of range" },
    { DOMAIN "relay { tls = mya }", "\"mya\" is none of: none may encrypt verify dane; nearest: "
                                    "may" },
    { DOMAIN "auth { cleartext = loopbck }", "nearest: loopback" },
    { DOMAIN "auth { iterations = 4095 }", "from 4096 to 5000000" },
    { DOMAIN "submission { from = chekc }", "nearest: check" },
    { DOMAIN "submission { messages = -1 }", "it is negative" },
    { DOMAIN "dns { dnssec = on }", "nearest: off" },
    { DOMAIN "log { format = xml }", "\"xml\" is none of: text json" },
    { DOMAIN "log { protocol = comands }", "nearest: commands" },
    { DOMAIN "record { bodies = fals }", "is neither true nor false; nearest: false" },
    { DOMAIN "relay { trusted = { \"127.0.0.1/8\" } }", "is no network" },
    { DOMAIN "relay { trusted = { \"::1\",\n\n 'x' } }", ":4: relay.trusted: \"x\" is no network" },
    { DOMAIN "relay { retry = { } }", "relay.retry: the list is empty" },
    { DOMAIN "relay { retry = { \"1m\", \"0s\" } }", "\"0s\" is out of range: from 1s" },
    { DOMAIN "relay { expire = 0 }", "relay.expire: \"0\" is out of range" },
    { DOMAIN "relay { smarthost = 'a b' }", "is no host[:port]" },
    { DOMAIN "relay { smarthost = 'a:0' }", "a port is a number from 1 to 65535" },
    { DOMAIN "relay { user = joe }", "relay.user: there is no smarthost to log in with" },
    { DOMAIN "relay { smarthost = a.b user = joe }", "relay.user: the user joe has no password" },
    { DOMAIN "relay { smarthost = a.b password = secret }", "nobody it belongs to: add user" },
    { DOMAIN "relay { smarthost = a.b user = joe password = s password_file = f }",
      "password and password_file are both given" },
    { DOMAIN "relay { smarthost = a.b user = joe password = s mechanism = cram-md5 }",
      "\"cram-md5\" is none of: auto plain login" },
    { DOMAIN "relay { smarthost = a.b tls_begins = now }",
      "\"now\" is none of: auto connect starttls" },
    { DOMAIN "relay { smarthost = a.b user = joe password = s cleartext = yes }",
      "\"yes\" is none of: never loopback always" },
    { DOMAIN "relay { smarthost = a.b user = joe password = \"${GODWIT_NO_SUCH}\" }",
      "the environment variable GODWIT_NO_SUCH is not set" },
    { DOMAIN "relay { route a.b { host = c.d password_file = f } }", "nobody it belongs to" },
    { DOMAIN "relay { route a.b { host = c.d user = joe } }", "the user joe has no password" },
    { DOMAIN "relay { route a.b {\n} }", "route \"a.b\": it needs a host" },
    { DOMAIN "relay { route 'a b' { } }", "\"a b\" is no domain name" },
    { DOMAIN "dns { resolvers = { 'ns.example' } }", "is no IP[:port]" },
    { DOMAIN "listen smtp { address = 'localhost:25' }", ":2: listen.address: \"localhost:25\" is "
                                                         "no IP:port" },
    { DOMAIN "listen smtp { address = '127.0.0.1:0' }", "is no IP:port" },
    { DOMAIN "listen smtp { address = '127.0.0.1' }", "is no IP:port" },
    { DOMAIN "listen smtp { address = { } }", "listen.address: the list is empty" },
    { DOMAIN "abuse { ban = of }", "abuse.ban: \"of\" is no duration" },
    { DOMAIN "user = ''", "user: it is empty" },
    { DOMAIN "data = ''", "data: it is empty" },
    { DOMAIN "hostname = 'a b'", "hostname: \"a b\" is no domain name" },
    { "domain '' { }", ":1: \"\" is no domain name" },
    { "domain a..b { }", ":1: \"a..b\" is no domain name" },
    { DOMAIN "postmaster = 'nobody'", "postmaster: \"nobody\" is no mail address" },
    { DOMAIN "catch_all = 'a@other.example'", ":2: catch_all: a@other.example is in none of the" },
    { DOMAIN "postmaster = 'a@other.example'",
      ":2: postmaster: a@other.example is in none of the" },
    { "domain a {\ncatch_all = 'x@b' }", ":2: domain.catch_all: x@b is in none of the" },
    { DOMAIN "tls { certificate = a }", ":2: tls.certificate: a certificate needs its key" },
    { DOMAIN "tls {\nkey = a }", ":3: tls.key: a key needs its certificate" },
    { DOMAIN "tls { host a { key = b } }", "host \"a\": it needs a certificate and a key" },
    { DOMAIN "user = \"\xE2\x80\xAE\\\\\" hostname='\xE2\x80\xAE'", "\"\\u{202E}\" is no domain" },
};

static void test_mistakes(void **state)
{
    (void)state;
    unsetenv("GODWIT_UNSET");
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct config *c;
        struct error e = { 0 };
        if (config_read(NAME, text_of(mistakes[i].text), NULL, &c, &e))
            fail_msg("was taken: %s", mistakes[i].text);
        assert_null(c);
        assert_int_equal(e.kind, ERROR_CONFIG);
        if (!strstr(e.words, mistakes[i].words) || !text_starts(error_text(&e), T(NAME ":")))
            fail_msg("\"%s\" gave\n\"%s\", without\n\"%s\"", mistakes[i].text, e.words,
                     mistakes[i].words);
    }
}

/* After a mistake the next file reads as if nothing had been: the library's scanner is global. */
static void test_reading_after_a_mistake(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "limits { hops = ", "hostname = \"x",      "/* ",
        "a = 'x",           "limits { hops = x }", "domain a { } domain a { }"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct config *c;
        struct error e;
        assert_false(config_read(NAME, text_of(bad[i]), NULL, &c, &e));
        c = read_ok(everything);
        assert_defaults(c);
        config_free(&c);
    }
}

static void test_allowed_without_effect(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t warnings;
        const char *words;
    } cases[] = {
        { DOMAIN "hostname = a", 0, "" },
        { DOMAIN "hostname = a relay { warn = 5d }", 1, "relay.warn" },
        { DOMAIN "hostname = a relay { retry = { 1m, 6d, 7d } }", 1, "relay.retry: step 2" },
        { DOMAIN "hostname = a limits { connections = 100 }", 1, "limits.connections_per_peer" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct told told = { 0 };
        struct config_notices notices = { tell, &told };
        struct config *c;
        struct error e;
        assert_true(config_read(NAME, text_of(cases[i].text), &notices, &c, &e));
        assert_int_equal(told.count, cases[i].warnings);
        assert_non_null(strstr(told.words, cases[i].words));
        config_free(&c);
    }
}

static void test_files(void **state)
{
    (void)state;
    struct config *c;
    struct error e;
    assert_false(config_load("/nonexistent/godwit.conf", NULL, &c, &e));
    assert_int_equal(e.kind, ERROR_CONFIG);
    assert_non_null(strstr(e.words, "/nonexistent/godwit.conf: cannot be read: No such file"));
    assert_false(config_load("/", NULL, &c, &e));
    assert_int_equal(e.kind, ERROR_CONFIG);
    char *large = calloc(1, (1 << 20) + 1);
    assert_non_null(large);
    memset(large, '\n', (1 << 20) + 1);
    assert_false(config_read(NAME, (struct text){ large, (1 << 20) + 1 }, NULL, &c, &e));
    assert_non_null(strstr(e.words, "larger than"));
    memcpy(large, DOMAIN, sizeof DOMAIN - 1);
    assert_true(config_read(NAME, (struct text){ large, 1 << 20 }, NULL, &c, &e));
    config_free(&c);
    free(large);
}

static void test_many_domains(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 1 << 20);
    for (int i = 0; i < 2000; i++)
        buffer_printf(&text, "domain d%d.example { catch_all = x@d%d.example }\n", i, 1999 - i);
    struct config *c;
    struct error e;
    assert_true(config_read(NAME, buffer_as_text(&text), NULL, &c, &e));
    assert_int_equal(c->domain_count, 2000);
    assert_text(c->domains[1999].name, "d1999.example");
    assert_text(c->domains[1999].catch_all, "x@d0.example");
    assert_ptr_equal(config_domain(c, T("d77.example")), &c->domains[77]);
    assert_null(config_domain(c, T("d77.exampl")));
    config_free(&c);
    buffer_clear(&text);
}

static void test_questions(void **state)
{
    (void)state;
    struct config *a = read_ok(everything), *b = read_ok(DOMAIN), *c, *d;
    const char *names[CONFIG_RESTART_MAX];
    struct endpoint peer;
    assert_true(endpoint_parse_address(T("::ffff:127.1.2.3"), &peer));
    assert_true(config_trusts(a, &peer));
    assert_true(endpoint_parse_address(T("192.0.2.1"), &peer));
    assert_false(config_trusts(a, &peer));
    assert_int_equal(config_needs_restart(a, b, names), 0);
    c = read_ok(DOMAIN "data = x user = y sandbox = off listen smtp { }");
    assert_int_equal(config_needs_restart(a, c, names), 4);
    assert_string_equal(names[0], "data");
    assert_string_equal(names[1], "user");
    assert_string_equal(names[2], "listen");
    assert_string_equal(names[3], "sandbox");
    d = read_ok(DOMAIN "listen smtp { address = '127.0.0.1:25' } data = x user = y "
                       "sandbox = no");
    assert_int_equal(config_needs_restart(c, d, names), 1);
    struct error e;
    assert_true(config_keep(d, a, &e));
    assert_text(d->data, "/var/lib/godwit");
    assert_text(d->user, "godwit");
    assert_true(d->sandbox && d->certificate_made);
    assert_text(d->certificates[0].key, "/var/lib/godwit/certificate.pem");
    config_free(&a);
    config_free(&b);
    config_free(&c);
    config_free(&d);
}

/* Every row is complete, and its default is what a file without it means. */
static void test_rows(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct config_row *row; (row = config_row(count)); count++) {
        assert_true(row->key[0] && row->type[0] && row->standard[0] && row->meaning[0]);
        assert_int_equal(row->meaning[strlen(row->meaning) - 1], '.');
    }
    assert_true(count > 40);
    struct config_section section;
    size_t sections = 0;
    while (config_section(sections, &section))
        sections++;
    assert_int_equal(sections, 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_written),
        cmocka_unit_test(test_nothing_but_a_domain),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_notation),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_reading_after_a_mistake),
        cmocka_unit_test(test_allowed_without_effect),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_many_domains),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
