/* main.c - godwit-sim: runs worlds, one a seed, and shows what went wrong in the first that fails.
 *
 * Every world has a process of its own: one that aborts, or never ends, is a find like any other.
 */
#include "sim/apart.h"
#include "sim/shrink.h"

#include "base/text.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

enum { STEPS_SHOWN = 400, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
    struct run_options run;
    uint64_t seeds;   /* 0: until stopped */
    uint64_t seconds; /* 0: no end */
    bool quiet, show, twice, brief, shrink;
};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Of the worlds that have ended. */
static double processor_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* The same world again, its last steps in words. */
static void show_failure(const struct options *o, struct run_result *result)
{
    struct run_options again = o->run;
    uint64_t step = result->steps;
    char why[sizeof result->why];
    memcpy(why, result->why, sizeof why);
    printf("FAILED: seed %llu, step %llu: %s\n", (unsigned long long)o->run.seed,
           (unsigned long long)step, why);
    if (o->show || o->brief)
        return;
    again.show_from = step > STEPS_SHOWN ? step - STEPS_SHOWN : 0;
    printf("its last steps:\n");
    run_apart(&again, result);
    if (result->steps != step || strcmp(result->why, why) != 0)
        printf("AND it does not replay: now it ends at step %llu: %s\n",
               (unsigned long long)result->steps, result->why);
    apart_print_again(&o->run);
}

static void add_up(struct run_result *sum, const struct run_result *r)
{
    sum->steps += r->steps;
    sum->world_us += r->world_us;
    sum->crashes += r->crashes;
    sum->sessions += r->sessions;
    sum->letters.letters += r->letters.letters;
    sum->letters.accepted += r->letters.accepted;
    sum->letters.refused += r->letters.refused;
    sum->letters.unknown += r->letters.unknown;
    sum->letters.copies_seen += r->letters.copies_seen;
    sum->letters.copies_removed += r->letters.copies_removed;
    sum->letters.relayed += r->letters.relayed;
    sum->letters.twins += r->letters.twins;
    sum->letters.reports += r->letters.reports;
    for (int i = 0; i < FAULTS; i++)
        sum->faults[i] += r->faults[i];
    for (int i = 0; i < CHECKS; i++)
        sum->checks[i] += r->checks[i];
    points_add(&sum->points, &r->points);
}

static void print_sum(const struct run_result *sum, uint64_t worlds, double seconds)
{
    double used = processor_seconds();
    printf("\n%llu worlds, %.1f simulated hours in %.1f seconds, %.1f of a processor; "
           "%llu events, %llu crashes\n"
           "%llu sessions; %llu letters: %llu accepted, %llu refused, %llu in doubt; "
           "%llu copies read, %llu deleted\n"
           "%.0f message lives in a second of a processor\n",
           (unsigned long long)worlds, (double)sum->world_us / 3.6e9, seconds, used,
           (unsigned long long)sum->steps, (unsigned long long)sum->crashes,
           (unsigned long long)sum->sessions, (unsigned long long)sum->letters.letters,
           (unsigned long long)sum->letters.accepted, (unsigned long long)sum->letters.refused,
           (unsigned long long)sum->letters.unknown, (unsigned long long)sum->letters.copies_seen,
           (unsigned long long)sum->letters.copies_removed, (double)sum->letters.letters / used);
    printf("%llu copies relayed, %llu of them came twice; %llu reports\n",
           (unsigned long long)sum->letters.relayed, (unsigned long long)sum->letters.twins,
           (unsigned long long)sum->letters.reports);
    printf("faults:\n");
    for (int i = 0; i < FAULTS; i++)
        printf("  %10llu %s\n", (unsigned long long)sum->faults[i], fault_name(i));
    printf("checks:\n");
    for (int i = 0; i < CHECKS; i++)
        printf("  %10llu %s%s\n", (unsigned long long)sum->checks[i], check_name(i),
               sum->checks[i] ? "" : "   <- never had a chance to fail");
    points_print(&sum->points, stdout);
}

/* The same seed must give the same world. */
static void run_again(const struct options *o, struct run_result *result)
{
    struct run_result first = *result;
    run_apart(&o->run, result);
    bool same = result->trace == first.trace && result->steps == first.steps;
    if (!same && !result->failed) {
        result->failed = true;
        snprintf(result->why, sizeof result->why,
                 "run twice, it is not the same: %llu steps and "
                 "%llu",
                 (unsigned long long)first.steps, (unsigned long long)result->steps);
    }
}

