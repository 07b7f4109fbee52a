/* apart.c - a world in a process of its own, so that one that aborts is a find like any other. */
#include "sim/apart.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of processor time: the machine may have other things to do. */
enum { WORLD_SECONDS_MAX = 120 };

static void limit_time(void)
{
    struct rlimit most = { WORLD_SECONDS_MAX, WORLD_SECONDS_MAX + 1 };
    setrlimit(RLIMIT_CPU, &most);
}

bool run_apart(const struct run_options *o, struct run_result *result)
{
    memset(result, 0, sizeof *result);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        limit_time();
        run_world(o, result);
        fflush(stdout);
        if (result->failed)
            _exit(0); /* the world was left as it was */
        exit(0);      /* a sanitizer looks for what nobody has given back */
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    bool at_end = WIFEXITED(status) && result->over;
    if (at_end && WEXITSTATUS(status) == 0)
        return true;
    result->failed = true;
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    snprintf(result->why, sizeof result->why, "%s",
             number == SIGXCPU   ? "it does not end"
             : number == SIGABRT ? "aborted: a CHECK, or a sanitizer"
             : number            ? strsignal(number)
             : at_end            ? "a sanitizer complains at the end: memory that nobody gave back?"
                                 : "it ended early");
    return true;
}

void apart_print_again(const struct run_options *o)
{
    const char *before = " --without ";
    printf("again: godwit-sim --seed %llu --letters %llu --hours %llu --nodes %u%s",
           (unsigned long long)o->seed, (unsigned long long)o->letters,
           (unsigned long long)o->hours, o->nodes, o->swarm ? " --swarm" : "");
    for (enum fault f = 0; f < FAULTS; f++)
        if (o->without >> f & 1) {
            printf("%s%s", before, fault_word(f));
            before = ",";
        }
    printf(" --show\n");
}
