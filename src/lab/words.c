/* words.c - what a person sees of a lab.  Everything is complete: it can be copied and run. */
#include "lab/words.h"

#include <stdio.h>
#include <unistd.h>

/* Two users who write to each other, of different domains where there are two. */
struct pair {
    const struct lab_user *from, *to;
    char entrance[ENDPOINT_TEXT_MAX]; /* of the sender's server */
    char submission[ENDPOINT_TEXT_MAX];
    char maildrop[ENDPOINT_TEXT_MAX];           /* of the recipient's */
    char secure[ENDPOINT_TEXT_MAX];             /* the same with TLS */
    const struct lab_host *senders_host, *home; /* the sender's, the recipient's */
};

static struct pair choose_pair(const struct lab_plan *plan)
{
    struct pair p = { 0 };
    p.from = &plan->domains[0].users[0];
    p.to = &plan->domains[plan->domain_count - 1].users[1];
    p.home = plan_host_of(plan, &p.to->address);
    p.senders_host = plan_host_of(plan, &p.from->address);
    struct endpoint entrance = plan_entrance(plan, p.senders_host);
    struct endpoint submission = plan_endpoint(plan, p.senders_host, ROLE_SUBMISSION);
    struct endpoint maildrop = plan_endpoint(plan, p.home, ROLE_POP3);
    endpoint_print(&entrance, p.entrance);
    endpoint_print(&submission, p.submission);
    struct endpoint secure = plan_endpoint(plan, p.home, ROLE_POP3S);
    endpoint_print(&maildrop, p.maildrop);
    endpoint_print(&secure, p.secure);
    return p;
}

static void print_host(const struct lab_plan *plan, const struct lab_host *host)
{
    char address[ENDPOINT_TEXT_MAX];
    endpoint_print_address(&host->address, address);
    printf("\n  %s, %s:", host->name, address);
    for (enum role role = 0; role < ROLE_COUNT; role++)
        printf("  %s %u", role_name(role), plan->ports.roles[role]);
    if (host->fault.kind != FAULT_NONE)
        printf("\n      fault %s: %s; hand in mail on port %u", fault_name(host->fault.kind),
               fault_words(host->fault.kind), plan->ports.behind);
    putchar('\n');
    for (size_t i = 0; i < host->domain_count * LAB_USERS_EACH; i++) {
        const struct lab_user *user =
            &plan->domains[host->first_domain + i / LAB_USERS_EACH].users[i % LAB_USERS_EACH];
        printf("      %-32.*s %s\n", TEXT_ARGS(address_text(&user->address)), user->password);
    }
}

/* The program as it can be called again. */
static const char *own_name(char room[LAB_PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", room, LAB_PATH_MAX - 1);
    if (len <= 0)
        return "godwit";
    room[len] = '\0';
    return room;
}

static void print_mail(const struct pair *p)
{
    printf("  # send\n"
           "  swaks --server %s --from %.*s --to %.*s\n"
           "  printf 'Subject: hello\\r\\n\\r\\nfirst flight\\r\\n' |\n"
           "      curl -s smtp://%s --mail-from %.*s --mail-rcpt %.*s -T -\n",
           p->entrance, TEXT_ARGS(address_text(&p->from->address)),
           TEXT_ARGS(address_text(&p->to->address)), p->entrance,
           TEXT_ARGS(address_text(&p->from->address)), TEXT_ARGS(address_text(&p->to->address)));
    printf("  swaks --server %s --auth LOGIN --auth-user %.*s --auth-password %s \\\n"
           "      --from %.*s --to %.*s\n",
           p->submission, TEXT_ARGS(address_text(&p->from->address)), p->from->password,
           TEXT_ARGS(address_text(&p->from->address)), TEXT_ARGS(address_text(&p->to->address)));
    struct text port = text_of(p->maildrop), address;
    text_cut(&port, ':', &address);
    printf("  # read\n"
           "  curl -s pop3://%s/1 --user '%.*s:%s'\n"
           "  curl -s --insecure pop3s://%s/1 --user '%.*s:%s'\n"
           "  telnet %.*s %.*s      # USER %.*s, PASS %s, LIST, RETR 1, QUIT\n",
           p->maildrop, TEXT_ARGS(address_text(&p->to->address)), p->to->password, p->secure,
           TEXT_ARGS(address_text(&p->to->address)), p->to->password, TEXT_ARGS(address),
           TEXT_ARGS(port), TEXT_ARGS(address_text(&p->to->address)), p->to->password);
}

static void print_looking(const struct lab_plan *plan, const struct pair *p)
{
    char config[LAB_PATH_MAX], program[LAB_PATH_MAX];
    printf("  # how the mail host is found\n"
           "  dig @127.0.0.1 -p %u %.*s MX\n"
           "  # every word that the servers say and hear\n"
           "  tail -f %s/*/log\n",
           plan->dns.port, TEXT_ARGS(address_domain(&p->to->address)), plan->folder);
    const char *godwit = own_name(program);
    printf("  # be one of them: smtp writes, pop reads, help tells the rest\n"
           "  %s agent -e %.*s -p %s --dns 127.0.0.1:%u\n",
           godwit, TEXT_ARGS(address_text(&p->to->address)), p->to->password, plan->dns.port);
    printf(
        "  # every command works with the configuration of a server: what waits, what is there\n");
    if (plan_path(plan, p->senders_host, "godwit.conf", config))
        printf("  %s queue -c %s\n", godwit, config);
    if (plan_path(plan, p->home, "godwit.conf", config))
        printf("  %s mailbox list %.*s -c %s\n", godwit, TEXT_ARGS(address_text(&p->to->address)),
               config);
}

void words_print(const struct lab_plan *plan, bool goes_away)
{
    struct pair p = choose_pair(plan);
    printf("A mail internet on this machine: %zu servers, and a DNS on 127.0.0.1, port %u.\n",
           plan->host_count, plan->dns.port);
    for (size_t i = 0; i < plan->host_count; i++)
        print_host(plan, &plan->hosts[i]);
    if (plan->any)
        printf("\n  %s takes mail for every address of every domain into the mailbox of %.*s.\n",
               plan->hosts[0].name, TEXT_ARGS(address_text(&plan->domains[0].users[0].address)));
    printf("\nIn another terminal:\n\n");
    print_mail(&p);
    print_looking(plan, &p);
    printf("\nAll of it is in %s%s.  Ctrl-C ends it.\n\n", plan->folder,
           goes_away ? ", and gone when this ends" : " and stays there");
    fflush(stdout);
}