static int run_all(struct options *o, struct run_result *result)
{
    struct run_result sum = { 0 };
    double begun = seconds_now();
    uint64_t worlds = 0;
    for (; o->seeds == 0 || worlds < o->seeds; worlds++, o->run.seed++) {
        if (o->seconds && seconds_now() - begun > (double)o->seconds)
            break;
        if (!run_apart(&o->run, result)) {
            fprintf(stderr, "godwit-sim: no process could be made\n");
            return EXIT_FAILED;
        }
        if (!result->failed && o->twice)
            run_again(o, result);
        if (result->failed) {
            show_failure(o, result);
            if (o->shrink)
                shrink(&o->run, result);
            printf("FAIL worlds: seed %llu\n", (unsigned long long)o->run.seed);
            return EXIT_FAILED;
        }
        add_up(&sum, result);
        if (!o->quiet)
            printf("seed %llu: %llu steps, %llu letters, %llu crashes, trace %016llx\n",
                   (unsigned long long)o->run.seed, (unsigned long long)result->steps,
                   (unsigned long long)result->letters.letters, (unsigned long long)result->crashes,
                   (unsigned long long)result->trace);
    }
    print_sum(&sum, worlds, seconds_now() - begun);
    printf("ok %llu worlds, the last of seed %llu\n", (unsigned long long)worlds,
           (unsigned long long)o->run.seed - 1);
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: godwit-sim [--seed N] [--seeds COUNT | --forever] [--seconds N]\n"
                    "                  [--letters N] [--hours N] [--nodes N] [--show] [--quiet]\n"
                    "                  [--swarm] [--without FAULT,...] [--fresh] [--twice] "
                    "[--brief] [--shrink]\n");
    return EXIT_USAGE;
}

/* "cut,stall" */
static bool read_faults(const char *words, uint64_t *out)
{
    struct text rest = text_of(words), word;
    enum fault fault;
    bool more = true;
    while (more) {
        more = text_cut(&rest, ',', &word);
        if (!fault_of_word(word, &fault))
            return false;
        *out |= (uint64_t)1 << fault;
    }
    return true;
}

static bool number_of(const char *words, uint64_t *out)
{
    return text_to_u64(text_of(words), out);
}

static const struct option known[] = {
    { "seed", required_argument, NULL, 's' },    { "seeds", required_argument, NULL, 'n' },
    { "forever", no_argument, NULL, 'f' },       { "seconds", required_argument, NULL, 't' },
    { "letters", required_argument, NULL, 'l' }, { "hours", required_argument, NULL, 'h' },
    { "nodes", required_argument, NULL, 'k' },   { "show", no_argument, NULL, 'v' },
    { "quiet", no_argument, NULL, 'q' },         { "twice", no_argument, NULL, '2' },
    { "fresh", no_argument, NULL, 'r' },         { "brief", no_argument, NULL, 'b' },
    { "shrink", no_argument, NULL, 'z' },        { "swarm", no_argument, NULL, 'm' },
    { "without", required_argument, NULL, 'w' }, { 0 },
};

static bool take_value(struct options *o, int letter, const char *value)
{
    uint64_t nodes;
    switch (letter) {
    case 's':
        return number_of(value, &o->run.seed);
    case 'n':
        return number_of(value, &o->seeds) && o->seeds > 0;
    case 't':
        return number_of(value, &o->seconds);
    case 'l':
        return number_of(value, &o->run.letters);
    case 'h':
        return number_of(value, &o->run.hours);
    case 'w':
        return read_faults(value, &o->run.without);
    default:
        if (!number_of(value, &nodes) || nodes < 1 || nodes >= HOSTS_MAX)
            return false;
        o->run.nodes = (unsigned)nodes;
        return true;
    }
}

static bool take_flag(struct options *o, int letter)
{
    switch (letter) {
    case 'f':
        o->seeds = 0;
        return true;
    case 'v':
        o->show = true;
        o->run.show_from = 0;
        return true;
    case 'r':
        o->run.seed = (uint64_t)time(NULL) * 1000;
        return true;
    case 'm':
        return o->run.swarm = true;
    case 'q':
        return o->quiet = true;
    case 'z':
        return o->shrink = true;
    case 'b':
        return o->brief = true;
    case '2':
        return o->twice = true;
    default: /* unknown */
        return false;
    }
}

static bool read_options(int argc, char **argv, struct options *o)
{
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        if (optarg ? !take_value(o, c, optarg) : !take_flag(o, c))
            return false;
    return optind == argc;
}

int main(int argc, char **argv)
{
    struct options o = { .run = { .seed = 1,
                                  .letters = RUN_LETTERS,
                                  .hours = 1,
                                  .nodes = 1,
                                  .show_from = UINT64_MAX },
                         .seeds = 1 };
    if (!read_options(argc, argv, &o))
        return usage();
    struct run_result *result =
        mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (result == MAP_FAILED || !run_set_up()) {
        fprintf(stderr, "godwit-sim: memory is short\n");
        return EXIT_FAILED;
    }
    return run_all(&o, result);
}
