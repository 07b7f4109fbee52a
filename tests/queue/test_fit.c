/* test_fit.c - what a message must become for a next hop: messages, offers, decisions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "queue/fit.h"

#include <string.h>

/* A message by letters: 8 8-bit, 0 NUL, b a bare CR or LF, l a long line, e no end, B said to be
 * binary, u came with SMTPUTF8. */
static struct queue_item message(const char *is)
{
    struct queue_item item = { .facts.ends_with_crlf = !strchr(is, 'e') };
    item.facts.eight_bit = strchr(is, '8');
    item.facts.has_nul = strchr(is, '0');
    item.facts.bare_cr_or_lf = strchr(is, 'b');
    item.facts.line_longest = strchr(is, 'l') ? CONVERT_LINE_MAX + 1 : CONVERT_LINE_MAX;
    item.envelope.binary = strchr(is, 'B');
    item.envelope.utf8 = strchr(is, 'u');
    return item;
}

/* 8 8BITMIME, B BINARYMIME, C CHUNKING, u SMTPUTF8. */
static struct smtp_client_offers host(const char *offers)
{
    return (struct smtp_client_offers){
        .eight_bit_mime = strchr(offers, '8'),
        .binary_mime = strchr(offers, 'B'),
        .chunking = strchr(offers, 'C'),
        .smtputf8 = strchr(offers, 'u'),
    };
}

/* "=" as it is, "B" as binary, 8 or 7: conversion; "!": it must be. */
static void show(struct fit fit, char out[3])
{
    static const char ways[] = { [FIT_AS_IT_IS] = '=', [FIT_AS_BINARY] = 'B' };
    memset(out, 0, 3);
    out[0] = fit.way != FIT_CONVERT ? ways[fit.way] : fit.target == CONVERT_TO_8BIT ? '8' : '7';
    out[1] = fit.must ? '!' : '\0';
}

static void test_fit(void **state)
{
    (void)state;
    static const struct {
        const char *message, *host, *want;
    } cases[] = {
        { "", "", "=" },        { "8", "8", "=" },      { "8", "", "7!" },   { "8", "BC", "B" },
        { "8", "8BC", "=" },    { "8", "B", "7!" },     { "b", "", "8!" },   { "b", "8", "8!" },
        { "b", "8C", "8!" },    { "b", "8BC", "B" },    { "8b", "", "7!" },  { "8b", "8", "8!" },
        { "e", "8", "8!" },     { "e", "8BC", "B" },    { "B", "8", "8!" },  { "B", "8BC", "B" },
        { "0", "8", "8" },      { "0", "8BC", "B" },    { "l", "8", "8" },   { "l", "", "8" },
        { "8l", "8", "8" },     { "8l", "", "7!" },     { "l", "8BC", "B" }, { "u", "", "=" },
        { "8u", "8u", "=" },    { "8u", "8", "8" },     { "8u", "", "7!" },  { "8u", "8BC", "8" },
        { "8ub", "8BC", "8!" }, { "8ub", "8BCu", "B" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct queue_item item = message(cases[i].message);
        struct smtp_client_offers offers = host(cases[i].host);
        char got[3];
        show(fit_of(&item, &offers), got);
        if (strcmp(got, cases[i].want) != 0)
            print_message("\"%s\" for \"%s\"\n", cases[i].message, cases[i].host);
        assert_string_equal(got, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_fit) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
